/* What the durable objects of namespaces use of their ResourceQuotas: counted once, when a quota first limits a kind,
 * then kept by what the store tells. */
#pragma once
#include "kinds/quotasum.h"
#include "store/store.h"

struct quota_ledger *quota_ledger_new(struct store *s);
void quota_ledger_free(struct quota_ledger *l); /* NULL is fine */
/* The sums over objects of kind k in the namespace of the quota, a durable one. Borrowed until the loop runs on. */
const struct quota_sums *quota_ledger_sums(struct quota_ledger *l, const json_t *quota, const struct kind *k);
