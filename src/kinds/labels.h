/* Matching labels as objects carry selectors, for everybody from here upwards. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

/* A plain map selector (Service, ReplicationController): every pair must match. An empty or missing one matches
 * nothing. */
bool map_selector_matches(const json_t *selector, const json_t *labels);
/* metav1.LabelSelector: matchLabels and matchExpressions. NULL matches nothing, an empty one everything. */
bool label_selector_matches(const json_t *selector, const json_t *labels);

/* As in ?labelSelector=: "app=web,tier in (a,b),!old", sorted by key; "" for an empty one. The caller frees. */
char *map_selector_text(const json_t *selector);
char *label_selector_text(const json_t *selector);
