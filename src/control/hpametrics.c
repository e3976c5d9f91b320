/* See hpametrics.h. Words: pkg/controller/podautoscaler/horizontal.go. */
#include "control/hpametrics.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/quantity.h"
#include "base/str.h"
#include "control/hpapods.h"
#include "json/json.h"

#define NO_CUSTOM                                                                                                      \
    "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
#define NO_EXTERNAL                                                                                                    \
    "unable to fetch metrics from external metrics API: no external metrics API (external.metrics.k8s.io) registered"

struct judging {
    const json_t *pods, *metrics;
    int64_t current, now_usec;
    char name[160];
};

/* 0: in *ret, and *ret_status is set. */
typedef int measure_fn(struct judging *j, const json_t *source, struct hpa_proposal *ret, json_t **ret_status,
                       struct err *err);

static json_t *milli_quantity(int64_t milli, const char *resource)
{
    char text[QUANTITY_TEXT_SIZE];
    struct quantity q = {.nano = (quantity_nano)milli * 1000000,
                         .format = streq(resource, "memory") ? QUANTITY_BINARY_SI : QUANTITY_DECIMAL_SI};
    return json_string(quantity_format_text(&q, text));
}

static int measure_used(struct judging *j, const json_t *source, const char *container, struct hpa_proposal *ret,
                        json_t **ret_status, struct err *err)
{
    const char *resource = jstr_or(source, "name", "");
    const json_t *percent = jget(source, "target.averageUtilization");
    struct quantity q = {0};
    if (!percent && !quantity_parse(jstr_or(source, "target.averageValue", ""), &q))
        return err_set(err, 0,
                       "invalid resource metric source: neither an average utilization target nor an average "
                       "value (usage) target was set");
    const struct hpa_target t = {resource, percent, percent ? json_integer_value(percent) : quantity_milli(&q)};
    _cleanup_free_ struct hpa_pod *pods = hpa_pods_read(j->pods, j->metrics, resource, container);
    if (hpa_propose(pods, json_array_size(j->pods), &t, j->current, j->now_usec, ret, err) < 0)
        return err_wrap(err, "failed to get %s %s", resource, percent ? "utilization" : "usage");
    snprintf(j->name, sizeof(j->name), "%.60s %sresource%s", resource, container ? "container " : "",
             percent ? " utilization (percentage of request)" : "");
    *ret_status = json_pack("{s:s, s:{s:o}}", "name", resource, "current", "averageValue",
                            milli_quantity(ret->average, resource));
    if (container)
        jset_str(*ret_status, "container", container);
    if (percent)
        jset_int(*ret_status, "current.averageUtilization", ret->utilization);
    return 0;
}

static int measure_resource(struct judging *j, const json_t *source, struct hpa_proposal *ret, json_t **ret_status,
                            struct err *err)
{
    return measure_used(j, source, NULL, ret, ret_status, err);
}

static int measure_container(struct judging *j, const json_t *source, struct hpa_proposal *ret, json_t **ret_status,
                             struct err *err)
{
    return measure_used(j, source, jstr_or(source, "container", ""), ret, ret_status, err);
}

/* Nobody serves these here. */
static int measure_custom(struct judging *j, const json_t *source, struct hpa_proposal *ret, json_t **ret_status,
                          struct err *err)
{
    (void)j, (void)ret, (void)ret_status;
    return err_set(err, 0, "unable to get metric %s: " NO_CUSTOM, jstr_or(source, "metric.name", ""));
}

static int measure_external(struct judging *j, const json_t *source, struct hpa_proposal *ret, json_t **ret_status,
                            struct err *err)
{
    (void)j, (void)ret, (void)ret_status;
    return err_set(err, 0, "unable to get external metric %s: " NO_EXTERNAL, jstr_or(source, "metric.name", ""));
}

static const struct {
    const char *type, *member, *failed, *what; /* what: in "failed to get … metric value" */
    measure_fn *measure;
} sources[] = {
    {"Resource", "resource", "FailedGetResourceMetric", "resource", measure_resource},
    {"ContainerResource", "containerResource", "FailedGetContainerResourceMetric", "container resource",
     measure_container},
    {"Pods", "pods", "FailedGetPodsMetric", "pods", measure_custom},
    {"Object", "object", "FailedGetObjectMetric", "object", measure_custom},
    {"External", "external", "FailedGetExternalMetric", "external", measure_external},
};

static void fail(struct hpa_verdict *v, size_t which, const json_t *source, const struct err *err)
{
    if (v->invalid++)
        return;
    const char *resource = jstr_or(source, "name", "");
    v->failed = sources[which].failed;
    v->metric_err = v->first_err = *err;
    err_wrap(&v->first_err, "failed to get %s%s%s metric value", resource, *resource ? " " : "", sources[which].what);
}

static void judge_one(struct judging *j, const json_t *metric, struct hpa_verdict *v, json_t *current)
{
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        struct hpa_proposal p = {0};
        struct err err;
        json_t *status = NULL;
        const json_t *source = jget(metric, sources[i].member);
        if (!streq(jstr_or(metric, "type", ""), sources[i].type))
            continue;
        if (sources[i].measure(j, source, &p, &status, &err) < 0) {
            fail(v, i, source, &err);
            json_array_append_new(current, json_pack("{s:s}", "type", ""));
            return;
        }
        json_array_append_new(current, json_pack("{s:s, s:o}", "type", sources[i].type, sources[i].member, status));
        if (!*v->name || p.replicas > v->replicas) {
            v->replicas = p.replicas;
            memcpy(v->name, j->name, sizeof(v->name));
        }
    }
}

void hpa_judge(const json_t *spec, const json_t *pods, const json_t *metrics, int64_t current, int64_t now_usec,
               struct hpa_verdict *ret, json_t **ret_current)
{
    struct judging j = {.pods = pods, .metrics = metrics, .current = current, .now_usec = now_usec};
    size_t i;
    json_t *metric;
    *ret = (struct hpa_verdict){0};
    *ret_current = json_array();
    json_array_foreach(jget(spec, "metrics"), i, metric)
        judge_one(&j, metric, ret, *ret_current);
}
