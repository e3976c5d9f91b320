/* See quota.h. Upstream: pkg/quota/v1/evaluator/core. */
#include "kinds/quota.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/podresources.h"
#include "kinds/podspec.h"

#define REQUESTS "requests."
#define LIMITS "limits."
#define UNSTATED_MAX 65536 /* names of containers in one message */
#define NANO 1000000000

/* Names without a prefix for kinds of core/v1; for the others there is count/PLURAL.GROUP. */
static const char *const counted_kinds[] = {"pods",    "services",   "replicationcontrollers", "resourcequotas",
                                            "secrets", "configmaps", "persistentvolumeclaims"};
static const char *const service_types[] = {"services.nodeports", "services.loadbalancers"};
static const char *const computes[] = {"cpu", "memory", "ephemeral-storage"};
#define CLASS_SUFFIX ".storageclass.storage.k8s.io/"

static bool one_of(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (streq(s, list[i]))
            return true;
    return false;
}
#define IN(s, list) one_of(s, list, ARRAY_LEN(list))

bool quota_is_whole(const char *resource)
{
    return IN(resource, counted_kinds) || IN(resource, service_types) || str_after(resource, "count/");
}

/* The compute resource behind a name and the side it is on; NULL when it is none. */
static const char *compute_name(const char *resource, const char **ret_side)
{
    const char *limit = str_after(resource, LIMITS), *request = str_after(resource, REQUESTS);
    const char *name = limit ? limit : request ? request : resource;
    *ret_side = limit ? "limits" : "requests";
    if (streq(name, "storage"))
        return NULL;
    if (IN(name, computes) || str_after(name, "hugepages-"))
        return name;
    return request && strchr(name, '/') ? name : NULL; /* extended resources */
}

bool quota_knows(const char *resource)
{
    const char *side;
    return quota_is_whole(resource) || streq(resource, REQUESTS "storage") || compute_name(resource, &side) ||
           strchr(resource, '/');
}

/* "gold.storageclass.storage.k8s.io/requests.storage": the class and what follows; false for other names. */
static bool of_storage_class(const char *resource, size_t *ret_class_len, const char **ret_rest)
{
    const char *suffix = strstr(resource, CLASS_SUFFIX);
    if (!suffix)
        return false;
    *ret_class_len = (size_t)(suffix - resource);
    *ret_rest = suffix + strlen(CLASS_SUFFIX);
    return true;
}

static bool is_claim(const struct kind *k)
{
    return !*k->group && streq(k->plural, "persistentvolumeclaims");
}

bool quota_reads(const struct kind *k)
{
    return k == &kind_pod || k == &kind_service || is_claim(k);
}

bool quota_counts(const char *resource, const struct kind *k)
{
    const char *side, *counted = str_after(resource, "count/"), *rest;
    size_t len;
    if (counted) {
        char name[256];
        snprintf(name, sizeof(name), "%s%s%s", k->plural, *k->group ? "." : "", k->group);
        return streq(counted, name);
    }
    if (!*k->group && streq(resource, k->plural))
        return IN(resource, counted_kinds);
    if (k == &kind_service)
        return IN(resource, service_types);
    if (is_claim(k))
        return streq(resource, REQUESTS "storage") || of_storage_class(resource, &len, &rest);
    return k == &kind_pod && !of_storage_class(resource, &len, &rest) && compute_name(resource, &side);
}

/* --- scopes --- */

static bool is_terminating(const json_t *pod)
{
    return jint(pod, "spec.activeDeadlineSeconds", -1) >= 0;
}

static bool names_namespaces(const json_t *terms, const char *inner)
{
    size_t i;
    json_t *term;
    json_array_foreach((json_t *)terms, i, term) {
        const json_t *t = inner ? jget(term, inner) : term;
        if (json_array_size(jget(t, "namespaces")) || jget(t, "namespaceSelector"))
            return true;
    }
    return false;
}

static bool crosses_namespaces(const json_t *pod)
{
    static const char *const kinds[] = {"podAffinity", "podAntiAffinity"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const json_t *a = jget(jget(pod, "spec.affinity"), kinds[i]);
        if (names_namespaces(jget(a, "requiredDuringSchedulingIgnoredDuringExecution"), NULL) ||
            names_namespaces(jget(a, "preferredDuringSchedulingIgnoredDuringExecution"), "podAffinityTerm"))
            return true;
    }
    return false;
}

static bool has_value(const json_t *values, const char *s)
{
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)values, i, v)
        if (streq(str_or(json_string_value(v), ""), s))
            return true;
    return false;
}

static bool class_matches(const char *op, const json_t *values, const json_t *pod)
{
    const char *name = jstr_or(pod, "spec.priorityClassName", "");
    if (streq(op, "Exists"))
        return *name;
    if (streq(op, "DoesNotExist"))
        return !*name;
    return streq(op, "NotIn") ? !has_value(values, name) : *name && has_value(values, name);
}

