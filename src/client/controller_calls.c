/* Requests of controllers. A key that has made some is held until each is answered and, where the kind is watched,
 * until the informer has caught up with the answer's revision. */
#define LOG_AREA "controller"
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "client/controller_internal.h"
#include "json/json.h"
#include "kinds/kind.h"

struct call {
    struct list link;       /* in calls, then in a feed's waiting */
    struct controllers *cs; /* NULL: freed meanwhile */
    struct work *work;
    struct controller_call what;
    char *ns, *name;
    char *uid;   /* of what is deleted, as the informer knew it */
    uint64_t rv; /* wait for this revision */
};

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
    controllers_let_go(cs, w);
    controllers_wake(cs);
}

void calls_caught_up(struct feed *f)
{
    LIST_EACH(it, &f->waiting) {
        struct call *call = container_of(it, struct call, link);
        if (call_is_seen(f, call))
            call_end(call);
    }
    controllers_wake(f->cs);
}

void calls_forget(struct controllers *cs)
{
    for (size_t i = 0; i < cs->n_feeds; i++)
        LIST_EACH(it, &cs->feeds[i]->waiting)
            call_free(container_of(it, struct call, link));
    LIST_EACH(it, &cs->calls) {
        container_of(it, struct call, link)->cs = NULL;
        list_remove(it);
    }
}

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
    struct feed *f = controllers_feed(cs, call->what.kind);
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
    const struct feed *f = name ? controllers_feed(c->cs, k) : NULL;
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
