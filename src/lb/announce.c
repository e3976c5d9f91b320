/* Announces addresses of LoadBalancer Services from this node: the address is put on the interface, whose ARP answers
 * then lead here, and the neighbours are told. Every node computes the same choice from the same objects and the same
 * heartbeats: a Ready node that is heard; with externalTrafficPolicy Local one that has an endpoint. */
#define LOG_AREA "lb"
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "lb/choose.h"
#include "lb/lb.h"
#include "lb/roster.h"
#include "podnet/gratuitous.h"
#include "podnet/rtnl.h"

#define RETRY_MS 1000
#define AGAIN_MS 2000 /* a second time, should the first word be lost (RFC 5227, ANNOUNCE_INTERVAL) */

struct service {
    struct ip *ips;
    size_t n_ips;
    bool local;
    struct map nodes[FAMILIES_MAX]; /* with an endpoint, when local; IPv4, IPv6 */
};

struct lb {
    uv_timer_t timer, again; /* 0 ms after a change; AGAIN_MS after word to the neighbours */
    int n_closing;
    bool paused, doubt; /* doubt: the neighbours may believe somebody else */
    const struct lb_pool *pool;
    char *node_name, *ifname;
    int netns_fd;
    struct rtnl *rtnl;
    struct model_reader *reader;
    struct roster *roster;
    struct map services;   /* of type LoadBalancer with an address, by ns/name */
    struct map held;       /* addresses on our interface, as text */
    struct cidr *networks; /* that the interface is on */
    size_t n_networks;
};

/* --- what there is --- */

static void service_free(void *p)
{
    struct service *s = p;
    for (int i = 0; i < FAMILIES_MAX; i++)
        map_done(&s->nodes[i]);
    free(s->ips);
    free(s);
}

static struct map *nodes_of(const struct service *s, int family)
{
    return (struct map *)&s->nodes[family == AF_INET6];
}

static void add_nodes(struct service *s, const struct svc_port *p, int family)
{
    size_t *usable = xcalloc(p->n_endpoints + 1, sizeof(*usable));
    size_t n = svc_usable_endpoints_of(p, family, false, NULL, usable);
    for (size_t i = 0; i < n; i++)
        map_put(nodes_of(s, family), p->endpoints[usable[i]].node, s);
    free(usable);
}

static void visit(void *arg, const char *ns, const char *name, const struct svc *svc)
{
    struct lb *lb = arg;
    _cleanup_free_ char *key = xasprintf("%s/%s", ns, name);
    struct service *old = map_del(&lb->services, key);
    if (old)
        service_free(old);
    if (!svc || svc->type != SVC_LOAD_BALANCER || !svc->n_lb_ips)
        return;
    struct service *s = NEW(struct service);
    s->ips = xcalloc(svc->n_lb_ips, sizeof(*s->ips));
    for (size_t i = 0; i < svc->n_lb_ips; i++)
        if (lb_pool_has(lb->pool, &svc->lb_ips[i]))
            s->ips[s->n_ips++] = svc->lb_ips[i];
    s->local = svc->external_local;
    for (size_t i = 0; s->local && i < svc->n_ports; i++)
        for (size_t k = 0; k < s->n_ips; k++)
            add_nodes(s, &svc->ports[i], s->ips[k].family);
    map_put(&lb->services, key, s);
}

/* --- what follows from it --- */

/* Nodes from which one may be chosen. */
struct choice {
    const char **nodes;
    size_t n;
};

static const char *choose(const struct service *s, const struct ip *ip, const struct choice *from)
{
    const char **nodes = xcalloc(from->n + 1, sizeof(*nodes));
    size_t n = 0;
    for (size_t i = 0; i < from->n; i++)
        if (!s->local || map_get(nodes_of(s, ip->family), from->nodes[i]))
            nodes[n++] = from->nodes[i];
    const char *chosen = lb_choose(ip, nodes, n);
    free(nodes);
    return chosen;
}

static bool is_mine(const struct lb *lb, const struct service *s, const struct ip *ip, const struct choice choices[2])
{
    const char *chosen = choose(s, ip, &choices[0]);
    if (!chosen)
        chosen = choose(s, ip, &choices[1]);
    return streq_or_null(chosen, lb->node_name);
}

static void find_mine_in(struct lb *lb, const struct cidr *network, struct map *mine)
{
    char text[IP_TEXT_SIZE];
    struct choice choices[2]; /* settled nodes, then the others */
    for (int i = 0; i < 2; i++) {
        choices[i].nodes = xcalloc(roster_size(lb->roster) + 1, sizeof(*choices[i].nodes));
        choices[i].n = roster_announcers(lb->roster, network, i == 0, choices[i].nodes);
    }
    for (struct map_entry *e = NULL; (e = map_next(&lb->services, e));) {
        const struct service *s = e->value;
        for (size_t i = 0; i < s->n_ips; i++)
            if (cidr_has(network, &s->ips[i]) && is_mine(lb, s, &s->ips[i], choices))
                map_put(mine, ip_format(&s->ips[i], text), lb);
    }
    for (int i = 0; i < 2; i++)
        free(choices[i].nodes);
}

/* Among those on a segment with us. Nobody asks there for an address of another network; who leads one to a node by a
 * route finds the Service's rules without it. */
static void find_mine(struct lb *lb, struct map *mine)
{
    for (size_t i = 0; i < lb->n_networks; i++)
        find_mine_in(lb, &lb->networks[i], mine);
}

static int take_up(struct lb *lb, const char *text, struct err *err)
{
    struct ip ip;
    ip_parse(text, &ip);
    if (rtnl_add_guest_addr(lb->rtnl, lb->ifname, &ip, err) < 0)
        return -1;
    map_put(&lb->held, text, lb);
    log_info("node %s announces %s", lb->node_name, text);
    lb->doubt = true;
    return 0;
}

