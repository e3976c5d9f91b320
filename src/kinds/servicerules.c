/* See servicerules.h; upstream: ValidateService and ValidateServiceUpdate in pkg/apis/core/validation. Whether
 * addresses and ports are free is asked where they are handed out. */
#include "kinds/servicerules.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"

#define KUBELET_PORT 10250
#define AFFINITY_MAX 86400 /* seconds: one day */
#define MAY_NOT_EXTERNAL "may not be set for ExternalName services"
#define LB_ONLY "may only be used when `type` is 'LoadBalancer'"

static bool is_type(const json_t *service, const char *type)
{
    return streq(jstr_or(service, "spec.type", ""), type);
}

static bool is_headless(const json_t *service)
{
    return streq(jstr_or(service, "spec.clusterIP", ""), "None");
}

bool service_is_reached_from_outside(const json_t *service)
{
    if (is_type(service, "NodePort") || is_type(service, "LoadBalancer"))
        return true;
    return is_type(service, "ClusterIP") && json_array_size(jget(service, "spec.externalIPs")) > 0;
}

/* --- by type --- */

static void check_node_ports(const json_t *service, struct status_causes *c)
{
    bool allowed = is_type(service, "NodePort") || is_type(service, "LoadBalancer");
    struct map taken = {0};
    size_t i;
    json_t *port;
    json_array_foreach(jget(service, "spec.ports"), i, port) {
        json_t *node_port = jget(port, "nodePort");
        if (!json_integer_value(node_port))
            continue;
        _cleanup_free_ char *key =
            xasprintf("%s %lld", jstr_or(port, "protocol", "TCP"), (long long)json_integer_value(node_port));
        if (!allowed)
            rule_broken(c, CAUSE_FORBIDDEN, NULL, "may not be used when `type` is 'ClusterIP'",
                        "spec.ports[%zu].nodePort", i);
        else if (map_put(&taken, key, port))
            rule_broken(c, CAUSE_DUPLICATE, node_port, "", "spec.ports[%zu].nodePort", i);
    }
    map_done(&taken);
}

static void check_not_headless(const json_t *service, const char *why, struct status_causes *c)
{
    if (is_headless(service))
        rule_broken_text(c, CAUSE_INVALID, "None", why, "spec.clusterIPs[0]");
}

static void check_load_balancer(const json_t *service, struct status_causes *c)
{
    size_t i;
    json_t *port;
    json_array_foreach(jget(service, "spec.ports"), i, port)
        if (jint(port, "port", 0) == KUBELET_PORT)
            rule_broken(c, CAUSE_INVALID, jget(port, "port"),
                        "may not expose port 10250 externally since it is used by kubelet", "spec.ports[%zu].port", i);
    check_not_headless(service, "may not be set to 'None' for LoadBalancer services", c);
}

static void check_external_name(const json_t *service, struct status_causes *c)
{
    static const char *const none_of[] = {"clusterIPs", "ipFamilies", "ipFamilyPolicy"};
    const char *name = jstr_or(service, "spec.externalName", "");
    for (size_t i = 0; i < ARRAY_LEN(none_of); i++)
        if (jget(jget(service, "spec"), none_of[i]))
            rule_broken(c, CAUSE_FORBIDDEN, NULL, MAY_NOT_EXTERNAL, "spec.%s", none_of[i]);
    if (*jstr_or(service, "spec.clusterIP", "") && !jget(service, "spec.clusterIPs"))
        rule_broken(c, CAUSE_FORBIDDEN, NULL, MAY_NOT_EXTERNAL, "spec.clusterIPs");
    size_t len = strlen(name);
    _cleanup_free_ char *host = xstrndup(name, len - (len > 0 && name[len - 1] == '.'));
    if (!*host)
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.externalName");
    else
        rule_check_text(c, check_dns_subdomain, host, "spec.externalName");
}

