/* What the cluster adds to objects on their way in, and the check of the result. Upstream spreads this over admission
 * plug-ins (ServiceAccount, DefaultTolerationSeconds, Priority) and registry hooks; here it is one table. */
#include "base/str.h"
#include "kinds/ingress.h"
#include "server/admit_account.h"
#include "server/write.h"

struct admission {
    struct server *server;
    json_t *doc;
    const json_t *old;
    struct status_causes causes;
    struct alloc_change *change;
    json_t *refusal; /* a Status, or NULL */
};

typedef int admit_fn(struct admission *a, struct err *err);

static bool tolerates(const json_t *tolerations, const char *key)
{
    size_t i;
    const json_t *t;
    json_array_foreach(tolerations, i, t) {
        const char *effect = jstr_or(t, "effect", ""), *k = jstr_or(t, "key", "");
        if ((!*effect || streq(effect, "NoExecute")) && (!*k || streq(k, key)))
            return true;
    }
    return false;
}

/* A pod leaves a node that is gone after five minutes, unless it says otherwise. */
static void add_toleration(json_t *doc, const char *key)
{
    json_t *tolerations = jget(doc, "spec.tolerations");
    if (tolerates(tolerations, key))
        return;
    if (!tolerations)
        jset(doc, "spec.tolerations", tolerations = json_array());
    json_array_append_new(tolerations, json_pack("{s:s, s:s, s:s, s:i}", "key", key, "operator", "Exists", "effect",
                                                 "NoExecute", "tolerationSeconds", 300));
}

static int admit_pod(struct admission *a, struct err *err)
{
    (void)err;
    if (a->old)
        return 0;
    a->refusal = admit_account(a->server->store, a->doc);
    if (!jhas(a->doc, "spec.priority"))
        jset_int(a->doc, "spec.priority", 0);
    if (!jhas(a->doc, "spec.preemptionPolicy"))
        jset_str(a->doc, "spec.preemptionPolicy", "PreemptLowerPriority");
    add_toleration(a->doc, "node.kubernetes.io/not-ready");
    add_toleration(a->doc, "node.kubernetes.io/unreachable");
    return 0;
}

static int admit_service(struct admission *a, struct err *err)
{
    return alloc_service(a->server->alloc, a->doc, a->old, &a->causes, a->change, err);
}

static int admit_node(struct admission *a, struct err *err)
{
    return a->old ? 0 : alloc_node(a->server->alloc, a->doc, a->change, err);
}

/* The class marked as default; the newest of several. */
struct default_class {
    char *name, *created;
};

static bool consider_class(void *arg, struct object *o)
{
    struct default_class *best = arg;
    _cleanup_json_ json_t *doc = object_json(o);
    const char *mark = json_string_value(
        json_object_get(jget(doc, "metadata.annotations"), "ingressclass.kubernetes.io/is-default-class"));
    const char *created = jstr_or(doc, "metadata.creationTimestamp", "");
    if (!mark || !streq(mark, "true") || (best->name && strcmp(created, best->created) <= 0))
        return true;
    free(best->name);
    free(best->created);
    *best = (struct default_class){xstrdup(o->name), xstrdup(created)};
    return true;
}

/* An Ingress that names no class, in neither of the two ways, gets the default one (DefaultIngressClass upstream). */
static int admit_ingress(struct admission *a, struct err *err)
{
    (void)err;
    struct default_class best = {0};
    if (a->old || jget(a->doc, "spec.ingressClassName") ||
        json_object_get(jget(a->doc, "metadata.annotations"), INGRESS_CLASS_ANNOTATION))
        return 0;
    store_each(a->server->store, &kind_ingressclass, "", NULL, NULL, consider_class, &best);
    if (best.name)
        jset_str(a->doc, "spec.ingressClassName", best.name);
    free(best.name);
    free(best.created);
    return 0;
}

static const struct {
    const struct kind *kind;
    admit_fn *run;
} admissions[] = {
    {&kind_pod, admit_pod},
    {&kind_service, admit_service},
    {&kind_node, admit_node},
    {&kind_ingress, admit_ingress},
};

json_t *admit(struct server *s, const struct kind *k, json_t *doc, const json_t *old, struct alloc_change *change)
{
    struct admission a = {.server = s, .doc = doc, .old = old, .change = change};
    struct err err;
    json_t *status = NULL;
    for (size_t i = 0; i < ARRAY_LEN(admissions) && !status; i++)
        if (admissions[i].kind == k)
            status = admissions[i].run(&a, &err) < 0
                         ? status_new(STATUS_INTERNAL, "Internal error occurred: %s", err.msg)
                         : a.refusal;
    if (!status) {
        schema_validate(k, doc, old, &a.causes);
        if (causes_any(&a.causes))
            status = status_invalid(k->group, k->kind, jstr_or(doc, "metadata.name", ""), &a.causes);
    }
    if (status)
        alloc_rollback(change);
    causes_done(&a.causes);
    return status;
}

void release_numbers(struct server *s, const struct kind *k, const json_t *doc, struct alloc_change *change)
{
    if (k == &kind_service)
        alloc_service_deleted(s->alloc, doc, change);
    if (k == &kind_node)
        alloc_node_deleted(s->alloc, doc, change);
}
