/* CertificateSigningRequests: who wants a certificate for which names, whether that was approved, and the certificate.
 * What needs the request taken apart is in server/admit_csr.c. Rules: pkg/apis/certificates/validation/validation.go,
 * pkg/registry/certificates/certificates/strategy.go. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/csr.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

#define SECONDS_MIN 600
#define CERTIFICATE_BEGIN "-----BEGIN CERTIFICATE-----"

static const struct field usage_item[] = {
    {.type = F_STR,
     .oneof =
         ONE_OF("any", "cert sign", "client auth", "code signing", "content commitment", "crl sign",
                "data encipherment", "decipher only", "digital signature", "email protection", "encipher only",
                "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc",
                "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping")},
};
static const struct field extra_item[] = {{.type = F_LIST, STRINGS}};

static const struct field spec_fields[] = {
    {"request", F_BYTES, REQ, .doc = "The request (PKCS #10) in PEM."},
    {"signerName", F_STR, REQ, .max_len = 571, .doc = "Who is to sign: DOMAIN/NAME."},
    {"expirationSeconds", F_INT, .doc = "How long the certificate should be valid; at least 600 seconds."},
    {"usages", F_LIST, REQ | NONEMPTY | UNIQUE | ATOMIC, .sub = usage_item, .doc = "What the key is for."},
    {"username", F_STR, OPT, .doc = "Who made the request; the server says."},
    {"uid", F_STR, OPT, .doc = "Tells users of one name apart; the server says."},
    {"groups", F_LIST, OPT | ATOMIC, STRINGS, .doc = "The groups of who made the request; the server says."},
    {"extra", F_MAP, OPT, .sub = extra_item, .doc = "What else is known of who made the request; the server says."},
    {0},
};

static const struct field csr_condition_fields[] = {
    {"type", F_STR, REQ, .doc = "Approved, Denied or Failed, or a signer's own."},
    {"status", F_STR, REQ, .oneof = ONE_OF("False", "True", "Unknown"), .doc = "True, False or Unknown."},
    {"reason", F_STR, OPT, .doc = "Why, in one word."},
    {"message", F_STR, OPT, .doc = "Why, for people."},
    {"lastUpdateTime", F_TIME, OPT | NULLABLE, .doc = "When it was last told."},
    {"lastTransitionTime", F_TIME, OPT | NULLABLE, .doc = "When the status last changed."},
    {0},
};

static const struct field status_fields[] = {
    {"conditions", F_LIST, OPT | UNIQUE, LIST_OF(csr_condition_fields), .list_keys = "type",
     .doc = "Whether it was approved, denied, or cannot be signed."},
    {"certificate", F_BYTES, OPT, .doc = "The certificate in PEM, others of its chain behind it."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, REQ, .sub = spec_fields, .doc = "What is wanted; never changes."},
    {"status", F_OBJECT, OPT, .sub = status_fields, .doc = "What came of it."},
    {0},
};

/* --- conditions --- */

bool csr_has_condition(const json_t *csr, const char *type)
{
    return jfind(jget(csr, "status.conditions"), "type", type) != NULL;
}

/* --- columns --- */

CELL_TEXT(cell_signer, "spec.signerName", "<none>");
CELL_TEXT(cell_requestor, "spec.username", "");

static json_t *cell_wanted_seconds(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    char text[TIME_TEXT_SIZE];
    if (!jget(obj, "spec.expirationSeconds"))
        return json_string("<none>");
    return json_string(time_human_duration(jint(obj, "spec.expirationSeconds", 0) * 1000000, text));
}

static json_t *cell_condition(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    const char *state = csr_has_condition(obj, "Denied")     ? "Denied"
                        : csr_has_condition(obj, "Approved") ? "Approved"
                                                             : "Pending";
    return json_sprintf("%s%s%s", state, csr_has_condition(obj, "Failed") ? ",Failed" : "",
                        *jstr_or(obj, "status.certificate", "") ? ",Issued" : "");
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {"SignerName", "string", "", 0, cell_signer},
    {"Requestor", "string", "", 0, cell_requestor},
    {"RequestedDuration", "string", "", 0, cell_wanted_seconds},
    {"Condition", "string", "", 0, cell_condition},
    {0},
};

/* --- rules --- */

