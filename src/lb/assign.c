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
    struct lb_common common;
    struct lb_pool *pool;
};

/* Those it has: the first of each family. */
static struct ips addresses_of(const json_t *service)
{
    struct ips ips = {0};
    size_t i;
    json_t *ingress;
    json_array_foreach(jget(service, "status.loadBalancer.ingress"), i, ingress) {
        struct ip ip;
        if (ips.n < FAMILIES_MAX && ip_parse(jstr_or(ingress, "ip", ""), &ip) && !ips_of(&ips, ip.family))
            ips.ip[ips.n++] = ip;
    }
    return ips;
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

/* The addresses asked for, at most one a family, and the field that they are in. */
static bool read_wish(const json_t *service, struct ips *ret, const char **ret_field, struct err *err)
{
    const char *annotated = annotation(service, wanted_ips),
               *text = annotated ? annotated : jstr_or(service, "spec.loadBalancerIP", "");
    *ret_field = annotated ? wanted_ips[0] : "spec.loadBalancerIP";
    *ret = (struct ips){0};
    if (!*text || ips_parse(text, ret))
        return true;
    err_set(err, 0, "%s %s is not in the pool", *ret_field, text);
    return false;
}

/* --- giving --- */

static void remember(void *state, const json_t *service, const char *owner)
{
    struct assign *a = state;
    const struct ips had = addresses_of(service);
    _cleanup_(sharing_done) struct sharing sharing;
    sharing_read(service, &sharing);
    for (int i = 0; i < had.n; i++)
        (void)lb_pool_take(a->pool, &had.ip[i], owner, &sharing.share);
}

static bool take_wish(struct assign *a, const struct ip *ip, const char *field, const char *owner,
                      const struct lb_share *share, struct err *err)
{
    char text[IP_TEXT_SIZE];
    if (lb_pool_take(a->pool, ip, owner, share))
        return true;
    const char *holder = lb_pool_holder(a->pool, ip);
    if (holder)
        err_set(err, 0, "%s %s is in use by Service %s", field, ip_format(ip, text), holder);
    else
        err_set(err, 0, "%s %s is not in the pool", field, ip_format(ip, text));
    return false;
}

/* One of the family, if possible the one it has. */
static bool take_any(struct assign *a, int family, const struct ips *now, const char *owner,
                     const struct lb_share *share, struct ip *ret, struct err *err)
{
    const struct ip *had = ips_of(now, family);
    if (had && lb_pool_take(a->pool, had, owner, share)) {
        *ret = *had;
        return true;
    }
    if (lb_pool_next(a->pool, family, owner, share, ret))
        return true;
    size_t size = lb_pool_size(a->pool, family);
    bool only = size == lb_pool_size(a->pool, AF_INET) + lb_pool_size(a->pool, AF_INET6);
    err_set(err, 0, "all %zu%s%s addresses of the pool are in use", size, only ? "" : " ",
            only ? "" : lb_family_name(family));
    return false;
}

/* An address of each of its families that the pool has. */
static bool take_all(struct assign *a, const json_t *service, const char *owner, const struct ips *now, struct ips *ret,
                     struct err *err)
{
    int families[FAMILIES_MAX], n = lb_families(service, families);
    const char *field;
    struct ips wish;
    _cleanup_(sharing_done) struct sharing sharing;
    sharing_read(service, &sharing);
    *ret = (struct ips){0};
    if (!read_wish(service, &wish, &field, err))
        return false;
    for (int i = 0; i < n; i++) {
        const struct ip *wanted = ips_of(&wish, families[i]);
        struct ip ip = wanted ? *wanted : (struct ip){0};
        if (!wanted && !lb_pool_size(a->pool, families[i]))
            continue;
        if (wanted ? !take_wish(a, wanted, field, owner, &sharing.share, err)
                   : !take_any(a, families[i], now, owner, &sharing.share, &ip, err))
            return false;
        ret->ip[ret->n++] = ip;
    }
    if (!ret->n)
        err_set(err, 0, "the pool has no %s addresses", lb_family_name(families[0]));
    return ret->n;
}

static bool find(void *state, const json_t *service, const char *owner, struct ip **ret, size_t *ret_n, bool *freed,
                 struct err *err)
{
    struct assign *a = state;
    const struct ips now = addresses_of(service);
    struct ips ips;
    *freed = lb_pool_release(a->pool, owner, &now, NULL); /* what it has is taken back when nobody sees it any more */
    bool found = take_all(a, service, owner, &now, &ips, err);
    if (!found)
        (void)lb_pool_release(a->pool, owner, &now, NULL);
    *ret = xmemdup(ips.ip, sizeof(ips.ip));
    *ret_n = found ? (size_t)ips.n : 0;
    return found;
}

static bool release(void *state, const char *owner)
{
    return lb_pool_release(((struct assign *)state)->pool, owner, NULL, NULL);
}

/* --- the controller --- */

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    static const struct lb_way way = {remember, find, release};
    lb_reconcile(c, &way, ns, name);
}

static void *start(struct controller *c)
{
    struct assign *a = NEW(struct assign);
    lb_common_init(&a->common, c);
    a->pool = controller_config(c);
    return a;
}

static void stop(void *state)
{
    struct assign *a = state;
    lb_common_done(&a->common);
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
