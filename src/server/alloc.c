/* See alloc.h. Rules: pkg/registry/core/service/storage/{alloc,storage}.go (patchAllocatedValues,
 * dropTypeDependentFields). */
#include "server/alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "service/ipalloc.h"

#define NODE_PREFIX_LEN 24

struct range { /* IPv4, host byte order */
    uint32_t base;
    int prefix_len;
    char text[32];
};

struct alloc {
    struct range service, cluster;
    struct numalloc *ips;   /* number n is base + 1 + n: neither the network's nor the broadcast address */
    struct numalloc *ports; /* number n is port_min + n */
    struct numalloc *nodes; /* number n is the n-th /24 of the cluster range */
    int port_min, port_max;
    uint32_t n_nodes;
};

/* --- making --- */

static int parse_range(const char *text, int len_min, int len_max, struct range *ret, struct err *err)
{
    char address[INET_ADDRSTRLEN] = "";
    const char *slash = strchr(text, '/');
    int64_t len;
    struct in_addr in;
    if (slash && (size_t)(slash - text) < sizeof(address))
        memcpy(address, text, (size_t)(slash - text));
    if (!slash || inet_pton(AF_INET, address, &in) != 1 || !str_to_i64(slash + 1, len_min, len_max, &len))
        return err_set(err, 0, "%s is no IPv4 range with a prefix of %d to %d", text, len_min, len_max);
    ret->prefix_len = (int)len;
    ret->base = ntohl(in.s_addr) & (uint32_t)(0xffffffffu << (32 - len));
    snprintf(ret->text, sizeof(ret->text), "%s", text);
    return 0;
}

struct alloc *alloc_new(const char *service_cidr, const char *cluster_cidr, int port_min, int port_max, struct err *err)
{
    struct range service, cluster;
    if (parse_range(service_cidr, 8, 30, &service, err) < 0 ||
        parse_range(cluster_cidr, 8, NODE_PREFIX_LEN, &cluster, err) < 0)
        return NULL;
    if (port_min < 1 || port_max > 65535 || port_min > port_max) {
        err_set(err, 0, "%d-%d is no range of ports", port_min, port_max);
        return NULL;
    }
    struct alloc *a = NEW(struct alloc);
    uint32_t n_ips = (1u << (32 - service.prefix_len)) - 2, n_ports = (uint32_t)(port_max - port_min + 1);
    *a = (struct alloc){.service = service, .cluster = cluster, .port_min = port_min, .port_max = port_max};
    a->n_nodes = 1u << (NODE_PREFIX_LEN - cluster.prefix_len);
    a->ips = numalloc_new(n_ips, ip_static_band(n_ips + 2));
    a->ports = numalloc_new(n_ports, port_static_band(n_ports));
    a->nodes = numalloc_new(a->n_nodes, 0);
    return a;
}

void alloc_free(struct alloc *a)
{
    if (!a)
        return;
    numalloc_free(a->ips);
    numalloc_free(a->ports);
    numalloc_free(a->nodes);
    free(a);
}

/* --- changes --- */

static void note(struct alloc_change *c, struct numalloc *from, uint32_t number, bool release)
{
    c->items = xrealloc(c->items, (c->n + 1) * sizeof(*c->items));
    c->items[c->n++] = (struct alloc_item){from, number, release};
}

static bool take(struct alloc_change *c, struct numalloc *from, uint32_t number)
{
    if (!numalloc_take(from, number))
        return false;
    note(c, from, number, false);
    return true;
}

static bool take_next(struct alloc_change *c, struct numalloc *from, uint32_t *ret)
{
    if (!numalloc_next(from, ret))
        return false;
    note(c, from, *ret, false);
    return true;
}

static void finish(struct alloc_change *c, bool released)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->items[i].release == released)
            numalloc_release(c->items[i].from, c->items[i].number);
    free(TAKE(c->items));
    c->n = 0;
}

void alloc_commit(struct alloc_change *change)
{
    finish(change, true);
}

void alloc_rollback(struct alloc_change *change)
{
    finish(change, false);
}

/* --- addresses --- */

