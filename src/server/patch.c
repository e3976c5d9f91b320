/* PATCH: JSON patch, merge patch, strategic merge patch; server-side apply goes on to apply.c. */
#include "api/strategic.h"
#include "json/patch.h"
#include "server/manager.h"
#include "server/conversion.h"

static json_t *apply(const struct request *r, const struct kind *k, const json_t *doc, struct err *err)
{
    switch (r->body_type) {
    case BODY_JSON_PATCH:
        return json_patch_apply(doc, r->body, err);
    case BODY_STRATEGIC_PATCH:
        return k ? strategic_merge(k, doc, r->body, err) : json_merge_patch(doc, r->body);
    default:
        return json_merge_patch(doc, r->body);
    }
}

json_t *patched(const struct request *r, const struct kind *k, const json_t *doc, json_t **ret_status)
{
    struct err err;
    if (k && k->schema && r->body_type == BODY_STRATEGIC_PATCH) {
        *ret_status = status_new(STATUS_UNSUPPORTED_MEDIA_TYPE,
                                 "the body of the request was in an unknown format - accepted media types include: "
                                 "application/json-patch+json, application/merge-patch+json");
        return NULL;
    }
    bool is_list = r->body_type == BODY_JSON_PATCH;
    if (is_list ? !json_is_array(r->body) : !json_is_object(r->body)) {
        *ret_status = status_new(STATUS_BAD_REQUEST, "error decoding patch: the body is no JSON %s",
                                 is_list ? "array" : "object");
        return NULL;
    }
    /* Patches may share parts with what they are made from; what comes out is going to be edited. */
    _cleanup_json_ json_t *result = apply(r, k, doc, &err);
    if (!result) {
        *ret_status =
            status_new(STATUS_INVALID, "the server rejected our request due to an error in our request: %s", err.msg);
        return NULL;
    }
    return jcopy(result);
}

static void patch(struct request *r, enum update_part part)
{
    if (conversion_of_patch(r, part))
        return;
    if (r->body_type == BODY_APPLY_PATCH) {
        request_apply(r, store_latest(r->server->store, r->kind, r->what.ns, r->what.name), r->body, part);
        return;
    }
    struct object *old = request_latest(r);
    if (!old)
        return;
    json_t *status = NULL;
    _cleanup_object_ struct object *seen = object_as(old, r->version);
    _cleanup_json_ json_t *doc = object_json(seen);
    _cleanup_json_ json_t *result = patched(r, r->version, doc, &status);
    if (!status)
        status = check_manager_options(r, false);
    if (!status)
        status = read_document(r, result);
    if (status)
        request_reply_status(r, status);
    else
        request_update(r, old, TAKE(result), part);
}

void handle_patch(struct request *r)
{
    patch(r, UPDATE_MAIN);
}

void handle_patch_status(struct request *r)
{
    patch(r, UPDATE_STATUS);
}

void handle_patch_ephemeral(struct request *r)
{
    patch(r, UPDATE_EPHEMERAL);
}

void handle_patch_approval(struct request *r)
{
    patch(r, UPDATE_APPROVAL);
}
