/* POST serviceaccounts/NAME/token: a token for whoever may act as the account. Nothing is stored: a token is good by
 * its signature, as long as what it names exists. */
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/jwt.h"
#include "server/tokens.h"
#include "server/write.h"

#define LIFE_MIN_SECONDS 600 /* upstream's limits */
#define LIFE_MAX_SECONDS (1LL << 32)

static json_t *bad_request(const char *text)
{
    return status_new(STATUS_BAD_REQUEST, "%s", text);
}

static json_t *decode(struct request *r)
{
    json_t *status = check_body_type(&kind_tokenrequest, r->body);
    if (!status)
        status = schema_decode_repeated(&kind_tokenrequest, r->body, r->validation, r->repeated, &r->warnings);
    if (!status)
        status = check_identity(r, r->body);
    if (!status)
        schema_default(&kind_tokenrequest, r->body);
    return status;
}

static json_t *check_life(const struct request *r)
{
    struct status_causes causes = {0};
    int64_t seconds = jint(r->body, "spec.expirationSeconds", 0);
    const json_t *value = jget(r->body, "spec.expirationSeconds");
    if (seconds < LIFE_MIN_SECONDS)
        causes_add(&causes, CAUSE_INVALID, "spec.expirationSeconds", value,
                   "may not specify a duration less than 10 minutes");
    if (seconds > LIFE_MAX_SECONDS)
        causes_add(&causes, CAUSE_INVALID, "spec.expirationSeconds", value,
                   "may not specify a duration larger than 2^32 seconds");
    json_t *status = causes_any(&causes)
                         ? status_invalid(kind_tokenrequest.group, kind_tokenrequest.kind, r->what.name, &causes)
                         : NULL;
    causes_done(&causes);
    return status;
}

/* --- the object a token is bound to --- */

static json_t *conflict(const char *kind, const char *name, const char *uid)
{
    return status_for(STATUS_CONFLICT, "", kind, name,
                      "Operation cannot be fulfilled on %s \"%s\": the UID in the bound object reference (%s) does not "
                      "match the UID in record. The object might have been deleted and then recreated",
                      kind, name, uid);
}

/* NULL: bound to nothing of this kind; borrowed. */
struct bound {
    struct object *pod, *secret;
};

static json_t *check_account_of(const struct request *r, const struct object *pod)
{
    _cleanup_json_ json_t *doc = object_json(pod);
    return streq(jstr_or(doc, "spec.serviceAccountName", ""), r->what.name)
               ? NULL
               : status_new(STATUS_BAD_REQUEST,
                            "cannot bind token for serviceaccount \"%s\" to pod running with different serviceaccount "
                            "name.",
                            r->what.name);
}

static json_t *find_bound(const struct request *r, struct bound *ret)
{
    const json_t *ref = jget(r->body, "spec.boundObjectRef");
    const char *api_version = jstr_or(ref, "apiVersion", ""), *kind = jstr_or(ref, "kind", "");
    const char *name = jstr_or(ref, "name", ""), *uid = jstr_or(ref, "uid", "");
    bool is_pod = streq(kind, "Pod");
    const struct kind *k = is_pod ? &kind_pod : &kind_secret;
    if (!ref)
        return NULL;
    if (!streq(api_version, "v1") || !streq(kind, k->kind))
        return status_new(STATUS_BAD_REQUEST, "cannot bind token to object of type %s, Kind=%s", api_version, kind);
    struct object *o = store_latest(r->server->store, k, r->what.ns, name);
    if (!o)
        return not_found_status(k, name);
    if (*uid && !streq(uid, o->uid))
        return conflict(kind, name, uid);
    *(is_pod ? &ret->pod : &ret->secret) = o;
    return is_pod ? check_account_of(r, o) : NULL;
}

/* A node gets tokens of the accounts of its own pods, bound to them (upstream: admission plug-in NodeRestriction). */
static json_t *check_node(const struct request *r, const struct object *pod)
{
    const char *node = str_after(r->user->name, "system:node:"), *why = NULL;
    if (!user_in_group(r->user, "system:nodes"))
        return NULL;
    _cleanup_json_ json_t *doc = pod ? object_json(pod) : NULL;
    if (!pod)
        why = "node requested token not bound to a pod";
    else if (!*jstr_or(r->body, "spec.boundObjectRef.uid", ""))
        why = "node requested token with a pod binding without a uid";
    else if (!node || !streq(jstr_or(doc, "spec.nodeName", ""), node))
        why = "node requested token bound to a pod scheduled on a different node";
    return why ? status_for(STATUS_FORBIDDEN, "", "serviceaccounts", r->what.name,
                            "serviceaccounts \"%s\" is forbidden: %s", r->what.name, why)
               : NULL;
}

/* --- the answer --- */

static char *issue(const struct request *r, const struct object *account, const struct bound *bound, int64_t now)
{
    char id[37];
    const struct object *pod = bound->pod, *secret = bound->secret;
    _cleanup_json_ json_t *doc = pod ? object_json(pod) : NULL;
    const char *node = jstr_or(doc, "spec.nodeName", "");
    const struct object *node_object = *node ? store_get(r->server->store, &kind_node, "", node) : NULL;
    rand_uuid(id);
    const struct account_token what = {
        .ns = r->what.ns,
        .name = r->what.name,
        .uid = account->uid,
        .pod = pod ? pod->name : NULL,
        .pod_uid = pod ? pod->uid : NULL,
        .secret = secret ? secret->name : NULL,
        .secret_uid = secret ? secret->uid : NULL,
        .node = node_object ? node : NULL,
        .node_uid = node_object ? node_object->uid : NULL,
        .id = id,
        .issued = now,
        .expires = now + jint(r->body, "spec.expirationSeconds", 0),
        .audiences = jget(r->body, "spec.audiences"),
    };
    return tokens_issue(r->server->tokens, &what);
}

static void reply_token(struct request *r, const char *token, int64_t now)
{
    char text[TIME_TEXT_SIZE];
    int64_t expires = now + jint(r->body, "spec.expirationSeconds", 0);
    jset_str(r->body, "metadata.creationTimestamp", time_format(now * 1000000, text));
    jset(r->body, "status",
         json_pack("{s:s, s:s}", "token", token, "expirationTimestamp", time_format(expires * 1000000, text)));
    request_reply_document(r, 201, json_incref(r->body));
}

void handle_token_request(struct request *r)
{
    struct object *account = request_latest(r);
    struct bound bound = {0};
    if (!account)
        return;
    int64_t now = clock_wall_usec() / 1000000;
    json_t *status = decode(r);
    if (!status)
        status = check_life(r);
    if (!status)
        status = find_bound(r, &bound);
    if (!status)
        status = check_node(r, bound.pod);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    if (!json_array_size(jget(r->body, "spec.audiences")))
        jset(r->body, "spec.audiences", json_pack("[s]", tokens_issuer(r->server->tokens)));
    _cleanup_free_ char *token = issue(r, account, &bound, now);
    if (strlen(token) > JWT_MAX)
        request_reply_status(r, bad_request("the token would be too long: there are too many audiences"));
    else
        reply_token(r, token, now);
}
