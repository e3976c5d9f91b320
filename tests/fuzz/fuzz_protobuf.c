/* Protobuf bodies: whatever the bytes, a document or a refusal; what is read, decoding can look at. */
#include <stddef.h>
#include <stdint.h>

#include "api/protobuf.h"
#include "api/schema.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    json_t *warnings = NULL;
    json_t *doc = protobuf_decode("core.v1.Pod", kind_pod.fields, data, size, &err);
    if (doc)
        json_decref(schema_decode(&kind_pod, doc, VALIDATION_WARN, &warnings));
    json_decref(warnings);
    json_decref(doc);
    return 0;
}
