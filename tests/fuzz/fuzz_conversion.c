/* Any bytes as the answer of a conversion webhook: refused with a reason, or objects of the version that was asked for,
 * with names and metadata that are still theirs. */
#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"
#include "json/json.h"
#include "server/conversion_review.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    json_t *objects = json_pack("[{s:s, s:s, s:{s:s, s:s, s:s}}]", "apiVersion", "g/v1", "kind", "K", "metadata",
                                "name", "n", "uid", "1", "resourceVersion", "7");
    _cleanup_json_ json_t *question = conversion_question(NULL, "g/v2", objects, "U");
    _cleanup_json_ json_t *converted = conversion_answer(question, (const char *)data, size, &err);
    const json_t *first = json_array_get(converted, 0);
    if (!converted && !*err.msg)
        abort();
    if (converted && (!streq(jstr_or(first, "apiVersion", ""), "g/v2") ||
                      !streq(jstr_or(first, "metadata.resourceVersion", ""), "7") ||
                      !streq(jstr_or(first, "metadata.name", ""), "n")))
        abort();
    return 0;
}
