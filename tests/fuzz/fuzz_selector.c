/* Any text as label and as field selector: refused with a reason, or usable. */
#include <stdint.h>
#include <stdlib.h>

#include "api/selector.h"
#include "base/alloc.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct field_label labels[] = {{"spec.a", "spec.a", ""}, {0}};
    static const struct kind kind = {.group = "", .version = "v1", .kind = "Thing", .field_labels = labels};
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    _cleanup_json_ json_t *doc = json_pack("{s:{s:s, s:s, s:{s:s}}, s:{s:s}}", "metadata", "name", "x",
                                           "resourceVersion", "1", "labels", "a", "1", "spec", "a", "1");
    _cleanup_object_ struct object *o = object_new(&kind, doc);
    struct err err = {0};
    struct selector *s = selector_parse(text, &err);
    if (s)
        selector_matches(s, o);
    else if (!*err.msg)
        abort();
    selector_free(s);
    err = (struct err){0};
    struct field_selector *f = field_selector_parse(&kind, text, &err);
    if (f)
        field_selector_matches(f, o);
    else if (!*err.msg)
        abort();
    field_selector_free(f);
    return 0;
}
