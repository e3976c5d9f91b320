/* Nodes against nodeSelector and node affinity, for the scheduler and for DaemonSets (upstream: component-helpers
 * nodeaffinity). Pure. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

/* nodeSelector and required node affinity of a pod spec. labels: the node's. */
bool node_is_selected(const json_t *pod_spec, const char *node, const json_t *labels);
/* All requirements of a NodeSelectorTerm; a term without any matches nothing. */
bool node_term_matches(const json_t *term, const char *node, const json_t *labels);
