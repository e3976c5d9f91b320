/* ServiceCIDRs: ranges that ClusterIPs come from; and IPAddresses: each ClusterIP that is in use, with whose it is
 * (KEP-1880). What gives out addresses is server/alloc_ips.c; control/servicecidrs.c and control/ipaddresses.c keep
 * these objects in step. Rules: pkg/apis/networking/validation/validation.go. */
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"
#include "kinds/servicecidr.h"

/* --- ServiceCIDR --- */

static const struct field cidr_spec_fields[] = {
    {"cidrs", F_LIST, OPT | ATOMIC | IMMUT, STRINGS, .doc = "One range, or one of each address family."},
    {0},
};

static const struct field cidr_status_fields[] = {
    FIELD_CONDITIONS(condition_fields, "Whether addresses are taken from it."),
    {0},
};

static const struct field cidr_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = cidr_spec_fields, .dflt = "{}", .doc = "The ranges."},
    {"status", F_OBJECT, .sub = cidr_status_fields, .dflt = "{}", .doc = "Whether it is in use."},
    {0},
};

static json_t *cell_cidrs(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    char *text = jjoin(jget(obj, "spec.cidrs"));
    json_t *cell = json_string(text);
    free(text);
    return cell;
}

static const struct column cidr_columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"CIDRs", "string", "", 0, cell_cidrs},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static int family_of(const json_t *cidr)
{
    struct cidr c;
    return cidr_parse(str_or(json_string_value(cidr), ""), &c) ? c.ip.family : 0;
}

static void validate_cidr(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    const json_t *cidrs = jget(obj, "spec.cidrs"), *spec = jget(obj, "spec"), *cidr;
    size_t i, n = json_array_size(cidrs);
    (void)old;
    if (n == 0)
        rule_broken(causes, CAUSE_REQUIRED, NULL, "at least one CIDR required", "spec.cidrs");
    else if (n > FAMILIES_MAX)
        rule_broken(causes, CAUSE_INVALID, spec, "may only hold up to 2 values", "spec.cidrs");
    else if (n == FAMILIES_MAX && family_of(json_array_get(cidrs, 0)) == family_of(json_array_get(cidrs, 1)))
        rule_broken(causes, CAUSE_INVALID, spec,
                    "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
                    "spec.cidrs");
    else
        json_array_foreach(cidrs, i, cidr)
            rule_check_text(causes, check_cidr, json_string_value(cidr), "spec.cidrs[%zu]", i);
}

/* --- IPAddress --- */

static const struct field parent_fields[] = {
    {"group", F_STR, OPT, .check = check_dns_subdomain, .doc = "Group of the object; empty: core."},
    {"resource", F_STR, REQ, .doc = "What it is, in the plural."},
    {"namespace", F_STR, OPT, .doc = "Its namespace."},
    {"name", F_STR, REQ, .doc = "Its name."},
    {0},
};

static const struct field ip_spec_fields[] = {
    {"parentRef", F_OBJECT, REQ | IMMUT, .sub = parent_fields, .doc = "The object that has the address."},
    {0},
};

static const struct field ip_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = ip_spec_fields, .dflt = "{}", .doc = "Whose it is."},
    {0},
};

static json_t *cell_parent(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    const json_t *p = jget(obj, "spec.parentRef");
    const char *group = jstr_or(p, "group", ""), *ns = jstr_or(p, "namespace", "");
    return p ? json_sprintf("%s%s%s/%s%s%s", jstr_or(p, "resource", ""), *group ? "." : "", group, ns, *ns ? "/" : "",
                            jstr_or(p, "name", ""))
             : json_string("<none>");
}

static const struct column ip_columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"ParentRef", "string", "", 0, cell_parent},
    {"Age", "string", "", 0, cell_age},
    {0},
};

/* As it is usually written, so that no address has two objects. */
static const char *check_canonical_ip(const char *value, char scratch[])
{
    char text[IP_TEXT_SIZE];
    struct ip ip;
    if (ip_parse(value, &ip))
        return streq(ip_format(&ip, text), value) ? NULL : "must be a canonical form IP address";
    snprintf(scratch, CHECK_SCRATCH_SIZE, "ParseAddr(\"%.64s\"): unable to parse IP", value);
    return scratch;
}

static void validate_ip(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    static const char *const names[] = {"resource", "name", "namespace"};
    const json_t *parent = jget(obj, "spec.parentRef");
    (void)old;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        rule_check_text(causes, check_path_segment, jstr_or(parent, names[i], ""), "spec.parentRef.%s", names[i]);
}

/* --- versions --- */

#define SERVICECIDR(in_version)                                                                                        \
    .group = "networking.k8s.io", .version = (in_version), .kind = "ServiceCIDR", .plural = "servicecidrs",            \
    .singular = "servicecidr", .list_kind = "ServiceCIDRList", .verbs = V_ALL, .fields = cidr_fields,                  \
    .columns = cidr_columns, .check_name = check_dns_subdomain, .has_status = true

#define IPADDRESS(in_version)                                                                                          \
    .group = "networking.k8s.io", .version = (in_version), .kind = "IPAddress", .plural = "ipaddresses",               \
    .singular = "ipaddress", .list_kind = "IPAddressList", .short_names = (const char *const[]){"ip", NULL},           \
    .verbs = V_ALL, .fields = ip_fields, .columns = ip_columns, .check_name = check_canonical_ip

const struct kind kind_servicecidr = {SERVICECIDR("v1"), .validate = validate_cidr};
const struct kind kind_servicecidr_v1beta1 = {SERVICECIDR("v1beta1"), .stored = &kind_servicecidr};
const struct kind kind_ipaddress = {IPADDRESS("v1"), .validate = validate_ip};
const struct kind kind_ipaddress_v1beta1 = {IPADDRESS("v1beta1"), .stored = &kind_ipaddress};

/* --- what others read of them --- */

bool ipaddress_is_managed(const json_t *obj)
{
    const json_t *manager = json_object_get(jget(obj, "metadata.labels"), IPADDRESS_MANAGED_BY);
    return streq(str_or(json_string_value(manager), ""), IPADDRESS_MANAGER);
}
