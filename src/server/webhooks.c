/* See webhooks.h. Mutating webhooks are asked one after the other, each about what the one before has made of the
 * object; then validating ones all at once, about the object as it would be written. The loop goes on meanwhile, so the
 * request is decided anew afterwards. Without a webhook that matches nothing of this costs more than a look whether
 * there are any. */
#define LOG_AREA "server"
#include "server/webhooks.h"

#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "json/patch.h"
#include "server/scale.h"
#include "server/webhook_call.h"
#include "server/webhook_conditions.h"
#include "server/webhook_match.h"

struct hook {
    struct review *of;
    json_t *webhook;
    const struct kind *as; /* the version it is asked about */
    json_t *question;
    struct webhook_call *call;
    unsigned asked_at; /* changes there had been */
    struct webhook_answer answer;
    json_t *failure; /* a Status: it did not answer, and that counts */
};

struct review {
    struct list link; /* server->reviews */
    struct request *r;
    const char *operation;
    enum update_part part;
    const struct webhook_type *type;            /* of doc, when it is not of the request's kind */
    json_t *doc, *old_doc, *namespace, *result; /* result: as it would be written */
    json_t *scale, *old_scale;                  /* doc and old_doc, seen through the scale subresource */
    uint64_t seen_rv;
    struct hook *mutating, *validating;
    size_t n_mutating, n_validating, at, waiting;
    unsigned changes;
    bool again; /* the second round of mutating webhooks */
    webhooks_resume_fn *resume;
};

/* --- life --- */

static void hooks_free(struct hook *hooks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (hooks[i].call)
            webhook_call_cancel(hooks[i].call);
        webhook_answer_done(&hooks[i].answer);
        json_decref(hooks[i].failure);
        json_decref(hooks[i].question);
        json_decref(hooks[i].webhook);
    }
    free(hooks);
}

static void review_free(struct review *v)
{
    list_remove(&v->link);
    hooks_free(v->mutating, v->n_mutating);
    hooks_free(v->validating, v->n_validating);
    json_decref(v->doc);
    json_decref(v->old_doc);
    json_decref(v->namespace);
    json_decref(v->result);
    json_decref(v->scale);
    json_decref(v->old_scale);
    free(v);
}

void webhooks_done(struct server *s)
{
    LIST_EACH(it, &s->reviews)
        review_free(container_of(it, struct review, link));
}

static void refuse(struct review *v, json_t *status)
{
    struct request *r = v->r;
    review_free(v);
    request_reply_status(r, status);
}

static void finish(struct review *v)
{
    struct request *r = v->r;
    json_t *doc = TAKE(v->doc);
    uint64_t seen_rv = v->seen_rv;
    enum update_part part = v->part;
    webhooks_resume_fn *resume = v->resume;
    review_free(v);
    resume(r, doc, seen_rv, part);
}

/* --- one question --- */

static bool is_scale(const struct review *v)
{
    return !v->type && streq(v->r->what.subresource, "scale");
}

/* What is asked about doc; it borrows from the review, until the next question. */
static struct webhook_question question_of(struct review *v, const json_t *doc)
{
    const struct request *r = v->r;
    struct webhook_question q = {
        .operation = v->operation,
        .version = r->version,
        .ns = r->kind->namespaced          ? r->what.ns
              : r->kind == &kind_namespace ? jstr_or(doc ? doc : v->old_doc, "metadata.name", "")
                                           : "",
        .name = *r->what.name ? r->what.name : jstr_or(doc ? doc : v->old_doc, "metadata.name", ""),
        .sub = r->what.subresource,
        .namespace = v->namespace,
        .type = v->type,
        .doc = doc,
        .old = v->old_doc,
        .options = r->verb == V_DELETE ? r->body : NULL,
        .user = r->user,
        .dry_run = r->dry_run};
    if (is_scale(v)) {
        json_decref(v->scale);
        q.type = &scale_type;
        q.doc = v->scale = scale_of(r->kind, doc);
        q.old = v->old_scale ? v->old_scale : (v->old_scale = scale_of(r->kind, v->old_doc));
    }
    return q;
}

/* Reads an answer, or makes of its absence what the failurePolicy says. */
static void take_answer(struct hook *h, const char *body, size_t len, const struct err *err)
{
    const char *name = jstr_or(h->webhook, "name", "");
    struct err told;
    h->call = NULL;
    if (err)
        err_set(&told, 0, "failed to call webhook: %s", err->msg);
    if (err || webhook_answer_read(name, h->question, body, len, &h->answer, &told) < 0)
        err = &told;
    if (err && streq(jstr_or(h->webhook, "failurePolicy", ""), "Ignore"))
        log_warn("webhook %s is ignored: %s", name, err->msg);
    else if (err)
        h->failure =
            status_new(STATUS_INTERNAL, "Internal error occurred: failed calling webhook \"%s\": %s", name, err->msg);
    size_t i;
    json_t *warning;
    json_array_foreach(h->answer.warnings, i, warning)
        if (json_is_string(warning))
            warn_once(&h->of->r->warnings, json_string_value(warning));
}

