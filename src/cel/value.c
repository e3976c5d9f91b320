/* Values: made, read out of documents, walked. */
#include "cel/value.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "cel/functions.h"

struct cel_value cel_null(void)
{
    return (struct cel_value){.kind = CEL_NULL};
}

struct cel_value cel_bool(bool b)
{
    return (struct cel_value){.kind = CEL_BOOL, .boolean = b};
}

struct cel_value cel_int(int64_t i)
{
    return (struct cel_value){.kind = CEL_INT, .integer = i};
}

struct cel_value cel_uint(uint64_t u)
{
    return (struct cel_value){.kind = CEL_UINT, .natural = u};
}

struct cel_value cel_double(double d)
{
    return (struct cel_value){.kind = CEL_DOUBLE, .real = d};
}

struct cel_value cel_text(enum cel_kind kind, const char *s, size_t len)
{
    return (struct cel_value){.kind = kind, .text = {s, len}};
}

struct cel_value cel_string(const char *s)
{
    return cel_text(CEL_STRING, s, strlen(s));
}

struct cel_value cel_error(const char *message)
{
    return cel_text(CEL_ERROR, message, strlen(message));
}

struct cel_value cel_errorf(struct cel_arena *a, const char *fmt, ...)
{
    char text[400]; /* longer ones are cut */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return cel_text(CEL_ERROR, cel_alloc_text(a, text, strlen(text)), strlen(text));
}

bool cel_text_is(struct cel_value v, const char *s)
{
    return v.text.len == strlen(s) && memcmp(v.text.s, s, v.text.len) == 0;
}

/* --- documents --- */

/* A string that its schema's format makes something else; one that does not fit is an error where it is used. */
static struct cel_value from_text(const json_t *j, const struct cel_type *type, struct cel_arena *a)
{
    struct cel_value v = cel_text(CEL_STRING, json_string_value(j), json_string_length(j));
    if (!type)
        return v;
    if (type->kind == CEL_BYTES) {
        size_t len;
        _cleanup_free_ char *bytes = base64_decode(v.text.s, v.text.len, &len);
        if (!bytes)
            return cel_error("could not decode base64 string");
        return cel_text(CEL_BYTES, cel_alloc_text(a, bytes, len), len);
    }
    if (type->kind == CEL_TIMESTAMP)
        return cel_parse_timestamp(v, a);
    if (type->kind == CEL_DURATION)
        return cel_parse_duration(v, a);
    return v;
}

struct cel_value cel_from_json(const json_t *j, const struct cel_type *type, struct cel_arena *a)
{
    if (type && type->kind == CEL_DYN)
        type = NULL;
    if (!j)
        return cel_null();
    switch (json_typeof(j)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return cel_bool(json_is_true(j));
    case JSON_INTEGER:
        if (type && type->kind == CEL_DOUBLE)
            return cel_double((double)json_integer_value(j));
        return cel_int(json_integer_value(j));
    case JSON_REAL:
        if (type && type->kind == CEL_INT && fabs(json_real_value(j)) < 9e18)
            return cel_int((int64_t)json_real_value(j));
        return cel_double(json_real_value(j));
    case JSON_STRING:
        return from_text(j, type, a);
    case JSON_ARRAY:
        return (struct cel_value){.kind = CEL_LIST, .type = type, .list = {.json = j}};
    case JSON_OBJECT:
        return (struct cel_value){.kind = CEL_MAP, .type = type, .map = {.json = j}};
    default:
        return cel_null();
    }
}

/* --- containers --- */

struct cel_list *cel_list_new(struct cel_arena *a, size_t max)
{
    return cel_alloc(a, 1, sizeof(struct cel_list) + max * sizeof(struct cel_value));
}

struct cel_map *cel_map_new(struct cel_arena *a, size_t max)
{
    return cel_alloc(a, 1, sizeof(struct cel_map) + max * sizeof(struct cel_entry));
}

struct cel_value cel_list(const struct cel_list *own)
{
    return (struct cel_value){.kind = CEL_LIST, .list = {.own = own}};
}

struct cel_value cel_map(const struct cel_map *own)
{
    return (struct cel_value){.kind = CEL_MAP, .map = {.own = own}};
}

size_t cel_length(struct cel_value v)
{
    if (v.kind == CEL_LIST)
        return v.list.json ? json_array_size(v.list.json) : v.list.own->n;
    return v.map.json ? json_object_size(v.map.json) : v.map.own->n;
}

static const struct cel_type *item_type(struct cel_value container)
{
    return container.type ? container.type->item : NULL;
}

struct cel_value cel_item(struct cel_value list, size_t i, struct cel_arena *a)
{
    if (list.list.json)
        return cel_from_json(json_array_get(list.list.json, i), item_type(list), a);
    return list.list.own->items[i];
}

static bool find_in_document(struct cel_value map, struct cel_value key, struct cel_value *ret, struct cel_arena *a)
{
    const struct cel_type *type = item_type(map);
    const json_t *found;
    if (key.kind != CEL_STRING)
        return false;
    if (map.type && map.type->members) {
        const struct cel_member *m = cel_member(map.type, key.text.s, key.text.len);
        if (!m)
            return false;
        found = json_object_get(map.map.json, m->json);
        type = m->type;
    } else {
        found = json_object_getn(map.map.json, key.text.s, key.text.len);
    }
    if (found)
        *ret = cel_from_json(found, type, a);
    return found != NULL;
}

bool cel_find(struct cel_value map, struct cel_value key, struct cel_value *ret, struct cel_arena *a)
{
    if (map.map.json)
        return find_in_document(map, key, ret, a);
    const struct cel_map *own = map.map.own;
    if (own->lazy) {
        if (key.kind == CEL_STRING)
            *ret = own->lazy->get(own->lazy->arg, key.text.s, key.text.len);
        return key.kind == CEL_STRING;
    }
    for (size_t i = 0; i < own->n; i++) {
        int64_t work = 100; /* keys are scalars */
        if (cel_equal(own->entries[i].key, key, a, &work)) {
            *ret = own->entries[i].value;
            return true;
        }
    }
    return false;
}

bool cel_next(struct cel_value map, struct cel_cursor *c, struct cel_value *ret_key, struct cel_value *ret_value,
              struct cel_arena *a)
{
    if (!map.map.json) {
        if (c->n >= map.map.own->n)
            return false;
        *ret_key = map.map.own->entries[c->n].key;
        *ret_value = map.map.own->entries[c->n++].value;
        return true;
    }
    json_t *document = (json_t *)map.map.json;
    c->at = c->n++ ? json_object_iter_next(document, c->at) : json_object_iter(document);
    if (!c->at)
        return false;
    *ret_key = cel_text(CEL_STRING, json_object_iter_key(c->at), json_object_iter_key_len(c->at));
    *ret_value = cel_from_json(json_object_iter_value(c->at), item_type(map), a);
    return true;
}
