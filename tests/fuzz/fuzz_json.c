/* Our reader and printer against jansson's: the same documents, the same refusals, the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    _cleanup_json_ json_t *ours = jparse((const char *)data, size, &err);
    _cleanup_json_ json_t *theirs =
        json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (ours ? !json_equal(ours, theirs) : theirs && !jdeeper_than(theirs, JSON_DEPTH_MAX))
        abort();
    if (!ours)
        return 0;
    _cleanup_json_ json_t *copy = jcopy(ours);
    _cleanup_free_ char *text = jprint(copy), *expected = json_dumps(ours, JSON_COMPACT | JSON_ENCODE_ANY);
    if (strcmp(text, expected) != 0)
        abort();
    return 0;
}
