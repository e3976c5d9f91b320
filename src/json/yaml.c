/* See yaml.h. libyaml gives events; this gives them JSON values. Nesting and what aliases repeat are limited, so that a
 * small text cannot become a large document. */
#include "json/yaml.h"

#include <math.h>
#include <yaml.h>

#include "base/map.h"
#include "base/str.h"
#include "json/yaml_scalar.h"

#define ALIASED_MAX (4 * 1024 * 1024) /* bytes, roughly, that all aliases together may repeat */
#define NODE_COST 16                  /* of them, for a value as such */
#define DUPLICATES_MAX 100            /* as for JSON (duplicates.c) */
#define NAME_SHOWN_MAX 200

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the present one */
    struct map anchors; /* name -> finished value; owned */
    size_t aliased;
    int depth;
    json_t **duplicates; /* where they are told; NULL: they are errors */
    struct err *err;
};

static json_t *read_node(struct reader *r);

/* Returns NULL, for `return fail(…)`. */
static void *__attribute__((format(printf, 2, 3))) fail(struct reader *r, const char *fmt, ...)
{
    char why[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    err_set(r->err, 0, "line %zu, column %zu: %s", r->event.start_mark.line + 1, r->event.start_mark.column + 1, why);
    return NULL;
}

/* Moves to the next event; the present one's data is gone then. */
static bool advance(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->parser, &r->event))
        return true;
    err_set(r->err, 0, "line %zu, column %zu: %s", r->parser.problem_mark.line + 1, r->parser.problem_mark.column + 1,
            str_or(r->parser.problem, "cannot be read"));
    return false;
}

/* ---- anchors ---- */

static size_t cost_of(const json_t *j)
{
    size_t cost = NODE_COST + json_string_length(j), i;
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)j, key, v)
        cost += strlen(key) + cost_of(v);
    json_array_foreach((json_t *)j, i, v)
        cost += cost_of(v);
    return cost;
}

/* Takes `anchor`, which may be NULL. An anchor may be set again: aliases mean the latest. */
static void remember(struct reader *r, char *anchor, json_t *value)
{
    if (anchor && value)
        json_decref(map_put(&r->anchors, anchor, json_incref(value)));
    free(anchor);
}

static json_t *read_alias(struct reader *r)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    json_t *value = map_get(&r->anchors, name);
    if (!value)
        return fail(r, "unknown anchor '%s' referenced", name);
    r->aliased += cost_of(value);
    if (r->aliased > ALIASED_MAX)
        return fail(r, "document contains excessive aliasing");
    if (jdeeper_than(value, JSON_DEPTH_MAX - r->depth))
        return fail(r, "more than %d levels deep", JSON_DEPTH_MAX);
    return json_deep_copy(value);
}

/* ---- scalars ---- */

static json_t *read_scalar(struct reader *r)
{
    const char *text = (const char *)r->event.data.scalar.value, *tag = (const char *)r->event.data.scalar.tag;
    size_t len = r->event.data.scalar.length;
    bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const char *wrong = NULL;
    if (strlen(text) != len)
        return fail(r, "a NUL character inside text");
    json_t *v = yaml_scalar(text, tag, plain, &wrong);
    if (!v)
        return fail(r, "%s", wrong);
    remember(r, xstrdup_or_null((const char *)r->event.data.scalar.anchor), v);
    return v;
}

/* ---- lists and maps ---- */

static bool enter(struct reader *r)
{
    if (++r->depth <= JSON_DEPTH_MAX)
        return true;
    fail(r, "more than %d levels deep", JSON_DEPTH_MAX);
    return false;
}

static json_t *read_list(struct reader *r)
{
    char *anchor = xstrdup_or_null((const char *)r->event.data.sequence_start.anchor);
    json_t *list = json_array();
    bool fine = enter(r) && advance(r);
    while (fine && r->event.type != YAML_SEQUENCE_END_EVENT) {
        json_t *item = read_node(r);
        fine = item && json_array_append_new(list, item) == 0 && advance(r);
    }
    r->depth--;
    if (!fine) {
        json_decref(list);
        list = NULL;
    }
    remember(r, anchor, list);
    return list;
}

