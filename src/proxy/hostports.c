/* See hostports.h. */
#include "proxy/hostports.h"

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

static bool has_ended(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return streq(phase, "Succeeded") || streq(phase, "Failed");
}

static bool find_address(const json_t *pod, int family, struct ip *ret)
{
    size_t i;
    const json_t *item;
    json_array_foreach(jget(pod, "status.podIPs"), i, item)
        if (ip_parse(jstr_or(item, "ip", ""), ret) && ret->family == family)
            return true;
    return false;
}

static void add_port(struct plan *plan, const struct site *site, const struct ip *pod, const json_t *port)
{
    static const char *const any[] = {[false] = "0.0.0.0", [true] = "::"};
    struct front f = {.kind = FRONT_HOST, .port = (uint16_t)jint(port, "hostPort", 0), .port_index = plan->n_ports};
    const char *host_ip = jstr_or(port, "hostIP", "");
    enum svc_protocol protocol;
    if (!f.port || !protocol_parse(jstr_or(port, "protocol", NULL), &protocol) ||
        !ip_parse(*host_ip ? host_ip : any[site->family == AF_INET6], &f.ip) || f.ip.family != site->family)
        return;
    plan->ports = xrealloc(plan->ports, (plan->n_ports + 1) * sizeof(*plan->ports));
    struct plan_port *to = &plan->ports[plan->n_ports++];
    *to = (struct plan_port){.name = xstrdup(jstr_or(port, "name", "")), .protocol = protocol};
    to->cluster = (struct slots){.list = NEW(struct target), .n = 1};
    to->cluster.list[0] = (struct target){*pod, (uint16_t)jint(port, "containerPort", 0)};
    plan_add_front(plan, site, &f);
}

/* Init containers count when they go on beside the others. */
static void add_ports(struct plan *plan, const struct site *site, const struct ip *ip, const json_t *containers,
                      bool init)
{
    size_t i, k;
    const json_t *c, *port;
    json_array_foreach(containers, i, c)
        if (!init || streq(jstr_or(c, "restartPolicy", ""), "Always"))
            json_array_foreach(jget(c, "ports"), k, port)
                add_port(plan, site, ip, port);
}

struct plan *hostports_plan(const struct site *site, const json_t *pod)
{
    struct ip ip;
    if (jbool(pod, "spec.hostNetwork", false) || has_ended(pod) || !find_address(pod, site->family, &ip))
        return NULL;
    struct plan *plan = NEW(struct plan);
    plan->ns = xstrdup(jstr_or(pod, "metadata.namespace", ""));
    plan->name = xstrdup(jstr_or(pod, "metadata.name", ""));
    add_ports(plan, site, &ip, jget(pod, "spec.containers"), false);
    add_ports(plan, site, &ip, jget(pod, "spec.initContainers"), true);
    if (plan->n_fronts)
        return plan;
    plan_free(plan);
    return NULL;
}
