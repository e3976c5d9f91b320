/* ConfigMaps and Secrets that volumes show are watched, each once however many pods show it, so that a change is in the
 * pods within moments. One object a watch: a node may watch nothing but what its pods name. */
#define LOG_AREA "node"
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "node/agent_impl.h"
#include "node/pod.h"

#define AGAIN_MS 1000 /* after a watch has ended */

struct refwatch {
    struct agent *agent;
    char *kind, *ns, *name; /* kind as in env.h */
    char *key;
    size_t holders;
    struct client_watch *watch; /* NULL: it has ended */
    uv_timer_t *timer;
};

static const struct kind *kind_of(const char *kind)
{
    return streq(kind, "secret") ? &kind_secret : &kind_configmap;
}

static void on_event(void *arg, enum client_event type, struct object *obj, uint64_t rv)
{
    const struct refwatch *w = arg;
    (void)rv;
    if (type == CLIENT_BOOKMARK)
        return;
    for (struct map_entry *e = NULL; (e = map_next(&w->agent->pods, e));) {
        struct pod *p = e->value;
        if (streq(p->ns, w->ns))
            pod_ref_changed(p, w->kind, w->name, type == CLIENT_DELETED ? NULL : obj);
    }
}

static void start(struct refwatch *w);

static void on_timer(uv_timer_t *t)
{
    start(t->data);
}

static void on_ended(void *arg, int code)
{
    struct refwatch *w = arg;
    (void)code;
    w->watch = NULL;
    uv_timer_start(w->timer, on_timer, AGAIN_MS, 0);
}

static void start(struct refwatch *w)
{
    static const struct client_watch_handler handler = {on_event, on_ended};
    struct client *c = w->agent->client;
    _cleanup_free_ char *path = kind_path(kind_of(w->kind), w->ns, NULL, NULL);
    _cleanup_free_ char *query = xasprintf("%s?watch=true&fieldSelector=metadata.name%%3D%s", path, w->name);
    w->watch = c->ops->watch(c, kind_of(w->kind), query, &handler, w);
}

static char *make_key(const char *kind, const char *ns, const char *name)
{
    return xasprintf("%s/%s/%s", kind, ns, name);
}

void refwatch_hold(struct agent *a, const char *kind, const char *ns, const char *name)
{
    _cleanup_free_ char *key = make_key(kind, ns, name);
    struct refwatch *w = map_get(&a->refwatches, key);
    if (w) {
        w->holders++;
        return;
    }
    w = NEW(struct refwatch);
    *w = (struct refwatch){.agent = a,
                           .kind = xstrdup(kind),
                           .ns = xstrdup(ns),
                           .name = xstrdup(name),
                           .key = TAKE(key),
                           .holders = 1,
                           .timer = timer_make(a->loop, w)};
    map_put(&a->refwatches, w->key, w);
    start(w);
}

void refwatch_release(struct agent *a, const char *kind, const char *ns, const char *name)
{
    _cleanup_free_ char *key = make_key(kind, ns, name);
    struct refwatch *w = map_get(&a->refwatches, key);
    if (!w || --w->holders > 0)
        return;
    map_del(&a->refwatches, key);
    if (w->watch)
        a->client->ops->watch_stop(w->watch);
    handle_free((uv_handle_t *)w->timer);
    free(w->kind);
    free(w->ns);
    free(w->name);
    free(w->key);
    free(w);
}
