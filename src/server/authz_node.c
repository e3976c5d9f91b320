/* What a node may do: what pods that are bound to it need, and no more. Rules: KEP-279 (plug-ins Node and
 * NodeRestriction); that a node changes only itself, when the object is not named in the path, is guard_node.c's. */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "kinds/binding.h"
#include "server/authz.h"
#include "server/pipeline.h"

struct asked {
    const struct server *server;
    const char *node;
    const struct action *action;
};

typedef bool check_relation_fn(const struct asked *q);

/* --- relations between the node and an object --- */

static bool is_self(const struct asked *q)
{
    return streq(q->action->name, q->node);
}

static bool is_on_node(const struct object *pod, const char *node)
{
    _cleanup_json_ json_t *doc = object_json(pod);
    return streq(jstr_or(doc, "spec.nodeName", ""), node);
}

/* A pod that is gone is nobody's: the answer is that it is gone. */
static bool is_own_pod(const struct asked *q)
{
    const struct object *pod = store_latest(q->server->store, &kind_pod, q->action->ns, q->action->name);
    return !pod || is_on_node(pod, q->node);
}

/* Enforcing NetworkPolicies takes everybody's labels and addresses; where there are none, a node knows its own pods. */
static bool sees_pods(const struct asked *q)
{
    const char *node = str_after(q->action->fields, "spec.nodeName=");
    return (node && streq(node, q->node)) || store_count(q->server->store, &kind_networkpolicy, NULL) > 0;
}

/* Creating has no name in the path. */
static bool is_own_lease(const struct asked *q)
{
    return streq(q->action->ns, "kube-node-lease") && (streq(q->action->verb, "create") || is_self(q));
}

/* Members by which a pod names other objects, anywhere in its spec, and the member of those that holds the name. */
static const struct reference {
    const char *resource, *member, *name;
} references[] = {
    {"secrets", "secret", "secretName"},
    {"secrets", "secret", "name"},
    {"secrets", "secretRef", "name"},
    {"secrets", "secretKeyRef", "name"},
    {"secrets", "nodePublishSecretRef", "name"},
    {"secrets", "imagePullSecrets", "name"},
    {"configmaps", "configMap", "name"},
    {"configmaps", "configMapRef", "name"},
    {"configmaps", "configMapKeyRef", "name"},
};

static bool names(const json_t *value, const char *member, const struct action *a)
{
    for (size_t i = 0; i < ARRAY_LEN(references); i++)
        if (streq(references[i].member, member) && streq(references[i].resource, a->resource) &&
            streq(jstr_or(value, references[i].name, ""), a->name))
            return true;
    return false;
}

/* `member` is what value is called, or what the list that it is in is called. */
static bool refers(json_t *value, const char *member, const struct action *a)
{
    const char *key;
    size_t i;
    json_t *v;
    if (json_is_array(value))
        json_array_foreach(value, i, v)
            if (refers(v, member, a))
                return true;
    if (!json_is_object(value))
        return false;
    if (names(value, member, a))
        return true;
    json_object_foreach(value, key, v)
        if (refers(v, key, a))
            return true;
    return false;
}

struct search {
    const struct asked *asked;
    const char *name;
    char *quoted_node, *quoted_name;
    bool found;
};

static bool contains(const struct object *o, const char *text)
{
    return memmem(o->bytes, o->len, text, strlen(text)) != NULL;
}

/* A claim may be named by the pod, or after the pod. */
static bool mounts_claim(const json_t *pod, const char *claim)
{
    const json_t *volumes = jget(pod, "spec.volumes");
    for (size_t i = 0; i < json_array_size(volumes); i++) {
        _cleanup_free_ char *name = volume_claim_name(jstr_or(pod, "metadata.name", ""), json_array_get(volumes, i));
        if (name && streq(name, claim))
            return true;
    }
    return false;
}

/* Few pods mention both names: only those are parsed. */
static bool search_pod(void *arg, struct object *o)
{
    struct search *s = arg;
    const struct action *a = s->asked->action;
    bool is_claim = streq(a->resource, "persistentvolumeclaims");
    if (!contains(o, s->quoted_node) || (!is_claim && !contains(o, s->quoted_name)))
        return true;
    _cleanup_json_ json_t *doc = object_json(o);
    if (streq(jstr_or(doc, "spec.nodeName", ""), s->asked->node))
        s->found = is_claim                                ? mounts_claim(doc, a->name)
                   : streq(a->resource, "serviceaccounts") ? streq(jstr_or(doc, "spec.serviceAccountName", ""), a->name)
                                                           : refers(jget(doc, "spec"), "", a);
    return !s->found;
}

static bool is_used_by_own_pod(const struct asked *q)
{
    struct search s = {.asked = q};
    if (!*q->action->name || !*q->action->ns)
        return false;
    s.quoted_node = xasprintf("\"%s\"", q->node);
    s.quoted_name = xasprintf("\"%s\"", q->action->name);
    store_each(q->server->store, &kind_pod, q->action->ns, NULL, NULL, search_pod, &s);
    free(s.quoted_node);
    free(s.quoted_name);
    return s.found;
}

