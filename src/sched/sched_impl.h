/* The scheduler from inside: what its files share. */
#pragma once
#include "client/controller.h"
#include "sched/claims.h"
#include "sched/filters.h"
#include "sched/pending.h"

struct sched {
    struct informer *pods, *nodes, *services, *namespaces, *budgets;
    struct claims_store claims;
    struct cluster cluster;
    struct pending pending;
    struct map settling;  /* keys of pods that have a node as soon as their claims are bound */
    struct map nominated; /* key -> struct sched_pod: room is being made for them on their `node` */
    size_t next_node;     /* where the search for a node goes on, when not all are looked at */
};

/* makeroom.c: pods for which others have to go. */
void nominate(struct sched *s, const json_t *pod, const char *node); /* node "": not any more */
void nominated_forget(struct sched *s, const char *key);
/* Those that p may not overtake are in the cluster between these two. */
void nominated_enter(struct sched *s, const struct sched_pod *p);
void nominated_leave(struct sched *s, const struct sched_pod *p);
/* Tells pods of lower priority to go. Returns the node where they do, or NULL and *ret_why. Borrowed. */
const char *make_room(struct controller *c, struct sched *s, const json_t *pod, const struct sched_pod *p,
                      char **ret_why);
