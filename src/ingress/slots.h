/* Where the endpoints of each backend are among HAProxy's servers. HAProxy gets more servers than it needs; an endpoint
 * that comes takes a free one, one that goes gives its own back, and both are one command each. Only when they don't
 * suffice does the configuration change its shape. Pure. */
#pragma once
#include "base/buf.h"
#include "base/ip.h"
#include "base/map.h"
#include "service/model.h"

struct slot {
    struct ip ip; /* family 0: free */
    uint16_t port;
};
struct slot_row {
    struct slot *slots;
    size_t n;
};
struct slots {
    struct map rows; /* name of the backend → struct slot_row */
};
void slots_done(struct slots *s);

/* Brings a backend to the endpoints of a service port (NULL: none). Appends the commands that tell a HAProxy which had
 * the slots as they were. False: there are more slots than before, commands don't help. */
bool slots_update(struct slots *s, const char *backend, const struct svc_port *port, struct buf *commands);
/* Forgets all but these backends. */
void slots_keep(struct slots *s, const struct map *backends);
const struct slot_row *slots_get(const struct slots *s, const char *backend); /* NULL: never updated */