static bool ip_number(const struct alloc *a, const char *text, uint32_t *ret)
{
    struct in_addr in;
    if (inet_pton(AF_INET, text, &in) != 1)
        return false;
    uint32_t offset = ntohl(in.s_addr) - a->service.base;
    if (ntohl(in.s_addr) < a->service.base || offset < 1 || offset >= (1u << (32 - a->service.prefix_len)) - 1)
        return false;
    *ret = offset - 1;
    return true;
}

static const char *service_type(const json_t *doc)
{
    return jstr_or(doc, "spec.type", "ClusterIP");
}

static bool needs_ip(const json_t *doc)
{
    return !streq(service_type(doc), "ExternalName");
}

static bool is_balanced(const json_t *doc)
{
    return streq(service_type(doc), "LoadBalancer");
}

static bool may_have_ports(const json_t *doc)
{
    return streq(service_type(doc), "NodePort") || is_balanced(doc);
}

static bool needs_ports(const json_t *doc)
{
    return streq(service_type(doc), "NodePort") ||
           (is_balanced(doc) && jbool(doc, "spec.allocateLoadBalancerNodePorts", true));
}

static bool needs_health_port(const json_t *doc)
{
    return is_balanced(doc) && streq(jstr_or(doc, "spec.externalTrafficPolicy", ""), "Local");
}

/* spec.clusterIP, or the first of clusterIPs; NULL when neither says anything. */
static const char *cluster_ip(const json_t *doc)
{
    const char *ip = jstr(doc, "spec.clusterIP");
    if (ip && *ip)
        return ip;
    ip = json_string_value(json_array_get(jget(doc, "spec.clusterIPs"), 0));
    return ip && *ip ? ip : NULL;
}

/* The number the Service holds; false for headless ones and those without an address. */
static bool held_ip(const struct alloc *a, const json_t *doc, uint32_t *ret)
{
    const char *ip = doc && needs_ip(doc) ? cluster_ip(doc) : NULL;
    return ip && ip_number(a, ip, ret);
}

static void set_cluster_ip(json_t *doc, const char *ip)
{
    json_t *text = json_string(ip); /* ip may be the document's own */
    jset(doc, "spec.clusterIPs", json_pack("[O]", text));
    jset(doc, "spec.clusterIP", text);
}

static void add_ip_cause(struct status_causes *causes, const char *ip, const char *why)
{
    _cleanup_json_ json_t *value = json_pack("[s]", ip);
    causes_add(causes, CAUSE_INVALID, "spec.clusterIPs", value, "failed to allocate IP %s: %s", ip, why);
}

static void take_given_ip(struct alloc *a, const char *ip, struct status_causes *causes, struct alloc_change *change)
{
    struct in_addr in;
    uint32_t n;
    if (inet_pton(AF_INET, ip, &in) != 1)
        return; /* no address at all: validation says so */
    if (!ip_number(a, ip, &n)) {
        char why[200];
        snprintf(why, sizeof(why), "the provided IP (%s) is not in the valid range. The range of valid IPs is %s", ip,
                 a->service.text);
        add_ip_cause(causes, ip, why);
    } else if (!take(change, a->ips, n)) {
        add_ip_cause(causes, ip, "provided IP is already allocated");
    }
}

static int alloc_ips(struct alloc *a, json_t *doc, const json_t *old, struct status_causes *causes,
                     struct alloc_change *change, struct err *err)
{
    uint32_t held, wanted;
    bool holds = held_ip(a, old, &held), keeps = holds && held_ip(a, doc, &wanted) && wanted == held;
    if (holds && !keeps)
        note(change, a->ips, held, true);
    if (!needs_ip(doc))
        return 0;
    const char *ip = cluster_ip(doc);
    if (!ip) {
        if (!take_next(change, a->ips, &wanted))
            return err_set(err, 0, "failed to allocate a serviceIP: range is full");
        char text[INET_ADDRSTRLEN];
        const struct in_addr in = {htonl(a->service.base + 1 + wanted)};
        inet_ntop(AF_INET, &in, text, sizeof(text));
        set_cluster_ip(doc, text);
    } else {
        if (!keeps && !streq(ip, "None"))
            take_given_ip(a, ip, causes, change);
        if (!json_array_size(jget(doc, "spec.clusterIPs")) || !*jstr_or(doc, "spec.clusterIP", ""))
            set_cluster_ip(doc, ip);
    }
    if (!json_array_size(jget(doc, "spec.ipFamilies")))
        jset(doc, "spec.ipFamilies", json_pack("[s]", "IPv4"));
    if (!jget(doc, "spec.ipFamilyPolicy"))
        jset_str(doc, "spec.ipFamilyPolicy", "SingleStack");
    return 0;
}

