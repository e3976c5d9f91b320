/* APIService: a group and version that is served, by this program (Local) or by a Service behind it
 * (server/aggregator.h). Rules: kube-aggregator pkg/apis/apiregistration/validation, columns:
 * pkg/registry/apiservice/etcd/etcd.go. */
#include <stdio.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

#define GROUP_PRIORITY_MAX 20000
#define VERSION_PRIORITY_MAX 1000

static const struct field service_fields[] = {
    {"name", F_STR, OPT, .doc = "Name of the Service."},
    {"namespace", F_STR, OPT, .doc = "Its namespace."},
    {"port", F_INT, .dflt = "443", .min = 1, .max = 65535, .doc = "Its port."},
    {0},
};

static const struct field spec_fields[] = {
    {"service", F_OBJECT, .sub = service_fields, .doc = "Who serves it; nobody else, when missing."},
    {"group", F_STR, OPT, .doc = "The group; empty for the core."},
    {"version", F_STR, OPT, .doc = "The version in that group."},
    {"insecureSkipTLSVerify", F_BOOL, OPT, .doc = "The Service's certificate is not checked."},
    {"caBundle", F_BYTES, OPT, .doc = "PEM certificates that sign the Service's."},
    {"groupPriorityMinimum", F_INT, .doc = "Groups with higher numbers are preferred by clients."},
    {"versionPriority", F_INT, .doc = "The order of the versions in their group."},
    {0},
};

static const struct field status_fields[] = {
    FIELD_CONDITIONS(plain_condition_fields, "Whether it is available."),
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .dflt = "{}", .doc = "What is served, and by whom."},
    {"status", F_OBJECT, .sub = status_fields, .dflt = "{}", .doc = "Whether it is served."},
    {0},
};

static json_t *cell_service(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    const json_t *service = jget(obj, "spec.service");
    if (!service)
        return json_string("Local");
    return json_sprintf("%s/%s", jstr_or(service, "namespace", ""), jstr_or(service, "name", ""));
}

static json_t *cell_available(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    const json_t *available = jfind(jget(obj, "status.conditions"), "type", "Available");
    const char *status = jstr_or(available, "status", "Unknown");
    if (streq(status, "True") || !available)
        return json_string(status);
    return json_sprintf("%s (%s)", status, jstr_or(available, "reason", ""));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Service", "string", "", 0, cell_service},
    {"Available", "string", "", 0, cell_available},
    {"Age", "string", "", 0, cell_age},
    {0},
};

/* --- rules --- */

static void check_priority(struct status_causes *c, const json_t *spec, const char *member, int64_t max)
{
    int64_t n = jint(spec, member, 0);
    char why[60];
    snprintf(why, sizeof(why), "must be positive and less than %lld", (long long)max);
    if (n <= 0 || n > max)
        rule_broken(c, CAUSE_INVALID, jget(spec, member), why, "spec.%s", member);
}

static void check_name(struct status_causes *c, const char *name, const char *group, const char *version)
{
    _cleanup_free_ char *wanted = xasprintf("%s.%s", version, group);
    _cleanup_free_ char *why = xasprintf("must be `spec.version+\".\"+spec.group`: \"%s\"", wanted);
    if (!streq(name, wanted))
        rule_broken_text(c, CAUSE_INVALID, name, why, "metadata.name");
    if (!*group && !streq(version, "v1"))
        rule_broken(c, CAUSE_REQUIRED, NULL, "only v1 may have an empty group and it better be legacy kube",
                    "spec.group");
    if (*group)
        rule_check_text(c, check_dns_subdomain, group, "spec.group");
    rule_check_text(c, check_dns1035_label, version, "spec.version");
}

static void check_local(struct status_causes *c, const json_t *spec)
{
    if (*jstr_or(spec, "caBundle", ""))
        rule_broken(c, CAUSE_INVALID, jget(spec, "caBundle"), "local APIServices may not have a caBundle",
                    "spec.caBundle");
    if (jbool(spec, "insecureSkipTLSVerify", false))
        rule_broken(c, CAUSE_INVALID, json_true(), "local APIServices may not have insecureSkipTLSVerify",
                    "spec.insecureSkipTLSVerify");
}

static void check_service(struct status_causes *c, const json_t *spec)
{
    static const char *const needed[] = {"namespace", "name"};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!*jstr_or(jget(spec, "service"), needed[i], ""))
            rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.service.%s", needed[i]);
    if (jbool(spec, "insecureSkipTLSVerify", false) && *jstr_or(spec, "caBundle", ""))
        rule_broken(c, CAUSE_INVALID, json_true(), "may not be true if caBundle is present",
                    "spec.insecureSkipTLSVerify");
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    const json_t *spec = jget(obj, "spec");
    check_name(causes, jstr_or(obj, "metadata.name", ""), jstr_or(spec, "group", ""), jstr_or(spec, "version", ""));
    check_priority(causes, spec, "groupPriorityMinimum", GROUP_PRIORITY_MAX);
    check_priority(causes, spec, "versionPriority", VERSION_PRIORITY_MAX);
    if (jget(spec, "service"))
        check_service(causes, spec);
    else
        check_local(causes, spec);
}

/* What is served here is there as long as there is anybody to ask: nobody has to look after it. */
static void prepare(json_t *obj, const json_t *old)
{
    (void)old;
    if (!jget(obj, "spec.service"))
        jset(obj, "status.conditions",
             json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "type", "Available", "status", "True", "lastTransitionTime",
                       jstr_or(obj, "metadata.creationTimestamp", ""), "reason", "Local", "message",
                       "Local APIServices are always available"));
}

const struct kind kind_apiservice = {
    .group = "apiregistration.k8s.io",
    .version = "v1",
    .kind = "APIService",
    .plural = "apiservices",
    .singular = "apiservice",
    .list_kind = "APIServiceList",
    .categories = (const char *const[]){"api-extensions", NULL},
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_path_segment,
    .has_status = true,
    .prepare = prepare,
    .validate = validate,
};
