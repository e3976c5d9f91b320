/* Endpoints objects for Services with a selector: what kubectl and old clients read. Nothing in c8s does; the proxy and
 * DNS read EndpointSlices (upstream: pkg/controller/endpoint). */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "control/backends.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

/* Upstream's limit: an object of more addresses costs every reader too much. */
#define ADDRESSES_MAX 1000
#define OVER_CAPACITY "endpoints.kubernetes.io/over-capacity"
#define MANAGED_BY "endpoints.kubernetes.io/managed-by"
#define HEADLESS "service.kubernetes.io/headless"

struct endpoints {
    struct backends backends;
    struct informer *endpoints;
    struct map gone; /* Services whose end was seen: their Endpoints go too, whoever wrote them */
};

/* Pods that have the same ports form one subset. */
struct subsets {
    const json_t *service;
    struct map by_ports; /* sorted text of the ports -> subset document */
    size_t n;            /* counted on beyond what there is room for */
    bool ready;          /* being added; the others come when there is room left */
};

static json_t *ports_on(const json_t *service, const struct pod_state *pod)
{
    json_t *ports = json_array(), *port;
    size_t i;
    json_array_foreach(jget(service, "spec.ports"), i, port) {
        int64_t number = backend_port(port, pod);
        if (!number)
            continue;
        json_t *p = json_pack("{s:I, s:s}", "port", (json_int_t)number, "protocol", jstr_or(port, "protocol", "TCP"));
        jset_str(p, "name", jstr(port, "name"));
        jset_str(p, "appProtocol", jstr(port, "appProtocol"));
        json_array_append_new(ports, p);
    }
    return ports;
}

static json_t *address_of(const struct subsets *s, const struct object *pod, const struct pod_state *state,
                          const char *ip)
{
    json_t *a = json_pack("{s:s, s:{s:s, s:s, s:s, s:s}}", "ip", ip, "targetRef", "kind", "Pod", "namespace", pod->ns,
                          "name", pod->name, "uid", pod->uid);
    jset_str(a, "hostname", backend_hostname(jstr_or(s->service, "metadata.name", ""), state));
    if (*pod_node(state))
        jset_str(a, "nodeName", pod_node(state));
    return a;
}

static void add_pod(void *arg, const struct object *pod, const struct pod_state *state)
{
    struct subsets *s = arg;
    const char *ip = json_string_value(json_array_get(json_object_get(state->facts, "ips"), 0));
    bool unready_too = jbool(s->service, "spec.publishNotReadyAddresses", false);
    bool ready = state->ready || unready_too;
    if (!ip || ready != s->ready || pod_finished(state) || (state->deleting && !unready_too))
        return;
    json_t *ports = ports_on(s->service, state);
    if (!json_array_size(ports) && json_array_size(jget(s->service, "spec.ports"))) {
        json_decref(ports);
        return;
    }
    if (s->n++ >= ADDRESSES_MAX) {
        json_decref(ports);
        return;
    }
    _cleanup_free_ char *key = jprint_sorted(ports);
    json_t *subset = map_get(&s->by_ports, key);
    if (!subset) {
        subset = json_object();
        if (json_array_size(ports))
            json_object_set(subset, "ports", ports);
        map_put(&s->by_ports, key, subset);
    }
    json_decref(ports);
    const char *list = ready ? "addresses" : "notReadyAddresses";
    if (!json_object_get(subset, list))
        json_object_set_new(subset, list, json_array());
    json_array_append_new(json_object_get(subset, list), address_of(s, pod, state, ip));
}

static int by_ip(const void *pa, const void *pb)
{
    const json_t *a = *(json_t *const *)pa, *b = *(json_t *const *)pb;
    int r = strcmp(jstr_or(a, "ip", ""), jstr_or(b, "ip", ""));
    return r ? r : strcmp(jstr_or(a, "targetRef.uid", ""), jstr_or(b, "targetRef.uid", ""));
}

static void sort_addresses(json_t *subset, const char *list)
{
    json_t *array = json_object_get(subset, list);
    size_t n = json_array_size(array);
    if (!n)
        return;
    _cleanup_free_ json_t **items = xcalloc(n, sizeof(json_t *));
    for (size_t i = 0; i < n; i++)
        items[i] = json_incref(json_array_get(array, i));
    qsort(items, n, sizeof(json_t *), by_ip);
    json_array_clear(array);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, items[i]);
}

static int by_key(const void *pa, const void *pb)
{
    return strcmp((*(struct map_entry *const *)pa)->key, (*(struct map_entry *const *)pb)->key);
}

