/* See rollout.h. */
#include "control/rollout.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t int_or_percent(const json_t *value, int64_t total, bool round_up)
{
    if (json_is_integer(value))
        return json_integer_value(value);
    const char *text = json_string_value(value);
    int64_t percent = 0;
    _cleanup_free_ char *digits = text ? xstrndup(text, strcspn(text, "%")) : NULL;
    if (!text || !str_to_i64(digits, 0, INT32_MAX, &percent))
        return 0;
    return (percent * total + (round_up ? 99 : 0)) / 100;
}

void rollout_init(struct rollout *r, const json_t *d)
{
    *r = (struct rollout){.replicas = jint(d, "spec.replicas", 1), .status_replicas = jint(d, "status.replicas", 0)};
    r->rolling = streq(jstr_or(d, "spec.strategy.type", "RollingUpdate"), "RollingUpdate");
    if (!r->rolling)
        return;
    r->max_surge = int_or_percent(jget(d, "spec.strategy.rollingUpdate.maxSurge"), r->replicas, true);
    r->max_unavailable = int_or_percent(jget(d, "spec.strategy.rollingUpdate.maxUnavailable"), r->replicas, false);
    if (!r->max_surge && !r->max_unavailable)
        r->max_unavailable = 1; /* both rounded to nothing: the rollout could not move */
    r->max_unavailable = min(r->max_unavailable, r->replicas);
}

struct rollout_set *rollout_new_set(const struct rollout *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->sets[i].is_new)
            return &r->sets[i];
    return NULL;
}

int64_t rollout_sum(const struct rollout *r, enum rollout_sum what)
{
    int64_t sum = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct rollout_set *s = &r->sets[i];
        sum += what == SUM_SPEC     ? s->replicas
               : what == SUM_ACTUAL ? s->actual
               : what == SUM_READY  ? s->ready
                                    : s->available;
    }
    return sum;
}

bool rollout_changes(const struct rollout *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->sets[i].to != r->sets[i].replicas)
            return true;
    return false;
}

static void keep_all(struct rollout *r)
{
    for (size_t i = 0; i < r->n; i++)
        r->sets[i].to = r->sets[i].replicas;
}

/* Pointers to the sets for which `wanted` holds, sorted; the caller frees. */
static struct rollout_set **choose(const struct rollout *r, bool (*wanted)(const struct rollout_set *),
                                   int (*order)(const void *, const void *), size_t *ret_n)
{
    struct rollout_set **chosen = xcalloc(r->n + 1, sizeof(struct rollout_set *));
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (wanted(&r->sets[i]))
            chosen[n++] = &r->sets[i];
    qsort(chosen, n, sizeof(struct rollout_set *), order);
    *ret_n = n;
    return chosen;
}

static bool is_active(const struct rollout_set *s)
{
    return s->replicas > 0;
}

static bool is_old_and_active(const struct rollout_set *s)
{
    return !s->is_new && s->replicas > 0;
}

static bool is_any(const struct rollout_set *s)
{
    (void)s;
    return true;
}

