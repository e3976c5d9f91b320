/* The tables of admission, in upstream's order: first what changes the object, then the rules of its kind and the
 * numbers it gets, last what looks at the result. Plug-ins of a few lines are here. */
#include "server/admit.h"

#include <stdarg.h>

#include "base/str.h"
#include "kinds/binding.h"
#include "kinds/ephemeral.h"
#include "kinds/ingress.h"
#include "server/admission_policies.h"
#include "server/admit_account.h"

const char *admission_namespace(const struct admission *a)
{
    return jstr_or(a->doc, "metadata.namespace", "");
}

json_t *admission_forbidden(const struct admission *a, const char *fmt, ...)
{
    char resource[RESOURCE_TEXT_SIZE];
    const char *name = jstr_or(a->doc, "metadata.name", "");
    va_list ap;
    va_start(ap, fmt);
    _cleanup_json_ json_t *why = json_vsprintf(fmt, ap);
    va_end(ap);
    return status_for(STATUS_FORBIDDEN, a->kind->group, a->kind->plural, name, "%s \"%s\" is forbidden: %s",
                      resource_text(a->kind, resource), name, json_string_value(why));
}

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

static json_t *admit_tolerations(const struct admission *a)
{
    if (a->old)
        return NULL;
    add_toleration(a->doc, "node.kubernetes.io/not-ready");
    add_toleration(a->doc, "node.kubernetes.io/unreachable");
    return NULL;
}

static json_t *admit_service_account(const struct admission *a)
{
    return a->old ? NULL : admit_account(a->server->store, a->doc);
}

/* The class marked as default; the newest of several. */
struct default_class {
    bool (*is_default)(const json_t *class);
    char *name, *created;
};

static bool ingress_class_is_default(const json_t *class)
{
    return streq(str_or(annotation_of(class, "ingressclass.kubernetes.io/is-default-class"), ""), "true");
}

static bool consider_class(void *arg, struct object *o)
{
    struct default_class *best = arg;
    _cleanup_json_ json_t *doc = object_json(o);
    const char *created = jstr_or(doc, "metadata.creationTimestamp", "");
    if (!best->is_default(doc) || (best->name && strcmp(created, best->created) <= 0))
        return true;
    free(best->name);
    free(best->created);
    best->name = xstrdup(o->name);
    best->created = xstrdup(created);
    return true;
}

static void set_default_class(const struct admission *a, const struct kind *classes,
                              bool (*is_default)(const json_t *class), const char *path)
{
    struct default_class best = {.is_default = is_default};
    store_each(a->server->store, classes, "", NULL, NULL, consider_class, &best);
    if (best.name)
        jset_str(a->doc, path, best.name);
    free(best.name);
    free(best.created);
}

/* An Ingress that names no class, in neither of the two ways, gets the default one (DefaultIngressClass upstream). */
static json_t *admit_ingress(const struct admission *a)
{
    if (!a->old && !jget(a->doc, "spec.ingressClassName") && !annotation_of(a->doc, INGRESS_CLASS_ANNOTATION))
        set_default_class(a, &kind_ingressclass, ingress_class_is_default, "spec.ingressClassName");
    return NULL;
}

/* A claim that says nothing about its class gets the default one (DefaultStorageClass upstream). */
static json_t *admit_claim_class(const struct admission *a)
{
    if (!a->old && !claim_names_class(a->doc))
        set_default_class(a, &kind_storageclass, class_is_default, "spec.storageClassName");
    return NULL;
}

static json_t *admit_policies(const struct admission *a)
{
    return policies_decide(a->request, a->old ? "UPDATE" : "CREATE", a->doc, a->old);
}

struct plugin {
    const struct kind *kind; /* NULL: every kind */
    admit_fn *run;
};

static const struct plugin changing[] = {
    {&kind_pod, admit_limit_defaults},
    {&kind_pod, admit_service_account},
    {&kind_pod, admit_priority},
    {&kind_pod, admit_runtime_class},
    {&kind_pod, admit_tolerations},
    {&kind_ingress, admit_ingress},
    {&kind_persistentvolumeclaim, admit_claim_class},
    {&kind_persistentvolumeclaim, admit_storage_protection},
    {&kind_persistentvolume, admit_storage_protection},
    {&kind_certificatesigningrequest, admit_csr_changes},
};

