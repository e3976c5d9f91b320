/* LoadBalancer Services without a pool: they get the addresses of the nodes, as with k3s's ServiceLB, so a port of all
 * nodes belongs to one Service. With externalTrafficPolicy Local only nodes that have a ready endpoint count. */
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/node.h"
#include "lb/lb.h"
#include "lb/status.h"

#define SERVICE_NAME "kubernetes.io/service-name"

struct claims {
    struct lb_common common; /* what is waited for are ports */
    const struct lb_node_ports *reserved;
    struct informer *nodes, *slices;
    struct map ports; /* "80/TCP" -> its owner */
};

/* --- ports --- */

static char *port_key(const json_t *port)
{
    return xasprintf("%d/%s", (int)jint(port, "port", 0), jstr_or(port, "protocol", "TCP"));
}

static bool is_reserved(const struct claims *s, const json_t *port)
{
    for (size_t i = 0; i < s->reserved->n; i++)
        if (s->reserved->ports[i] == jint(port, "port", 0) && streq(jstr_or(port, "protocol", "TCP"), "TCP"))
            return true;
    return false;
}

static bool has_port(const json_t *ports, const char *wanted)
{
    size_t i;
    json_t *port;
    json_array_foreach((json_t *)ports, i, port) {
        _cleanup_free_ char *key = port_key(port);
        if (streq(key, wanted))
            return true;
    }
    return false;
}

/* All but those in `keep` (NULL: none). Returns how many were given back. */
static size_t release_ports(struct claims *s, const char *owner, const json_t *keep)
{
    size_t n = 0;
    for (struct map_entry *e = NULL; (e = map_next(&s->ports, e));) {
        if (!streq(e->value, owner) || has_port(keep, e->key))
            continue;
        free(map_del(&s->ports, e->key));
        n++;
    }
    return n;
}

static int check_port(const struct claims *s, const json_t *port, const char *key, const char *owner, struct err *err)
{
    const char *holder = map_get(&s->ports, key);
    if (is_reserved(s, port))
        return err_set(err, 0, "port %s of the nodes is the cluster's own", key);
    return !holder || streq(holder, owner)
               ? 0
               : err_set(err, 0, "port %s of the nodes is in use by Service %s", key, holder);
}

/* All or none. */
static int claim_ports(struct claims *s, const json_t *service, const char *owner, struct err *err)
{
    size_t i;
    json_t *port, *ports = jget(service, "spec.ports");
    json_array_foreach(ports, i, port) {
        _cleanup_free_ char *key = port_key(port);
        if (check_port(s, port, key, owner, err) < 0)
            return -1;
    }
    json_array_foreach(ports, i, port) {
        _cleanup_free_ char *key = port_key(port);
        if (!map_get(&s->ports, key))
            map_put(&s->ports, key, xstrdup(owner));
    }
    return 0;
}

static void remember(void *state, const json_t *service, const char *owner)
{
    struct err ignored;
    if (jget(service, "status.loadBalancer.ingress"))
        (void)claim_ports(state, service, owner, &ignored);
}

/* --- addresses --- */

static bool names_node(const json_t *slice, const char *node)
{
    size_t i;
    json_t *endpoint;
    json_array_foreach(jget(slice, "endpoints"), i, endpoint) {
        if (jbool(endpoint, "conditions.ready", true) && streq(jstr_or(endpoint, "nodeName", ""), node))
            return true;
    }
    return false;
}

static bool has_endpoint(const struct claims *s, const char *ns, const char *name, const char *node)
{
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(s->slices, ns, &cursor));) {
        if (!streq(str_or(object_label(o, SERVICE_NAME), ""), name))
            continue;
        _cleanup_json_ json_t *slice = object_json(o);
        if (names_node(slice, node))
            return true;
    }
    return false;
}

static bool find_address(const json_t *node, const char *type, int family, struct ip *ret)
{
    size_t i;
    json_t *address;
    json_array_foreach(jget(node, "status.addresses"), i, address)
        if (streq(jstr_or(address, "type", ""), type) && ip_parse(jstr_or(address, "address", ""), ret) &&
            ret->family == family)
            return true;
    return false;
}

/* The one that is reached from further away, if there is one. */
static bool node_address(const json_t *node, int family, struct ip *ret)
{
    return find_address(node, "ExternalIP", family, ret) || find_address(node, "InternalIP", family, ret);
}

static int by_address(const void *a, const void *b)
{
    return ip_compare(a, b);
}

static size_t find_addresses(const struct claims *s, const json_t *service, int family, struct ip *ret)
{
    const char *ns = jstr(service, "metadata.namespace"), *name = jstr(service, "metadata.name");
    bool local = streq(jstr_or(service, "spec.externalTrafficPolicy", ""), "Local");
    void *cursor = NULL;
    size_t n = 0;
    for (struct object *o; (o = informer_next(s->nodes, NULL, &cursor));) {
        _cleanup_json_ json_t *node = object_json(o);
        if (node_takes_traffic(node) && (!local || has_endpoint(s, ns, name, o->name)) &&
            node_address(node, family, &ret[n]))
            n++;
    }
    qsort(ret, n, sizeof(*ret), by_address);
    return n;
}

/* --- the controller --- */

static bool find(void *state, const json_t *service, const char *owner, struct ip **ret, size_t *ret_n, bool *freed,
                 struct err *err)
{
    struct claims *s = state;
    int families[FAMILIES_MAX], n_families = lb_families(service, families);
    bool claimed = claim_ports(s, service, owner, err) == 0;
    *freed = release_ports(s, owner, claimed ? jget(service, "spec.ports") : NULL);
    *ret = xcalloc(FAMILIES_MAX * informer_count(s->nodes) + 1, sizeof(**ret));
    for (int i = 0; claimed && i < n_families; i++)
        *ret_n += find_addresses(s, service, families[i], *ret + *ret_n);
    return claimed;
}

static bool release(void *state, const char *owner)
{
    return release_ports(state, owner, NULL);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    static const struct lb_way way = {remember, find, release};
    lb_reconcile(c, &way, ns, name);
}

/* Nodes change their conditions seldom: their heartbeats are Leases. */
static void on_node(struct controller *c, struct object *o)
{
    const struct claims *s = controller_state(c);
    void *cursor = NULL;
    (void)o;
    for (struct object *service; (service = informer_next(s->common.services, NULL, &cursor));)
        if (strstr(service->bytes, "\"LoadBalancer\""))
            controller_enqueue(c, service->ns, service->name);
}

static void on_slice(struct controller *c, struct object *o)
{
    const char *name = object_label(o, SERVICE_NAME);
    if (name)
        controller_enqueue(c, o->ns, name);
}

static void *start(struct controller *c)
{
    struct claims *s = NEW(struct claims);
    lb_common_init(&s->common, c);
    s->reserved = controller_config(c);
    s->nodes = controller_informer(c, &kind_node);
    s->slices = controller_informer(c, &kind_endpointslice);
    return s;
}

static void stop(void *state)
{
    struct claims *s = state;
    map_done_with(&s->ports, free);
    lb_common_done(&s->common);
    free(s);
}

static const struct controller_watch watches[] = {
    {&kind_service, NULL}, {&kind_node, on_node}, {&kind_endpointslice, on_slice}, {NULL, NULL}};

const struct controller_def lb_nodes_controller = {
    .name = "service-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
};