static void check_type(const json_t *service, struct status_causes *c)
{
    bool balanced = is_type(service, "LoadBalancer");
    static const char *const balanced_only[] = {"allocateLoadBalancerNodePorts", "loadBalancerClass",
                                                "loadBalancerSourceRanges"};
    if (balanced)
        check_load_balancer(service, c);
    if (is_type(service, "NodePort"))
        check_not_headless(service, "may not be set to 'None' for NodePort services", c);
    if (is_type(service, "ExternalName"))
        check_external_name(service, c);
    for (size_t i = 0; i < ARRAY_LEN(balanced_only); i++)
        if (!balanced && jget(jget(service, "spec"), balanced_only[i]))
            rule_broken(c, CAUSE_FORBIDDEN, NULL, LB_ONLY, "spec.%s", balanced_only[i]);
}

/* --- ports --- */

static void check_port(const json_t *port, size_t i, bool needs_name, struct map *names, struct status_causes *c)
{
    char path[RULE_PATH_SIZE];
    const char *name = jstr_or(port, "name", "");
    if (needs_name && !*name)
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.ports[%zu].name", i);
    else if (*name && map_put(names, name, (void *)port))
        rule_broken_text(c, CAUSE_DUPLICATE, name, "", "spec.ports[%zu].name", i);
    snprintf(path, sizeof(path), "spec.ports[%zu].targetPort", i);
    rule_port_or_name(c, jget(port, "targetPort"), path);
}

static void check_ports(const json_t *service, struct status_causes *c)
{
    struct map names = {0}, numbers = {0};
    const json_t *ports = jget(service, "spec.ports");
    size_t i, n = json_array_size(ports);
    json_t *port;
    if (n == 0 && !is_headless(service) && !is_type(service, "ExternalName"))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.ports");
    json_array_foreach(ports, i, port) {
        const char *protocol = jstr_or(port, "protocol", "TCP");
        _cleanup_free_ char *key = xasprintf("%s %lld", protocol, (long long)jint(port, "port", 0));
        check_port(port, i, n > 1, &names, c);
        if (map_put(&numbers, key, port)) {
            _cleanup_json_ json_t *both =
                json_pack("{s:I, s:s}", "port", (json_int_t)jint(port, "port", 0), "protocol", protocol);
            rule_broken(c, CAUSE_DUPLICATE, both, "", "spec.ports[%zu]", i);
        }
    }
    map_done(&names);
    map_done(&numbers);
}

/* --- addresses --- */

static void check_addresses(const json_t *service, struct status_causes *c)
{
    const json_t *ips = jget(service, "spec.clusterIPs"), *ip;
    const char *first = jstr_or(service, "spec.clusterIP", "");
    size_t i;
    if (*first && json_array_size(ips) && !streq(first, json_string_value(json_array_get(ips, 0)) ?: ""))
        rule_broken(c, CAUSE_INVALID, ips, "first value must match `clusterIP`", "spec.clusterIPs");
    if (*first && !json_array_size(ips) && !is_headless(service))
        rule_check_text(c, check_ip, first, "spec.clusterIP");
    if (json_array_size(ips) > 2)
        rule_broken(c, CAUSE_INVALID, ips, "may only hold up to 2 values", "spec.clusterIPs");
    json_array_foreach(ips, i, ip)
        if (i > 0 || !is_headless(service))
            rule_check_text(c, check_ip, json_string_value(ip) ?: "", "spec.clusterIPs[%zu]", i);
    json_array_foreach(jget(service, "spec.externalIPs"), i, ip)
        if (is_ipv4(json_string_value(ip) ?: "") || is_ipv6(json_string_value(ip) ?: ""))
            rule_check_text(c, check_endpoint_ip, json_string_value(ip), "spec.externalIPs[%zu]", i);
}

static void check_families(const json_t *service, struct status_causes *c)
{
    struct map seen = {0};
    size_t i;
    json_t *family;
    json_array_foreach(jget(service, "spec.ipFamilies"), i, family) {
        const char *name = json_string_value(family) ?: "";
        if (!streq(name, "IPv4") && !streq(name, "IPv6"))
            rule_broken(c, CAUSE_NOT_SUPPORTED, family, "supported values: \"IPv4\", \"IPv6\"", "spec.ipFamilies[%zu]",
                        i);
        else if (map_put(&seen, name, family))
            rule_broken(c, CAUSE_DUPLICATE, family, "", "spec.ipFamilies[%zu]", i);
    }
    map_done(&seen);
}

