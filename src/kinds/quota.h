/* What ResourceQuotas count: pure, for the admission that refuses and the controller that reports. */
#pragma once
#include "base/quantity.h"
#include "kinds/kind.h"

/* Whether objects of this kind count for a resource of spec.hard ("pods", "limits.cpu", "count/deployments.apps"). */
bool quota_counts(const char *resource, const struct kind *k);
/* Whether the quota's scopes and scopeSelector take the object in. */
bool quota_covers(const json_t *quota, const struct kind *k, const json_t *obj);
/* How much of the resource the object takes; nothing for kinds that do not count. */
struct quantity quota_usage(const char *resource, const struct kind *k, const json_t *obj);
/* Whether the two above look into objects of the kind; for the others obj may be NULL. */
bool quota_reads(const struct kind *k);
/* What a quota that covers the pod wants every container to state and one does not ("limits.cpu for: a,b; …"), or
 * NULL. The caller frees. */
char *quota_unstated(const json_t *quota, const json_t *pod);
/* Whether a name can stand in spec.hard, and whether only whole numbers can be its amount. */
bool quota_knows(const char *resource);
bool quota_is_whole(const char *resource);
