/* Where a real machine is: its name, and an address in each family of its cluster. */
#pragma once
#include "base/err.h"
#include "cli/addresses.h"

struct machine_place {
    struct addresses addresses; /* of its cluster */
    char *name;
    char ips[IPS_TEXT_SIZE]; /* its own, in the order of the cluster's families */
    char ip[IP_TEXT_SIZE];   /* the primary one */
    char ifname[16];         /* where that is */
};

struct place_wish {       /* what is not said is found out from the routes */
    const char *node_ips; /* --node-ip: one, or two with a comma between; NULL: not said */
    const struct ip
        *toward; /* an address that it must reach (the server's); NULL: whatever is beyond a default route */
};
void place_init(struct machine_place *ret, const char *name); /* name NULL: the machine's own */
/* families: as addresses_init() takes them. A machine without an address in one of them is refused. */
int place_find(struct machine_place *p, const char *families, const struct place_wish *wish, struct err *err);
void place_done(struct machine_place *p);

/* The address that packets to `to` carry; false: there is no way there. Nothing is sent. */
bool place_source(const struct ip *to, struct ip *ret);
