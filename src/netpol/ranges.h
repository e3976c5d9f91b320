/* Sets of addresses as ranges, of both families: what ipBlocks with their exceptions come to. Pure. */
#pragma once
#include "base/buf.h"
#include "base/ip.h"

struct range {
    struct ip first, last;
};
struct ranges {
    struct range *list; /* sorted, with a gap between any two, once ranges_tidy() has been called */
    size_t n;
};
void ranges_done(struct ranges *r);
void ranges_add(struct ranges *r, const struct cidr *c);
void ranges_add_all(struct ranges *r, const struct ranges *other);
void ranges_tidy(struct ranges *r);
/* Both tidy, and so is the result. */
void ranges_subtract(struct ranges *r, const struct ranges *what);
bool ranges_have(const struct ranges *r, const struct ip *ip); /* tidy */
/* Those of the family as nft spells them, with a comma between. Returns how many. */
size_t ranges_print(const struct ranges *r, int family, struct buf *out);
