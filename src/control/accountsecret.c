/* Secrets of type kubernetes.io/service-account-token: tokens that outlive any TokenRequest, for programs outside. The
 * token is asked of the API, bound to its Secret, so it dies with that; a Secret whose account is gone goes too.
 * (Upstream: pkg/controller/serviceaccount/tokens_controller.go, whose tokens have no end and another issuer.) */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

#define TOKEN_TYPE "kubernetes.io/service-account-token"
#define ACCOUNT_NAME "kubernetes.io/service-account.name"
#define ACCOUNT_UID "kubernetes.io/service-account.uid"
#define ROOT_CA "kube-root-ca.crt"
#define LIFE_SECONDS (1LL << 32) /* the longest that may be asked for */

static const char *annotation(const json_t *doc, const char *key)
{
    return json_string_value(json_object_get(jget(doc, "metadata.annotations"), key));
}

static bool is_whole(const json_t *secret)
{
    static const char *const keys[] = {"token", "ca.crt", "namespace"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (!json_object_get(jget(secret, "data"), keys[i]))
            return false;
    return annotation(secret, ACCOUNT_UID) != NULL;
}

/* NULL: gone, or of another type. New reference. */
static json_t *token_secret(struct controller *c, const char *ns, const char *name)
{
    struct object *o = informer_get(controller_informer(c, &kind_secret), ns, name);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    bool fits =
        doc && streq(jstr_or(doc, "type", ""), TOKEN_TYPE) && annotation(doc, ACCOUNT_NAME) && !is_deleting(doc);
    return fits ? json_incref(doc) : NULL;
}

static json_t *published_ca(struct controller *c, const char *ns)
{
    struct object *o = informer_get(controller_informer(c, &kind_configmap), ns, ROOT_CA);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    return json_incref(json_object_get(jget(doc, "data"), "ca.crt"));
}

static void ask_for_token(struct controller *c, const json_t *secret)
{
    const char *ns = jstr(secret, "metadata.namespace");
    _cleanup_json_ json_t *body =
        json_pack("{s:{s:I, s:{s:s, s:s, s:s, s:s}}}", "spec", "expirationSeconds", (json_int_t)LIFE_SECONDS,
                  "boundObjectRef", "apiVersion", "v1", "kind", "Secret", "name", jstr(secret, "metadata.name"), "uid",
                  jstr(secret, "metadata.uid"));
    controller_request(c, "POST", &kind_serviceaccount, ns, annotation(secret, ACCOUNT_NAME), "token", body);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    _cleanup_json_ json_t *secret = token_secret(c, ns, name), *ca = published_ca(c, ns);
    if (!secret || !ca)
        return;
    struct object *account =
        informer_get(controller_informer(c, &kind_serviceaccount), ns, annotation(secret, ACCOUNT_NAME));
    const char *uid = annotation(secret, ACCOUNT_UID);
    if (!account) /* the copy may be late: `answered` decides */
        controller_get(c, &kind_serviceaccount, ns, annotation(secret, ACCOUNT_NAME));
    else if (uid && !streq(uid, account->uid))
        delete_exactly(c, &kind_secret, ns, name, jstr(secret, "metadata.uid"), NULL, -1);
    else if (!is_whole(secret))
        ask_for_token(c, secret);
}

static void set_data(json_t *secret, const char *key, const char *text)
{
    _cleanup_free_ char *coded = base64_encode(text, strlen(text));
    json_object_set_new(jget(secret, "data"), key, json_string(coded));
}

static void fill_in(struct controller *c, const json_t *secret, const char *token)
{
    const char *ns = jstr(secret, "metadata.namespace");
    struct object *account =
        informer_get(controller_informer(c, &kind_serviceaccount), ns, annotation(secret, ACCOUNT_NAME));
    _cleanup_json_ json_t *ca = published_ca(c, ns);
    if (!account || !ca)
        return;
    _cleanup_json_ json_t *filled = json_deep_copy(secret);
    json_object_set_new(jget(filled, "metadata.annotations"), ACCOUNT_UID, json_string(account->uid));
    if (!jget(filled, "data"))
        jset(filled, "data", json_object());
    set_data(filled, "ca.crt", json_string_value(ca));
    set_data(filled, "namespace", ns);
    set_data(filled, "token", token);
    controller_update(c, &kind_secret, NULL, filled);
}

static void answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body)
{
    _cleanup_json_ json_t *secret = token_secret(c, ns, name);
    const char *token = jstr(body, "status.token");
    if (!secret || call->kind != &kind_serviceaccount)
        return;
    if (streq(call->method, "GET") && code == 404)
        delete_exactly(c, &kind_secret, ns, name, jstr(secret, "metadata.uid"), NULL, -1);
    if (streq(call->method, "POST") && code == 201 && token)
        fill_in(c, secret, token);
}

/* --- whom a change is for --- */

static void map_secret(struct controller *c, struct object *o)
{
    if (memmem(o->bytes, o->len, TOKEN_TYPE, strlen(TOKEN_TYPE)))
        controller_enqueue(c, o->ns, o->name);
}

static void enqueue_all(struct controller *c, const char *ns)
{
    struct informer *secrets = controller_informer(c, &kind_secret);
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(secrets, ns, &cursor));)
        map_secret(c, o);
}

static void map_account(struct controller *c, struct object *account)
{
    enqueue_all(c, account->ns);
}

static void map_config(struct controller *c, struct object *map)
{
    if (streq(map->name, ROOT_CA))
        enqueue_all(c, map->ns);
}

static const struct controller_watch watches[] = {
    {&kind_secret, map_secret}, {&kind_serviceaccount, map_account}, {&kind_configmap, map_config}, {NULL, NULL}};

const struct controller_def accountsecret_controller = {
    .name = "serviceaccount-token-controller",
    .watches = watches,
    .reconcile = reconcile,
    .answered = answered,
};
