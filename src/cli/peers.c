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

struct peers {
    struct informer *nodes;
    char *cluster_cidr;
};

/* The address that other nodes know it by; NULL: none yet. */
static const char *internal_ip(const json_t *node)
{
    return jstr(jfind(jget(node, "status.addresses"), "type", "InternalIP"), "address");
}

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

static bool is_same(const json_t *a, const json_t *b)
{
    return streq_or_null(internal_ip(a), internal_ip(b));
}

static void node_changed(void *arg, struct object *old, struct object *obj)
{
    struct peers *p = arg;
    _cleanup_json_ json_t *before = old ? object_json(old) : NULL, *now = obj ? object_json(obj) : NULL;
    if (!is_same(before, now))
        masquerade(p);
}

struct peers *peers_new(struct informer *nodes, const char *cluster_cidr)
{
    struct peers *p = NEW(struct peers);
    p->nodes = nodes;
    p->cluster_cidr = xstrdup(cluster_cidr);
    informer_on_change(nodes, node_changed, p);
    return p;
}

void peers_free(struct peers *p)
{
    if (!p)
        return;
    free(p->cluster_cidr);
    free(p);
}
