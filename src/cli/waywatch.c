/* See waywatch.h. */
#include "cli/waywatch.h"

#include "base/alloc.h"
#include "base/str.h"
#include "cli/podways.h"
#include "json/json.h"
#include "kinds/node.h"
#include "kinds/nodenetwork.h"
#include "podnet/trouble.h"

#define GATHER_MS 500 /* a firewall that opens changes the way to all peers: one write of the Node for all */

struct waywatch {
    uv_timer_t timer; /* until it is judged */
    struct waywatch_config config;
    struct probe *probe;
};

/* --- what is said --- */

static struct trouble_peer describe(const struct waywatch *w, const json_t *node)
{
    const char *name = jstr_or(node, "metadata.name", "");
    return (struct trouble_peer){.name = name,
                                 .created = jstr_or(node, "metadata.creationTimestamp", ""),
                                 .ready = node_is_ready(node),
                                 .tunnelled = probe_has(w->probe, name),
                                 .in = probe_in(w->probe, name),
                                 .out = probe_out(w->probe, name)};
}

static void tell(const struct waywatch *w, const struct agent_network *network)
{
    w->config.told(w->config.told_arg, w->config.node_name, network);
}

static void judge(uv_timer_t *t)
{
    const struct waywatch *w = t->data;
    const struct informer *nodes = w->config.nodes;
    struct trouble_peer *peers = xcalloc(informer_count(nodes) + 1, sizeof(*peers));
    struct trouble_peer own = {.name = w->config.node_name, .created = ""};
    json_t *docs = json_array();
    struct trouble found;
    size_t n = 0;
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(nodes, NULL, &cursor));) {
        json_t *doc = object_json(o);
        json_array_append_new(docs, doc); /* until the end: names and times are borrowed */
        *(streq(o->name, w->config.node_name) ? &own : &peers[n++]) = describe(w, doc);
    }
    if (trouble_describe(&own, peers, n, &found))
        tell(w, &(struct agent_network){found.cut_off, found.reason, found.message});
    json_decref(docs);
    free(peers);
}

static void judge_soon(void *arg)
{
    struct waywatch *w = arg;
    if (!uv_is_active((uv_handle_t *)&w->timer))
        uv_timer_start(&w->timer, judge, GATHER_MS, 0);
}

void waywatch_set(struct waywatch *w, const struct probe_peer *peers, size_t n, const char *missing)
{
    static const struct agent_network not_needed = {false, NODE_NETWORK_NOT_NEEDED, "no node is behind a tunnel"};
    probe_set_peers(w->probe, peers, n);
    if (n) {
        judge_soon(w);
        return;
    }
    uv_timer_stop(&w->timer);
    tell(w, *missing ? &(struct agent_network){false, NODE_NETWORK_MISSING, missing} : &not_needed);
}

void waywatch_set_ready(struct waywatch *w, const char *node, bool ready)
{
    probe_set_ready(w->probe, node, ready);
    if (!probe_is_idle(w->probe))
        judge_soon(w);
}

/* --- life --- */

static bool is_heard(void *arg)
{
    const struct waywatch *w = arg;
    return w->config.heard(w->config.told_arg, w->config.node_name);
}

static void on_lost(void *arg)
{
    const struct waywatch *w = arg;
    w->config.lost(w->config.lost_arg);
}

struct waywatch *waywatch_new(const struct waywatch_config *config)
{
    struct waywatch *w = NEW(struct waywatch);
    const struct probe_config probe = {.netns_fd = config->netns_fd,
                                       .node_ip = config->node_ip,
                                       .tunnel_ip = config->tunnel_ip,
                                       .changed = judge_soon,
                                       .heard = is_heard,
                                       .lost = on_lost,
                                       .arg = w};
    *w = (struct waywatch){.config = *config, .probe = probe_new(config->loop, &probe)};
    uv_timer_init(config->loop, &w->timer);
    w->timer.data = w;
    return w;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void waywatch_free(struct waywatch *w)
{
    if (!w)
        return;
    probe_free(w->probe);
    uv_close((uv_handle_t *)&w->timer, on_closed);
}
