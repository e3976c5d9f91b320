/* What containers ask for and may use. */
#include "kinds/fields.h"

static const struct field resource_claim_fields[] = {
    {"name", F_STR, REQ, .doc = "Name of the pod's claim."},
    {"request", F_STR, OPT, .doc = "One request of the claim; all if missing."},
    {0},
};

const struct field resource_requirements_fields[] = {
    {"limits", F_MAP, OPT, QUANTITIES, .doc = "Most that may be used."},
    {"requests", F_MAP, OPT, QUANTITIES, .doc = "What the scheduler sets aside; equals limits if missing."},
    {"claims", F_LIST, OPT, LIST_OF(resource_claim_fields), .list_keys = "name",
     .doc = "Claims of the pod that the container uses."},
    {0},
};

const struct field container_resize_policy_fields[] = {
    {"resourceName", F_STR, REQ, .oneof = ONE_OF("cpu", "memory"), .doc = "cpu or memory."},
    {"restartPolicy", F_STR, REQ, .oneof = ONE_OF("NotRequired", "RestartContainer"),
     .doc = "NotRequired or RestartContainer."},
    {0},
};
