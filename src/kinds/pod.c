/* Pods. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field pod_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = pod_spec_fields, .dflt = "{}", .doc = "What should run, and how."},
    {"status", F_OBJECT, .sub = pod_status_fields, .dflt = "{}",
     .doc = "What was last observed; written by the scheduler and the node's agent."},
    {0},
};

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_pod = {
    .group = "",
    .version = "v1",
    .kind = "Pod",
    .plural = "pods",
    .singular = "pod",
    .list_kind = "PodList",
    .short_names = (const char *const[]){"po", NULL},
    .categories = (const char *const[]){"all", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = pod_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
};