/* --- ports --- */

/* The nodePort of an entry of `ports` with this number and, when given, this protocol. */
static int64_t find_node_port(const json_t *ports, int64_t port, const char *protocol)
{
    size_t i;
    const json_t *p;
    json_array_foreach(ports, i, p)
        if (jint(p, "port", 0) == port && jint(p, "nodePort", 0) &&
            (!protocol || streq(jstr_or(p, "protocol", "TCP"), protocol)))
            return jint(p, "nodePort", 0);
    return 0;
}

static bool has_node_port(const json_t *ports, int64_t node_port)
{
    size_t i;
    const json_t *p;
    json_array_foreach(ports, i, p)
        if (jint(p, "nodePort", 0) == node_port)
            return true;
    return false;
}

/* Held by the old version, or already taken for another protocol by this one. */
static bool is_ours(const struct alloc *a, const struct alloc_change *c, const json_t *old_ports, int64_t node_port)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->items[i].from == a->ports && !c->items[i].release &&
            (int64_t)c->items[i].number + a->port_min == node_port)
            return true;
    return has_node_port(old_ports, node_port);
}

static void take_given_port(struct alloc *a, int64_t port, const char *field, struct status_causes *causes,
                            struct alloc_change *change)
{
    _cleanup_json_ json_t *value = json_integer(port);
    if (port < a->port_min || port > a->port_max)
        causes_add(causes, CAUSE_INVALID, field, value,
                   "provided port is not in the valid range. The range of valid ports is %d-%d", a->port_min,
                   a->port_max);
    else if (!take(change, a->ports, (uint32_t)(port - a->port_min)))
        causes_add(causes, CAUSE_INVALID, field, value, "provided port is already allocated");
}

static int alloc_port(struct alloc *a, json_t *port, const char *field, struct alloc_change *change,
                      const json_t *ports, struct err *err)
{
    /* One number serves TCP and UDP of the same port. */
    int64_t shared = find_node_port(ports, jint(port, "port", 0), NULL);
    uint32_t n;
    if (shared) {
        jset_int(port, "nodePort", shared);
        return 0;
    }
    if (!take_next(change, a->ports, &n))
        return err_set(err, 0, "%s: failed to allocate a nodePort: range is full", field);
    jset_int(port, "nodePort", a->port_min + (int64_t)n);
    return 0;
}

static void release_ports(struct alloc *a, const json_t *old_ports, const json_t *kept, struct alloc_change *change)
{
    size_t i;
    const json_t *p;
    json_array_foreach(old_ports, i, p) {
        int64_t n = jint(p, "nodePort", 0);
        bool repeated = false;
        for (size_t k = 0; k < i; k++)
            repeated |= jint(json_array_get(old_ports, k), "nodePort", 0) == n;
        if (n >= a->port_min && n <= a->port_max && !repeated && !has_node_port(kept, n))
            note(change, a->ports, (uint32_t)(n - a->port_min), true);
    }
}

static int alloc_ports(struct alloc *a, json_t *doc, const json_t *old, struct status_causes *causes,
                       struct alloc_change *change, struct err *err)
{
    json_t *ports = jget(doc, "spec.ports"), *p;
    const json_t *old_ports = old && may_have_ports(old) ? jget(old, "spec.ports") : NULL;
    char field[64];
    size_t i;
    if (may_have_ports(doc))
        json_array_foreach(ports, i, p) {
            int64_t n = jint(p, "nodePort", 0);
            snprintf(field, sizeof(field), "spec.ports[%zu].nodePort", i);
            if (n && !is_ours(a, change, old_ports, n))
                take_given_port(a, n, field, causes, change);
        }
    if (needs_ports(doc))
        json_array_foreach(ports, i, p) {
            snprintf(field, sizeof(field), "spec.ports[%zu].nodePort", i);
            if (!jint(p, "nodePort", 0) && alloc_port(a, p, field, change, ports, err) < 0)
                return -1;
        }
    release_ports(a, old_ports, may_have_ports(doc) ? ports : NULL, change);
    return 0;
}

