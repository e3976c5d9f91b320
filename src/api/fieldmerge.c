/* See fieldwalk.h. Here: an applied document over the live one, taking fields out, and what cannot be applied. */
#include <stdio.h>
#include <string.h>

#include "api/fieldshape.h"
#include "api/fieldwalk.h"
#include "api/schema.h"
#include "base/str.h"
#include "json/json.h"

/* --- merging --- */

static json_t *merge(const struct field *f, const json_t *live, const json_t *config);

static json_t *merge_members(const struct field *f, const json_t *live, const json_t *config)
{
    json_t *merged = json_copy((json_t *)live), *value;
    const char *name;
    json_object_foreach((json_t *)config, name, value)
        json_object_set_new(merged, name, merge(shape_member(f, name), json_object_get(live, name), value));
    return merged;
}

/* One list being put together from two. */
struct weave {
    const struct field *list;
    json_t *live, *config; /* step -> item */
    json_t *taken;         /* steps of config that are already in merged */
    json_t *merged;
};

static void take_config(struct weave *w, const char *step, const json_t *item)
{
    const json_t *before = json_object_get(w->live, step);
    bool one_value = !before || !*w->list->list_keys;
    json_array_append_new(w->merged, one_value ? json_incref((json_t *)item) : merge(w->list->sub, before, item));
    json_object_set_new(w->taken, step, json_true());
}

/* Items that only live has keep their place before the neighbour that follows them there; config decides about the
 * order of its own. */
static void weave(struct weave *w)
{
    void *next = json_object_iter(w->config);
    const char *step;
    json_t *item;
    json_object_foreach(w->live, step, item) {
        if (!json_object_get(w->config, step))
            json_array_append(w->merged, item);
        while (json_object_get(w->config, step) && !json_object_get(w->taken, step)) {
            take_config(w, json_object_iter_key(next), json_object_iter_value(next));
            next = json_object_iter_next(w->config, next);
        }
    }
    for (; next; next = json_object_iter_next(w->config, next))
        take_config(w, json_object_iter_key(next), json_object_iter_value(next));
}

/* NULL: one of them is no list of parts. */
static json_t *merge_items(const struct field *list, const json_t *live, const json_t *config)
{
    struct weave w = {.list = list, .live = shape_index(list, live), .config = shape_index(list, config)};
    if (w.live && w.config) {
        w.taken = json_object();
        w.merged = json_array();
        weave(&w);
    }
    json_decref(w.live);
    json_decref(w.config);
    json_decref(w.taken);
    return w.merged;
}

static json_t *merge(const struct field *f, const json_t *live, const json_t *config)
{
    enum field_shape shape = field_shape(f, config);
    json_t *merged = NULL;
    if (live && field_shape(f, live) == shape && shape == SHAPE_MAP)
        merged = merge_members(f, live, config);
    else if (live && field_shape(f, live) == shape && shape == SHAPE_ITEMS)
        merged = merge_items(f, live, config);
    return merged ? merged : json_incref((json_t *)config);
}

json_t *fields_merge(const struct kind *k, const json_t *live, const json_t *config)
{
    const struct field root = shape_root(k);
    return merge(&root, live, config);
}

/* --- removing --- */

static void remove_parts(const struct field *f, json_t *value, const json_t *set);

static bool is_empty(const json_t *value)
{
    return (json_is_object(value) && !json_object_size(value)) || (json_is_array(value) && !json_array_size(value));
}

/* Whether the part is to go as a whole, after what is below it went. */
static bool goes(const struct field *f, json_t *part, const json_t *node)
{
    if (fieldset_is_member(node))
        return true;
    remove_parts(f, part, node);
    return is_empty(part);
}

static void remove_items(const struct field *list, json_t *items, const json_t *set)
{
    for (size_t i = json_array_size(items); i-- > 0;) {
        json_t *item = json_array_get(items, i);
        _cleanup_free_ char *step = shape_item_step(list, item);
        const json_t *node = step ? json_object_get(set, step) : NULL;
        if (node && goes(list->sub, item, node))
            json_array_remove(items, i);
    }
}

static void remove_parts(const struct field *f, json_t *value, const json_t *set)
{
    const char *step;
    json_t *node;
    switch (field_shape(f, value)) {
    case SHAPE_ITEMS:
        remove_items(f, value, set);
        break;
    case SHAPE_MAP:
        json_object_foreach((json_t *)set, step, node) {
            const char *name = str_after(step, "f:");
            json_t *part = name ? json_object_get(value, name) : NULL;
            if (part && goes(shape_member(f, name), part, node))
                json_object_del(value, name);
        }
        break;
    default:
        break;
    }
}

