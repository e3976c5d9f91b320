/* ServiceCIDRs are Ready as soon as they are there, and stay when they are deleted until no ClusterIP needs them any
 * more (upstream: pkg/controller/servicecidrs). Upstream waits ten seconds more, for other servers that may still take
 * addresses from it; ours is the only one and has heard of the deletion before this controller. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/servicecidr.h"

#define READY_MESSAGE "Kubernetes Service CIDR is ready"
#define IN_USE_MESSAGE                                                                                                 \
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"

/* --- who needs it --- */

static bool has_range(const json_t *servicecidr, const struct ip *ip, const struct cidr *inner)
{
    const json_t *item;
    size_t i;
    json_array_foreach(jget(servicecidr, "spec.cidrs"), i, item) {
        struct cidr c;
        if (cidr_parse(json_string_value(item), &c) && (ip ? cidr_has(&c, ip) : cidr_covers(&c, inner)))
            return true;
    }
    return false;
}

/* Another one has the address, or all of the range. One that goes itself is no help. */
static bool others_have(struct controller *c, const char *name, const struct ip *ip, const struct cidr *inner)
{
    const struct informer *all = controller_informer(c, &kind_servicecidr);
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(all, NULL, &cursor));) {
        _cleanup_json_ json_t *doc = object_json(o);
        if (!streq(o->name, name) && !is_deleting(doc) && has_range(doc, ip, inner))
            return true;
    }
    return false;
}

static bool covered_by_others(struct controller *c, const json_t *doc)
{
    const json_t *item;
    size_t i;
    json_array_foreach(jget(doc, "spec.cidrs"), i, item) {
        struct cidr cidr;
        if (cidr_parse(json_string_value(item), &cidr) && !others_have(c, jstr(doc, "metadata.name"), NULL, &cidr))
            return false;
    }
    return true;
}

static bool is_needed(struct controller *c, const json_t *doc)
{
    const struct informer *addresses = controller_informer(c, &kind_ipaddress);
    void *cursor = NULL;
    if (covered_by_others(c, doc))
        return false;
    for (struct object *o; (o = informer_next(addresses, NULL, &cursor));) {
        struct ip ip;
        if (!ip_parse(o->name, &ip) || !has_range(doc, &ip, NULL))
            continue;
        _cleanup_json_ json_t *address = object_json(o);
        if (ipaddress_is_managed(address) && !others_have(c, jstr(doc, "metadata.name"), &ip, NULL))
            return true;
    }
    return false;
}

/* --- saying so --- */

static void set_ready(struct controller *c, const json_t *doc, const char *status, const char *reason,
                      const char *message)
{
    char now[TIME_TEXT_SIZE];
    const json_t *old = condition_find(doc, "Ready");
    bool same = old && streq(jstr_or(old, "status", ""), status);
    if (same && streq(jstr_or(old, "message", ""), message))
        return;
    time_format(controller_now_usec(c), now);
    _cleanup_json_ json_t *to =
        json_pack("{s:[{s:s, s:s, s:s, s:s, s:s}]}", "conditions", "type", "Ready", "status", status, "reason", reason,
                  "message", message, "lastTransitionTime", same ? jstr_or(old, "lastTransitionTime", now) : now);
    patch_status(c, &kind_servicecidr, doc, to);
}

static void add_finalizer(struct controller *c, const json_t *doc)
{
    _cleanup_json_ json_t *to = json_deep_copy(doc);
    if (!jget(to, "metadata.finalizers"))
        jset(to, "metadata.finalizers", json_array());
    json_array_append_new(jget(to, "metadata.finalizers"), json_string(SERVICECIDR_FINALIZER));
    patch_difference(c, &kind_servicecidr, doc, to, NULL, true);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    const struct object *o = informer_get(controller_informer(c, &kind_servicecidr), ns, name);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    if (!doc)
        return;
    if (is_deleting(doc) && is_needed(c, doc))
        set_ready(c, doc, "False", "Terminating", IN_USE_MESSAGE);
    else if (is_deleting(doc) && has_finalizer(doc, SERVICECIDR_FINALIZER))
        patch_finalizer_out(c, &kind_servicecidr, doc, SERVICECIDR_FINALIZER);
    else if (!is_deleting(doc) && !has_finalizer(doc, SERVICECIDR_FINALIZER))
        add_finalizer(c, doc);
    else if (!is_deleting(doc))
        set_ready(c, doc, "True", "Ready", READY_MESSAGE);
}

/* Each may be what another one waits for. */
static void map_all(struct controller *c, struct object *o)
{
    const struct informer *all = controller_informer(c, &kind_servicecidr);
    void *cursor = NULL;
    controller_enqueue(c, "", o->name);
    for (struct object *other; (other = informer_next(all, NULL, &cursor));)
        controller_enqueue(c, "", other->name);
}

static void map_address(struct controller *c, struct object *o)
{
    const struct informer *all = controller_informer(c, &kind_servicecidr);
    struct ip ip;
    void *cursor = NULL;
    if (!ip_parse(o->name, &ip))
        return;
    for (struct object *other; (other = informer_next(all, NULL, &cursor));) {
        _cleanup_json_ json_t *doc = object_json(other);
        if (is_deleting(doc) && has_range(doc, &ip, NULL))
            controller_enqueue(c, "", other->name);
    }
}

static const struct controller_watch watches[] = {
    {&kind_servicecidr, map_all}, {&kind_ipaddress, map_address}, {NULL, NULL}};

const struct controller_def servicecidrs_controller = {
    .name = "service-cidr-controller",
    .watches = watches,
    .reconcile = reconcile,
};
