/* See strategic.h. The table says which lists merge and by which key; directives in the patch say the rest:
 *     $patch: replace|delete            the map, or the list that the item is in
 *     $retainKeys: [names]              of the map's members, only these stay
 *     $deleteFromPrimitiveList/F: [v]   values to take out of the list F
 *     $setElementOrder/F: [keys]        the order of the list F; items unknown to it keep their place as well as can be
 * What the table does not know is merged as in a plain merge patch. */
#include "api/strategic.h"

#include <string.h>

#include "api/schema.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"

#define DELETE_FROM "$deleteFromPrimitiveList/"
#define ORDER_OF "$setElementOrder/"

static json_t *merge_map(const struct field *fields, const json_t *doc, const json_t *patch, struct err *err);

static bool is_directive(const char *key)
{
    return streq(key, "$patch") || streq(key, "$retainKeys") || str_after(key, DELETE_FROM) || str_after(key, ORDER_OF);
}

static const struct field *members_of(const struct field *f)
{
    return f && f->type == F_OBJECT ? f->sub : NULL;
}

/* The description of a map's member: a row by name, or the one row of all values. */
static const struct field *describe(const struct field *fields, const char *name)
{
    if (!fields)
        return NULL;
    return fields->name ? schema_member(fields, name) : fields;
}

/* The table to walk a map-like value with. */
static const struct field *table_of(const struct field *f)
{
    return f && (f->type == F_OBJECT || f->type == F_MAP) ? f->sub : NULL;
}

/* ---- identity of items ---- */

/* Text that is equal for items that are the same for a merge; NULL when the item lacks the key. The caller frees. */
static char *item_id(const char *merge_key, const json_t *item)
{
    const json_t *v = *merge_key ? json_object_get(item, merge_key) : item;
    return v ? jprint_sorted(v) : NULL;
}

/* id -> index + 1 of the first item with it. */
static void index_items(const char *merge_key, const json_t *list, struct map *ret)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item) {
        _cleanup_free_ char *id = item_id(merge_key, item);
        if (id && !map_get(ret, id))
            map_put(ret, id, (void *)(i + 1));
    }
}

/* Where an item of that id is in the indexed list; -1: nowhere. */
static ssize_t index_of(const struct map *index, const char *merge_key, const json_t *item)
{
    _cleanup_free_ char *id = item_id(merge_key, item);
    return id ? (ssize_t)(size_t)map_get(index, id) - 1 : -1;
}

/* ---- order ---- */

struct placed {
    json_t *item; /* borrowed */
    ssize_t old, wanted;
};

static int by_wanted(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return x->wanted < y->wanted ? -1 : x->wanted > y->wanted;
}

/* Merges the items that `order` names, in its order, with the others, which keep the order they had: one of those comes
 * first where it stood before its neighbour in the old list. */
static json_t *order_items(const char *merge_key, const json_t *items, const json_t *old_list, const json_t *order)
{
    size_t n = json_array_size(items), n_named = 0, n_others = 0, i;
    struct placed *named = xcalloc(n + 1, sizeof(*named)), *others = xcalloc(n + 1, sizeof(*others));
    struct map old = {0}, wanted = {0};
    json_t *item, *merged = json_array();
    index_items(merge_key, old_list, &old);
    index_items(merge_key, order, &wanted);
    json_array_foreach((json_t *)items, i, item) {
        struct placed p = {item, index_of(&old, merge_key, item), index_of(&wanted, merge_key, item)};
        if (p.wanted >= 0)
            named[n_named++] = p;
        else
            others[n_others++] = p;
    }
    qsort(named, n_named, sizeof(*named), by_wanted);
    for (size_t a = 0, b = 0; a < n_others || b < n_named;) {
        bool other_first =
            b == n_named || (a < n_others && others[a].old >= 0 && named[b].old >= 0 && others[a].old < named[b].old);
        json_array_append(merged, a < n_others && other_first ? others[a++].item : named[b++].item);
    }
    map_done(&old);
    map_done(&wanted);
    free(named);
    free(others);
    return merged;
}

/* ---- values that come without a counterpart ---- */

/* A copy without directives and nulls; NULL when a directive deletes the value itself. */
static json_t *plain_copy(const json_t *v)
{
    const char *key;
    size_t i;
    json_t *item;
    if (json_is_object(v)) {
        if (streq(jstr_or(v, "$patch", ""), "delete"))
            return NULL;
        json_t *o = json_object();
        json_object_foreach((json_t *)v, key, item) {
            json_t *copy = is_directive(key) || json_is_null(item) ? NULL : plain_copy(item);
            if (copy)
                json_object_set_new(o, key, copy);
        }
        return o;
    }
    if (!json_is_array(v))
        return jcopy(v);
    json_t *list = json_array();
    json_array_foreach((json_t *)v, i, item) {
        bool only_directive = json_is_object(item) && json_object_size(item) == 1 && json_object_get(item, "$patch");
        json_t *copy = only_directive ? NULL : plain_copy(item);
        if (copy)
            json_array_append_new(list, copy);
    }
    return list;
}

/* ---- lists ---- */

