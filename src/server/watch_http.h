/* A watch over HTTP: events as lines of JSON in an answer that does not end. */
#pragma once
#include "server/represent.h"

/* Takes the request and its exchange. */
/* A hundred for each of a hundred controllers or nodes. An idle one costs a kilobyte or two; what one may lag behind
 * has its own limit. */
#define WATCHES_MAX 10000
void watch_http(struct request *r, const struct negotiated *form);
void frame_free(struct frame *f);
