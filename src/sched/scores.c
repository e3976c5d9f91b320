/* See scores.h. Weights as in upstream's default profile. */
#include "sched/scores.h"

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/labels.h"
#include "kinds/taints.h"
#include "sched/affinity.h"

#define BEST 100

/* What a number means: a score already, or to be put in proportion to the highest among the candidates. */
enum scale { AS_IS, MORE_IS_BETTER, LESS_IS_BETTER };

struct asking {
    const struct sched_pod *pod;
    const json_t *selectors;
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

static bool is_sibling(const struct asking *a, const struct sched_pod *other)
{
    if (!json_equal(a->pod->ns, other->ns))
        return false;
    if (a->pod->owner)
        return other->owner && json_equal(a->pod->owner, other->owner);
    for (size_t i = 0; i < json_array_size(a->selectors); i++)
        if (map_selector_matches(json_array_get(a->selectors, i), other->labels))
            return true;
    return false;
}

static int64_t siblings(const struct asking *a, const struct sched_node *n)
{
    int64_t count = 0;
    for (size_t i = 0; i < n->n_pods; i++)
        count += is_sibling(a, n->pods[i]);
    return count;
}

static int64_t preferred(const struct asking *a, const struct sched_node *n)
{
    return node_preference(a->pod, n);
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
    {least_allocated, AS_IS, 1},          {balanced, AS_IS, 1},
    {siblings, LESS_IS_BETTER, 2},        {preferred, MORE_IS_BETTER, 2},
    {taints_to_avoid, LESS_IS_BETTER, 3}, {image_bytes_there, MORE_IS_BETTER, 1},
};

static int64_t scaled(int64_t rating, int64_t highest, enum scale scale)
{
    if (scale == AS_IS)
        return rating;
    int64_t share = highest ? rating * BEST / highest : 0;
    return scale == MORE_IS_BETTER ? share : BEST - share;
}

void score_nodes(const struct sched_pod *p, const json_t *selectors, struct sched_node *const *candidates, size_t n,
                 int64_t *ret_scores)
{
    struct asking a = {p, selectors};
    _cleanup_free_ int64_t *ratings = xcalloc(n + 1, sizeof(int64_t));
    for (size_t i = 0; i < n; i++)
        ret_scores[i] = 0;
    for (size_t s = 0; s < ARRAY_LEN(scores); s++) {
        int64_t highest = 0;
        for (size_t i = 0; i < n; i++) {
            ratings[i] = scores[s].rate(&a, candidates[i]);
            highest = ratings[i] > highest ? ratings[i] : highest;
        }
        for (size_t i = 0; i < n; i++)
            ret_scores[i] += scores[s].weight * scaled(ratings[i], highest, scores[s].scale);
    }
}
