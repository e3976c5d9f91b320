/* Each Service of type LoadBalancer that asks for no other implementation gets an address of the pool, or stays pending
 * with an Event that says why. */
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "lb/lb.h"
#include "lb/status.h"

struct assign {
    struct lb_pool *pool;
    struct informer *services;
    struct map pending; /* owners that wait for an address, in order */
    bool filled;        /* the pool knows what the Services have from before */
};

/* family 0: none. */
static struct ip address_of(const json_t *service)
{
    struct ip ip = {0};
    const char *text = jstr(json_array_get(jget(service, "status.loadBalancer.ingress"), 0), "ip");
    if (!text || !ip_parse(text, &ip))
        ip.family = 0;
    return ip;
}

/* --- what a Service asks for --- */

static const char *annotation(const json_t *service, const char *const *names)
{
    const char *text = NULL;
    for (; *names && !text; names++)
        text = json_string_value(json_object_get(jget(service, "metadata.annotations"), *names));
    return text && *text ? text : NULL;
}

/* MetalLB's annotations, in its new and its old spelling. */
static const char *const allow_shared[] = {"metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip", NULL};
static const char *const wanted_ips[] = {"metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs", NULL};

struct sharing {
    struct lb_share share;
    char *backends;
    uint32_t *ports;
};

static void sharing_done(struct sharing *s)
{
    free(s->backends);
    free(s->ports);
}

/* What the Service is ready to share, and with whom. */
static void sharing_read(const json_t *service, struct sharing *s)
{
    size_t i;
    json_t *port;
    const json_t *ports = jget(service, "spec.ports");
    bool local = streq(jstr_or(service, "spec.externalTrafficPolicy", ""), "Local");
    s->backends = local ? jprint_sorted(jget(service, "spec.selector")) : xstrdup("");
    s->ports = xcalloc(json_array_size(ports) + 1, sizeof(*s->ports));
    json_array_foreach((json_t *)ports, i, port)
        s->ports[i] = LB_SHARE_PORT(jstr_or(port, "protocol", "TCP")[0], jint(port, "port", 0));
    s->share = (struct lb_share){annotation(service, allow_shared), s->backends, s->ports, json_array_size(ports)};
}

/* Text of the address asked for, NULL: none; and the field that it is in. */
static const char *wish_of(const json_t *service, const char **ret_field)
{
    const char *annotated = annotation(service, wanted_ips), *field = jstr_or(service, "spec.loadBalancerIP", "");
    *ret_field = annotated ? wanted_ips[0] : "spec.loadBalancerIP";
    return annotated ? annotated : *field ? field : NULL;
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
        _cleanup_free_ char *owner = lb_owner(o->ns, o->name);
        struct ip ip = address_of(service);
        _cleanup_(sharing_done) struct sharing sharing;
        sharing_read(service, &sharing);
        if (lb_is_ours(service))
            (void)lb_pool_take(a->pool, &ip, owner, &sharing.share);
    }
}

static void give_back(struct controller *c, struct assign *a, const char *owner, const struct ip *keep,
                      const struct ip *keep_too)
{
    if (lb_pool_release(a->pool, owner, keep, keep_too))
        lb_enqueue_owners(c, &a->pending);
}

/* The pool's addresses are of IPv4. */
static bool has_ipv4(const json_t *service)
{
    size_t i;
    json_t *family;
    json_array_foreach(jget(service, "spec.ipFamilies"), i, family)
        if (streq(json_string_value(family), "IPv4"))
            return true;
    return i == 0;
}

/* The address the Service shall have; false: none, and err says why. */
static bool find_address(struct assign *a, const json_t *service, const char *owner, const struct ip *now,
                         struct ip *ret, struct err *err)
{
    const char *field, *wish = wish_of(service, &field);
    _cleanup_(sharing_done) struct sharing sharing;
    sharing_read(service, &sharing);
    if (!has_ipv4(service)) {
        err_set(err, 0, "the pool has no IPv6 addresses");
        return false;
    }
    if (!wish) {
        *ret = *now;
        if (lb_pool_take(a->pool, now, owner, &sharing.share) || lb_pool_next(a->pool, owner, &sharing.share, ret))
            return true;
        err_set(err, 0, "all %zu addresses of the pool are in use", lb_pool_size(a->pool));
        return false;
    }
    bool is_address = ip_parse(wish, ret);
    if (is_address && lb_pool_take(a->pool, ret, owner, &sharing.share))
        return true;
    const char *holder = is_address ? lb_pool_holder(a->pool, ret) : NULL;
    if (holder)
        err_set(err, 0, "%s %s is in use by Service %s", field, wish, holder);
    else
        err_set(err, 0, "%s %s is not in the pool", field, wish);
    return false;
}

static void reconcile_ours(struct controller *c, struct assign *a, const json_t *service, const char *owner)
{
    struct ip now = address_of(service), ip;
    struct err err;
    if (!find_address(a, service, owner, &now, &ip, &err)) {
        map_put(&a->pending, owner, a);
        lb_tell_failure(c, service, err.msg);
        give_back(c, a, owner, &now, NULL);
        lb_write(c, service, NULL, 0);
        return;
    }
    map_del(&a->pending, owner);
    give_back(c, a, owner, &ip, &now); /* the old one is free when nobody sees it any more */
    lb_write(c, service, &ip, 1);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct assign *a = controller_state(c);
    struct object *o = informer_get(a->services, ns, name);
    _cleanup_json_ json_t *service = o ? object_json(o) : NULL;
    _cleanup_free_ char *owner = lb_owner(ns, name);
    fill(a);
    if (service && lb_is_ours(service)) {
        reconcile_ours(c, a, service, owner);
        return;
    }
    map_del(&a->pending, owner);
    give_back(c, a, owner, NULL, NULL);
    if (service && !streq(jstr_or(service, "spec.type", ""), "LoadBalancer"))
        lb_write(c, service, NULL, 0);
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
