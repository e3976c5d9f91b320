/* See feed.h. */
#include "service/feed.h"

#include "base/alloc.h"
#include "client/informer.h"
#include "client/recall.h"
#include "json/json.h"
#include "kinds/kind.h"

enum { FEED_SERVICES, FEED_SLICES, FEED_NODES, FEED_NAMESPACES, FEED_N };

struct model_feed {
    struct model *model;
    struct informer *informers[FEED_N];
    struct recall *recalls[FEED_N]; /* NULL: nothing is kept */
    size_t n_synced;
    bool slices_changed; /* since the model was told how far they are */
    void (*synced)(void *arg);
    void *synced_arg;
};

static void on_service(void *arg, struct object *old, struct object *obj)
{
    struct model_feed *f = arg;
    const struct object *o = obj ? obj : old;
    _cleanup_json_ json_t *doc = obj ? object_json(obj) : NULL;
    model_set_service(f->model, o->ns, o->name, doc);
}

static void on_slice(void *arg, struct object *old, struct object *obj)
{
    struct model_feed *f = arg;
    const struct object *o = obj ? obj : old;
    _cleanup_json_ json_t *doc = obj ? object_json(obj) : NULL;
    model_set_slice(f->model, o->ns, o->name, doc);
    f->slices_changed = true;
}

static void on_node(void *arg, struct object *old, struct object *obj)
{
    struct model_feed *f = arg;
    const struct object *o = obj ? obj : old;
    _cleanup_json_ json_t *doc = obj ? object_json(obj) : NULL;
    model_set_node(f->model, o->name, doc);
}

static void on_namespace(void *arg, struct object *old, struct object *obj)
{
    struct model_feed *f = arg;
    model_set_namespace(f->model, (obj ? obj : old)->name, obj != NULL);
}

/* Bookmarks do not count: they reach one node sooner than another. */
static void on_slices_progress(void *arg)
{
    struct model_feed *f = arg;
    if (f->slices_changed)
        model_set_revision(f->model, informer_rv(f->informers[FEED_SLICES]));
    f->slices_changed = false;
}

static void on_synced(void *arg)
{
    struct model_feed *f = arg;
    if (++f->n_synced == FEED_N && f->synced)
        f->synced(f->synced_arg);
}

struct model_feed *model_feed_new(struct client *c, struct model *m, const char *memory)
{
    static const struct {
        const struct kind *kind;
        informer_fn *changed;
    } kinds[FEED_N] = {
        [FEED_SERVICES] = {&kind_service, on_service},
        [FEED_SLICES] = {&kind_endpointslice, on_slice},
        [FEED_NODES] = {&kind_node, on_node},
        [FEED_NAMESPACES] = {&kind_namespace, on_namespace},
    };
    struct model_feed *f = NEW(struct model_feed);
    f->model = m;
    for (int i = 0; i < FEED_N; i++) {
        f->informers[i] = informer_new(c, kinds[i].kind, NULL);
        informer_on_change(f->informers[i], kinds[i].changed, f);
        informer_on_synced(f->informers[i], on_synced, f);
        if (i == FEED_SLICES)
            informer_on_progress(f->informers[i], on_slices_progress, f);
        f->recalls[i] = memory ? recall_new(f->informers[i], memory, kinds[i].kind->plural) : NULL;
        informer_start(f->informers[i]);
    }
    return f;
}

void model_feed_free(struct model_feed *f)
{
    if (!f)
        return;
    for (int i = 0; i < FEED_N; i++) {
        recall_free(f->recalls[i]);
        informer_free(f->informers[i]);
    }
    free(f);
}

bool model_feed_recalled(const struct model_feed *f)
{
    for (int i = 0; i < FEED_N; i++)
        if (!f->recalls[i] || !recall_found(f->recalls[i]))
            return false;
    return true;
}

void model_feed_on_synced(struct model_feed *f, void (*fn)(void *arg), void *arg)
{
    f->synced = fn;
    f->synced_arg = arg;
    if (f->n_synced == FEED_N && fn)
        fn(arg);
}
