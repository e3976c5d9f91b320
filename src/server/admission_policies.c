/* Which policies there are, compiled once a version, and which of them are asked about a request. See
 * admission_policies.h; words and order: apiserver pkg/admission/plugin/policy. */
#include "server/admission_policies.h"

#include "base/str.h"
#include "json/json.h"
#include "server/admission_decide.h"
#include "server/scale.h"

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
                                           const json_t *old)
{
    const char *name = *r->what.name ? r->what.name : jstr_or(doc ? doc : old, "metadata.name", "");
    return (struct webhook_question){.operation = operation,
                                     .version = r->version,
                                     .ns = r->kind->namespaced          ? r->what.ns
                                           : r->kind == &kind_namespace ? name
                                                                        : "",
                                     .name = name,
                                     .sub = r->what.subresource,
                                     .doc = doc,
                                     .old = old,
                                     .options = r->verb == V_DELETE ? r->body : NULL,
                                     .user = r->user,
                                     .dry_run = r->dry_run};
}

static json_t *ask_all(struct request *r, struct webhook_question q)
{
    struct store *store = r->server->store;
    struct policies *p = r->server->policies;
    size_t there = store_count(store, &kind_admissionpolicy, "") + store_count(store, &kind_admissionpolicybinding, "");
    if (p->kept.len > 2 * there) /* most are of objects that are gone */
        map_done_with(&p->kept, kept_free);
    const struct object *ns = r->kind->namespaced ? store_latest(store, &kind_namespace, "", r->what.ns) : NULL;
    _cleanup_json_ json_t *namespace = ns ? object_json(ns) : NULL;
    q.namespace = namespace;
    struct asking a = {.policies = p, .question = {.r = r, .request = q}};
    store_each(store, &kind_admissionpolicy, "", NULL, NULL, ask_policy, &a);
    return a.question.refusal;
}

bool policies_any(const struct server *s)
{
    return store_count(s->store, &kind_admissionpolicy, "") && store_count(s->store, &kind_admissionpolicybinding, "");
}

json_t *policies_decide(struct request *r, const char *operation, const json_t *doc, const json_t *old)
{
    if (!policies_any(r->server) || is_exempt(r))
        return NULL;
    struct webhook_question q = question_of(r, operation, doc, old);
    if (!streq(r->what.subresource, "scale"))
        return ask_all(r, q);
    _cleanup_json_ json_t *scale = scale_of(r->kind, doc), *old_scale = scale_of(r->kind, old);
    q.type = &scale_type;
    q.doc = scale;
    q.old = old_scale;
    return ask_all(r, q);
}

json_t *policies_decide_about(struct request *r, const char *operation, const struct webhook_type *type,
                              const json_t *doc)
{
    if (!policies_any(r->server))
        return NULL;
    struct webhook_question q = question_of(r, operation, doc, NULL);
    q.type = type;
    return ask_all(r, q);
}
