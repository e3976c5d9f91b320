/* A JSON array [document, patch]: both kinds of patch, and the document stays as it was. */
#include <stdint.h>
#include <stdlib.h>

#include "json/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    _cleanup_json_ json_t *both = jparse((const char *)data, size, &err);
    const json_t *doc = json_array_get(both, 0), *patch = json_array_get(both, 1);
    if (!doc || !patch)
        return 0;
    _cleanup_json_ json_t *before = json_deep_copy(doc);
    _cleanup_json_ json_t *patched = json_patch_apply(doc, patch, &err);
    if (!patched && !*err.msg)
        abort();
    _cleanup_json_ json_t *merged = json_merge_patch(doc, patch), *again = json_merge_patch(merged, patch);
    if (!json_equal(before, doc) || !json_equal(merged, again))
        abort();
    return 0;
}
