/* The terms of pod affinity and anti-affinity: which other pods are meant, and what near means. Pure. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"

struct pod_term {
    json_t *selector;                        /* with what matchLabelKeys add; NULL matches nothing */
    json_t *namespaces, *namespace_selector; /* of the pods that are meant; either may be NULL */
    const char *key;                         /* the node label whose value says what near means */
    int weight;                              /* of a preference; below 0: away */
};

struct pod_terms {
    struct pod_term *all;
    size_t n;
};

enum terms { TERMS_NEAR, TERMS_AWAY, TERMS_PREFERRED, TERMS_N };

/* Reads spec.affinity of a pod in `ns` with these labels. Borrows texts from affinity. */
void terms_parse(struct pod_terms ret[TERMS_N], const json_t *affinity, const json_t *ns, const json_t *labels);
void terms_done(struct pod_terms terms[TERMS_N]);
/* Does it mean a pod in `ns` with these labels? namespaces: name -> labels of each. */
bool term_means(const struct pod_term *t, const json_t *ns, const json_t *labels, const struct map *namespaces);

/* selector and for each key the condition that its value equals (or, unlike: differs from) the one in labels; keys that
 * labels don't have say nothing. New reference; NULL when there is no selector. */
json_t *selector_with_keys(const json_t *selector, const json_t *keys, const json_t *labels, bool unlike);
