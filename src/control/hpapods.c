/* See hpapods.h. */
#include "control/hpapods.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/quantity.h"
#include "base/str.h"
#include "control/meta.h"
#include "json/json.h"

#define WINDOW_USEC (15LL * 1000000) /* where the metrics don't say; windows are written as seconds */

static int64_t amount_in(const json_t *resources, const char *resource, bool *ret_missing)
{
    struct quantity q;
    const char *text = json_string_value(json_object_get(resources, resource));
    *ret_missing = !text || !quantity_parse(text, &q);
    return *ret_missing ? 0 : quantity_milli(&q);
}

static bool is_meant(const json_t *item, const char *container)
{
    return !container || streq(jstr_or(item, "name", ""), container);
}

static bool is_sidecar(const json_t *item)
{
    return streq(jstr_or(item, "restartPolicy", ""), "Always");
}

static void read_requests(struct hpa_pod *p, const json_t *list, bool sidecars, const char *resource,
                          const char *container)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item) {
        bool missing;
        if (!is_meant(item, container) || (sidecars && !is_sidecar(item)))
            continue;
        p->request += amount_in(jget(item, "resources.requests"), resource, &missing);
        if (missing)
            p->no_request = jstr_or(item, "name", "");
    }
}

/* A pod whose containers were not all measured was not measured. */
static void read_usage(struct hpa_pod *p, const json_t *metric, const char *resource, const char *container)
{
    size_t i;
    json_t *item;
    char *end;
    p->measured = false;
    json_array_foreach(jget(metric, "containers"), i, item) {
        bool missing;
        if (!is_meant(item, container))
            continue;
        p->usage += amount_in(jget(item, "usage"), resource, &missing);
        p->measured = !missing;
        if (missing)
            break;
    }
    p->measured_at = jtime(metric, "timestamp");
    double seconds = strtod(jstr_or(metric, "window", ""), &end);
    p->window = seconds > 0 && streq(end, "s") ? (int64_t)(seconds * 1e6) : WINDOW_USEC;
}

struct hpa_pod *hpa_pods_read(const json_t *pods, const json_t *metrics, const char *resource, const char *container)
{
    struct hpa_pod *all = xcalloc(json_array_size(pods) + 1, sizeof(*all));
    size_t i;
    json_t *pod;
    json_array_foreach((json_t *)pods, i, pod) {
        struct hpa_pod *p = &all[i];
        const char *phase = jstr_or(pod, "status.phase", "");
        const json_t *ready = condition_find(pod, "Ready");
        *p = (struct hpa_pod){.name = jstr_or(pod, "metadata.name", ""),
                              .leaving = is_deleting(pod) || streq(phase, "Failed"),
                              .pending = streq(phase, "Pending"),
                              .has_ready = ready,
                              .ready = streq(jstr_or(ready, "status", ""), "True"),
                              .ready_since = jtime(ready, "lastTransitionTime"),
                              .started = jtime(pod, "status.startTime")};
        read_requests(p, jget(pod, "spec.containers"), false, resource, container);
        read_requests(p, jget(pod, "spec.initContainers"), true, resource, container);
        read_usage(p, json_object_get(metrics, p->name), resource, container);
    }
    return all;
}
