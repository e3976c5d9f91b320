/* PUT, and what every patch ends in: a new version of an object that is there. Each part of an object has its own door:
 * a plain write cannot touch the status, /status nothing else. */
#include "api/managed.h"
#include "base/clock.h"
#include "base/str.h"
#include "server/manager.h"
#include "server/webhooks.h"

#define REVIEWS_MAX 5 /* as upstream: an object that changes more often than webhooks answer */
#define MODIFIED_TEXT "the object has been modified; please apply your changes to the latest version and try again"

static void copy_member(json_t *to, const json_t *from, const char *path)
{
    json_t *value = jget(from, path);
    jset(to, path, value ? jcopy(value) : NULL);
}

/* Optimistic locking: a version that names its revision or uid must be made from the one we have. */
static json_t *check_preconditions(const struct request *r, const struct object *old, const json_t *doc)
{
    const char *rv = jstr_or(doc, "metadata.resourceVersion", ""), *uid = jstr_or(doc, "metadata.uid", "");
    int64_t n = 0;
    if (*uid && !streq(uid, old->uid)) {
        _cleanup_free_ char *why =
            xasprintf("Precondition failed: UID in precondition: %s, UID in object meta: %s", uid, old->uid);
        return conflict_status(r->kind, old->name, why);
    }
    if (!*rv || streq(rv, "0"))
        return NULL;
    if (!str_to_i64(rv, 0, INT64_MAX, &n))
        return status_new(STATUS_BAD_REQUEST, "metadata.resourceVersion: Invalid value: \"%s\": must be a number", rv);
    return (uint64_t)n == old->rv ? NULL : conflict_status(r->kind, old->name, MODIFIED_TEXT);
}

/* What neither part of an object may change. */
static void keep_server_owned(json_t *doc, const json_t *old)
{
    static const char *const owned[] = {"metadata.uid",
                                        "metadata.creationTimestamp",
                                        "metadata.deletionTimestamp",
                                        "metadata.deletionGracePeriodSeconds",
                                        "metadata.generation",
                                        "metadata.resourceVersion",
                                        "metadata.selfLink"};
    for (size_t i = 0; i < ARRAY_LEN(owned); i++)
        copy_member(doc, old, owned[i]);
}

/* doc's part over everything else of old. Takes doc. */
static json_t *merge_parts(const struct kind *k, json_t *doc, const json_t *old, enum update_part part)
{
    if (part == UPDATE_MAIN) {
        if (k->has_status)
            copy_member(doc, old, "status");
        if (k == &kind_namespace)
            copy_member(doc, old, "spec.finalizers");
        return doc;
    }
    json_t *merged = jcopy(old);
    if (part == UPDATE_APPROVAL) {
        copy_member(merged, doc, "status.conditions");
        copy_member(merged, doc, "metadata.managedFields");
    } else if (part == UPDATE_FINALIZE) {
        copy_member(merged, doc, "spec.finalizers");
    } else if (part == UPDATE_EPHEMERAL) {
        copy_member(merged, doc, "spec.ephemeralContainers");
        copy_member(merged, doc, "metadata.managedFields");
    } else {
        copy_member(merged, doc, "status");
        copy_member(merged, doc, "metadata.managedFields");
        if (jhas(doc, "metadata.labels"))
            copy_member(merged, doc, "metadata.labels");
        if (jhas(doc, "metadata.annotations"))
            copy_member(merged, doc, "metadata.annotations");
    }
    json_decref(doc);
    return merged;
}

/* Anything but metadata and status: what the generation counts. */
static bool has_other_members(const struct kind *k, const json_t *a, const json_t *b)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)a, name, value)
        if (!streq(name, "metadata") && !streq(name, "apiVersion") && !(streq(name, "status") && k->has_status) &&
            !json_equal(value, json_object_get(b, name)))
            return true;
    return false;
}

static void count_generation(const struct kind *k, json_t *doc, const json_t *old)
{
    if (k->has_generation && (has_other_members(k, doc, old) || has_other_members(k, old, doc)))
        jset_int(doc, "metadata.generation", jint(old, "metadata.generation", 0) + 1);
}

