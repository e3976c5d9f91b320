/* See status.h. */
#include "lb/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

/* A Service with it has been given addresses, or will be, and goes when they are taken back. */
#define CLEANUP "service.kubernetes.io/load-balancer-cleanup"

bool lb_is_ours(const json_t *service)
{
    return streq(jstr_or(service, "spec.type", ""), "LoadBalancer") && !jstr(service, "spec.loadBalancerClass") &&
           !jget(service, "metadata.deletionTimestamp");
}

static char *owner_of(const char *ns, const char *name)
{
    return xasprintf("%s/%s", ns, name);
}

/* --- families --- */

const char *lb_family_name(int family)
{
    return family == AF_INET6 ? "IPv6" : "IPv4";
}

int lb_families(const json_t *service, int ret[FAMILIES_MAX])
{
    size_t i;
    json_t *family;
    int n = 0;
    json_array_foreach(jget(service, "spec.ipFamilies"), i, family)
        if (n < FAMILIES_MAX)
            ret[n++] = streq(str_or(json_string_value(family), ""), "IPv6") ? AF_INET6 : AF_INET;
    if (!n)
        ret[n++] = AF_INET; /* of before there were families */
    return n;
}

/* --- writing --- */

static void tell_attempt(struct controller *c, const json_t *service)
{
    controller_event(c, service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer");
}

/* False: they are what they were. */
static bool write_addresses(struct controller *c, const json_t *service, const struct ip *ips, size_t n)
{
    const json_t *before = jget(service, "status.loadBalancer.ingress");
    _cleanup_json_ json_t *ingress = n ? json_array() : json_null();
    for (size_t i = 0; i < n; i++) {
        char text[IP_TEXT_SIZE];
        json_array_append_new(ingress, json_pack("{s:s, s:s}", "ip", ip_format(&ips[i], text), "ipMode", "VIP"));
    }
    if (n ? json_equal(before, ingress) : !before)
        return false;
    _cleanup_json_ json_t *patch = json_pack("{s:{s:{s:O}}}", "status", "loadBalancer", "ingress", ingress);
    if (n)
        tell_attempt(c, service);
    controller_patch(c, &kind_service, jstr(service, "metadata.namespace"), jstr(service, "metadata.name"), "status",
                     PATCH_MERGE, patch);
    if (n)
        controller_event(c, service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer");
    return true;
}

static bool has_cleanup(const json_t *service)
{
    size_t i;
    const json_t *item;
    json_array_foreach(jget(service, "metadata.finalizers"), i, item)
        if (streq(str_or(json_string_value(item), ""), CLEANUP))
            return true;
    return false;
}

static void set_cleanup(struct controller *c, const json_t *service, bool wanted)
{
    _cleanup_json_ json_t *list = json_array();
    size_t i;
    json_t *item;
    json_array_foreach(jget(service, "metadata.finalizers"), i, item)
        if (!streq(str_or(json_string_value(item), ""), CLEANUP))
            json_array_append(list, item);
    if (wanted)
        json_array_append_new(list, json_string(CLEANUP));
    _cleanup_json_ json_t *patch = json_pack("{s:{s:O, s:s}}", "metadata", "finalizers", list, "resourceVersion",
                                             jstr_or(service, "metadata.resourceVersion", ""));
    controller_patch(c, &kind_service, jstr(service, "metadata.namespace"), jstr(service, "metadata.name"), NULL,
                     PATCH_MERGE, patch);
}

static void tell_failure(struct controller *c, const json_t *service, const char *why)
{
    tell_attempt(c, service);
    controller_event(c, service, "Warning", "SyncLoadBalancerFailed",
                     "Error syncing load balancer: failed to ensure load balancer: %s", why);
}

/* --- reconciling --- */

void lb_common_init(struct lb_common *s, struct controller *c)
{
    s->services = controller_informer(c, &kind_service);
}

void lb_common_done(struct lb_common *s)
{
    map_done(&s->waiting);
}

static void fill(struct lb_common *s, const struct lb_way *way)
{
    void *cursor = NULL;
    if (s->filled)
        return;
    s->filled = true;
    for (struct object *o; (o = informer_next(s->services, NULL, &cursor));) {
        _cleanup_json_ json_t *service = object_json(o);
        _cleanup_free_ char *owner = owner_of(o->ns, o->name);
        if (lb_is_ours(service))
            way->remember(s, service, owner);
    }
}

static void wake_waiting(struct controller *c, const struct lb_common *s)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->waiting, e));) {
        const char *slash = strchr(e->key, '/');
        _cleanup_free_ char *ns = xstrndup(e->key, (size_t)(slash - e->key));
        controller_enqueue(c, ns, slash + 1);
    }
}

static void give(struct controller *c, const struct lb_way *way, const json_t *service, const char *owner)
{
    struct lb_common *s = controller_state(c);
    _cleanup_free_ struct ip *ips = NULL;
    size_t n = 0;
    bool freed = false;
    struct err err;
    if (way->find(s, service, owner, &ips, &n, &freed, &err)) {
        map_del(&s->waiting, owner);
    } else {
        map_put(&s->waiting, owner, s);
        tell_failure(c, service, err.msg);
        n = 0;
    }
    if (freed)
        wake_waiting(c, s);
    write_addresses(c, service, ips, n);
}

/* It is no LoadBalancer any more, or deleted. */
static void take_back(struct controller *c, const json_t *service)
{
    bool other_type = !streq(jstr_or(service, "spec.type", ""), "LoadBalancer");
    if ((other_type && write_addresses(c, service, NULL, 0)) || !has_cleanup(service))
        return;
    controller_event(c, service, "Normal", "DeletingLoadBalancer", "Deleting load balancer");
    set_cleanup(c, service, false);
    controller_event(c, service, "Normal", "DeletedLoadBalancer", "Deleted load balancer");
}

void lb_reconcile(struct controller *c, const struct lb_way *way, const char *ns, const char *name)
{
    struct lb_common *s = controller_state(c);
    struct object *o = informer_get(s->services, ns, name);
    _cleanup_json_ json_t *service = o ? object_json(o) : NULL;
    _cleanup_free_ char *owner = owner_of(ns, name);
    fill(s, way);
    if (service && lb_is_ours(service)) {
        if (has_cleanup(service))
            give(c, way, service, owner);
        else
            set_cleanup(c, service, true);
        return;
    }
    map_del(&s->waiting, owner);
    if (way->release(s, owner))
        wake_waiting(c, s);
    if (service)
        take_back(c, service);
}
