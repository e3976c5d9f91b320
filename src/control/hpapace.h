/* How fast the number of pods may follow the proposals: stabilization windows, policies, limits. Pure (upstream:
 * normalizeDesiredReplicasWithBehaviors in pkg/controller/podautoscaler/horizontal.go). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an autoscaler remembers between its rounds; lost with the process, as upstream's. */
struct hpa_moment {
    int64_t at_ms, replicas; /* a proposal, or by how many the number changed */
};
struct hpa_moments {
    struct hpa_moment *all;
    size_t n;
};
struct hpa_memory {
    struct hpa_moments proposals, ups, downs;
};
void hpa_memory_done(struct hpa_memory *m);

struct hpa_pace {
    int64_t replicas;
    const char *able_reason, *able_message; /* of the condition AbleToScale, which is True */
    bool limited;                           /* of ScalingLimited */
    const char *limit_reason, *limit_message;
};

/* spec: of the autoscaler. Remembers the proposal. */
struct hpa_pace hpa_settle(struct hpa_memory *m, const json_t *spec, int64_t current, int64_t proposed, int64_t now_ms);
/* The number was changed. */
void hpa_remember_change(struct hpa_memory *m, int64_t from, int64_t to, int64_t now_ms);
