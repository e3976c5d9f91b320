/* status.loadBalancer of Ingresses: where those that are served are. */
#pragma once
#include "base/map.h"
#include "client/client.h"

struct ingress_status {
    struct client *client;
    json_t *places;       /* as places_list() makes it */
    struct map published; /* "ns/name" → revision whose status we have patched */
};
/* Takes the list. False: it is what it was. */
bool ingress_status_move(struct ingress_status *s, json_t *places);
void ingress_status_publish(struct ingress_status *s, const json_t *ingress, bool served);
void ingress_status_done(struct ingress_status *s);