static void check_signer(struct status_causes *c, const char *signer)
{
    const char *slash = strchr(signer, '/');
    char scratch[CHECK_SCRATCH_SIZE];
    if (streq(signer, "kubernetes.io/legacy-unknown")) {
        rule_broken_text(c, CAUSE_INVALID, signer, "the legacy signerName is not allowed via this API version",
                         "spec.signerName");
        return;
    }
    _cleanup_free_ char *domain = slash ? xstrndup(signer, (size_t)(slash - signer)) : NULL;
    if (!slash || strchr(slash + 1, '/') || !strchr(domain, '.') || check_dns_subdomain(domain, scratch) ||
        check_dns_subdomain(slash + 1, scratch))
        rule_broken_text(c, CAUSE_INVALID, signer,
                         "must be a fully qualified domain and path of the form 'example.com/signer-name'",
                         "spec.signerName");
}

static void check_spec(struct status_causes *c, const json_t *obj)
{
    const json_t *seconds = jget(obj, "spec.expirationSeconds");
    if (*jstr_or(obj, "spec.signerName", ""))
        check_signer(c, jstr(obj, "spec.signerName"));
    if (seconds && json_integer_value(seconds) < SECONDS_MIN)
        rule_broken(c, CAUSE_INVALID, seconds, "may not specify a duration less than 600 seconds (10 minutes)",
                    "spec.expirationSeconds");
}

/* Conditions that mean something only while they hold. */
static const char *const final_types[] = {"Approved", "Denied", "Failed"};

static void check_conditions(struct status_causes *c, const json_t *obj, const json_t *old)
{
    size_t i;
    const json_t *condition;
    json_array_foreach(jget(obj, "status.conditions"), i, condition)
        for (size_t t = 0; t < ARRAY_LEN(final_types); t++)
            if (streq(jstr_or(condition, "type", ""), final_types[t]) &&
                !streq(jstr_or(condition, "status", ""), "True"))
                rule_broken(c, CAUSE_NOT_SUPPORTED, jget(condition, "status"), "supported values: \"True\"",
                            "status.conditions[%zu].status", i);
    if (csr_has_condition(obj, "Approved") && csr_has_condition(obj, "Denied"))
        rule_broken_text(c, CAUSE_INVALID, "Denied", "Approved and Denied conditions are mutually exclusive",
                         "status.conditions");
    for (size_t t = 0; old && t < ARRAY_LEN(final_types); t++) {
        _cleanup_free_ char *why = xasprintf("updates may not remove a condition of type \"%s\"", final_types[t]);
        if (csr_has_condition(old, final_types[t]) && !csr_has_condition(obj, final_types[t]))
            rule_broken(c, CAUSE_FORBIDDEN, NULL, why, "status.conditions");
    }
}

static void check_certificate(struct status_causes *c, const json_t *obj, const json_t *old)
{
    const char *now = jstr_or(obj, "status.certificate", ""), *before = jstr_or(old, "status.certificate", "");
    size_t len = 0;
    if (streq(now, before))
        return;
    if (*before) {
        rule_broken(c, CAUSE_FORBIDDEN, NULL, "updates may not modify existing certificate content",
                    "status.certificate");
        return;
    }
    _cleanup_free_ char *pem = base64_decode(now, strlen(now), &len);
    _cleanup_free_ char *text = pem ? xstrndup(pem, len) : NULL;
    if (!text || !strstr(text, CERTIFICATE_BEGIN))
        rule_broken_text(c, CAUSE_INVALID, "<certificate data>", "must contain at least one CERTIFICATE PEM block",
                         "status.certificate");
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    check_spec(causes, obj);
    check_conditions(causes, obj, old);
    check_certificate(causes, obj, old);
}

static const struct field_label labels[] = {{"spec.signerName", "spec.signerName", ""}, {0}};

const struct kind kind_certificatesigningrequest = {
    .group = "certificates.k8s.io",
    .version = "v1",
    .kind = "CertificateSigningRequest",
    .plural = "certificatesigningrequests",
    .singular = "certificatesigningrequest",
    .list_kind = "CertificateSigningRequestList",
    .short_names = (const char *const[]){"csr", NULL},
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .field_labels = labels,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .subresources = (const char *const[]){"approval", NULL},
    .validate = validate,
};
