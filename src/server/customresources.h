/* Follows CustomResourceDefinitions: what they define is served from the moment on at which they are durable. */
#pragma once
#include "server/pipeline.h"

void customresources_init(struct server *s); /* defines those that are stored */
void customresources_done(struct server *s);
/* A new definition when there are too many, or a new object of one that is going away: the Status to answer. */
json_t *customresources_check_create(const struct request *r);