static int by_creation(const void *pa, const void *pb)
{
    const struct rollout_set *a = *(struct rollout_set *const *)pa, *b = *(struct rollout_set *const *)pb;
    if (a->created_usec != b->created_usec)
        return a->created_usec < b->created_usec ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int larger_then_older(const void *pa, const void *pb)
{
    const struct rollout_set *a = *(struct rollout_set *const *)pa, *b = *(struct rollout_set *const *)pb;
    if (a->replicas != b->replicas)
        return a->replicas > b->replicas ? -1 : 1;
    return by_creation(pa, pb);
}

static int larger_then_newer(const void *pa, const void *pb)
{
    const struct rollout_set *a = *(struct rollout_set *const *)pa, *b = *(struct rollout_set *const *)pb;
    if (a->replicas != b->replicas)
        return a->replicas > b->replicas ? -1 : 1;
    return -by_creation(pa, pb);
}

/* --- a changed number --- */

bool rollout_is_scaled(const struct rollout *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (is_active(&r->sets[i]) && r->sets[i].desired_mark >= 0 && r->sets[i].desired_mark != r->replicas)
            return true;
    return false;
}

/* The only active set; without any, the new one or else the latest. NULL while several are active. */
static struct rollout_set *active_or_latest(const struct rollout *r)
{
    size_t n;
    _cleanup_free_ struct rollout_set **active = choose(r, is_active, by_creation, &n);
    if (n)
        return n == 1 ? active[0] : NULL;
    if (rollout_new_set(r))
        return rollout_new_set(r);
    _cleanup_free_ struct rollout_set **all = choose(r, is_any, by_creation, &n);
    return n ? all[n - 1] : NULL;
}

static bool is_saturated(const struct rollout *r, const struct rollout_set *s)
{
    return s && s->replicas == r->replicas && s->desired_mark == r->replicas && s->available == r->replicas;
}

static int64_t round_div(int64_t a, int64_t b)
{
    return (a + b / 2) / b;
}

/* The set's fair part of the change, before the rest is cut off. */
static int64_t fraction(const struct rollout *r, const struct rollout_set *s)
{
    if (!r->replicas)
        return -s->replicas;
    int64_t before = s->max_mark > 0 ? s->max_mark : r->status_replicas;
    if (before <= 0)
        return 0;
    return round_div(s->replicas * (r->replicas + r->max_surge), before) - s->replicas;
}

static void scale_in_proportion(struct rollout *r)
{
    int64_t allowed = r->replicas > 0 ? r->replicas + r->max_surge : 0;
    int64_t to_add = allowed - rollout_sum(r, SUM_SPEC), added = 0;
    size_t n;
    _cleanup_free_ struct rollout_set **active =
        choose(r, is_active, to_add > 0 ? larger_then_newer : larger_then_older, &n);
    for (size_t i = 0; i < n && to_add != added; i++) {
        int64_t rest = to_add - added, part = fraction(r, active[i]);
        part = to_add > 0 ? min(part, rest) : max(part, rest);
        active[i]->to += part;
        added += part;
    }
    if (n && to_add)
        active[0]->to = max(active[0]->to + to_add - added, 0);
}

void rollout_scale(struct rollout *r)
{
    keep_all(r);
    struct rollout_set *only = active_or_latest(r);
    if (only) {
        only->to = r->replicas;
        return;
    }
    if (is_saturated(r, rollout_new_set(r))) {
        for (size_t i = 0; i < r->n; i++)
            if (!r->sets[i].is_new)
                r->sets[i].to = 0;
        return;
    }
    if (r->rolling)
        scale_in_proportion(r);
}

/* --- a rolling update --- */

int64_t rollout_new_replicas(const struct rollout *r, int64_t has)
{
    if (!r->rolling)
        return r->replicas;
    int64_t room = r->replicas + r->max_surge - rollout_sum(r, SUM_SPEC);
    return room <= 0 ? has : has + min(room, r->replicas - has);
}

/* Old pods that are not available serve nobody: they go first. Returns how many. */
static int64_t drop_unhealthy(struct rollout_set **old, size_t n, int64_t most)
{
    int64_t dropped = 0;
    for (size_t i = 0; i < n && dropped < most; i++) {
        int64_t unhealthy = min(most - dropped, old[i]->replicas - old[i]->available);
        if (unhealthy <= 0)
            continue;
        old[i]->to -= unhealthy;
        dropped += unhealthy;
    }
    return dropped;
}

/* A set that is being scaled down may still report more than it will keep: upstream counts those and can fall below the
 * minimum when a status is late. */
static int64_t lasting_available(const struct rollout *r)
{
    int64_t sum = 0;
    for (size_t i = 0; i < r->n; i++)
        sum += min(r->sets[i].available, r->sets[i].replicas);
    return sum;
}

static void shrink_old(struct rollout *r, const struct rollout_set *new_set)
{
    int64_t min_available = r->replicas - r->max_unavailable;
    int64_t new_unavailable = max(new_set->replicas - new_set->available, 0);
    int64_t most = rollout_sum(r, SUM_SPEC) - min_available - new_unavailable;
    size_t n;
    _cleanup_free_ struct rollout_set **old = choose(r, is_old_and_active, by_creation, &n);
    if (most <= 0 || !n)
        return;
    most -= drop_unhealthy(old, n, most);
    int64_t surplus = min(lasting_available(r) - min_available, most);
    for (size_t i = 0; i < n && surplus > 0; i++) {
        int64_t part = min(old[i]->to, surplus);
        old[i]->to -= part;
        surplus -= part;
    }
}

void rollout_step(struct rollout *r)
{
    keep_all(r);
    struct rollout_set *new_set = rollout_new_set(r);
    new_set->to = new_set->replicas > r->replicas ? r->replicas : rollout_new_replicas(r, new_set->replicas);
    if (new_set->to == new_set->replicas)
        shrink_old(r, new_set);
}
