/* What nodes and pods use of CPU and memory, as `kubectl top` and autoscalers ask for it. Nothing of this is stored: it
 * is put together from what the nodes' agents measure when somebody asks (server/metrics.c). Types:
 * staging/src/k8s.io/metrics/pkg/apis/metrics/v1beta1. */
#include "base/quantity.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field container_metrics_fields[] = {
    {"name", F_STR, .doc = "Name of the container."},
    {"usage", F_MAP, QUANTITIES, .doc = "CPU and memory in use."},
    {0},
};

#define TIMESTAMP                                                                                                      \
    {                                                                                                                  \
        "timestamp", F_TIME, .doc = "When the window ends in which this was measured."                                 \
    }
#define WINDOW                                                                                                         \
    {                                                                                                                  \
        "window", F_STR, .doc = "How long was measured, for CPU."                                                      \
    }

static const struct field node_metrics_fields[] = {
    FIELD_METADATA, TIMESTAMP, WINDOW, {"usage", F_MAP, QUANTITIES, .doc = "CPU and memory in use."}, {0},
};

static const struct field pod_metrics_fields[] = {
    FIELD_METADATA,
    TIMESTAMP,
    WINDOW,
    {"containers", F_LIST, LIST_OF(container_metrics_fields), .doc = "What each running container uses."},
    {0},
};

/* "12m" and "34Mi", as metrics-server rounds them. */
static json_t *usage_cell(int64_t nano_cpu, int64_t bytes, bool cpu)
{
    return cpu ? json_sprintf("%lldm", (long long)(nano_cpu + 999999) / 1000000)
               : json_sprintf("%lldKi", (long long)bytes / 1024);
}

static void add_usage(const json_t *usage, int64_t *nano_cpu, int64_t *bytes)
{
    struct quantity q;
    if (quantity_parse(jstr_or(usage, "cpu", ""), &q))
        *nano_cpu += (int64_t)q.nano;
    if (quantity_parse(jstr_or(usage, "memory", ""), &q))
        *bytes += quantity_value(&q);
}

static json_t *total_cell(const json_t *obj, bool cpu)
{
    int64_t nano_cpu = 0, bytes = 0;
    size_t i;
    json_t *container;
    add_usage(jget(obj, "usage"), &nano_cpu, &bytes);
    json_array_foreach(jget(obj, "containers"), i, container)
        add_usage(jget(container, "usage"), &nano_cpu, &bytes);
    return usage_cell(nano_cpu, bytes, cpu);
}

static json_t *cell_cpu(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return total_cell(obj, true);
}

static json_t *cell_memory(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return total_cell(obj, false);
}

CELL_TEXT(cell_window, "window", "");

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"cpu", "string", "", 0, cell_cpu},
    {"memory", "string", "", 0, cell_memory},
    {"Window", "string", "", 0, cell_window},
    {0},
};

const struct kind kind_nodemetrics = {
    .group = "metrics.k8s.io",
    .version = "v1beta1",
    .kind = "NodeMetrics",
    .plural = "nodes",
    .singular = "",
    .list_kind = "NodeMetricsList",
    .verbs = V_GET | V_LIST,
    .fields = node_metrics_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};

const struct kind kind_podmetrics = {
    .group = "metrics.k8s.io",
    .version = "v1beta1",
    .kind = "PodMetrics",
    .plural = "pods",
    .singular = "",
    .list_kind = "PodMetricsList",
    .namespaced = true,
    .verbs = V_GET | V_LIST,
    .fields = pod_metrics_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};
