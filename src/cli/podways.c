/* See podways.h. */
#include "cli/podways.h"

#define LOG_AREA "podways"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/waywatch.h"
#include "json/json.h"
#include "kinds/node.h"
#include "podnet/rtnl.h"
#include "podnet/tunnel.h"

#define LEFT_OUT_MAX 3 /* named, for whoever reads it */

struct place {
    struct podways *podways;
    char *node_name, *ifname;
    struct ips ips;
    int netns_fd;
    struct waywatch *watch; /* NULL: it has no tunnel */
    struct ip watched;      /* its address in the tunnel, as the watch knows it */
    char *missing;          /* what was said last about nodes without a way */
};

struct podways {
    uv_loop_t *loop;
    struct informer *nodes;
    struct podways_config config; /* places: see below */
    size_t n;
    struct place places[];
};

char *node_internal_ips(const json_t *node)
{
    struct buf text = BUF_INIT(0);
    size_t i;
    json_t *address;
    json_array_foreach(jget(node, "status.addresses"), i, address)
        if (streq(jstr_or(address, "type", ""), "InternalIP"))
            buf_addf(&text, "%s%s", text.len ? "," : "", jstr_or(address, "address", ""));
    return text.len ? buf_take(&text) : xstrdup("");
}

/* Nothing in it that is not known yet. */
static struct ways_node read_node(const json_t *node)
{
    struct ways_node n = {0};
    _cleanup_free_ char *ips = node_internal_ips(node), *pods = jjoin(jget(node, "spec.podCIDRs"));
    if (!ips_parse(ips, &n.ips))
        n.ips.n = 0;
    if (!cidrs_parse(pods, &n.pods))
        n.pods.n = 0;
    return n;
}

/* --- what we are on --- */

struct links {
    struct cidr *nets;
    size_t n;
};

static void keep_link(void *arg, const struct cidr *network, const char *ifname)
{
    struct links *l = arg;
    (void)ifname;
    l->nets = xrealloc(l->nets, (l->n + 1) * sizeof(*l->nets));
    l->nets[l->n++] = *network;
}

static struct links links_of(int netns_fd)
{
    struct links links = {0};
    struct err err;
    struct rtnl *r = rtnl_open(netns_fd, &err);
    if (!r || rtnl_each_network(r, keep_link, &links, &err) < 0)
        log_warn("%s", err.msg);
    rtnl_close(r);
    return links;
}

/* --- making it so --- */

/* Returns what is possible now. */
static enum ways_mode make_tunnel(const struct podways *p, const struct place *place, const struct ways_node *own)
{
    struct err err;
    if (p->config.mode == WAYS_DIRECT || !*place->node_name || !own->pods.n) /* its addresses are not known yet */
        return WAYS_DIRECT;
    if (tunnel_up(place->netns_fd, place->ifname, own, &err) == 0)
        return p->config.mode;
    log_error("tunnel to nodes on other segments: %s", err.msg);
    return WAYS_DIRECT;
}

/* --- whether they work --- */

static void settle(struct place *place);

static void on_lost(void *arg)
{
    settle(arg);
}

static void watch_from(struct place *place, const struct ways_node *own)
{
    const struct podways *p = place->podways;
    const struct waywatch_config config = {.loop = p->loop,
                                           .nodes = p->nodes,
                                           .node_name = place->node_name,
                                           .netns_fd = place->netns_fd,
                                           .node_ip = own->ips.ip[0],
                                           .tunnel_ip = cidr_nth(&own->pods.cidr[0], 1),
                                           .told = p->config.told,
                                           .heard = p->config.heard,
                                           .told_arg = p->config.arg,
                                           .lost = on_lost,
                                           .lost_arg = place};
    if (place->watch && ip_equal(&config.tunnel_ip, &place->watched))
        return;
    waywatch_free(place->watch);
    place->watch = waywatch_new(&config);
    place->watched = config.tunnel_ip;
}

/* Nodes that no way of ours leads to. */
struct left_out {
    struct buf names;
    size_t n;
};

static void note_left_out(struct left_out *l, const char *name, const struct ips *own, const struct cidrs *pods,
                          const struct ways *ways)
{
    char text[CIDR_TEXT_SIZE];
    for (int i = 0; i < pods->n; i++)
        if (ips_of(own, pods->cidr[i].ip.family) && !ways_to(ways, &pods->cidr[i]) && ++l->n <= LEFT_OUT_MAX)
            buf_addf(&l->names, "%s%s (%s)", l->n > 1 ? ", " : "", name, cidr_format(&pods->cidr[i], text));
}

/* The caller frees. */
static char *describe_left_out(struct left_out *l)
{
    return l->n ? xasprintf(
                      "on no link of ours, and there is no tunnel: routers have to know the way to the pods of %s%s",
                      buf_str(&l->names), l->n > LEFT_OUT_MAX ? " and others" : "")
                : xstrdup("");
}

