/* See account_token.h. */
#include "server/account_token.h"

#include <string.h>

#include "base/str.h"

/* Nobody signs for the future: a token that is not valid yet says that our clock was set back after it was issued. So
 * much of that is borne, or every pod would be locked out; upstream bears a minute. */
#define CLOCK_SET_BACK_SECONDS 86400

static json_t *named(const char *name, const char *uid)
{
    return json_pack("{s:s, s:s}", "name", name, "uid", uid);
}

json_t *account_claims(const struct account_token *t, const char *issuer)
{
    _cleanup_free_ char *subject = xasprintf(ACCOUNT_USER_PREFIX "%s:%s", t->ns, t->name);
    json_t *about = json_pack("{s:s}", "namespace", t->ns);
    if (t->node)
        json_object_set_new(about, "node", named(t->node, t->node_uid));
    if (t->pod)
        json_object_set_new(about, "pod", named(t->pod, t->pod_uid));
    if (t->secret)
        json_object_set_new(about, "secret", named(t->secret, t->secret_uid));
    json_object_set_new(about, "serviceaccount", named(t->name, t->uid));
    return json_pack("{s:O, s:I, s:I, s:s, s:s, s:o, s:I, s:s}", "aud", t->audiences, "exp", (json_int_t)t->expires,
                     "iat", (json_int_t)t->issued, "iss", issuer, "jti", t->id, "kubernetes.io", about, "nbf",
                     (json_int_t)t->issued, "sub", subject);
}

/* The member "kubernetes.io": its name has a dot, so no path leads to it. */
static void read_about(struct account_token *ret, const json_t *claims)
{
    const json_t *about = json_object_get(claims, "kubernetes.io");
    *ret = (struct account_token){
        .ns = jstr(about, "namespace"),
        .name = jstr(about, "serviceaccount.name"),
        .uid = jstr(about, "serviceaccount.uid"),
        .pod = jstr(about, "pod.name"),
        .pod_uid = jstr(about, "pod.uid"),
        .secret = jstr(about, "secret.name"),
        .secret_uid = jstr(about, "secret.uid"),
        .node = jstr(about, "node.name"),
        .node_uid = jstr(about, "node.uid"),
        .id = jstr(claims, "jti"),
        .issued = jint(claims, "iat", 0),
        .expires = jint(claims, "exp", 0),
        .audiences = jget(claims, "aud"),
    };
}

static bool subject_fits(const struct account_token *t, const char *subject)
{
    _cleanup_free_ char *want = xasprintf(ACCOUNT_USER_PREFIX "%s:%s", t->ns, t->name);
    return streq(subject, want);
}

int account_claims_read(struct account_token *ret, const json_t *claims, const char *issuer, int64_t now,
                        struct err *err)
{
    read_about(ret, claims);
    if (!streq(jstr_or(claims, "iss", ""), issuer))
        return err_set(err, 0, "the token is not from this issuer");
    if (ret->expires <= now)
        return err_set(err, 0, "service account token has expired");
    if (jint(claims, "nbf", INT64_MAX) > now + CLOCK_SET_BACK_SECONDS)
        return err_set(err, 0, "service account token is not valid yet");
    if (!ret->ns || !ret->name || !ret->uid || (ret->pod && !ret->pod_uid) || (ret->secret && !ret->secret_uid) ||
        !subject_fits(ret, jstr_or(claims, "sub", "")))
        return err_set(err, 0, "the token names no service account");
    return 0;
}

static bool contains(const json_t *texts, const char *text)
{
    size_t i;
    const json_t *t;
    json_array_foreach(texts, i, t)
        if (json_is_string(t) && streq(json_string_value(t), text))
            return true;
    return false;
}

bool account_audience_fits(const struct account_token *t, const json_t *audiences, const char *issuer, json_t *fitting)
{
    _cleanup_json_ json_t *own = json_pack("[s]", issuer);
    const json_t *asked = json_array_size(audiences) ? audiences : own;
    bool any = false;
    size_t i;
    json_t *a;
    json_array_foreach(asked, i, a) {
        if (!json_is_string(a) || !contains(t->audiences, json_string_value(a)))
            continue;
        any = true;
        if (fitting)
            json_array_append(fitting, a);
    }
    return any;
}
