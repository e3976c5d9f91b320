/* Signs approved requests with the cluster's CA (upstream: pkg/controller/certificates/signer). */
#include "control/csrsigning.h"

#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/str.h"
#include "cert/request.h"
#include "control/csr.h"
#include "json/json.h"
#include "kinds/csr.h"
#include "kinds/kind.h"

#define PEM_MAX 65536
#define USAGES_MAX 8 /* csr_check() lets three different ones pass */

static bool is_ours(const char *signer)
{
    static const char *const ours[] = {CSR_SIGNER_CLIENT, CSR_SIGNER_NODE_CLIENT, CSR_SIGNER_NODE_SERVING};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (streq(ours[i], signer))
            return true;
    return false;
}

/* Read when it is needed: the key stays in memory no longer than that. */
static bool load_ca(const struct csr_authority *ca, struct keypair *ret)
{
    struct err ignored;
    _cleanup_free_ char *cert = file_read(ca->cert, PEM_MAX, NULL, &ignored);
    _cleanup_free_ char *key = file_read(ca->key, PEM_MAX, NULL, &ignored);
    *ret = (struct keypair){0};
    return cert && key && keypair_parse(ret, cert, key);
}

static char *sign(struct controller *c, const json_t *csr, const struct cert_request *r)
{
    const char *usages[USAGES_MAX + 1] = {NULL};
    struct keypair ca;
    size_t n = 0, i;
    const json_t *usage;
    const struct csr_authority *authority = controller_config(c);
    int64_t now = controller_now_usec(c) / 1000000, most = authority->seconds;
    int64_t seconds = jint(csr, "spec.expirationSeconds", most);
    json_array_foreach(jget(csr, "spec.usages"), i, usage)
        if (n < USAGES_MAX)
            usages[n++] = json_string_value(usage);
    if (!load_ca(authority, &ca))
        return NULL;
    char *pem = cert_request_sign(r, &ca, usages, now, now + (seconds < most ? seconds : most));
    keypair_done(&ca);
    return pem;
}

static void refuse(json_t *csr, const char *why)
{
    json_array_append_new(jget(csr, "status.conditions"),
                          json_pack("{s:s, s:s, s:s, s:s}", "type", "Failed", "status", "True", "reason",
                                    "SignerValidationFailure", "message", why));
}

static void answer(struct controller *c, const json_t *known, const struct cert_request *r)
{
    struct err err;
    _cleanup_json_ json_t *csr = json_deep_copy(known);
    if (csr_check(csr, r, &err) < 0) {
        refuse(csr, err.msg);
    } else {
        _cleanup_free_ char *pem = sign(c, csr, r);
        _cleanup_free_ char *coded = pem ? base64_encode(pem, strlen(pem)) : NULL;
        if (!coded)
            return;
        jset_str(csr, "status.certificate", coded);
    }
    controller_update(c, &kind_certificatesigningrequest, "status", csr);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct object *o = informer_get(controller_informer(c, &kind_certificatesigningrequest), ns, name);
    _cleanup_json_ json_t *csr = o ? object_json(o) : NULL;
    if (!csr || !csr_has_condition(csr, "Approved") || csr_has_condition(csr, "Denied") ||
        csr_has_condition(csr, "Failed") || *jstr_or(csr, "status.certificate", "") ||
        !is_ours(jstr_or(csr, "spec.signerName", "")))
        return;
    struct cert_request *r = csr_request(csr);
    if (r)
        answer(c, csr, r);
    cert_request_free(r);
}

static const struct controller_watch watches[] = {{&kind_certificatesigningrequest, NULL}, {NULL, NULL}};

const struct controller_def csrsigning_controller = {
    .name = "certificatesigningrequest-signing-controller",
    .watches = watches,
    .reconcile = reconcile,
};
