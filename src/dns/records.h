/* What a name of the zone, or a reverse name, holds: the Kubernetes DNS specification 1.1 over the model, with
 * CoreDNS's answers where the specification leaves room. Pure; answer.h makes packets of it. */
#pragma once
#include <libknot/descriptor.h>
#include <libknot/packet/pkt.h>

#include "dns/hosts.h"
#include "dns/reverse.h"
#include "dns/zone.h"
#include "service/model.h"

#define RECORD_RDATA_MAX 512 /* bytes: the longest are a SOA's two names and numbers */

struct record {
    const knot_dname_t *owner; /* NULL: the name asked for */
    uint16_t type;
    uint32_t ttl;
    uint16_t len;
    uint8_t rdata[RECORD_RDATA_MAX]; /* uncompressed names */
};

struct lookup {
    const struct zone *zone;
    struct model *model;
    struct reverse *reverse;
    const struct hosts *hosts; /* names outside the zone that are given by hand; NULL: none */
    uint32_t ttl;
    uint16_t qtype;
    unsigned rotate; /* which endpoint comes first, so that clients that take the first one spread */
    void (*emit)(void *arg, knot_section_t section, const struct record *r);
    void *arg;
};

enum lookup_result {
    LOOKUP_FOREIGN,  /* not ours to answer */
    LOOKUP_NXDOMAIN, /* ours, and there is no such name */
    LOOKUP_EXISTS,   /* ours; whatever it holds of this type was emitted. A CNAME may have been emitted for any type */
};

/* For who makes records. */
void record_init(struct record *r, const knot_dname_t *owner, uint16_t type, uint32_t ttl);
void record_add(struct record *r, const void *data, size_t len); /* at most two names and twenty bytes */
void record_add_u16(struct record *r, unsigned v);
/* The address as A or AAAA, if it is of the type asked for (0: whichever it is). */
void record_emit_ip(const struct lookup *l, knot_section_t section, const knot_dname_t *owner, const struct ip *ip,
                    uint16_t qtype);
/* The endpoint's label in front of its Service's name: its hostname, or its address dashed. */
void record_endpoint_name(const struct svc_endpoint *e, char out[LABEL_SIZE]);

/* name: in lower case. */
enum lookup_result lookup_run(const struct lookup *l, const knot_dname_t *name);
/* The zone's SOA, for negative answers. */
void record_soa(const struct zone *z, struct record *r);
