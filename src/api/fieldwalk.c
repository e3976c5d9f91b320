/* See fieldwalk.h. Here: which fields a document sets, and which ones differ between two. */
#include "api/fieldwalk.h"

#include "api/fieldshape.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/fields.h"

/* --- building sets --- */

/* Puts a node below *set, which is made when it is the first. */
static void add_node(json_t **set, const char *step, json_t *node_new)
{
    if (!node_new)
        return;
    if (!*set)
        *set = json_object();
    json_object_set_new(*set, step, node_new);
}

static json_t *leaf(void)
{
    return json_object();
}

/* The node itself becomes a member. */
static json_t *with_self(json_t *node)
{
    if (!node)
        return leaf();
    if (json_object_size(node))
        json_object_set_new(node, ".", json_object());
    return node;
}

/* What nobody owns (fieldmanager/stripmeta.go upstream): it says what the object is, or is the server's. The set was
 * just made and is nobody else's. */
static json_t *without_identity(json_t *set)
{
    static const char *const identity[] = {"f:name", "f:namespace",  "f:creationTimestamp", "f:selfLink",
                                           "f:uid",  "f:generation", "f:managedFields",     "f:resourceVersion"};
    json_t *metadata = json_object_get(set, "f:metadata");
    json_object_del(set, "f:apiVersion");
    json_object_del(set, "f:kind");
    for (size_t i = 0; i < ARRAY_LEN(identity); i++)
        json_object_del(metadata, identity[i]);
    json_object_del(metadata, ".");
    if (!json_object_size(metadata))
        json_object_del(set, "f:metadata");
    return set ? set : json_object();
}

/* --- of one document --- */

static json_t *node_of(const struct field *f, const json_t *value);

static json_t *node_of_items(const struct field *list, const json_t *items)
{
    json_t *node = NULL, *item;
    const char *step;
    _cleanup_json_ json_t *index = shape_index(list, items);
    if (!index)
        return leaf();
    json_object_foreach(index, step, item)
        add_node(&node, step, with_self(*list->list_keys ? node_of(list->sub, item) : NULL));
    return node;
}

static json_t *node_of_members(const struct field *f, const json_t *map)
{
    json_t *node = NULL, *value;
    const char *name;
    json_object_foreach((json_t *)map, name, value) {
        _cleanup_free_ char *step = shape_member_step(name);
        json_t *below = node_of(shape_member(f, name), value);
        add_node(&node, step, shape_is_named(f, name) ? below : with_self(below));
    }
    return node;
}

/* Templates have metadata even where nobody has said a word of it; who owned it as a whole would take away, by not
 * repeating it, what the server has put in. */
static bool is_bare_metadata(const struct field *f, const json_t *value)
{
    return f && f->sub == meta_fields && json_is_object(value) && !json_object_size(value);
}

/* NULL: a list without items, or bare metadata, of which nothing can be owned. */
static json_t *node_of(const struct field *f, const json_t *value)
{
    if (is_bare_metadata(f, value))
        return NULL;
    switch (field_shape(f, value)) {
    case SHAPE_ITEMS:
        return node_of_items(f, value);
    case SHAPE_MAP:
        return json_object_size(value) ? node_of_members(f, value) : leaf();
    default:
        return leaf();
    }
}

json_t *fields_of(const struct kind *k, const json_t *doc)
{
    const struct field root = shape_root(k);
    return without_identity(node_of_members(&root, doc));
}

/* --- of two --- */

static struct field_changes compare(const struct field *f, bool named, const json_t *a, const json_t *b);

static void compare_part(const struct field *f, bool named, const char *step, const json_t *a, const json_t *b,
                         struct field_changes *all)
{
    struct field_changes one = compare(f, named, a, b);
    add_node(&all->set, step, one.set);
    add_node(&all->removed, step, one.removed);
}

static void compare_members(const struct field *f, const json_t *a, const json_t *b, struct field_changes *all)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)b, name, value) {
        const json_t *before = json_object_get(a, name);
        if (before && json_equal(before, value))
            continue;
        _cleanup_free_ char *step = shape_member_step(name);
        compare_part(shape_member(f, name), shape_is_named(f, name), step, before, value, all);
    }
    json_object_foreach((json_t *)a, name, value) {
        if (json_object_get(b, name))
            continue;
        _cleanup_free_ char *step = shape_member_step(name);
        compare_part(shape_member(f, name), shape_is_named(f, name), step, value, NULL, all);
    }
}

/* False: one of the lists is no list of parts. */
static bool compare_items(const struct field *list, const json_t *a, const json_t *b, struct field_changes *all)
{
    _cleanup_json_ json_t *before = shape_index(list, a), *after = shape_index(list, b);
    const char *step;
    json_t *item;
    if (!before || !after)
        return false;
    json_object_foreach(after, step, item)
        compare_part(list->sub, false, step, json_object_get(before, step), item, all);
    json_object_foreach(before, step, item)
        if (!json_object_get(after, step))
            compare_part(list->sub, false, step, item, NULL, all);
    return true;
}

static size_t members(const json_t *value)
{
    return json_is_array(value) ? json_array_size(value) : json_object_size(value);
}

/* Into the parts; false: the value is one. Two that are empty are one value, so that null and empty differ. */
static bool compare_parts(const struct field *f, const json_t *a, const json_t *b, struct field_changes *all)
{
    enum field_shape shape = field_shape(f, b ? b : a);
    if (shape == SHAPE_LEAF || (a && field_shape(f, a) != shape) || !(members(a) || members(b)))
        return false;
    if (shape == SHAPE_ITEMS)
        return compare_items(f, a, b, all);
    compare_members(f, a, b, all);
    return true;
}

/* One of a and b may be NULL. What holds the parts is added and removed with them; named objects are always there, as
 * they are in Go. */
static struct field_changes compare(const struct field *f, bool named, const json_t *a, const json_t *b)
{
    struct field_changes c = {0};
    if (a && b ? json_equal(a, b) : is_bare_metadata(f, b ? b : a))
        return c;
    bool parts = compare_parts(f, a, b, &c);
    bool always_there = named && parts && (f->type == F_OBJECT || f->flags & REQ);
    if (!b)
        c.removed = with_self(c.removed);
    else if (!parts || (!a && !always_there))
        c.set = with_self(c.set);
    return c;
}

struct field_changes fields_compare(const struct kind *k, const json_t *a, const json_t *b)
{
    const struct field root = shape_root(k);
    struct field_changes c = {0};
    compare_members(&root, a, b, &c);
    c.set = without_identity(c.set);
    c.removed = without_identity(c.removed);
    return c;
}

void field_changes_done(struct field_changes *c)
{
    json_decref(TAKE(c->set));
    json_decref(TAKE(c->removed));
}

/* --- parents --- */

/* The description of what a step leads to. */
static const struct field *step_field(const struct field *f, const char *step)
{
    if (*step == 'f')
        return shape_member(f, step + 2);
    return f && f->type == F_LIST ? f->sub : NULL;
}

static json_t *node_with_parents(const struct field *f, const json_t *node)
{
    json_t *out = json_object(), *below;
    const char *step;
    json_object_foreach((json_t *)node, step, below) {
        if (!json_object_size(below)) {
            json_object_set(out, step, below);
            continue;
        }
        json_t *full = node_with_parents(step_field(f, step), below);
        bool named = *step == 'f' && shape_is_named(f, step + 2);
        json_object_set_new(out, step, named ? with_self(full) : full);
    }
    return out;
}

json_t *fields_with_parents(const struct kind *k, const json_t *set)
{
    const struct field root = shape_root(k);
    return node_with_parents(&root, set);
}
