/* APIService: a group and version that is served. Servers of others are not asked here (no aggregation), so the list is
 * computed from the kinds (server/computed.c) and can only be read. Columns:
 * kube-aggregator pkg/registry/apiservice/etcd/etcd.go. */
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field service_fields[] = {
    {"name", F_STR, OPT, .doc = "Name of the Service."},
    {"namespace", F_STR, OPT, .doc = "Its namespace."},
    {"port", F_INT, OPT, .doc = "Its port."},
    {0},
};

static const struct field spec_fields[] = {
    {"service", F_OBJECT, OPT, .sub = service_fields, .doc = "Who serves it; nobody else, when missing."},
    {"group", F_STR, OPT, .doc = "The group; empty for the core."},
    {"version", F_STR, OPT, .doc = "The version in that group."},
    {"insecureSkipTLSVerify", F_BOOL, OPT, .doc = "The Service's certificate is not checked."},
    {"caBundle", F_BYTES, OPT, .doc = "PEM certificates that sign the Service's."},
    {"groupPriorityMinimum", F_INT, REQ, .doc = "Groups with higher numbers are preferred by clients."},
    {"versionPriority", F_INT, REQ, .doc = "The order of the versions in their group."},
    {0},
};

static const struct field status_fields[] = {
    FIELD_CONDITIONS(plain_condition_fields, "Whether it is available."),
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, OPT, .sub = spec_fields, .doc = "What is served, and by whom."},
    {"status", F_OBJECT, OPT, .sub = status_fields, .doc = "Whether it is served."},
    {0},
};

CELL_TEXT(cell_service, "spec.service.name", "Local");

static json_t *cell_available(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_string(jstr_or(jfind(jget(obj, "status.conditions"), "type", "Available"), "status", "Unknown"));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Service", "string", "", 0, cell_service},
    {"Available", "string", "", 0, cell_available},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_apiservice = {
    .group = "apiregistration.k8s.io",
    .version = "v1",
    .kind = "APIService",
    .plural = "apiservices",
    .singular = "apiservice",
    .list_kind = "APIServiceList",
    .categories = (const char *const[]){"api-extensions", NULL},
    .verbs = V_GET | V_LIST,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};
