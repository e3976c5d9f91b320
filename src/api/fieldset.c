/* See fieldset.h. Form: KEP-555 and structured-merge-diff's fieldpath/serialize.go. */
#include "api/fieldset.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "json/json.h"

#define SELF "." /* this node belongs to the set, though something below it does as well */

/* --- algebra --- */

enum operation { UNION, MINUS, COMMON };

bool fieldset_is_member(const json_t *node)
{
    return node && (!json_object_size(node) || json_object_get(node, SELF));
}

static bool holds(enum operation op, bool in_a, bool in_b)
{
    switch (op) {
    case UNION:
        return in_a || in_b;
    case MINUS:
        return in_a && !in_b;
    default:
        return in_a && in_b;
    }
}

static json_t *combine_nodes(enum operation op, const json_t *a, const json_t *b);

static void combine_below(enum operation op, const json_t *a, const json_t *b, json_t *out)
{
    const char *step;
    json_t *node;
    json_object_foreach((json_t *)a, step, node) {
        json_t *both = streq(step, SELF) ? NULL : combine_nodes(op, node, json_object_get(b, step));
        if (both)
            json_object_set_new(out, step, both);
    }
    if (op != UNION)
        return;
    json_object_foreach((json_t *)b, step, node)
        if (!streq(step, SELF) && !json_object_get(a, step))
            json_object_set(out, step, node);
}

/* NULL: neither the node nor anything below it. */
static json_t *combine_nodes(enum operation op, const json_t *a, const json_t *b)
{
    if (!b)
        return op == COMMON ? NULL : json_incref((json_t *)a);
    bool self = holds(op, fieldset_is_member(a), fieldset_is_member(b));
    json_t *out = json_object();
    if (self)
        json_object_set_new(out, SELF, json_object());
    combine_below(op, a, b, out);
    if (self && json_object_size(out) == 1)
        json_object_clear(out);
    else if (!json_object_size(out))
        json_decref(TAKE(out));
    return out;
}

static json_t *combine(enum operation op, const json_t *a, const json_t *b)
{
    json_t *out = json_object();
    combine_below(op, a, b, out);
    return out;
}

json_t *fieldset_union(const json_t *a, const json_t *b)
{
    return combine(UNION, a, b);
}

json_t *fieldset_minus(const json_t *a, const json_t *b)
{
    return combine(MINUS, a, b);
}

json_t *fieldset_common(const json_t *a, const json_t *b)
{
    return combine(COMMON, a, b);
}

bool fieldset_is_empty(const json_t *set)
{
    return !json_object_size(set);
}

/* --- from outside --- */

/* A step as we write it, so that equal ones are equal texts; NULL when it is none. The caller frees. */
static char *canonical_step(const char *step)
{
    struct err err;
    int64_t index;
    if (str_after(step, "f:"))
        return xstrdup(step);
    if (str_after(step, "i:"))
        return str_to_i64(step + 2, 0, INT32_MAX, &index) ? xasprintf("i:%lld", (long long)index) : NULL;
    bool keys = str_after(step, "k:");
    if (!keys && !str_after(step, "v:"))
        return NULL;
    _cleanup_json_ json_t *value = jparse(step + 2, strlen(step + 2), &err);
    if (!value || (keys && !json_object_size(value)))
        return NULL;
    _cleanup_free_ char *text = jprint_sorted(value);
    return xasprintf("%.2s%s", step, text);
}

static json_t *parse_node(const json_t *node)
{
    const char *step;
    json_t *below;
    if (!json_is_object(node))
        return NULL;
    json_t *out = json_object();
    json_object_foreach((json_t *)node, step, below) {
        bool self = streq(step, SELF);
        _cleanup_free_ char *canonical = self ? xstrdup(SELF) : canonical_step(step);
        json_t *parsed = canonical ? self ? json_object() : parse_node(below) : NULL;
        if (!parsed) {
            json_decref(out);
            return NULL;
        }
        json_object_set_new(out, canonical, parsed);
    }
    if (json_object_size(out) == 1 && json_object_get(out, SELF))
        json_object_clear(out);
    return out;
}

json_t *fieldset_parse(const json_t *fields_v1)
{
    if (json_object_get(fields_v1, SELF))
        return NULL;
    return parse_node(fields_v1);
}

/* --- paths --- */

void fieldset_print_step(const char *step, struct buf *out)
{
    struct err err;
    const char *rest = step + 2, *name;
    json_t *value;
    size_t n = 0;
    if (*step == 'f' || *step == 'i') {
        buf_addf(out, *step == 'f' ? ".%s" : "[%s]", rest);
        return;
    }
    if (*step == 'v') {
        buf_addf(out, "[=%s]", rest);
        return;
    }
    _cleanup_json_ json_t *keys = jparse(rest, strlen(rest), &err);
    json_object_foreach(keys, name, value) {
        _cleanup_free_ char *text = jprint(value);
        buf_addf(out, "%s%s=%s", n++ ? "," : "[", name, text);
    }
    buf_addc(out, ']');
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void each_below(const json_t *node, struct buf *path, void (*visit)(void *arg, const char *path), void *arg)
{
    size_t n = 0, len = path->len;
    const char *step, **steps = xcalloc(json_object_size(node) + 1, sizeof(*steps));
    json_t *below;
    json_object_foreach((json_t *)node, step, below)
        if (!streq(step, SELF))
            steps[n++] = step;
    qsort(steps, n, sizeof(*steps), by_text);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < n; i++) {
            below = json_object_get(node, steps[i]);
            fieldset_print_step(steps[i], path);
            if (pass == 0 && fieldset_is_member(below))
                visit(arg, buf_str(path));
            else if (pass == 1)
                each_below(below, path, visit, arg);
            buf_cut(path, len);
        }
    free(steps);
}

void fieldset_each(const json_t *set, void (*visit)(void *arg, const char *path), void *arg)
{
    struct buf path = BUF_INIT(0);
    each_below(set, &path, visit, arg);
    buf_done(&path);
}
