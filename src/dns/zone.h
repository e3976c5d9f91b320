/* The cluster's zone ("cluster.local") and the names in it, in wire format: lower case, one length byte a label. */
#pragma once
#include <libknot/dname.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

#define LABEL_SIZE 64 /* the longest label and its NUL */

struct zone {
    knot_dname_storage_t origin;
    size_t origin_size;
    struct ips servers; /* what ns.dns.ZONE resolves to: the addresses this DNS answers on */
};

/* false: not a domain name, or too long to hold Services. */
bool zone_init(struct zone *z, const char *domain, const struct ips *servers);
/* The name `labels[0].labels[1]…ZONE` into out; its size, or 0 when a label is empty or anything is too long. */
size_t zone_name(const struct zone *z, const char *const *labels, size_t n, knot_dname_storage_t out);
/* How many labels `name` has in front of the zone's; -1: it lies elsewhere. Written as texts, first label first, up to
 * max of them. A label that is no text of letters, digits, '-' and '_' (or *) comes out as "", which no object is
 * called. */
int zone_labels(const struct zone *z, const knot_dname_t *name, char labels[][LABEL_SIZE], int max);

/* "10-244-0-5", "fd00--5": how addresses are spelled in names, and back. */
void ip_dashed(const struct ip *ip, char out[LABEL_SIZE]);
bool ip_from_dashed(const char *text, struct ip *ret);
/* The address a reverse name (in-addr.arpa, ip6.arpa) stands for; false for every other name. */
bool ip_from_reverse_name(const knot_dname_t *name, struct ip *ret);
