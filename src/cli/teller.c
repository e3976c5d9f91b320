/* See teller.h. */
#include "cli/teller.h"

#include "base/alloc.h"
#include "cli/commands.h"
#include "ingress/ingress.h"
#include "kinds/kind.h"
#include "service/feed.h"

struct teller {
    uv_loop_t *loop;
    struct client *client;
    const char *dns;
    struct model *model;
    struct model_feed *feed;
    struct informer *nodes;
    struct ingress *ingress;
};

static void services_are_known(void *arg)
{
    struct teller *t = arg;
    const struct ingress_config config = {.netns_fd = -1, .node_informer = t->nodes, .dns = t->dns, .run_dir = RUN_DIR};
    t->ingress = ingress_new(t->loop, t->client, t->model, &config);
}

struct teller *teller_new(uv_loop_t *loop, struct controlplane *plane, const struct addresses *addresses)
{
    struct teller *t = NEW(struct teller);
    *t = (struct teller){.loop = loop, .client = plane->manager, .dns = addresses->primary_dns};
    t->model = model_new();
    t->feed = model_feed_new(t->client, t->model, NULL);
    t->nodes = informer_new(t->client, &kind_node, NULL);
    informer_start(t->nodes);
    model_feed_on_synced(t->feed, services_are_known, t);
    return t;
}

void teller_free(struct teller *t)
{
    if (!t)
        return;
    ingress_free(t->ingress);
    informer_free(t->nodes);
    model_feed_free(t->feed);
    model_free(t->model);
    free(t);
}
