/* EndpointSlices for Services with a selector: what the proxy and DNS of every node read (upstream: pkg/controller/
 * endpointslice). Pods whose ports resolve alike share slices; there is a set of slices per address family. */
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "control/backends.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/slices.h"
#include "control/topology.h"
#include "json/json.h"
#include "kinds/kind.h"

#define MANAGER "endpointslice-controller.k8s.io"
#define HEADLESS "service.kubernetes.io/headless"
#define ZONE_LABEL "topology.kubernetes.io/zone"
#define TOPOLOGY_MODE "service.kubernetes.io/topology-mode"
#define ENDPOINTS_MAX 100 /* per slice: upstream's balance of writes against their size */

struct endpointslices {
    struct backends backends;
    struct informer *slices, *nodes;
    int by_service;
};

/* One address family of one Service. */
struct family {
    const struct endpointslices *e;
    const json_t *service;
    bool v6;
    struct map by_ports; /* sorted text of the ports -> {ports, endpoints} */
};

static const char *address_in(const struct pod_state *pod, bool v6)
{
    size_t i;
    json_t *ip;
    json_array_foreach(json_object_get(pod->facts, "ips"), i, ip)
        if ((strchr(json_string_value(ip), ':') != NULL) == v6)
            return json_string_value(ip);
    return NULL;
}

static void set_zone(const struct family *f, json_t *endpoint, const char *node)
{
    struct object *o = informer_get(f->e->nodes, "", node);
    if (!o || !strstr(o->bytes, ZONE_LABEL)) /* most have none: not worth parsing */
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    jset_str(endpoint, "zone", json_string_value(json_object_get(jget(doc, "metadata.labels"), ZONE_LABEL)));
}

static bool is_auto(const json_t *service)
{
    const char *mode = json_string_value(json_object_get(jget(service, "metadata.annotations"), TOPOLOGY_MODE));
    return mode && strcasecmp(mode, "auto") == 0;
}

/* trafficDistribution: clients use what is in their zone or on their node, without regard to balance (upstream:
 * staging/src/k8s.io/endpointslice/trafficdist). */
static void set_hints(const struct family *f, json_t *endpoint)
{
    const char *wish = jstr_or(f->service, "spec.trafficDistribution", "");
    const char *zone = jstr(endpoint, "zone"), *node = jstr(endpoint, "nodeName");
    bool same_node = streq(wish, "PreferSameNode");
    bool wanted = same_node || streq(wish, "PreferClose") || streq(wish, "PreferSameZone");
    if (!wanted || is_auto(f->service) || !jbool(endpoint, "conditions.ready", false))
        return; /* the annotation comes first */
    if (zone)
        jset(endpoint, "hints.forZones", json_pack("[{s:s}]", "name", zone));
    if (same_node && node)
        jset(endpoint, "hints.forNodes", json_pack("[{s:s}]", "name", node));
}

static json_t *endpoint_of(const struct family *f, const struct object *pod, const struct pod_state *state,
                           const char *ip)
{
    bool anyway = jbool(f->service, "spec.publishNotReadyAddresses", false);
    json_t *e =
        json_pack("{s:[s], s:{s:b, s:b, s:b}, s:{s:s, s:s, s:s, s:s}}", "addresses", ip, "conditions", "ready",
                  anyway || (state->ready && !state->deleting), "serving", state->ready, "terminating", state->deleting,
                  "targetRef", "kind", "Pod", "namespace", pod->ns, "name", pod->name, "uid", pod->uid);
    jset_str(e, "hostname", backend_hostname(jstr_or(f->service, "metadata.name", ""), state));
    if (*pod_node(state)) {
        jset_str(e, "nodeName", pod_node(state));
        set_zone(f, e, pod_node(state));
    }
    set_hints(f, e);
    return e;
}

static json_t *ports_on(const json_t *service, const struct pod_state *pod)
{
    json_t *ports = json_array(), *port;
    size_t i;
    json_array_foreach(jget(service, "spec.ports"), i, port) {
        int64_t number = backend_port(port, pod);
        if (!number)
            continue;
        json_t *p = json_pack("{s:s, s:s, s:I}", "name", jstr_or(port, "name", ""), "protocol",
                              jstr_or(port, "protocol", "TCP"), "port", (json_int_t)number);
        jset_str(p, "appProtocol", jstr(port, "appProtocol"));
        json_array_append_new(ports, p);
    }
    return ports;
}

static void add_pod(void *arg, const struct object *pod, const struct pod_state *state)
{
    struct family *f = arg;
    const char *ip = address_in(state, f->v6);
    if (!ip || pod_finished(state))
        return;
    _cleanup_json_ json_t *ports = ports_on(f->service, state);
    _cleanup_free_ char *key = jprint_sorted(ports);
    json_t *group = map_get(&f->by_ports, key);
    if (!group) {
        group = json_pack("{s:O, s:[]}", "ports", ports, "endpoints");
        map_put(&f->by_ports, key, group);
    }
    json_array_append_new(json_object_get(group, "endpoints"), endpoint_of(f, pod, state, ip));
}

