/* See controller.h. One queue serves all controllers in turn. A key that has made requests is held until each is
 * answered and, where the kind is watched, until the informer has caught up with the answer's revision. */
#define LOG_AREA "controller"
#include "client/controller.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "client/events.h"
#include "client/workqueue.h"
#include "json/json.h"
#include "kinds/kind.h"

/* Reconciling pauses after this long, so that the loop can serve others. */
#define TURN_MS 4

struct controller {
    struct controllers *cs;
    const struct controller_def *def;
    void *config, *state;
    struct controller_watch *more; /* beside def->watches, later ones */
    size_t n_more;
    struct events *events;
};

/* One informer, and the calls that were answered but are not seen in it yet. */
struct feed {
    struct controllers *cs;
    struct informer *informer;
    const struct kind *kind;
    struct list waiting;
    bool late; /* made after the start: nobody waits for its first list */
};

struct controllers {
    struct client *client;
    struct controller **controllers;
    size_t n_controllers;
    struct feed **feeds;
    size_t n_feeds, n_late, n_synced;
    struct workqueue queue;
    struct work *current; /* the key that requests are made for */
    unsigned n_held;
    struct list calls; /* not answered yet */
    int64_t (*now_usec)(void);
    bool started;
    uv_idle_t idle;
    uv_timer_t timer;
    int open_handles;
};

struct call {
    struct list link;       /* in calls, then in a feed's waiting */
    struct controllers *cs; /* NULL: freed meanwhile */
    struct work *work;
    struct controller_call what;
    char *ns, *name;
    char *uid;   /* of what is deleted, as the informer knew it */
    uint64_t rv; /* wait for this revision */
};

static int64_t now_ms(const struct controllers *cs)
{
    return cs->now_usec ? cs->now_usec() / 1000 : clock_mono_ms();
}

/* --- turns --- */

static void turn(struct controllers *cs);

static void idle_turn(uv_idle_t *h)
{
    turn(h->data);
}

static void timer_turn(uv_timer_t *t)
{
    turn(t->data);
}

static bool all_synced(const struct controllers *cs)
{
    return cs->started && cs->n_synced == cs->n_feeds - cs->n_late;
}

/* Sees to it that turn() is called when there is something to do. */
static void wake(struct controllers *cs)
{
    if (!all_synced(cs))
        return;
    if (workqueue_ready(&cs->queue)) {
        uv_idle_start(&cs->idle, idle_turn);
        return;
    }
    uv_idle_stop(&cs->idle);
    int64_t due = workqueue_next_due(&cs->queue), wait = due - now_ms(cs);
    if (due >= 0 && !cs->now_usec)
        uv_timer_start(&cs->timer, timer_turn, wait > 0 ? (uint64_t)wait : 0, 0);
}

static void let_go_if_done(struct controllers *cs, struct work *w)
{
    if (w->open)
        return;
    bool failed = w->failed;
    w->failed = false;
    cs->n_held--;
    workqueue_release(&cs->queue, w, failed, now_ms(cs));
}

static void turn(struct controllers *cs)
{
    int64_t start = clock_mono_ms();
    struct work *w;
    while (clock_mono_ms() - start < TURN_MS && (w = workqueue_take(&cs->queue, now_ms(cs)))) {
        struct controller *c = w->owner;
        cs->n_held++;
        cs->current = w;
        c->def->reconcile(c, w->ns, w->name);
        cs->current = NULL;
        let_go_if_done(cs, w);
    }
    wake(cs);
}

bool controllers_idle(const struct controllers *cs)
{
    return all_synced(cs) && !cs->n_held && !workqueue_ready(&cs->queue);
}

void controllers_tick(struct controllers *cs)
{
    turn(cs);
}

/* --- informers --- */

static bool call_is_seen(const struct feed *f, const struct call *call)
{
    if (call->rv)
        return informer_rv(f->informer) >= call->rv;
    struct object *o = informer_get(f->informer, call->ns, call->name);
    if (!o || !call->uid || !streq(o->uid, call->uid))
        return true;
    _cleanup_json_ json_t *doc = object_json(o);
    return jget(doc, "metadata.deletionTimestamp") != NULL;
}

static void call_free(struct call *call)
{
    list_remove(&call->link);
    free(call->ns);
    free(call->name);
    free(call->uid);
    free(call);
}

static void call_end(struct call *call)
{
    struct controllers *cs = call->cs;
    struct work *w = call->work;
    call_free(call);
    w->open--;
    let_go_if_done(cs, w);
    wake(cs);
}

