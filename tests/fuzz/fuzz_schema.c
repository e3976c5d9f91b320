/* Any JSON as a pod: decoded, defaulted and validated; decoding again changes nothing. */
#include <stdint.h>
#include <stdlib.h>

#include "api/schema.h"
#include "base/alloc.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool refused(json_t *doc)
{
    _cleanup_json_ json_t *warnings = NULL;
    _cleanup_json_ json_t *status = schema_decode(&kind_pod, doc, VALIDATION_WARN, &warnings);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    _cleanup_json_ json_t *doc = jparse((const char *)data, size, &err);
    if (!doc || refused(doc))
        return 0;
    schema_default(&kind_pod, doc);
    struct status_causes causes = {0};
    schema_validate(&kind_pod, doc, NULL, &causes);
    _cleanup_json_ json_t *status = status_invalid("", "Pod", "x", &causes);
    causes_done(&causes);
    _cleanup_json_ json_t *before = json_deep_copy(doc);
    if (refused(doc) || !json_equal(before, doc))
        abort();
    return 0;
}
