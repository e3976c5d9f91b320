/* See peers.h. */
#include "cli/peers.h"

#define LOG_AREA "peers"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/nft.h"
#include "base/str.h"
#include "cli/podways.h"
#include "json/json.h"

#define TABLE "c8s_egress"

struct peers {
    struct informer *nodes;
    struct cidrs pods;
};

/* The addresses of the family that other nodes know nodes by, each with a comma before it. */
static void add_nodes(const struct peers *p, int family, struct buf *text)
{
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(p->nodes, NULL, &cursor));) {
        _cleanup_json_ json_t *node = object_json(o);
        _cleanup_free_ char *list = node_internal_ips(node);
        char one[IP_TEXT_SIZE];
        struct ip ip;
        for (const char *rest = list; ips_next(&rest, one);)
            if (ip_parse(one, &ip) && ip.family == family)
                buf_addf(text, ", %s", one);
    }
}

/* Pods reach pods and nodes with their own address; to everybody else they are their node. */
static void masquerade_family(const struct peers *p, const struct cidr *pods)
{
    struct buf text = BUF_INIT(0);
    struct err err;
    char range[CIDR_TEXT_SIZE];
    const char *family = pods->ip.family == AF_INET6 ? "ip6" : "ip";
    cidr_format(pods, range);
    buf_addf(&text,
             "table %s " TABLE " {}\ndelete table %s " TABLE "\n"
             "table %s " TABLE " {\n chain leave {\n"
             "  type nat hook postrouting priority srcnat + 10;\n"
             "  %s saddr != %s return\n  %s daddr { %s",
             family, family, family, family, range, family, range);
    add_nodes(p, pods->ip.family, &text);
    buf_adds(&text, " } return\n  oifname \"pod*\" return\n  masquerade\n }\n}\n");
    if (nft_run(-1, text.data, &err) < 0)
        log_error("masquerading: %s", err.msg);
    buf_done(&text);
}

static void masquerade(const struct peers *p)
{
    for (int i = 0; i < p->pods.n; i++)
        masquerade_family(p, &p->pods.cidr[i]);
}

static bool is_same(const json_t *a, const json_t *b)
{
    _cleanup_free_ char *ips_a = node_internal_ips(a), *ips_b = node_internal_ips(b);
    return streq(ips_a, ips_b);
}

static void node_changed(void *arg, struct object *old, struct object *obj)
{
    struct peers *p = arg;
    _cleanup_json_ json_t *before = old ? object_json(old) : NULL, *now = obj ? object_json(obj) : NULL;
    if (informer_synced(p->nodes) && !is_same(before, now)) /* before that, what an earlier life knew is kept */
        masquerade(p);
}

static void nodes_known(void *arg)
{
    masquerade(arg);
}

struct peers *peers_new(struct informer *nodes, const char *cluster_cidrs)
{
    struct peers *p = NEW(struct peers);
    p->nodes = nodes;
    cidrs_parse(cluster_cidrs, &p->pods);
    informer_on_change(nodes, node_changed, p);
    informer_on_synced(nodes, nodes_known, p);
    return p;
}

void peers_free(struct peers *p)
{
    free(p);
}

void peers_teardown(void)
{
    struct err ignored;
    (void)nft_run(-1, "table ip " TABLE " {}\ndelete table ip " TABLE "\n", &ignored);
    (void)nft_run(-1, "table ip6 " TABLE " {}\ndelete table ip6 " TABLE "\n", &ignored);
}