void fields_remove(const struct kind *k, json_t *doc, const json_t *set)
{
    const struct field root = shape_root(k);
    remove_parts(&root, doc, set);
}

/* --- checking --- */

#define COMPLAINTS_MAX 20 /* a document can be wrong in more places than anybody reads */

struct check {
    struct buf path;
    struct buf text;
    int n;
};

static void check(struct check *c, const struct field *f, const json_t *value);

static void complain(struct check *c, const char *fmt, const char *what)
{
    if (c->n++ >= COMPLAINTS_MAX)
        return;
    buf_addf(&c->text, "\n  %s: ", buf_str(&c->path));
    buf_addf(&c->text, fmt, what);
}

static void check_members(struct check *c, const struct field *f, const json_t *map)
{
    size_t len = c->path.len;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value) {
        buf_addf(&c->path, ".%s", name);
        if (f && f->type == F_OBJECT && !shape_is_named(f, name))
            complain(c, "field not declared in schema%s", "");
        else
            check(c, shape_member(f, name), value);
        buf_cut(&c->path, len);
    }
}

static const char *missing_key(const struct field *list, const json_t *item, char out[128])
{
    for (const char *key = list->list_keys; *key; key += strcspn(key, ",") + (key[strcspn(key, ",")] == ',')) {
        snprintf(out, 128, "%.*s", (int)strcspn(key, ","), key);
        struct field one = *list;
        one.list_keys = out;
        _cleanup_free_ char *step = shape_item_step(&one, item);
        if (!step)
            return out;
    }
    return "";
}

static void complain_keyless(struct check *c, const struct field *list, size_t i, const json_t *item)
{
    char key[128];
    _cleanup_free_ char *what = xasprintf("element %zu: associative list with keys has an element that omits key field "
                                          "\"%s\" (and doesn't have default value)",
                                          i, missing_key(list, item, key));
    complain(c, "%s", what);
}

static void complain_double(struct check *c, const char *step)
{
    struct buf shown = BUF_INIT(0);
    fieldset_print_step(step, &shown);
    complain(c, "duplicate entries for key %s", buf_str(&shown));
    buf_done(&shown);
}

static void check_items(struct check *c, const struct field *list, const json_t *items)
{
    size_t i, len = c->path.len;
    json_t *item;
    _cleanup_json_ json_t *seen = json_object();
    json_array_foreach((json_t *)items, i, item) {
        _cleanup_free_ char *step = shape_item_step(list, item);
        if (!step) {
            complain_keyless(c, list, i, item);
            continue;
        }
        if (json_object_get(seen, step))
            complain_double(c, step);
        json_object_set_new(seen, step, json_true());
        fieldset_print_step(step, &c->path);
        check(c, list->sub, item);
        buf_cut(&c->path, len);
    }
}

/* Lists that are one value still hold objects of tables. */
static void check_leaf(struct check *c, const struct field *f, const json_t *value)
{
    size_t i, len = c->path.len;
    json_t *item;
    if (!f)
        return;
    if (json_is_object(value) && (f->type == F_OBJECT || f->type == F_MAP))
        check_members(c, f, value);
    if (f->type != F_LIST)
        return;
    json_array_foreach((json_t *)value, i, item) {
        buf_addf(&c->path, "[%zu]", i);
        check(c, f->sub, item);
        buf_cut(&c->path, len);
    }
}

static void check(struct check *c, const struct field *f, const json_t *value)
{
    switch (field_shape(f, value)) {
    case SHAPE_ITEMS:
        check_items(c, f, value);
        break;
    case SHAPE_MAP:
        check_members(c, f, value);
        break;
    default:
        check_leaf(c, f, value);
    }
}

char *fields_check(const struct kind *k, const json_t *doc)
{
    struct check c = {.path = BUF_INIT(0), .text = BUF_INIT(0)};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)doc, name, value) {
        const struct field *f = schema_member(k->fields, name);
        buf_addf(&c.path, ".%s", name);
        if (f)
            check(&c, f, value);
        else if (!streq(name, "apiVersion") && !streq(name, "kind"))
            complain(&c, "field not declared in schema%s", "");
        buf_cut(&c.path, 0);
    }
    buf_done(&c.path);
    _cleanup_free_ char *all = c.n ? buf_take(&c.text) : NULL;
    buf_done(&c.text);
    if (!all)
        return NULL;
    return c.n == 1 ? xstrdup(all + strlen("\n  ")) : xasprintf("errors:%s", all);
}
