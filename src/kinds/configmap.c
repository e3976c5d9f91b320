/* ConfigMaps: configuration by key. */
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/datarules.h"
#include "kinds/fields.h"

static const struct field configmap_fields[] = {
    FIELD_METADATA,
    {"immutable", F_BOOL, .doc = "True forbids changes of the data for ever."},
    {"data", F_MAP, OPT, STRINGS, .check_key = check_data_key, .doc = "Text by key."},
    {"binaryData", F_MAP, OPT, .sub = bytes_item, .check_key = check_data_key, .doc = "Bytes by key, in base64."},
    {0},
};

static json_t *cell_data(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_integer((json_int_t)(json_object_size(jget(obj, "data")) + json_object_size(jget(obj, "binaryData"))));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Data", "string", "", 0, cell_data},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static const struct data_member members[] = {{"data", false}, {"binaryData", true}, {NULL, false}};

static void check_key_is_once(const json_t *obj, const char *member, const char *other, struct status_causes *causes)
{
    const char *key;
    json_t *value;
    json_object_foreach(jget(obj, member), key, value) {
        char why[64];
        snprintf(why, sizeof(why), "duplicate of key present in %s", other);
        if (json_object_get(jget(obj, other), key))
            rule_broken_text(causes, CAUSE_INVALID, key, why, "%s[%.300s]", member, key);
    }
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    check_key_is_once(obj, "data", "binaryData", causes);
    check_key_is_once(obj, "binaryData", "data", causes);
    rule_data_size(obj, members, "[]", causes);
    rule_data_immutable(obj, old, members, causes);
}

const struct kind kind_configmap = {
    .group = "",
    .version = "v1",
    .kind = "ConfigMap",
    .plural = "configmaps",
    .singular = "configmap",
    .list_kind = "ConfigMapList",
    .short_names = (const char *const[]){"cm", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = configmap_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .validate = validate,
};
