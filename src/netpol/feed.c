/* See feed.h. */
#include "netpol/feed.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "client/informer.h"
#include "kinds/kind.h"

enum { POLICIES, PODS, NAMESPACES, N_KINDS };

struct netpol_feed {
    struct client *client;
    struct informer *informers[N_KINDS]; /* the last two: while there are policies */
    uv_timer_t *later;                   /* 0 ms after a change: informers are not ended from inside a handler */
    struct list readers;
    enum netpol_known told;
};

typedef void tell_fn(const struct netpol_reader *r, struct object *o, struct object *obj);

static void tell_policy(const struct netpol_reader *r, struct object *o, struct object *obj)
{
    r->policy(r->arg, o->ns, o->name, obj);
}

static void tell_pod(const struct netpol_reader *r, struct object *o, struct object *obj)
{
    r->pod(r->arg, o->ns, o->name, obj);
}

static void tell_namespace(const struct netpol_reader *r, struct object *o, struct object *obj)
{
    r->namespace(r->arg, o->ns, o->name, obj);
}

static tell_fn *const tell[N_KINDS] = {tell_policy, tell_pod, tell_namespace};

/* --- how much is known --- */

enum netpol_known netpol_feed_known(const struct netpol_feed *f)
{
    if (!informer_synced(f->informers[POLICIES]))
        return KNOWN_NOTHING;
    if (!informer_count(f->informers[POLICIES]))
        return KNOWN_NONE;
    return f->informers[PODS] && informer_synced(f->informers[PODS]) && informer_synced(f->informers[NAMESPACES])
               ? KNOWN_ALL
               : KNOWN_POLICIES;
}

static void tell_known(struct netpol_feed *f)
{
    if (f->told == netpol_feed_known(f))
        return;
    f->told = netpol_feed_known(f);
    LIST_EACH(it, &f->readers) {
        const struct netpol_reader *r = container_of(it, struct netpol_reader, link);
        r->known(r->arg);
    }
}

static void on_change(struct netpol_feed *f, int kind, struct object *old, struct object *obj)
{
    LIST_EACH(it, &f->readers)
        tell[kind](container_of(it, struct netpol_reader, link), obj ? obj : old, obj);
}

static void on_later(uv_timer_t *t);

static void look_later(void *arg)
{
    struct netpol_feed *f = arg;
    uv_timer_start(f->later, on_later, 0, 0);
}

static void on_policy(void *arg, struct object *old, struct object *obj)
{
    on_change(arg, POLICIES, old, obj);
    look_later(arg);
}

static void on_pod(void *arg, struct object *old, struct object *obj)
{
    on_change(arg, PODS, old, obj);
}

static void on_namespace(void *arg, struct object *old, struct object *obj)
{
    on_change(arg, NAMESPACES, old, obj);
}

static void start(struct netpol_feed *f, int kind)
{
    static const struct {
        const struct kind *kind;
        informer_fn *changed;
    } kinds[N_KINDS] = {{&kind_networkpolicy, on_policy}, {&kind_pod, on_pod}, {&kind_namespace, on_namespace}};
    f->informers[kind] = informer_new(f->client, kinds[kind].kind, NULL);
    informer_on_change(f->informers[kind], kinds[kind].changed, f);
    informer_on_synced(f->informers[kind], look_later, f);
    informer_start(f->informers[kind]);
}

static void on_later(uv_timer_t *t)
{
    struct netpol_feed *f = t->data;
    size_t n = informer_count(f->informers[POLICIES]);
    if (n && !f->informers[PODS]) {
        start(f, PODS);
        start(f, NAMESPACES);
    } else if (!n && f->informers[PODS]) {
        informer_free(TAKE(f->informers[PODS]));
        informer_free(TAKE(f->informers[NAMESPACES]));
    }
    tell_known(f);
}

/* --- life --- */

struct netpol_feed *netpol_feed_new(struct client *c)
{
    struct netpol_feed *f = NEW(struct netpol_feed);
    f->client = c;
    list_init(&f->readers);
    f->later = NEW(uv_timer_t);
    uv_timer_init(c->loop, f->later);
    f->later->data = f;
    start(f, POLICIES);
    return f;
}

static void free_handle(uv_handle_t *h)
{
    free(h);
}

void netpol_feed_free(struct netpol_feed *f)
{
    if (!f)
        return;
    for (int i = 0; i < N_KINDS; i++)
        informer_free(f->informers[i]);
    uv_close((uv_handle_t *)f->later, free_handle);
    free(f);
}

void netpol_feed_join(struct netpol_feed *f, struct netpol_reader *r)
{
    list_append(&f->readers, &r->link);
    for (int i = 0; i < N_KINDS; i++) {
        void *cursor = NULL;
        for (struct object *o; f->informers[i] && (o = informer_next(f->informers[i], NULL, &cursor));)
            tell[i](r, o, o);
    }
}

void netpol_feed_leave(struct netpol_reader *r)
{
    list_remove(&r->link);
}
