/* See peers.h. */
#include "cli/peers.h"

#define LOG_AREA "peers"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/nft.h"
#include "base/str.h"
#include "json/json.h"
#include "podnet/podnet.h"

struct peers {
    struct informer *nodes;
    char *node_name, *cluster_cidr;
    struct cidr segment;
};

/* The address that other nodes know it by; NULL: none yet. */
static const char *internal_ip(const json_t *node)
{
    return jstr(jfind(jget(node, "status.addresses"), "type", "InternalIP"), "address");
}

/* --- what leaves the cluster --- */

/* Pods reach pods and nodes with their own address; to everybody else they are their node. */
static void masquerade(const struct peers *p)
{
    struct buf text = BUF_INIT(0);
    struct err err;
    void *cursor = NULL;
    buf_addf(&text,
             "table ip c8s_egress {}\ndelete table ip c8s_egress\n"
             "table ip c8s_egress {\n chain leave {\n"
             "  type nat hook postrouting priority srcnat + 10;\n"
             "  ip saddr != %s return\n  ip daddr { %s",
             p->cluster_cidr, p->cluster_cidr);
    for (struct object *o; (o = informer_next(p->nodes, NULL, &cursor));) {
        _cleanup_json_ json_t *node = object_json(o);
        struct ip ip;
        if (internal_ip(node) && ip_parse(internal_ip(node), &ip) && ip.family == AF_INET)
            buf_addf(&text, ", %s", internal_ip(node));
    }
    buf_adds(&text, " } return\n  oifname \"pod*\" return\n  masquerade\n }\n}\n");
    if (nft_run(-1, text.data, &err) < 0)
        log_error("masquerading: %s", err.msg);
    buf_done(&text);
}

/* --- the way to the others' pods --- */

static void route_to(const struct peers *p, const json_t *node)
{
    const char *cidr = jstr(node, "spec.podCIDR"), *via = internal_ip(node);
    struct ip ip;
    struct err err;
    if (!cidr || !via || !ip_parse(via, &ip))
        return;
    if (!cidr_has(&p->segment, &ip))
        log_warn("node %s (%s) is not on our segment: its pods cannot be reached", jstr_or(node, "metadata.name", ""),
                 via);
    else if (podnet_route(-1, cidr, via, &err) < 0)
        log_warn("%s", err.msg);
}

static bool is_same(const json_t *a, const json_t *b)
{
    return streq_or_null(internal_ip(a), internal_ip(b)) &&
           streq_or_null(jstr(a, "spec.podCIDR"), jstr(b, "spec.podCIDR"));
}

static void node_changed(void *arg, struct object *old, struct object *obj)
{
    struct peers *p = arg;
    _cleanup_json_ json_t *before = old ? object_json(old) : NULL, *now = obj ? object_json(obj) : NULL;
    if (is_same(before, now))
        return;
    if (obj && !streq(obj->name, p->node_name))
        route_to(p, now);
    masquerade(p);
}

struct peers *peers_new(struct informer *nodes, const struct peers_config *config)
{
    struct peers *p = NEW(struct peers);
    p->nodes = nodes;
    p->node_name = xstrdup(config->node_name);
    p->cluster_cidr = xstrdup(config->cluster_cidr);
    _cleanup_free_ char *segment = xasprintf("%s/%d", config->ip, config->prefix);
    cidr_parse(segment, &p->segment);
    informer_on_change(nodes, node_changed, p);
    return p;
}

void peers_free(struct peers *p)
{
    if (!p)
        return;
    free(p->node_name);
    free(p->cluster_cidr);
    free(p);
}