/* Whether it is to be asked: it matches, and its conditions hold. Where they cannot be evaluated its failurePolicy
 * decides, as if it had not answered. */
static bool is_wanted(struct hook *h, const struct webhook_question *q)
{
    const char *name = jstr_or(h->webhook, "name", "");
    char resource[RESOURCE_TEXT_SIZE];
    struct err err;
    h->as = webhook_match(h->webhook, q);
    if (!h->as)
        return false;
    int hold = webhook_conditions_hold(h->of->r->server, h->webhook, q, h->as, &err);
    if (hold < 0 && streq(jstr_or(h->webhook, "failurePolicy", ""), "Ignore"))
        log_warn("webhook %s is ignored: %s", name, err.msg);
    else if (hold < 0)
        h->failure = status_for(STATUS_FORBIDDEN, q->version->group, q->version->plural, q->name,
                                "%s \"%s\" is forbidden: %s", resource_text(q->version, resource), q->name, err.msg);
    return hold > 0;
}

static void ask(struct hook *h, const json_t *doc, webhook_call_fn *answered)
{
    char uid[37];
    struct webhook_question q = question_of(h->of, doc);
    rand_uuid(uid);
    json_decref(h->question);
    h->question = webhook_review(h->webhook, h->as, &q, uid);
    h->call = webhook_call_start(h->of->r->server, h->webhook, h->question, answered, h);
}

/* --- validating --- */

/* The first objection in the order of the configurations, so that equal requests get equal answers. */
static void conclude(struct review *v)
{
    for (size_t i = 0; i < v->n_validating; i++) {
        struct hook *h = &v->validating[i];
        json_t *status = h->failure ? TAKE(h->failure) : TAKE(h->answer.refusal);
        if (status) {
            refuse(v, status);
            return;
        }
    }
    finish(v);
}

static void on_validated(void *arg, const char *body, size_t len, const struct err *err)
{
    struct hook *h = arg;
    take_answer(h, body, len, err);
    if (--h->of->waiting == 0)
        conclude(h->of);
}

/* The object as it would be written now; the numbers it got are given back. */
static json_t *decide(struct review *v)
{
    struct alloc_change change = {0};
    v->result = v->doc ? json_deep_copy(v->doc) : NULL;
    json_t *status = v->result && !v->type ? admit_decide(v->r, v->result, v->old_doc, v->part, &change) : NULL;
    alloc_rollback(&change);
    return status;
}

static void validate(struct review *v)
{
    json_t *status = decide(v);
    if (status) {
        refuse(v, status);
        return;
    }
    v->waiting = 1; /* ourselves */
    for (size_t i = 0; i < v->n_validating; i++) {
        struct hook *h = &v->validating[i];
        struct webhook_question q = question_of(v, v->result);
        if (!is_wanted(h, &q))
            continue;
        v->waiting++;
        ask(h, v->result, on_validated);
    }
    if (--v->waiting == 0)
        conclude(v);
}

/* --- mutating --- */

static void mutate_next(struct review *v);

/* Of a patched object, as it was seen, the document as it is kept. */
static json_t *take_object(const struct review *v, const struct hook *h, json_t *doc)
{
    json_t *ignored = NULL; /* unknown fields are the webhook's business */
    json_t *status = schema_decode(h->as, doc, VALIDATION_IGNORE, &ignored);
    json_decref(ignored);
    if (status)
        return status;
    kind_to_stored(h->as, doc);
    schema_default(v->r->rules, doc);
    return NULL;
}

/* The patch is for what the webhook was asked about. */
static json_t *patch(struct review *v, struct hook *h)
{
    struct err err;
    struct webhook_question q = question_of(v, v->doc);
    _cleanup_json_ json_t *seen = json_deep_copy(q.doc);
    if (!q.type)
        kind_from_stored(h->as, seen);
    _cleanup_json_ json_t *shared = json_patch_apply(seen, h->answer.patch, &err);
    if (!shared)
        return status_new(STATUS_INTERNAL, "Internal error occurred: %s", err.msg);
    _cleanup_json_ json_t *doc = json_deep_copy(is_scale(v) ? v->doc : shared);
    json_t *status = is_scale(v) ? scale_put(v->r->kind, doc, shared) : v->type ? NULL : take_object(v, h, doc);
    if (status)
        return status;
    v->changes += !json_equal(doc, v->doc);
    json_decref(v->doc);
    v->doc = TAKE(doc);
    return NULL;
}

