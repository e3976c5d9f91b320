/* node, the pure part of joining: whose word for the cluster's CA is taken, and signatures as upstream's. */
#include "base/str.h"
#include "cert/cert.h"
#include "cert/jws.h"
#include "node/clusterinfo.h"
#include "doc.h"

#define TOKEN "abcdef.0123456789abcdef"

TEST(signatures_are_those_of_other_implementations)
{
    _cleanup_free_ char *jws = jws_sign("Hello from the other side.", "joshua", "my voice is my passport");
    T_STR(jws, "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..mDOZbAS_S3a5hnY1_9lsmIatW0hvahl3o6xo726oab8");
    T_TRUE(jws_fits(jws, "Hello from the other side.", "joshua", "my voice is my passport"));
    T_TRUE(!jws_fits(jws, "Hello from the other side!", "joshua", "my voice is my passport"));
    T_TRUE(!jws_fits(jws, "Hello from the other side.", "joshua", "my voice is my passpor"));
    T_TRUE(!jws_fits("", "", "joshua", ""));
}

static char *make_ca(void)
{
    const struct cert_spec spec = {.common_name = "kubernetes", .ca = true, .days = 1};
    struct keypair pair;
    keypair_make(&pair, &spec, NULL, time(NULL));
    char *pem = keypair_cert_pem(&pair);
    keypair_done(&pair);
    return pem;
}

static json_t *info(const char *pem, const char *id, const char *secret)
{
    _cleanup_free_ char *coded = base64_encode(pem, strlen(pem));
    _cleanup_free_ char *text = xasprintf(
        "clusters:\n- cluster:\n    certificate-authority-data: %s\n    server: https://192.0.2.1:6443\n", coded);
    _cleanup_free_ char *key = xasprintf("jws-kubeconfig-%s", id), *jws = jws_sign(text, id, secret);
    return json_pack("{s:{s:s, s:s}}", "data", "kubeconfig", text, key, jws);
}

TEST(the_ca_is_believed_by_hash_or_by_signature)
{
    char pin[CERT_PIN_SIZE];
    _cleanup_free_ char *pem = make_ca(), *other = make_ca();
    cert_pin(pem, pin);
    const struct {
        const char *pem, *id, *secret, *hash;
        const char *why; /* how the complaint begins; NULL: believed */
        bool again;
    } cases[] = {
        {pem, "abcdef", "0123456789abcdef", NULL, NULL, false},
        {pem, "abcdef", "0123456789abcdef", pin, NULL, false},
        {pem, "zzzzzz", "0123456789abcdef", pin, NULL, false},
        {pem, "zzzzzz", "0123456789abcdef", NULL, "the cluster has no token \"abcdef\"", true},
        {pem, "abcdef", "0123456789abcdee", NULL, "who answers has another secret", false},
        {other, "abcdef", "0123456789abcdef", pin, "the server's CA is sha256:", false},
        {"no certificate", "abcdef", "0123456789abcdef", NULL, "what the server calls its CA", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err;
        bool again = true;
        _cleanup_json_ json_t *doc = info(cases[i].pem, cases[i].id, cases[i].secret);
        _cleanup_free_ char *ca = clusterinfo_ca(doc, TOKEN, cases[i].hash, &again, &err);
        T_INT(ca != NULL, cases[i].why == NULL);
        T_INT(again, cases[i].again);
        if (cases[i].why && !str_after(err.msg, cases[i].why))
            T_FAIL("%zu: %s", i, err.msg);
    }
    struct err err;
    bool again = false;
    _cleanup_json_ json_t *refused = t_doc("{'kind':'Status','message':'not yet'}");
    T_TRUE(!clusterinfo_ca(refused, TOKEN, NULL, &again, &err) && again);
    T_STR(err.msg, "not yet");
}

int main(void)
{
    RUN(signatures_are_those_of_other_implementations);
    RUN(the_ca_is_believed_by_hash_or_by_signature);
    return DONE();
}
