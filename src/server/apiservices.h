/* The APIServices of what this program serves itself. */
#pragma once
#include "client/client.h"
#include "server/pipeline.h"

/* As they are made, one for each group and version. New reference. */
json_t *apiservices_served(void);
/* Makes those that are missing and deletes those of definitions that are gone. */
void apiservices_sync(struct server *s, struct client *c);
