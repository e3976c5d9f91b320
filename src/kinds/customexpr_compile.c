/* Rules of a schema, compiled, and what is to be said about them when a definition is written. */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/customexpr_impl.h"

#define PATH_MAX_BYTES (16 * 1024)

struct compiler {
    struct custom_expressions *x;
    struct status_causes *causes;
    struct buf path;
    const char *uncorrelated; /* the list without keys we are in, as it was when that began; or NULL */
};

static struct custom_place *place_of(struct compiler *c, const json_t *schema, bool is_resource);

static size_t step(struct compiler *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static size_t step(struct compiler *c, const char *fmt, ...)
{
    size_t len = c->path.len;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&c->path, fmt, ap);
    va_end(ap);
    return len;
}

static void complain(struct compiler *c, enum cause_type type, const char *member, const json_t *value, const char *why)
{
    size_t len = step(c, ".%s", member);
    causes_add(c->causes, type, buf_str(&c->path), value, "%s", why);
    buf_cut(&c->path, len);
}

static void complain_value(struct compiler *c, const json_t *rule, const char *member, const char *why)
{
    complain(c, CAUSE_INVALID, member, json_object_get(rule, member), why);
}

/* --- one rule --- */

static struct cel_program *compile(struct compiler *c, const json_t *rule, const char *member,
                                   const struct cel_variable *variables, enum cel_kind wanted)
{
    bool is_message = wanted == CEL_STRING;
    struct err err;
    struct cel_program *p = cel_compile(jstr_or(rule, member, ""), variables, &err);
    if (!p) {
        _cleanup_free_ char *why =
            xasprintf("%scompilation failed: %s", is_message ? "messageExpression " : "", err.msg);
        complain_value(c, rule, member, why);
        return NULL;
    }
    enum cel_kind kind = cel_result_type(p)->kind;
    if (kind == wanted || kind == CEL_DYN)
        return p;
    complain_value(c, rule, member,
                   is_message ? "messageExpression must evaluate to a string"
                              : "cel expression must evaluate to a bool");
    cel_free(p);
    return NULL;
}

static bool is_blank(const char *s)
{
    return s[strspn(s, " \t\r\n")] == '\0';
}

static void check_message(struct compiler *c, const json_t *rule)
{
    const char *message = jstr(rule, "message");
    if (message && *message && is_blank(message))
        complain_value(c, rule, "message", "message must be non-empty if specified");
    else if (message && strpbrk(message, "\r\n"))
        complain_value(c, rule, "message", "message must not contain line breaks");
    else if (strpbrk(jstr_or(rule, "rule", ""), "\r\n") && !*str_or(message, ""))
        complain(c, CAUSE_REQUIRED, "message", NULL, "message must be specified if rule contains line breaks");
    const char *expression = jstr(rule, "messageExpression");
    if (expression && is_blank(expression))
        complain(c, CAUSE_REQUIRED, "messageExpression", NULL, "messageExpression must be non-empty if specified");
}

static void check_reason(struct compiler *c, const json_t *rule)
{
    static const char *const reasons[] = {"FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid",
                                          "FieldValueRequired"};
    const char *reason = jstr(rule, "reason");
    for (size_t i = 0; reason && i < ARRAY_LEN(reasons); i++)
        if (streq(reason, reasons[i]))
            return;
    if (reason)
        complain(c, CAUSE_NOT_SUPPORTED, "reason", json_object_get(rule, "reason"),
                 "supported values: \"FieldValueRequired\", \"FieldValueInvalid\", \"FieldValueForbidden\", "
                 "\"FieldValueDuplicate\"");
}

/* ".spec['a.b']": members the schema has. */
static const char *field_path_problem(const json_t *schema, const char *path)
{
    for (const char *end; *path; path = end) {
        const json_t *properties = json_object_get(schema, "properties");
        const json_t *others = json_object_get(schema, "additionalProperties");
        bool quoted = str_after(path, "['") != NULL;
        if (*path != '.' && !quoted)
            return "expected [ or .";
        path += quoted ? 2 : 1;
        size_t len = quoted ? strcspn(path, "'") : strcspn(path, ".[");
        if (!len || (quoted && !str_after(path + len, "']")))
            return "unexpected end of JSON path";
        end = path + len + (quoted ? 2 : 0);
        schema = json_object_getn(properties, path, len);
        schema = schema ? schema : json_is_object(others) ? others : NULL;
        if (!schema)
            return "does not refer to a valid field";
    }
    return NULL;
}

static void check_field_path(struct compiler *c, const json_t *schema, const json_t *rule)
{
    const char *path = jstr(rule, "fieldPath"), *why = path ? field_path_problem(schema, path) : NULL;
    if (path && is_blank(path))
        complain_value(c, rule, "fieldPath", "must be non-empty if specified");
    if (!why)
        return;
    _cleanup_free_ char *text = xasprintf("fieldPath must be a valid path: %s", why);
    complain_value(c, rule, "fieldPath", text);
}

static void check_old(struct compiler *c, const struct custom_rule *r)
{
    if (r->transition && c->uncorrelated) {
        _cleanup_free_ char *why =
            xasprintf("oldSelf cannot be used on the uncorrelatable portion of the schema within %s", c->uncorrelated);
        complain_value(c, r->json, "rule", why);
    }
    if (json_object_get(r->json, "optionalOldSelf") && r->rule && !r->transition)
        complain_value(c, r->json, "optionalOldSelf", "may not be set if oldSelf is not used in rule");
}

