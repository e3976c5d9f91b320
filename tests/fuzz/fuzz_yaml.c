/* Any text as YAML: refused with a reason, or a document that JSON can carry. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    _cleanup_json_ json_t *doc = yaml_parse((const char *)data, size, &err);
    if (!doc && !*err.msg)
        abort();
    if (!doc)
        return 0;
    _cleanup_free_ char *text = jprint(doc);
    _cleanup_json_ json_t *back = jparse(text, strlen(text), &err);
    if (!back || !json_equal(doc, back))
        abort();
    return 0;
}