static int alloc_health_port(struct alloc *a, json_t *doc, const json_t *old, struct status_causes *causes,
                             struct alloc_change *change, struct err *err)
{
    int64_t held = old ? jint(old, "spec.healthCheckNodePort", 0) : 0,
            wanted = jint(doc, "spec.healthCheckNodePort", 0);
    uint32_t n;
    if (needs_health_port(doc)) {
        if (wanted && wanted != held)
            take_given_port(a, wanted, "spec.healthCheckNodePort", causes, change);
        if (!wanted) {
            if (!take_next(change, a->ports, &n))
                return err_set(err, 0, "failed to allocate a HealthCheck NodePort: range is full");
            wanted = a->port_min + (int64_t)n;
            jset_int(doc, "spec.healthCheckNodePort", wanted);
        }
    }
    if (held >= a->port_min && held <= a->port_max && held != wanted)
        note(change, a->ports, (uint32_t)(held - a->port_min), true);
    return 0;
}

/* --- updates --- */

/* What the new version does not mention stays as it was. */
static void inherit(json_t *doc, const json_t *old)
{
    static const char *const address_fields[] = {"spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies",
                                                 "spec.ipFamilyPolicy"};
    if (needs_ip(old) && needs_ip(doc)) {
        const char *ip = jstr(doc, "spec.clusterIP"), *old_ip = jstr(old, "spec.clusterIP");
        json_t *ips = jget(doc, "spec.clusterIPs");
        if (ip && *ip && !streq_or_null(ip, old_ip) && (!ips || json_equal(ips, jget(old, "spec.clusterIPs"))))
            jset(doc, "spec.clusterIPs", json_pack("[s]", ip)); /* a writer who names only the singular */
        for (size_t i = 0; i < ARRAY_LEN(address_fields); i++) {
            json_t *value = jget(doc, address_fields[i]);
            bool empty = !value || (json_is_string(value) && !*json_string_value(value)) ||
                         (json_is_array(value) && !json_array_size(value));
            json_t *old_value = jget(old, address_fields[i]);
            if (empty && old_value)
                jset(doc, address_fields[i], json_deep_copy(old_value));
        }
    }
    if (needs_ports(old) && needs_ports(doc)) {
        json_t *ports = jget(doc, "spec.ports"), *p;
        size_t i;
        json_array_foreach(ports, i, p) {
            int64_t n = find_node_port(jget(old, "spec.ports"), jint(p, "port", 0), jstr_or(p, "protocol", "TCP"));
            if (!jint(p, "nodePort", 0) && n && !has_node_port(ports, n))
                jset_int(p, "nodePort", n);
        }
    }
    if (needs_health_port(old) && needs_health_port(doc) && !jint(doc, "spec.healthCheckNodePort", 0))
        jset_int(doc, "spec.healthCheckNodePort", jint(old, "spec.healthCheckNodePort", 0));
}

static bool same_node_ports(const json_t *doc, const json_t *old)
{
    size_t i;
    const json_t *p;
    json_array_foreach(jget(doc, "spec.ports"), i, p)
        if (jint(p, "nodePort", 0) && !has_node_port(jget(old, "spec.ports"), jint(p, "nodePort", 0)))
            return false;
    return true;
}