static void caught_up(void *arg)
{
    struct feed *f = arg;
    LIST_EACH(it, &f->waiting) {
        struct call *call = container_of(it, struct call, link);
        if (call_is_seen(f, call))
            call_end(call);
    }
    wake(f->cs);
}

static void map_side(struct controller *c, const struct controller_watch *w, struct object *o)
{
    if (!o)
        return;
    if (w->map)
        w->map(c, o);
    else
        controller_enqueue(c, o->ns, o->name);
}

static void map_change(struct controller *c, const struct controller_watch *w, const struct kind *k, struct object *old,
                       struct object *obj)
{
    if (w->kind != k)
        return;
    map_side(c, w, old);
    map_side(c, w, obj);
}

static void changed(void *arg, struct object *old, struct object *obj)
{
    struct feed *f = arg;
    for (size_t i = 0; i < f->cs->n_controllers; i++) {
        struct controller *c = f->cs->controllers[i];
        for (const struct controller_watch *w = c->def->watches; w->kind; w++)
            map_change(c, w, f->kind, old, obj);
        for (size_t n = 0; n < c->n_more; n++)
            map_change(c, &c->more[n], f->kind, old, obj);
    }
}

static void synced(void *arg)
{
    struct feed *f = arg;
    f->cs->n_synced += !f->late;
    wake(f->cs);
}

static struct feed *find_feed(const struct controllers *cs, const struct kind *k)
{
    for (size_t i = 0; i < cs->n_feeds; i++)
        if (cs->feeds[i]->kind == k)
            return cs->feeds[i];
    return NULL;
}

struct informer *controllers_informer(struct controllers *cs, const struct kind *k)
{
    struct feed *f = find_feed(cs, k);
    if (f)
        return f->informer;
    f = NEW(struct feed);
    f->cs = cs;
    f->kind = k;
    list_init(&f->waiting);
    f->informer = informer_new(cs->client, k, NULL);
    cs->feeds = xrealloc(cs->feeds, (cs->n_feeds + 1) * sizeof(struct feed *));
    cs->feeds[cs->n_feeds++] = f;
    informer_on_change(f->informer, changed, f);
    informer_on_synced(f->informer, synced, f);
    informer_on_progress(f->informer, caught_up, f);
    f->late = cs->started;
    cs->n_late += f->late;
    if (f->late)
        informer_start(f->informer);
    return f->informer;
}

/* --- life --- */

struct controllers *controllers_new(struct client *client)
{
    struct controllers *cs = NEW(struct controllers);
    cs->client = client;
    workqueue_init(&cs->queue);
    list_init(&cs->calls);
    uv_idle_init(client->loop, &cs->idle);
    uv_timer_init(client->loop, &cs->timer);
    cs->idle.data = cs->timer.data = cs;
    cs->open_handles = 2;
    return cs;
}

void controllers_set_clock(struct controllers *cs, int64_t (*now_usec)(void))
{
    cs->now_usec = now_usec;
}

void controllers_add(struct controllers *cs, const struct controller_def *def)
{
    controllers_add_with(cs, def, NULL);
}

void controllers_add_with(struct controllers *cs, const struct controller_def *def, void *config)
{
    struct controller *c = NEW(struct controller);
    c->cs = cs;
    c->def = def;
    c->config = config;
    c->events = events_new(cs->client, def->name, NULL);
    cs->controllers = xrealloc(cs->controllers, (cs->n_controllers + 1) * sizeof(struct controller *));
    cs->controllers[cs->n_controllers++] = c;
    for (const struct controller_watch *w = def->watches; w->kind; w++)
        controllers_informer(cs, w->kind);
    if (def->start)
        c->state = def->start(c);
}

void controllers_start(struct controllers *cs)
{
    cs->started = true;
    for (size_t i = 0; i < cs->n_feeds; i++)
        informer_start(cs->feeds[i]->informer);
}

static void handle_closed(uv_handle_t *h)
{
    struct controllers *cs = h->data;
    if (--cs->open_handles == 0)
        free(cs);
}

