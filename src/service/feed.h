/* Keeps a model current from informers: Services, EndpointSlices, Nodes and Namespaces of one client. The only file of
 * the room that knows clients. */
#pragma once
#include "client/client.h"
#include "service/model.h"

struct model_feed;
/* Starts at once. memory: a folder where what is known is kept for the next start, when the server may be away (see
 * client/recall.h); NULL: nowhere. */
struct model_feed *model_feed_new(struct client *c, struct model *m, const char *memory);
void model_feed_free(struct model_feed *f);
/* All that was known in an earlier life is in the model. */
bool model_feed_recalled(const struct model_feed *f);
/* Called once when all kinds have been listed: only now is "no such Service" an answer. */
void model_feed_on_synced(struct model_feed *f, void (*fn)(void *arg), void *arg);
