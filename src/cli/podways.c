/* See podways.h. */
#include "cli/podways.h"

#define LOG_AREA "podways"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"
#include "json/json.h"
#include "podnet/rtnl.h"
#include "podnet/tunnel.h"

struct place {
    char *node_name, *ifname;
    struct ips ips;
    int netns_fd;
};

struct podways {
    struct informer *nodes;
    enum ways_mode mode;
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
    if (p->mode == WAYS_DIRECT || !*place->node_name || !own->pods.n) /* its addresses are not known yet */
        return WAYS_DIRECT;
    if (tunnel_up(place->netns_fd, place->ifname, own, &err) == 0)
        return p->mode;
    log_error("tunnel to nodes on other segments: %s", err.msg);
    return WAYS_DIRECT;
}

static void settle(const struct podways *p, const struct place *place)
{
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
    ways_done(&ways);
    free(links.nets);
    free(others);
}

static void settle_all(void *arg)
{
    const struct podways *p = arg;
    for (size_t i = 0; i < p->n; i++)
        settle(p, &p->places[i]);
}

static bool is_same(const json_t *a, const json_t *b)
{
    _cleanup_free_ char *ips_a = node_internal_ips(a), *ips_b = node_internal_ips(b),
                        *pods_a = jjoin(jget(a, "spec.podCIDRs")), *pods_b = jjoin(jget(b, "spec.podCIDRs"));
    return streq(ips_a, ips_b) && streq(pods_a, pods_b);
}

static void node_changed(void *arg, struct object *old, struct object *obj)
{
    const struct podways *p = arg;
    _cleanup_json_ json_t *before = old ? object_json(old) : NULL, *now = obj ? object_json(obj) : NULL;
    if (informer_synced(p->nodes) && !is_same(before, now)) /* before that, what an earlier life knew is kept */
        settle_all(arg);
}

struct podways *podways_new(struct informer *nodes, enum ways_mode mode, const struct podways_place *places, size_t n)
{
    struct podways *p = xcalloc(1, sizeof(*p) + n * sizeof(p->places[0]));
    p->nodes = nodes;
    p->mode = mode;
    p->n = n;
    for (size_t i = 0; i < n; i++) {
        struct place *to = &p->places[i];
        to->node_name = xstrdup(places[i].node_name);
        to->ifname = xstrdup(places[i].ifname);
        to->netns_fd = places[i].netns_fd;
        ips_parse(places[i].ips, &to->ips);
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
    }
    free(p);
}
