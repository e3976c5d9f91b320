/* See watch.h. */
#include "server/watch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "http/http.h"
#include "server/list_options.h"

#define BOOKMARK_MS 60000  /* as upstream: about once a minute */
#define TIMEOUT_MIN_S 1800 /* without timeoutSeconds: 30 to 60 minutes, at random, as upstream */
#define TIMEOUT_SPREAD_S 1800
#define TIMEOUT_MAX_S INT32_MAX

struct watch {
    struct list link; /* server->watches */
    struct server *server;
    const struct kind *kind;
    char *ns; /* NULL: all namespaces */
    struct filter filter;
    bool bookmarks;
    uint64_t rv;                      /* everything up to here was delivered */
    int64_t deadline_ms, bookmark_ms; /* on the monotonic clock */
    struct store_watch *subscription;
    const struct watch_sink *sink;
    void *arg;
    int busy;     /* calls of the sink on the stack */
    bool stopped; /* inside such a call: freed after it */
};

static void free_watch(struct watch *w)
{
    store_watch_stop(w->subscription);
    list_remove(&w->link);
    w->server->counters.watches--;
    filter_done(&w->filter);
    free(w->ns);
    free(w);
}

void watch_stop(struct watch *w)
{
    if (!w)
        return;
    store_watch_stop(TAKE(w->subscription));
    w->stopped = true;
    if (!w->busy)
        free_watch(w);
}

static void emit(struct watch *w, enum client_event type, struct object *obj, bool initial_end)
{
    if (!w->stopped)
        w->sink->event(w->arg, type, obj, obj ? obj->rv : w->rv, initial_end);
}

static void end(struct watch *w, const json_t *status)
{
    const struct watch_sink *sink = w->sink;
    void *arg = w->arg;
    watch_stop(w);
    sink->ended(arg, status);
}

/* --- changes --- */

static bool matches(const struct watch *w, const struct object *o)
{
    return o && (!w->ns || streq(w->ns, o->ns)) && filter_matches(&w->filter, o);
}

/* What a watcher gets for an object that no longer matches: its last matching version, with the revision of the change.
 */
static struct object *last_matching(const struct object *old, uint64_t rv)
{
    char text[24];
    _cleanup_json_ json_t *seen = object_json(old);
    _cleanup_json_ json_t *doc = jcopy(seen);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)rv);
    jset_str(doc, "metadata.resourceVersion", text);
    return object_new(old->kind, doc);
}

static void on_change(void *arg, struct object *old, struct object *obj, bool deleted)
{
    struct watch *w = arg;
    bool before = matches(w, old), now = !deleted && matches(w, obj);
    w->rv = obj->rv;
    w->busy++;
    if (deleted && before) {
        emit(w, CLIENT_DELETED, obj, false);
    } else if (before && !now) {
        _cleanup_object_ struct object *last = last_matching(old, obj->rv);
        emit(w, CLIENT_DELETED, last, false);
    } else if (now) {
        emit(w, before ? CLIENT_MODIFIED : CLIENT_ADDED, obj, false);
    }
    w->busy--;
    if (w->stopped && !w->busy)
        free_watch(w);
}

/* --- time: one timer for all watches, set to whatever is due first --- */

static void on_timer(uv_timer_t *timer);

static void set_timer(struct server *s)
{
    int64_t due = INT64_MAX, now = clock_mono_ms();
    LIST_EACH(it, &s->watches) {
        const struct watch *w = container_of(it, struct watch, link);
        if (w->deadline_ms < due)
            due = w->deadline_ms;
        if (w->bookmarks && w->bookmark_ms < due)
            due = w->bookmark_ms;
    }
    if (due == INT64_MAX)
        uv_timer_stop(&s->watch_timer);
    else
        uv_timer_start(&s->watch_timer, on_timer, due > now ? (uint64_t)(due - now) : 0, 0);
}

static void give_bookmark(struct watch *w, int64_t now)
{
    w->bookmark_ms = now + BOOKMARK_MS;
    /* Nothing of this kind is on its way to us that the store has published. */
    if (store_rv(w->server->store) > w->rv)
        w->rv = store_rv(w->server->store);
    w->busy++;
    emit(w, CLIENT_BOOKMARK, NULL, false);
    w->busy--;
    if (w->stopped && !w->busy)
        free_watch(w);
}

static void on_timer(uv_timer_t *timer)
{
    struct server *s = timer->data;
    int64_t now = clock_mono_ms();
    /* A sink may stop any watch, its own or another: one is handled at a time, then the list is looked at again. */
    for (bool again = true; again;) {
        again = false;
        LIST_EACH(it, &s->watches) {
            struct watch *w = container_of(it, struct watch, link);
            again = w->deadline_ms <= now || (w->bookmarks && w->bookmark_ms <= now);
            if (!again)
                continue;
            if (w->deadline_ms <= now)
                end(w, NULL);
            else
                give_bookmark(w, now);
            break;
        }
    }
    set_timer(s);
}

static void schedule(struct watch *w)
{
    int64_t first = w->bookmarks && w->bookmark_ms < w->deadline_ms ? w->bookmark_ms : w->deadline_ms;
    uint64_t in = (uint64_t)(first - clock_mono_ms());
    uv_timer_t *timer = &w->server->watch_timer;
    if (!uv_is_active((uv_handle_t *)timer) || uv_timer_get_due_in(timer) > in)
        uv_timer_start(timer, on_timer, in, 0);
}

/* --- beginning --- */

struct initial {
    struct watch *w;
    struct page found;
};

