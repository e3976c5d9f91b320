/* DELETE of one object. It goes at once unless something holds it: finalizers, a pod's time to stop, a namespace's
 * contents. Then it is marked with a deletionTimestamp, and the last one to let go removes it. Rules: apiserver
 * pkg/registry/rest/delete.go (BeforeDelete), pkg/registry/core/pod/strategy.go (CheckGracefulDelete). */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "http/http.h"
#include "server/delete.h"
#include "server/admission_policies.h"
#include "server/webhooks.h"

/* --- options --- */

json_t *delete_options_read(const struct request *r, const json_t *body, struct delete_options *ret)
{
    static const char *const policies[] = {"Orphan", "Background", "Foreground"};
    _cleanup_free_ char *policy = query_get(r->query, "propagationPolicy", 0);
    int64_t grace;
    if (body && !json_is_object(body))
        return status_new(STATUS_BAD_REQUEST, "DeleteOptions: the body is no JSON object");
    if (!query_int(r->query, "gracePeriodSeconds", 0, INT32_MAX, GRACE_UNSET, &grace))
        return status_new(STATUS_BAD_REQUEST,
                          "gracePeriodSeconds: Invalid value: must be a number that is not negative");
    const json_t *dry_run = jget(body, "dryRun"), *orphan = jget(body, "orphanDependents");
    *ret = (struct delete_options){.storage = json_object(), .dry_run = r->dry_run || json_array_size(dry_run)};
    jset_str(ret->storage, "policy", jstr_or(body, "propagationPolicy", str_or(policy, "")));
    if (json_is_boolean(orphan) && !*jstr(ret->storage, "policy"))
        jset_str(ret->storage, "policy", json_is_true(orphan) ? "Orphan" : "Background");
    jset_str(ret->storage, "uid", jstr_or(body, "preconditions.uid", ""));
    jset_str(ret->storage, "rv", jstr_or(body, "preconditions.resourceVersion", ""));
    ret->grace_seconds = jint(body, "gracePeriodSeconds", grace);
    ret->propagation = jstr(ret->storage, "policy");
    ret->uid = jstr(ret->storage, "uid");
    ret->rv = jstr(ret->storage, "rv");
    if (!*ret->propagation)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        if (streq(ret->propagation, policies[i]))
            return NULL;
    return status_new(STATUS_INVALID,
                      "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"%s\": "
                      "supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
                      ret->propagation);
}

void delete_options_done(struct delete_options *o)
{
    json_decref(o->storage);
}

static json_t *check_preconditions(const struct object *old, const struct delete_options *o)
{
    _cleanup_free_ char *why = NULL;
    _cleanup_free_ char *rv = xasprintf("%llu", (unsigned long long)old->rv);
    if (*o->uid && !streq(o->uid, old->uid))
        why = xasprintf(
            "the UID in the precondition (%s) does not match the UID in record (%s). The object might have been "
            "deleted and then recreated",
            o->uid, old->uid);
    else if (*o->rv && !streq(o->rv, rv))
        why = xasprintf(
            "the ResourceVersion in the precondition (%s) does not match the ResourceVersion in record (%s). The "
            "object might have been modified",
            o->rv, rv);
    return why ? conflict_status(old->kind, old->name, why) : NULL;
}

/* Namespaces that every cluster needs. */
static json_t *check_protected(const struct object *old)
{
    static const char *const kept[] = {"default", "kube-system", "kube-public"};
    if (old->kind != &kind_namespace)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (streq(old->name, kept[i]))
            return status_for(STATUS_FORBIDDEN, "", "namespaces", old->name,
                              "namespaces \"%s\" is forbidden: this namespace may not be deleted", old->name);
    return NULL;
}

/* --- deciding --- */

/* Seconds the object may still take to stop. */
static int64_t grace_of(const struct kind *k, const json_t *doc, const struct delete_options *o)
{
    if (!k->default_grace_seconds)
        return 0;
    const char *phase = jstr_or(doc, "status.phase", "");
    if (!*jstr_or(doc, "spec.nodeName", "") || streq(phase, "Succeeded") || streq(phase, "Failed"))
        return 0;
    int64_t grace = o->grace_seconds;
    if (grace == GRACE_UNSET)
        grace = jint(doc, "spec.terminationGracePeriodSeconds", k->default_grace_seconds);
    return grace < 0 ? 1 : grace;
}

static void set_finalizer(json_t *doc, const char *name, bool wanted)
{
    json_t *list = jget(doc, "metadata.finalizers");
    for (size_t i = json_array_size(list); i-- > 0;)
        if (streq(json_string_value(json_array_get(list, i)), name)) {
            if (wanted)
                return;
            json_array_remove(list, i);
        }
    if (!wanted) {
        if (list && !json_array_size(list))
            jset(doc, "metadata.finalizers", NULL);
        return;
    }
    if (!list)
        jset(doc, "metadata.finalizers", list = json_array());
    json_array_append_new(list, json_string(name));
}

