/* The quality of service a pod's resources buy it: who is driven out first when the node runs short. */
#include "base/quantity.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/podspec.h"

static const char *const counted[] = {"cpu", "memory"};

struct sums {
    quantity_nano requests[ARRAY_LEN(counted)], limits[ARRAY_LEN(counted)];
    bool all_limited; /* every container limits everything that counts */
};

/* 0 when there is none. */
static quantity_nano amount(const json_t *resources, const char *side, const char *resource)
{
    struct quantity q;
    const char *text = jstr(jget(resources, side), resource);
    return text && quantity_parse(text, &q) && q.nano > 0 ? q.nano : 0;
}

static void add(struct sums *s, const json_t *resources)
{
    for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
        quantity_nano limit = amount(resources, "limits", counted[i]);
        s->requests[i] += amount(resources, "requests", counted[i]);
        s->limits[i] += limit;
        s->all_limited &= limit > 0;
    }
}

static void add_containers(struct sums *s, const json_t *containers)
{
    size_t i;
    json_t *container;
    json_array_foreach(containers, i, container)
        add(s, jget(container, "resources"));
}

const char *pod_qos_class(const json_t *pod)
{
    struct sums s = {.all_limited = true};
    if (jget(pod, "spec.resources")) {
        add(&s, jget(pod, "spec.resources"));
    } else {
        add_containers(&s, jget(pod, "spec.initContainers"));
        add_containers(&s, jget(pod, "spec.containers"));
    }
    bool any = false, equal = true;
    for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
        any |= s.requests[i] > 0 || s.limits[i] > 0;
        equal &= s.requests[i] == s.limits[i];
    }
    if (!any)
        return "BestEffort";
    return s.all_limited && equal ? "Guaranteed" : "Burstable";
}
