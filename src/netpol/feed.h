/* Tells the nodes of this process about policies; and, as long as there are any, about pods and namespaces: without
 * policies nobody watches those. */
#pragma once
#include "base/list.h"
#include "client/client.h"

struct netpol_feed;
enum netpol_known {
    KNOWN_NOTHING,  /* whether there are policies is not known yet */
    KNOWN_NONE,     /* there are none */
    KNOWN_POLICIES, /* there are, but not everything about pods and namespaces has come */
    KNOWN_ALL
};
struct netpol_reader {
    struct list link; /* the feed's */
    /* obj NULL: gone. */
    void (*policy)(void *arg, const char *ns, const char *name, struct object *obj);
    void (*pod)(void *arg, const char *ns, const char *name, struct object *obj);
    void (*namespace)(void *arg, const char *ns, const char *name, struct object *obj);
    /* How much is known has changed. At KNOWN_NONE all that was told before is forgotten. */
    void (*known)(void *arg);
    void *arg;
};

struct netpol_feed *netpol_feed_new(struct client *c);
void netpol_feed_free(struct netpol_feed *f); /* after its readers */
enum netpol_known netpol_feed_known(const struct netpol_feed *f);
/* Gets what is there from inside this call. */
void netpol_feed_join(struct netpol_feed *f, struct netpol_reader *r);
void netpol_feed_leave(struct netpol_reader *r);
