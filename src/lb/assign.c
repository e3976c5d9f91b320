/* Writes status.loadBalancer: each Service of type LoadBalancer that asks for no other implementation gets an address
 * of the pool, or stays pending with an Event that says why. Wording of Events: k8s.io/cloud-provider,
 * controllers/service. */
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "lb/lb.h"

struct assign {
    struct lb_pool *pool;
    struct informer *services;
    struct map pending; /* owners that wait for an address, in order */
    bool filled;        /* the pool knows what the Services have from before */
};

static bool is_ours(const json_t *service)
{
    return streq(jstr_or(service, "spec.type", ""), "LoadBalancer") && !jstr(service, "spec.loadBalancerClass") &&
           !jget(service, "metadata.deletionTimestamp");
}

/* family 0: none. */
static struct ip address_of(const json_t *service)
{
    struct ip ip = {0};
    const char *text = jstr(json_array_get(jget(service, "status.loadBalancer.ingress"), 0), "ip");
    if (!text || !ip_parse(text, &ip))
        ip.family = 0;
    return ip;
}

static char *owner_of(const char *ns, const char *name)
{
    return xasprintf("%s/%s", ns, name);
}

/* Before the first address is given away, all that are out are known. */
static void fill(struct assign *a)
{
    void *cursor = NULL;
    if (a->filled)
        return;
    a->filled = true;
    for (struct object *o; (o = informer_next(a->services, NULL, &cursor));) {
        _cleanup_json_ json_t *service = object_json(o);
        _cleanup_free_ char *owner = owner_of(o->ns, o->name);
        struct ip ip = address_of(service);
        if (is_ours(service))
            (void)lb_pool_take(a->pool, &ip, owner);
    }
}

/* Those that wait try again. */
static void addresses_came_back(struct controller *c, struct assign *a)
{
    for (struct map_entry *e = NULL; (e = map_next(&a->pending, e));) {
        const char *slash = strchr(e->key, '/');
        _cleanup_free_ char *ns = xstrndup(e->key, (size_t)(slash - e->key));
        controller_enqueue(c, ns, slash + 1);
    }
}

static void give_back(struct controller *c, struct assign *a, const char *owner, const struct ip *keep,
                      const struct ip *keep_too)
{
    if (lb_pool_release(a->pool, owner, keep, keep_too))
        addresses_came_back(c, a);
}

/* ip NULL: none. Says whether there was anything to write. */
static bool write_address(struct controller *c, const json_t *service, const struct ip *ip)
{
    char text[IP_TEXT_SIZE];
    const json_t *before = jget(service, "status.loadBalancer.ingress");
    _cleanup_json_ json_t *ingress =
        ip ? json_pack("[{s:s, s:s}]", "ip", ip_format(ip, text), "ipMode", "VIP") : json_null();
    if (ip ? json_equal(before, ingress) : !before)
        return false;
    _cleanup_json_ json_t *patch = json_pack("{s:{s:{s:O}}}", "status", "loadBalancer", "ingress", ingress);
    controller_patch(c, &kind_service, jstr(service, "metadata.namespace"), jstr(service, "metadata.name"), "status",
                     PATCH_MERGE, patch);
    return true;
}

/* The address the Service shall have; false: none, and err says why. */
static bool find_address(struct assign *a, const json_t *service, const char *owner, const struct ip *now,
                         struct ip *ret, struct err *err)
{
    const char *wish = jstr_or(service, "spec.loadBalancerIP", "");
    if (!*wish) {
        *ret = *now;
        if (lb_pool_take(a->pool, now, owner) || lb_pool_next(a->pool, owner, ret))
            return true;
        err_set(err, 0, "all %zu addresses of the pool are in use", lb_pool_size(a->pool));
        return false;
    }
    if (ip_parse(wish, ret) && lb_pool_take(a->pool, ret, owner))
        return true;
    const char *holder = ip_parse(wish, ret) ? lb_pool_holder(a->pool, ret) : NULL;
    if (holder)
        err_set(err, 0, "spec.loadBalancerIP %s is in use by Service %s", wish, holder);
    else
        err_set(err, 0, "spec.loadBalancerIP %s is not in the pool", wish);
    return false;
}

static void reconcile_ours(struct controller *c, struct assign *a, const json_t *service, const char *owner)
{
    struct ip now = address_of(service), ip;
    struct err err;
    if (!find_address(a, service, owner, &now, &ip, &err)) {
        map_put(&a->pending, owner, a);
        controller_event(c, service, "Warning", "SyncLoadBalancerFailed",
                         "Error syncing load balancer: failed to ensure load balancer: %s", err.msg);
        give_back(c, a, owner, &now, NULL);
        write_address(c, service, NULL);
        return;
    }
    map_del(&a->pending, owner);
    give_back(c, a, owner, &ip, &now); /* the old one is free when nobody sees it any more */
    if (write_address(c, service, &ip))
        controller_event(c, service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer");
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct assign *a = controller_state(c);
    struct object *o = informer_get(a->services, ns, name);
    _cleanup_json_ json_t *service = o ? object_json(o) : NULL;
    _cleanup_free_ char *owner = owner_of(ns, name);
    fill(a);
    if (service && is_ours(service)) {
        reconcile_ours(c, a, service, owner);
        return;
    }
    map_del(&a->pending, owner);
    give_back(c, a, owner, NULL, NULL);
    if (service && !streq(jstr_or(service, "spec.type", ""), "LoadBalancer"))
        write_address(c, service, NULL);
}

static void *start(struct controller *c)
{
    struct assign *a = NEW(struct assign);
    a->pool = controller_config(c);
    a->services = controller_informer(c, &kind_service);
    return a;
}

static void stop(void *state)
{
    struct assign *a = state;
    map_done(&a->pending);
    free(a);
}

static const struct controller_watch watches[] = {{&kind_service, NULL}, {NULL, NULL}};

const struct controller_def lb_controller = {
    .name = "service-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
};
