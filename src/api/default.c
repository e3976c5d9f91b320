/* Defaulting: the rows' own, then what the kind adds. */
#include "api/schema.h"
#include "json/json.h"
#include "kinds/custom.h"

static void default_value(const struct field *f, json_t *v);

static void default_members(const struct field *fields, json_t *o)
{
    for (const struct field *f = fields; f && f->name; f++) {
        json_t *v = json_object_get(o, f->name);
        if (!v && f->dflt) {
            v = json_loads(f->dflt, JSON_DECODE_ANY, NULL);
            json_object_set_new(o, f->name, v);
        }
        if (v)
            default_value(f, v);
    }
}

static void default_value(const struct field *f, json_t *v)
{
    const char *key;
    size_t i;
    json_t *item;
    if (f->type == F_OBJECT) {
        default_members(f->sub, v);
    } else if (f->type == F_LIST) {
        json_array_foreach(v, i, item)
            default_value(f->sub, item);
    } else if (f->type == F_MAP) {
        json_object_foreach(v, key, item)
            default_value(f->sub, item);
    }
}

void schema_default(const struct kind *k, json_t *doc)
{
    if (k->schema)
        custom_default(k->schema, doc);
    else
        default_members(k->fields, doc);
    if (k->default_more)
        k->default_more(doc);
}
