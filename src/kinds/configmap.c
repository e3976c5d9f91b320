/* ConfigMaps. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field configmap_fields[] = {
    FIELD_METADATA,
    {"immutable", F_BOOL, .doc = "True forbids changes of the data for ever."},
    {"data", F_MAP, OPT, STRINGS, .check_key = check_data_key, .doc = "Text by key."},
    {"binaryData", F_MAP, OPT, .sub = bytes_item, .check_key = check_data_key, .doc = "Bytes by key, in base64."},
    {0},
};

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

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
};
