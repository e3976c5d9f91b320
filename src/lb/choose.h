/* Which node answers for an address. Pure, and the same on every node that sees the same objects. */
#pragma once
#include <stddef.h>

#include "base/ip.h"

/* Highest random weight: addresses spread over the nodes, and a node that comes or goes moves only its own. NULL when
 * there is none to choose from. */
const char *lb_choose(const struct ip *ip, const char *const *nodes, size_t n);
