/* See service_address.h. */
#include "server/service_address.h"

#include <stdio.h>

#include "base/ip.h"

int service_address(const struct server *s, const char *ns, const char *name, char ret_ip[SERVICE_IP_SIZE],
                    struct err *err)
{
    const struct object *o = store_latest(s->store, &kind_service, ns, name);
    if (!o)
        return err_set(err, 0, "service \"%s\" not found", name);
    _cleanup_json_ json_t *doc = object_json(o);
    const char *ip = jstr_or(doc, "spec.clusterIP", "");
    struct ip parsed;
    if (!ip_parse(ip, &parsed))
        return err_set(err, 0, "service \"%s\" has no cluster IP", name);
    snprintf(ret_ip, SERVICE_IP_SIZE, "%s", ip);
    return 0;
}
