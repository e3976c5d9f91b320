/* GET: one object, a list in pages, a watch. Reads see what is durable, and everything a writer has been told is
 * durable. */
#include "server/filter.h"
#include "server/list_options.h"
#include "server/pipeline.h"

void handle_get(struct request *r)
{
    uint64_t rv;
    json_t *status = check_revision(r, &rv); /* what is newest is at least that */
    struct object *obj = store_get(r->server->store, r->kind, r->what.ns, r->what.name);
    if (!status && !obj)
        status = not_found_status(r->kind, r->what.name);
    if (status)
        request_reply_status(r, status);
    else
        request_reply_object(r, 200, obj);
}

/* --- lists --- */

struct gathering {
    const struct filter *filter;
    struct page *page;
    size_t cap, limit; /* limit 0: none */
    bool full;         /* one more matched than the limit allows */
};

static bool gather(void *arg, struct object *o)
{
    struct gathering *g = arg;
    struct page *p = g->page;
    if (!filter_matches(g->filter, o))
        return true;
    if (g->limit && p->n == g->limit) {
        g->full = true;
        return false;
    }
    if (p->n == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 64;
        p->objs = xrealloc(p->objs, g->cap * sizeof(struct object *));
    }
    p->objs[p->n++] = object_ref(o);
    return true;
}

static bool count_all(void *arg, struct object *o)
{
    (void)arg, (void)o;
    return true;
}

static const char *ns_or_null(const struct request *r)
{
    if (!r->kind->namespaced)
        return "";
    return *r->what.ns ? r->what.ns : NULL;
}

/* Every page of a list is cut from the snapshot of the first. */
static void read_page(const struct request *r, const struct filter *f, const struct list_options *o, struct page *ret)
{
    const struct store *s = r->server->store;
    const char *ns = ns_or_null(r);
    struct gathering g = {.filter = f, .page = ret, .limit = o->limit};
    *ret = (struct page){.rv = o->rv, .remaining = -1};
    if (f->name && ns && !o->after && o->rv == store_rv(s)) {
        struct object *only = store_get(s, r->kind, ns, f->name);
        if (only)
            gather(&g, only);
        return;
    }
    store_each_at(s, r->kind, o->rv, ns, o->after_ns, o->after, gather, &g);
    if (!g.full)
        return;
    const struct object *last = ret->objs[ret->n - 1];
    ret->continue_token = continue_token(ret->rv, last);
    if (filter_is_empty(f))
        ret->remaining = (int64_t)store_each_at(s, r->kind, o->rv, ns, last->ns, last->name, count_all, NULL);
}

void handle_list(struct request *r)
{
    struct filter f = {0};
    struct list_options o = {0};
    struct err err;
    json_t *status = filter_parse(r->kind, r->query, &f, &err) < 0 ? status_new(STATUS_BAD_REQUEST, "%s", err.msg)
                                                                   : list_options_parse(r, &o);
    if (status) {
        request_reply_status(r, status);
    } else {
        struct page page;
        read_page(r, &f, &o, &page);
        request_reply_page(r, &page);
        page_done(&page);
    }
    list_options_done(&o);
    filter_done(&f);
}

void handle_watch(struct request *r)
{
    r->door->watch(r);
}