static void on_mutated(void *arg, const char *body, size_t len, const struct err *err)
{
    struct hook *h = arg;
    struct review *v = h->of;
    take_answer(h, body, len, err);
    json_t *status = h->failure ? TAKE(h->failure) : TAKE(h->answer.refusal);
    if (!status && h->answer.patch && v->doc)
        status = patch(v, h);
    webhook_answer_done(&h->answer);
    h->asked_at = v->changes;
    v->at++;
    if (status)
        refuse(v, status);
    else
        mutate_next(v);
}

/* In the second round only those are asked that want to be, and only if others have changed what they saw. */
static bool is_due(const struct review *v, const struct hook *h)
{
    return !v->again ||
           (h->asked_at < v->changes && h->as && streq(jstr_or(h->webhook, "reinvocationPolicy", ""), "IfNeeded"));
}

static void mutate_next(struct review *v)
{
    for (; v->at < v->n_mutating; v->at++) {
        struct hook *h = &v->mutating[v->at];
        struct webhook_question q = question_of(v, v->doc);
        bool wanted = is_due(v, h) && is_wanted(h, &q);
        if (h->failure)
            refuse(v, TAKE(h->failure));
        else if (wanted)
            ask(h, v->doc, on_mutated);
        else
            continue;
        return;
    }
    json_t *status = v->changes && v->doc && !v->type ? admit_change(v->r, v->doc, v->old_doc, v->part) : NULL;
    if (status) {
        refuse(v, status);
    } else if (v->changes && !v->again) {
        v->again = true;
        v->at = 0;
        mutate_next(v);
    } else {
        validate(v);
    }
}

/* --- beginning --- */

struct gathering {
    struct hook **hooks;
    size_t *n;
    struct review *of;
};

static bool gather(void *arg, struct object *o)
{
    struct gathering *g = arg;
    _cleanup_json_ json_t *doc = object_json(o);
    size_t i;
    json_t *webhook;
    json_array_foreach(jget(doc, "webhooks"), i, webhook) {
        *g->hooks = xrealloc(*g->hooks, (*g->n + 1) * sizeof(struct hook));
        (*g->hooks)[(*g->n)++] = (struct hook){.of = g->of, .webhook = json_incref(webhook)};
    }
    return true;
}

static bool any_matches(struct review *v)
{
    struct webhook_question q = question_of(v, v->doc);
    bool any = false;
    for (size_t i = 0; i < v->n_mutating; i++)
        any |= webhook_match(v->mutating[i].webhook, &q) != NULL;
    for (size_t i = 0; i < v->n_validating; i++)
        any |= webhook_match(v->validating[i].webhook, &q) != NULL;
    return any;
}

/* Configurations themselves are beyond webhooks, so that a broken one can be taken away. */
static bool is_exempt(const struct request *r)
{
    return r->kind == &kind_mutatingwebhook || r->kind == &kind_validatingwebhook;
}

bool webhooks_any(const struct server *s)
{
    return store_count(s->store, &kind_mutatingwebhook, "") + store_count(s->store, &kind_validatingwebhook, "") > 0;
}

/* v is taken. Returns whether anybody is asked. */
static bool begin(struct review *v)
{
    struct request *r = v->r;
    struct store *store = r->server->store;
    const struct object *ns = r->kind->namespaced ? store_latest(store, &kind_namespace, "", r->what.ns) : NULL;
    v->namespace = ns ? object_json(ns) : NULL;
    list_append(&r->server->reviews, &v->link);
    store_each(store, &kind_mutatingwebhook, "", NULL, NULL, gather,
               &(struct gathering){&v->mutating, &v->n_mutating, v});
    store_each(store, &kind_validatingwebhook, "", NULL, NULL, gather,
               &(struct gathering){&v->validating, &v->n_validating, v});
    if (!any_matches(v)) {
        review_free(v);
        return false;
    }
    mutate_next(v);
    return true;
}

bool webhooks_ask(struct request *r, const char *operation, json_t *doc, struct object *old, enum update_part part,
                  webhooks_resume_fn *resume)
{
    if (is_exempt(r) || !webhooks_any(r->server))
        return false;
    struct review *v = NEW(struct review);
    *v = (struct review){.r = r, .operation = operation, .part = part, .resume = resume};
    v->doc = doc ? json_deep_copy(doc) : NULL;
    v->old_doc = old ? object_json(old) : NULL;
    v->seen_rv = old ? old->rv : 0;
    return begin(v);
}

bool webhooks_ask_about(struct request *r, const char *operation, const struct webhook_type *type, const json_t *doc,
                        webhooks_resume_fn *resume)
{
    if (!webhooks_any(r->server))
        return false;
    struct review *v = NEW(struct review);
    *v = (struct review){.r = r, .operation = operation, .type = type, .resume = resume};
    v->doc = json_deep_copy(doc);
    return begin(v);
}
