/* See controller.h. One queue serves all controllers in turn; informers fill it. */
#include "base/alloc.h"
#include "base/clock.h"
#include "client/controller_internal.h"
#include "kinds/kind.h"

/* Reconciling pauses after this long, so that the loop can serve others. */
#define TURN_MS 4

/* The wall clock moves by this much against the other one only when somebody sets it; ntpd slews 0.5 ms a second. */
#define CLOCK_SET_MS 1000

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
void controllers_wake(struct controllers *cs)
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

void controllers_let_go(struct controllers *cs, struct work *w)
{
    if (w->open)
        return;
    bool failed = w->failed;
    w->failed = false;
    cs->n_held--;
    workqueue_release(&cs->queue, w, failed, now_ms(cs));
}

static int64_t wall_ahead_ms(void)
{
    return clock_wall_usec() / 1000 - clock_mono_ms();
}

/* Delays run on the monotonic clock, but many are until a time of day: a CronJob's next run, a Job's deadline. Whoever
 * waits looks again when that has moved. Leases are renewed all the time, so this is noticed within seconds. */
static void notice_set_clock(struct controllers *cs)
{
    int64_t ahead = wall_ahead_ms(), moved = ahead - cs->wall_ahead_ms;
    cs->wall_ahead_ms = ahead;
    if (!cs->now_usec && (moved > CLOCK_SET_MS || moved < -CLOCK_SET_MS))
        workqueue_hurry(&cs->queue);
}

static void turn(struct controllers *cs)
{
    int64_t start = clock_mono_ms();
    struct work *w;
    notice_set_clock(cs);
    while (clock_mono_ms() - start < TURN_MS && (w = workqueue_take(&cs->queue, now_ms(cs)))) {
        struct controller *c = w->owner;
        cs->n_held++;
        cs->current = w;
        c->def->reconcile(c, w->ns, w->name);
        cs->current = NULL;
        controllers_let_go(cs, w);
    }
    controllers_wake(cs);
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

static void caught_up(void *arg)
{
    calls_caught_up(arg);
}

static void synced(void *arg)
{
    struct feed *f = arg;
    f->cs->n_synced += !f->late;
    controllers_wake(f->cs);
}

struct feed *controllers_feed(const struct controllers *cs, const struct kind *k)
{
    for (size_t i = 0; i < cs->n_feeds; i++)
        if (cs->feeds[i]->kind == k)
            return cs->feeds[i];
    return NULL;
}

struct informer *controllers_informer(struct controllers *cs, const struct kind *k)
{
    struct feed *f = controllers_feed(cs, k);
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
    cs->wall_ahead_ms = wall_ahead_ms();
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
    calls_forget(cs);
    for (size_t i = 0; i < cs->n_feeds; i++) {
        informer_free(cs->feeds[i]->informer);
        free(cs->feeds[i]);
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
    controllers_wake(c->cs);
}

void controller_enqueue_after(struct controller *c, const char *ns, const char *name, int64_t ms)
{
    workqueue_add_at(&c->cs->queue, c, ns, name, now_ms(c->cs) + (ms > 0 ? ms : 1));
    controllers_wake(c->cs);
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
