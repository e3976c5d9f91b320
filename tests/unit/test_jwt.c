/* server/jwt, account_token: what is signed is read back; everything else is refused with a reason. */
#include <string.h>

#include "base/str.h"
#include "server/account_token.h"
#include "cert/cert.h"
#include "server/jwt.h"
#include "t.h"

#define ISSUER "https://issuer"
#define NOW 1000

static EVP_PKEY *key, *other_key;
static char *key_id;

/* --- base64url --- */

TEST(base64url)
{
    static const struct {
        const char *plain, *coded;
    } cases[] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"\xfb\xff\xfe", "-__-"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len;
        _cleanup_free_ char *coded = base64url_encode(cases[i].plain, strlen(cases[i].plain));
        _cleanup_free_ char *plain = base64url_decode(cases[i].coded, strlen(cases[i].coded), &len);
        T_STR(coded, cases[i].coded);
        T_STR(plain, cases[i].plain);
    }
    static const char *const wrong[] = {"Z", "Zg==", "Zh", "Zm9+", "Zm/v", "Zm 9", "Zm9v=", "Zm\n"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        size_t len;
        _cleanup_free_ char *plain = base64url_decode(wrong[i], strlen(wrong[i]), &len);
        T_TRUE(!plain);
    }
}

/* --- tokens --- */

static char *sign(EVP_PKEY *with, const char *id)
{
    _cleanup_json_ json_t *claims = json_pack("{s:s, s:i}", "sub", "somebody", "exp", 7);
    return jwt_sign(with, id, claims);
}

static void check_refused(const char *token, const char *want)
{
    struct err err = {0};
    _cleanup_json_ json_t *claims = jwt_verify(key, key_id, token, strlen(token), &err);
    T_TRUE(!claims);
    if (!strstr(err.msg, want))
        T_FAIL("%.60s: refused because %s, not because %s", token, err.msg, want);
}

TEST(what_is_signed_is_read_back)
{
    struct err err;
    _cleanup_free_ char *token = sign(key, key_id);
    _cleanup_json_ json_t *claims = jwt_verify(key, key_id, token, strlen(token), &err);
    T_JSON(claims, "{\"sub\":\"somebody\",\"exp\":7}");
}

TEST(a_changed_token_is_refused)
{
    _cleanup_free_ char *token = sign(key, key_id);
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) { /* every single character */
        struct err err;
        _cleanup_free_ char *changed = xstrdup(token);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        _cleanup_json_ json_t *claims = jwt_verify(key, key_id, changed, len, &err);
        if (claims)
            T_FAIL("character %zu may be changed", i);
    }
    for (size_t n = 0; n < len; n++) { /* every cut */
        struct err err;
        _cleanup_json_ json_t *claims = jwt_verify(key, key_id, token, n, &err);
        if (claims)
            T_FAIL("the first %zu characters are taken", n);
    }
}

/* Header and payload as given, signed properly. */
static char *with_header(const char *header)
{
    _cleanup_free_ char *proper = sign(key, key_id), *coded = base64url_encode(header, strlen(header));
    return xasprintf("%s%s", coded, strchr(proper, '.'));
}

TEST(only_our_own_header_is_taken)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\"}", "{\"alg\":\"HS256\",\"kid\":\"x\"}", "{\"alg\":\"ES256\"}", "{\"alg\":[\"ES256\"]}", "{}",
    };
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        _cleanup_free_ char *token = with_header(headers[i]);
        check_refused(token, "signature is invalid");
    }
    _cleanup_free_ char *not_json = with_header("nothing"), *array = with_header("[]");
    check_refused(not_json, "the token's header");
    check_refused(array, "the token's header is no JSON object");
    _cleanup_free_ char *foreign = sign(other_key, key_id), *foreign_id = sign(key, "other");
    check_refused(foreign, "signature is invalid");
    check_refused(foreign_id, "signature is invalid");
}

TEST(what_is_no_token)
{
    check_refused("", "three parts");
    check_refused(".", "three parts");
    check_refused("a.b", "three parts");
    check_refused("..", "the token's header");
    check_refused("e30.e30.", "signature is invalid");
    _cleanup_free_ char *token = sign(key, key_id), *four = xasprintf("%s.x", token);
    check_refused(four, "signature is invalid");
    _cleanup_free_ char *endless = xmalloc(JWT_MAX + 2);
    memset(endless, 'A', JWT_MAX + 1);
    endless[JWT_MAX + 1] = '\0';
    check_refused(endless, "too long");
}

TEST(the_public_key)
{
    _cleanup_json_ json_t *jwk = jwt_public_key(key);
    T_STR(jstr(jwk, "kty"), "EC");
    T_STR(jstr(jwk, "kid"), key_id);
    T_INT(strlen(jstr_or(jwk, "x", "")), 43);
    T_INT(strlen(jstr_or(jwk, "y", "")), 43);
    _cleanup_free_ char *pem = key_pem(key);
    EVP_PKEY *again = key_parse(pem);
    _cleanup_free_ char *id = jwt_key_id(again);
    T_STR(id, key_id);
    EVP_PKEY_free(again);
    T_TRUE(!key_parse("no key"));
}

