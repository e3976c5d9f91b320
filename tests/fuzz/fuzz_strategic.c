/* A JSON array [document, patch]: merged as a pod or refused with a reason; the document stays as it was. */
#include <stdint.h>
#include <stdlib.h>

#include "api/strategic.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    _cleanup_json_ json_t *both = jparse((const char *)data, size, &err);
    json_t *doc = json_array_get(both, 0), *patch = json_array_get(both, 1);
    if (!json_is_object(doc) || !patch)
        return 0;
    _cleanup_json_ json_t *before = json_deep_copy(doc), *merged = strategic_merge(&kind_pod, doc, patch, &err);
    if (!merged && !*err.msg)
        abort();
    if (!json_equal(before, doc))
        abort();
    return 0;
}
