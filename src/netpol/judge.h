/* Whether policies let a connection begin: what the rules of a node come to, decided for one packet from the policies
 * themselves. Pure; for people who ask why, and for tests of the rules. */
#pragma once
#include "netpol/world.h"

struct flow {
    const struct world_pod *from, *to; /* NULL: no pod that concerns us; then the address tells */
    struct ip from_ip, to_ip;
    enum svc_protocol protocol;
    uint16_t port;
};
/* policies: those about the pod in that direction; has room for all that there are. Returns how many are in it, and
 * whether one of them allows the flow (true as well when there are none). */
size_t judge_policies(const struct world *w, enum direction d, const struct flow *f, bool *ret_allowed,
                      const struct netpolicy **policies);
/* Does the rule mean the port that the flow goes to, by number or by name? */
bool judge_has_port(const struct netpolicy_rule *r, const struct flow *f);
/* In both directions. */
bool judge(const struct world *w, const struct flow *f);
