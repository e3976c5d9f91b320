/* See bootstrap_token.h. */
#include "server/bootstrap_token.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

#define ID_LEN 6
#define SECRET_LEN 16
#define TYPE "bootstrap.kubernetes.io/token"
#define GROUP "system:bootstrappers"
#define EXTRA_GROUPS_MAX 64 /* more than one token stands for */

static bool is_word(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= '0' && s[i] <= '9'))
            return false;
    return true;
}

bool bootstrap_token_is(const char *token, size_t len)
{
    return len == ID_LEN + 1 + SECRET_LEN && token[ID_LEN] == '.' && is_word(token, ID_LEN) &&
           is_word(token + ID_LEN + 1, SECRET_LEN);
}

/* A value of the Secret as text; NULL when it is missing or none. The caller frees. */
static char *value_of(const json_t *secret, const char *key)
{
    const char *encoded = json_string_value(json_object_get(jget(secret, "data"), key));
    size_t len;
    _cleanup_free_ char *bytes = encoded ? base64_decode(encoded, strlen(encoded), &len) : NULL;
    return bytes && !memchr(bytes, '\0', len) ? xstrndup(bytes, len) : NULL;
}

static bool value_is(const json_t *secret, const char *key, const char *want, size_t want_len)
{
    _cleanup_free_ char *value = value_of(secret, key);
    return value && strlen(value) == want_len && CRYPTO_memcmp(value, want, want_len) == 0;
}

static int check(const json_t *secret, const char *token, int64_t now_usec, struct err *err)
{
    _cleanup_free_ char *expiration = value_of(secret, "expiration");
    int64_t end;
    if (!streq(jstr_or(secret, "type", ""), TYPE) || jget(secret, "metadata.deletionTimestamp") ||
        !value_is(secret, "token-id", token, ID_LEN) ||
        !value_is(secret, "token-secret", token + ID_LEN + 1, SECRET_LEN))
        return err_set(err, 0, "the bootstrap token is not known");
    if (expiration && (!time_parse(expiration, &end) || end <= now_usec))
        return err_set(err, 0, "the bootstrap token has expired");
    if (!value_is(secret, "usage-bootstrap-authentication", "true", strlen("true")))
        return err_set(err, 0, "the bootstrap token is not for authentication");
    return 0;
}

/* "system:bootstrappers:" and words, so that no token makes anybody's more than a newcomer. */
static bool is_extra_group(const char *group)
{
    const char *rest = str_after(group, GROUP ":");
    size_t len = rest ? strlen(rest) : 0;
    return len && len <= 256 && rest[strspn(rest, "abcdefghijklmnopqrstuvwxyz0123456789:-")] == '\0' &&
           is_word(rest + len - 1, 1);
}

struct user *bootstrap_token_user(const struct store *s, const char *token, int64_t now_usec, struct err *err)
{
    _cleanup_free_ char *name = xasprintf("bootstrap-token-%.*s", ID_LEN, token);
    const struct object *o = store_get(s, &kind_secret, "kube-system", name);
    _cleanup_json_ json_t *secret = o ? object_json(o) : NULL;
    if (check(secret, token, now_usec, err) < 0)
        return NULL;
    _cleanup_free_ char *text = value_of(secret, "auth-extra-groups");
    _cleanup_free_ char **extra = text && *text ? str_split(text, ',', NULL) : NULL;
    const char *groups[EXTRA_GROUPS_MAX + 2] = {GROUP};
    for (size_t n = 1; extra && extra[n - 1]; n++) {
        if (n > EXTRA_GROUPS_MAX || !is_extra_group(extra[n - 1])) {
            err_set(err, 0, "the bootstrap token is for groups that it cannot be for");
            return NULL;
        }
        groups[n] = extra[n - 1];
    }
    _cleanup_free_ char *user = xasprintf("system:bootstrap:%.*s", ID_LEN, token);
    return user_new(user, groups);
}
