/* See admission_decide.h. Upstream: validating/dispatcher.go and validator.go, generic/policy_dispatcher.go. */
#include "server/admission_decide.h"

#include <string.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/labels.h"
#include "server/write.h"

#define NESTED_MAX 16          /* variables that are worked out for each other, which takes our stack */
#define MESSAGE_MAX (5 * 1024) /* upstream's limit on what a messageExpression says */

struct decision {
    struct policy_question *q;
    const struct admission_policy *policy;
    const json_t *binding;
    struct admission_scope scope;
    struct cel_value values[ADMISSION_ALL];
    struct cel_value *variables; /* worked out so far; CEL_DYN: not yet */
    int nested;                  /* that are being worked out */
};

/* --- objections --- */

static json_t *refusal(const struct decision *d, const char *why, const char *reason)
{
    static const struct {
        const char *reason;
        int code;
    } codes[] = {{"Forbidden", 403}, {"Unauthorized", 401}, {"RequestEntityTooLarge", 413}, {"Invalid", 422}};
    const struct webhook_question *q = &d->q->request;
    char resource[RESOURCE_TEXT_SIZE];
    _cleanup_free_ char *message =
        xasprintf("ValidatingAdmissionPolicy '%s' with binding '%s' denied request: %s",
                  jstr_or(d->policy->doc, "metadata.name", ""), jstr_or(d->binding, "metadata.name", ""), why);
    json_t *status = status_for(STATUS_FORBIDDEN, q->version->group, q->version->plural, q->name,
                                "%s \"%s\" is forbidden: %s", resource_text(q->version, resource), q->name, message);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (streq(codes[i].reason, reason)) {
            jset_str(status, "reason", reason);
            jset_int(status, "code", codes[i].code);
        }
    jset(status, "details.causes", json_pack("[{s:s}]", "message", message));
    return status;
}

/* Does with an objection what the binding says. There is no audit log that Audit could be for. */
static void object(struct decision *d, const char *why, const char *reason)
{
    size_t i;
    json_t *action;
    json_array_foreach(jget(d->binding, "spec.validationActions"), i, action) {
        const char *text = str_or(json_string_value(action), "");
        if (streq(text, "Deny") && !d->q->refusal)
            d->q->refusal = refusal(d, why, reason);
        if (!streq(text, "Warn"))
            continue;
        _cleanup_free_ char *warning =
            xasprintf("Validation failed for ValidatingAdmissionPolicy '%s' with binding '%s': %s",
                      jstr_or(d->policy->doc, "metadata.name", ""), jstr_or(d->binding, "metadata.name", ""), why);
        warn_once(&d->q->r->warnings, warning);
    }
}

static bool errors_count(const struct decision *d)
{
    return !streq(jstr_or(d->policy->doc, "spec.failurePolicy", ""), "Ignore");
}

/* A binding that cannot be followed refuses, whatever its actions. */
static void misconfigured(struct decision *d, const char *why)
{
    _cleanup_free_ char *text = xasprintf("failed to configure binding: %s", why);
    if (errors_count(d) && !d->q->refusal)
        d->q->refusal = refusal(d, text, "Invalid");
}

/* --- expressions --- */

static struct cel_value work_out(struct decision *d, const struct admission_expression *x)
{
    if (!x->program)
        return cel_error("the variable's expression does not compile");
    if (d->nested == NESTED_MAX)
        return cel_error("variables refer to each other too deeply");
    d->nested++;
    struct cel_value v = cel_eval(x->program, d->values, &d->scope.run);
    d->nested--;
    return v;
}

static struct cel_value variable(void *arg, const char *name, size_t len)
{
    struct decision *d = arg;
    for (size_t i = 0; i < d->policy->variables.n; i++) {
        const struct admission_expression *x = &d->policy->variables.items[i];
        if (strlen(x->name) != len || memcmp(x->name, name, len) != 0)
            continue;
        if (d->variables[i].kind == CEL_DYN)
            d->variables[i] = work_out(d, x);
        return d->variables[i];
    }
    return cel_error("no such variable");
}

/* The variables are a map whose members are worked out when they are asked for. */
static struct cel_value variables_of(struct decision *d)
{
    struct cel_arena *a = &d->scope.run.arena;
    struct cel_lazy *lazy = cel_alloc(a, 1, sizeof(*lazy));
    struct cel_map *map = cel_map_new(a, 0);
    *lazy = (struct cel_lazy){variable, d};
    map->lazy = lazy;
    d->variables = cel_alloc(a, d->policy->variables.n, sizeof(*d->variables));
    return cel_map(map);
}

