/* See admissionexpr.h. Rules: pkg/apis/admissionregistration/validation. */
#include "kinds/admissionexpr.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/fieldtype.h"
#include "kinds/rules.h"

#define COMPILATION_FAILED "compilation failed: "

/* --- what there is to name --- */

#define STRING &cel_types[CEL_STRING]
#define ANY &cel_types[CEL_DYN]

static const struct cel_member kind_members[] = {
    {"group", "group", STRING}, {"version", "version", STRING}, {"kind", "kind", STRING}, {0}};
static const struct cel_type kind_type = {
    .kind = CEL_OBJECT, .members = kind_members, .name = "kubernetes.GroupVersionKind"};
static const struct cel_member resource_members[] = {
    {"group", "group", STRING}, {"version", "version", STRING}, {"resource", "resource", STRING}, {0}};
static const struct cel_type resource_type = {
    .kind = CEL_OBJECT, .members = resource_members, .name = "kubernetes.GroupVersionResource"};
static const struct cel_type extra_type = {.kind = CEL_MAP, .key = STRING, .item = &cel_type_strings};
static const struct cel_member user_members[] = {{"username", "username", STRING},
                                                 {"uid", "uid", STRING},
                                                 {"groups", "groups", &cel_type_strings},
                                                 {"extra", "extra", &extra_type},
                                                 {0}};
static const struct cel_type user_type = {.kind = CEL_OBJECT, .members = user_members, .name = "kubernetes.UserInfo"};
static const struct cel_member request_members[] = {
    {"kind", "kind", &kind_type},
    {"resource", "resource", &resource_type},
    {"subResource", "subResource", STRING},
    {"requestKind", "requestKind", &kind_type},
    {"requestResource", "requestResource", &resource_type},
    {"requestSubResource", "requestSubResource", STRING},
    {"name", "name", STRING},
    {"namespace", "namespace", STRING},
    {"operation", "operation", STRING},
    {"userInfo", "userInfo", &user_type},
    {"dryRun", "dryRun", &cel_types[CEL_BOOL]},
    {"options", "options", ANY},
    {0},
};
static const struct cel_type request_type = {
    .kind = CEL_OBJECT, .members = request_members, .name = "kubernetes.AdmissionRequest"};

const struct cel_type *const admission_request_type = &request_type;

static const struct cel_variable all_variables[ADMISSION_ALL] = {
    [ADMISSION_OBJECT] = {"object", ANY},
    [ADMISSION_OLD_OBJECT] = {"oldObject", ANY},
    [ADMISSION_REQUEST] = {"request", &request_type},
    [ADMISSION_AUTHORIZER] = {"authorizer", &cel_types[CEL_AUTHORIZER]},
    [ADMISSION_PARAMS] = {"params", ANY},
    [ADMISSION_NAMESPACE] = {"namespaceObject", ANY},
    [ADMISSION_VARIABLES] = {"variables", ANY},
};

/* --- expressions --- */

static struct cel_program *compile(struct status_causes *c, const char *text, const struct cel_variable *variables,
                                   const char *wanted, const char *path)
{
    struct err err;
    if (!text[strspn(text, " \t\r\n")]) {
        rule_broken(c, CAUSE_REQUIRED, NULL, "expression is not specified", "%s", path);
        return NULL;
    }
    struct cel_program *p = cel_compile(text, variables, &err);
    if (!p) {
        _cleanup_free_ char *why = xasprintf(COMPILATION_FAILED "%s", err.msg);
        rule_broken_text(c, CAUSE_INVALID, text, why, "%s", path);
        return NULL;
    }
    enum cel_kind kind = cel_result_type(p)->kind;
    bool fits = streq(wanted, "bool")     ? kind == CEL_BOOL
                : streq(wanted, "string") ? kind == CEL_STRING
                : *wanted                 ? kind == CEL_STRING || kind == CEL_NULL
                                          : true;
    if (fits || kind == CEL_DYN)
        return p;
    _cleanup_free_ char *why = xasprintf("must evaluate to %s", wanted);
    rule_broken_text(c, CAUSE_INVALID, text, why, "%s", path);
    cel_free(p);
    return NULL;
}

void admission_expressions_done(struct admission_expressions *x)
{
    for (size_t i = 0; i < x->n; i++)
        cel_free(x->items[i].program);
    free(x->items);
    *x = (struct admission_expressions){0};
}

/* Of every item of a list one member; `name`: the member that names it, or NULL. Those without the member stay empty,
 * unless it has to be there. */
static void compile_list(struct status_causes *c, const json_t *list, const char *path, const char *name,
                         const char *member, const char *wanted, const struct cel_variable *variables,
                         struct admission_expressions *ret)
{
    size_t i;
    json_t *item;
    ret->items = xcalloc(json_array_size(list) + 1, sizeof(*ret->items));
    json_array_foreach((json_t *)list, i, item) {
        char at[RULE_PATH_SIZE];
        struct admission_expression *x = &ret->items[ret->n++];
        bool optional = streq(member, "messageExpression");
        snprintf(at, sizeof(at), "%s[%zu].%s", path, i, member);
        x->name = name ? jstr_or(item, name, "") : "";
        x->text = jstr_or(item, member, "");
        if (*x->text || !optional)
            x->program = compile(c, x->text, variables, wanted, at);
    }
}

