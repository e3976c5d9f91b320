/* See status.h. */
#include "lb/status.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

bool lb_is_ours(const json_t *service)
{
    return streq(jstr_or(service, "spec.type", ""), "LoadBalancer") && !jstr(service, "spec.loadBalancerClass") &&
           !jget(service, "metadata.deletionTimestamp");
}

char *lb_owner(const char *ns, const char *name)
{
    return xasprintf("%s/%s", ns, name);
}

void lb_enqueue_owners(struct controller *c, const struct map *owners)
{
    for (struct map_entry *e = NULL; (e = map_next(owners, e));) {
        const char *slash = strchr(e->key, '/');
        _cleanup_free_ char *ns = xstrndup(e->key, (size_t)(slash - e->key));
        controller_enqueue(c, ns, slash + 1);
    }
}

void lb_write(struct controller *c, const json_t *service, const struct ip *ips, size_t n)
{
    const json_t *before = jget(service, "status.loadBalancer.ingress");
    _cleanup_json_ json_t *ingress = n ? json_array() : json_null();
    for (size_t i = 0; i < n; i++) {
        char text[IP_TEXT_SIZE];
        json_array_append_new(ingress, json_pack("{s:s, s:s}", "ip", ip_format(&ips[i], text), "ipMode", "VIP"));
    }
    if (n ? json_equal(before, ingress) : !before)
        return;
    _cleanup_json_ json_t *patch = json_pack("{s:{s:{s:O}}}", "status", "loadBalancer", "ingress", ingress);
    controller_patch(c, &kind_service, jstr(service, "metadata.namespace"), jstr(service, "metadata.name"), "status",
                     PATCH_MERGE, patch);
    if (n)
        controller_event(c, service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer");
}

void lb_tell_failure(struct controller *c, const json_t *service, const char *why)
{
    controller_event(c, service, "Warning", "SyncLoadBalancerFailed",
                     "Error syncing load balancer: failed to ensure load balancer: %s", why);
}
