/* What `kubectl get hpa` shows: pkg/printers/internalversion/printers.go, formatHPAMetrics. */
#include <stdio.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/autoscaler.h"
#include "kinds/cells.h"

#define METRICS_SHOWN 2

static json_t *cell_reference(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_sprintf("%s/%s", jstr_or(obj, "spec.scaleTargetRef.kind", ""),
                        jstr_or(obj, "spec.scaleTargetRef.name", ""));
}

/* The member of a metric that its type names: "Pods" is in "pods". */
static const json_t *source_of(const json_t *metric)
{
    char name[32];
    const char *type = jstr_or(metric, "type", "");
    snprintf(name, sizeof(name), "%c%.30s", *type | 0x20, *type ? type + 1 : "");
    return jget(metric, name);
}

static void show_metric(struct buf *text, const json_t *wanted, const json_t *measured)
{
    const json_t *source = source_of(wanted), *is = jget(source_of(measured), "current"),
                 *target = jget(source, "target");
    const char *resource = jstr(source, "name"), *average = jstr(target, "averageValue");
    const char *member = average ? "averageValue" : "value";
    if (resource && !average) {
        if (jget(is, "averageUtilization"))
            buf_addf(text, "%s: %lld%%/", resource, (long long)jint(is, "averageUtilization", 0));
        else
            buf_addf(text, "%s: <unknown>/", resource);
        if (jget(target, "averageUtilization"))
            buf_addf(text, "%lld%%", (long long)jint(target, "averageUtilization", 0));
        else
            buf_adds(text, "<auto>");
        return;
    }
    if (resource)
        buf_addf(text, "%s: ", resource);
    buf_addf(text, "%s/%s", jstr_or(is, member, "<unknown>"), jstr_or(target, member, ""));
    if (average && (jget(wanted, "object") || jget(wanted, "external")))
        buf_adds(text, " (avg)");
}

static json_t *cell_targets(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    const json_t *wanted = jget(obj, "spec.metrics"), *measured = jget(obj, "status.currentMetrics");
    struct buf text = BUF_INIT(0);
    size_t n = json_array_size(wanted);
    for (size_t i = 0; i < n && i < METRICS_SHOWN; i++) {
        buf_adds(&text, i ? ", " : "");
        show_metric(&text, json_array_get(wanted, i), json_array_get(measured, i));
    }
    if (n > METRICS_SHOWN)
        buf_addf(&text, " + %zu more...", n - METRICS_SHOWN);
    json_t *cell = json_string(n ? buf_str(&text) : "<none>");
    buf_done(&text);
    return cell;
}

static json_t *cell_min(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    if (!jget(obj, "spec.minReplicas"))
        return json_string("<unset>");
    return json_sprintf("%lld", (long long)jint(obj, "spec.minReplicas", 0));
}

CELL_INT(cell_max, "spec.maxReplicas");
CELL_INT(cell_replicas, "status.currentReplicas");

const struct column autoscaler_columns[] = {
    {"Name", "string", "name", 0, cell_name},   {"Reference", "string", "", 0, cell_reference},
    {"Targets", "string", "", 0, cell_targets}, {"MinPods", "string", "", 0, cell_min},
    {"MaxPods", "string", "", 0, cell_max},     {"Replicas", "string", "", 0, cell_replicas},
    {"Age", "string", "", 0, cell_age},         {0},
};
