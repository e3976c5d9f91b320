/* Requests about objects that somebody else converts. What comes in is read in the version it is in, converted, and
 * goes on as if it had come in the version that is kept; what goes out is converted last of all. A patch is made in the
 * version it was written for, and becomes an update of what is kept. */
#include "api/schema.h"
#include "base/str.h"
#include "kinds/custom.h"
#include "server/conversion.h"
#include "server/manager.h"

#define ATTEMPTS_MAX 5 /* of a patch, whose object changes while it is converted */

struct waiting {
    struct request *r;
    struct conversion *conversion;
    int code;              /* replies */
    struct page page;      /* of a list */
    enum update_part part; /* patches */
    uint64_t seen_rv;      /* what a patch was made from */
};

static struct waiting *wait_new(struct request *r)
{
    struct waiting *w = NEW(struct waiting);
    w->r = r;
    r->waiting = w;
    return w;
}

void conversion_forget(struct request *r)
{
    struct waiting *w = TAKE(r->waiting);
    if (!w)
        return;
    conversion_cancel(w->conversion);
    page_done(&w->page);
    free(w);
}

/* w->conversion is over when it calls back. */
static struct request *resumed(struct waiting *w)
{
    w->conversion = NULL;
    return w->r;
}

static const struct kind *asked(const struct request *r)
{
    return r->asked_as ? r->asked_as : r->version;
}

/* From here on it is a request in the version that is kept; its answer is not. */
static void leave_version(struct request *r)
{
    r->asked_as = asked(r);
    r->version = r->rules = r->kind;
}

static json_t *one(json_t *doc_new)
{
    return json_pack("[o]", doc_new);
}

/* --- answers --- */

/* Parts of this program look at metadata alone. */
static bool shows(const struct request *r, const struct object *o)
{
    return r->exchange && conversion_needed(o, r->version);
}

static void on_reply(void *arg, json_t *docs, json_t *status)
{
    struct waiting *w = arg;
    struct request *r = resumed(w);
    int code = w->code;
    conversion_forget(r);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    _cleanup_object_ struct object *seen = object_new(r->version, json_array_get(docs, 0));
    request_reply_object(r, code, seen);
}

bool conversion_of_reply(struct request *r, int code, struct object *obj)
{
    r->version = asked(r);
    if (!shows(r, obj))
        return false;
    struct waiting *w = wait_new(r);
    w->code = code;
    w->conversion = conversion_start(r->server, r->version, one(object_json(obj)), on_reply, w);
    return true;
}

static void on_page(void *arg, json_t *docs, json_t *status)
{
    struct waiting *w = arg;
    struct request *r = resumed(w);
    struct page page = w->page;
    w->page = (struct page){0};
    conversion_forget(r);
    for (size_t i = 0; !status && i < page.n; i++) {
        struct object *was = page.objs[i];
        if (conversion_needed(was, r->version)) {
            page.objs[i] = object_new(r->version, json_array_get(docs, i));
            object_unref(was);
        }
    }
    if (status)
        request_reply_status(r, status);
    else
        request_reply_page(r, &page);
    page_done(&page);
}

bool conversion_of_page(struct request *r, const struct page *page)
{
    bool any = false;
    for (size_t i = 0; i < page->n && !any; i++)
        any = shows(r, page->objs[i]);
    if (!any)
        return false;
    struct waiting *w = wait_new(r);
    json_t *docs = json_array();
    w->page = *page;
    w->page.continue_token = page->continue_token ? xstrdup(page->continue_token) : NULL;
    w->page.objs = xcalloc(page->n, sizeof(struct object *));
    for (size_t i = 0; i < page->n; i++) {
        w->page.objs[i] = object_ref(page->objs[i]);
        json_array_append_new(docs, object_json(page->objs[i]));
    }
    w->conversion = conversion_start(r->server, r->version, docs, on_page, w);
    return true;
}

/* --- what comes in --- */

/* Everything that its own version says about a document: fields, defaults, rules. */
static json_t *read_as(struct request *r, const struct kind *version, json_t *doc)
{
    struct status_causes causes = {0};
    json_t *status = check_body_type(version, doc);
    if (!status)
        status = schema_decode_repeated(version, doc, r->validation, r->repeated, &r->warnings);
    if (status)
        return status;
    json_decref(TAKE(r->repeated));
    schema_default(version, doc);
    custom_validate(version->schema, doc, &causes);
    if (causes_any(&causes))
        status = status_invalid(version->group, version->kind, jstr_or(doc, "metadata.name", ""), &causes);
    causes_done(&causes);
    return status;
}

