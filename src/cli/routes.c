/* See routes.h. */
#include "cli/routes.h"

#define LOG_AREA "routes"
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "json/json.h"
#include "podnet/podnet.h"

struct routes {
    size_t n;
    struct {
        char *name, *ip;
        int netns_fd;
    } nodes[];
};

/* In every namespace but the node's own: its pods are behind its address. */
static void route_to(const struct routes *r, size_t target, const char *cidrs)
{
    struct err err;
    if (podnet_route(-1, cidrs, r->nodes[target].ip, &err) < 0)
        log_warn("%s", err.msg);
    for (size_t i = 0; i < r->n; i++)
        if (i != target && podnet_route(r->nodes[i].netns_fd, cidrs, r->nodes[target].ip, &err) < 0)
            log_warn("%s: %s", r->nodes[i].name, err.msg);
}

/* With a comma between the families; "": none yet. */
static char *pod_cidrs(const struct object *o)
{
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    return jjoin(jget(doc, "spec.podCIDRs"));
}

static void node_changed(void *arg, struct object *old, struct object *obj)
{
    const struct routes *r = arg;
    _cleanup_free_ char *before = pod_cidrs(old), *now = pod_cidrs(obj);
    if (!*now || streq(before, now))
        return;
    for (size_t i = 0; i < r->n; i++)
        if (streq(r->nodes[i].name, obj->name))
            route_to(r, i, now);
}

struct routes *routes_new(struct informer *nodes_informer, const struct lan_node *nodes, const int *netns_fds, size_t n)
{
    struct routes *r = xcalloc(1, sizeof(*r) + n * sizeof(r->nodes[0]));
    r->n = n;
    for (size_t i = 0; i < n; i++) {
        r->nodes[i].name = xstrdup(nodes[i].name);
        r->nodes[i].ip = xstrdup(nodes[i].ip);
        r->nodes[i].netns_fd = netns_fds[i];
    }
    informer_on_change(nodes_informer, node_changed, r);
    return r;
}

void routes_free(struct routes *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++) {
        free(r->nodes[i].name);
        free(r->nodes[i].ip);
    }
    free(r);
}