static int lay_down(struct lb *lb, const char *text, struct err *err)
{
    struct ip ip;
    ip_parse(text, &ip);
    if (rtnl_del_addr(lb->rtnl, lb->ifname, &ip, ip_bits(ip.family), err) < 0)
        return -1;
    map_del(&lb->held, text);
    return 0;
}

/* All that is held, not only what is new: who says it too often does no harm. */
static int tell_neighbours(struct lb *lb, struct err *err)
{
    struct ip ip;
    int result = 0;
    for (struct map_entry *e = NULL; (e = map_next(&lb->held, e));)
        if (!ip_parse(e->key, &ip) || gratuitous_send(lb->netns_fd, lb->ifname, &ip, err) < 0)
            result = -1;
    return result;
}

static void on_again(uv_timer_t *t)
{
    struct err ignored;
    (void)tell_neighbours(t->data, &ignored);
}

static bool move_addresses(struct lb *lb, struct err *err)
{
    struct map mine = {0};
    bool failed = false;
    find_mine(lb, &mine);
    for (struct map_entry *e = NULL; (e = map_next(&lb->held, e));)
        failed |= !map_get(&mine, e->key) && lay_down(lb, e->key, err) < 0;
    for (struct map_entry *e = NULL; (e = map_next(&mine, e));)
        failed |= !map_get(&lb->held, e->key) && take_up(lb, e->key, err) < 0;
    map_done(&mine);
    return !failed;
}

static void update(uv_timer_t *t)
{
    struct lb *lb = t->data;
    struct err err;
    model_take(lb->reader, visit, lb);
    bool moved = move_addresses(lb, &err), told = true;
    if (lb->doubt) {
        lb->doubt = !(told = tell_neighbours(lb, &err) == 0);
        uv_timer_start(&lb->again, on_again, AGAIN_MS, 0);
    }
    if (moved && told)
        return;
    log_warn("node %s: %s; trying again in %d ms", lb->node_name, err.msg, RETRY_MS);
    uv_timer_start(&lb->timer, update, RETRY_MS, 0);
}

/* --- what changes --- */

static void update_soon(void *arg)
{
    struct lb *lb = arg;
    if (!lb->paused)
        uv_timer_start(&lb->timer, update, 0, 0);
}

static void on_roster(void *arg, bool doubt)
{
    struct lb *lb = arg;
    lb->doubt |= doubt;
    update_soon(lb);
}

void lb_pause(struct lb *lb, bool paused)
{
    lb->paused = paused;
    uv_timer_stop(&lb->timer);
    uv_timer_stop(&lb->again);
    roster_pause(lb->roster, paused);
    update_soon(lb);
}

/* --- life --- */

static void note_network(void *arg, const struct cidr *network, const char *ifname)
{
    struct lb *lb = arg;
    if (!streq(ifname, lb->ifname))
        return;
    lb->networks = xrealloc(lb->networks, (lb->n_networks + 1) * sizeof(*lb->networks));
    lb->networks[lb->n_networks++] = *network;
}

/* Of an earlier life, perhaps with another pool; but what a real machine has beside the pool (DHCPv6 gives a /128) is
 * its own. */
static void note_held(void *arg, const struct ip *ip, int prefix, const char *ifname)
{
    struct lb *lb = arg;
    char text[IP_TEXT_SIZE];
    bool ours = lb->netns_fd >= 0 || lb_pool_has(lb->pool, ip);
    if (ours && prefix == ip_bits(ip->family) && streq(ifname, lb->ifname))
        map_put(&lb->held, ip_format(ip, text), lb);
}

static void destroy(struct lb *lb)
{
    rtnl_close(lb->rtnl);
    map_done_with(&lb->services, service_free);
    map_done(&lb->held);
    free(lb->networks);
    free(lb->node_name);
    free(lb->ifname);
    free(lb);
}

struct lb *lb_new(uv_loop_t *loop, struct model *m, struct informer *nodes, const struct lb_config *config,
                  struct err *err)
{
    struct lb *lb = NEW(struct lb);
    lb->netns_fd = config->netns_fd;
    lb->node_name = xstrdup(config->node_name);
    lb->ifname = xstrdup(config->ifname);
    lb->pool = config->pool;
    lb->rtnl = rtnl_open(lb->netns_fd, err);
    if (!lb->rtnl || rtnl_each_addr(lb->rtnl, note_held, lb, err) < 0 ||
        rtnl_each_network(lb->rtnl, note_network, lb, err) < 0) {
        destroy(lb);
        return NULL;
    }
    uv_timer_init(loop, &lb->timer);
    uv_timer_init(loop, &lb->again);
    lb->timer.data = lb->again.data = lb;
    lb->reader = model_reader_new(m, update_soon, lb);
    const struct roster_config roster = {.netns_fd = lb->netns_fd,
                                         .node_name = lb->node_name,
                                         .ifname = lb->ifname,
                                         .node_ip = config->node_ip,
                                         .changed = on_roster,
                                         .arg = lb,
                                         .lost = config->lost,
                                         .lost_arg = config->lost_arg};
    lb->roster = roster_new(loop, nodes, &roster);
    update_soon(lb);
    return lb;
}

static void on_timer_closed(uv_handle_t *h)
{
    struct lb *lb = h->data;
    if (--lb->n_closing == 0)
        destroy(lb);
}

void lb_free(struct lb *lb)
{
    if (!lb)
        return;
    roster_free(lb->roster);
    model_reader_free(lb->reader);
    lb->n_closing = 2;
    uv_close((uv_handle_t *)&lb->timer, on_timer_closed);
    uv_close((uv_handle_t *)&lb->again, on_timer_closed);
}