/* The caller frees. */
static char *message_of(struct decision *d, size_t i, const json_t *validation)
{
    const struct admission_expression *x = &d->policy->messages.items[i];
    struct cel_value v = x->program ? cel_eval(x->program, d->values, &d->scope.run) : cel_null();
    const char *message = jstr_or(validation, "message", "");
    if (v.kind == CEL_STRING && v.text.len && v.text.len <= MESSAGE_MAX && !memchr(v.text.s, '\n', v.text.len))
        return xstrndup(v.text.s, v.text.len);
    return *message ? xstrdup(message) : xasprintf("failed expression: %s", d->policy->validations.items[i].text);
}

static void validate(struct decision *d)
{
    const json_t *validations = jget(d->policy->doc, "spec.validations");
    for (size_t i = 0; i < d->policy->validations.n; i++) {
        const struct admission_expression *x = &d->policy->validations.items[i];
        const json_t *validation = json_array_get(validations, i);
        struct cel_value v =
            x->program ? cel_eval(x->program, d->values, &d->scope.run) : cel_error("the expression does not compile");
        struct err err;
        if (cel_is_true(v))
            continue;
        if (v.kind == CEL_ERROR) {
            admission_failed(x->text, v, &err);
            if (errors_count(d))
                object(d, err.msg, "Invalid");
            continue;
        }
        _cleanup_free_ char *why = message_of(d, i, validation);
        object(d, why, jstr_or(validation, "reason", "Invalid"));
    }
}

/* With one object of parameters, or none. */
static void decide(struct decision *d, const json_t *params)
{
    struct err err;
    admission_scope_init(&d->scope, d->q->r->server, &d->q->request, d->q->as);
    admission_values(&d->scope, params, d->values);
    d->values[ADMISSION_VARIABLES] = variables_of(d);
    int matches = admission_conditions_hold(&d->scope, &d->policy->conditions, d->values, &err);
    if (matches > 0)
        validate(d);
    else if (matches < 0 && errors_count(d))
        object(d, err.msg, "Invalid");
    admission_scope_done(&d->scope);
}

/* --- parameters --- */

struct params {
    struct decision *d;
    const json_t *selector;
    size_t found;
};

static bool decide_selected(void *arg, struct object *o)
{
    struct params *p = arg;
    _cleanup_json_ json_t *doc = object_json(o);
    if (!label_selector_matches(p->selector, jget(doc, "metadata.labels")))
        return true;
    p->found++;
    decide(p->d, doc);
    return true;
}

static void decide_named(struct params *p, const struct kind *k, const char *ns, const char *name)
{
    const struct object *o = store_latest(p->d->q->r->server->store, k, ns, name);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    p->found = o != NULL;
    if (o)
        decide(p->d, doc);
}

static void with_params(struct decision *d, const struct kind *k, const json_t *ref)
{
    const char *name = jstr(ref, "name"), *ns = jstr_or(ref, "namespace", "");
    struct params p = {.d = d, .selector = jget(ref, "selector")};
    if (!k->namespaced && *ns) {
        misconfigured(d, "paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
        return;
    }
    if (k->namespaced && !*ns)
        ns = d->q->request.ns;
    if (k->namespaced && !*ns) {
        misconfigured(d, "cannot use namespaced paramRef in policy bindings that match cluster-scoped resources");
        return;
    }
    if (name)
        decide_named(&p, k, ns, name);
    else
        store_each(d->q->r->server->store, k, ns, NULL, NULL, decide_selected, &p);
    if (!p.found && !streq(jstr_or(ref, "parameterNotFoundAction", ""), "Allow"))
        misconfigured(d, "no params found for policy binding with `Deny` parameterNotFoundAction");
}

void policy_ask(struct policy_question *q, const struct admission_policy *p, const json_t *binding)
{
    const json_t *match = jget(binding, "spec.matchResources"), *ref = jget(binding, "spec.paramRef");
    const json_t *kind = jget(p->doc, "spec.paramKind");
    struct decision d = {.q = q, .policy = p, .binding = binding};
    if (match && !admission_match(match, &q->request))
        return;
    if (!kind || !ref) {
        decide(&d, NULL);
        return;
    }
    const char *version = jstr_or(kind, "apiVersion", ""), *name = jstr_or(kind, "kind", "");
    const struct kind *k = kind_stored(kind_by_api_version(version, name));
    if (k) {
        with_params(&d, k, ref);
    } else {
        _cleanup_free_ char *why =
            xasprintf("failed to find resource referenced by paramKind: '%s, Kind=%s'", version, name);
        misconfigured(&d, why);
    }
}
