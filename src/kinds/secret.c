/* Secrets. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field secret_fields[] = {
    FIELD_METADATA,
    {"immutable", F_BOOL, .doc = "True forbids changes of the data for ever."},
    {"data", F_MAP, OPT, .sub = bytes_item, .check_key = check_data_key, .doc = "Bytes by key, in base64."},
    {"stringData", F_MAP, OPT, STRINGS, .check_key = check_data_key,
     .doc = "Text by key; written into data and never read back."},
    {"type", F_STR, IMMUT | OPT, .dflt = "\"Opaque\"", .doc = "What the data is for."},
    {0},
};

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_secret = {
    .group = "",
    .version = "v1",
    .kind = "Secret",
    .plural = "secrets",
    .singular = "secret",
    .list_kind = "SecretList",
    .namespaced = true,
    .verbs = V_ALL,
    .fields = secret_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};
