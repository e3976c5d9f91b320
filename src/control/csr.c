/* See csr.h. Rules: https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests (Kubernetes
 * signers); pkg/apis/certificates/helpers.go. */
#include "control/csr.h"

#include <string.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/csr.h"

struct cert_request *csr_request(const json_t *csr)
{
    const char *coded = jstr_or(csr, "spec.request", "");
    struct err ignored;
    size_t len;
    _cleanup_free_ char *pem = base64_decode(coded, strlen(coded), &len);
    return pem ? cert_request_parse(pem, len, &ignored) : NULL;
}

static const struct signer {
    const char *name, *auth; /* the usage that must be asked for */
    bool node;               /* subject and names must be those of a node */
} signers[] = {
    {CSR_SIGNER_CLIENT, "client auth", false},
    {CSR_SIGNER_NODE_CLIENT, "client auth", true},
    {CSR_SIGNER_NODE_SERVING, "server auth", true},
};

static int check_usages(const json_t *csr, const struct signer *s, struct err *err)
{
    bool signature = false, auth = false;
    size_t i;
    const json_t *usage;
    json_array_foreach(jget(csr, "spec.usages"), i, usage) {
        const char *text = str_or(json_string_value(usage), "");
        signature |= streq(text, "digital signature");
        auth |= streq(text, s->auth);
        if (!streq(text, "digital signature") && !streq(text, "key encipherment") && !streq(text, s->auth))
            return err_set(err, 0, "usages did not match: \"%s\" is not signed by %s", text, s->name);
    }
    if (!auth || (s->node && !signature))
        return err_set(err, 0, "usages did not match: \"%s\" is missing", auth ? "digital signature" : s->auth);
    return 0;
}

static int check_node(const struct cert_request *r, bool serving, struct err *err)
{
    const char *name = str_after(r->common_name, CSR_NODE_PREFIX);
    if (r->n_organizations != 1 || !streq(r->organizations[0], "system:nodes"))
        return err_set(err, 0, "subject organization is not system:nodes");
    if (!name || !*name)
        return err_set(err, 0, "subject common name does not begin with " CSR_NODE_PREFIX);
    if (r->n_others)
        return err_set(err, 0, "email and URI subjectAltNames are not allowed");
    if (serving && !r->n_dns_names && !r->n_ips)
        return err_set(err, 0, "DNS or IP subjectAltName is required");
    if (!serving && (r->n_dns_names || r->n_ips))
        return err_set(err, 0, "DNS and IP subjectAltNames are not allowed");
    return 0;
}

int csr_check(const json_t *csr, const struct cert_request *r, struct err *err)
{
    const char *name = jstr_or(csr, "spec.signerName", "");
    for (const struct signer *s = signers; s < signers + ARRAY_LEN(signers); s++) {
        if (!streq(s->name, name))
            continue;
        if (check_usages(csr, s, err) < 0)
            return -1;
        bool serving = streq(name, CSR_SIGNER_NODE_SERVING);
        if (serving && !streq(jstr_or(csr, "spec.username", ""), r->common_name))
            return err_set(err, 0, "the node in the subject did not make the request");
        return s->node ? check_node(r, serving, err) : 0;
    }
    return err_set(err, 0, "%s is no signer of this cluster", name);
}
