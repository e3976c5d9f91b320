/* ServiceAccounts: as whom pods act. */
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field serviceaccount_fields[] = {
    FIELD_METADATA,
    {"secrets", F_LIST, OPT, LIST_OF(object_reference_fields), .merge_key = "name", .list_keys = "name",
     .doc = "Secrets that pods of this account may use."},
    {"imagePullSecrets", F_LIST, OPT, LIST_OF(local_reference_fields),
     .doc = "Registry credentials for pods of this account."},
    {"automountServiceAccountToken", F_BOOL, .doc = "Whether pods get the account's token."},
    {0},
};

static json_t *cell_secrets(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_integer((json_int_t)json_array_size(jget(obj, "secrets")));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Secrets", "string", "", 0, cell_secrets},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_serviceaccount = {
    .group = "",
    .version = "v1",
    .kind = "ServiceAccount",
    .plural = "serviceaccounts",
    .singular = "serviceaccount",
    .list_kind = "ServiceAccountList",
    .short_names = (const char *const[]){"sa", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = serviceaccount_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .subresources = (const char *const[]){"token", NULL},
};
