/* See alloc.h. Rules: pkg/registry/core/service/storage/{alloc,storage}.go (patchAllocatedValues,
 * dropTypeDependentFields). */
#include "server/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "server/alloc_impl.h"

/* --- making --- */

/* What a family's ranges may be like. A node's part is what upstream's --node-cidr-mask-size-ipv4/-ipv6 say by default;
 * a bit is kept for each address of a Service range. */
static const struct limits {
    int family, service_min, service_max, cluster_min, node_prefix;
    const char *name;
} limits[] = {{AF_INET, 8, 30, 8, 24, "IPv4"}, {AF_INET6, 104, 126, 48, 64, "IPv6"}};

static const struct limits *limits_of(const struct cidr *c)
{
    return &limits[c->ip.family == AF_INET6];
}

static int check_prefix(const struct cidr *c, int min, int max, struct err *err)
{
    char text[CIDR_TEXT_SIZE];
    return c->prefix >= min && c->prefix <= max ? 0
                                                : err_set(err, 0, "%s is no %s range with a prefix of %d to %d",
                                                          cidr_format(c, text), limits_of(c)->name, min, max);
}

static int parse_ranges(struct alloc *a, const char *service_cidrs, const char *cluster_cidrs, struct err *err)
{
    if (!cidrs_parse(service_cidrs, &a->services))
        return err_set(err, 0, "%s is no range, nor one a family", service_cidrs);
    if (!cidrs_parse(cluster_cidrs, &a->pods))
        return err_set(err, 0, "%s is no range, nor one a family", cluster_cidrs);
    for (int i = 0; i < a->services.n; i++) {
        const struct cidr *c = &a->services.cidr[i];
        if (!cidrs_of(&a->pods, c->ip.family) || a->pods.n != a->services.n)
            return err_set(err, 0, "%s and %s are not of the same families", service_cidrs, cluster_cidrs);
        if (check_prefix(c, limits_of(c)->service_min, limits_of(c)->service_max, err) < 0)
            return -1;
    }
    for (int i = 0; i < a->pods.n; i++) {
        const struct cidr *c = &a->pods.cidr[i];
        if (check_prefix(c, limits_of(c)->cluster_min, limits_of(c)->node_prefix, err) < 0)
            return -1;
        uint32_t n = 1u << (limits_of(c)->node_prefix - c->prefix);
        a->n_nodes = !a->n_nodes || n < a->n_nodes ? n : a->n_nodes;
    }
    return 0;
}

struct alloc *alloc_new(const char *service_cidrs, const char *cluster_cidrs, int port_min, int port_max,
                        struct err *err)
{
    struct alloc ranges = {.port_min = port_min, .port_max = port_max};
    if (parse_ranges(&ranges, service_cidrs, cluster_cidrs, err) < 0)
        return NULL;
    if (port_min < 1 || port_max > 65535 || port_min > port_max) {
        err_set(err, 0, "%d-%d is no range of ports", port_min, port_max);
        return NULL;
    }
    struct alloc *a = NEW(struct alloc);
    uint32_t n_ports = (uint32_t)(port_max - port_min + 1);
    *a = ranges;
    for (int i = 0; i < a->services.n; i++)
        alloc_use_range(a, &a->services.cidr[i]);
    a->ports = numalloc_new(n_ports, port_static_band(n_ports));
    a->nodes = numalloc_new(a->n_nodes, 0);
    return a;
}

void alloc_free(struct alloc *a)
{
    if (!a)
        return;
    alloc_ips_done(a);
    numalloc_free(a->ports);
    numalloc_free(a->nodes);
    free(a);
}

/* --- changes --- */

void alloc_note(struct alloc_change *c, struct numalloc *from, uint32_t number, bool release)
{
    c->items = xrealloc(c->items, (c->n + 1) * sizeof(*c->items));
    c->items[c->n++] = (struct alloc_item){from, number, release};
}

bool alloc_take(struct alloc_change *c, struct numalloc *from, uint32_t number)
{
    if (!numalloc_take(from, number))
        return false;
    alloc_note(c, from, number, false);
    return true;
}

