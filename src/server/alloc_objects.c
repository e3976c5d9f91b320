/* What ServiceCIDRs and IPAddresses say about the addresses of Services: which ranges there are, and which addresses
 * somebody has taken for himself. The store tells of them before whoever wrote them is answered, so the next Service
 * already heeds them. */
#define LOG_AREA "server"
#include "base/log.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/servicecidr.h"
#include "server/alloc_impl.h"
#include "server/pipeline.h"

/* --- ranges --- */

/* NULL: none, also while it is being deleted. */
static const json_t *ranges_of(const json_t *servicecidr)
{
    return servicecidr && !jget(servicecidr, "metadata.deletionTimestamp") ? jget(servicecidr, "spec.cidrs") : NULL;
}

static bool use_range(struct alloc *a, const struct cidr *cidr, int users)
{
    struct service_range *r = alloc_use_range(a, cidr);
    if (r)
        r->users += users - 1;
    return r;
}

bool alloc_servicecidr(struct alloc *a, const json_t *before, const json_t *now)
{
    const json_t *cidr;
    struct cidr c;
    size_t i;
    bool all = true;
    json_array_foreach(ranges_of(now), i, cidr)
        if (cidr_parse(json_string_value(cidr), &c))
            all &= use_range(a, &c, 1);
    json_array_foreach(ranges_of(before), i, cidr)
        if (cidr_parse(json_string_value(cidr), &c))
            use_range(a, &c, -1);
    return all;
}

static bool restore_service(void *arg, struct object *o)
{
    _cleanup_json_ json_t *doc = object_json(o);
    alloc_restore_service(arg, doc);
    return true;
}

/* Services of before may have addresses in a range that is new. */
static void on_range(void *arg, struct object *old, struct object *obj, bool deleted)
{
    struct server *s = arg;
    _cleanup_json_ json_t *before = old ? object_json(old) : NULL, *now = deleted ? NULL : object_json(obj);
    if (before && now && !ranges_of(before) == !ranges_of(now))
        return; /* ranges are never changed */
    if (!alloc_servicecidr(s->alloc, before, now))
        log_warn("ServiceCIDR %s is not used: there have been too many different ones", obj->name);
    if (ranges_of(now))
        store_each(s->store, &kind_service, NULL, NULL, NULL, restore_service, s->alloc);
}

/* --- addresses --- */

static bool is_own(const json_t *ipaddress)
{
    return ipaddress && !ipaddress_is_managed(ipaddress);
}

void alloc_ipaddress(struct alloc *a, const json_t *before, const json_t *now)
{
    const char *name = jstr_or(now ? now : before, "metadata.name", "");
    struct alloc_change change = {0};
    struct ip ip;
    if (!ip_parse(name, &ip))
        return;
    if (is_own(now) && !map_get(&a->own, name) && alloc_take_ip(a, &ip, &change))
        map_put(&a->own, name, a);
    else if (!is_own(now) && map_del(&a->own, name))
        alloc_release_ip(a, &ip, &change);
    alloc_commit(&change);
}

static void on_address(void *arg, struct object *old, struct object *obj, bool deleted)
{
    struct server *s = arg;
    _cleanup_json_ json_t *before = old ? object_json(old) : NULL, *now = deleted ? NULL : object_json(obj);
    alloc_ipaddress(s->alloc, before, now);
}

/* --- what there is at the start --- */

static bool restore_range(void *arg, struct object *o)
{
    _cleanup_json_ json_t *doc = object_json(o);
    return alloc_servicecidr(arg, NULL, doc);
}

static bool restore_address(void *arg, struct object *o)
{
    _cleanup_json_ json_t *doc = object_json(o);
    alloc_ipaddress(arg, NULL, doc);
    return true;
}

void alloc_follow(struct server *s)
{
    store_each(s->store, &kind_servicecidr, "", NULL, NULL, restore_range, s->alloc);
    store_each(s->store, &kind_service, NULL, NULL, NULL, restore_service, s->alloc);
    store_each(s->store, &kind_ipaddress, "", NULL, NULL, restore_address, s->alloc);
    s->servicecidrs = store_watch(s->store, &kind_servicecidr, 0, on_range, s);
    s->ipaddresses = store_watch(s->store, &kind_ipaddress, 0, on_address, s);
}

void alloc_unfollow(struct server *s)
{
    store_watch_stop(TAKE(s->servicecidrs));
    store_watch_stop(TAKE(s->ipaddresses));
}
