/* See patch.h. JSON Patch works on a deep copy, so that a failing operation leaves nothing behind. */
#include "json/patch.h"

#include <string.h>

#include "base/str.h"

/* A patch that copies what it has just copied doubles the document each time. */
#define GROWTH_MAX (16 * 1024 * 1024) /* bytes of text that copies may add */

struct patch {
    json_t *doc;
    size_t copied;
    struct err *err;
};

/* One place in a document: the container and which of its members or items. */
struct place {
    json_t *in; /* NULL: the document itself */
    char *key;  /* of an object */
    size_t index;
};

static void place_done(struct place *p)
{
    free(p->key);
}
#define _cleanup_place_ _cleanup_(place_done)

/* "~1" is '/', "~0" is '~'. In place. */
static void unescape(char *step)
{
    char *to = step;
    for (const char *p = step; *p; p++, to++) {
        *to = *p;
        if (p[0] == '~' && (p[1] == '0' || p[1] == '1'))
            *to = *++p == '0' ? '~' : '/';
    }
    *to = '\0';
}

/* An index below `limit`; "-" is the end of the array. */
static bool read_index(const char *step, size_t limit, size_t end, size_t *ret)
{
    int64_t n;
    if (streq(step, "-")) {
        *ret = end;
        return end < limit;
    }
    if ((step[0] == '0' && step[1]) || step[0] == '-' || !str_to_i64(step, 0, (int64_t)limit - 1, &n))
        return false;
    *ret = (size_t)n;
    return true;
}

static json_t *step_into(json_t *from, const char *step)
{
    size_t i;
    if (json_is_object(from))
        return json_object_get(from, step);
    if (json_is_array(from) && read_index(step, json_array_size(from), SIZE_MAX, &i))
        return json_array_get(from, i);
    return NULL;
}

/* Finds the container that a pointer's last step is in; the step itself need not exist. `op` for the message. */
static int find_place(struct patch *p, const char *op, const char *pointer, bool adding, struct place *ret)
{
    *ret = (struct place){0};
    if (!*pointer)
        return 0;
    if (*pointer != '/')
        return err_set(p->err, 0, "%s operation does not apply: bad path: %s", op, pointer);
    size_t n;
    _cleanup_free_ char **steps = str_split(pointer + 1, '/', &n);
    json_t *at = p->doc;
    for (size_t i = 0; i < n; i++) {
        unescape(steps[i]);
        if (i + 1 < n)
            at = step_into(at, steps[i]);
    }
    size_t size = json_array_size(at);
    if (json_is_object(at))
        ret->key = xstrdup(steps[n - 1]);
    else if (!json_is_array(at))
        return err_set(p->err, 0, "%s operation does not apply: doc is missing path: \"%s\": missing value", op,
                       pointer);
    else if (!read_index(steps[n - 1], adding ? size + 1 : size, adding ? size : SIZE_MAX, &ret->index))
        return err_set(p->err, 0, "%s operation does not apply: error in index: \"%s\": invalid index referenced", op,
                       pointer);
    ret->in = at;
    return 0;
}

static json_t *value_at(const struct patch *p, const struct place *at)
{
    if (!at->in)
        return p->doc;
    return at->key ? json_object_get(at->in, at->key) : json_array_get(at->in, at->index);
}

/* Borrowed; NULL with the reason when there is nothing. */
static json_t *find_value(struct patch *p, const char *op, const char *pointer)
{
    _cleanup_place_ struct place at;
    if (find_place(p, op, pointer, false, &at) < 0)
        return NULL;
    json_t *v = value_at(p, &at);
    if (!v)
        err_set(p->err, 0, "%s operation does not apply: doc is missing key: %s: missing value", op, pointer);
    return v;
}

/* Documents nest no deeper after a patch than they may arrive. */
static int check_depth(struct patch *p, const char *op, const char *pointer, const json_t *value)
{
    int depth = 0;
    for (const char *c = pointer; *c && depth < JSON_DEPTH_MAX; c++)
        depth += *c == '/';
    if (!jdeeper_than(value, JSON_DEPTH_MAX - depth))
        return 0;
    return err_set(p->err, 0, "%s operation does not apply: more than %d levels deep", op, JSON_DEPTH_MAX);
}

static void set_document(struct patch *p, json_t *value_new)
{
    json_decref(p->doc);
    p->doc = value_new;
}

/* Takes value_new. */
static int add_value(struct patch *p, const char *op, const char *pointer, json_t *value_new)
{
    _cleanup_place_ struct place at;
    if (find_place(p, op, pointer, true, &at) < 0 || check_depth(p, op, pointer, value_new) < 0) {
        json_decref(value_new);
        return -1;
    }
    if (!at.in)
        set_document(p, value_new);
    else if (at.key)
        json_object_set_new(at.in, at.key, value_new);
    else
        json_array_insert_new(at.in, at.index, value_new);
    return 0;
}

