/* SRV: on which port who answers. By the specification for named ports; as CoreDNS has it also for a Service's own name
 * and an endpoint's, where they tell all ports, which is how members of a StatefulSet find each other. */
#pragma once
#include "dns/records.h"

struct srv_question {
    const struct svc *svc;
    const char *port, *protocol; /* NULL: any */
    const char *endpoint;        /* its name; NULL: the Service */
};
/* Emits them where they are asked for; other types only learn whether the name exists. */
enum lookup_result srv_lookup(const struct lookup *l, const struct srv_question *q);
/* Of the name `_PROTOCOL.SERVICE`, which exists when one below it does. */
enum lookup_result srv_exists_below(const struct svc *svc, const char *protocol);
