/* Which nodes a DaemonSet's pods belong on, which pods are to be made and which go. Pure (upstream:
 * pkg/controller/daemon/{daemon_controller,update}.go). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/podstate.h"

/* --- one pod and one node --- */

/* A copy of the template's spec with the tolerations that every daemon has. */
json_t *daemon_pod_spec(const json_t *spec);
enum daemon_fit { FIT_NONE, FIT_STAY /* where it runs already */, FIT_RUN };
enum daemon_fit daemon_fits(const json_t *pod_spec, const json_t *node);
json_t *daemon_node_facts(const json_t *node); /* all of a node that daemon_fits() looks at */
/* Binds a pod to be made to one node, by affinity; and reads that again: "" when there is none. */
void daemon_aim(json_t *pod, const char *node);
const char *daemon_target(const json_t *pod);

/* --- all of them --- */

enum doom { DOOM_NO, DOOM_FINISHED, DOOM_SURPLUS, DOOM_MISPLACED, DOOM_OLD };

struct daemon_pod {
    struct object *object;
    const struct pod_state *state;
    bool is_new; /* of the present template */
    bool available;
    const char *node; /* "" when it is meant for none */
    enum doom why;    /* planned: it goes */
};

struct daemon_node {
    const char *name;
    enum daemon_fit fit;
    struct daemon_pod *pods; /* its own, oldest first: after daemon_plan_sort() */
    size_t n;
    bool create; /* planned: it gets a pod */
};

struct daemon_plan {
    const char *hash; /* of the present template; NULL: not known yet */
    bool rolling;
    int64_t max_surge, max_unavailable;
    struct daemon_pod *pods;
    struct daemon_node *nodes;
    size_t n_pods, n_nodes;
};

struct daemon_counts {
    int64_t desired, current, misscheduled, ready, available, updated;
};

/* node is copied. */
void daemon_plan_add_pod(struct daemon_plan *p, const struct daemon_pod *pod, const char *node);
void daemon_plan_add_node(struct daemon_plan *p, const char *name, enum daemon_fit fit);
void daemon_plan_sort(struct daemon_plan *p);
struct daemon_counts daemon_plan_counts(const struct daemon_plan *p);
void daemon_plan_make(struct daemon_plan *p); /* writes .create and .why */
void daemon_plan_done(struct daemon_plan *p);
