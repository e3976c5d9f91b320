/* See clusterinfo.h. */
#include "node/clusterinfo.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "cert/cert.h"
#include "cert/jws.h"
#include "json/json.h"
#include "json/yaml.h"
#include "kinds/bootstraptoken.h"

/* The CA in a kubeconfig; NULL when there is none. The caller frees. */
static char *read_ca(const char *text)
{
    struct err err;
    size_t len;
    _cleanup_json_ json_t *config = yaml_parse(text, strlen(text), &err);
    const json_t *cluster = json_array_get(jget(config, "clusters"), 0);
    const char *coded = jstr(cluster, "cluster.certificate-authority-data");
    _cleanup_free_ char *bytes = coded ? base64_decode(coded, strlen(coded), &len) : NULL;
    return bytes ? xstrndup(bytes, len) : NULL;
}

static int check_signature(const json_t *data, const char *text, const char *token, bool *again, struct err *err)
{
    _cleanup_free_ char *id = xstrndup(token, BOOTSTRAP_ID_LEN), *key = xasprintf("jws-kubeconfig-%s", id);
    const char *signature = json_string_value(json_object_get(data, key));
    *again = !signature; /* a token that is just being made */
    if (!signature)
        return err_set(err, 0, "the cluster has no token \"%s\", or it has expired (`c8s token list` on the server)",
                       id);
    if (!jws_fits(signature, text, id, token + BOOTSTRAP_ID_LEN + 1))
        return err_set(err, 0,
                       "who answers has another secret for token \"%s\": the token is wrong, or it is another cluster, "
                       "or somebody in between",
                       id);
    return 0;
}

static int check_hash(const char *pem, const char *hash, struct err *err)
{
    char pin[CERT_PIN_SIZE];
    if (!cert_pin(pem, pin))
        return err_set(err, 0, "what the server calls its CA is no certificate");
    if (hash && !streq(pin, hash))
        return err_set(err, 0, "the server's CA is %s, not %s: it is another cluster, or somebody in between", pin,
                       hash);
    return 0;
}

char *clusterinfo_ca(const json_t *answer, const char *token, const char *hash, bool *again, struct err *err)
{
    const json_t *data = jget(answer, "data");
    const char *text = json_string_value(json_object_get(data, "kubeconfig"));
    _cleanup_free_ char *pem = text ? read_ca(text) : NULL;
    *again = !pem;
    if (!pem) {
        err_set(err, 0, "%s", jstr_or(answer, "message", "the answer is no cluster-info"));
        return NULL;
    }
    if ((!hash && check_signature(data, text, token, again, err) < 0) || check_hash(pem, hash, err) < 0)
        return NULL;
    return TAKE(pem);
}
