/* See world.h. */
#include "netpol/world.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

/* --- pods --- */

static void add_port(struct world_pod *p, const json_t *row)
{
    const char *protocol = jstr_or(row, "protocol", "TCP");
    struct pod_port port = {.number = (uint16_t)jint(row, "containerPort", 0),
                            .protocol = streq(protocol, "UDP")    ? PROTO_UDP
                                        : streq(protocol, "SCTP") ? PROTO_SCTP
                                                                  : PROTO_TCP};
    if (!jstr(row, "name") || !port.number)
        return;
    port.name = xstrdup(jstr(row, "name"));
    p->ports = xrealloc(p->ports, (p->n_ports + 1) * sizeof(*p->ports));
    p->ports[p->n_ports++] = port;
}

/* A port of a container that runs beside the others: those of init containers have no names for anybody outside,
 * unless they stay (sidecars). */
static void add_ports(struct world_pod *p, const json_t *containers, bool init)
{
    size_t i, j;
    json_t *container, *row;
    json_array_foreach(containers, i, container) {
        if (init && !streq(jstr_or(container, "restartPolicy", ""), "Always"))
            continue;
        json_array_foreach(jget(container, "ports"), j, row)
            add_port(p, row);
    }
}

static void add_ips(struct world_pod *p, const json_t *status)
{
    size_t i;
    json_t *row;
    struct ip ip;
    json_array_foreach(jget(status, "podIPs"), i, row)
        if (p->ips.n < FAMILIES_MAX && ip_parse(jstr_or(row, "ip", ""), &ip))
            p->ips.ip[p->ips.n++] = ip;
    if (!p->ips.n && ip_parse(jstr_or(status, "podIP", ""), &ip))
        p->ips.ip[p->ips.n++] = ip;
}

struct world_pod *world_pod_new(struct object *o)
{
    _cleanup_json_ json_t *doc = object_json(o);
    const char *phase = jstr_or(doc, "status.phase", "");
    if (jbool(doc, "spec.hostNetwork", false))
        return NULL;
    struct world_pod *p = NEW(struct world_pod);
    p->object = object_ref(o);
    p->node = xstrdup(jstr_or(doc, "spec.nodeName", ""));
    if (!streq(phase, "Succeeded") && !streq(phase, "Failed"))
        add_ips(p, jget(doc, "status"));
    add_ports(p, jget(doc, "spec.containers"), false);
    add_ports(p, jget(doc, "spec.initContainers"), true);
    return p;
}

struct world_pod *world_dns_pod(const struct ips *ips)
{
    static const char text[] =
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"the node's "
        "own\",\"namespace\":\"kube-system\","
        "\"uid\":\"\",\"resourceVersion\":\"1\",\"labels\":{\"k8s-app\":\"kube-dns\"}},\"spec\":{\"containers\":[{"
        "\"ports\":["
        "{\"name\":\"dns\",\"containerPort\":53,\"protocol\":\"UDP\"},{\"name\":\"dns-tcp\",\"containerPort\":53},"
        "{\"name\":\"metrics\",\"containerPort\":9153}]}]}}";
    struct object *o = object_from_bytes(&kind_pod, text, strlen(text));
    struct world_pod *p = world_pod_new(o);
    p->ips = *ips;
    object_unref(o);
    return p;
}

void world_pod_free(struct world_pod *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_ports; i++)
        free(p->ports[i].name);
    free(p->ports);
    free(p->node);
    object_unref(p->object);
    free(p);
}

static bool ports_equal(const struct world_pod *a, const struct world_pod *b)
{
    for (size_t i = 0; i < a->n_ports && i < b->n_ports; i++) {
        const struct pod_port *x = &a->ports[i], *y = &b->ports[i];
        if (x->number != y->number || x->protocol != y->protocol || !streq(x->name, y->name))
            return false;
    }
    return a->n_ports == b->n_ports;
}

bool world_pod_equal(const struct world_pod *a, const struct world_pod *b)
{
    if (!a || !b)
        return a == b;
    for (int i = 0; i < a->ips.n && i < b->ips.n; i++)
        if (!ip_equal(&a->ips.ip[i], &b->ips.ip[i]))
            return false;
    return a->ips.n == b->ips.n && streq(a->object->uid, b->object->uid) && streq(a->node, b->node) &&
           object_labels_equal(a->object, b->object) && ports_equal(a, b);
}

void world_pod_renew(struct world_pod *p, struct world_pod *now)
{
    struct object *old = p->object;
    p->object = now->object;
    now->object = old;
    world_pod_free(now);
}

/* --- selecting --- */

bool world_selects(const struct world *w, const struct selector *namespaces, const char *own_ns,
                   const struct selector *pods, const struct world_pod *pod)
{
    if (!namespaces)
        return streq(pod->object->ns, own_ns) && selector_matches(pods, pod->object);
    const struct object *ns = map_get(&w->namespaces, pod->object->ns);
    return ns && selector_matches(namespaces, ns) && selector_matches(pods, pod->object);
}

static int compare_names(const void *pa, const void *pb)
{
    const struct netpolicy *const *a = pa, *const *b = pb;
    return strcmp((*a)->name, (*b)->name);
}

size_t world_policies_of(const struct world *w, enum direction d, const struct world_pod *pod,
                         const struct netpolicy **out)
{
    size_t n = 0;
    for (struct map_entry *e = NULL; (e = map_next(&w->policies, e));)
        if (netpolicy_selects(e->value, d, pod->object))
            out[n++] = e->value;
    qsort(out, n, sizeof(*out), compare_names);
    return n;
}

static void free_pod(void *p)
{
    world_pod_free(p);
}

static void free_namespace(void *o)
{
    object_unref(o);
}

static void free_policy(void *p)
{
    netpolicy_free(p);
}

void world_done(struct world *w)
{
    map_done_with(&w->pods, free_pod);
    map_done_with(&w->namespaces, free_namespace);
    map_done_with(&w->policies, free_policy);
}
