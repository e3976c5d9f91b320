/* The rules of a schema over a document. See customexpr.h; words and order: validation.go there. */
#include "kinds/customexpr.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/customexpr_impl.h"

#define PATH_MAX_BYTES (16 * 1024)
#define MESSAGE_MAX (5 * 1024) /* upstream's limit on what a messageExpression says */

struct checking {
    struct status_causes *causes;
    struct buf path;
    struct cel_run run;
    bool over; /* no further rule is evaluated */
};

static void check(struct checking *c, const struct custom_place *p, const json_t *v, const json_t *old);

/* --- saying what is wrong --- */

static const char *trimmed(struct checking *c, const char *s, size_t len)
{
    static const char blanks[] = " \t\r\n";
    while (len && strchr(blanks, *s)) {
        s++;
        len--;
    }
    while (len && strchr(blanks, s[len - 1]))
        len--;
    return cel_alloc_text(&c->run.arena, s, len);
}

static void complain(struct checking *c, const struct custom_place *p, enum cause_type type, const char *sub_path,
                     const char *why)
{
    _cleanup_json_ json_t *value = json_string(jstr_or(p->schema, "type", ""));
    size_t len = c->path.len;
    buf_adds(&c->path, len || !*sub_path ? sub_path : sub_path + (*sub_path == '.'));
    causes_add(c->causes, type, c->path.len ? buf_str(&c->path) : "<nil>",
               type == CAUSE_FORBIDDEN || type == CAUSE_REQUIRED ? NULL : value, "%s", why);
    buf_cut(&c->path, len);
}

/* What a messageExpression says; NULL: nothing that can be used. */
static const char *said(struct checking *c, const struct custom_rule *r, const struct cel_value *values)
{
    if (!r->message)
        return NULL;
    struct cel_value v = cel_eval(r->message, values, &c->run);
    if (v.kind != CEL_STRING)
        return NULL;
    const char *text = trimmed(c, v.text.s, v.text.len);
    return *text && strlen(text) <= MESSAGE_MAX && !strpbrk(text, "\r\n") ? text : NULL;
}

static const char *rule_text(struct checking *c, const struct custom_rule *r)
{
    const char *message = jstr_or(r->json, "message", ""), *rule = jstr_or(r->json, "rule", "");
    return *message ? trimmed(c, message, strlen(message)) : trimmed(c, rule, strlen(rule));
}

static void complain_failed(struct checking *c, const struct custom_place *p, const struct custom_rule *r,
                            const struct cel_value *values)
{
    static const struct {
        const char *reason;
        enum cause_type type;
    } types[] = {{"FieldValueForbidden", CAUSE_FORBIDDEN},
                 {"FieldValueRequired", CAUSE_REQUIRED},
                 {"FieldValueDuplicate", CAUSE_DUPLICATE}};
    enum cause_type type = CAUSE_INVALID;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (streq(jstr_or(r->json, "reason", ""), types[i].reason))
            type = types[i].type;
    const char *text = said(c, r, values), *path = jstr_or(r->json, "fieldPath", "");
    _cleanup_free_ char *otherwise =
        xasprintf("%s%s", *jstr_or(r->json, "message", "") ? "" : "failed rule: ", rule_text(c, r));
    complain(c, p, type, path, text ? text : otherwise);
}

static void complain_error(struct checking *c, const struct custom_place *p, const struct custom_rule *r,
                           struct cel_value error)
{
    const char *what = trimmed(c, error.text.s, error.text.len), *rule = rule_text(c, r);
    _cleanup_free_ char *why = NULL;
    if (streq(what, CEL_COST_EXCEEDED)) {
        c->over = true;
        why =
            c->run.budget < 0
                ? xstrdup(
                      "validation failed due to running out of cost budget, no further validation rules will be run")
                : xasprintf("'%s': no further validation rules will be run due to call cost exceeds limit for rule: %s",
                            what, rule);
    } else if (str_after(what, "no such overload")) {
        why = xasprintf("'%s': call arguments did not match a supported operator, function or macro signature for "
                        "rule: %s",
                        what, rule);
    } else {
        why = xasprintf("%s evaluating rule: %s", what, rule);
    }
    complain(c, p, CAUSE_INVALID, "", why);
}

/* --- one rule --- */

