/* Which policies there are, compiled once a version, and which of them are asked about a request. See
 * admission_policies.h; words and order: apiserver pkg/admission/plugin/policy. */
#include "server/admission_policies.h"

#include "base/str.h"
#include "json/json.h"
#include "server/admission_decide.h"

/* A policy or a binding as it was read last. */
struct kept {
    uint64_t rv;
    json_t *doc;
    struct admission_policy *policy; /* NULL: a binding */
};

struct policies {
    struct map kept; /* struct kept, by kind and name */
};

static void kept_free(void *arg)
{
    struct kept *k = arg;
    admission_policy_free(k->policy);
    json_decref(k->doc);
    free(k);
}

struct policies *policies_new(void)
{
    return NEW(struct policies);
}

void policies_free(struct policies *p)
{
    map_done_with(&p->kept, kept_free);
    free(p);
}

static const struct kept *recall(struct policies *p, struct object *o)
{
    _cleanup_free_ char *key = xasprintf("%s/%s", o->kind->plural, o->name);
    struct kept *k = map_get(&p->kept, key);
    if (k && k->rv == o->rv)
        return k;
    struct kept *fresh = NEW(struct kept);
    *fresh = (struct kept){.rv = o->rv, .doc = object_json(o)};
    if (o->kind == &kind_admissionpolicy) {
        struct status_causes known_already = {0};
        fresh->policy = admission_policy_compile(fresh->doc, &known_already);
        causes_done(&known_already);
    }
    k = map_put(&p->kept, key, fresh);
    if (k)
        kept_free(k);
    return fresh;
}

/* --- one request --- */

struct asking {
    struct policies *policies;
    struct policy_question question;
    const struct kept *policy;
};

static bool ask_binding(void *arg, struct object *o)
{
    struct asking *a = arg;
    const struct kept *binding = recall(a->policies, o);
    if (streq(jstr_or(binding->doc, "spec.policyName", ""), jstr_or(a->policy->doc, "metadata.name", "")))
        policy_ask(&a->question, a->policy->policy, binding->doc);
    return true;
}

static bool ask_policy(void *arg, struct object *o)
{
    struct asking *a = arg;
    a->policy = recall(a->policies, o);
    a->question.as = admission_match(jget(a->policy->doc, "spec.matchConstraints"), &a->question.request);
    if (a->question.as)
        store_each(a->question.r->server->store, &kind_admissionpolicybinding, "", NULL, NULL, ask_binding, a);
    return true;
}

/* Policies cannot stand in the way of their own removal. */
static bool is_exempt(const struct request *r)
{
    return r->kind == &kind_admissionpolicy || r->kind == &kind_admissionpolicybinding;
}

static struct webhook_question question_of(const struct request *r, const char *operation, const json_t *doc,
                                           const json_t *old, const json_t *namespace)
{
    const char *name = jstr_or(doc ? doc : old, "metadata.name", "");
    return (struct webhook_question){.operation = operation,
                                     .version = r->version,
                                     .ns = r->kind->namespaced          ? r->what.ns
                                           : r->kind == &kind_namespace ? name
                                                                        : "",
                                     .name = name,
                                     .sub = r->what.subresource,
                                     .namespace = namespace,
                                     .doc = doc,
                                     .old = old,
                                     .options = r->verb == V_DELETE ? r->body : NULL,
                                     .user = r->user,
                                     .dry_run = r->dry_run};
}

json_t *policies_decide(struct request *r, const char *operation, const json_t *doc, const json_t *old)
{
    struct store *store = r->server->store;
    size_t policies = store_count(store, &kind_admissionpolicy, "");
    size_t bindings = store_count(store, &kind_admissionpolicybinding, "");
    if (!policies || !bindings || is_exempt(r))
        return NULL;
    struct policies *p = r->server->policies;
    if (p->kept.len > 2 * (policies + bindings)) /* most are of objects that are gone */
        policies_free(p), p = r->server->policies = policies_new();
    const struct object *ns = r->kind->namespaced ? store_latest(store, &kind_namespace, "", r->what.ns) : NULL;
    _cleanup_json_ json_t *namespace = ns ? object_json(ns) : NULL;
    struct asking a = {.policies = p, .question = {.r = r, .request = question_of(r, operation, doc, old, namespace)}};
    store_each(store, &kind_admissionpolicy, "", NULL, NULL, ask_policy, &a);
    return a.question.refusal;
}