static void compile_rule(struct compiler *c, const struct custom_place *p, struct custom_rule *r)
{
    struct cel_type *optional = cel_alloc(&c->x->arena, 1, sizeof(*optional));
    *optional = (struct cel_type){.kind = CEL_OPTIONAL, .item = p->type};
    r->optional_old = jbool(r->json, "optionalOldSelf", false);
    const struct cel_variable variables[] = {{"self", p->type}, {"oldSelf", r->optional_old ? optional : p->type}, {0}};
    check_message(c, r->json);
    check_reason(c, r->json);
    check_field_path(c, p->schema, r->json);
    if (is_blank(jstr_or(r->json, "rule", "")))
        complain(c, CAUSE_REQUIRED, "rule", NULL, "rule is not specified");
    else
        r->rule = compile(c, r->json, "rule", variables, CEL_BOOL);
    if (!is_blank(jstr_or(r->json, "messageExpression", "")))
        r->message = compile(c, r->json, "messageExpression", variables, CEL_STRING);
    r->transition = r->rule && cel_mentions(r->rule, VARIABLE_OLD_SELF);
    check_old(c, r);
}

/* --- places --- */

static void compile_rules(struct compiler *c, struct custom_place *p, bool is_resource)
{
    json_t *rules = json_object_get(p->schema, "x-kubernetes-validations"), *rule;
    size_t i;
    if (!json_array_size(rules))
        return;
    p->type = custom_cel_type(p->schema, is_resource, &c->x->arena);
    if (!p->type) {
        complain(c, CAUSE_INVALID, "x-kubernetes-validations", NULL,
                 "rules compiled but the schema has no type to evaluate them against");
        return;
    }
    p->rules = cel_alloc(&c->x->arena, json_array_size(rules), sizeof(*p->rules));
    json_array_foreach(rules, i, rule) {
        size_t len = step(c, ".x-kubernetes-validations[%zu]", i);
        p->rules[p->n_rules].json = rule;
        compile_rule(c, p, &p->rules[p->n_rules++]);
        buf_cut(&c->path, len);
    }
}

static void compile_members(struct compiler *c, struct custom_place *p)
{
    json_t *properties = json_object_get(p->schema, "properties"), *property;
    const char *name;
    p->names = cel_alloc(&c->x->arena, json_object_size(properties), sizeof(*p->names));
    p->members = cel_alloc(&c->x->arena, json_object_size(properties), sizeof(*p->members));
    json_object_foreach(properties, name, property) {
        size_t len = step(c, ".properties[%s]", name);
        struct custom_place *member = place_of(c, property, jbool(property, "x-kubernetes-embedded-resource", false));
        if (member) {
            p->names[p->n_members] = name;
            p->members[p->n_members++] = member;
        }
        buf_cut(&c->path, len);
    }
}

/* What is in a list without keys, or in an atomic map, has no counterpart in the document before. */
static struct custom_place *compile_inside(struct compiler *c, const json_t *schema, const char *member,
                                           bool correlated)
{
    const json_t *inside = json_object_get(schema, member);
    const char *outer = c->uncorrelated;
    if (!json_is_object(inside))
        return NULL;
    size_t len = step(c, ".%s", member);
    if (!correlated && !outer)
        c->uncorrelated = cel_alloc_text(&c->x->arena, buf_str(&c->path), c->path.len);
    struct custom_place *p = place_of(c, inside, jbool(inside, "x-kubernetes-embedded-resource", false));
    c->uncorrelated = outer;
    buf_cut(&c->path, len);
    return p;
}

static bool is_atomic_map(const json_t *schema)
{
    return streq(jstr_or(schema, "x-kubernetes-map-type", ""), "atomic");
}

static struct custom_place *place_of(struct compiler *c, const json_t *schema, bool is_resource)
{
    struct custom_place *p = cel_alloc(&c->x->arena, 1, sizeof(*p));
    bool keyed = streq(jstr_or(schema, "x-kubernetes-list-type", ""), "map");
    p->schema = schema;
    compile_rules(c, p, is_resource);
    compile_members(c, p);
    p->items = compile_inside(c, schema, "items", keyed);
    p->others = compile_inside(c, schema, "additionalProperties", !is_atomic_map(schema));
    return p->n_rules || p->n_members || p->items || p->others ? p : NULL;
}

static bool any_rule(const json_t *schema)
{
    const char *name;
    json_t *member;
    if (json_array_size(json_object_get(schema, "x-kubernetes-validations")))
        return true;
    json_object_foreach(json_object_get(schema, "properties"), name, member)
        if (any_rule(member))
            return true;
    const json_t *items = json_object_get(schema, "items"), *others = json_object_get(schema, "additionalProperties");
    return (items && any_rule(items)) || (others && any_rule(others));
}

struct custom_expressions *custom_expressions_compile(const json_t *schema, const char *path,
                                                      struct status_causes *causes)
{
    if (!any_rule(schema))
        return NULL;
    struct compiler c = {.x = NEW(struct custom_expressions), .causes = causes, .path = BUF_INIT(PATH_MAX_BYTES)};
    buf_adds(&c.path, path);
    c.x->root = place_of(&c, schema, true);
    buf_done(&c.path);
    return c.x;
}

static void free_programs(struct custom_place *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_rules; i++) {
        cel_free(p->rules[i].rule);
        cel_free(p->rules[i].message);
    }
    for (size_t i = 0; i < p->n_members; i++)
        free_programs(p->members[i]);
    free_programs(p->items);
    free_programs(p->others);
}

void custom_expressions_free(struct custom_expressions *x)
{
    if (!x)
        return;
    free_programs(x->root);
    cel_arena_done(&x->arena);
    free(x);
}
