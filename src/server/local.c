/* The in-process door: a client.h transport whose requests take the same way as everybody's, behind authentication, but
 * as documents: nothing is serialised, lists and watches hand out the store's own objects. What is asked for is queued
 * and run from the loop, so that no answer can come before the question has returned. */
#include <string.h>

#include "base/str.h"
#include "server/pipeline.h"
#include "server/watch.h"

struct local_client {
    struct client base;
    struct list link;      /* server->clients */
    struct server *server; /* NULL: it is gone; nothing is answered any more */
    struct user *user;
    struct list watches, calls;
    bool freed; /* by its owner; calls on their way still need it */
};

/* One request, from being asked to its answer. */
struct call {
    struct request r;
    struct list queued; /* server->queue until it runs */
    struct list link;   /* client->calls */
    struct local_client *client;
    client_done_fn *done; /* one of these three */
    client_list_fn *listed;
    struct client_watch *watching;
    void *arg;
};

struct client_watch {
    struct list link; /* client->watches */
    struct local_client *client;
    struct call *call;   /* until it runs */
    struct watch *watch; /* from then on */
    const struct client_watch_handler *handler;
    void *arg;
    bool starting, stopped;
};

/* --- lifetimes --- */

static struct local_client *local(struct client *c)
{
    return container_of(c, struct local_client, base);
}

static struct call *call_of(struct request *r)
{
    return container_of(r, struct call, r);
}

static void release_client(struct local_client *c)
{
    if (!c->freed || !list_empty(&c->calls))
        return;
    user_free(c->user);
    free(c);
}

static void free_call(struct request *r)
{
    struct call *call = call_of(r);
    struct local_client *c = call->client;
    list_remove(&call->queued);
    list_remove(&call->link);
    free(call);
    release_client(c);
}

static void free_watch(struct client_watch *cw)
{
    list_remove(&cw->link);
    free(cw);
}

/* --- answers --- */

static void reply_document(struct request *r, int code, json_t *doc)
{
    struct call *call = call_of(r);
    if (call->client->freed)
        return;
    if (call->done)
        call->done(call->arg, code, doc);
    if (call->listed)
        call->listed(call->arg, code, NULL, 0, 0);
    struct client_watch *cw = TAKE(call->watching);
    if (!cw)
        return;
    if (!cw->stopped)
        cw->handler->ended(cw->arg, code);
    free_watch(cw);
}

static void reply_object(struct request *r, int code, struct object *obj)
{
    struct call *call = call_of(r);
    if (!call->done || call->client->freed)
        return;
    _cleanup_json_ json_t *doc = object_json(obj);
    call->done(call->arg, code, doc);
}

static void reply_page(struct request *r, const struct page *page)
{
    struct call *call = call_of(r);
    if (call->client->freed)
        return;
    if (call->listed)
        call->listed(call->arg, 200, page->objs, page->n, page->rv);
    if (call->done) /* deletion of a collection */
        call->done(call->arg, 200, NULL);
}

/* --- watches --- */

static void on_event(void *arg, enum client_event type, struct object *obj, uint64_t rv, bool initial_end)
{
    struct client_watch *cw = arg;
    (void)initial_end;
    if (!cw->stopped)
        cw->handler->event(cw->arg, type, obj, rv);
}

static void on_ended(void *arg, const json_t *status)
{
    struct client_watch *cw = arg;
    cw->watch = NULL;
    if (!cw->stopped)
        cw->handler->ended(cw->arg, status ? (int)jint(status, "code", 500) : 200);
    cw->stopped = true;
    if (!cw->starting)
        free_watch(cw);
}

static const struct watch_sink sink = {on_event, on_ended};

static void reply_watch(struct request *r)
{
    struct client_watch *cw = TAKE(call_of(r)->watching);
    json_t *status;
    cw->starting = true;
    cw->watch = watch_start(r, &sink, cw, &status);
    cw->starting = false;
    if (status && !cw->stopped) {
        cw->handler->ended(cw->arg, (int)jint(status, "code", 500));
        cw->stopped = true;
    }
    json_decref(status);
    if (cw->stopped) {
        watch_stop(cw->watch);
        free_watch(cw);
    }
    request_free(r);
}

static const struct door local_door = {reply_object, reply_document, reply_page, reply_watch, free_call};

/* --- the queue --- */

static void run(struct call *call)
{
    struct request *r = &call->r;
    struct client_watch *cw = call->watching;
    if (cw)
        cw->call = NULL;
    if (call->client->freed || (cw && cw->stopped)) {
        if (cw)
            free_watch(cw);
        request_free(r);
        return;
    }
    json_t *status = request_begin(r);
    if (!status && !r->handler)
        status = status_new(STATUS_NOT_FOUND, "the server could not find the requested resource");
    if (status)
        request_reply_status(r, status);
    else
        request_handle(r);
}

