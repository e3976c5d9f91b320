/* CertificateSigningRequests: who asks is said by the server, what is asked never changes, and approving and signing
 * need rights on the signer. Upstream: the kind's strategy; plug-ins CertificateApproval, CertificateSigning and
 * CertificateSubjectRestriction. */
#include "kinds/csr.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cert/request.h"
#include "server/admit.h"
#include "server/authz.h"

/* NULL with err when it is none. */
static struct cert_request *read_request(const json_t *csr, struct err *err)
{
    const char *coded = jstr_or(csr, "spec.request", "");
    size_t len = 0;
    _cleanup_free_ char *pem = base64_decode(coded, strlen(coded), &len);
    err_set(err, 0, "PEM block type must be CERTIFICATE REQUEST");
    return pem ? cert_request_parse(pem, len, err) : NULL;
}

/* --- what is asked and by whom --- */

static void set_requestor(const struct admission *a)
{
    json_t *spec = jget(a->doc, "spec"), *groups = json_array();
    for (char **g = a->user->groups; g && *g; g++)
        json_array_append_new(groups, json_string(*g));
    jset_str(spec, "username", a->user->name);
    jset_str(spec, "uid", a->user->uid);
    jset(spec, "groups", groups);
    jset(spec, "extra", a->user->extra ? json_deep_copy(a->user->extra) : NULL);
}

static json_t *check_request(const struct admission *a)
{
    struct err err;
    struct cert_request *r = read_request(a->doc, &err);
    if (r) {
        cert_request_free(r);
        return NULL;
    }
    struct status_causes causes = {0};
    causes_add(&causes, CAUSE_INVALID, "spec.request", jget(a->doc, "spec.request"), "%s", err.msg);
    json_t *status = status_invalid(a->kind->group, a->kind->kind, jstr_or(a->doc, "metadata.name", ""), &causes);
    causes_done(&causes);
    return status;
}

static json_t *prepare_new(const struct admission *a)
{
    if (!json_is_object(jget(a->doc, "spec")))
        return NULL; /* told by the rules of the kind */
    set_requestor(a);
    return *jstr_or(a->doc, "spec.request", "") ? check_request(a) : NULL;
}

/* --- conditions --- */

/* Whether it was approved is said at /approval alone. */
static bool is_verdict(const json_t *condition)
{
    const char *type = jstr_or(condition, "type", "");
    return streq(type, "Approved") || streq(type, "Denied");
}

static void keep_verdicts(json_t *doc, const json_t *old)
{
    json_t *kept = json_array(), *condition;
    size_t i;
    json_array_foreach(jget(old, "status.conditions"), i, condition)
        if (is_verdict(condition))
            json_array_append(kept, condition);
    json_array_foreach(jget(doc, "status.conditions"), i, condition)
        if (!is_verdict(condition))
            json_array_append(kept, condition);
    jset(doc, "status.conditions", json_array_size(kept) ? kept : NULL);
    if (!json_array_size(kept))
        json_decref(kept);
    if (!json_object_size(jget(doc, "status")))
        jset(doc, "status", NULL);
}

static void stamp_conditions(json_t *doc, const json_t *old)
{
    char now[TIME_TEXT_SIZE];
    size_t i;
    json_t *condition;
    time_format(clock_wall_usec(), now);
    json_array_foreach(jget(doc, "status.conditions"), i, condition) {
        const json_t *before = jfind(jget(old, "status.conditions"), "type", jstr_or(condition, "type", ""));
        if (before && json_equal(before, condition))
            continue;
        if (!jstr(condition, "lastUpdateTime"))
            jset_str(condition, "lastUpdateTime", now);
        if (!jstr(condition, "lastTransitionTime"))
            jset_str(condition, "lastTransitionTime", now);
    }
}

json_t *admit_csr_changes(const struct admission *a)
{
    if (!a->old)
        return prepare_new(a);
    jset(a->doc, "spec", json_deep_copy(jget(a->old, "spec")));
    if (a->part == UPDATE_STATUS)
        keep_verdicts(a->doc, a->old);
    if (a->part != UPDATE_MAIN)
        stamp_conditions(a->doc, a->old);
    return NULL;
}

/* --- rights --- */

/* To one signer, or to all of its domain. */
static bool may_use_signer(const struct admission *a, const char *verb, const char *signer)
{
    const char *slash = strchr(signer, '/');
    _cleanup_free_ char *domain = xasprintf("%.*s/*", (int)(slash ? slash - signer : 0), signer);
    const char *const names[] = {signer, domain};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct action action = {.verb = verb,
                                      .is_resource = true,
                                      .group = "certificates.k8s.io",
                                      .resource = "signers",
                                      .subresource = "",
                                      .ns = "",
                                      .name = names[i],
                                      .fields = "",
                                      .path = ""};
        if (authorized(a->server, a->user, &action, NULL))
            return true;
    }
    return false;
}

static bool is_signed_now(const struct admission *a)
{
    return !streq(jstr_or(a->doc, "status.certificate", ""), jstr_or(a->old, "status.certificate", "")) ||
           (csr_has_condition(a->doc, "Failed") && !csr_has_condition(a->old, "Failed"));
}

/* Members of system:masters are beyond all rules: nobody becomes one by a certificate that is signed here. */
static json_t *check_subject(const struct admission *a)
{
    struct err err;
    struct cert_request *r =
        streq(jstr_or(a->doc, "spec.signerName", ""), CSR_SIGNER_CLIENT) ? read_request(a->doc, &err) : NULL;
    bool master = false;
    for (size_t i = 0; r && i < r->n_organizations; i++)
        master = master || streq(r->organizations[i], "system:masters");
    cert_request_free(r);
    return master
               ? admission_forbidden(a, "use of " CSR_SIGNER_CLIENT " signer with system:masters group is not allowed")
               : NULL;
}

json_t *admit_csr(const struct admission *a)
{
    const char *signer = jstr_or(a->doc, "spec.signerName", "");
    if (!a->old)
        return check_subject(a);
    if (a->part == UPDATE_APPROVAL && !may_use_signer(a, "approve", signer))
        return admission_forbidden(a, "user not permitted to approve requests with signerName \"%s\"", signer);
    if (a->part == UPDATE_STATUS && is_signed_now(a) && !may_use_signer(a, "sign", signer))
        return admission_forbidden(a, "user not permitted to sign requests with signerName \"%s\"", signer);
    return NULL;
}
