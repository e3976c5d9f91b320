/* See hpapace.h. */
#include "control/hpapace.h"

#include <math.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

#define PERIOD_MS_MAX (1800LL * 1000) /* of a policy; validation allows no more */
#define WINDOW_MS_MAX (3600LL * 1000) /* of stabilization */
#define SECOND 1000

/* Upstream's --horizontal-pod-autoscaler-downscale-stabilization. */
#define DOWN_WINDOW_SECONDS 300

static const struct policy {
    const char *type;
    int64_t value, seconds;
} up_policies[] = {{"Pods", 4, 15}, {"Percent", 100, 15}}, down_policies[] = {{"Percent", 100, 15}};

void hpa_memory_done(struct hpa_memory *m)
{
    free(m->proposals.all);
    free(m->ups.all);
    free(m->downs.all);
    *m = (struct hpa_memory){0};
}

/* Older ones are forgotten. */
static void remember(struct hpa_moments *list, int64_t replicas, int64_t now_ms, int64_t keep_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++)
        if (now_ms - list->all[i].at_ms <= keep_ms)
            list->all[kept++] = list->all[i];
    list->all = xrealloc(list->all, (kept + 1) * sizeof(*list->all));
    list->all[kept] = (struct hpa_moment){now_ms, replicas};
    list->n = kept + 1;
}

void hpa_remember_change(struct hpa_memory *m, int64_t from, int64_t to, int64_t now_ms)
{
    if (to > from)
        remember(&m->ups, to - from, now_ms, PERIOD_MS_MAX);
    else if (to < from)
        remember(&m->downs, from - to, now_ms, PERIOD_MS_MAX);
}

/* --- stabilization --- */

static int64_t stabilized(const struct hpa_memory *m, const json_t *spec, int64_t current, int64_t proposed,
                          int64_t now_ms)
{
    int64_t up_ms = SECOND * jint(spec, "behavior.scaleUp.stabilizationWindowSeconds", 0);
    int64_t down_ms = SECOND * jint(spec, "behavior.scaleDown.stabilizationWindowSeconds", DOWN_WINDOW_SECONDS);
    int64_t lowest = proposed, highest = proposed, result = current;
    for (size_t i = 0; i < m->proposals.n; i++) {
        const struct hpa_moment *p = &m->proposals.all[i];
        if (now_ms - p->at_ms < up_ms && p->replicas < lowest)
            lowest = p->replicas;
        if (now_ms - p->at_ms < down_ms && p->replicas > highest)
            highest = p->replicas;
    }
    if (result < lowest)
        result = lowest;
    return result > highest ? highest : result;
}

/* --- policies --- */

static int64_t sum_since(const struct hpa_moments *list, int64_t since_ms)
{
    int64_t sum = 0;
    for (size_t i = 0; i < list->n; i++)
        if (list->all[i].at_ms > since_ms)
            sum += list->all[i].replicas;
    return sum;
}

static int64_t reach_of(const struct hpa_memory *m, const struct policy *p, bool up, int64_t current, int64_t now_ms)
{
    int64_t since = now_ms - p->seconds * SECOND;
    int64_t before = current - sum_since(&m->ups, since) + sum_since(&m->downs, since);
    double share = (double)p->value / 100;
    if (streq(p->type, "Pods"))
        return up ? before + p->value : before - p->value;
    return up ? (int64_t)ceil((double)before * (1 + share)) : (int64_t)((double)before * (1 - share));
}

/* How far it may go now, one way. */
static int64_t reach(const struct hpa_memory *m, const json_t *rules, bool up, int64_t current, int64_t now_ms)
{
    const char *select = jstr_or(rules, "selectPolicy", "Max");
    const json_t *given = jget(rules, "policies");
    const struct policy *defaults = up ? up_policies : down_policies;
    size_t n = json_array_size(given), n_defaults = up ? ARRAY_LEN(up_policies) : ARRAY_LEN(down_policies);
    bool larger = up != streq(select, "Min"); /* the larger number wins */
    int64_t result = current;
    if (streq(select, "Disabled"))
        return current;
    for (size_t i = 0; i < (n ? n : n_defaults); i++) {
        const json_t *one = json_array_get(given, i);
        struct policy p =
            n ? (struct policy){jstr_or(one, "type", ""), jint(one, "value", 0), jint(one, "periodSeconds", 0)}
              : defaults[i];
        int64_t to = reach_of(m, &p, up, current, now_ms);
        result = i == 0 || (larger ? to > result : to < result) ? to : result;
    }
    return up ? (result > current ? result : current) : (result < current ? result : current);
}

static struct hpa_pace limit(const struct hpa_memory *m, const json_t *spec, int64_t current, int64_t wanted,
                             int64_t now_ms)
{
    int64_t max = jint(spec, "maxReplicas", 1), min = jint(spec, "minReplicas", 1);
    int64_t up = reach(m, jget(spec, "behavior.scaleUp"), true, current, now_ms);
    int64_t down = reach(m, jget(spec, "behavior.scaleDown"), false, current, now_ms);
    if (wanted > current && wanted > up && up < max)
        return (struct hpa_pace){.replicas = up,
                                 .limited = true,
                                 .limit_reason = "ScaleUpLimit",
                                 .limit_message =
                                     "the desired replica count is increasing faster than the maximum scale rate"};
    if (wanted > max)
        return (struct hpa_pace){.replicas = max,
                                 .limited = true,
                                 .limit_reason = "TooManyReplicas",
                                 .limit_message = "the desired replica count is more than the maximum replica count"};
    if (wanted < current && wanted < down && down > min)
        return (struct hpa_pace){.replicas = down,
                                 .limited = true,
                                 .limit_reason = "ScaleDownLimit",
                                 .limit_message =
                                     "the desired replica count is decreasing faster than the maximum scale rate"};
    if (wanted < min)
        return (struct hpa_pace){.replicas = min,
                                 .limited = true,
                                 .limit_reason = "TooFewReplicas",
                                 .limit_message = "the desired replica count is less than the minimum replica count"};
    return (struct hpa_pace){.replicas = wanted,
                             .limit_reason = "DesiredWithinRange",
                             .limit_message = "the desired count is within the acceptable range"};
}

struct hpa_pace hpa_settle(struct hpa_memory *m, const json_t *spec, int64_t current, int64_t proposed, int64_t now_ms)
{
    int64_t steady = stabilized(m, spec, current, proposed, now_ms);
    remember(&m->proposals, proposed, now_ms, WINDOW_MS_MAX);
    struct hpa_pace pace = limit(m, spec, current, steady, now_ms);
    pace.able_reason = steady == proposed   ? "ReadyForNewScale"
                       : proposed > current ? "ScaleUpStabilized"
                                            : "ScaleDownStabilized";
    pace.able_message =
        steady == proposed ? "recommended size matches current size"
        : proposed > current
            ? "recent recommendations were lower than current one, applying the lowest recent recommendation"
            : "recent recommendations were higher than current one, applying the highest recent recommendation";
    return pace;
}