static bool gather(void *arg, struct object *o)
{
    struct initial *in = arg;
    if (!filter_matches(&in->w->filter, o))
        return true;
    struct page *p = &in->found;
    p->objs = xrealloc(p->objs, (p->n + 1) * sizeof(struct object *));
    p->objs[p->n++] = object_ref(o);
    return true;
}

/* The state as it is, as ADDED events. Gathered first: a sink may do anything. */
static void emit_state(struct watch *w)
{
    struct initial in = {.w = w};
    store_each(w->server->store, w->kind, w->kind->namespaced ? w->ns : "", NULL, NULL, gather, &in);
    for (size_t i = 0; i < in.found.n; i++)
        emit(w, CLIENT_ADDED, in.found.objs[i], false);
    page_done(&in.found);
}

struct watch_options {
    uint64_t rv;
    int64_t timeout_s;
    bool from_state;   /* begin with what is there */
    bool end_of_state; /* and say when that is over */
};

/* apimachinery ValidateListOptions, the half about watches. */
static json_t *check_match(const struct request *r, bool initial_events)
{
    static const char path[] = "resourceVersionMatch";
    _cleanup_free_ char *text = query_get(r->query, path, 0);
    const char *match = str_or(text, "");
    bool not_older = streq(match, "NotOlderThan");
    struct status_causes c = {0};
    _cleanup_json_ json_t *value = json_string(match);
    if (initial_events && !not_older)
        causes_add(&c, CAUSE_FORBIDDEN, path, NULL,
                   "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    if (*match && !initial_events)
        causes_add(&c, CAUSE_FORBIDDEN, path, NULL,
                   "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    if (*match && !not_older)
        causes_add(&c, CAUSE_NOT_SUPPORTED, path, value, "supported values: \"NotOlderThan\"");
    json_t *status = causes_any(&c) ? status_invalid("meta.k8s.io", "ListOptions", "", &c) : NULL;
    causes_done(&c);
    return status;
}

static json_t *parse_options(const struct request *r, struct watch *w, struct watch_options *ret)
{
    struct err err;
    _cleanup_free_ char *initial = query_get(r->query, "sendInitialEvents", 0);
    int64_t otherwise = TIMEOUT_MIN_S + rand_below(TIMEOUT_SPREAD_S);
    if (filter_parse(r->kind, r->query, &w->filter, &err) < 0)
        return status_new(STATUS_BAD_REQUEST, "%s", err.msg);
    if (!query_int(r->query, "timeoutSeconds", 0, TIMEOUT_MAX_S, otherwise, &ret->timeout_s))
        return status_new(STATUS_BAD_REQUEST, "timeoutSeconds: Invalid value: must be a number that is not negative");
    if (!ret->timeout_s)
        ret->timeout_s = otherwise;
    json_t *status = check_match(r, initial && *initial);
    if (!status)
        status = check_revision(r, &ret->rv);
    if (status)
        return status;
    w->bookmarks = query_bool(r->query, "allowWatchBookmarks");
    ret->from_state = initial ? query_bool(r->query, "sendInitialEvents") : !ret->rv;
    ret->end_of_state = initial && ret->from_state && w->bookmarks;
    return NULL;
}

static void run(struct watch *w, const struct watch_options *o)
{
    w->busy++;
    if (o->from_state)
        emit_state(w);
    if (o->end_of_state)
        emit(w, CLIENT_BOOKMARK, NULL, true);
    w->busy--;
}

static void end_too_old(struct watch *w, uint64_t rv)
{
    _cleanup_json_ json_t *status = status_new(STATUS_EXPIRED, "too old resource version: %llu (%llu)",
                                               (unsigned long long)rv, (unsigned long long)store_rv(w->server->store));
    end(w, status);
}

struct watch *watch_start(const struct request *r, const struct watch_sink *sink, void *arg, json_t **ret_status)
{
    struct watch_options o;
    struct server *s = r->server;
    struct watch *w = NEW(struct watch);
    *w = (struct watch){.server = s, .kind = r->kind, .sink = sink, .arg = arg};
    w->ns = *r->what.ns ? xstrdup(r->what.ns) : NULL;
    list_append(&s->watches, &w->link);
    s->counters.watches++;
    *ret_status = parse_options(r, w, &o);
    if (*ret_status) {
        free_watch(w);
        return NULL;
    }
    w->rv = o.from_state ? store_rv(s->store) : o.rv;
    w->subscription = store_watch(s->store, w->kind, w->rv, on_change, w);
    if (!w->subscription) {
        end_too_old(w, o.rv);
        return NULL;
    }
    int64_t now = clock_mono_ms();
    w->deadline_ms = now + o.timeout_s * 1000;
    w->bookmark_ms = now + BOOKMARK_MS;
    schedule(w);
    run(w, &o);
    if (!w->stopped)
        return w;
    free_watch(w);
    return NULL;
}

void watches_end(struct server *s, const struct kind *k)
{
    for (bool again = true; again;) { /* a sink may stop any watch */
        again = false;
        LIST_EACH(it, &s->watches) {
            struct watch *w = container_of(it, struct watch, link);
            again = w->kind == k && !w->stopped;
            if (!again)
                continue;
            if (w->busy)
                w->deadline_ms = 0; /* on_timer ends it */
            else
                end(w, NULL);
            break;
        }
    }
}

void watches_init(struct server *s)
{
    list_init(&s->watches);
    uv_timer_init(s->loop, &s->watch_timer);
    s->watch_timer.data = s;
}

void watches_done(struct server *s)
{
    LIST_EACH(it, &s->watches) {
        struct watch *w = container_of(it, struct watch, link);
        store_watch_stop(TAKE(w->subscription));
        free_watch(w);
    }
}