/* Items that the patch deletes or that ask to replace the list; -1 on directives that do not exist. */
static int read_item_directives(const char *merge_key, const json_t *patch, struct map *ret_deleted, bool *ret_replace,
                                struct err *err)
{
    size_t i;
    json_t *item;
    *ret_replace = false;
    json_array_foreach((json_t *)patch, i, item) {
        const json_t *directive = json_object_get(item, "$patch");
        const char *what = str_or(json_string_value(directive), "");
        if (!directive)
            continue;
        if (streq(what, "replace")) {
            *ret_replace = true;
        } else if (streq(what, "delete")) {
            _cleanup_free_ char *id = item_id(merge_key, item);
            if (!id)
                return err_set(err, 0, "delete patch type with no merge key defined");
            map_put(ret_deleted, id, item);
        } else if (streq(what, "merge")) {
            return err_set(err, 0, "merging lists cannot yet be specified in the patch");
        } else {
            return err_set(err, 0, "unknown patch type: %s", what);
        }
    }
    return 0;
}

static bool is_in(const struct map *ids, const char *merge_key, const json_t *item)
{
    _cleanup_free_ char *id = item_id(merge_key, item);
    return id && map_get(ids, id);
}

/* Puts one item of the patch into `merged`: over the item with its key, else at the end. */
static int merge_item(const struct field *list, const struct map *index, const json_t *item, json_t *merged,
                      struct err *err)
{
    ssize_t at = index_of(index, list->merge_key, item);
    if (!*list->merge_key) {
        if (at < 0)
            json_array_append(merged, (json_t *)item);
        return 0;
    }
    if (!json_is_object(item) || !json_object_get(item, list->merge_key)) {
        _cleanup_free_ char *text = jprint(item);
        return err_set(err, 0, "map: %s does not contain declared merge key: %s", text, list->merge_key);
    }
    if (at < 0) {
        json_array_append_new(merged, plain_copy(item));
        return 0;
    }
    json_t *better = merge_map(members_of(list->sub), json_array_get(merged, (size_t)at), item, err);
    return better ? json_array_set_new(merged, (size_t)at, better) : -1;
}

/* The items of the patch that are values, not directives. */
static json_t *value_items(const json_t *patch)
{
    size_t i;
    json_t *item, *values = json_array();
    json_array_foreach((json_t *)patch, i, item)
        if (!json_object_get(item, "$patch"))
            json_array_append(values, item);
    return values;
}

static json_t *merge_items(const struct field *list, const json_t *doc, const json_t *values, const struct map *deleted,
                           struct err *err)
{
    size_t i;
    json_t *item, *merged = json_array();
    json_array_foreach((json_t *)doc, i, item)
        if (!is_in(deleted, list->merge_key, item))
            json_array_append(merged, item);
    struct map index = {0};
    index_items(list->merge_key, merged, &index);
    json_array_foreach((json_t *)values, i, item) {
        if (merge_item(list, &index, item, merged, err) < 0) {
            json_decref(merged);
            merged = NULL;
            break;
        }
        _cleanup_free_ char *id = item_id(list->merge_key, item);
        if (!map_get(&index, id))
            map_put(&index, id, (void *)json_array_size(merged));
    }
    map_done(&index);
    return merged;
}

/* A list that the table merges, without regard to $setElementOrder. */
static json_t *merge_list(const struct field *list, const json_t *doc, const json_t *patch, struct err *err)
{
    struct map deleted = {0};
    bool replace;
    json_t *merged = NULL;
    _cleanup_json_ json_t *values = value_items(patch);
    if (read_item_directives(list->merge_key, patch, &deleted, &replace, err) == 0)
        merged = replace ? plain_copy(values) : merge_items(list, doc, values, &deleted, err);
    map_done(&deleted);
    if (!merged || replace)
        return merged;
    json_t *ordered = order_items(list->merge_key, merged, doc, values);
    json_decref(merged);
    return ordered;
}

static json_t *without_values(const json_t *list, const json_t *values)
{
    size_t i;
    json_t *item, *rest = json_array();
    struct map gone = {0};
    index_items("", values, &gone);
    json_array_foreach((json_t *)list, i, item)
        if (index_of(&gone, "", item) < 0)
            json_array_append(rest, item);
    map_done(&gone);
    return rest;
}

/* ---- maps ---- */

static json_t *merge_value(const struct field *f, const json_t *doc, const json_t *patch, struct err *err)
{
    if (json_is_object(patch) && json_is_object(doc) && !(f && f->flags & REPLACE))
        return merge_map(table_of(f), doc, patch, err);
    if (json_is_array(patch) && json_is_array(doc) && f && f->type == F_LIST && f->merge_key)
        return merge_list(f, doc, patch, err);
    json_t *copy = plain_copy(patch);
    return copy ? copy : json_null();
}

static int merge_member(const struct field *fields, json_t *merged, const char *key, const json_t *patch,
                        struct err *err)
{
    json_t *v = json_is_null(patch) ? json_null()
                                    : merge_value(describe(fields, key), json_object_get(merged, key), patch, err);
    if (!v)
        return -1;
    if (!json_is_null(v))
        return json_object_set_new(merged, key, v);
    json_decref(v);
    json_object_del(merged, key);
    return 0;
}