static bool in_scope(const char *scope, const char *op, const json_t *values, const json_t *pod)
{
    if (streq(scope, "Terminating"))
        return is_terminating(pod);
    if (streq(scope, "NotTerminating"))
        return !is_terminating(pod);
    if (streq(scope, "BestEffort"))
        return streq(pod_qos_class(pod), "BestEffort");
    if (streq(scope, "NotBestEffort"))
        return !streq(pod_qos_class(pod), "BestEffort");
    if (streq(scope, "PriorityClass"))
        return class_matches(op, values, pod);
    return streq(scope, "CrossNamespacePodAffinity") && crosses_namespaces(pod);
}

bool quota_covers(const json_t *quota, const struct kind *k, const json_t *obj)
{
    const json_t *scopes = jget(quota, "spec.scopes"), *selector = jget(quota, "spec.scopeSelector.matchExpressions");
    size_t i;
    json_t *item;
    if (k != &kind_pod)
        return !json_array_size(scopes) && !json_array_size(selector);
    json_array_foreach((json_t *)scopes, i, item)
        if (!in_scope(str_or(json_string_value(item), ""), "Exists", NULL, obj))
            return false;
    json_array_foreach((json_t *)selector, i, item)
        if (!in_scope(jstr_or(item, "scopeName", ""), jstr_or(item, "operator", ""), jget(item, "values"), obj))
            return false;
    return true;
}

/* --- amounts --- */

static struct quantity whole(int64_t n)
{
    return (struct quantity){.nano = (quantity_nano)n * NANO};
}

static bool is_over(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return streq(phase, "Succeeded") || streq(phase, "Failed");
}

static struct quantity pod_usage(const char *resource, const json_t *pod)
{
    struct quantity q = {0};
    const char *side, *name = compute_name(resource, &side);
    if (is_over(pod))
        return q;
    if (!name)
        return whole(1);
    pod_resource(pod, side, name, &q);
    return q;
}

static struct quantity service_usage(const char *resource, const json_t *service)
{
    const char *type = jstr_or(service, "spec.type", "");
    bool balanced = streq(type, "LoadBalancer");
    if (streq(resource, "services.loadbalancers"))
        return whole(balanced);
    if (balanced && !jbool(service, "spec.allocateLoadBalancerNodePorts", true))
        return whole(0);
    return whole(balanced || streq(type, "NodePort") ? (int64_t)json_array_size(jget(service, "spec.ports")) : 0);
}

static struct quantity claim_usage(const char *resource, const json_t *claim)
{
    size_t len;
    const char *rest = resource, *class = jstr_or(claim, "spec.storageClassName", "");
    if (of_storage_class(resource, &len, &rest) && (strlen(class) != len || memcmp(class, resource, len) != 0))
        return whole(0);
    struct quantity q = {0};
    if (!streq(rest, REQUESTS "storage"))
        return whole(1);
    resource_amount(jget(claim, "spec.resources.requests"), "storage", &q);
    return q;
}

struct quantity quota_usage(const char *resource, const struct kind *k, const json_t *obj)
{
    if (!quota_counts(resource, k))
        return whole(0);
    if (str_after(resource, "count/"))
        return whole(1);
    if (k == &kind_pod)
        return pod_usage(resource, obj);
    if (k == &kind_service && IN(resource, service_types))
        return service_usage(resource, obj);
    return is_claim(k) ? claim_usage(resource, obj) : whole(1);
}

/* --- what must be stated --- */

static void list_silent(struct buf *b, const json_t *containers, const char *side, const char *name)
{
    size_t i;
    json_t *container;
    struct quantity q;
    json_array_foreach((json_t *)containers, i, container)
        if (!resource_amount(jget(jget(container, "resources"), side), name, &q))
            buf_addf(b, "%s%s", b->len ? "," : "", jstr_or(container, "name", ""));
}

char *quota_unstated(const json_t *quota, const json_t *pod)
{
    /* In the order in which they are told. */
    static const char *const wanted[] = {"cpu",    "limits.cpu",   "limits.memory",
                                         "memory", "requests.cpu", "requests.memory"};
    struct buf all = BUF_INIT(UNSTATED_MAX);
    for (size_t i = 0; i < ARRAY_LEN(wanted) && !is_over(pod); i++) {
        struct buf silent = BUF_INIT(UNSTATED_MAX);
        const char *side, *name = compute_name(wanted[i], &side);
        if (json_object_get(jget(quota, "spec.hard"), wanted[i]) && !jget(pod, "spec.resources")) {
            list_silent(&silent, jget(pod, "spec.containers"), side, name);
            list_silent(&silent, jget(pod, "spec.initContainers"), side, name);
        }
        if (silent.len)
            buf_addf(&all, "%s%s for: %s", all.len ? "; " : "", wanted[i], buf_str(&silent));
        buf_done(&silent);
    }
    char *text = all.len ? xstrdup(buf_str(&all)) : NULL;
    buf_done(&all);
    return text;
}
