/* ReplicationControllers: replicas.c with a plain map as selector. */
#include "control/replicas.h"
#include "control/list.h"
#include "kinds/kind.h"
#include "kinds/labels.h"

static void *start(struct controller *c)
{
    static const struct replicas_type type = {&kind_replicationcontroller, map_selector_matches};
    return replicas_start(c, &type);
}

static const struct controller_watch watches[] = {
    {&kind_replicationcontroller, NULL}, {&kind_pod, replicas_map_pod}, {NULL, NULL}};

const struct controller_def replication_controller = {
    .name = "replication-controller",
    .watches = watches,
    .reconcile = replicas_reconcile,
    .start = start,
    .stop = replicas_stop,
    .answered = replicas_answered,
};