/* Names that are there once, and what a name has to look like. */
static void check_names(struct status_causes *c, const struct admission_expressions *x, const char *path,
                        const char *member, check_fn *check)
{
    for (size_t i = 0; i < x->n; i++) {
        char at[RULE_PATH_SIZE];
        bool twice = false;
        snprintf(at, sizeof(at), "%s[%zu].%s", path, i, member);
        for (size_t j = 0; j < i; j++)
            twice |= streq(x->items[j].name, x->items[i].name);
        if (!*x->items[i].name)
            rule_broken(c, CAUSE_REQUIRED, NULL, "", "%s", at);
        else if (twice)
            rule_broken_text(c, CAUSE_DUPLICATE, x->items[i].name, "", "%s", at);
        else
            rule_check_text(c, check, x->items[i].name, "%s", at);
    }
}

static void check_amount(struct status_causes *c, const json_t *list, const char *path, int max)
{
    _cleanup_json_ json_t *n = json_integer((json_int_t)json_array_size(list));
    char why[60];
    snprintf(why, sizeof(why), "must have at most %d items", max);
    if (json_array_size(list) > (size_t)max)
        rule_broken(c, CAUSE_TOO_MANY, n, why, "%s", path);
}

static void conditions(struct status_causes *c, const json_t *list, const char *path,
                       const struct cel_variable *variables, struct admission_expressions *ret)
{
    check_amount(c, list, path, ADMISSION_CONDITIONS_MAX);
    if (json_array_size(list) <= ADMISSION_CONDITIONS_MAX)
        compile_list(c, list, path, "name", "expression", "bool", variables, ret);
    check_names(c, ret, path, "name", check_qualified_name);
}

void admission_conditions_compile(const json_t *list, const char *path, struct admission_expressions *ret,
                                  struct status_causes *causes)
{
    struct cel_variable variables[ADMISSION_CONDITION_VARIABLES + 1] = {0};
    memcpy(variables, all_variables, ADMISSION_CONDITION_VARIABLES * sizeof(*variables));
    conditions(causes, list, path, variables, ret);
}

/* --- policies --- */

static const char *check_identifier(const char *s, char *scratch)
{
    (void)scratch;
    bool fine = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") == strlen(s);
    return fine && !(*s >= '0' && *s <= '9') ? NULL : "name is not a valid CEL identifier";
}

/* A variable may use those before it: its type becomes a member of what all are members of. */
static void compile_variables(struct admission_policy *p, const json_t *list, struct cel_variable *names,
                              struct status_causes *c)
{
    size_t i, n = json_array_size(list);
    json_t *item;
    struct cel_member *members = cel_alloc(&p->arena, n + 1, sizeof(*members));
    struct cel_type *type = cel_alloc(&p->arena, 1, sizeof(*type));
    *type = (struct cel_type){.kind = CEL_OBJECT, .members = members, .name = "kubernetes.variables"};
    names[ADMISSION_VARIABLES].type = type;
    p->variables.items = xcalloc(n + 1, sizeof(*p->variables.items));
    json_array_foreach((json_t *)list, i, item) {
        char at[RULE_PATH_SIZE];
        struct admission_expression *x = &p->variables.items[p->variables.n++];
        snprintf(at, sizeof(at), "spec.variables[%zu].expression", i);
        *x = (struct admission_expression){jstr_or(item, "name", ""), jstr_or(item, "expression", ""), NULL};
        x->program = compile(c, x->text, names, "", at);
        members[i] = (struct cel_member){x->name, x->name, x->program ? cel_result_type(x->program) : ANY};
    }
    check_names(c, &p->variables, "spec.variables", "name", check_identifier);
}

static void check_messages(struct status_causes *c, const json_t *validations)
{
    static const char *const reasons[] = {"Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"};
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)validations, i, v) {
        const char *message = jstr_or(v, "message", ""), *reason = jstr_or(v, "reason", "Invalid");
        bool known = false;
        for (size_t r = 0; r < ARRAY_LEN(reasons); r++)
            known |= streq(reasons[r], reason);
        if (strpbrk(message, "\r\n"))
            rule_broken_text(c, CAUSE_INVALID, message, "message must not contain line breaks",
                             "spec.validations[%zu].message", i);
        else if (!*message && strpbrk(jstr_or(v, "expression", ""), "\r\n"))
            rule_broken(c, CAUSE_REQUIRED, NULL, "message must be specified if expression contains line breaks",
                        "spec.validations[%zu].message", i);
        if (!known)
            rule_broken_text(c, CAUSE_NOT_SUPPORTED, reason,
                             "supported values: \"Forbidden\", \"Invalid\", \"RequestEntityTooLarge\", "
                             "\"Unauthorized\"",
                             "spec.validations[%zu].reason", i);
    }
}