/* A change of type takes along what only the old type had, when the writer just repeated it. */
static void drop_type_dependent(json_t *doc, const json_t *old)
{
    if (needs_ip(old) && !needs_ip(doc) && streq_or_null(cluster_ip(doc), cluster_ip(old))) {
        static const char *const fields[] = {"spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies",
                                             "spec.ipFamilyPolicy", "spec.internalTrafficPolicy"};
        for (size_t i = 0; i < ARRAY_LEN(fields); i++)
            jset(doc, fields[i], NULL);
    }
    if (may_have_ports(old) && !may_have_ports(doc) && same_node_ports(doc, old)) {
        size_t i;
        json_t *p;
        json_array_foreach(jget(doc, "spec.ports"), i, p)
            jset(p, "nodePort", NULL);
        if (jhas(doc, "spec.externalTrafficPolicy"))
            jset(doc, "spec.externalTrafficPolicy", NULL);
    }
    if (needs_health_port(old) && !needs_health_port(doc) &&
        jint(doc, "spec.healthCheckNodePort", 0) == jint(old, "spec.healthCheckNodePort", 0))
        jset(doc, "spec.healthCheckNodePort", NULL);
    if (!is_balanced(old) || is_balanced(doc))
        return;
    static const char *const balanced_only[] = {"spec.allocateLoadBalancerNodePorts", "spec.loadBalancerClass"};
    for (size_t i = 0; i < ARRAY_LEN(balanced_only); i++) {
        const json_t *before = jget(old, balanced_only[i]), *now = jget(doc, balanced_only[i]);
        if (before && now && json_equal(before, now))
            jset(doc, balanced_only[i], NULL);
    }
}

int alloc_service(struct alloc *a, json_t *doc, const json_t *old, struct status_causes *causes,
                  struct alloc_change *change, struct err *err)
{
    if (old) {
        inherit(doc, old);
        drop_type_dependent(doc, old);
    }
    if (alloc_ips(a, doc, old, causes, change, err) < 0 || alloc_ports(a, doc, old, causes, change, err) < 0 ||
        alloc_health_port(a, doc, old, causes, change, err) < 0)
        return -1;
    return 0;
}

void alloc_service_deleted(struct alloc *a, const json_t *doc, struct alloc_change *change)
{
    uint32_t n;
    if (held_ip(a, doc, &n))
        note(change, a->ips, n, true);
    if (may_have_ports(doc))
        release_ports(a, jget(doc, "spec.ports"), NULL, change);
    int64_t health = jint(doc, "spec.healthCheckNodePort", 0);
    if (health >= a->port_min && health <= a->port_max)
        note(change, a->ports, (uint32_t)(health - a->port_min), true);
}

void alloc_restore_service(struct alloc *a, const json_t *doc)
{
    /* What a deletion would release is what it holds. */
    struct alloc_change held = {0};
    alloc_service_deleted(a, doc, &held);
    for (size_t i = 0; i < held.n; i++)
        numalloc_take(held.items[i].from, held.items[i].number);
    free(held.items);
}

/* --- nodes --- */

static bool node_number(const struct alloc *a, const json_t *doc, uint32_t *ret)
{
    struct range range;
    struct err err;
    const char *cidr = jstr(doc, "spec.podCIDR");
    if (!cidr || parse_range(cidr, NODE_PREFIX_LEN, NODE_PREFIX_LEN, &range, &err) < 0 || range.base < a->cluster.base)
        return false;
    *ret = (range.base - a->cluster.base) >> (32 - NODE_PREFIX_LEN);
    return *ret < a->n_nodes;
}

int alloc_node(struct alloc *a, json_t *doc, struct alloc_change *change, struct err *err)
{
    uint32_t n = 0;
    if (jget(doc, "spec.podCIDR")) {
        if (node_number(a, doc, &n))
            take(change, a->nodes, n); /* a range given by hand may be shared: that is its giver's business */
        return 0;
    }
    /* In order, so that addresses can be guessed: node 1 has the first range. */
    while (n < a->n_nodes && numalloc_has(a->nodes, n))
        n++;
    if (!take(change, a->nodes, n))
        return err_set(err, 0, "no pod range is left in %s", a->cluster.text);
    uint32_t base = a->cluster.base + (n << (32 - NODE_PREFIX_LEN));
    char text[32];
    snprintf(text, sizeof(text), "%u.%u.%u.%u/%d", base >> 24, base >> 16 & 255, base >> 8 & 255, base & 255,
             NODE_PREFIX_LEN);
    jset_str(doc, "spec.podCIDR", text);
    jset(doc, "spec.podCIDRs", json_pack("[s]", text));
    return 0;
}

void alloc_node_deleted(struct alloc *a, const json_t *doc, struct alloc_change *change)
{
    uint32_t n;
    if (node_number(a, doc, &n))
        note(change, a->nodes, n, true);
}

void alloc_restore_node(struct alloc *a, const json_t *doc)
{
    uint32_t n;
    if (node_number(a, doc, &n))
        numalloc_take(a->nodes, n);
}