/* A slice with everything but ports and endpoints. */
static json_t *blank_slice(const json_t *service, bool v6)
{
    json_t *labels = json_deep_copy(jget(service, "metadata.labels"));
    labels = labels ? labels : json_object();
    json_object_del(labels, HEADLESS);
    if (service_is_headless(service))
        json_object_set_new(labels, HEADLESS, json_string(""));
    json_object_set_new(labels, SERVICE_NAME_LABEL, json_string(jstr(service, "metadata.name")));
    json_object_set_new(labels, MANAGED_BY_LABEL, json_string(MANAGER));
    _cleanup_free_ char *prefix = xasprintf("%s-", jstr(service, "metadata.name"));
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:o, s:[o]}, s:s}", "apiVersion", "discovery.k8s.io/v1", "kind",
                     "EndpointSlice", "metadata", "generateName", prefix, "namespace",
                     jstr(service, "metadata.namespace"), "labels", labels, "ownerReferences",
                     controller_ref_new(service), "addressType", v6 ? "IPv6" : "IPv4");
}

static bool has_family(const json_t *service, bool v6)
{
    const json_t *families = jget(service, "spec.ipFamilies");
    if (!json_array_size(families))
        return !v6;
    for (size_t i = 0; i < json_array_size(families); i++)
        if (streq(str_or(json_string_value(json_array_get(families, i)), ""), v6 ? "IPv6" : "IPv4"))
            return true;
    return false;
}

/* Shares the endpoints of each group out among the zones. */
static void hint_groups(const struct endpointslices *e, const json_t *groups)
{
    struct topology_zone zones[TOPOLOGY_ZONES_MAX];
    _cleanup_json_ json_t *nodes = json_array();
    void *cursor = NULL;
    size_t i;
    json_t *group;
    for (struct object *o; (o = informer_next(e->nodes, NULL, &cursor));)
        json_array_append_new(nodes, object_json(o));
    size_t n_zones = topology_zones(nodes, zones);
    json_array_foreach((json_t *)groups, i, group)
        topology_hint(json_object_get(group, "endpoints"), zones, n_zones);
}

static void publish(struct controller *c, const char *ns, const json_t *service, bool v6)
{
    struct endpointslices *e = controller_state(c);
    struct family f = {.e = e, .service = service, .v6 = v6};
    bool wanted = has_family(service, v6);
    _cleanup_json_ json_t *groups = json_array();
    _cleanup_json_ json_t *blank = blank_slice(service, v6);
    _cleanup_json_ json_t *existing =
        slices_of_service(e->slices, e->by_service, ns, jstr(service, "metadata.name"), MANAGER, v6 ? "IPv6" : "IPv4");
    if (wanted)
        backends_each(&e->backends, ns, service, add_pod, &f);
    for (struct map_entry *m = NULL; (m = map_next(&f.by_ports, m));)
        json_array_append_new(groups, m->value);
    map_done(&f.by_ports);
    if (is_auto(service))
        hint_groups(e, groups);
    slices_plan(existing, groups, blank, ENDPOINTS_MAX, !wanted, slices_write, c);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct endpointslices *e = controller_state(c);
    struct object *o = informer_get(e->backends.services, ns, name);
    if (!o)
        return; /* its slices follow it: they are owned */
    _cleanup_json_ json_t *service = object_json(o);
    if (!json_object_size(jget(service, "spec.selector")) || is_deleting(service) ||
        streq(jstr_or(service, "spec.type", ""), "ExternalName"))
        return;
    publish(c, ns, service, false);
    publish(c, ns, service, true);
}

static void map_pod(struct controller *c, struct object *pod)
{
    struct endpointslices *e = controller_state(c);
    backends_map_pod(&e->backends, c, pod);
}

/* Shares depend on the nodes; what a node says without end (heartbeats) is in its Lease. */
static void map_node(struct controller *c, struct object *node)
{
    struct endpointslices *e = controller_state(c);
    void *cursor = NULL;
    (void)node;
    for (struct object *o; (o = informer_next(e->backends.services, NULL, &cursor));)
        if (strstr(o->bytes, TOPOLOGY_MODE))
            controller_enqueue(c, o->ns, o->name);
}

static void map_slice(struct controller *c, struct object *slice)
{
    slices_map(c, slice, MANAGER);
}

static void *start(struct controller *c)
{
    struct endpointslices *e = NEW(struct endpointslices);
    backends_init(&e->backends, c);
    e->slices = controller_informer(c, &kind_endpointslice);
    e->nodes = controller_informer(c, &kind_node);
    e->by_service = informer_add_index(e->slices, slices_by_service);
    return e;
}

static const struct controller_watch watches[] = {{&kind_service, NULL},
                                                  {&kind_pod, map_pod},
                                                  {&kind_endpointslice, map_slice},
                                                  {&kind_node, map_node},
                                                  {NULL, NULL}};

const struct controller_def endpointslice_controller = {
    .name = "endpoint-slice-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = free,
};
