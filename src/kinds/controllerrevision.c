/* ControllerRevisions: what DaemonSets and StatefulSets looked like before, for going back. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

static const struct field controllerrevision_fields[] = {
    FIELD_METADATA,
    {"data", F_RAW, ATOMIC, .doc = "The part of the owner that this revision keeps, as a patch of it."},
    {"revision", F_INT64, REQ, .max = NO_MAX, .doc = "Number of the revision; the highest is the latest."},
    {0},
};

CELL_INT(cell_revision, "revision");

static json_t *cell_controller(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    const json_t *refs = jget(obj, "metadata.ownerReferences");
    for (size_t i = 0; i < json_array_size(refs); i++) {
        const json_t *ref = json_array_get(refs, i);
        const char *api_version = jstr_or(ref, "apiVersion", ""), *slash = strchr(api_version, '/');
        if (!jbool(ref, "controller", false))
            continue;
        _cleanup_free_ char *kind = xstrdup(jstr_or(ref, "kind", ""));
        for (char *c = kind; *c; c++)
            *c |= 0x20;
        return json_sprintf("%s%s%.*s/%s", kind, slash ? "." : "", slash ? (int)(slash - api_version) : 0, api_version,
                            jstr_or(ref, "name", ""));
    }
    return json_string("<none>");
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Controller", "string", "", 0, cell_controller},
    {"Revision", "string", "", 0, cell_revision},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    const json_t *data = jget(obj, "data"), *data_before = jget(old, "data");
    if (!data)
        causes_add(causes, CAUSE_REQUIRED, "data", NULL, "data is mandatory");
    if (old && (data || data_before) && !(data && data_before && json_equal((json_t *)data, (json_t *)data_before)))
        causes_add(causes, CAUSE_INVALID, "data", data, "field is immutable");
}

const struct kind kind_controllerrevision = {
    .group = "apps",
    .version = "v1",
    .kind = "ControllerRevision",
    .plural = "controllerrevisions",
    .singular = "controllerrevision",
    .list_kind = "ControllerRevisionList",
    .namespaced = true,
    .verbs = V_ALL,
    .fields = controllerrevision_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .validate = validate,
};