/* The order names all items of the patch, in the patch's order. */
static int check_order(const char *member, const char *merge_key, const json_t *patch, const json_t *order,
                       struct err *err)
{
    size_t i;
    json_t *item;
    ssize_t last = -1;
    int r = 0;
    struct map wanted = {0};
    index_items(merge_key, order, &wanted);
    json_array_foreach((json_t *)patch, i, item) {
        if (json_object_get(item, "$patch"))
            continue;
        ssize_t at = index_of(&wanted, merge_key, item);
        if (at < last || at < 0)
            r = err_set(err, 0, "The order in patch list: %s doesn't match " ORDER_OF "%s list", member, member);
        last = at;
    }
    map_done(&wanted);
    return r;
}

/* After the member itself was merged. */
static int apply_order(const struct field *fields, json_t *merged, const json_t *old, const json_t *patch,
                       const char *member, const json_t *order, struct err *err)
{
    const struct field *list = describe(fields, member);
    const json_t *items = json_object_get(merged, member);
    if (!json_is_array(order))
        return err_set(err, 0, ORDER_OF "%s is not a list", member);
    if (!list || list->type != F_LIST || !list->merge_key || !json_is_array(items))
        return 0;
    if (check_order(member, list->merge_key, json_object_get(patch, member), order, err) < 0)
        return -1;
    return json_object_set_new(merged, member,
                               order_items(list->merge_key, items, json_object_get(old, member), order));
}

static int retain_keys(json_t *merged, const json_t *patch, const json_t *names, struct err *err)
{
    const char *key;
    json_t *v;
    void *tmp;
    struct map kept = {0};
    int r = 0;
    if (!json_is_array(names))
        return err_set(err, 0, "$retainKeys is not a list");
    index_items("", names, &kept);
    json_object_foreach((json_t *)patch, key, v) {
        _cleanup_json_ json_t *name = json_string(key);
        if (!is_directive(key) && !json_is_null(v) && index_of(&kept, "", name) < 0)
            r = err_set(err, 0, "invalid patch format of retainKeys: %s is not among them", key);
    }
    json_object_foreach_safe(merged, tmp, key, v)
    {
        _cleanup_json_ json_t *name = json_string(key);
        if (index_of(&kept, "", name) < 0)
            json_object_del(merged, key);
    }
    map_done(&kept);
    return r;
}

static int apply_directive(const struct field *fields, json_t *merged, const json_t *old, const json_t *patch,
                           const char *key, const json_t *v, struct err *err)
{
    const char *deleted_from = str_after(key, DELETE_FROM), *ordered = str_after(key, ORDER_OF);
    if (ordered)
        return apply_order(fields, merged, old, patch, ordered, v, err);
    if (!deleted_from)
        return 0; /* $retainKeys is done before the merge */
    if (!json_is_array(v))
        return err_set(err, 0, DELETE_FROM "%s is not a list", deleted_from);
    if (json_is_array(json_object_get(merged, deleted_from)))
        json_object_set_new(merged, deleted_from, without_values(json_object_get(merged, deleted_from), v));
    return 0;
}

static int merge_members(const struct field *fields, json_t *merged, const json_t *doc, const json_t *patch,
                         struct err *err)
{
    const char *key;
    json_t *v, *retained = json_object_get(patch, "$retainKeys");
    if (retained && retain_keys(merged, patch, retained, err) < 0)
        return -1;
    json_object_foreach((json_t *)patch, key, v)
        if (!is_directive(key) && merge_member(fields, merged, key, v, err) < 0)
            return -1;
    json_object_foreach((json_t *)patch, key, v)
        if (is_directive(key) && apply_directive(fields, merged, doc, patch, key, v, err) < 0)
            return -1;
    return 0;
}

/* `fields` is a table of members, the one row of a map's values, or NULL where no table knows. */
static json_t *merge_map(const struct field *fields, const json_t *doc, const json_t *patch, struct err *err)
{
    const json_t *directive = json_object_get(patch, "$patch");
    const char *what = str_or(json_string_value(directive), "");
    if (streq(what, "delete"))
        return json_object();
    if (directive && !streq(what, "replace")) {
        err_set(err, 0, "unknown patch type: %s", what);
        return NULL;
    }
    if (directive) {
        _cleanup_json_ json_t *rest = json_copy((json_t *)patch);
        json_object_del(rest, "$patch");
        return plain_copy(rest);
    }
    json_t *merged = json_copy((json_t *)doc);
    if (merge_members(fields, merged, doc, patch, err) == 0)
        return merged;
    json_decref(merged);
    return NULL;
}

json_t *strategic_merge(const struct kind *k, const json_t *doc, const json_t *patch, struct err *err)
{
    if (!json_is_object(patch)) {
        err_set(err, 0, "a strategic merge patch is an object");
        return NULL;
    }
    _cleanup_json_ json_t *merged = merge_map(k->fields, doc, patch, err);
    return merged ? jcopy(merged) : NULL;
}
