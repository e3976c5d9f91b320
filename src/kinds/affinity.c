/* What a pod wishes of the node it lands on. */
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/storage.h"

static const struct field node_selector_requirement_fields[] = {
    {"key", F_STR, REQ, .doc = "Label or field."},
    {"operator", F_STR, REQ, .oneof = ONE_OF("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
     .doc = "In, NotIn, Exists, DoesNotExist, Gt or Lt."},
    {"values", F_LIST, OPT, STRINGS, .doc = "Values to compare with."},
    {0},
};

static const struct field node_selector_term_fields[] = {
    {"matchExpressions", F_LIST, OPT, LIST_OF(node_selector_requirement_fields),
     .doc = "Conditions on labels; all must hold."},
    {"matchFields", F_LIST, OPT, LIST_OF(node_selector_requirement_fields),
     .doc = "Conditions on fields (metadata.name); all must hold."},
    {0},
};

const struct field node_selector_fields[] = {
    {"nodeSelectorTerms", F_LIST, REQ | NONEMPTY, LIST_OF(node_selector_term_fields), .doc = "One of them must match."},
    {0},
};

static const struct field preferred_scheduling_term_fields[] = {
    {"weight", F_INT, REQ, .min = 1, .max = 100, .doc = "Weight from 1 to 100."},
    {"preference", F_OBJECT, REQ | ATOMIC, .sub = node_selector_term_fields, .doc = "Which nodes are better."},
    {0},
};

static const struct field node_affinity_fields[] = {
    {"requiredDuringSchedulingIgnoredDuringExecution", F_OBJECT, ATOMIC, .sub = node_selector_fields,
     .doc = "Must hold."},
    {"preferredDuringSchedulingIgnoredDuringExecution", F_LIST, OPT, LIST_OF(preferred_scheduling_term_fields),
     .doc = "Better if it holds."},
    {0},
};

static const struct field pod_affinity_term_fields[] = {
    {"labelSelector", F_OBJECT, ATOMIC, .sub = label_selector_fields, .doc = "Labels of the pods that are meant."},
    {"namespaces", F_LIST, OPT, .sub = namespace_name_item, .doc = "Their namespaces; the pod's own if missing."},
    {"topologyKey", F_STR, REQ, .check = check_qualified_name, .doc = "Node label whose value says what near means."},
    {"namespaceSelector", F_OBJECT, ATOMIC, .sub = label_selector_fields, .doc = "Labels of their namespaces."},
    {"matchLabelKeys", F_LIST, OPT, STRINGS, .doc = "Label keys whose values must equal the new pod's."},
    {"mismatchLabelKeys", F_LIST, OPT, STRINGS, .doc = "Label keys whose values must differ from the new pod's."},
    {0},
};

static const struct field weighted_pod_affinity_term_fields[] = {
    {"weight", F_INT, REQ, .min = 1, .max = 100, .doc = "Weight from 1 to 100."},
    {"podAffinityTerm", F_OBJECT, REQ, .sub = pod_affinity_term_fields, .doc = "Which pods are meant."},
    {0},
};

static const struct field pod_affinity_fields[] = {
    {"requiredDuringSchedulingIgnoredDuringExecution", F_LIST, OPT, LIST_OF(pod_affinity_term_fields),
     .doc = "Must hold."},
    {"preferredDuringSchedulingIgnoredDuringExecution", F_LIST, OPT, LIST_OF(weighted_pod_affinity_term_fields),
     .doc = "Better if it holds."},
    {0},
};

static const struct field pod_anti_affinity_fields[] = {
    {"requiredDuringSchedulingIgnoredDuringExecution", F_LIST, OPT, LIST_OF(pod_affinity_term_fields),
     .doc = "Must hold."},
    {"preferredDuringSchedulingIgnoredDuringExecution", F_LIST, OPT, LIST_OF(weighted_pod_affinity_term_fields),
     .doc = "Better if it holds."},
    {0},
};

const struct field affinity_fields[] = {
    {"nodeAffinity", F_OBJECT, .sub = node_affinity_fields, .doc = "By labels of nodes."},
    {"podAffinity", F_OBJECT, .sub = pod_affinity_fields, .doc = "Near pods that match."},
    {"podAntiAffinity", F_OBJECT, .sub = pod_anti_affinity_fields, .doc = "Away from pods that match."},
    {0},
};

const struct field toleration_fields[] = {
    {"key", F_STR, OPT, .check = check_qualified_name, .doc = "Key of the taint; all taints if missing with Exists."},
    {"operator", F_STR, OPT, .oneof = ONE_OF("Equal", "Exists"), .doc = "Equal (default) or Exists."},
    {"value", F_STR, OPT, .doc = "Value of the taint."},
    {"effect", F_STR, OPT, .oneof = ONE_OF("NoSchedule", "PreferNoSchedule", "NoExecute"),
     .doc = "Effect of the taint; all effects if missing."},
    {"tolerationSeconds", F_INT64, .doc = "For how long a NoExecute taint is tolerated."},
    {0},
};

const struct field topology_spread_constraint_fields[] = {
    {"maxSkew", F_INT, REQ, .min = 1, .max = NO_MAX, .doc = "Largest difference between two domains."},
    {"topologyKey", F_STR, REQ, .check = check_qualified_name, .doc = "Node label whose values are the domains."},
    {"whenUnsatisfiable", F_STR, REQ, .oneof = ONE_OF("DoNotSchedule", "ScheduleAnyway"),
     .doc = "DoNotSchedule or ScheduleAnyway."},
    {"labelSelector", F_OBJECT, ATOMIC, .sub = label_selector_fields, .doc = "Labels of the pods that are counted."},
    {"minDomains", F_INT, .min = 1, .max = NO_MAX, .doc = "Fewest domains that should exist."},
    {"nodeAffinityPolicy", F_STR, .oneof = ONE_OF("Honor", "Ignore"),
     .doc = "Whether only nodes that fit the affinity count."},
    {"nodeTaintsPolicy", F_STR, .oneof = ONE_OF("Honor", "Ignore"),
     .doc = "Whether only nodes with tolerated taints count."},
    {"matchLabelKeys", F_LIST, OPT, STRINGS, .doc = "Label keys whose values must equal the new pod's."},
    {0},
};