/* --- claims --- */

static json_t *some_claims(void)
{
    _cleanup_json_ json_t *audiences = json_pack("[s, s]", ISSUER, "vault");
    const struct account_token t = {.ns = "ns",
                                    .name = "sa",
                                    .uid = "u1",
                                    .pod = "p",
                                    .pod_uid = "u2",
                                    .node = "n",
                                    .node_uid = "u3",
                                    .id = "j",
                                    .issued = NOW,
                                    .expires = NOW + 600,
                                    .audiences = audiences};
    return account_claims(&t, ISSUER);
}

TEST(claims_are_upstreams)
{
    _cleanup_json_ json_t *claims = some_claims();
    T_JSON(claims, "{\"aud\":[\"https://issuer\",\"vault\"],\"exp\":1600,\"iat\":1000,\"iss\":\"https://issuer\","
                   "\"jti\":\"j\",\"kubernetes.io\":{\"namespace\":\"ns\",\"node\":{\"name\":\"n\",\"uid\":\"u3\"},"
                   "\"pod\":{\"name\":\"p\",\"uid\":\"u2\"},\"serviceaccount\":{\"name\":\"sa\",\"uid\":\"u1\"}},"
                   "\"nbf\":1000,\"sub\":\"system:serviceaccount:ns:sa\"}");
    struct account_token t;
    struct err err;
    T_INT(account_claims_read(&t, claims, ISSUER, NOW - 7200, &err), 0); /* the clock was set back */
    T_INT(account_claims_read(&t, claims, ISSUER, NOW, &err), 0);
    T_STR(t.ns, "ns");
    T_STR(t.name, "sa");
    T_STR(t.pod_uid, "u2");
    T_STR(t.node, "n");
    T_INT(t.expires, NOW + 600);
}

TEST(claims_that_do_not_hold)
{
    static const struct {
        const char *path;
        const char *value; /* JSON; NULL: taken away */
        int64_t now;
        const char *want;
    } cases[] = {
        {"iss", "\"other\"", NOW, "not from this issuer"},
        {"iss", NULL, NOW, "not from this issuer"},
        {"jti", NULL, NOW + 600, "expired"},
        {"exp", "\"9999\"", NOW, "expired"},
        {"exp", NULL, NOW, "expired"},
        {"jti", NULL, NOW - 86401, "not valid yet"},
        {"nbf", NULL, NOW, "not valid yet"},
        {"sub", "\"system:serviceaccount:ns:other\"", NOW, "names no service account"},
        {"sub", "7", NOW, "names no service account"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct account_token t;
        struct err err = {0};
        _cleanup_json_ json_t *claims = some_claims();
        jset(claims, cases[i].path, cases[i].value ? json_loads(cases[i].value, JSON_DECODE_ANY, NULL) : NULL);
        T_INT(account_claims_read(&t, claims, ISSUER, cases[i].now, &err), -1);
        if (!strstr(err.msg, cases[i].want))
            T_FAIL("%s: %s", cases[i].path, err.msg);
    }
    static const char *const about[] = {"{}", "[]", "{\"namespace\":\"ns\",\"serviceaccount\":{\"name\":\"sa\"}}",
                                        ("{\"namespace\":\"ns\",\"serviceaccount\":{\"name\":\"sa\",\"uid\":\"u\"},"
                                         "\"pod\":{\"name\":\"p\"}}")};
    for (size_t i = 0; i < ARRAY_LEN(about); i++) {
        struct account_token t;
        struct err err = {0};
        _cleanup_json_ json_t *claims = some_claims();
        json_object_set_new(claims, "kubernetes.io", json_loads(about[i], 0, NULL));
        T_INT(account_claims_read(&t, claims, ISSUER, NOW, &err), -1);
    }
}

TEST(audiences)
{
    _cleanup_json_ json_t *claims = some_claims(), *vault = json_pack("[s, s]", "other", "vault");
    _cleanup_json_ json_t *others = json_pack("[s, i]", "other", 7);
    struct account_token t;
    struct err err;
    T_INT(account_claims_read(&t, claims, ISSUER, NOW, &err), 0);
    T_TRUE(account_audience_fits(&t, NULL, ISSUER, NULL));
    T_TRUE(!account_audience_fits(&t, NULL, "https://somebody", NULL));
    _cleanup_json_ json_t *fitting = json_array();
    T_TRUE(account_audience_fits(&t, vault, ISSUER, fitting));
    T_JSON(fitting, "[\"vault\"]");
    T_TRUE(!account_audience_fits(&t, others, ISSUER, NULL));
}

int main(void)
{
    key = key_make();
    other_key = key_make();
    key_id = jwt_key_id(key);
    RUN(base64url);
    RUN(what_is_signed_is_read_back);
    RUN(a_changed_token_is_refused);
    RUN(only_our_own_header_is_taken);
    RUN(what_is_no_token);
    RUN(the_public_key);
    RUN(claims_are_upstreams);
    RUN(claims_that_do_not_hold);
    RUN(audiences);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    free(key_id);
    return DONE();
}
