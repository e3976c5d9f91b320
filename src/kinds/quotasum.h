/* What a ResourceQuota's resources sum up to, kept as objects come, change and go: the admission that refuses and the
 * controller that reports would otherwise walk a namespace for each of its pods. Pure. */
#pragma once
#include "kinds/object.h"
#include "kinds/quota.h"

struct quota_sums;
/* Nothing is counted yet. k: only the resources that count it; NULL: all. */
struct quota_sums *quota_sums_new(const json_t *quota, const struct kind *k);
void quota_sums_free(void *sums);
/* Whether the quota says what it said when they were made. */
bool quota_sums_fit(const struct quota_sums *s, const json_t *quota);
/* NULL takes nothing. */
void quota_sums_add(struct quota_sums *s, const struct object *o);
void quota_sums_subtract(struct quota_sums *s, const struct object *o);
/* Zero for what the quota does not name. */
struct quantity quota_sums_of(const struct quota_sums *s, const char *resource);
/* Every resource with its text, as status.used. New reference. */
json_t *quota_sums_used(const struct quota_sums *s);
