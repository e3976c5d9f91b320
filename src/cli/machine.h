/* A real machine that is one node: its network namespace is the machine's own. Shared by `c8s server` and `c8s agent`.
 */
#pragma once
#include "cli/node.h"
#include "cli/peers.h"
#include "cli/place.h"
#include "cli/podways.h"
#include "service/feed.h"

struct machine {
    struct client *client;
    struct model *model;
    struct model_feed *feed;
    struct netpol_feed *policies;
    struct dns_follow *dns_follow;
    struct informer *nodes;
    struct peers *peers;
    struct podways *podways;
    struct node node;
    const struct machine_place *place;
    bool serves_ingress;
    struct client *ingress_client;
    struct ingress *ingress;
    uv_timer_t *patience; /* with a server that does not answer; NULL: it has, or there is nothing to go by instead */
};
struct machine_config {
    const struct machine_place *place;
    const char *data_dir, *cert, *key, *client_ca;
    const char *memory; /* a folder for what is to be known while the server is away; NULL: it is here */
    const char *const *labels;
    const struct lb_pool *lb_pool;
    bool serves_ingress;
    struct client *ingress_client;    /* with the rights of an Ingress controller, borrowed; NULL: another tells */
    const struct node_policy *policy; /* borrowed as long as the node is there */
};
/* client: with the rights of the node; borrowed. After a failure it must be stopped as well. */
int machine_start(struct machine *m, uv_loop_t *loop, struct client *client, const struct machine_config *config,
                  struct err *err);
/* To be asked at SIGTERM: whether the machine itself is going down. Then its pods end first, and after them the loop's
 * run. arg: the struct machine, which need not have been started. */
bool machine_shuts_down(void *arg);
void machine_stop(struct machine *m); /* containers, addresses and rules stay */
/* Takes away what machine_start and the node have left; without the API. */
int machine_teardown(const char *data_dir, const char *name, struct err *err);
