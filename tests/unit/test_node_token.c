/* node: which tokens a pod's volumes want, how long one serves, and what becomes of a failure. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "node/token.h"
#include "t.h"

#define SECOND 1000000LL
#define NOW (1700000000 * SECOND)

static void count(void *arg, const json_t *source)
{
    (void)source;
    ++*(int *)arg;
}

TEST(what_a_pod_wants)
{
    _cleanup_json_ json_t *pod = json_loads(
        "{\"metadata\":{\"name\":\"p\",\"uid\":\"u\"},\"spec\":{\"volumes\":[{\"name\":\"a\"},{\"name\":\"b\","
        "\"projected\":{\"sources\":[{\"serviceAccountToken\":{\"expirationSeconds\":3607}},{\"configMap\":"
        "{}},{\"serviceAccountToken\":{\"audience\":\"vault\",\"expirationSeconds\":600}}]}}]}}",
        0, NULL);
    int n = 0;
    tokens_each(pod, count, &n);
    T_INT(n, 2);
    const json_t *sources = jget(json_array_get(jget(pod, "spec.volumes"), 1), "projected.sources");
    const json_t *plain = jget(json_array_get(sources, 0), "serviceAccountToken");
    const json_t *vault = jget(json_array_get(sources, 2), "serviceAccountToken");
    _cleanup_free_ char *plain_key = token_key(plain), *vault_key = token_key(vault);
    T_STR(plain_key, "token/3607/");
    T_STR(vault_key, "token/600/vault");
    _cleanup_json_ json_t *request = token_request(pod, vault);
    T_JSON(request,
           "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\",\"spec\":{\"audiences\":["
           "\"vault\"],\"boundObjectRef\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"p\",\"uid\":\"u\"},"
           "\"expirationSeconds\":600}}");
    _cleanup_json_ json_t *without = token_request(pod, plain);
    T_TRUE(!jhas(without, "spec.audiences"));
}

static json_t *answer(int64_t life_seconds)
{
    char expires[TIME_TEXT_SIZE];
    time_format(NOW + life_seconds * SECOND, expires);
    return json_pack("{s:{s:s, s:s}}", "status", "token", "secret", "expirationTimestamp", expires);
}

TEST(a_token_serves_most_of_its_life)
{
    static const struct {
        int64_t life, serves; /* seconds */
    } cases[] = {{600, 480}, {3600, 2880}, {108000, 86400}, {1LL << 32, 86400}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_json_ json_t *refs = json_object(), *body = answer(cases[i].life);
        T_TRUE(!token_is_fresh(refs, "k", NOW));
        token_keep(refs, "k", 201, body, NOW);
        T_TRUE(token_is_fresh(refs, "k", NOW + (cases[i].serves - 1) * SECOND));
        T_TRUE(!token_is_fresh(refs, "k", NOW + cases[i].serves * SECOND));
    }
}

TEST(a_failure_leaves_what_is_there)
{
    struct err err;
    _cleanup_json_ json_t *refs = json_object(), *body = answer(600), *source = json_object();
    _cleanup_json_ json_t *status = json_pack("{s:s}", "message", "serviceaccounts \"x\" not found");
    _cleanup_free_ char *key = token_key(source);
    T_TRUE(!token_text(refs, source, &err));
    token_keep(refs, key, 404, status, NOW);
    T_TRUE(!token_text(refs, source, &err));
    T_STR(err.msg, "failed to fetch token: serviceaccounts \"x\" not found");
    token_keep(refs, key, 201, body, NOW);
    T_STR(token_text(refs, source, &err), "secret");
    token_keep(refs, key, 0, NULL, NOW + 500 * SECOND);
    T_STR(token_text(refs, source, &err), "secret");
    T_TRUE(!token_is_fresh(refs, key, NOW + 500 * SECOND));
}

int main(void)
{
    RUN(what_a_pod_wants);
    RUN(a_token_serves_most_of_its_life);
    RUN(a_failure_leaves_what_is_there);
    return DONE();
}
