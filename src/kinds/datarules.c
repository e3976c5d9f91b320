/* See datarules.h. */
#include "kinds/datarules.h"

#include "json/json.h"

#define DATA_MAX (1024 * 1024)

/* Of the bytes that the text stands for. */
static size_t value_size(const json_t *value, bool is_base64)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (!is_base64 || len < 4)
        return len;
    return len / 4 * 3 - (text[len - 1] == '=') - (text[len - 2] == '=');
}

void rule_data_size(const json_t *obj, const struct data_member *members, const char *path,
                    struct status_causes *causes)
{
    size_t total = 0;
    const char *key;
    json_t *value;
    for (const struct data_member *m = members; m->name; m++)
        json_object_foreach(jget(obj, m->name), key, value)
            total += value_size(value, m->is_base64);
    if (total > DATA_MAX)
        causes_add(causes, CAUSE_TOO_LONG, path, NULL, "may not be more than %d bytes", DATA_MAX);
}

static bool same(const json_t *a, const json_t *b)
{
    return json_object_size(a) == 0 ? json_object_size(b) == 0 : b && json_equal(a, b);
}

void rule_data_immutable(const json_t *obj, const json_t *old, const struct data_member *members,
                         struct status_causes *causes)
{
    static const char why[] = "field is immutable when `immutable` is set";
    if (!jbool(old, "immutable", false))
        return;
    if (!jbool(obj, "immutable", false))
        causes_add(causes, CAUSE_FORBIDDEN, "immutable", NULL, why);
    for (const struct data_member *m = members; m->name; m++)
        if (!same(jget(obj, m->name), jget(old, m->name)))
            causes_add(causes, CAUSE_FORBIDDEN, m->name, NULL, why);
}
