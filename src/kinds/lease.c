/* Leases: who holds an office, and until when. Nodes show by theirs that they live. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field lease_spec_fields[] = {
    {"holderIdentity", F_STR, .doc = "Who holds it."},
    {"leaseDurationSeconds", F_INT, .min = 1, .max = NO_MAX, .doc = "Seconds after renewTime for which it is held."},
    {"acquireTime", F_MICROTIME, .doc = "When the holder got it."},
    {"renewTime", F_MICROTIME, .doc = "When the holder last renewed it."},
    {"leaseTransitions", F_INT, .max = NO_MAX, .doc = "How often the holder changed."},
    {"strategy", F_STR, .doc = "How a holder is chosen when there are several candidates."},
    {"preferredHolder", F_STR, .doc = "Who should get it next."},
    {0},
};

static const struct field lease_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = lease_spec_fields, .dflt = "{}", .doc = "Who holds it, and until when."},
    {0},
};

CELL_TEXT(cell_holder, "spec.holderIdentity", "");

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Holder", "string", "", 0, cell_holder},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_lease = {
    .group = "coordination.k8s.io",
    .version = "v1",
    .kind = "Lease",
    .plural = "leases",
    .singular = "lease",
    .list_kind = "LeaseList",
    .namespaced = true,
    .verbs = V_ALL,
    .fields = lease_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};