static const struct plugin looking[] = {
    {&kind_role, admit_role},
    {&kind_clusterrole, admit_role},
    {&kind_rolebinding, admit_binding},
    {&kind_clusterrolebinding, admit_binding},
    {&kind_node, admit_node},
    {&kind_certificatesigningrequest, admit_csr},
    {&kind_lease, admit_node_lease},
    {&kind_pod, admit_node_pod},
    {&kind_pod, admit_limits},
    {&kind_pod, admit_pod_security},
    {&kind_deployment, admit_template_security},
    {&kind_replicaset, admit_template_security},
    {&kind_replicationcontroller, admit_template_security},
    {&kind_statefulset, admit_template_security},
    {&kind_daemonset, admit_template_security},
    {&kind_job, admit_template_security},
    {&kind_priorityclass, admit_default_priority},
    {&kind_persistentvolumeclaim, admit_limits},
    {&kind_persistentvolumeclaim, admit_claim_resize},
    {NULL, admit_policies},
    {NULL, admit_quota}, /* last: only what nobody else refuses is counted */
};

static json_t *run(const struct plugin *plugins, size_t n, const struct admission *a)
{
    json_t *refusal = NULL;
    for (size_t i = 0; i < n && !refusal; i++)
        if (!plugins[i].kind || plugins[i].kind == a->kind)
            refusal = plugins[i].run(a);
    return refusal;
}

static int take_numbers(const struct admission *a, struct status_causes *causes, struct alloc_change *change,
                        struct err *err)
{
    if (a->kind == &kind_service)
        return alloc_service(a->server->alloc, a->doc, a->old, causes, change, err);
    if (a->kind == &kind_node && !a->old)
        return alloc_node(a->server->alloc, a->doc, change, err);
    return 0;
}

static json_t *check_rules(const struct admission *a, const struct kind *rules, struct alloc_change *change)
{
    struct status_causes causes = {0};
    struct err err;
    json_t *status = NULL;
    if (take_numbers(a, &causes, change, &err) < 0) {
        status = status_new(STATUS_INTERNAL, "Internal error occurred: %s", err.msg);
    } else {
        if (a->part == UPDATE_EPHEMERAL) {
            schema_validate_fields(a->kind, a->doc, a->old, &causes);
            pod_ephemeral_validate(a->doc, a->old, &causes);
        } else {
            schema_validate(rules, a->doc, a->old, &causes);
        }
        if (causes_any(&causes))
            status = status_invalid(a->kind->group, a->kind->kind, jstr_or(a->doc, "metadata.name", ""), &causes);
    }
    causes_done(&causes);
    return status;
}

static struct admission admission_of(struct request *r, json_t *doc, const json_t *old, enum update_part part)
{
    return (struct admission){.server = r->server,
                              .request = r,
                              .kind = r->kind,
                              .doc = doc,
                              .old = old,
                              .part = part,
                              .user = r->user,
                              .warnings = &r->warnings};
}

json_t *admit_change(struct request *r, json_t *doc, const json_t *old, enum update_part part)
{
    const struct admission a = admission_of(r, doc, old, part);
    return run(changing, ARRAY_LEN(changing), &a);
}

json_t *admit_decide(struct request *r, json_t *doc, const json_t *old, enum update_part part,
                     struct alloc_change *change)
{
    const struct admission a = admission_of(r, doc, old, part);
    if (part == UPDATE_MAIN && r->kind->prepare)
        r->kind->prepare(doc, old);
    json_t *status = check_rules(&a, r->rules, change);
    if (!status)
        status = run(looking, ARRAY_LEN(looking), &a);
    if (status)
        alloc_rollback(change);
    return status;
}

void release_numbers(struct server *s, const struct kind *k, const json_t *doc, struct alloc_change *change)
{
    if (k == &kind_service)
        alloc_service_deleted(s->alloc, doc, change);
    if (k == &kind_node)
        alloc_node_deleted(s->alloc, doc, change);
}
