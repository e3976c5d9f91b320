/* Events about Ingresses: what cannot be done, told once as long as it is so. */
#pragma once
#include "base/map.h"
#include "client/events.h"

struct tell {
    struct events *events; /* NULL: another one tells */
    struct map told, before;
};
/* What is not told again before tell_end() is over, and told anew when it returns. */
void tell_begin(struct tell *t);
void tell(struct tell *t, const json_t *ingress, const char *reason, const char *text);
void tell_end(struct tell *t);
void tell_done(struct tell *t);
