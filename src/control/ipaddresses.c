/* An IPAddress for each ClusterIP, read off the Services: what is missing is made, what is nobody's goes, after a crash
 * as well (upstream: pkg/registry/core/service/ipallocator). Who has which address is decided by the server when a
 * Service is written; these objects show it. Keys are addresses. */
#include "base/alloc.h"
#include "base/ip.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/servicecidr.h"

struct addresses {
    struct informer *services;
    int by_address;
};

/* "None" is no address. */
static void each_address(const struct object *o, informer_emit_fn *emit, void *arg)
{
    _cleanup_json_ json_t *doc = object_json(o);
    const json_t *ips = jget(doc, "spec.clusterIPs"), *item;
    char text[IP_TEXT_SIZE];
    struct ip ip;
    size_t i;
    json_array_foreach(ips, i, item)
        if (ip_parse(str_or(json_string_value(item), ""), &ip))
            emit(arg, ip_format(&ip, text));
}

static void *start(struct controller *c)
{
    struct addresses *a = NEW(struct addresses);
    a->services = controller_informer(c, &kind_service);
    a->by_address = informer_add_index(a->services, each_address);
    return a;
}

static void enqueue(void *arg, const char *address)
{
    controller_enqueue(arg, "", address);
}

static void map_service(struct controller *c, struct object *o)
{
    each_address(o, enqueue, c);
}

static json_t *new_address(const char *name, const struct object *service)
{
    return json_pack("{s:s, s:s, s:{s:s, s:{s:s, s:s}}, s:{s:{s:s, s:s, s:s}}}", "apiVersion", "networking.k8s.io/v1",
                     "kind", "IPAddress", "metadata", "name", name, "labels", IPADDRESS_FAMILY,
                     strchr(name, ':') ? "IPv6" : "IPv4", IPADDRESS_MANAGED_BY, IPADDRESS_MANAGER, "spec", "parentRef",
                     "resource", "services", "namespace", service->ns, "name", service->name);
}

static bool belongs_to(const json_t *address, const struct object *service)
{
    const json_t *parent = jget(address, "spec.parentRef");
    return streq(jstr_or(parent, "resource", ""), "services") && streq(jstr_or(parent, "group", ""), "") &&
           streq(jstr_or(parent, "namespace", ""), service->ns) && streq(jstr_or(parent, "name", ""), service->name);
}

/* One that was made by hand is left alone; its address is not given to Services. */
static void reconcile(struct controller *c, const char *ns, const char *name)
{
    const struct addresses *a = controller_state(c);
    void *cursor = NULL;
    const struct object *service = informer_by_index(a->services, a->by_address, name, &cursor);
    const struct object *o = informer_get(controller_informer(c, &kind_ipaddress), ns, name);
    _cleanup_json_ json_t *address = o ? object_json(o) : NULL, *wanted = service ? new_address(name, service) : NULL;
    if (!address && wanted)
        controller_create(c, &kind_ipaddress, NULL, wanted);
    else if (address && ipaddress_is_managed(address) && !is_deleting(address) &&
             !(service && belongs_to(address, service))) /* the next look makes that of another owner */
        delete_exactly(c, &kind_ipaddress, NULL, name, jstr(address, "metadata.uid"), NULL, -1);
}

static const struct controller_watch watches[] = {{&kind_service, map_service}, {&kind_ipaddress, NULL}, {NULL, NULL}};

const struct controller_def ipaddresses_controller = {
    .name = "service-ip-repair-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = free,
};
