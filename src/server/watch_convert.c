/* See watch_convert.h. What has gathered while one question was asked is the next one. */
#include "server/watch_convert.h"

#include "server/conversion.h"

struct event {
    struct list link; /* watch_convert->events */
    enum client_event type;
    struct object *obj;
    uint64_t rv;
    bool initial_end;
};

struct watch_convert {
    struct server *server;
    const struct kind *version;
    const struct watch_convert_handler *h;
    void *arg;
    struct list events;
    size_t pending;
    struct conversion *conversion;
    bool busy, freed; /* freed by whom it called: at the end of that */
};

struct watch_convert *watch_convert_new(struct server *s, const struct kind *version,
                                        const struct watch_convert_handler *h, void *arg)
{
    struct watch_convert *c = NEW(struct watch_convert);
    *c = (struct watch_convert){.server = s, .version = version, .h = h, .arg = arg};
    list_init(&c->events);
    return c;
}

static void drop(struct watch_convert *c, struct event *e)
{
    list_remove(&e->link);
    if (e->obj)
        c->pending -= e->obj->len;
    object_unref(e->obj);
    free(e);
}

void watch_convert_free(struct watch_convert *c)
{
    if (!c)
        return;
    c->freed = true;
    if (c->busy)
        return;
    conversion_cancel(c->conversion);
    LIST_EACH(it, &c->events)
        drop(c, container_of(it, struct event, link));
    free(c);
}

size_t watch_convert_pending(const struct watch_convert *c)
{
    return c->pending;
}

static bool waits(const struct watch_convert *c, const struct event *e)
{
    return e->obj && conversion_needed(e->obj, c->version);
}

/* Those at the front that wait for nothing. */
static void tell(struct watch_convert *c)
{
    c->busy = true;
    while (!c->freed && !list_empty(&c->events)) {
        struct event *e = container_of(c->events.next, struct event, link);
        if (waits(c, e))
            break;
        c->h->event(c->arg, e->type, e->obj, e->rv, e->initial_end);
        drop(c, e);
    }
    c->busy = false;
    if (c->freed)
        watch_convert_free(c);
}

static void ask(struct watch_convert *c);

static void replace(struct watch_convert *c, struct event *e, const json_t *doc)
{
    struct object *was = e->obj;
    e->obj = object_new(c->version, doc);
    c->pending += e->obj->len - was->len;
    object_unref(was);
}

static void on_converted(void *arg, json_t *docs, json_t *status)
{
    struct watch_convert *c = arg;
    size_t n = 0;
    c->conversion = NULL;
    if (status) {
        c->h->failed(c->arg, status);
        json_decref(status);
        return;
    }
    LIST_EACH(it, &c->events) {
        struct event *e = container_of(it, struct event, link);
        if (n < json_array_size(docs) && waits(c, e))
            replace(c, e, json_array_get(docs, n++));
    }
    ask(c);
    tell(c);
}

/* All that have come by now; those behind an answer that is still to come are not among them. */
static void ask(struct watch_convert *c)
{
    json_t *docs = json_array();
    LIST_EACH(it, &c->events) {
        struct event *e = container_of(it, struct event, link);
        if (waits(c, e))
            json_array_append_new(docs, object_json(e->obj));
    }
    if (json_array_size(docs))
        c->conversion = conversion_start(c->server, c->version, docs, on_converted, c);
    else
        json_decref(docs);
}

bool watch_convert_take(struct watch_convert *c, enum client_event type, struct object *obj, uint64_t rv,
                        bool initial_end)
{
    struct event e = {.type = type, .obj = obj, .rv = rv, .initial_end = initial_end};
    if (list_empty(&c->events) && !waits(c, &e))
        return false;
    struct event *kept = NEW(struct event);
    *kept = e;
    if (obj) {
        object_ref(obj);
        c->pending += obj->len;
    }
    list_append(&c->events, &kept->link);
    if (!c->conversion && !c->busy)
        ask(c);
    return true;
}