bool alloc_take_next(struct alloc_change *c, struct numalloc *from, uint32_t *ret)
{
    if (!numalloc_next(from, ret))
        return false;
    alloc_note(c, from, *ret, false);
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

/* --- what a Service needs --- */

static const char *service_type(const json_t *doc)
{
    return jstr_or(doc, "spec.type", "ClusterIP");
}

bool alloc_needs_ip(const json_t *doc)
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
    else if (!alloc_take(change, a->ports, (uint32_t)(port - a->port_min)))
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
    if (!alloc_take_next(change, a->ports, &n))
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
            alloc_note(change, a->ports, (uint32_t)(n - a->port_min), true);
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
            if (!alloc_take_next(change, a->ports, &n))
                return err_set(err, 0, "failed to allocate a HealthCheck NodePort: range is full");
            wanted = a->port_min + (int64_t)n;
            jset_int(doc, "spec.healthCheckNodePort", wanted);
        }
    }
    if (held >= a->port_min && held <= a->port_max && held != wanted)
        alloc_note(change, a->ports, (uint32_t)(held - a->port_min), true);
    return 0;
}

/* --- updates --- */

/* What the new version does not mention stays as it was. */
static void inherit(json_t *doc, const json_t *old)
{
    if (alloc_needs_ip(old) && alloc_needs_ip(doc))
        alloc_inherit_ips(doc, old);
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
    if (alloc_needs_ip(old) && !alloc_needs_ip(doc) && streq_or_null(alloc_cluster_ip(doc), alloc_cluster_ip(old))) {
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
    alloc_release_ips(a, doc, NULL, change);
    if (may_have_ports(doc))
        release_ports(a, jget(doc, "spec.ports"), NULL, change);
    int64_t health = jint(doc, "spec.healthCheckNodePort", 0);
    if (health >= a->port_min && health <= a->port_max)
        alloc_note(change, a->ports, (uint32_t)(health - a->port_min), true);
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

/* The n-th of the parts that end at `prefix`, and the number of a part. */
static struct cidr part(const struct cidr *range, int prefix, uint32_t n)
{
    struct cidr c = {.ip = range->ip, .prefix = prefix};
    for (int bit = prefix - 1; n; bit--, n >>= 1)
        if (n & 1)
            c.ip.bytes[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
    return c;
}

static uint32_t part_number(const struct cidr *range, const struct cidr *c)
{
    uint32_t n = 0;
    for (int bit = range->prefix; bit < c->prefix; bit++)
        n = n << 1 | (c->ip.bytes[bit / 8] >> (7 - bit % 8) & 1);
    return n;
}

static bool node_number(const struct alloc *a, const json_t *doc, uint32_t *ret)
{
    struct cidr own;
    const char *text = jstr(doc, "spec.podCIDR");
    if (!text || !cidr_parse(text, &own))
        return false;
    const struct cidr *range = cidrs_of(&a->pods, own.ip.family);
    if (!range || own.prefix != limits_of(range)->node_prefix || !cidr_covers(range, &own))
        return false;
    *ret = part_number(range, &own);
    return *ret < a->n_nodes;
}

int alloc_node(struct alloc *a, json_t *doc, struct alloc_change *change, struct err *err)
{
    char text[CIDR_TEXT_SIZE];
    uint32_t n = 0;
    if (jget(doc, "spec.podCIDR")) {
        if (node_number(a, doc, &n))
            alloc_take(change, a->nodes, n); /* a range given by hand may be shared: that is its giver's business */
        return 0;
    }
    /* In order, so that addresses can be guessed: node 1 has the first range. */
    while (n < a->n_nodes && numalloc_has(a->nodes, n))
        n++;
    if (!alloc_take(change, a->nodes, n))
        return err_set(err, 0, "no pod range is left in %s", cidr_format(&a->pods.cidr[0], text));
    json_t *ranges = json_array();
    for (int i = 0; i < a->pods.n; i++) {
        const struct cidr *range = &a->pods.cidr[i], own = part(range, limits_of(range)->node_prefix, n);
        json_array_append_new(ranges, json_string(cidr_format(&own, text)));
    }
    jset(doc, "spec.podCIDR", json_incref(json_array_get(ranges, 0)));
    jset(doc, "spec.podCIDRs", ranges);
    return 0;
}

void alloc_node_deleted(struct alloc *a, const json_t *doc, struct alloc_change *change)
{
    uint32_t n;
    if (node_number(a, doc, &n))
        alloc_note(change, a->nodes, n, true);
}

void alloc_restore_node(struct alloc *a, const json_t *doc)
{
    uint32_t n;
    if (node_number(a, doc, &n))
        numalloc_take(a->nodes, n);
}

bool alloc_node_fits(const struct alloc *a, const json_t *doc)
{
    const json_t *ranges = jget(doc, "spec.podCIDRs");
    for (size_t i = 0; i < json_array_size(ranges); i++) {
        struct cidr c;
        if (!cidr_parse(str_or(json_string_value(json_array_get(ranges, i)), ""), &c) ||
            !cidrs_of(&a->pods, c.ip.family))
            return false;
    }
    return !ranges || json_array_size(ranges) == (size_t)a->pods.n;
}