/* Runs what is queued now; what that asks for is for the next round, so that sockets get their turn. */
static void run_queue(uv_idle_t *idle)
{
    struct server *s = idle->data;
    struct list round;
    list_init(&round);
    LIST_EACH(it, &s->queue) {
        list_remove(it);
        list_append(&round, it);
    }
    while (!list_empty(&round)) {
        struct list *first = round.next;
        list_remove(first);
        run(container_of(first, struct call, queued));
    }
    if (list_empty(&s->queue))
        uv_idle_stop(idle);
}

static struct call *ask(struct local_client *c, const char *method, const char *path_and_query)
{
    struct call *call = NEW(struct call);
    size_t path_len = strcspn(path_and_query, "?");
    const char *query = path_and_query + path_len;
    call->client = c;
    call->r = (struct request){.server = c->server, .door = &local_door, .user = c->user};
    call->r.method = xstrdup(method);
    call->r.path = xstrndup(path_and_query, path_len);
    call->r.query = xstrdup(*query ? query + 1 : "");
    list_init(&call->r.link);
    list_append(&c->server->queue, &call->queued);
    list_append(&c->calls, &call->link);
    uv_idle_start(&c->server->run_queue, run_queue);
    return call;
}

/* --- client_ops --- */

static void local_request(struct client *base, const char *method, const char *path, const char *content_type,
                          const json_t *body, client_done_fn *done, void *arg)
{
    struct local_client *c = local(base);
    if (!c->server || c->freed)
        return;
    struct call *call = ask(c, method, path);
    call->done = done;
    call->arg = arg;
    call->r.body_type = body_type(content_type);
    call->r.body = body ? jcopy(body) : NULL;
}

static void local_list(struct client *base, const struct kind *k, const char *path_and_query, client_list_fn *done,
                       void *arg)
{
    struct local_client *c = local(base);
    (void)k;
    if (!c->server)
        return;
    struct call *call = ask(c, "GET", path_and_query);
    call->listed = done;
    call->arg = arg;
}

static struct client_watch *local_watch(struct client *base, const struct kind *k, const char *path_and_query,
                                        const struct client_watch_handler *h, void *arg)
{
    struct local_client *c = local(base);
    struct client_watch *cw = NEW(struct client_watch);
    (void)k;
    *cw = (struct client_watch){.client = c, .handler = h, .arg = arg};
    list_append(&c->watches, &cw->link);
    if (c->server) {
        cw->call = ask(c, "GET", path_and_query);
        cw->call->watching = cw;
    }
    return cw;
}

static void local_watch_stop(struct client_watch *cw)
{
    if (!cw || cw->stopped)
        return;
    cw->stopped = true;
    if (cw->starting || cw->call)
        return; /* whoever starts it sees that it is over */
    watch_stop(cw->watch);
    free_watch(cw);
}

/* The client goes: whoever still waits hears that no answer comes. */
static void answer_nobody(struct call *call)
{
    client_done_fn *done = TAKE(call->done);
    client_list_fn *listed = TAKE(call->listed);
    if (done)
        done(call->arg, 0, NULL);
    if (listed)
        listed(call->arg, 0, NULL, 0, 0);
}

static void local_free(struct client *base)
{
    struct local_client *c = local(base);
    LIST_EACH(it, &c->watches) {
        local_watch_stop(container_of(it, struct client_watch, link));
    }
    list_remove(&c->link);
    c->freed = true;
    LIST_EACH(it, &c->calls)
        answer_nobody(container_of(it, struct call, link));
    release_client(c);
}

static const struct client_ops local_ops = {local_request, local_list, local_watch, local_watch_stop, local_free};

struct client *server_local_client(struct server *s, const char *user, const char *const *groups)
{
    struct local_client *c = NEW(struct local_client);
    c->base = (struct client){.ops = &local_ops, .loop = s->loop};
    c->server = s;
    c->user = user_new(user, groups);
    c->user->in_process = true;
    list_init(&c->watches);
    list_init(&c->calls);
    list_append(&s->clients, &c->link);
    return &c->base;
}

/* --- the server's part --- */

void local_init(struct server *s)
{
    list_init(&s->queue);
    list_init(&s->clients);
    uv_idle_init(s->loop, &s->run_queue);
    s->run_queue.data = s;
}

void local_done(struct server *s)
{
    LIST_EACH(it, &s->queue) {
        struct call *call = container_of(it, struct call, queued);
        struct client_watch *cw = call->watching;
        if (cw)
            cw->call = NULL;
        if (cw && cw->stopped)
            free_watch(cw);
        request_free(&call->r);
    }
    LIST_EACH(it, &s->clients) {
        struct local_client *c = container_of(it, struct local_client, link);
        list_remove(it);
        c->server = NULL;
        LIST_EACH(w, &c->watches) {
            struct client_watch *cw = container_of(w, struct client_watch, link);
            watch_stop(TAKE(cw->watch));
        }
    }
}
