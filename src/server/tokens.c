/* See tokens.h. */
#define LOG_AREA "server"
#include "server/tokens.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "http/http.h"
#include "server/bootstrap_token.h"
#include "cert/cert.h"
#include "server/jwt.h"
#include "server/pipeline.h"

#define KEY_FILE_MAX 65536           /* bytes: a key has a few hundred */
#define DELETED_LEEWAY_USEC 60000000 /* as upstream: a pod that is being deleted may still say good-bye */

struct tokens {
    EVP_PKEY *key;
    char *key_id, *issuer;
};

struct tokens *tokens_new(const char *key_path, const char *cluster_domain, struct err *err)
{
    _cleanup_free_ char *pem = key_path ? file_read(key_path, KEY_FILE_MAX, NULL, err) : NULL;
    if (key_path && !pem)
        return NULL;
    EVP_PKEY *key = pem ? key_parse(pem) : key_make();
    if (!key) {
        err_set(err, 0, "%s is no private key on the curve P-256", key_path);
        return NULL;
    }
    struct tokens *t = NEW(struct tokens);
    *t = (struct tokens){key, jwt_key_id(key), xasprintf("https://kubernetes.default.svc.%s", cluster_domain)};
    return t;
}

void tokens_free(struct tokens *t)
{
    if (!t)
        return;
    EVP_PKEY_free(t->key);
    free(t->key_id);
    free(t->issuer);
    free(t);
}

const char *tokens_issuer(const struct tokens *t)
{
    return t->issuer;
}

json_t *tokens_public_keys(const struct tokens *t)
{
    return json_pack("{s:[o]}", "keys", jwt_public_key(t->key));
}

char *tokens_issue(const struct tokens *t, const struct account_token *what)
{
    _cleanup_json_ json_t *claims = account_claims(what, t->issuer);
    return jwt_sign(t->key, t->key_id, claims);
}

/* --- recognising --- */

/* The very object, and not on its way out for longer than the leeway. */
static int check_exists(const struct server *s, const struct kind *k, const char *ns, const char *name, const char *uid,
                        struct err *err)
{
    const struct object *o = store_latest(s->store, k, ns, name);
    if (!o || !streq(o->uid, uid))
        return err_set(err, 0, "%s \"%s\" of the token is gone", k->singular, name);
    _cleanup_json_ json_t *doc = object_json(o);
    const char *deleted = jstr(doc, "metadata.deletionTimestamp");
    int64_t at;
    if (deleted && time_parse(deleted, &at) && at + DELETED_LEEWAY_USEC < clock_wall_usec())
        return err_set(err, 0, "%s \"%s\" of the token has been deleted", k->singular, name);
    return 0;
}

static void add_extra(json_t *extra, const char *key, const char *value)
{
    if (value)
        json_object_set_new(extra, key, json_pack("[s]", value));
}

static struct user *user_of(const struct account_token *t)
{
    _cleanup_free_ char *name = xasprintf(ACCOUNT_USER_PREFIX "%s:%s", t->ns, t->name);
    _cleanup_free_ char *group = xasprintf("system:serviceaccounts:%s", t->ns);
    _cleanup_free_ char *id = t->id ? xasprintf("JTI=%s", t->id) : NULL;
    struct user *u = user_new(name, (const char *const[]){"system:serviceaccounts", group, NULL});
    u->uid = xstrdup(t->uid);
    u->extra = json_object();
    add_extra(u->extra, "authentication.kubernetes.io/credential-id", id);
    add_extra(u->extra, "authentication.kubernetes.io/node-name", t->node);
    add_extra(u->extra, "authentication.kubernetes.io/node-uid", t->node_uid);
    add_extra(u->extra, "authentication.kubernetes.io/pod-name", t->pod);
    add_extra(u->extra, "authentication.kubernetes.io/pod-uid", t->pod_uid);
    return u;
}

struct user *tokens_user(struct server *s, const char *token, size_t len, const json_t *audiences, json_t *fitting,
                         struct err *err)
{
    const struct tokens *t = s->tokens;
    struct account_token who;
    if (bootstrap_token_is(token, len) && !json_array_size(audiences))
        return bootstrap_token_user(s->store, token, clock_wall_usec(), err);
    _cleanup_json_ json_t *claims = jwt_verify(t->key, t->key_id, token, len, err);
    if (!claims || account_claims_read(&who, claims, t->issuer, clock_wall_usec() / 1000000, err) < 0)
        return NULL;
    if (!account_audience_fits(&who, audiences, t->issuer, fitting)) {
        err_set(err, 0, "the token is not meant for this audience");
        return NULL;
    }
    if (check_exists(s, &kind_serviceaccount, who.ns, who.name, who.uid, err) < 0 ||
        (who.pod && check_exists(s, &kind_pod, who.ns, who.pod, who.pod_uid, err) < 0) ||
        (who.secret && check_exists(s, &kind_secret, who.ns, who.secret, who.secret_uid, err) < 0))
        return NULL;
    return user_of(&who);
}

/* What follows "Bearer", or NULL. */
static const char *bearer(const struct http_exchange *x, size_t *ret_len)
{
    const char *header = http_get_header(x, "Authorization");
    if (!header || strncasecmp(header, "bearer ", strlen("bearer ")) != 0)
        return NULL;
    header += strlen("bearer ");
    *ret_len = strcspn(header, " ");
    return *ret_len ? header : NULL;
}

struct user *authenticate(struct server *s, const struct http_exchange *x)
{
    size_t len;
    struct err err;
    X509 *cert = http_peer_cert(x);
    const char *token = cert ? NULL : bearer(x, &len);
    if (!token)
        return user_from_cert(cert);
    struct user *u = tokens_user(s, token, len, NULL, NULL, &err);
    if (!u)
        log_debug("a token from %s is refused: %s", http_peer_ip(x), err.msg);
    return u;
}
