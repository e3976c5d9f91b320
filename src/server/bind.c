/* POST pods/NAME/binding: the scheduler gives a pod its node, once. */
#include "base/clock.h"
#include "base/str.h"
#include "server/write.h"

static void reply_bound(struct request *r, struct object *obj)
{
    (void)obj;
    request_reply_document(r, 201,
                           json_pack("{s:s, s:s, s:{}, s:s, s:i}", "kind", "Status", "apiVersion", "v1", "metadata",
                                     "status", "Success", "code", 201));
}

/* PodScheduled is true from now on. */
static void set_scheduled(json_t *doc)
{
    char now[TIME_TEXT_SIZE];
    json_t *conditions = jget(doc, "status.conditions");
    if (!conditions)
        jset(doc, "status.conditions", conditions = json_array());
    json_t *condition = jfind(conditions, "type", "PodScheduled");
    if (!condition) {
        condition = json_pack("{s:s}", "type", "PodScheduled");
        json_array_append_new(conditions, condition);
    }
    jset_str(condition, "status", "True");
    jset(condition, "lastProbeTime", NULL);
    jset_str(condition, "lastTransitionTime", time_format(clock_wall_usec(), now));
    jset(condition, "reason", NULL);
    jset(condition, "message", NULL);
}

static json_t *check_binding(const struct request *r, const json_t *doc)
{
    _cleanup_free_ char *why = NULL;
    const char *kind = jstr_or(r->body, "target.kind", ""), *node = jstr_or(r->body, "target.name", "");
    const char *uid = jstr_or(r->body, "metadata.uid", ""), *bound = jstr_or(doc, "spec.nodeName", "");
    struct status_causes causes = {0};
    _cleanup_json_ json_t *kind_value = json_string(kind);
    if (*kind && !streq(kind, "Node"))
        causes_add(&causes, CAUSE_NOT_SUPPORTED, "target.kind", kind_value, "supported values: \"Node\", \"<empty>\"");
    if (!*node)
        causes_add(&causes, CAUSE_REQUIRED, "target.name", NULL, "%s", "");
    json_t *status = causes_any(&causes) ? status_invalid("", "Binding", r->what.name, &causes) : NULL;
    causes_done(&causes);
    if (status)
        return status;
    if (*uid && !streq(uid, jstr_or(doc, "metadata.uid", "")))
        why = xasprintf("Precondition failed: UID in precondition: %s, UID in object meta: %s", uid,
                        jstr_or(doc, "metadata.uid", ""));
    else if (jget(doc, "metadata.deletionTimestamp"))
        why = xasprintf("pod %s is being deleted, cannot be assigned to a host", r->what.name);
    else if (*bound)
        why = xasprintf("pod %s is already assigned to node \"%s\"", r->what.name, bound);
    if (!why)
        return NULL;
    return status_for(STATUS_CONFLICT, "", "pods/binding", r->what.name,
                      "Operation cannot be fulfilled on pods/binding \"%s\": %s", r->what.name, why);
}

void handle_bind(struct request *r)
{
    struct alloc_change change = {0};
    struct object *old = request_latest(r);
    if (!old)
        return;
    _cleanup_json_ json_t *old_doc = object_json(old);
    json_t *status = check_binding(r, old_doc);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    _cleanup_json_ json_t *doc = jcopy(old_doc);
    jset_str(doc, "spec.nodeName", jstr(r->body, "target.name"));
    set_scheduled(doc);
    r->reply = reply_bound;
    request_write(r, doc, false, &change);
}