/* Types NULL: known when it is asked. */
static struct admission_policy *compile_policy(const json_t *doc, const struct cel_type *object,
                                               const struct cel_type *params, struct status_causes *causes)
{
    struct admission_policy *p = NEW(struct admission_policy);
    p->doc = json_incref((json_t *)doc);
    const json_t *spec = jget(doc, "spec"), *validations = jget(spec, "validations");
    bool has_params = jget(spec, "paramKind") != NULL;
    struct cel_variable names[ADMISSION_ALL + 1] = {0}, condition_names[ADMISSION_PARAMS + 2] = {0};
    memcpy(names, all_variables, sizeof(all_variables));
    if (object)
        names[ADMISSION_OBJECT].type = names[ADMISSION_OLD_OBJECT].type = object;
    if (params)
        names[ADMISSION_PARAMS].type = params;
    if (!has_params)
        names[ADMISSION_PARAMS].name = " "; /* nothing that can be written */
    memcpy(condition_names, names, (ADMISSION_PARAMS + 1) * sizeof(*names));
    conditions(causes, jget(spec, "matchConditions"), "spec.matchConditions", condition_names, &p->conditions);
    compile_variables(p, jget(spec, "variables"), names, causes);
    compile_list(causes, validations, "spec.validations", NULL, "expression", "bool", names, &p->validations);
    compile_list(causes, validations, "spec.validations", NULL, "messageExpression", "string", names, &p->messages);
    compile_list(causes, jget(spec, "auditAnnotations"), "spec.auditAnnotations", "key", "valueExpression",
                 "string or null", names, &p->annotations);
    check_names(causes, &p->annotations, "spec.auditAnnotations", "key", check_qualified_name);
    check_messages(causes, validations);
    return p;
}

struct admission_policy *admission_policy_compile(const json_t *doc, struct status_causes *causes)
{
    return compile_policy(doc, NULL, NULL, causes);
}

void admission_policy_free(struct admission_policy *p)
{
    if (!p)
        return;
    admission_expressions_done(&p->conditions);
    admission_expressions_done(&p->variables);
    admission_expressions_done(&p->validations);
    admission_expressions_done(&p->messages);
    admission_expressions_done(&p->annotations);
    cel_arena_done(&p->arena);
    json_decref(p->doc);
    free(p);
}

/* --- what is doubtful about policies, for what is known of their objects --- */

/* The kinds that a rule names; those that it leaves open are nobody's. */
static void add_kinds(const json_t *rule, const struct kind **kinds, size_t *n)
{
    size_t g, v, r;
    json_t *group, *version, *resource;
    json_array_foreach(jget(rule, "apiGroups"), g, group)
        json_array_foreach(jget(rule, "apiVersions"), v, version)
            json_array_foreach(jget(rule, "resources"), r, resource) {
                const struct kind *k =
                    kind_by_resource(str_or(json_string_value(group), ""), str_or(json_string_value(version), ""),
                                     str_or(json_string_value(resource), ""));
                bool known = !k || *n == ADMISSION_TYPES_MAX;
                for (size_t i = 0; i < *n; i++)
                    known |= kinds[i] == k;
                if (!known)
                    kinds[(*n)++] = k;
            }
}

/* Adds to what was found for other kinds about the same expression. */
static void add_warning(json_t *warnings, const char *field, const char *about)
{
    json_t *w = jfind(warnings, "fieldRef", field);
    if (w)
        jset(w, "warning", json_sprintf("%s\n%s", jstr_or(w, "warning", ""), about));
    else
        json_array_append_new(warnings, json_pack("{s:s, s:s}", "fieldRef", field, "warning", about));
}

static void check_for(const json_t *doc, const struct kind *k, const struct kind *params, json_t *warnings)
{
    struct status_causes causes = {0};
    struct cel_arena arena = {0};
    char api_version[API_VERSION_SIZE];
    size_t i;
    json_t *cause;
    admission_policy_free(
        compile_policy(doc, kind_cel_type(k, &arena), params ? kind_cel_type(params, &arena) : NULL, &causes));
    json_array_foreach(causes.list, i, cause) {
        const char *field = jstr_or(cause, "field", ""),
                   *why = strstr(jstr_or(cause, "message", ""), COMPILATION_FAILED);
        if (!why || !str_after(field, "spec.validations["))
            continue;
        _cleanup_free_ char *about =
            xasprintf("%s, Kind=%s: %s", kind_api_version(k, api_version), k->kind, why + strlen(COMPILATION_FAILED));
        add_warning(warnings, field, about);
    }
    causes_done(&causes);
    cel_arena_done(&arena);
}

json_t *admission_policy_warnings(const json_t *doc)
{
    const struct kind *kinds[ADMISSION_TYPES_MAX];
    const json_t *param_kind = jget(doc, "spec.paramKind");
    const struct kind *params =
        param_kind ? kind_by_api_version(jstr_or(param_kind, "apiVersion", ""), jstr_or(param_kind, "kind", "")) : NULL;
    json_t *warnings = json_array(), *rule;
    size_t i, n = 0;
    json_array_foreach(jget(doc, "spec.matchConstraints.resourceRules"), i, rule)
        add_kinds(rule, kinds, &n);
    for (i = 0; i < n; i++)
        check_for(doc, kinds[i], params, warnings);
    return warnings;
}
