/* See fieldshape.h. */
#include "api/fieldshape.h"

#include "api/schema.h"
#include "base/str.h"
#include "json/json.h"

struct field shape_root(const struct kind *k)
{
    return (struct field){.type = F_OBJECT, .sub = k->fields};
}

enum field_shape field_shape(const struct field *f, const json_t *value)
{
    if (f && f->flags & ATOMIC)
        return SHAPE_LEAF;
    if (f && f->type == F_LIST)
        return f->list_keys && json_is_array(value) ? SHAPE_ITEMS : SHAPE_LEAF;
    bool has_members = !f || f->type == F_OBJECT || f->type == F_MAP || f->type == F_RAW;
    return has_members && json_is_object(value) ? SHAPE_MAP : SHAPE_LEAF;
}

const struct field *shape_member(const struct field *f, const char *name)
{
    if (!f || f->type == F_RAW)
        return NULL;
    return f->type == F_MAP ? f->sub : schema_member(f->sub, name);
}

bool shape_is_named(const struct field *f, const char *name)
{
    return f && f->type == F_OBJECT && schema_member(f->sub, name);
}

/* An item's value of a key: its own, or the default of the field. */
static json_t *key_value(const struct field *item_fields, const json_t *item, const char *key)
{
    json_t *value = json_object_get(item, key);
    const struct field *f = schema_member(item_fields, key);
    if (value && !json_is_null(value))
        return json_incref(value);
    return f && f->dflt ? json_loads(f->dflt, JSON_DECODE_ANY, NULL) : NULL;
}

static char *keys_step(const struct field *list, const json_t *item)
{
    _cleanup_free_ char **keys = str_split(list->list_keys, ',', NULL);
    _cleanup_json_ json_t *values = json_object();
    const struct field *fields = list->sub && list->sub->type == F_OBJECT ? list->sub->sub : NULL;
    for (char **key = keys; *key; key++) {
        json_t *value = key_value(fields, item, *key);
        if (!value)
            return NULL;
        json_object_set_new(values, *key, value);
    }
    _cleanup_free_ char *text = jprint_sorted(values);
    return xasprintf("k:%s", text);
}

char *shape_item_step(const struct field *list, const json_t *item)
{
    if (*list->list_keys)
        return keys_step(list, item);
    _cleanup_free_ char *text = jprint_sorted(item);
    return xasprintf("v:%s", text);
}

char *shape_member_step(const char *name)
{
    return xasprintf("f:%s", name);
}

json_t *shape_index(const struct field *list, const json_t *items)
{
    size_t i;
    json_t *item, *index = json_object();
    json_array_foreach((json_t *)items, i, item) {
        _cleanup_free_ char *step = shape_item_step(list, item);
        if (!step || json_object_get(index, step)) {
            json_decref(index);
            return NULL;
        }
        json_object_set(index, step, item);
    }
    return index;
}
