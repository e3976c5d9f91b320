/* PATCH with application/apply-patch+yaml: server-side apply. What it means is in api/managed.h; here is what a request
 * adds to it. */
#include "api/fieldwalk.h"
#include "base/str.h"
#include "http/http.h"
#include "server/authz.h"
#include "server/manager.h"
#include "server/write.h"

/* Upstream gives no reason for these: clients print "Error from server: …". */
static json_t *untyped_error(const struct request *r, const char *why)
{
    char version[API_VERSION_SIZE];
    json_t *status =
        status_new(STATUS_INTERNAL, "failed to create typed patch object (%s%s%s; %s, Kind=%s): %s", r->what.ns,
                   *r->what.ns ? "/" : "", r->what.name, kind_api_version(r->version, version), r->version->kind, why);
    jset(status, "reason", NULL);
    return status;
}

static json_t *check_config(struct request *r, json_t *config)
{
    if (!json_is_object(config))
        return status_new(STATUS_BAD_REQUEST, "error decoding YAML: the document is no object");
    if (!*jstr_or(config, "apiVersion", "") || !*jstr_or(config, "kind", "")) {
        _cleanup_free_ char *text = jprint(config);
        return status_new(STATUS_BAD_REQUEST, "Object '%s' is missing in '%s'",
                          *jstr_or(config, "kind", "") ? "apiVersion" : "Kind", text);
    }
    json_t *status = check_body_type(r->version, config);
    if (!status && json_array_size(jget(config, "metadata.managedFields")))
        status = status_new(STATUS_BAD_REQUEST, "metadata.managedFields must be nil");
    _cleanup_free_ char *why = status ? NULL : fields_check(r->version, config);
    return why ? untyped_error(r, why) : status;
}

/* Each part of an object has its own door. */
static void keep_part(const struct kind *k, json_t *config, enum update_part part)
{
    static const char *const identity[] = {"metadata.name", "metadata.namespace", "metadata.uid",
                                           "metadata.resourceVersion"};
    if (part == UPDATE_MAIN && k->has_status)
        json_object_del(config, "status");
    if (part == UPDATE_MAIN)
        return;
    _cleanup_json_ json_t *all = json_copy(config);
    json_object_clear(config);
    for (size_t i = 0; i < ARRAY_LEN(identity); i++)
        jset(config, identity[i], json_incref(jget(all, identity[i])));
    const char *own = part == UPDATE_EPHEMERAL ? "spec.ephemeralContainers" : "status";
    jset(config, own, json_incref(jget(all, own)));
}

/* An object that is not there is created, by who may. */
static json_t *check_creation(const struct request *r, const json_t *config)
{
    const char *uid = jstr_or(config, "metadata.uid", "");
    _cleanup_free_ char *reason = NULL;
    if (*r->what.subresource)
        return not_found_status(r->kind, r->what.name);
    struct action create = request_action(r);
    create.verb = verb_name(V_CREATE);
    if (!authorized(r->server, r->user, &create, &reason))
        return forbidden_status(r->user, &create, reason);
    if (!*uid)
        return NULL;
    _cleanup_free_ char *why =
        xasprintf("uid mismatch: the provided object specified uid %s, and no existing object was found", uid);
    return conflict_status(r->kind, r->what.name, why);
}

static json_t *applied(const struct request *r, const json_t *live, const json_t *config, json_t **ret_status)
{
    char manager[MANAGER_NAME_MAX + 1];
    const struct writer w = request_writer(r, manager);
    return managed_apply(r->kind, live, config, &w, query_bool(r->query, "force"), ret_status);
}

void request_apply(struct request *r, struct object *live, json_t *config, enum update_part part)
{
    json_t *status = check_manager_options(r, true);
    if (!status)
        status = check_config(r, config);
    if (!status)
        status = check_identity(r, config);
    if (!status && !live)
        status = check_creation(r, config);
    if (!status)
        kind_to_stored(r->version, config);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    keep_part(r->kind, config, part);
    _cleanup_json_ json_t *before = live ? object_json(live) : NULL;
    _cleanup_json_ json_t *doc = applied(r, before, config, &status);
    r->applied = true;
    if (!doc)
        request_reply_status(r, status);
    else if (live)
        request_update(r, live, TAKE(doc), part);
    else
        request_create(r, doc);
}
