/* Follows the ConfigMaps of kube-system in which people configure DNS (coredns, kube-dns, c8s-dns): every change that
 * can be read goes to `apply`, what cannot be read stays as it was and is told by an Event on the ConfigMap. */
#pragma once
#include "client/client.h"
#include "dns/settings.h"

struct dns_follow;
typedef void dns_apply_fn(void *arg, struct settings *s);
/* memory: as of model_feed_new(). */
struct dns_follow *dns_follow_new(struct client *c, const char *memory, dns_apply_fn *apply, void *arg);
void dns_follow_free(struct dns_follow *f);