/* Keys are text in JSON: numbers and booleans become what they would be printed as. */
static char *read_key(struct reader *r, bool *ret_merges)
{
    bool is_scalar = r->event.type == YAML_SCALAR_EVENT;
    bool plain = is_scalar && r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    *ret_merges = plain && !r->event.data.scalar.tag && streq((const char *)r->event.data.scalar.value, "<<");
    if (!is_scalar && r->event.type != YAML_ALIAS_EVENT)
        return fail(r, "a key must be a scalar");
    _cleanup_json_ json_t *key = read_node(r);
    if (!key)
        return NULL;
    if (json_is_string(key))
        return xstrdup(json_string_value(key));
    if (json_is_number(key) || json_is_boolean(key))
        return jprint(key);
    return fail(r, "a key must be text, a number or a boolean");
}

/* What the map has itself wins over what is merged, earlier merges over later ones. */
static bool collect_merge(struct reader *r, json_t *merged, json_t *value)
{
    size_t i;
    json_t *item;
    if (json_is_object(value)) {
        json_object_update_missing(merged, value);
        return true;
    }
    json_array_foreach(value, i, item)
        if (!json_is_object(item) || !collect_merge(r, merged, item))
            break;
    if (json_is_array(value) && i == json_array_size(value))
        return true;
    fail(r, "map merge requires map or sequence of maps as the value");
    return false;
}

static bool may_repeat(struct reader *r, const char *key)
{
    if (!r->duplicates) {
        fail(r, "key \"%s\" already set in map", key);
        return false;
    }
    if (!*r->duplicates)
        *r->duplicates = json_array();
    if (json_array_size(*r->duplicates) < DUPLICATES_MAX)
        json_array_append_new(*r->duplicates, json_sprintf("line %zu: key \"%.*s\" already set in map",
                                                           r->event.start_mark.line + 1, NAME_SHOWN_MAX, key));
    return true;
}

static bool read_member(struct reader *r, json_t *map, json_t *merged)
{
    bool merges;
    _cleanup_free_ char *key = read_key(r, &merges);
    if (!key)
        return false;
    if (!merges && json_object_get(map, key) && !may_repeat(r, key))
        return false;
    _cleanup_json_ json_t *value = advance(r) ? read_node(r) : NULL;
    if (!value)
        return false;
    if (merges)
        return collect_merge(r, merged, value);
    json_object_set(map, key, value);
    return true;
}

static json_t *read_map(struct reader *r)
{
    char *anchor = xstrdup_or_null((const char *)r->event.data.mapping_start.anchor);
    json_t *map = json_object();
    _cleanup_json_ json_t *merged = json_object();
    bool fine = enter(r) && advance(r);
    while (fine && r->event.type != YAML_MAPPING_END_EVENT)
        fine = read_member(r, map, merged) && advance(r);
    r->depth--;
    if (!fine) {
        json_decref(map);
        map = NULL;
    } else {
        json_object_update_missing(map, merged);
    }
    remember(r, anchor, map);
    return map;
}

static json_t *read_node(struct reader *r)
{
    switch (r->event.type) {
    case YAML_ALIAS_EVENT:
        return read_alias(r);
    case YAML_SCALAR_EVENT:
        return read_scalar(r);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(r);
    case YAML_MAPPING_START_EVENT:
        return read_map(r);
    default:
        return fail(r, "a value is missing");
    }
}

/* stream start, document start, value, document end, stream end; nothing at all is null. */
static json_t *read_document(struct reader *r)
{
    if (!advance(r) || !advance(r))
        return NULL;
    if (r->event.type == YAML_STREAM_END_EVENT)
        return json_null();
    if (!advance(r))
        return NULL;
    json_t *doc = read_node(r);
    if (!doc)
        return NULL;
    if (advance(r) && advance(r)) {
        if (r->event.type == YAML_STREAM_END_EVENT)
            return doc;
        fail(r, "more than one document");
    }
    json_decref(doc);
    return NULL;
}

static void unref_value(void *value)
{
    json_decref(value);
}

static json_t *parse(const char *text, size_t len, json_t **ret_duplicates, struct err *err)
{
    struct reader r = {.duplicates = ret_duplicates, .err = err};
    if (!yaml_parser_initialize(&r.parser))
        abort(); /* only out of memory */
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    json_t *doc = read_document(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    map_done_with(&r.anchors, unref_value);
    return doc;
}

json_t *yaml_parse(const char *text, size_t len, struct err *err)
{
    return parse(text, len, NULL, err);
}

json_t *yaml_parse_last(const char *text, size_t len, json_t **ret_duplicates, struct err *err)
{
    *ret_duplicates = NULL;
    json_t *doc = parse(text, len, ret_duplicates, err);
    if (!doc)
        json_decref(TAKE(*ret_duplicates));
    return doc;
}
