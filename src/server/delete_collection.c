/* DELETE of a collection: so many deletions of one object, each a request of its own that takes the same way, so that
 * finalizers, preconditions and webhooks count for it as they do for one that is named. The answer comes when the last
 * of them is durable: the list of what was deleted, or the first thing that went wrong. */
#include <string.h>

#include "base/str.h"
#include "server/delete.h"
#include "server/filter.h"
#include "server/webhooks.h"

/* Without webhooks all are decided in one step and committed together; with them each waits for connections. */
#define ASKED_AT_ONCE 16

struct collection {
    struct request *r; /* NULL: gone with the server */
    struct page page;
    size_t next; /* of the page */
    size_t under_way, at_once;
    bool running; /* below on the stack */
    json_t *failure;
};

struct member {
    struct request r;
    struct collection *of;
    bool answered;
};

static struct member *from(struct request *r)
{
    return container_of(r, struct member, r);
}

static void conclude(struct collection *c)
{
    struct request *r = c->r;
    if (!r)
        json_decref(c->failure);
    else if (c->failure)
        request_reply_status(r, c->failure);
    else
        request_reply_page(r, &c->page);
    page_done(&c->page);
    free(c);
}

static void begin(struct collection *c, const struct object *o);

static void run(struct collection *c)
{
    if (c->running)
        return;
    c->running = true;
    while (c->r && !c->failure && c->next < c->page.n && c->under_way < c->at_once)
        begin(c, c->page.objs[c->next++]);
    c->running = false;
    if (!c->under_way)
        conclude(c);
}

/* --- the door of the members --- */

static struct member *answered(struct request *r)
{
    struct member *m = from(r);
    size_t i;
    json_t *warning;
    m->answered = true;
    json_array_foreach(r->warnings, i, warning)
        warn_once(&m->of->r->warnings, json_string_value(warning));
    return m;
}

static void take_document(struct request *r, int code, json_t *doc)
{
    struct member *m = answered(r);
    if (code >= 400 && code != 404 && !m->of->failure) /* 404: it has gone meanwhile, which is what was wanted */
        m->of->failure = json_incref(doc);
}

static void take_object(struct request *r, int code, struct object *obj)
{
    (void)code, (void)obj;
    answered(r);
}

static void free_member(struct request *r)
{
    struct member *m = from(r);
    struct collection *c = m->of;
    if (!m->answered)
        c->r = NULL;
    free(m);
    c->under_way--;
    run(c);
}

static const struct door member_door = {.object = take_object, .document = take_document, .free = free_member};

static void begin(struct collection *c, const struct object *o)
{
    const struct request *all = c->r;
    struct member *m = NEW(struct member);
    struct request *r = &m->r;
    size_t len = strlen(all->path);
    m->of = c;
    *r = (struct request){.server = all->server,
                          .door = &member_door,
                          .user = all->user,
                          .method = xstrdup("DELETE"),
                          .query = xstrdup(all->query),
                          .verb = V_DELETE,
                          .kind = all->kind,
                          .rules = all->rules,
                          .version = all->version,
                          .handler = all->handler,
                          .dry_run = all->dry_run,
                          .body = json_incref(all->body)};
    while (len && all->path[len - 1] == '/')
        len--;
    r->path = xasprintf("%.*s/%s", (int)len, all->path, o->name);
    request_path_parse(r->path, &r->what);
    list_append(&r->server->requests, &r->link);
    c->under_way++;
    handle_delete(r);
}

/* --- which --- */

struct gathering {
    const struct filter *filter;
    struct page *page;
};

static bool gather(void *arg, struct object *o)
{
    struct gathering *g = arg;
    struct page *p = g->page;
    if (!filter_matches(g->filter, o))
        return true;
    p->objs = xrealloc(p->objs, (p->n + 1) * sizeof(struct object *));
    p->objs[p->n++] = object_ref(o);
    return true;
}

void handle_delete_collection(struct request *r)
{
    struct filter f = {0};
    struct delete_options o = {0};
    struct err err;
    json_t *status = delete_options_read(r, r->body, &o);
    delete_options_done(&o);
    if (!status && filter_parse(r->kind, r->query, &f, &err) < 0)
        status = status_new(STATUS_BAD_REQUEST, "%s", err.msg);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    struct collection *c = NEW(struct collection);
    *c = (struct collection){.r = r,
                             .page = {.rv = store_rv(r->server->store), .remaining = -1},
                             .at_once = webhooks_any(r->server) ? ASKED_AT_ONCE : SIZE_MAX};
    store_each(r->server->store, r->kind, r->kind->namespaced ? r->what.ns : "", NULL, NULL, gather,
               &(struct gathering){&f, &c->page});
    filter_done(&f);
    run(c);
}
