/* The numbers of a Deployment's rollout: how many pods each of its ReplicaSets shall have next. Pure (upstream:
 * pkg/controller/deployment/{rolling,sync}.go, util/deployment_util.go). Each function writes .to and leaves it equal
 * to .replicas where nothing changes. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One ReplicaSet. */
struct rollout_set {
    const char *name;
    bool is_new;
    int64_t replicas;                 /* spec.replicas */
    int64_t actual, ready, available; /* status */
    int64_t desired_mark, max_mark;   /* annotations desired-replicas and max-replicas; -1: none */
    int64_t created_usec;
    int64_t to;
};

struct rollout {
    int64_t replicas;                   /* what the Deployment wants */
    bool rolling;                       /* RollingUpdate, not Recreate */
    int64_t max_surge, max_unavailable; /* resolved; 0 for Recreate */
    int64_t status_replicas;
    struct rollout_set *sets; /* at most one is new */
    size_t n;
};

/* intstr.GetScaledValueFromIntOrPercent: 3 or "25%" of total. */
int64_t int_or_percent(const json_t *value, int64_t total, bool round_up);
/* Fills everything but the sets from a Deployment. */
void rollout_init(struct rollout *r, const json_t *deployment);
/* How many replicas a new set should have now, given that it has `has` and the others what they have. */
int64_t rollout_new_replicas(const struct rollout *r, int64_t has);
/* Somebody changed spec.replicas since the sets were last sized. */
bool rollout_is_scaled(const struct rollout *r);
/* Sizes the sets for a changed spec.replicas, in proportion while several are active. */
void rollout_scale(struct rollout *r);
/* One step of a rolling update; a new set must exist. */
void rollout_step(struct rollout *r);
bool rollout_changes(const struct rollout *r); /* any .to differs */

struct rollout_set *rollout_new_set(const struct rollout *r); /* NULL when there is none */
enum rollout_sum { SUM_SPEC, SUM_ACTUAL, SUM_READY, SUM_AVAILABLE };
int64_t rollout_sum(const struct rollout *r, enum rollout_sum what);
