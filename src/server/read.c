/* GET: one object, a list in pages, a watch. Reads see what is durable, and everything a writer has been told is
 * durable. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "http/http.h"
#include "server/filter.h"
#include "server/pipeline.h"

/* A read that names a revision wants to see at least that. NULL: it can. */
static json_t *check_revision(const struct request *r)
{
    int64_t rv;
    _cleanup_free_ char *text = query_get(r->query, "resourceVersion", 0);
    uint64_t current = store_rv(r->server->store);
    if (!query_int(r->query, "resourceVersion", 0, INT64_MAX, 0, &rv))
        return status_new(STATUS_BAD_REQUEST,
                          "resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": "
                          "invalid syntax",
                          text, text);
    if ((uint64_t)rv > current)
        return status_new(STATUS_TIMEOUT, "Too large resource version: %lld, current: %llu", (long long)rv,
                          (unsigned long long)current);
    return NULL;
}

void handle_get(struct request *r)
{
    json_t *status = check_revision(r);
    struct object *obj = store_get(r->server->store, r->kind, r->what.ns, r->what.name);
    if (!status && !obj)
        status = not_found_status(r->kind, r->what.name);
    if (status)
        request_reply_status(r, status);
    else
        request_reply_object(r, 200, obj);
}

/* --- continue tokens: base64 of {"v":"meta.k8s.io/v1","rv":N,"start":"ns/name"}, as upstream's --- */

struct position {
    uint64_t rv;
    char *ns, *name; /* the last object of the page before; NULL: from the start */
};

static void position_done(struct position *p)
{
    free(p->ns);
    free(p->name);
}

static char *make_token(uint64_t rv, const struct object *last)
{
    _cleanup_free_ char *start = xasprintf("%s/%s", last->ns, last->name);
    _cleanup_json_ json_t *token =
        json_pack("{s:s, s:I, s:s}", "v", "meta.k8s.io/v1", "rv", (json_int_t)rv, "start", start);
    _cleanup_free_ char *text = jprint(token);
    return base64_encode(text, strlen(text));
}

static bool parse_token(const char *text, struct position *ret)
{
    size_t len;
    struct err err;
    _cleanup_free_ char *bytes = base64_decode(text, strlen(text), &len);
    _cleanup_json_ json_t *token = bytes ? jparse(bytes, len, &err) : NULL;
    const char *start = jstr(token, "start"), *slash = start ? strchr(start, '/') : NULL;
    int64_t rv = jint(token, "rv", 0);
    if (!slash || rv <= 0)
        return false;
    *ret = (struct position){(uint64_t)rv, xstrndup(start, (size_t)(slash - start)), xstrdup(slash + 1)};
    return true;
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

/* Pages are cut from what is there now, not from a snapshot: a page carries the first page's revision, so that a watch
 * from it brings whatever happened to the pages in between. */
static void read_page(const struct request *r, const struct filter *f, const struct position *from, size_t limit,
                      struct page *ret)
{
    const struct store *s = r->server->store;
    const char *ns = ns_or_null(r);
    struct gathering g = {.filter = f, .page = ret, .limit = limit};
    *ret = (struct page){.rv = from->rv ? from->rv : store_rv(s), .remaining = -1};
    if (f->name && ns && !from->name) {
        struct object *only = store_get(s, r->kind, ns, f->name);
        if (only)
            gather(&g, only);
        return;
    }
    store_each(s, r->kind, ns, from->ns, from->name, gather, &g);
    if (!g.full)
        return;
    const struct object *last = ret->objs[ret->n - 1];
    ret->continue_token = make_token(ret->rv, last);
    if (filter_is_empty(f))
        ret->remaining = (int64_t)store_each(s, r->kind, ns, last->ns, last->name, count_all, NULL);
}

static json_t *parse_list(const struct request *r, struct filter *f, struct position *from, int64_t *limit)
{
    struct err err;
    _cleanup_free_ char *token = query_get(r->query, "continue", 0);
    if (filter_parse(r->kind, r->query, f, &err) < 0)
        return status_new(STATUS_BAD_REQUEST, "%s", err.msg);
    if (!query_int(r->query, "limit", 0, INT32_MAX, 0, limit))
        return status_new(STATUS_BAD_REQUEST, "limit: Invalid value: must be a number that is not negative");
    if (token && *token && !parse_token(token, from))
        return status_new(STATUS_BAD_REQUEST, "continue key is not valid: unable to read the token");
    return token && *token ? NULL : check_revision(r);
}

void handle_list(struct request *r)
{
    struct filter f = {0};
    struct position from = {0};
    int64_t limit = 0;
    json_t *status = parse_list(r, &f, &from, &limit);
    if (status) {
        request_reply_status(r, status);
    } else {
        struct page page;
        read_page(r, &f, &from, (size_t)limit, &page);
        request_reply_page(r, &page);
        page_done(&page);
    }
    position_done(&from);
    filter_done(&f);
}

void handle_watch(struct request *r)
{
    r->door->watch(r);
}
