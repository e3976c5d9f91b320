/* See bootstrap_token.h. */
#include "server/bootstrap_token.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

#define GROUP "system:bootstrappers"
#define EXTRA_GROUPS_MAX 64 /* more than one token stands for */

static int check(const struct bootstrap_token *t, const char *secret, int64_t now_usec, struct err *err)
{
    if (strlen(t->secret) != BOOTSTRAP_SECRET_LEN || CRYPTO_memcmp(t->secret, secret, BOOTSTRAP_SECRET_LEN) != 0)
        return err_set(err, 0, "the bootstrap token is not known");
    if (bootstrap_token_expired(t, now_usec))
        return err_set(err, 0, "the bootstrap token has expired");
    if (!t->for_authentication)
        return err_set(err, 0, "the bootstrap token is not for authentication");
    return 0;
}

/* "system:bootstrappers:" and words, so that no token makes anybody's more than a newcomer. */
static bool is_extra_group(const char *group)
{
    const char *rest = str_after(group, GROUP ":");
    size_t len = rest ? strlen(rest) : 0;
    return len && len <= 256 && rest[strspn(rest, "abcdefghijklmnopqrstuvwxyz0123456789:-")] == '\0' &&
           rest[len - 1] != ':' && rest[len - 1] != '-';
}

static struct user *user_of(const struct bootstrap_token *t, struct err *err)
{
    _cleanup_free_ char **extra = t->groups && *t->groups ? str_split(t->groups, ',', NULL) : NULL;
    const char *groups[EXTRA_GROUPS_MAX + 2] = {GROUP};
    for (size_t n = 1; extra && extra[n - 1]; n++) {
        if (n > EXTRA_GROUPS_MAX || !is_extra_group(extra[n - 1])) {
            err_set(err, 0, "the bootstrap token is for groups that it cannot be for");
            return NULL;
        }
        groups[n] = extra[n - 1];
    }
    _cleanup_free_ char *user = xasprintf("system:bootstrap:%s", t->id);
    return user_new(user, groups);
}

struct user *bootstrap_token_user(const struct store *s, const char *token, int64_t now_usec, struct err *err)
{
    _cleanup_free_ char *name = xasprintf(BOOTSTRAP_TOKEN_PREFIX "%.*s", BOOTSTRAP_ID_LEN, token);
    const struct object *o = store_get(s, &kind_secret, BOOTSTRAP_TOKEN_NS, name);
    _cleanup_json_ json_t *secret = o ? object_json(o) : NULL;
    struct bootstrap_token t;
    struct user *user = NULL;
    if (!bootstrap_token_read(&t, secret))
        err_set(err, 0, "the bootstrap token is not known");
    else if (check(&t, token + BOOTSTRAP_ID_LEN + 1, now_usec, err) == 0)
        user = user_of(&t, err);
    bootstrap_token_done(&t);
    return user;
}