/* The garbage collector reads from these what to do with the dependents. */
static void set_propagation(json_t *doc, const char *propagation)
{
    if (!*propagation)
        return;
    set_finalizer(doc, "orphan", streq(propagation, "Orphan"));
    set_finalizer(doc, "foregroundDeletion", streq(propagation, "Foreground"));
}

/* Marks doc as going away within so many seconds; a deletion under way can only get shorter. */
static void mark_deleted(const struct kind *k, json_t *doc, int64_t grace_seconds)
{
    char when[TIME_TEXT_SIZE];
    if (jget(doc, "metadata.deletionTimestamp") && jint(doc, "metadata.deletionGracePeriodSeconds", 0) <= grace_seconds)
        return;
    jset_str(doc, "metadata.deletionTimestamp", time_format(clock_wall_usec() + grace_seconds * 1000000, when));
    jset_int(doc, "metadata.deletionGracePeriodSeconds", grace_seconds);
    if (jint(doc, "metadata.generation", 0) > 0)
        jset_int(doc, "metadata.generation", jint(doc, "metadata.generation", 0) + 1);
    if (k == &kind_namespace)
        jset_str(doc, "status.phase", "Terminating");
}

/* What becomes of old: a new document (new reference), to be removed when *ret_gone. Equal to the old one: nothing to
 * do. */
static json_t *decide(const struct object *old, const struct delete_options *o, bool *ret_gone)
{
    _cleanup_json_ json_t *old_doc = object_json(old);
    json_t *doc = jcopy(old_doc);
    set_propagation(doc, o->propagation);
    mark_deleted(old->kind, doc, grace_of(old->kind, doc, o));
    *ret_gone = deletion_is_due(old->kind, doc);
    return doc;
}

/* --- one object --- */

/* Upstream returns what it deleted for some kinds, and for the others a Status. */
static bool returns_object(const struct kind *k)
{
    return k == &kind_pod || k == &kind_service || k == &kind_serviceaccount;
}

static void reply_deleted(struct request *r, struct object *obj)
{
    if (returns_object(obj->kind)) {
        request_reply_object(r, 200, obj);
        return;
    }
    json_t *status =
        json_pack("{s:s, s:s, s:{}, s:s, s:{s:s, s:s, s:s}}", "kind", "Status", "apiVersion", "v1", "metadata",
                  "status", "Success", "details", "name", obj->name, "kind", obj->kind->plural, "uid", obj->uid);
    if (*obj->kind->group)
        jset_str(status, "details.group", obj->kind->group);
    request_reply_document(r, 200, status);
}

/* Conditions are for those who see the object on its way out. */
static void add_condition(json_t *doc, const json_t *condition)
{
    const json_t *old = jfind(jget(doc, "status.conditions"), "type", jstr_or(condition, "type", ""));
    if (!condition || old)
        return;
    if (!jget(doc, "status.conditions"))
        jset(doc, "status.conditions", json_array());
    json_array_append(jget(doc, "status.conditions"), (json_t *)condition);
}

/* Webhooks do not object: the rest of the deletion. */
static void resume(struct request *r, json_t *doc, uint64_t seen_rv, enum update_part part)
{
    (void)doc, (void)seen_rv, (void)part;
    r->reviews++;
    handle_delete(r);
}

static json_t *refused_by_policy(struct request *r, struct object *old)
{
    _cleanup_json_ json_t *doc = object_json(old);
    return policies_decide(r, "DELETE", NULL, doc);
}

void delete_object(struct request *r, const struct delete_options *o, const json_t *condition, reply_fn *reply)
{
    struct alloc_change change = {0};
    struct object *old = request_latest(r);
    if (!old)
        return;
    json_t *status = check_preconditions(old, o);
    if (!status)
        status = check_protected(old);
    r->dry_run = o->dry_run;
    bool is_eviction = reply != NULL;
    if (!status && !is_eviction && !r->reviews)
        status = refused_by_policy(r, old);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    if (!is_eviction && !r->reviews && webhooks_ask(r, "DELETE", NULL, old, UPDATE_MAIN, resume))
        return;
    bool gone;
    _cleanup_object_ struct object *kept = object_ref(old);
    _cleanup_json_ json_t *doc = decide(old, o, &gone);
    _cleanup_json_ json_t *old_doc = object_json(old);
    r->code = 200;
    r->reply = reply ? reply : gone ? reply_deleted : NULL;
    if (!gone && json_equal(doc, old_doc)) {
        if (r->reply)
            r->reply(r, old);
        else
            request_reply_object(r, 200, old);
        return;
    }
    add_condition(doc, condition);
    if (gone)
        release_numbers(r->server, r->kind, old_doc, &change);
    request_write(r, doc, gone, &change);
}

void handle_delete(struct request *r)
{
    struct delete_options o = {0};
    json_t *status = delete_options_read(r, r->body, &o);
    if (status)
        request_reply_status(r, status);
    else
        delete_object(r, &o, NULL, NULL);
    delete_options_done(&o);
}
