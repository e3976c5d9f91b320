/* A schema and a document under it, a line each: rules, pruning, defaults, validation and the table never crash. */
#include <stdint.h>
#include <string.h>

#include "json/json.h"
#include "kinds/custom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    const uint8_t *end = memchr(data, '\n', size);
    size_t len = end ? (size_t)(end - data) : size;
    _cleanup_json_ json_t *schema = jparse((const char *)data, len, &err);
    _cleanup_json_ json_t *doc = end ? jparse((const char *)end + 1, size - len - 1, &err) : NULL;
    struct status_causes causes = {0};
    struct custom_blocks blocks = {0};
    if (!json_is_object(schema))
        return 0;
    custom_check_schema(&causes, schema, "s");
    custom_fields(schema, &blocks);
    if (doc) {
        custom_prune(schema, doc, NULL);
        custom_default(schema, doc);
        custom_validate(schema, doc, &causes);
    }
    causes_done(&causes);
    custom_blocks_done(&blocks);
    return 0;
}