static struct cel_value old_value(struct checking *c, const struct custom_place *p, const struct custom_rule *r,
                                  const json_t *old)
{
    struct cel_value v = cel_from_json(old, p->type, &c->run.arena);
    if (!r->optional_old)
        return v;
    struct cel_value *held = cel_alloc(&c->run.arena, 1, sizeof(*held));
    *held = v;
    return (struct cel_value){.kind = CEL_OPTIONAL, .held = old ? held : NULL};
}

static void check_rule(struct checking *c, const struct custom_place *p, const struct custom_rule *r, const json_t *v,
                       const json_t *old)
{
    if (!r->rule || (r->transition && !old && !r->optional_old))
        return;
    struct cel_value values[VARIABLES] = {
        [VARIABLE_SELF] = cel_from_json(v, p->type, &c->run.arena), [VARIABLE_OLD_SELF] = old_value(c, p, r, old)};
    struct cel_value result = cel_eval(r->rule, values, &c->run);
    if (result.kind == CEL_ERROR)
        complain_error(c, p, r, result);
    else if (!cel_is_true(result) && (r->transition || !old || !json_equal(v, old)))
        complain_failed(c, p, r, values); /* what was wrong before and is as it was may stay (KEP-4008) */
    cel_arena_done(&c->run.arena);        /* so all rules together need no more memory than one */
}

/* --- places --- */

static size_t step(struct checking *c, const char *fmt, const char *name)
{
    size_t len = c->path.len;
    buf_addf(&c->path, fmt, name);
    return len;
}

static void check_members(struct checking *c, const struct custom_place *p, const json_t *v, const json_t *old)
{
    const json_t *properties = json_object_get(p->schema, "properties");
    bool atomic = streq(jstr_or(p->schema, "x-kubernetes-map-type", ""), "atomic");
    const char *name;
    json_t *member;
    for (size_t i = 0; i < p->n_members; i++) {
        size_t len = step(c, c->path.len ? ".%s" : "%s", p->names[i]);
        check(c, p->members[i], json_object_get(v, p->names[i]), atomic ? NULL : json_object_get(old, p->names[i]));
        buf_cut(&c->path, len);
    }
    if (!p->others)
        return;
    json_object_foreach((json_t *)v, name, member) {
        if (json_object_get(properties, name))
            continue;
        size_t len = step(c, "[%s]", name);
        check(c, p->others, member, atomic ? NULL : json_object_get(old, name));
        buf_cut(&c->path, len);
    }
}

/* The item before with the same keys. */
static const json_t *counterpart(const struct custom_place *list, const json_t *item, const json_t *old)
{
    const json_t *keys = json_object_get(list->schema, "x-kubernetes-list-map-keys");
    size_t i, k;
    json_t *before, *key;
    if (!streq(jstr_or(list->schema, "x-kubernetes-list-type", ""), "map"))
        return NULL;
    json_array_foreach((json_t *)old, i, before) {
        bool same = true;
        json_array_foreach((json_t *)keys, k, key) {
            const json_t *a = json_object_get(item, json_string_value(key));
            const json_t *b = json_object_get(before, json_string_value(key));
            same = same && (a && b ? json_equal(a, b) : a == b);
        }
        if (same)
            return before;
    }
    return NULL;
}

static void check_items(struct checking *c, const struct custom_place *p, const json_t *v, const json_t *old)
{
    size_t i, len = c->path.len;
    json_t *item;
    if (!p->items)
        return;
    json_array_foreach((json_t *)v, i, item) {
        buf_addf(&c->path, "[%zu]", i);
        check(c, p->items, item, counterpart(p, item, old));
        buf_cut(&c->path, len);
    }
}

static void check(struct checking *c, const struct custom_place *p, const json_t *v, const json_t *old)
{
    if (!v || json_is_null(v))
        return;
    if (json_is_null(old))
        old = NULL;
    for (size_t i = 0; i < p->n_rules && !c->over; i++)
        check_rule(c, p, &p->rules[i], v, old);
    if (c->over)
        return;
    if (json_is_object(v))
        check_members(c, p, v, json_is_object(old) ? old : NULL);
    else if (json_is_array(v))
        check_items(c, p, v, json_is_array(old) ? old : NULL);
}

void custom_expressions_check(const struct custom_expressions *x, const json_t *doc, const json_t *old,
                              struct status_causes *causes)
{
    struct checking c = {.causes = causes, .path = BUF_INIT(PATH_MAX_BYTES)};
    if (!x || !x->root)
        return;
    cel_run_init(&c.run, CEL_COST_MAX);
    check(&c, x->root, doc, old);
    cel_run_done(&c.run);
    buf_done(&c.path);
}