static void check_source_ranges(const json_t *service, struct status_causes *c)
{
    size_t i;
    json_t *range;
    json_array_foreach(jget(service, "spec.loadBalancerSourceRanges"), i, range)
        rule_check_text(c, check_cidr, json_string_value(range) ?: "", "spec.loadBalancerSourceRanges[%zu]", i);
}

/* --- policies --- */

static void check_affinity(const json_t *service, struct status_causes *c)
{
    static const char needed[] = "when session affinity type is ClientIP";
    const json_t *seconds = jget(service, "spec.sessionAffinityConfig.clientIP.timeoutSeconds");
    bool configured = jget(service, "spec.sessionAffinityConfig");
    int64_t n = json_integer_value(seconds);
    if (!streq(jstr_or(service, "spec.sessionAffinity", ""), "ClientIP")) {
        if (configured)
            rule_broken(c, CAUSE_FORBIDDEN, NULL, "must not be set when session affinity is None",
                        "spec.sessionAffinityConfig");
    } else if (!seconds) {
        rule_broken(c, CAUSE_REQUIRED, NULL, needed, "spec.sessionAffinityConfig.clientIP.timeoutSeconds");
    } else if (n <= 0 || n > AFFINITY_MAX) {
        rule_broken(c, CAUSE_INVALID, seconds, "must be greater than 0 and less than 86400",
                    "spec.sessionAffinityConfig.clientIP.timeoutSeconds");
    }
}

static void check_external_policy(const json_t *service, struct status_causes *c)
{
    const json_t *policy = jget(service, "spec.externalTrafficPolicy");
    const json_t *health = jget(service, "spec.healthCheckNodePort");
    bool outside = service_is_reached_from_outside(service);
    bool asks_health = is_type(service, "LoadBalancer") && streq(json_string_value(policy) ?: "", "Local");
    if (policy && !outside)
        rule_broken(c, CAUSE_INVALID, policy, "may only be set for externally-accessible services",
                    "spec.externalTrafficPolicy");
    if (!policy && outside)
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.externalTrafficPolicy");
    if (health && !asks_health)
        rule_broken(c, CAUSE_INVALID, health,
                    "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
                    "spec.healthCheckNodePort");
}

/* --- updates --- */

/* The address of a Service lies in clients: it stays until the type becomes ExternalName. */
static void check_address_kept(const json_t *service, const json_t *old, struct status_causes *c)
{
    const json_t *before = jget(old, "spec.clusterIPs"), *after = jget(service, "spec.clusterIPs");
    if (is_type(service, "ExternalName") || is_type(old, "ExternalName") || !json_array_size(before))
        return;
    const json_t *first = json_array_get(after, 0);
    if (!first)
        rule_broken(c, CAUSE_INVALID, after, "primary clusterIP can not be unset", "spec.clusterIPs[0]");
    else if (!json_equal(json_array_get(before, 0), first))
        rule_broken(c, CAUSE_INVALID, after, "may not change once set", "spec.clusterIPs[0]");
}

static void check_class_kept(const json_t *service, const json_t *old, struct status_causes *c)
{
    const json_t *before = jget(old, "spec.loadBalancerClass"), *after = jget(service, "spec.loadBalancerClass");
    bool stays = is_type(service, "LoadBalancer") && is_type(old, "LoadBalancer");
    if (stays && (before || after) && !(before && after && json_equal(before, after)))
        rule_broken(c, CAUSE_INVALID, after, "may not change once set", "spec.loadBalancerClass");
}

void service_validate(const json_t *service, const json_t *old, struct status_causes *causes)
{
    check_ports(service, causes);
    check_node_ports(service, causes);
    check_type(service, causes);
    check_affinity(service, causes);
    if (!is_type(service, "ExternalName")) {
        check_addresses(service, causes);
        check_families(service, causes);
    }
    check_source_ranges(service, causes);
    check_external_policy(service, causes);
    if (old) {
        check_address_kept(service, old, causes);
        check_class_kept(service, old, causes);
    }
}
