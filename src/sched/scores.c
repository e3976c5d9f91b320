/* See scores.h. Weights as in upstream's default profile. */
#include "sched/scores.h"

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/taints.h"
#include "sched/affinity.h"
#include "sched/nearness.h"
#include "sched/spread.h"

#define BEST 100

/* What a number means: a score already, or to be put in proportion to the highest among the candidates. */
enum scale { AS_IS, MORE_IS_BETTER, LESS_IS_BETTER, LOWEST_TO_HIGHEST };

struct asking {
    const struct sched_pod *pod;
    struct nearness near;
    struct spread spread;
};

static int64_t free_share(int64_t total, int64_t used)
{
    return total > 0 && used <= total ? (total - used) * BEST / total : 0;
}

static int64_t least_allocated(const struct asking *a, const struct sched_node *n)
{
    return (free_share(n->allocatable.milli_cpu, n->score_cpu + a->pod->score_cpu) +
            free_share(n->allocatable.memory, n->score_memory + a->pod->score_memory)) /
           2;
}

/* CPU and memory should be used up together. */
static int64_t balanced(const struct asking *a, const struct sched_node *n)
{
    int64_t cpu = free_share(n->allocatable.milli_cpu, n->score_cpu + a->pod->score_cpu);
    int64_t memory = free_share(n->allocatable.memory, n->score_memory + a->pod->score_memory);
    return BEST - (cpu > memory ? cpu - memory : memory - cpu) / 2;
}

static int64_t crowding(const struct asking *a, const struct sched_node *n)
{
    return spread_score(&a->spread, n);
}

static int64_t attraction(const struct asking *a, const struct sched_node *n)
{
    return nearness_score(&a->near, n);
}

static int64_t preferred(const struct asking *a, const struct sched_node *n)
{
    return a->pod->prefers_nodes ? node_preference(a->pod, n) : 0;
}

static int64_t taints_to_avoid(const struct asking *a, const struct sched_node *n)
{
    int64_t count = 0;
    for (size_t i = 0; i < json_array_size(n->taints); i++) {
        const json_t *taint = json_array_get(n->taints, i);
        count += streq(jstr_or(taint, "effect", ""), "PreferNoSchedule") &&
                 !taint_is_tolerated(taint, json_object_get(a->pod->spec, "tolerations"));
    }
    return count;
}

static int64_t image_bytes_there(const struct asking *a, const struct sched_node *n)
{
    int64_t sum = 0;
    size_t i;
    json_t *image;
    json_array_foreach(json_object_get(a->pod->spec, "images"), i, image)
        sum += jint(json_object_get(n->images, json_string_value(image)), "", 0) >> 20;
    return sum;
}

static const struct {
    int64_t (*rate)(const struct asking *a, const struct sched_node *n);
    enum scale scale;
    int weight;
} scores[] = {
    {least_allocated, AS_IS, 1},
    {balanced, AS_IS, 1},
    {crowding, LESS_IS_BETTER, 2},
    {attraction, LOWEST_TO_HIGHEST, 2},
    {preferred, MORE_IS_BETTER, 2},
    {taints_to_avoid, LESS_IS_BETTER, 3},
    {image_bytes_there, MORE_IS_BETTER, 1},
};

/* SCORE_WORST is outside of all proportions. */
static int64_t scaled(int64_t rating, int64_t lowest, int64_t highest, enum scale scale)
{
    if (scale == AS_IS)
        return rating;
    if (rating == SCORE_WORST)
        return 0;
    if (scale == LOWEST_TO_HIGHEST)
        return highest > lowest ? (rating - lowest) * BEST / (highest - lowest) : 0;
    int64_t share = highest ? rating * BEST / highest : 0;
    return scale == MORE_IS_BETTER ? share : BEST - share;
}

static void add_score(const struct asking *a, size_t which, struct sched_node *const *candidates, size_t n,
                      int64_t *ratings, int64_t *ret_scores)
{
    int64_t lowest = INT64_MAX, highest = scores[which].scale == LOWEST_TO_HIGHEST ? INT64_MIN : 0;
    for (size_t i = 0; i < n; i++) {
        ratings[i] = scores[which].rate(a, candidates[i]);
        if (ratings[i] == SCORE_WORST)
            continue;
        highest = ratings[i] > highest ? ratings[i] : highest;
        lowest = ratings[i] < lowest ? ratings[i] : lowest;
    }
    for (size_t i = 0; i < n; i++)
        ret_scores[i] += scores[which].weight * scaled(ratings[i], lowest, highest, scores[which].scale);
}

void score_nodes(const struct cluster *c, const struct sched_pod *p, const json_t *selectors,
                 struct sched_node *const *candidates, size_t n, int64_t *ret_scores)
{
    struct asking a = {.pod = p};
    _cleanup_free_ int64_t *ratings = xcalloc(n + 1, sizeof(int64_t));
    nearness_weigh(&a.near, p, c);
    spread_count(&a.spread, p, selectors, c, false);
    for (size_t i = 0; i < n; i++)
        ret_scores[i] = 0;
    for (size_t s = 0; s < ARRAY_LEN(scores); s++)
        add_score(&a, s, candidates, n, ratings, ret_scores);
    nearness_done(&a.near);
    spread_done(&a.spread);
}
