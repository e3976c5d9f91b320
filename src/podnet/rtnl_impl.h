/* What the files of rtnl share: requests put together and answered. */
#pragma once
#include <libmnl/libmnl.h>

#include "podnet/rtnl.h"

#define MESSAGE_SIZE 1024 /* every request of ours is far smaller */

struct nlmsghdr *rtnl_message(void *buffer, int type, int flags);
/* Sends and waits for the acknowledgement: 0 or an errno value. Replies are handed to cb. */
int rtnl_talk(struct rtnl *r, struct nlmsghdr *m, mnl_cb_t cb, void *arg);
/* One change; `fine` is an errno value that means: already so. */
int rtnl_change(struct rtnl *r, struct nlmsghdr *m, int fine, struct err *err, const char *what, const char *name);
void rtnl_put_ip(struct nlmsghdr *m, uint16_t type, const struct ip *ip);
/* False: of no family that we know (multicast routes, for one). */
bool rtnl_read_ip(const struct nlattr *a, int family, struct ip *ret);
int rtnl_no_link(struct err *err, const char *name);