void controllers_free(struct controllers *cs)
{
    if (!cs)
        return;
    for (size_t i = 0; i < cs->n_feeds; i++) {
        LIST_EACH(it, &cs->feeds[i]->waiting)
            call_free(container_of(it, struct call, link));
        informer_free(cs->feeds[i]->informer);
        free(cs->feeds[i]);
    }
    LIST_EACH(it, &cs->calls) {
        container_of(it, struct call, link)->cs = NULL; /* frees itself when it is answered */
        list_remove(it);
    }
    for (size_t i = 0; i < cs->n_controllers; i++) {
        struct controller *c = cs->controllers[i];
        if (c->def->stop)
            c->def->stop(c->state);
        events_free(c->events);
        free(c->more);
        free(c);
    }
    free(cs->controllers);
    free(cs->feeds);
    workqueue_done(&cs->queue);
    uv_close((uv_handle_t *)&cs->idle, handle_closed);
    uv_close((uv_handle_t *)&cs->timer, handle_closed);
}

/* --- for reconcile and map --- */

void *controller_config(struct controller *c)
{
    return c->config;
}

void *controller_state(struct controller *c)
{
    return c->state;
}

struct client *controller_client(struct controller *c)
{
    return c->cs->client;
}

struct informer *controller_informer(struct controller *c, const struct kind *k)
{
    return controllers_informer(c->cs, k);
}

void controller_watch_more(struct controller *c, const struct kind *k, controller_map_fn *map)
{
    c->more = xrealloc(c->more, (c->n_more + 1) * sizeof(*c->more));
    struct controller_watch *w = &c->more[c->n_more++];
    *w = (struct controller_watch){k, map};
    void *cursor = NULL;
    struct informer *i = controllers_informer(c->cs, k);
    for (struct object *o; (o = informer_next(i, NULL, &cursor));)
        map_side(c, w, o);
}

int64_t controller_now_usec(const struct controller *c)
{
    return c->cs->now_usec ? c->cs->now_usec() : clock_wall_usec();
}

int64_t controller_mono_ms(const struct controller *c)
{
    return now_ms(c->cs);
}

void controller_enqueue(struct controller *c, const char *ns, const char *name)
{
    workqueue_add(&c->cs->queue, c, ns, name);
    wake(c->cs);
}

void controller_enqueue_after(struct controller *c, const char *ns, const char *name, int64_t ms)
{
    workqueue_add_at(&c->cs->queue, c, ns, name, now_ms(c->cs) + (ms > 0 ? ms : 1));
    wake(c->cs);
}

void controller_event(struct controller *c, const json_t *obj, const char *type, const char *reason, const char *fmt,
                      ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = NULL;
    if (vasprintf(&text, fmt, ap) >= 0)
        events_send(c->events, obj, NULL, type, reason, "%s", text);
    free(text);
    va_end(ap);
}

/* --- requests --- */

/* Failures that tell no more than that somebody else was faster, or that the namespace goes away. */
static bool goes_without_saying(int code, const json_t *body)
{
    return code == 409 || (code == 403 && jfind(jget(body, "details.causes"), "reason", "NamespaceTerminating"));
}

static void complain(const struct call *call, int code, const json_t *body)
{
    const struct controller *c = call->work->owner;
    struct work *w = call->work;
    char *text = xasprintf("%s %s %s/%s%s%s: %s", call->what.method, call->what.kind->plural, call->ns,
                           str_or(call->name, ""), call->what.sub ? "/" : "", str_or(call->what.sub, ""),
                           code ? jstr_or(body, "message", "failed") : "no answer");
    if (!w->complaint || !streq(w->complaint, text))
        log_warn("%s: %s%s%s: %s; trying again", c->def->name, w->ns, *w->ns ? "/" : "", w->name, text);
    free(w->complaint);
    w->complaint = text;
}

/* What is gone needs no change and no deletion any more. */
static bool call_succeeded(const struct call *call, int code)
{
    return (code >= 200 && code < 300) || (code == 404 && call->name);
}

static bool is_deletion(const struct call *call)
{
    return streq(call->what.method, "DELETE") && call->name;
}

/* Finds out what must be seen in the informer before the call is over; false: nothing. */
static bool must_be_seen(struct call *call, const struct feed *f, int code, const json_t *body)
{
    if (!f || streq(call->what.method, "GET"))
        return false;
    if (is_deletion(call))
        return !call_is_seen(f, call);
    int64_t rv;
    const char *kind = jstr(body, "kind"), *text = jstr(body, "metadata.resourceVersion");
    if (code == 404 || !kind || !streq(kind, call->what.kind->kind) || !text || !str_to_i64(text, 1, INT64_MAX, &rv))
        return false;
    call->rv = (uint64_t)rv;
    return !call_is_seen(f, call);
}

