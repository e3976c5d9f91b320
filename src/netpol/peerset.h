/* The addresses of the pods that a peer of a policy means, as sets of the kernel's: one for all policies that mean the
 * same, with a note of what the kernel has, so that a change is the difference. Pure. */
#pragma once
#include "netpol/world.h"

struct peerset {
    int refs; /* of chains */
    unsigned id;
    char *key;
    bool by_address; /* no selectors: all pods, or those with addresses in `blocks` */
    bool broken;     /* what cannot be read means nobody */
    char *ns;        /* where `namespaces` is NULL */
    struct selector *namespaces, *pods;
    struct ranges blocks;
    char *port_name;            /* NULL: addresses alone; else with the number that the name has there */
    enum svc_protocol protocol; /* of that name */
    struct map members;         /* as nft spells them -> struct member */
    bool written, touched;      /* the set is in the kernel; its members are not what is there */
};

/* What a rule wants of one. */
struct peerset_want {
    const char *ns;
    const struct peer *peer;       /* NULL: by address */
    const struct ranges *blocks;   /* NULL: any address; where peer is NULL */
    const struct named_port *port; /* NULL: addresses alone */
};
/* The same for the same set. The caller frees. */
char *peerset_key(const struct peerset_want *want);
struct peerset *peerset_new(const struct peerset_want *want, unsigned id);
void peerset_free(struct peerset *s);

/* Joins or leaves, if the pod is one of those that are meant. A pod leaves with what it joined with. */
void peerset_join(struct peerset *s, const struct world *w, const struct world_pod *pod);
void peerset_leave(struct peerset *s, const struct world *w, const struct world_pod *pod);
void peerset_empty(struct peerset *s); /* all leave */

#define PEERSET_NAME_SIZE 24
const char *peerset_name(const struct peerset *s, int family, char out[PEERSET_NAME_SIZE]);
/* The commands that make the sets (one a family) where there are none, and bring their members up to date. What they
 * are made for counts as done. */
void peerset_write(struct peerset *s, const struct cidrs *families, struct buf *out);
void peerset_write_end(const struct peerset *s, const struct cidrs *families, struct buf *out);
void peerset_forget_written(struct peerset *s); /* the kernel has nothing any more */
