/* See token.h. */
#include "node/token.h"

#include "base/clock.h"
#include "base/str.h"

#define REFRESH_PERCENT 80                   /* of its life, as kubelet */
#define REFRESH_MAX_USEC (86400 * 1000000LL) /* or after a day, whichever is sooner */

void tokens_each(const json_t *pod, void (*visit)(void *arg, const json_t *source), void *arg)
{
    size_t v, i;
    const json_t *volume, *source, *token;
    json_array_foreach(jget(pod, "spec.volumes"), v, volume)
        json_array_foreach(jget(volume, "projected.sources"), i, source)
            if ((token = jget(source, "serviceAccountToken")))
                visit(arg, token);
}

char *token_key(const json_t *source)
{
    return xasprintf("token/%lld/%s", (long long)jint(source, "expirationSeconds", 3600),
                     jstr_or(source, "audience", ""));
}

json_t *token_request(const json_t *pod, const json_t *source)
{
    const char *audience = jstr_or(source, "audience", "");
    json_t *spec =
        json_pack("{s:I, s:{s:s, s:s, s:s, s:s}}", "expirationSeconds",
                  (json_int_t)jint(source, "expirationSeconds", 3600), "boundObjectRef", "kind", "Pod", "apiVersion",
                  "v1", "name", jstr_or(pod, "metadata.name", ""), "uid", jstr_or(pod, "metadata.uid", ""));
    if (*audience)
        json_object_set_new(spec, "audiences", json_pack("[s]", audience));
    return json_pack("{s:s, s:s, s:o}", "apiVersion", "authentication.k8s.io/v1", "kind", "TokenRequest", "spec", spec);
}

void token_keep(json_t *refs, const char *key, int code, const json_t *body, int64_t now_usec)
{
    const char *token = jstr(body, "status.token");
    int64_t expires;
    if (code == 201 && token && time_parse(jstr_or(body, "status.expirationTimestamp", ""), &expires)) {
        int64_t serves = (expires - now_usec) / 100 * REFRESH_PERCENT;
        serves = serves < REFRESH_MAX_USEC ? serves : REFRESH_MAX_USEC;
        json_object_set_new(refs, key,
                            json_pack("{s:s, s:I}", "token", token, "refresh", (json_int_t)(now_usec + serves)));
    } else if (!jstr(json_object_get(refs, key), "token")) {
        json_object_set_new(refs, key, json_pack("{s:s}", "error", jstr_or(body, "message", "no answer")));
    }
}

bool token_is_fresh(const json_t *refs, const char *key, int64_t now_usec)
{
    return now_usec < jint(json_object_get(refs, key), "refresh", 0);
}

const char *token_text(const json_t *refs, const json_t *source, struct err *err)
{
    _cleanup_free_ char *key = token_key(source);
    const json_t *kept = json_object_get(refs, key);
    const char *token = jstr(kept, "token");
    if (!token)
        err_set(err, 0, "failed to fetch token: %s", jstr_or(kept, "error", "not asked for yet"));
    return token;
}
