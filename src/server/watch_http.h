/* A watch over HTTP: events as lines of JSON in an answer that does not end. */
#pragma once
#include "server/represent.h"

/* Takes the request and its exchange. */
void watch_http(struct request *r, const struct negotiated *form);
void frame_free(struct frame *f);
