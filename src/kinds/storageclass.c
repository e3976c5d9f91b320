/* StorageClasses: how volumes for claims are made. Rules: pkg/apis/storage/validation/validation.go. */
#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/binding.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

static const struct field requirement_fields[] = {
    {"key", F_STR, REQ, .check = check_qualified_name, .doc = "Key of a label of nodes."},
    {"values", F_LIST, REQ | NONEMPTY | ATOMIC, STRINGS, .doc = "Values of which it must have one."},
    {0},
};

static const struct field term_fields[] = {
    {"matchLabelExpressions", F_LIST, OPT | ATOMIC, LIST_OF(requirement_fields), .doc = "All of these must hold."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"provisioner", F_STR, REQ, .doc = "Who makes the volumes."},
    {"parameters", F_MAP, OPT, STRINGS, .max_len = 512, .doc = "What the provisioner wants to know."},
    {"reclaimPolicy", F_STR, .dflt = "\"Delete\"", .oneof = ONE_OF("Delete", "Retain"),
     .doc = "What becomes of a volume after its claim: Delete or Retain."},
    {"mountOptions", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Further options of mount."},
    {"allowVolumeExpansion", F_BOOL, .doc = "Whether claims may grow."},
    {"volumeBindingMode", F_STR, IMMUT, .dflt = "\"Immediate\"", .oneof = ONE_OF("Immediate", "WaitForFirstConsumer"),
     .doc = "Immediate, or WaitForFirstConsumer: when a pod needs the volume."},
    {"allowedTopologies", F_LIST, OPT | ATOMIC, LIST_OF(term_fields), .doc = "Where volumes may be made."},
    {0},
};

static json_t *cell_class_name(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    if (class_is_default(obj))
        return json_sprintf("%s (default)", jstr_or(obj, "metadata.name", ""));
    return cell_text(obj, "metadata.name", "");
}

CELL_TEXT(cell_provisioner, "provisioner", "");
CELL_TEXT(cell_reclaim, "reclaimPolicy", "Delete");
CELL_TEXT(cell_binding, "volumeBindingMode", "<unset>");

static json_t *cell_expansion(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_string(jbool(obj, "allowVolumeExpansion", false) ? "true" : "false");
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_class_name},
    {"Provisioner", "string", "", 0, cell_provisioner},
    {"ReclaimPolicy", "string", "", 0, cell_reclaim},
    {"VolumeBindingMode", "string", "", 0, cell_binding},
    {"AllowVolumeExpansion", "string", "", 0, cell_expansion},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    static const struct {
        const char *member, *why;
    } fixed[] = {{"parameters", "updates to parameters are forbidden."},
                 {"provisioner", "updates to provisioner are forbidden."},
                 {"reclaimPolicy", "updates to reclaimPolicy are forbidden."}};
    const char *provisioner = jstr_or(obj, "provisioner", "");
    if (*provisioner)
        rule_check_text(causes, check_qualified_name, provisioner, "provisioner");
    for (size_t i = 0; old && i < ARRAY_LEN(fixed); i++) {
        const json_t *is = jget(obj, fixed[i].member), *was = jget(old, fixed[i].member);
        if (is && was ? !json_equal((json_t *)is, (json_t *)was) : is != was)
            rule_broken(causes, CAUSE_FORBIDDEN, NULL, fixed[i].why, "%s", fixed[i].member);
    }
}

const struct kind kind_storageclass = {
    .group = "storage.k8s.io",
    .version = "v1",
    .kind = "StorageClass",
    .plural = "storageclasses",
    .singular = "storageclass",
    .list_kind = "StorageClassList",
    .short_names = (const char *const[]){"sc", NULL},
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .validate = validate,
};