/* Against what is there now; the write follows in the same step. */
static void decide(struct request *r, struct object *old, json_t *doc, enum update_part part)
{
    struct alloc_change change = {0};
    _cleanup_json_ json_t *old_doc = object_json(old);
    _cleanup_object_ struct object *kept = object_ref(old);
    json_t *status = admit_decide(r, doc, old_doc, part, &change);
    if (!status)
        managed_keep_times(doc, old_doc);
    if (status) {
        request_reply_status(r, status);
    } else if (deletion_is_due(r->kind, doc)) {
        alloc_rollback(&change);
        release_numbers(r->server, r->kind, old_doc, &change);
        request_write(r, doc, true, &change);
    } else if (json_equal(doc, old_doc)) {
        alloc_rollback(&change);
        if (r->reply)
            r->reply(r, old);
        else
            request_reply_object(r, r->code, old);
    } else {
        count_generation(r->kind, doc, old_doc);
        request_write(r, doc, false, &change);
    }
}

/* Webhooks change no more than who asked may. Takes doc. */
static void decide_reviewed(struct request *r, struct object *old, json_t *doc, enum update_part part)
{
    _cleanup_json_ json_t *old_doc = object_json(old);
    json_t *status = check_identity(r, doc);
    doc = merge_parts(r->kind, doc, old_doc, part);
    keep_server_owned(doc, old_doc);
    if (status)
        request_reply_status(r, status);
    else
        decide(r, old, doc, part);
    json_decref(doc);
}

/* Webhooks have been asked about a version that may be the latest no more. A patch is then made anew, from the latest;
 * whole objects are refused. */
static void resume(struct request *r, json_t *doc, uint64_t seen_rv, enum update_part part)
{
    struct object *old = request_latest(r);
    if (!old)
        ;
    else if (old->rv == seen_rv)
        decide_reviewed(r, old, json_incref(doc), part);
    else if (r->verb == V_PATCH && r->reviews++ < REVIEWS_MAX)
        r->handler->run(r);
    else
        request_reply_status(r, conflict_status(r->kind, old->name, MODIFIED_TEXT));
    json_decref(doc);
}

void request_update(struct request *r, struct object *old, json_t *doc, enum update_part part)
{
    _cleanup_json_ json_t *old_doc = object_json(old);
    r->code = 200;
    json_t *status = check_identity(r, doc);
    if (!status)
        status = check_preconditions(r, old, doc);
    doc = merge_parts(r->kind, doc, old_doc, part);
    keep_server_owned(doc, old_doc);
    if (!status) {
        schema_default(r->rules, doc);
        track_managers(r, old_doc, doc);
        status = admit_change(r, doc, old_doc, part);
    }
    if (status)
        request_reply_status(r, status);
    else if (!webhooks_ask(r, "UPDATE", doc, old, part, resume))
        decide(r, old, doc, part);
    json_decref(doc);
}

static void update_from_body(struct request *r, enum update_part part)
{
    json_t *status = check_manager_options(r, false);
    if (!status)
        status = read_document(r, r->body);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    struct object *old = request_latest(r);
    if (old)
        request_update(r, old, TAKE(r->body), part);
}

void handle_update(struct request *r)
{
    update_from_body(r, UPDATE_MAIN);
}

void handle_update_status(struct request *r)
{
    update_from_body(r, UPDATE_STATUS);
}

/* Namespaces only: whoever has emptied a terminating one takes its finalizer out here. */
void handle_finalize(struct request *r)
{
    update_from_body(r, UPDATE_FINALIZE);
}

/* The body that clients up to 1.21 send: a list of its own, which they add to what they could read of ours, so what is
 * there stays. It becomes a pod with that list. */
static void widen_ephemeral(struct request *r, const json_t *old)
{
    json_t *list = json_array(), *added = jget(r->body, "ephemeralContainers"), *c;
    size_t i;
    json_array_foreach(jget(old, "spec.ephemeralContainers"), i, c)
        if (!jfind(added, "name", jstr_or(c, "name", "")))
            json_array_append_new(list, jcopy(c));
    if (json_is_array(added))
        json_array_extend(list, added);
    jset_str(r->body, "kind", "Pod");
    json_object_del(r->body, "ephemeralContainers");
    jset(r->body, "spec", jcopy(jget(old, "spec")));
    jset(r->body, "spec.ephemeralContainers", list);
}

void handle_update_ephemeral(struct request *r)
{
    struct object *old = request_latest(r);
    if (!old)
        return;
    if (streq(jstr_or(r->body, "kind", ""), "EphemeralContainers")) {
        _cleanup_json_ json_t *doc = object_json(old);
        widen_ephemeral(r, doc);
    }
    update_from_body(r, UPDATE_EPHEMERAL);
}

/* CertificateSigningRequests only: whether they are approved is said here. */
void handle_update_approval(struct request *r)
{
    update_from_body(r, UPDATE_APPROVAL);
}
