/* The scale subresource: autoscaling/v1 Scale as a window on spec.replicas of any kind that has one. */
#pragma once
#include "server/webhook_match.h"

extern const struct webhook_type scale_type;
/* The Scale of an object. New reference. */
json_t *scale_of(const struct kind *k, const json_t *doc);
/* The number in scale goes into doc. Returns NULL, or the Status that says why it cannot. */
json_t *scale_put(const struct kind *k, json_t *doc, const json_t *scale);
