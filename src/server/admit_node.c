/* A node changes nothing but itself, and of itself not what decides which pods come to it. Rules: KEP-279, plug-in
 * NodeRestriction (plugin/pkg/admission/noderestriction). Parts of this program are told by the operator what labels
 * and taints their node has; agents elsewhere are not to be believed. */
#include <string.h>

#include "base/str.h"
#include "server/admit.h"
#include "server/authz.h"

/* Labels of the groups kubernetes.io and k8s.io that an agent may set. */
static const char *const own_labels[] = {
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
};

/* The domain is this one, or below it. */
static bool in_domain(const char *key, const char *domain)
{
    const char *slash = strchr(key, '/');
    size_t len = slash ? (size_t)(slash - key) : 0, n = strlen(domain);
    return len >= n && strncmp(key + len - n, domain, n) == 0 && (len == n || key[len - n - 1] == '.');
}

static bool may_set(const char *key)
{
    if (in_domain(key, "node-restriction.kubernetes.io"))
        return false;
    if (!in_domain(key, "kubernetes.io") && !in_domain(key, "k8s.io"))
        return true;
    if (in_domain(key, "kubelet.kubernetes.io") || in_domain(key, "node.kubernetes.io"))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(own_labels); i++)
        if (streq(own_labels[i], key))
            return true;
    return false;
}

static void find_changed(struct buf *out, const json_t *labels, const json_t *others, bool only_gone)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)labels, key, value) {
        const json_t *other = json_object_get(others, key);
        if (!may_set(key) && (only_gone ? !other : !other || !json_equal(value, other)))
            buf_addf(out, "%s%s", out->len ? ", " : "", key);
    }
}

static json_t *check_labels(const struct admission *a)
{
    struct buf keys = BUF_INIT(0);
    const json_t *labels = jget(a->doc, "metadata.labels"), *before = jget(a->old, "metadata.labels");
    find_changed(&keys, labels, before, false);
    find_changed(&keys, before, labels, true);
    const char *verb = a->old ? "modify labels" : "set the following labels";
    json_t *status = keys.len ? admission_forbidden(a, "is not allowed to %s: %s", verb, buf_str(&keys)) : NULL;
    buf_done(&keys);
    return status;
}

static bool same_taints(const json_t *doc, const json_t *old)
{
    const json_t *a = jget(doc, "spec.taints"), *b = jget(old, "spec.taints");
    return (!json_array_size(a) && !json_array_size(b)) || (a && b && json_equal(a, b));
}

json_t *admit_node(const struct admission *a)
{
    const json_t *doc = a->doc, *old = a->old;
    const char *node = node_of_user(a->user), *name = jstr_or(doc, "metadata.name", "");
    _cleanup_free_ char *why = NULL;
    if (!node)
        return NULL;
    if (!streq(node, name))
        why = xasprintf("node \"%s\" is not allowed to modify node \"%s\"", node, name);
    else if (old && !a->user->in_process && !same_taints(doc, old))
        why = xasprintf("node \"%s\" is not allowed to modify taints", node);
    if (why)
        return admission_forbidden(a, "%s", why);
    return a->user->in_process ? NULL : check_labels(a);
}

json_t *admit_node_lease(const struct admission *a)
{
    const char *node = node_of_user(a->user);
    if (!node || streq(jstr_or(a->doc, "metadata.name", ""), node))
        return NULL;
    return admission_forbidden(a, "can only access node lease with the same name as the requesting node");
}

json_t *admit_node_pod(const struct admission *a)
{
    const json_t *doc = a->doc, *old = a->old;
    if (!node_of_user(a->user) || !old)
        return NULL;
    const json_t *labels = jget(doc, "metadata.labels"), *before = jget(old, "metadata.labels");
    bool same = labels && before ? json_equal(labels, before) : labels == before;
    return same ? NULL : admission_forbidden(a, "cannot update labels through pod status");
}