static void call_answered(void *arg, int code, const json_t *body)
{
    struct call *call = arg;
    struct controllers *cs = call->cs;
    if (!cs) {
        call_free(call);
        return;
    }
    struct work *w = call->work;
    struct controller *c = w->owner;
    list_remove(&call->link);
    if (c->def->answered) {
        cs->current = w;
        c->def->answered(c, w->ns, w->name, &call->what, code, body);
        cs->current = NULL;
    }
    if (!call_succeeded(call, code)) {
        w->failed = true;
        if (!goes_without_saying(code, body))
            complain(call, code, body);
        call_end(call);
        return;
    }
    struct feed *f = find_feed(cs, call->what.kind);
    if (must_be_seen(call, f, code, body))
        list_append(&f->waiting, &call->link);
    else
        call_end(call);
}

static struct call *call_new(struct controller *c, const char *method, const struct kind *k, const char *ns,
                             const char *name, const char *sub)
{
    struct controllers *cs = c->cs;
    if (!cs->current || cs->current->owner != c)
        abort(); /* a request outside reconcile and answered belongs to no key */
    struct call *call = NEW(struct call);
    call->cs = cs;
    call->work = cs->current;
    call->work->open++;
    call->ns = xstrdup(k->namespaced ? str_or(ns, "") : "");
    call->name = xstrdup_or_null(name);
    call->what = (struct controller_call){method, k, call->ns, call->name, sub};
    list_append(&cs->calls, &call->link);
    return call;
}

static struct call *deletion_new(struct controller *c, const struct kind *k, const char *ns, const char *name)
{
    struct call *call = call_new(c, "DELETE", k, ns, name, NULL);
    const struct feed *f = name ? find_feed(c->cs, k) : NULL;
    const struct object *o = f ? informer_get(f->informer, call->ns, name) : NULL;
    call->uid = o ? xstrdup(o->uid) : NULL;
    return call;
}

void controller_create(struct controller *c, const struct kind *k, const char *ns, const json_t *obj)
{
    client_create(c->cs->client, k, ns, obj, call_answered, call_new(c, "POST", k, ns, NULL, NULL));
}

void controller_update(struct controller *c, const struct kind *k, const char *sub, const json_t *obj)
{
    struct call *call = call_new(c, "PUT", k, jstr(obj, "metadata.namespace"), jstr(obj, "metadata.name"), sub);
    client_update(c->cs->client, k, sub, obj, call_answered, call);
}

void controller_patch(struct controller *c, const struct kind *k, const char *ns, const char *name, const char *sub,
                      const char *patch_type, const json_t *patch)
{
    client_patch(c->cs->client, k, ns, name, sub, patch_type, patch, call_answered,
                 call_new(c, "PATCH", k, ns, name, sub));
}

void controller_delete(struct controller *c, const struct kind *k, const char *ns, const char *name,
                       const json_t *options)
{
    client_delete(c->cs->client, k, ns, name, options, call_answered, deletion_new(c, k, ns, name));
}

static void send_request(struct controller *c, struct call *call, const json_t *body)
{
    const struct kind *k = call->what.kind;
    _cleanup_free_ char *path = kind_path(k, *call->ns ? call->ns : NULL, call->name, call->what.sub);
    c->cs->client->ops->request(c->cs->client, call->what.method, path, body ? "application/json" : NULL, body,
                                call_answered, call);
}

void controller_request(struct controller *c, const char *method, const struct kind *k, const char *ns,
                        const char *name, const char *sub, const json_t *body)
{
    send_request(c, call_new(c, method, k, ns, name, sub), body);
}

/* A page of a list as the document that a GET would have given. */
static void list_answered(void *arg, int code, struct object *const *objs, size_t n, uint64_t rv)
{
    (void)rv;
    _cleanup_json_ json_t *items = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(items, object_json(objs[i]));
    _cleanup_json_ json_t *body = json_pack("{s:O}", "items", items);
    call_answered(arg, code, body);
}

void controller_get(struct controller *c, const struct kind *k, const char *ns, const char *name)
{
    struct call *call = call_new(c, "GET", k, ns, name, NULL);
    if (name) {
        send_request(c, call, NULL);
        return;
    }
    _cleanup_free_ char *path = kind_path(k, *call->ns ? call->ns : NULL, NULL, NULL);
    _cleanup_free_ char *target = xasprintf("%s?limit=1", path);
    c->cs->client->ops->list(c->cs->client, k, target, list_answered, call);
}
