/* See expressions.h. */
#include "server/expressions.h"

#include "base/str.h"
#include "json/json.h"
#include "server/authz.h"
#include "server/pipeline.h"

/* --- the authorizer --- */

static struct user *service_account(const char *ns, const char *name)
{
    _cleanup_free_ char *user = xasprintf("system:serviceaccount:%s:%s", ns, name),
                        *group = xasprintf("system:serviceaccounts:%s", ns);
    return user_exactly(user, (const char *const[]){"system:serviceaccounts", group, "system:authenticated", NULL});
}

static bool is_allowed(void *arg, const struct cel_access *access, const char **ret_reason)
{
    struct admission_scope *s = arg;
    struct user *account = access->user ? service_account(access->user_ns, access->user) : NULL;
    _cleanup_free_ char *reason = NULL;
    const struct action a = {.verb = access->verb,
                             .is_resource = !access->path,
                             .group = str_or(access->group, ""),
                             .resource = str_or(access->resource, ""),
                             .subresource = str_or(access->subresource, ""),
                             .ns = str_or(access->ns, ""),
                             .name = str_or(access->name, ""),
                             .fields = "",
                             .path = str_or(access->path, "")};
    bool allowed = authorized(s->server, account ? account : s->user, &a, &reason);
    *ret_reason = reason ? cel_alloc_text(&s->run.arena, reason, strlen(reason)) : "";
    if (account)
        user_free(account);
    return allowed;
}

/* --- values --- */

void admission_scope_init(struct admission_scope *s, struct server *server, const struct webhook_question *q,
                          const struct kind *as)
{
    _cleanup_json_ json_t *review = webhook_review(NULL, as, q, "");
    *s = (struct admission_scope){.server = server, .user = q->user, .namespace = q->namespace};
    s->request = json_incref(jget(review, "request"));
    s->own = (struct cel_access){
        .group = as->group, .resource = as->plural, .subresource = q->sub, .ns = q->ns, .name = q->name};
    cel_run_init(&s->run, CEL_COST_MAX);
    s->run.allowed = is_allowed;
    s->run.allowed_arg = s;
}

void admission_scope_done(struct admission_scope *s)
{
    cel_run_done(&s->run);
    json_decref(s->request);
}

void admission_values(struct admission_scope *s, const json_t *params, struct cel_value values[ADMISSION_ALL])
{
    struct cel_arena *a = &s->run.arena;
    values[ADMISSION_OBJECT] = cel_from_json(json_object_get(s->request, "object"), NULL, a);
    values[ADMISSION_OLD_OBJECT] = cel_from_json(json_object_get(s->request, "oldObject"), NULL, a);
    values[ADMISSION_REQUEST] = cel_from_json(s->request, admission_request_type, a);
    values[ADMISSION_AUTHORIZER] = (struct cel_value){.kind = CEL_AUTHORIZER, .access = &s->own};
    values[ADMISSION_PARAMS] = cel_from_json(params, NULL, a);
    values[ADMISSION_NAMESPACE] = cel_from_json(s->namespace, NULL, a);
    values[ADMISSION_VARIABLES] = cel_null();
}

/* --- conditions --- */

int admission_failed(const char *text, struct cel_value error, struct err *err)
{
    return err_set(err, 0, "expression '%.200s' resulted in error: %.*s", text,
                   (int)(error.text.len < 300 ? error.text.len : 300), error.text.s);
}

/* A condition that is not true settles it, even when others cannot be evaluated. */
int admission_conditions_hold(struct admission_scope *s, const struct admission_expressions *conditions,
                              const struct cel_value *values, struct err *err)
{
    int64_t others = s->run.budget;
    int result = 1;
    s->run.budget = CEL_CONDITIONS_COST_MAX;
    for (size_t i = 0; i < conditions->n && result; i++) {
        const struct admission_expression *x = &conditions->items[i];
        struct cel_value v =
            x->program ? cel_eval(x->program, values, &s->run) : cel_error("the expression does not compile");
        if (v.kind == CEL_ERROR && result > 0)
            result = admission_failed(x->text, v, err);
        else if (v.kind != CEL_ERROR && !cel_is_true(v))
            result = 0;
    }
    s->run.budget = others;
    return result;
}
