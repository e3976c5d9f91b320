/* See affinity.h. */
#include "sched/affinity.h"

#include "json/json.h"
#include "kinds/nodeselector.h"

bool node_is_required(const struct sched_pod *p, const struct sched_node *n)
{
    return node_is_selected(p->spec, n->name, n->labels);
}

int64_t node_preference(const struct sched_pod *p, const struct sched_node *n)
{
    const json_t *preferred = jget(p->spec, "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution");
    int64_t sum = 0;
    for (size_t i = 0; i < json_array_size(preferred); i++) {
        const json_t *one = json_array_get(preferred, i);
        if (node_term_matches(jget(one, "preference"), n->name, n->labels))
            sum += jint(one, "weight", 0);
    }
    return sum;
}
