/* Keeps a model current from informers: Services, EndpointSlices, Nodes and Namespaces of one client. The only file of
 * the room that knows clients. */
#pragma once
#include "client/client.h"
#include "service/model.h"

struct model_feed;
struct model_feed *model_feed_new(struct client *c, struct model *m); /* starts at once */
void model_feed_free(struct model_feed *f);
/* Called once when all kinds have been listed: only now is "no such Service" an answer. */
void model_feed_on_synced(struct model_feed *f, void (*fn)(void *arg), void *arg);