static void watch(struct place *place, const struct ways_node *own, const struct ways *ways)
{
    const struct podways *p = place->podways;
    if (!own->pods.n)
        return;
    struct probe_peer *peers = xcalloc(informer_count(p->nodes) + 1, sizeof(*peers));
    struct left_out left_out = {.names = BUF_INIT(0)};
    size_t n = 0;
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(p->nodes, NULL, &cursor));) {
        _cleanup_json_ json_t *doc = object_json(o);
        const struct ways_node node = read_node(doc);
        const struct cidr *pods = cidrs_of(&node.pods, own->pods.cidr[0].ip.family);
        const struct ip *ip = ips_of(&node.ips, own->ips.ip[0].family);
        const struct way *way = pods ? ways_to(ways, pods) : NULL;
        if (streq(o->name, place->node_name) || !node.ips.n)
            continue;
        note_left_out(&left_out, o->name, &own->ips, &node.pods, ways);
        if (ip && way && way->tunnel)
            peers[n++] = (struct probe_peer){o->name, *ip, cidr_nth(pods, 1), node_is_ready(doc)};
    }
    _cleanup_free_ char *missing = describe_left_out(&left_out);
    if (*missing && !streq_or_null(missing, place->missing))
        log_warn("node %s: %s", place->node_name, missing);
    watch_from(place, own);
    waywatch_set(place->watch, peers, n, missing);
    free(place->missing);
    place->missing = TAKE(missing);
    buf_done(&left_out.names);
    free(peers);
}

/* --- all of it --- */

static void settle(struct place *place)
{
    const struct podways *p = place->podways;
    struct ways_node *others = xcalloc(informer_count(p->nodes) + 1, sizeof(*others)), own = {0};
    struct links links = links_of(place->netns_fd);
    struct ways ways;
    struct err err;
    size_t n = 0;
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(p->nodes, NULL, &cursor));) {
        _cleanup_json_ json_t *doc = object_json(o);
        *(streq(o->name, place->node_name) ? &own : &others[n++]) = read_node(doc);
    }
    own.ips = place->ips;
    ways_plan(make_tunnel(p, place, &own), &own, links.nets, links.n, others, n, &ways);
    if (ways_apply(place->netns_fd, &ways, &err) < 0)
        log_warn("ways to other nodes' pods: %s", err.msg);
    if (*place->node_name)
        watch(place, &own, &ways);
    ways_done(&ways);
    free(links.nets);
    free(others);
}

static void settle_all(void *arg)
{
    struct podways *p = arg;
    for (size_t i = 0; i < p->n; i++)
        settle(&p->places[i]);
}

static bool is_same(const json_t *a, const json_t *b)
{
    _cleanup_free_ char *ips_a = node_internal_ips(a), *ips_b = node_internal_ips(b),
                        *pods_a = jjoin(jget(a, "spec.podCIDRs")), *pods_b = jjoin(jget(b, "spec.podCIDRs"));
    return streq(ips_a, ips_b) && streq(pods_a, pods_b);
}

static void tell_ready(struct podways *p, const char *node, bool ready)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->places[i].watch)
            waywatch_set_ready(p->places[i].watch, node, ready);
}

static void node_changed(void *arg, struct object *old, struct object *obj)
{
    struct podways *p = arg;
    _cleanup_json_ json_t *before = old ? object_json(old) : NULL, *now = obj ? object_json(obj) : NULL;
    if (!informer_synced(p->nodes)) /* before that, what an earlier life knew is kept */
        return;
    if (!is_same(before, now))
        settle_all(p);
    else if (obj && node_is_ready(before) != node_is_ready(now))
        tell_ready(p, obj->name, node_is_ready(now));
}

struct podways *podways_new(uv_loop_t *loop, struct informer *nodes, const struct podways_config *config)
{
    struct podways *p = xcalloc(1, sizeof(*p) + config->n * sizeof(p->places[0]));
    p->loop = loop;
    p->nodes = nodes;
    p->config = *config;
    p->n = config->n;
    for (size_t i = 0; i < p->n; i++) {
        const struct podways_place *from = &config->places[i];
        struct place *to = &p->places[i];
        to->podways = p;
        to->node_name = xstrdup(from->node_name);
        to->ifname = xstrdup(from->ifname);
        to->netns_fd = from->netns_fd;
        ips_parse(from->ips, &to->ips);
    }
    informer_on_change(nodes, node_changed, p);
    informer_on_synced(nodes, settle_all, p);
    return p;
}

void podways_free(struct podways *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++) {
        free(p->places[i].node_name);
        free(p->places[i].ifname);
        free(p->places[i].missing);
        waywatch_free(p->places[i].watch);
    }
    free(p);
}
