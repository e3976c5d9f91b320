/* ComponentStatus: whether scheduler, controllers and store are well. Computed when somebody asks
 * (server/component_status.c), deprecated since 1.19, and still what `kubectl get cs` shows. */
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field component_condition_fields[] = {
    {"type", F_STR, REQ, .doc = "Healthy, the only one there is."},
    {"status", F_STR, REQ, .doc = "True, False or Unknown."},
    {"message", F_STR, OPT, .doc = "What the component says."},
    {"error", F_STR, OPT, .doc = "What is wrong with it."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    FIELD_CONDITIONS(component_condition_fields, "How the component is."),
    {0},
};

static const json_t *healthy(const json_t *obj)
{
    return jfind(jget(obj, "conditions"), "type", "Healthy");
}

static json_t *cell_status(const json_t *obj, int64_t now_usec)
{
    const char *status = jstr_or(healthy(obj), "status", "");
    (void)now_usec;
    return json_string(*status == 'T' ? "Healthy" : *status == 'F' ? "Unhealthy" : "Unknown");
}

static json_t *cell_message(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_string(jstr_or(healthy(obj), "message", ""));
}

static json_t *cell_error(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_string(jstr_or(healthy(obj), "error", ""));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Status", "string", "", 0, cell_status},
    {"Message", "string", "", 0, cell_message},
    {"Error", "string", "", 0, cell_error},
    {0},
};

const struct kind kind_componentstatus = {
    .group = "",
    .version = "v1",
    .kind = "ComponentStatus",
    .plural = "componentstatuses",
    .singular = "componentstatus",
    .list_kind = "ComponentStatusList",
    .short_names = (const char *const[]){"cs", NULL},
    .verbs = V_GET | V_LIST,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};
