/* EndpointSlices for hand-written Endpoints of Services without a selector, so that the proxy and DNS need read only
 * one kind (upstream: pkg/controller/endpointslicemirroring). */
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/slices.h"
#include "json/json.h"
#include "kinds/kind.h"

#define MANAGER "endpointslicemirroring-controller.k8s.io"
#define SKIP "endpointslice.kubernetes.io/skip-mirror"
#define LEADER "control-plane.alpha.kubernetes.io/leader"
#define APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define ENDPOINTS_MAX 1000 /* mirrored of one subset, as upstream; also the API's limit for a slice */

struct mirroring {
    struct informer *services, *endpoints, *slices;
    int by_service;
};

static bool is_mirrored(const json_t *endpoints, const json_t *service)
{
    if (!endpoints || !service || is_deleting(endpoints) || json_object_size(jget(service, "spec.selector")))
        return false;
    const char *skip = json_string_value(json_object_get(jget(endpoints, "metadata.labels"), SKIP));
    return !(skip && streq(skip, "true")) && !json_object_get(jget(endpoints, "metadata.annotations"), LEADER);
}

static json_t *slice_ports(const json_t *subset)
{
    json_t *ports = json_array(), *port;
    size_t i;
    json_array_foreach(json_object_get(subset, "ports"), i, port) {
        json_t *p = json_pack("{s:s, s:s, s:I}", "name", jstr_or(port, "name", ""), "protocol",
                              jstr_or(port, "protocol", "TCP"), "port", (json_int_t)jint(port, "port", 0));
        jset_str(p, "appProtocol", jstr(port, "appProtocol"));
        json_array_append_new(ports, p);
    }
    return ports;
}

static void add_addresses(json_t *out, const json_t *addresses, bool ready, bool v6)
{
    size_t i;
    json_t *a;
    json_array_foreach((json_t *)addresses, i, a) {
        const char *ip = jstr_or(a, "ip", "");
        if ((strchr(ip, ':') != NULL) != v6 || json_array_size(out) >= ENDPOINTS_MAX)
            continue;
        json_t *e = json_pack("{s:[s], s:{s:b}}", "addresses", ip, "conditions", "ready", ready);
        jset_str(e, "hostname", jstr(a, "hostname"));
        jset_str(e, "nodeName", jstr(a, "nodeName"));
        jset(e, "targetRef", json_deep_copy(jget(a, "targetRef")));
        json_array_append_new(out, e);
    }
}

/* {ports, endpoints} of one address family; subsets with the same ports are one. */
static json_t *groups_of(const json_t *endpoints, bool v6)
{
    json_t *groups = json_array(), *subset;
    struct map by_ports = {0};
    size_t i;
    json_array_foreach(jget(endpoints, "subsets"), i, subset) {
        json_t *ports = slice_ports(subset);
        _cleanup_free_ char *key = jprint_sorted(ports);
        json_t *group = map_get(&by_ports, key);
        bool fresh = !group;
        if (fresh) {
            group = json_pack("{s:O, s:[]}", "ports", ports, "endpoints");
            map_put(&by_ports, key, group);
            json_array_append_new(groups, group);
        }
        json_decref(ports);
        add_addresses(json_object_get(group, "endpoints"), json_object_get(subset, "addresses"), true, v6);
        add_addresses(json_object_get(group, "endpoints"), json_object_get(subset, "notReadyAddresses"), false, v6);
    }
    map_done(&by_ports);
    return groups;
}

static json_t *blank_slice(const json_t *endpoints, bool v6)
{
    json_t *labels = json_deep_copy(jget(endpoints, "metadata.labels"));
    labels = labels ? labels : json_object();
    json_object_set_new(labels, SERVICE_NAME_LABEL, json_string(jstr(endpoints, "metadata.name")));
    json_object_set_new(labels, MANAGED_BY_LABEL, json_string(MANAGER));
    _cleanup_free_ char *prefix = xasprintf("%s-", jstr(endpoints, "metadata.name"));
    json_t *slice = json_pack("{s:s, s:s, s:{s:s, s:s, s:o, s:[o]}, s:s}", "apiVersion", "discovery.k8s.io/v1", "kind",
                              "EndpointSlice", "metadata", "generateName", prefix, "namespace",
                              jstr(endpoints, "metadata.namespace"), "labels", labels, "ownerReferences",
                              controller_ref_new(endpoints), "addressType", v6 ? "IPv6" : "IPv4");
    json_t *annotations = json_deep_copy(jget(endpoints, "metadata.annotations"));
    json_object_del(annotations, APPLIED);
    jset(slice, "metadata.annotations", json_object_size(annotations) ? json_incref(annotations) : NULL);
    json_decref(annotations);
    return slice;
}

static json_t *document(const struct informer *i, const char *ns, const char *name)
{
    struct object *o = informer_get(i, ns, name);
    return o ? object_json(o) : NULL;
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct mirroring *m = controller_state(c);
    _cleanup_json_ json_t *endpoints = document(m->endpoints, ns, name);
    _cleanup_json_ json_t *service = document(m->services, ns, name);
    bool mirrored = is_mirrored(endpoints, service);
    for (int v6 = 0; v6 <= 1; v6++) {
        _cleanup_json_ json_t *existing =
            slices_of_service(m->slices, m->by_service, ns, name, MANAGER, v6 ? "IPv6" : "IPv4");
        _cleanup_json_ json_t *groups = mirrored ? groups_of(endpoints, v6) : json_array();
        _cleanup_json_ json_t *blank = mirrored ? blank_slice(endpoints, v6) : json_object();
        slices_plan(existing, groups, blank, ENDPOINTS_MAX, true, slices_write, c);
    }
}

static void map_slice(struct controller *c, struct object *slice)
{
    slices_map(c, slice, MANAGER);
}

static void *start(struct controller *c)
{
    struct mirroring *m = NEW(struct mirroring);
    m->services = controller_informer(c, &kind_service);
    m->endpoints = controller_informer(c, &kind_endpoints);
    m->slices = controller_informer(c, &kind_endpointslice);
    m->by_service = informer_add_index(m->slices, slices_by_service);
    return m;
}

static const struct controller_watch watches[] = {
    {&kind_service, NULL}, {&kind_endpoints, NULL}, {&kind_endpointslice, map_slice}, {NULL, NULL}};

const struct controller_def endpointslicemirroring_controller = {
    .name = "endpoint-slice-mirroring-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = free,
};
