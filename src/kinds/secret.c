/* Secrets: what should not be in an image or a manifest, by key. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/datarules.h"
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

CELL_TEXT(cell_type, "type", "");

static json_t *cell_data(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_integer((json_int_t)json_object_size(jget(obj, "data")));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Type", "string", "", 0, cell_type},
    {"Data", "string", "", 0, cell_data},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static const struct field_label field_labels[] = {
    {"type", "type", ""},
    {0},
};

static const struct data_member members[] = {{"data", true}, {NULL, false}};

/* Text of stringData goes into data, over what is there. */
static void prepare(json_t *secret, const json_t *old)
{
    (void)old;
    const char *key;
    json_t *text;
    if (json_object_size(jget(secret, "stringData")) && !jget(secret, "data"))
        jset(secret, "data", json_object());
    json_object_foreach(jget(secret, "stringData"), key, text) {
        _cleanup_free_ char *bytes = base64_encode(json_string_value(text), json_string_length(text));
        json_object_set_new(jget(secret, "data"), key, json_string(bytes));
    }
    json_object_del(secret, "stringData");
}

/* The keys a type needs; with .any, one of them is enough. */
static const struct {
    const char *type;
    const char *keys[3];
    bool any;
} needed[] = {
    {"kubernetes.io/dockercfg", {".dockercfg"}},
    {"kubernetes.io/dockerconfigjson", {".dockerconfigjson"}},
    {"kubernetes.io/basic-auth", {"username", "password"}, .any = true},
    {"kubernetes.io/ssh-auth", {"ssh-privatekey"}},
    {"kubernetes.io/tls", {"tls.crt", "tls.key"}},
};

static void check_needed_keys(const json_t *secret, struct status_causes *causes)
{
    const char *type = jstr_or(secret, "type", "");
    const json_t *data = jget(secret, "data");
    for (size_t t = 0; t < ARRAY_LEN(needed); t++) {
        if (!streq(needed[t].type, type))
            continue;
        if (needed[t].any && (json_object_get(data, needed[t].keys[0]) || json_object_get(data, needed[t].keys[1])))
            return;
        for (const char *const *key = needed[t].keys; *key; key++)
            if (!json_object_get(data, *key))
                rule_broken(causes, CAUSE_REQUIRED, NULL, "", "data[%s]", *key);
    }
}

static void check_account(const json_t *secret, struct status_causes *causes)
{
    static const char annotation[] = "kubernetes.io/service-account.name";
    if (streq(jstr_or(secret, "type", ""), "kubernetes.io/service-account-token") &&
        !json_string_length(json_object_get(jget(secret, "metadata.annotations"), annotation)))
        rule_broken(causes, CAUSE_REQUIRED, NULL, "", "metadata.annotations[%s]", annotation);
}

static void validate(const json_t *secret, const json_t *old, struct status_causes *causes)
{
    check_needed_keys(secret, causes);
    check_account(secret, causes);
    rule_data_size(secret, members, "data", causes);
    rule_data_immutable(secret, old, members, causes);
}

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
    .field_labels = field_labels,
    .prepare = prepare,
    .validate = validate,
};
