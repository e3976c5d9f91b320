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

static size_t size_of(const json_t *service, const char *list)
{
    return json_array_size(jget(service, list));
}

static const char *item_of(const json_t *service, const char *list, size_t i)
{
    return json_string_value(json_array_get(jget(service, list), i)) ?: "";
}

/* False: what is said about families would not help. */
static bool check_cluster_ip_texts(const json_t *service, struct status_causes *c)
{
    const json_t *ips = jget(service, "spec.clusterIPs"), *ip;
    size_t i;
    bool good = true;
    json_array_foreach(ips, i, ip) {
        const char *text = json_string_value(ip) ?: "";
        if (i == 0 && streq(text, "None")) {
            good = json_array_size(ips) == 1;
            if (!good)
                rule_broken(c, CAUSE_INVALID, ips, "'None' must be the first and only value", "spec.clusterIPs");
            continue;
        }
        good = good && (is_ipv4(text) || is_ipv6(text));
        rule_check_text(c, check_ip, text, "spec.clusterIPs[%zu]", i);
    }
    return good;
}

static void check_ip_families(const json_t *service, struct status_causes *c)
{
    const json_t *ips = jget(service, "spec.clusterIPs");
    size_t n = json_array_size(ips);
    if (n > 2)
        rule_broken(c, CAUSE_INVALID, ips, "may only hold up to 2 values", "spec.clusterIPs");
    for (size_t i = 1; i < n; i++)
        if (is_ipv6(item_of(service, "spec.clusterIPs", 0)) == is_ipv6(item_of(service, "spec.clusterIPs", i))) {
            rule_broken(c, CAUSE_INVALID, ips, "may specify no more than one IP for each IP family", "spec.clusterIPs");
            break;
        }
    for (size_t i = 0; i < n && i < size_of(service, "spec.ipFamilies") && !is_headless(service); i++) {
        const char *ip = item_of(service, "spec.clusterIPs", i), *family = item_of(service, "spec.ipFamilies", i);
        char why[80];
        if (!streq(family, "IPv4") && !streq(family, "IPv6"))
            continue;
        snprintf(why, sizeof(why), "expected an %s value as indicated by `ipFamilies[%zu]`", family, i);
        if (streq(family, "IPv6") != is_ipv6(ip))
            rule_broken_text(c, CAUSE_INVALID, ip, why, "spec.clusterIPs[%zu]", i);
    }
}

static void check_addresses(const json_t *service, struct status_causes *c)
{
    const json_t *ips = jget(service, "spec.clusterIPs"), *ip;
    const char *first = jstr_or(service, "spec.clusterIP", "");
    size_t i;
    if (*first && json_array_size(ips) && !streq(first, item_of(service, "spec.clusterIPs", 0)))
        rule_broken(c, CAUSE_INVALID, ips, "first value must match `clusterIP`", "spec.clusterIPs");
    if (*first && !json_array_size(ips) && !is_headless(service))
        rule_check_text(c, check_ip, first, "spec.clusterIP");
    if (check_cluster_ip_texts(service, c))
        check_ip_families(service, c);
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

/* Addresses and families of a Service lie in clients: the first stays, a second may come, and go when the policy says
 * so. Upstream tells of a family's first place whichever has changed. */
static const struct kept {
    const char *list, *unset, *released;
    bool names_place;
} kept[] = {
    {"spec.clusterIPs", "primary clusterIP can not be unset",
     "must be set to 'SingleStack' when releasing the secondary clusterIP", true},
    {"spec.ipFamilies", "primary ipFamily can not be unset",
     "must be set to 'SingleStack' when releasing the secondary ipFamily", false},
};

static void check_kept(const struct kept *k, const json_t *service, const json_t *old, struct status_causes *c)
{
    const json_t *now = jget(service, k->list);
    size_t n = size_of(service, k->list), before = size_of(old, k->list);
    size_t compared = n == before ? n : n && before ? 1 : 0;
    if (before && !n)
        rule_broken(c, CAUSE_INVALID, now, k->unset, "%s[0]", k->list);
    for (size_t i = 0; i < compared; i++)
        if (!streq(item_of(service, k->list, i), item_of(old, k->list, i)))
            rule_broken(c, CAUSE_INVALID, now, "may not change once set", "%s[%zu]", k->list, k->names_place ? i : 0);
    if (before > n && n == 1 && !streq(jstr_or(service, "spec.ipFamilyPolicy", ""), "SingleStack"))
        rule_broken(c, CAUSE_INVALID, jget(service, "spec.ipFamilyPolicy"), k->released, "spec.ipFamilyPolicy");
}

static void check_addresses_kept(const json_t *service, const json_t *old, struct status_causes *c)
{
    bool headless = is_headless(service), was_headless = is_headless(old);
    if (is_type(service, "ExternalName") || is_type(old, "ExternalName") || (headless && was_headless))
        return;
    check_kept(&kept[0], service, old, c);
    if (!headless && !was_headless)
        check_kept(&kept[1], service, old, c);
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
        check_addresses_kept(service, old, causes);
        check_class_kept(service, old, causes);
    }
}