/* The same pods always give the same text, so that nothing is written when nothing has changed. */
static json_t *sorted_subsets(struct subsets *s)
{
    _cleanup_free_ struct map_entry **entries = xcalloc(s->by_ports.len + 1, sizeof(struct map_entry *));
    size_t n = 0;
    for (struct map_entry *e = NULL; (e = map_next(&s->by_ports, e));)
        entries[n++] = e;
    qsort(entries, n, sizeof(struct map_entry *), by_key);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        sort_addresses(entries[i]->value, "addresses");
        sort_addresses(entries[i]->value, "notReadyAddresses");
        json_array_append_new(list, entries[i]->value);
    }
    map_done(&s->by_ports);
    return list;
}

static json_t *labels_for(const json_t *service)
{
    json_t *labels = json_deep_copy(jget(service, "metadata.labels"));
    labels = labels ? labels : json_object();
    json_object_del(labels, HEADLESS);
    if (service_is_headless(service))
        json_object_set_new(labels, HEADLESS, json_string(""));
    json_object_set_new(labels, MANAGED_BY, json_string("endpoint-controller"));
    return labels;
}

/* Makes `doc` what it shall be. */
static void fill(json_t *doc, const struct endpoints *e, const char *ns, const json_t *service)
{
    struct subsets s = {.service = service, .ready = true};
    backends_each(&e->backends, ns, service, add_pod, &s);
    s.ready = false;
    backends_each(&e->backends, ns, service, add_pod, &s);
    bool cut = s.n > ADDRESSES_MAX;
    json_t *subsets = sorted_subsets(&s), *annotations = jget(doc, "metadata.annotations");
    jset(doc, "subsets", json_array_size(subsets) ? json_incref(subsets) : NULL);
    json_decref(subsets);
    jset(doc, "metadata.labels", labels_for(service));
    if (!cut) {
        json_object_del(annotations, OVER_CAPACITY);
        return;
    }
    if (!annotations)
        jset(doc, "metadata.annotations", annotations = json_object());
    json_object_set_new(annotations, OVER_CAPACITY, json_string("truncated"));
}

static void remove_leftover(struct controller *c, struct endpoints *e, const char *ns, const char *name)
{
    _cleanup_free_ char *key = make_object_key(ns, name);
    bool seen_going = map_del(&e->gone, key);
    struct object *o = informer_get(e->endpoints, ns, name);
    if (!o)
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    if (seen_going || json_object_get(jget(doc, "metadata.labels"), MANAGED_BY))
        delete_exactly(c, &kind_endpoints, ns, name, o->uid, NULL, -1);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct endpoints *e = controller_state(c);
    struct object *so = informer_get(e->backends.services, ns, name), *eo = informer_get(e->endpoints, ns, name);
    if (!so) {
        remove_leftover(c, e, ns, name);
        return;
    }
    _cleanup_json_ json_t *service = object_json(so);
    if (!json_object_size(jget(service, "spec.selector")) || is_deleting(service) ||
        streq(jstr_or(service, "spec.type", ""), "ExternalName"))
        return;
    if (eo) {
        _cleanup_json_ json_t *old = object_json(eo), *to = json_deep_copy(old);
        fill(to, e, ns, service);
        patch_difference(c, &kind_endpoints, old, to, NULL, false);
        return;
    }
    _cleanup_json_ json_t *to = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "Endpoints",
                                          "metadata", "name", name, "namespace", ns);
    fill(to, e, ns, service);
    controller_create(c, &kind_endpoints, ns, to);
}

static void map_service(struct controller *c, struct object *service)
{
    struct endpoints *e = controller_state(c);
    _cleanup_free_ char *key = object_key(service);
    if (informer_get(e->backends.services, service->ns, service->name))
        map_del(&e->gone, key);
    else
        map_put(&e->gone, key, e);
    controller_enqueue(c, service->ns, service->name);
}

static void map_pod(struct controller *c, struct object *pod)
{
    struct endpoints *e = controller_state(c);
    backends_map_pod(&e->backends, c, pod);
}

static void *start(struct controller *c)
{
    struct endpoints *e = NEW(struct endpoints);
    backends_init(&e->backends, c);
    e->endpoints = controller_informer(c, &kind_endpoints);
    return e;
}

static void stop(void *state)
{
    struct endpoints *e = state;
    map_done(&e->gone);
    free(e);
}

static const struct controller_watch watches[] = {
    {&kind_service, map_service}, {&kind_pod, map_pod}, {&kind_endpoints, NULL}, {NULL, NULL}};

const struct controller_def endpoints_controller = {
    .name = "endpoint-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
};