static int remove_value(struct patch *p, const char *op, const char *pointer)
{
    _cleanup_place_ struct place at;
    if (find_place(p, op, pointer, false, &at) < 0)
        return -1;
    if (!value_at(p, &at))
        return err_set(p->err, 0, "%s operation does not apply: unable to remove nonexistent key: %s: missing value",
                       op, pointer);
    if (!at.in)
        set_document(p, json_null());
    else if (at.key)
        json_object_del(at.in, at.key);
    else
        json_array_remove(at.in, at.index);
    return 0;
}

static int replace_value(struct patch *p, const char *pointer, json_t *value)
{
    _cleanup_place_ struct place at;
    if (find_place(p, "replace", pointer, false, &at) < 0 || check_depth(p, "replace", pointer, value) < 0)
        return -1;
    if (!value_at(p, &at))
        return err_set(p->err, 0, "replace operation does not apply: doc is missing key: %s: missing value", pointer);
    if (!at.in)
        set_document(p, jcopy(value));
    else if (at.key)
        json_object_set_new(at.in, at.key, jcopy(value));
    else
        json_array_set_new(at.in, at.index, jcopy(value));
    return 0;
}

/* jansson compares 1 and 1.0 as different; RFC 6902 does not. */
static bool same_value(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

static int test_value(struct patch *p, const char *pointer, const json_t *want)
{
    _cleanup_place_ struct place at;
    if (find_place(p, "test", pointer, false, &at) < 0)
        return -1;
    const json_t *have = value_at(p, &at);
    if (same_value(have ? have : json_null(), want))
        return 0;
    return err_set(p->err, 0, "testing value %s failed: test failed", pointer);
}

/* Inside itself there would be nothing to move to. */
static bool is_below(const char *pointer, const char *above)
{
    const char *rest = str_after(pointer, above);
    return rest && *rest == '/';
}

static int move_value(struct patch *p, const char *from, const char *to)
{
    json_t *v = find_value(p, "move", from);
    if (!v)
        return -1;
    if (is_below(to, from))
        return err_set(p->err, 0, "move operation does not apply: %s is inside %s", to, from);
    json_incref(v);
    if (remove_value(p, "move", from) < 0) {
        json_decref(v);
        return -1;
    }
    return add_value(p, "move", to, v);
}

static int copy_value(struct patch *p, const char *from, const char *to)
{
    json_t *v = find_value(p, "copy", from);
    if (!v)
        return -1;
    p->copied += json_dumpb(v, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    if (p->copied > GROWTH_MAX)
        return err_set(p->err, 0, "copy operation does not apply: more than %d bytes copied", GROWTH_MAX);
    return add_value(p, "copy", to, jcopy(v));
}

static int apply_one(struct patch *p, const json_t *operation)
{
    const char *op = json_string_value(json_object_get(operation, "op"));
    const char *path = json_string_value(json_object_get(operation, "path"));
    const char *from = json_string_value(json_object_get(operation, "from"));
    json_t *value = json_object_get(operation, "value");
    if (!op || !path)
        return err_set(p->err, 0, "an operation needs an op and a path");
    bool needs_value = streq(op, "add") || streq(op, "replace") || streq(op, "test");
    bool needs_from = streq(op, "move") || streq(op, "copy");
    if (needs_value && !value)
        return err_set(p->err, 0, "%s operation needs a value", op);
    if (needs_from && !from)
        return err_set(p->err, 0, "%s operation needs a from", op);
    if (streq(op, "add"))
        return add_value(p, op, path, jcopy(value));
    if (streq(op, "remove"))
        return remove_value(p, op, path);
    if (streq(op, "replace"))
        return replace_value(p, path, value);
    if (streq(op, "test"))
        return test_value(p, path, value);
    if (streq(op, "move"))
        return move_value(p, from, path);
    if (streq(op, "copy"))
        return copy_value(p, from, path);
    return err_set(p->err, 0, "Unexpected kind: %s", op);
}

json_t *json_patch_apply(const json_t *doc, const json_t *ops, struct err *err)
{
    size_t i;
    json_t *op;
    if (!json_is_array(ops)) {
        err_set(err, 0, "a JSON patch is an array of operations");
        return NULL;
    }
    if (json_array_size(ops) > JSON_PATCH_OPS_MAX) {
        err_set(err, 0, "The allowed maximum operations in a JSON patch is %d, got %zu", JSON_PATCH_OPS_MAX,
                json_array_size(ops));
        return NULL;
    }
    struct patch p = {.doc = jcopy(doc), .err = err};
    json_array_foreach((json_t *)ops, i, op) {
        if (apply_one(&p, op) < 0) {
            json_decref(p.doc);
            return NULL;
        }
    }
    return p.doc;
}

json_t *json_merge_patch(const json_t *doc, const json_t *patch)
{
    if (!json_is_object(patch))
        return jcopy(patch);
    json_t *merged = json_is_object(doc) ? json_copy((json_t *)doc) : json_object();
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)patch, key, v) {
        if (json_is_null(v))
            json_object_del(merged, key);
        else
            json_object_set_new(merged, key, json_merge_patch(json_object_get(merged, key), v));
    }
    return merged;
}