static void on_body(void *arg, json_t *docs, json_t *status)
{
    struct request *r = resumed(arg);
    conversion_forget(r);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    leave_version(r);
    json_decref(r->body);
    r->body = jcopy(json_array_get(docs, 0));
    request_handle(r);
}

bool conversion_of_body(struct request *r)
{
    bool is_whole = r->handler->takes == BODY_OBJECT && (!*r->what.subresource || streq(r->what.subresource, "status"));
    if (!is_whole || !r->version->conversion || r->version == r->kind || !json_is_object(r->body))
        return false;
    json_t *status = read_as(r, r->version, r->body);
    if (status) {
        request_reply_status(r, status);
        return true;
    }
    struct waiting *w = wait_new(r);
    w->conversion = conversion_start(r->server, r->kind, one(json_incref(r->body)), on_body, w);
    return true;
}

/* --- patches --- */

/* doc is what is to be kept. */
static void update(struct waiting *w, json_t *doc)
{
    struct request *r = w->r;
    enum update_part part = w->part;
    uint64_t seen_rv = w->seen_rv;
    conversion_forget(r);
    struct object *old = request_latest(r);
    if (!old)
        return;
    if (old->rv != seen_rv && r->reviews++ < ATTEMPTS_MAX) {
        r->handler->run(r);
        return;
    }
    json_t *status =
        old->rv == seen_rv
            ? schema_decode(r->kind, doc, VALIDATION_IGNORE, &r->warnings)
            : conflict_status(
                  r->kind, old->name,
                  "the object has been modified; please apply your changes to the latest version and try again");
    leave_version(r);
    if (status)
        request_reply_status(r, status);
    else
        request_update(r, old, json_incref(doc), part);
}

static void on_patched(void *arg, json_t *docs, json_t *status)
{
    struct waiting *w = arg;
    resumed(w);
    _cleanup_json_ json_t *doc = status ? NULL : jcopy(json_array_get(docs, 0));
    if (status)
        request_reply_status(w->r, status);
    else
        update(w, doc);
}

/* seen: the object in the version of the patch. */
static void patch(struct waiting *w, const json_t *seen)
{
    struct request *r = w->r;
    const struct kind *version = asked(r);
    json_t *status = NULL;
    _cleanup_json_ json_t *doc = patched(r, version, seen, &status);
    if (!status)
        status = check_manager_options(r, false);
    if (!status)
        status = read_as(r, version, doc);
    if (status)
        request_reply_status(r, status);
    else if (version == r->kind)
        update(w, doc);
    else
        w->conversion = conversion_start(r->server, r->kind, one(json_incref(doc)), on_patched, w);
}

static void on_seen(void *arg, json_t *docs, json_t *status)
{
    struct waiting *w = arg;
    resumed(w);
    if (status)
        request_reply_status(w->r, status);
    else
        patch(w, json_array_get(docs, 0));
}

/* Server-side apply would have to merge in a version in which nothing is kept. */
static json_t *no_apply(const struct request *r)
{
    return status_new(STATUS_BAD_REQUEST,
                      "server-side apply of a version that a webhook converts is not supported: objects are kept as %s",
                      r->kind->version);
}

bool conversion_of_patch(struct request *r, enum update_part part)
{
    const struct kind *version = asked(r);
    struct object *old = version->conversion ? store_latest(r->server->store, r->kind, r->what.ns, r->what.name) : NULL;
    bool is_apply = r->body_type == BODY_APPLY_PATCH, is_kept = version == r->kind;
    if (!version->conversion || (is_kept && (!old || !conversion_needed(old, version))) || (!old && !is_apply))
        return false;
    if (is_apply) {
        request_reply_status(r, no_apply(r));
        return true;
    }
    struct waiting *w = wait_new(r);
    w->part = part;
    w->seen_rv = old->rv;
    _cleanup_json_ json_t *doc = object_json(old);
    if (conversion_needed(old, version))
        w->conversion = conversion_start(r->server, version, one(json_incref(doc)), on_seen, w);
    else
        patch(w, doc);
    return true;
}