/* How DNS is configured, which every node must know (dns/follow.h): by name or by a selector of nothing else. */
static bool is_dns_configuration(const struct asked *q)
{
    static const char *const names[] = {"coredns", "kube-dns", "c8s-dns"};
    const struct action *a = q->action;
    for (size_t i = 0; i < ARRAY_LEN(names) && streq(a->resource, "configmaps"); i++) {
        const char *selected = str_after(a->fields, "metadata.namespace=kube-system,metadata.name=");
        if ((streq(a->ns, "kube-system") && streq(a->name, names[i])) || streq_or_null(selected, names[i]))
            return true;
    }
    return false;
}

static bool names_secret(const json_t *ingress, const char *name)
{
    size_t i;
    const json_t *tls;
    json_array_foreach(jget(ingress, "spec.tls"), i, tls)
        if (streq(jstr_or(tls, "secretName", ""), name))
            return true;
    return false;
}

static bool search_ingress(void *arg, struct object *o)
{
    struct search *s = arg;
    if (!contains(o, s->quoted_name))
        return true;
    _cleanup_json_ json_t *doc = object_json(o);
    s->found = names_secret(doc, s->name);
    return !s->found;
}

/* Beyond upstream: every node serves Ingresses (ingress/secrets.h), so it may see the Secrets that they name for it.
 * Only in lists of one name that let nothing through but certificates: who may write an Ingress must not
 * show nodes any other Secret by it. */
static bool is_ingress_certificate(const struct asked *q)
{
    const struct action *a = q->action;
    const char *from = str_after(a->fields, "metadata.name="), *comma = from ? strchr(from, ',') : NULL;
    if (!comma || !streq(comma, ",type=kubernetes.io/tls") || !streq(a->resource, "secrets") || !*a->ns || *a->name)
        return false;
    _cleanup_free_ char *name = xstrndup(from, (size_t)(comma - from)), *quoted = xasprintf("\"%s\"", name);
    struct search s = {.asked = q, .name = name, .quoted_name = quoted};
    store_each(q->server->store, &kind_ingress, a->ns, NULL, NULL, search_ingress, &s);
    return s.found;
}

static bool is_needed(const struct asked *q)
{
    return is_dns_configuration(q) || is_ingress_certificate(q) || is_used_by_own_pod(q);
}

/* The node's agent removes the directory of such a volume and then lets it go (node/localpath.c). */
static bool is_own_deleted_volume(const struct asked *q)
{
    struct object *o = store_latest(q->server->store, &kind_persistentvolume, "", q->action->name);
    struct object *n = store_latest(q->server->store, &kind_node, "", q->node);
    _cleanup_json_ json_t *volume = o ? object_json(o) : NULL, *node = n ? object_json(n) : NULL;
    return volume && node && jget(volume, "metadata.deletionTimestamp") && jget(volume, "spec.nodeAffinity") &&
           volume_reaches(volume, q->node, jget(node, "metadata.labels"));
}

/* --- the table --- */

#define READ "get list watch"

static const struct row {
    const char *verbs, *group, *resources; /* lists, separated by blanks */
    check_relation_fn *check;              /* NULL: any object */
} rows[] = {
    {READ, "", "services endpoints nodes namespaces", NULL},
    {READ, "discovery.k8s.io", "endpointslices", NULL},
    {READ, "networking.k8s.io", "networkpolicies", NULL},
    {"create", "", "nodes", NULL},
    {"update patch", "", "nodes nodes/status", is_self},
    {"get update", "", "nodes/rules", is_self},
    {"get delete", "", "pods", is_own_pod},
    {"list watch", "", "pods", sees_pods},
    {"update patch", "", "pods/status", is_own_pod},
    {"create", "", "pods/eviction", is_own_pod},
    {READ, "", "secrets configmaps persistentvolumeclaims", is_needed},
    {READ, "", "persistentvolumes", NULL},
    {"patch", "", "persistentvolumes", is_own_deleted_volume},
    {"create", "", "serviceaccounts/token", is_used_by_own_pod},
    {READ, "networking.k8s.io", "ingresses ingressclasses", NULL},
    {"create update patch", "", "events", NULL},
    {"create update patch", "events.k8s.io", "events", NULL},
    {"get create update patch delete", "coordination.k8s.io", "leases", is_own_lease},
    {READ " create", "certificates.k8s.io", "certificatesigningrequests", NULL},
    {READ, "storage.k8s.io", "csidrivers", NULL},
    {READ, "node.k8s.io", "runtimeclasses", NULL},
    {"create", "authentication.k8s.io", "tokenreviews", NULL},
    {"create", "authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews", NULL},
};

static bool listed(const char *list, const char *item)
{
    size_t len = strlen(item);
    while (*list) {
        size_t n = strcspn(list, " ");
        if (n == len && memcmp(list, item, n) == 0)
            return true;
        list += n + (list[n] == ' ');
    }
    return false;
}

bool node_allows(const struct server *s, const char *node, const struct action *a, char **ret_why)
{
    if (!a->is_resource)
        return false;
    const struct asked q = {s, node, a};
    _cleanup_free_ char *resource = xasprintf("%s%s%s", a->resource, *a->subresource ? "/" : "", a->subresource);
    for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++) {
        if (!streq(r->group, a->group) || !listed(r->verbs, a->verb) || !listed(r->resources, resource))
            continue;
        if (!r->check || r->check(&q))
            return true;
        *ret_why = xasprintf("no relationship found between node '%s' and this object", node);
        return false;
    }
    return false;
}
