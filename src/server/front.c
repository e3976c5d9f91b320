/* The HTTP door: an exchange becomes a request, its answer the bytes the client asked for. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "http/http.h"
#include "json/indent.h"
#include "server/body.h"
#include "server/impersonate.h"
#include "server/inflight.h"
#include "server/represent.h"
#include "server/tokens.h"
#include "server/watch_http.h"

struct http_request {
    struct request r;
    struct user *user;
    struct negotiated form;
    bool counted; /* among the user's requests in flight */
};

static struct http_request *from(struct request *r)
{
    return container_of(r, struct http_request, r);
}

/* --- answers --- */

static void add_warnings(struct request *r)
{
    size_t i;
    json_t *warning;
    json_array_foreach(r->warnings, i, warning) {
        struct buf value = BUF_INIT(2000);
        buf_adds(&value, "299 - \"");
        for (const char *s = json_string_value(warning); *s; s++)
            buf_addf(&value, "%s%c", *s == '"' || *s == '\\' ? "\\" : "", *s);
        buf_addc(&value, '"');
        http_add_header(r->exchange, "Warning", buf_str(&value));
        buf_done(&value);
    }
}

static void release_object(void *obj)
{
    object_unref(obj);
}

static void reply_text(struct request *r, int code, char *text, size_t len)
{
    add_warnings(r);
    if (wants_indent(r->query, http_get_header(r->exchange, "User-Agent"))) {
        struct buf indented = BUF_INIT(0);
        json_indent(text, len, &indented);
        free(text);
        len = indented.len;
        text = buf_take(&indented);
    }
    http_reply_shared(r->exchange, code, "application/json", text, len, free, text);
}

static void reply_object(struct request *r, int code, struct object *obj)
{
    const struct negotiated *form = &from(r)->form;
    _cleanup_object_ struct object *seen = object_as(obj, r->version);
    size_t len;
    if (form->repr == REPR_JSON && !wants_indent(r->query, http_get_header(r->exchange, "User-Agent"))) {
        add_warnings(r);
        http_reply_shared(r->exchange, code, "application/json", seen->bytes, seen->len, release_object,
                          object_ref(seen));
        return;
    }
    char *text = represent_object(form, include_of(r->query), seen, &len);
    reply_text(r, code, text, len);
}

static void reply_document(struct request *r, int code, json_t *doc)
{
    char *text = jprint(doc), seconds[24];
    snprintf(seconds, sizeof(seconds), "%lld", (long long)jint(doc, "details.retryAfterSeconds", 0));
    if (code >= 400 && !streq(seconds, "0"))
        http_add_header(r->exchange, "Retry-After", seconds);
    reply_text(r, code, text, strlen(text));
}

static void reply_page(struct request *r, const struct page *page)
{
    size_t len;
    struct page seen = *page;
    seen.objs = xcalloc(page->n + 1, sizeof(struct object *));
    for (size_t i = 0; i < page->n; i++)
        seen.objs[i] = object_as(page->objs[i], r->version);
    char *text = represent_page(&from(r)->form, include_of(r->query), r->version, &seen, &len);
    for (size_t i = 0; i < page->n; i++)
        object_unref(seen.objs[i]);
    free(seen.objs);
    reply_text(r, 200, text, len);
}

static json_t *too_many(void)
{
    json_t *status = status_new(STATUS_TOO_MANY_REQUESTS, "too many requests, please try again later");
    jset_int(status, "details.retryAfterSeconds", 1);
    return status;
}

static void reply_watch(struct request *r)
{
    const struct negotiated form = from(r)->form;
    if (r->server->counters.watches >= WATCHES_MAX)
        request_reply_status(r, too_many());
    else
        watch_http(r, &form);
}

static void free_http_request(struct request *r)
{
    struct http_request *hr = from(r);
    if (hr->counted)
        inflight_leave(&r->server->in_flight, hr->user);
    user_free(hr->user);
    free(hr);
}

static const struct door http_door = {reply_object, reply_document, reply_page, reply_watch, free_http_request};

/* --- the way in --- */

static json_t *read_headers(struct http_request *hr)
{
    struct request *r = &hr->r;
    const char *accept = http_get_header(r->exchange, "Accept");
    if (r->kind->is_review && !negotiate_plain(accept))
        return status_new(STATUS_NOT_ACCEPTABLE, "only the following media types are accepted: application/json");
    if (!r->kind->is_review && !negotiate(accept, &hr->form))
        return status_new(STATUS_NOT_ACCEPTABLE, "only the following media types are accepted: application/json, "
                                                 "application/json;as=Table;v=v1;g=meta.k8s.io, "
                                                 "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io");
    size_t len;
    const char *bytes = http_body(r->exchange, &len);
    return read_body(r, http_get_header(r->exchange, "Content-Type"), bytes, len);
}

static json_t *enter(struct http_request *hr)
{
    hr->counted = inflight_enter(&hr->r.server->in_flight, hr->user);
    return hr->counted ? NULL : too_many();
}

void serve_exchange(void *arg, struct http_exchange *x)
{
    struct http_request *hr = NEW(struct http_request);
    struct request *r = &hr->r;
    hr->user = authenticate(arg, x);
    hr->form = (struct negotiated){REPR_JSON, "v1"};
    *r = (struct request){.server = arg, .door = &http_door, .user = hr->user, .exchange = x};
    list_init(&r->link);
    r->method = xstrdup(http_method(x));
    r->path = xstrdup(http_path(x));
    r->query = xstrdup(http_query(x));
    json_t *status = hr->user ? impersonate(arg, x, &hr->user) : status_new(STATUS_UNAUTHORIZED, "Unauthorized");
    r->user = hr->user;
    if (!status)
        status = enter(hr);
    if (!status)
        status = request_begin(r);
    if (!status && r->handler && !r->handler->connects)
        status = read_headers(hr);
    if (status)
        request_reply_status(r, status);
    else if (r->handler)
        request_handle(r);
    else
        serve_route(r);
}
