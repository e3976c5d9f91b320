/* Taints of nodes against tolerations of pods, for the scheduler and for eviction. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

bool toleration_matches(const json_t *toleration, const json_t *taint);
bool taint_is_tolerated(const json_t *taint, const json_t *tolerations);
