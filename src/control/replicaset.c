/* ReplicaSets: replicas.c with a LabelSelector. */
#include "control/replicas.h"
#include "control/list.h"
#include "kinds/kind.h"
#include "kinds/labels.h"

static void *start(struct controller *c)
{
    static const struct replicas_type type = {&kind_replicaset, label_selector_matches};
    return replicas_start(c, &type);
}

static const struct controller_watch watches[] = {
    {&kind_replicaset, NULL}, {&kind_pod, replicas_map_pod}, {NULL, NULL}};

const struct controller_def replicaset_controller = {
    .name = "replicaset-controller",
    .watches = watches,
    .reconcile = replicas_reconcile,
    .start = start,
    .stop = replicas_stop,
    .answered = replicas_answered,
};
