/* Namespaces: what separates names. A deleted one stays, Terminating, until its contents are gone and its
 * spec.finalizers are empty. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field namespace_spec_fields[] = {
    {"finalizers", F_LIST, OPT, STRINGS, .doc = "Who must agree before the emptied namespace goes away."},
    {0},
};

static const struct field namespace_status_fields[] = {
    {"phase", F_STR, OPT, .oneof = ONE_OF("Active", "Terminating"),
     .doc = "Active, or Terminating while its contents are being deleted."},
    FIELD_CONDITIONS(plain_condition_fields, "What the deletion is waiting for."),
    {0},
};

static const struct field namespace_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = namespace_spec_fields, .dflt = "{}", .doc = "How the namespace ends."},
    {"status", F_OBJECT, .sub = namespace_status_fields, .dflt = "{}", .doc = "Where the namespace is in its life."},
    {0},
};

#define NAME_LABEL "kubernetes.io/metadata.name"

CELL_TEXT(cell_status, "status.phase", "");

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Status", "string", "", 0, cell_status},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static const struct field_label field_labels[] = {
    {"status.phase", "status.phase", "Active"},
    {0},
};

/* The label lets selectors name namespaces. */
static void default_more(json_t *ns)
{
    const char *name = jstr_or(ns, "metadata.name", "");
    if (!*name)
        return;
    if (!jget(ns, "metadata.labels"))
        jset(ns, "metadata.labels", json_object());
    json_object_set_new(jget(ns, "metadata.labels"), NAME_LABEL, json_string(name));
}

static bool has_finalizer(const json_t *finalizers, const char *name)
{
    size_t i;
    json_t *finalizer;
    json_array_foreach(finalizers, i, finalizer)
        if (json_is_string(finalizer) && streq(json_string_value(finalizer), name))
            return true;
    return false;
}

static void prepare(json_t *ns, const json_t *old)
{
    if (old)
        return;
    jset_str(ns, "status.phase", "Active");
    if (!jget(ns, "spec.finalizers"))
        jset(ns, "spec.finalizers", json_array());
    if (!has_finalizer(jget(ns, "spec.finalizers"), "kubernetes"))
        json_array_append_new(jget(ns, "spec.finalizers"), json_string("kubernetes"));
}

const struct kind kind_namespace = {
    .group = "",
    .version = "v1",
    .kind = "Namespace",
    .plural = "namespaces",
    .singular = "namespace",
    .list_kind = "NamespaceList",
    .short_names = (const char *const[]){"ns", NULL},
    .namespaced = false,
    .verbs = V_ALL & ~V_DELETECOLLECTION, /* as upstream: nobody empties a cluster by one request */
    .fields = namespace_fields,
    .columns = columns,
    .check_name = check_dns_label,
    .has_status = true,
    .field_labels = field_labels,
    .subresources = (const char *const[]){"finalize", NULL},
    .default_more = default_more,
    .prepare = prepare,
};
