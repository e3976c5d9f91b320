/* See bootstraptoken.h. */
#include "kinds/bootstraptoken.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"

static bool is_word(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= '0' && s[i] <= '9'))
            return false;
    return true;
}

bool bootstrap_token_is(const char *token, size_t len)
{
    return len == BOOTSTRAP_ID_LEN + 1 + BOOTSTRAP_SECRET_LEN && token[BOOTSTRAP_ID_LEN] == '.' &&
           is_word(token, BOOTSTRAP_ID_LEN) && is_word(token + BOOTSTRAP_ID_LEN + 1, BOOTSTRAP_SECRET_LEN);
}

/* A value as text; NULL when it is missing or none. The caller frees. */
static char *value_of(const json_t *secret, const char *key)
{
    const char *encoded = json_string_value(json_object_get(jget(secret, "data"), key));
    size_t len = 0;
    _cleanup_free_ char *bytes = encoded ? base64_decode(encoded, strlen(encoded), &len) : NULL;
    return bytes && !memchr(bytes, '\0', len) ? xstrndup(bytes, len) : NULL;
}

static bool is_true(const json_t *secret, const char *key)
{
    _cleanup_free_ char *value = value_of(secret, key);
    return streq_or_null(value, "true");
}

bool bootstrap_token_read(struct bootstrap_token *ret, const json_t *secret)
{
    _cleanup_free_ char *expiration = value_of(secret, "expiration");
    *ret = (struct bootstrap_token){.id = value_of(secret, "token-id"),
                                    .secret = value_of(secret, "token-secret"),
                                    .groups = value_of(secret, "auth-extra-groups"),
                                    .description = value_of(secret, "description"),
                                    .for_authentication = is_true(secret, "usage-bootstrap-authentication"),
                                    .for_signing = is_true(secret, "usage-bootstrap-signing"),
                                    .expires = expiration && *expiration};
    if (ret->expires && !time_parse(expiration, &ret->end_usec))
        ret->end_usec = 0;
    const char *id = str_after(jstr_or(secret, "metadata.name", ""), BOOTSTRAP_TOKEN_PREFIX);
    return streq(jstr_or(secret, "type", ""), BOOTSTRAP_TOKEN_TYPE) && id && ret->id && streq(ret->id, id) &&
           ret->secret && *ret->secret && !jget(secret, "metadata.deletionTimestamp");
}

void bootstrap_token_done(struct bootstrap_token *t)
{
    char *const texts[] = {t->id, t->secret, t->groups, t->description};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
}

bool bootstrap_token_expired(const struct bootstrap_token *t, int64_t now_usec)
{
    return t->expires && t->end_usec <= now_usec;
}
