/* THE MODEL: Services, EndpointSlices and Nodes resolved to service ports and their endpoints. Proxy, DNS, load
 * balancer, Ingress, environment variables and `why` all read this and none of them derives it again. Pure: documents
 * in, resolved services out, no I/O and no clock. One model serves any number of readers; each takes the names of what
 * changed since it last asked. Rules: pkg/proxy/topology.go, pkg/proxy/serviceport.go, endpointslicecache.go upstream.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"

enum svc_type { SVC_CLUSTER_IP, SVC_NODE_PORT, SVC_LOAD_BALANCER, SVC_EXTERNAL_NAME, SVC_TYPE_N };
enum svc_protocol { PROTO_TCP, PROTO_UDP, PROTO_SCTP, PROTO_N };
const char *svc_protocol_name(enum svc_protocol p);            /* "tcp": as nft, DNS and env names spell it */
bool protocol_parse(const char *text, enum svc_protocol *ret); /* NULL: TCP */

/* One address behind one service port. */
struct svc_endpoint {
    struct ip ip;
    uint16_t port;
    bool ready, serving, terminating;
    const char *node;                    /* "" when unknown */
    const char *zone;                    /* "" */
    const char *hostname;                /* "" : DNS uses the dashed address */
    const char *target_ns, *target_name; /* the pod, or "" */
    const char *for_zones, *for_nodes;   /* hints who should use it: names with a comma behind each, or "" */
};

/* One (service, port): what a VIP and its number lead to. Endpoints are sorted by address, then port, without doubles.
 */
struct svc_port {
    const char *name; /* "" allowed for a single port */
    enum svc_protocol protocol;
    uint16_t port, node_port;
    const char *app_protocol; /* "" */
    struct svc_endpoint *endpoints;
    size_t n_endpoints;
};

struct svc {
    const char *ns, *name;
    enum svc_type type;
    bool headless;             /* clusterIP None: DNS only */
    bool proxied;              /* false: headless, ExternalName, or labelled with another service-proxy-name */
    const char *external_name; /* "" */
    struct ip *cluster_ips;
    struct ip *external_ips, *lb_ips; /* lb_ips: status.loadBalancer.ingress with ipMode VIP */
    size_t n_cluster_ips, n_external_ips, n_lb_ips;
    const char *const *lb_source_ranges; /* CIDR texts, trimmed */
    size_t n_lb_source_ranges;
    bool internal_local, external_local; /* traffic policies */
    int affinity_seconds;                /* 0: none; else ClientIP with this timeout */
    uint16_t health_check_node_port;
    struct svc_port *ports;
    size_t n_ports;
    /* Headless: every address of every slice, ports merged, for DNS: ports[] as above, plus addresses of portless
     * Services. */
    struct svc_endpoint *addresses;
    size_t n_addresses;
};

struct model;
struct model *model_new(void);
void model_free(struct model *m); /* after its readers */
/* Documents in; NULL doc: deleted. Borrowed for the call. */
void model_set_service(struct model *m, const char *ns, const char *name, const json_t *doc);
void model_set_slice(struct model *m, const char *ns, const char *name, const json_t *doc);
void model_set_node(struct model *m, const char *name, const json_t *doc);

/* How far the slices have come (their newest resourceVersion), so that who made the model true can say so. Readers are
 * told of it even when nothing changes for them. */
void model_set_revision(struct model *m, uint64_t revision);
uint64_t model_revision(const struct model *m);
/* What the slices say of a pod. */
enum pod_published { POD_ABSENT, POD_WITHDRAWN /* listed, for no new connection */, POD_PUBLISHED };
enum pod_published model_pod_published(const struct model *m, const char *ns, const char *name);

/* Resolved; borrowed until the model is changed. */
const char *model_zone_of(const struct model *m, const char *node); /* "" */
const struct svc *model_get(struct model *m, const char *ns, const char *name);
/* Iterates in no particular order; start with *cursor = NULL. */
const struct svc *model_next(struct model *m, void **cursor);
size_t model_count(const struct model *m);
/* By any VIP (cluster, external, load balancer), for reverse DNS and diagnosis. */
const struct svc *model_by_ip(struct model *m, const struct ip *ip);
/* Does the namespace hold any Service? DNS also knows namespaces: */
void model_set_namespace(struct model *m, const char *name, bool exists);
bool model_has_namespace(const struct model *m, const char *name);

/* Readers. A new reader finds everything changed. */
struct model_reader;
struct model_reader *model_reader_new(struct model *m, void (*changed)(void *arg), void *arg); /* `changed`: at the
                                                      first change after a take; do not read in it, schedule */
void model_reader_free(struct model_reader *r);
/* To this reader, Services with an endpoint on the node are changed ones. */
void model_touch_node(struct model_reader *r, const char *node);
/* To this reader, all Services are. */
void model_touch_all(struct model_reader *r);
/* Calls visit with each service that changed since the last take (svc NULL: gone), then forgets. */
void model_take(struct model_reader *r,
                void (*visit)(void *arg, const char *ns, const char *name, const struct svc *svc), void *arg);

/* Which of a port's endpoints take traffic, by policy (topology.go CategorizeEndpoints): indexes into endpoints,
 * written to out[n_endpoints]. node: this node, for local_only. Falls back to serving terminating ones when no ready
 * one is left. Returns how many. */
size_t svc_usable_endpoints(const struct svc_port *p, bool local_only, const char *node, size_t *out);
/* The same for one address family (AF_INET, AF_INET6): each family falls back on its own. */
size_t svc_usable_endpoints_of(const struct svc_port *p, int family, bool local_only, const char *node, size_t *out);
/* The same for traffic that may go anywhere, from this node in this zone: hints narrow it down if every ready endpoint
 * has one and one of them leads here. */
size_t svc_near_endpoints_of(const struct svc_port *p, int family, const char *node, const char *zone, size_t *out);
