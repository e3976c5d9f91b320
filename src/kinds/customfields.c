/* A schema as a table of fields, for those who merge documents and keep track of who owns which field. Validation and
 * defaults are not in it: they walk the schema. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/custom.h"
#include "kinds/fields.h"

void *custom_alloc(struct custom_blocks *b, size_t n, size_t size)
{
    b->items = xrealloc(b->items, (b->n + 1) * sizeof(void *));
    return b->items[b->n++] = xcalloc(n, size);
}

void custom_blocks_done(struct custom_blocks *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->items[i]);
    free(b->items);
    *b = (struct custom_blocks){0};
}

static void describe(const json_t *schema, struct field *f, struct custom_blocks *b);

static const struct field *row(const json_t *schema, struct custom_blocks *b)
{
    struct field *f = custom_alloc(b, 1, sizeof(*f));
    describe(schema, f, b);
    return f;
}

static const struct field *members(const json_t *properties, struct custom_blocks *b)
{
    struct field *fields = custom_alloc(b, json_object_size(properties) + 1, sizeof(*fields)), *f = fields;
    const char *name;
    json_t *schema;
    json_object_foreach((json_t *)properties, name, schema) {
        describe(schema, f, b);
        f->name = name;
        f->doc = jstr(schema, "description");
        f++;
    }
    return fields;
}

/* "name,protocol" for a list that is a map by these members. */
static const char *joined(const json_t *keys, struct custom_blocks *b)
{
    size_t i;
    json_t *key;
    struct buf text = BUF_INIT(0);
    json_array_foreach((json_t *)keys, i, key)
        buf_addf(&text, "%s%s", i ? "," : "", str_or(json_string_value(key), ""));
    char *kept = custom_alloc(b, text.len + 1, 1);
    memcpy(kept, buf_str(&text), text.len);
    buf_done(&text);
    return kept;
}

static void describe_object(const json_t *schema, struct field *f, struct custom_blocks *b)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties");
    if (json_is_object(others)) {
        f->type = F_MAP;
        f->sub = row(others, b);
    } else if (json_object_size(properties) && !jbool(schema, "x-kubernetes-preserve-unknown-fields", false)) {
        f->type = F_OBJECT;
        f->sub = members(properties, b);
    } else {
        f->type = F_MAP; /* of anything: whoever owns fields owns them one by one */
        f->sub = row(NULL, b);
    }
    if (streq(jstr_or(schema, "x-kubernetes-map-type", ""), "atomic"))
        f->flags |= ATOMIC;
}

static void describe_list(const json_t *schema, struct field *f, struct custom_blocks *b)
{
    const char *type = jstr_or(schema, "x-kubernetes-list-type", "atomic");
    f->type = F_LIST;
    f->sub = row(json_object_get(schema, "items"), b);
    if (streq(type, "map"))
        f->list_keys = joined(json_object_get(schema, "x-kubernetes-list-map-keys"), b);
    else if (streq(type, "set"))
        f->list_keys = "";
}

static void describe(const json_t *schema, struct field *f, struct custom_blocks *b)
{
    static const struct {
        const char *name;
        enum field_type type;
    } scalars[] = {{"string", F_STR}, {"integer", F_INT64}, {"number", F_NUMBER}, {"boolean", F_BOOL}};
    const char *type = jstr_or(schema, "type", "");
    f->type = jbool(schema, "x-kubernetes-int-or-string", false) ? F_INT_OR_STR : F_RAW;
    f->flags = jbool(schema, "nullable", false) ? NULLABLE : 0;
    for (size_t i = 0; i < ARRAY_LEN(scalars); i++)
        if (streq(scalars[i].name, type))
            f->type = scalars[i].type;
    if (streq(type, "object"))
        describe_object(schema, f, b);
    else if (streq(type, "array"))
        describe_list(schema, f, b);
}

const struct field *custom_fields(const json_t *schema, struct custom_blocks *b)
{
    static const struct field metadata[] = {FIELD_METADATA};
    const json_t *properties = json_object_get(schema, "properties");
    struct field *fields = custom_alloc(b, json_object_size(properties) + 2, sizeof(*fields)), *f = fields;
    const char *name;
    json_t *member;
    *f++ = metadata[0];
    json_object_foreach((json_t *)properties, name, member) {
        if (streq(name, "metadata") || streq(name, "apiVersion") || streq(name, "kind"))
            continue;
        describe(member, f, b);
        f->name = name;
        f->doc = jstr(member, "description");
        f++;
    }
    return fields;
}
