/* See preempt.h. */
#include "sched/preempt.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/labels.h"

/* One node's way to make room. */
struct candidate {
    struct room room;
    size_t violations;  /* of budgets */
    int64_t priorities; /* sum over the victims */
};

struct search {
    struct cluster *cluster;
    const struct sched_pod *pod;
    const struct budget *budgets;
    size_t n_budgets;
    struct refusals why;
};

/* The more important first: by priority, then by age. */
static int by_importance(const void *a, const void *b)
{
    const struct sched_pod *x = *(struct sched_pod *const *)a, *y = *(struct sched_pod *const *)b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return x->start_usec < y->start_usec ? -1 : x->start_usec > y->start_usec;
}

static bool fits(const struct search *s, const struct sched_node *n, struct refusals *why)
{
    struct decision d;
    decision_begin(&d, s->cluster, s->pod);
    bool result = node_fits(&d, n, why) == FIT_YES;
    decision_done(&d);
    return result;
}

static bool fits_quietly(const struct search *s, const struct sched_node *n)
{
    struct refusals why = {0};
    bool result = fits(s, n, &why);
    refusals_done(&why);
    return result;
}

static size_t lower_pods(const struct search *s, const struct sched_node *n, struct sched_pod **out)
{
    size_t count = 0;
    for (size_t i = 0; i < n->n_pods; i++)
        if (n->pods[i]->priority < s->pod->priority)
            out[count++] = n->pods[i];
    qsort(out, count, sizeof(*out), by_importance);
    return count;
}

/* Sets violates[i] for pods whose going would be one too many for a budget, when all before them go. */
static void find_violations(const struct search *s, struct sched_pod *const *pods, size_t n, bool *violates)
{
    _cleanup_free_ int64_t *left = xcalloc(s->n_budgets + 1, sizeof(int64_t));
    for (size_t b = 0; b < s->n_budgets; b++)
        left[b] = s->budgets[b].allowed;
    for (size_t i = 0; i < n; i++)
        for (size_t b = 0; b < s->n_budgets; b++)
            if (streq(json_string_value(pods[i]->ns), s->budgets[b].ns) &&
                label_selector_matches(s->budgets[b].selector, pods[i]->labels) && --left[b] < 0)
                violates[i] = true;
}

/* Puts back those with violates[i] == which, unless the pod then fits no more. */
static void reprieve(const struct search *s, const struct sched_node *node, struct sched_pod **pods, size_t n,
                     const bool *violates, bool which, bool *victim)
{
    for (size_t i = 0; i < n; i++) {
        if (violates[i] != which)
            continue;
        cluster_take_pod(s->cluster, pods[i]);
        victim[i] = !fits_quietly(s, node);
        if (victim[i])
            cluster_detach_pod(s->cluster, pods[i]->key);
    }
}

/* Takes the array. The pods of the node with lower priority are detached; all are back afterwards. */
static struct candidate choose_victims(const struct search *s, struct sched_node *node, struct sched_pod **pods,
                                       size_t n)
{
    struct candidate c = {.room = {node, pods, 0}};
    _cleanup_free_ bool *violates = xcalloc(n, sizeof(bool)), *victim = xcalloc(n, sizeof(bool));
    find_violations(s, pods, n, violates);
    reprieve(s, node, pods, n, violates, true, victim);
    reprieve(s, node, pods, n, violates, false, victim);
    for (size_t i = 0; i < n; i++) {
        if (!victim[i])
            continue;
        cluster_take_pod(s->cluster, pods[i]);
        c.violations += violates[i];
        c.priorities += pods[i]->priority + (1LL << 31); /* more victims are worse, below 0 too */
        pods[c.room.n++] = pods[i];
    }
    return c;
}

static bool consider(struct search *s, struct sched_node *node, struct candidate *ret)
{
    struct sched_pod **pods = xcalloc(node->n_pods + 1, sizeof(*pods));
    size_t n = lower_pods(s, node, pods);
    if (!n) {
        refusals_add(&s->why, "No preemption victims found for incoming pod");
        free(pods);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        cluster_detach_pod(s->cluster, pods[i]->key);
    if (fits(s, node, &s->why)) {
        *ret = choose_victims(s, node, pods, n);
        return ret->room.n > 0;
    }
    for (size_t i = 0; i < n; i++)
        cluster_take_pod(s->cluster, pods[i]);
    free(pods);
    return false;
}

/* When the oldest of the most important victims began. */
static int64_t oldest_start(const struct candidate *c)
{
    return c->room.victims[0]->start_usec; /* they are sorted */
}

/* Below 0: a hurts less. */
static int compare(const struct candidate *a, const struct candidate *b)
{
    const int64_t order[][2] = {
        {(int64_t)a->violations, (int64_t)b->violations},
        {a->room.victims[0]->priority, b->room.victims[0]->priority},
        {a->priorities, b->priorities},
        {(int64_t)a->room.n, (int64_t)b->room.n},
        {oldest_start(b), oldest_start(a)}, /* the later the better */
    };
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (order[i][0] != order[i][1])
            return order[i][0] < order[i][1] ? -1 : 1;
    return 0;
}

bool preempt(struct cluster *cluster, const struct sched_pod *p, const struct budget *budgets, size_t n_budgets,
             struct room *ret, char **ret_why)
{
    struct search s = {.cluster = cluster, .pod = p, .budgets = budgets, .n_budgets = n_budgets};
    struct candidate best = {0};
    struct map_entry *cursor = NULL;
    size_t total = 0;
    struct decision d;
    decision_begin(&d, cluster, p);
    for (struct sched_node *n; (n = cluster_next_node(cluster, &cursor)); total++) {
        struct candidate c = {0};
        struct refusals ignored = {0};
        bool may_help = node_fits(&d, n, &ignored) != FIT_NEVER;
        refusals_done(&ignored);
        if (!may_help)
            refusals_add(&s.why, "Preemption is not helpful for scheduling");
        else if (consider(&s, n, &c) && (!best.room.n || compare(&c, &best) < 0)) {
            free(best.room.victims);
            best = c;
        } else {
            free(c.room.victims);
        }
    }
    decision_done(&d);
    *ret_why = refusals_text(&s.why, total);
    *ret = best.room;
    return best.room.n > 0;
}
