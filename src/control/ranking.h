/* Which of its pods a replica controller gives up first (upstream: controller_utils.go, ActivePodsWithRanks). Pure. */
#pragma once
#include <stddef.h>

#include "control/podstate.h"

struct ranked_pod {
    const char *name, *uid;
    const struct pod_state *state;
    int doubled_up; /* active pods of the same owner's owner on this node */
};
/* The first are given up first. */
void rank_for_deletion(struct ranked_pod *pods, size_t n, int64_t now_usec);
