/* server: ClusterIPs, NodePorts and pod ranges. */
#include <stdarg.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "server/alloc.h"
#include "doc.h"

static struct alloc *make(void)
{
    struct err err;
    struct alloc *a = alloc_new("10.96.0.0/24", "10.244.0.0/22", 30000, 30099, &err);
    T_TRUE(a != NULL);
    return a;
}

/* Writes the Service: what came of it in *ret (new reference), and the message of what was refused ("" for success). */
static const char *put(struct alloc *a, const char *text, const json_t *old, json_t **ret)
{
    static char message[1000];
    struct status_causes causes = {0};
    struct alloc_change change = {0};
    struct err err = {.msg = ""};
    json_t *d = t_doc(text);
    int rc = alloc_service(a, d, old, &causes, &change, &err);
    snprintf(message, sizeof(message), "%s", rc < 0 ? err.msg : "");
    if (causes_any(&causes)) {
        const json_t *first = json_array_get(causes.list, 0);
        snprintf(message, sizeof(message), "%s: %s", jstr(first, "field"), jstr(first, "message"));
    }
    if (*message)
        alloc_rollback(&change);
    else
        alloc_commit(&change);
    causes_done(&causes);
    if (ret)
        *ret = d;
    else
        json_decref(d);
    return message;
}

TEST(addresses_are_given_kept_and_released)
{
    struct alloc *a = make();
    _cleanup_json_ json_t *first = NULL, *second = NULL;
    T_STR(put(a, "{\"spec\":{\"type\":\"ClusterIP\"}}", NULL, &first), "");
    const char *ip = jstr(first, "spec.clusterIP");
    T_TRUE(ip && strncmp(ip, "10.96.0.", 8) == 0);
    T_STR(json_string_value(json_array_get(jget(first, "spec.clusterIPs"), 0)), ip);
    T_STR(jstr(first, "spec.ipFamilyPolicy"), "SingleStack");

    _cleanup_free_ char *taken = xasprintf("{\"spec\":{\"clusterIP\":\"%s\"}}", ip);
    _cleanup_free_ char *refused =
        xasprintf("spec.clusterIPs: Invalid value: [\"%s\"]: failed to allocate IP %s: provided IP is "
                  "already allocated",
                  ip, ip);
    T_STR(put(a, taken, NULL, NULL), refused);

    T_STR(put(a, "{\"spec\":{\"type\":\"ClusterIP\"}}", first, &second), "");
    T_STR(jstr(second, "spec.clusterIP"), ip);

    struct alloc_change gone = {0};
    alloc_service_deleted(a, second, &gone);
    T_STR(put(a, taken, NULL, NULL), refused); /* not before the deletion is durable */
    alloc_commit(&gone);
    T_STR(put(a, taken, NULL, NULL), "");
    alloc_free(a);
}

TEST(addresses_that_cannot_be_had)
{
    struct alloc *a = make();
    T_STR(put(a, "{\"spec\":{\"clusterIP\":\"192.0.2.1\"}}", NULL, NULL),
          "spec.clusterIPs: Invalid value: [\"192.0.2.1\"]: failed to allocate IP 192.0.2.1: the provided IP "
          "(192.0.2.1) is not "
          "in the valid range. The range of valid IPs is 10.96.0.0/24");
    for (const char *const *edge = (const char *const[]){"10.96.0.0", "10.96.0.255", NULL}; *edge; edge++) {
        _cleanup_free_ char *text = xasprintf("{\"spec\":{\"clusterIP\":\"%s\"}}", *edge);
        T_TRUE(*put(a, text, NULL, NULL));
    }
    for (int i = 0; i < 254; i++)
        T_STR(put(a, "{\"spec\":{}}", NULL, NULL), "");
    T_STR(put(a, "{\"spec\":{}}", NULL, NULL), "failed to allocate a serviceIP: range is full");
    alloc_free(a);
}

TEST(headless_and_external_services_have_none)
{
    struct alloc *a = make();
    _cleanup_json_ json_t *headless = NULL, *external = NULL, *cluster = NULL, *back = NULL;
    T_STR(put(a, "{\"spec\":{\"clusterIP\":\"None\"}}", NULL, &headless), "");
    T_JSON(jget(headless, "spec.clusterIPs"), "[\"None\"]");
    T_STR(put(a, "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"x.example\"}}", NULL, &external), "");
    T_TRUE(!jhas(external, "spec.clusterIP"));
    /* ExternalName to ClusterIP takes an address, and back gives it away. */
    T_STR(put(a, "{\"spec\":{\"type\":\"ClusterIP\"}}", external, &cluster), "");
    _cleanup_free_ char *again = xasprintf("{\"spec\":{\"clusterIP\":\"%s\"}}", jstr(cluster, "spec.clusterIP"));
    _cleanup_free_ char *repeated =
        xasprintf("{\"spec\":{\"type\":\"ExternalName\",\"clusterIP\":\"%s\",\"clusterIPs\":[\"%s\"]}}",
                  jstr(cluster, "spec.clusterIP"), jstr(cluster, "spec.clusterIP"));
    T_STR(put(a, repeated, cluster, &back), "");
    T_TRUE(!jhas(back, "spec.clusterIP") && !jhas(back, "spec.clusterIPs"));
    T_STR(put(a, again, NULL, NULL), "");
    alloc_free(a);
}

TEST(node_ports)
{
    struct alloc *a = make();
    _cleanup_json_ json_t *both = NULL, *kept = NULL, *cluster = NULL, *explicit = NULL;
    /* One number for TCP and UDP of a port. */
    T_STR(put(a,
              "{\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":53,\"protocol\":\"TCP\"},{\"port\":53,"
              "\"protocol\":\"UDP\"}]}}",
              NULL, &both),
          "");
    int64_t n = jint(json_array_get(jget(both, "spec.ports"), 0), "nodePort", 0);
    T_TRUE(n >= 30000 && n <= 30099);
    T_INT(jint(json_array_get(jget(both, "spec.ports"), 1), "nodePort", 0), n);
    /* A manifest that says nothing keeps it, also when the order changes. */
    T_STR(put(a,
              "{\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"protocol\":\"TCP\"},{\"port\":53,"
              "\"protocol\":\"UDP\"}]}}",
              both, &kept),
          "");
    T_INT(jint(json_array_get(jget(kept, "spec.ports"), 1), "nodePort", 0), n);
    T_TRUE(jint(json_array_get(jget(kept, "spec.ports"), 0), "nodePort", 0) != n);
    /* Explicit ones. */
    _cleanup_free_ char *taken =
        xasprintf("{\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":1,\"nodePort\":%d}]}}", (int)n);
    _cleanup_free_ char *refused =
        xasprintf("spec.ports[0].nodePort: Invalid value: %d: provided port is already allocated", (int)n);
    T_STR(put(a, taken, NULL, NULL), refused);
    T_STR(put(a, "{\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":1,\"nodePort\":99}]}}", NULL, NULL),
          "spec.ports[0].nodePort: Invalid value: 99: provided port is not in the valid range. The range of valid "
          "ports is "
          "30000-30099");
    /* A change of type takes them along when the writer repeats them. */
    _cleanup_free_ char *repeated =
        xasprintf("{\"spec\":{\"type\":\"ClusterIP\",\"ports\":[{\"port\":53,\"protocol\":\"UDP\","
                  "\"nodePort\":%d}]}}",
                  (int)n);
    T_STR(put(a, repeated, kept, &cluster), "");
    T_TRUE(!jhas(json_array_get(jget(cluster, "spec.ports"), 0), "nodePort"));
    T_STR(put(a, taken, NULL, &explicit), "");
    alloc_free(a);
}

TEST(load_balancers_have_a_health_port)
{
    struct alloc *a = make();
    _cleanup_json_ json_t *local = NULL, *cluster = NULL;
    T_STR(put(a,
              "{\"spec\":{\"type\":\"LoadBalancer\",\"externalTrafficPolicy\":\"Local\","
              "\"allocateLoadBalancerNodePorts\":false,"
              "\"ports\":[{\"port\":80}]}}",
              NULL, &local),
          "");
    int64_t n = jint(local, "spec.healthCheckNodePort", 0);
    T_TRUE(n >= 30000 && n <= 30099);
    T_TRUE(!jhas(json_array_get(jget(local, "spec.ports"), 0), "nodePort"));
    _cleanup_free_ char *repeated =
        xasprintf("{\"spec\":{\"type\":\"LoadBalancer\",\"externalTrafficPolicy\":\"Cluster\","
                  "\"healthCheckNodePort\":%d,\"allocateLoadBalancerNodePorts\":false,"
                  "\"ports\":[{\"port\":80}]}}",
                  (int)n);
    T_STR(put(a, repeated, local, &cluster), "");
    T_TRUE(!jhas(cluster, "spec.healthCheckNodePort"));
    _cleanup_free_ char *free_now =
        xasprintf("{\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":1,\"nodePort\":%d}]}}", (int)n);
    T_STR(put(a, free_now, NULL, NULL), "");
    alloc_free(a);
}

TEST(what_only_load_balancers_have_goes_with_the_type)
{
    struct alloc *a = make();
    _cleanup_json_ json_t *balanced = NULL, *plain = NULL, *changed = NULL;
    T_STR(put(a,
              "{\"spec\":{\"type\":\"LoadBalancer\",\"allocateLoadBalancerNodePorts\":true,"
              "\"loadBalancerClass\":\"a/b\",\"ports\":[{\"port\":80}]}}",
              NULL, &balanced),
          "");
    T_STR(put(a,
              "{\"spec\":{\"type\":\"ClusterIP\",\"allocateLoadBalancerNodePorts\":true,"
              "\"loadBalancerClass\":\"a/b\",\"ports\":[{\"port\":80}]}}",
              balanced, &plain),
          "");
    T_TRUE(!jhas(plain, "spec.allocateLoadBalancerNodePorts") && !jhas(plain, "spec.loadBalancerClass"));
    T_STR(put(a,
              "{\"spec\":{\"type\":\"ClusterIP\",\"allocateLoadBalancerNodePorts\":false,"
              "\"ports\":[{\"port\":80}]}}",
              balanced, &changed),
          "");
    T_TRUE(jhas(changed, "spec.allocateLoadBalancerNodePorts")); /* for validation to complain about */
    alloc_free(a);
}

TEST(a_failed_write_gives_back_what_it_took)
{
    struct alloc *a = make();
    struct status_causes causes = {0};
    struct alloc_change change = {0};
    struct err err;
    _cleanup_json_ json_t *d =
        t_doc("{\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"10.96.0.9\",\"ports\":[{\"port\":1,"
              "\"nodePort\":30005}]}}");
    T_INT(alloc_service(a, d, NULL, &causes, &change, &err), 0);
    T_INT(change.n, 2);
    alloc_rollback(&change);
    T_STR(put(a,
              "{\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"10.96.0.9\",\"ports\":[{\"port\":1,\"nodePort\":30005}]"
              "}}",
              NULL, NULL),
          "");
    alloc_free(a);
}

TEST(what_is_stored_is_taken_at_start)
{
    struct alloc *a = make();
    _cleanup_json_ json_t *d =
        t_doc("{\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"10.96.0.9\",\"ports\":[{\"port\":1,"
              "\"nodePort\":30005}]}}");
    alloc_restore_service(a, d);
    T_TRUE(*put(a, "{\"spec\":{\"clusterIP\":\"10.96.0.9\"}}", NULL, NULL));
    T_TRUE(*put(a, "{\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":1,\"nodePort\":30005}]}}", NULL, NULL));
    alloc_free(a);
}

static const char *add_node(struct alloc *a, json_t *node)
{
    struct alloc_change change = {0};
    struct err err;
    if (alloc_node(a, node, &change, &err) < 0)
        return "full";
    alloc_commit(&change);
    return jstr_or(node, "spec.podCIDR", "");
}

/* What became of a Service: policy, families and, by family, where the addresses are from ("4", "6", "46", …; "!text":
 * refused). */
static const char *shape(const char *message, const json_t *d)
{
    static char text[1100];
    char families[4] = "", ips[4] = "";
    size_t i;
    json_t *item;
    json_array_foreach(jget(d, "spec.ipFamilies"), i, item)
        families[i] = streq(json_string_value(item), "IPv6") ? '6' : '4';
    json_array_foreach(jget(d, "spec.clusterIPs"), i, item)
        ips[i] = strchr(json_string_value(item), ':') ? '6' : streq(json_string_value(item), "None") ? '-' : '4';
    if (*message)
        snprintf(text, sizeof(text), "!%s", message);
    else
        snprintf(text, sizeof(text), "%s %s %s", jstr_or(d, "spec.ipFamilyPolicy", "-"), families, ips);
    return text;
}

static const char *outcome(struct alloc *a, const char *text, const json_t *old, json_t **ret)
{
    const char *message = put(a, text, old, ret);
    return shape(message, *ret);
}

TEST(families_follow_the_policy_and_the_cluster)
{
    static const char *const clusters[] = {"10.96.0.0/24", "10.96.0.0/24,fd00:10:96::/112",
                                           "fd00:10:96::/112,10.96.0.0/24"};
    static const char *const pods[] = {"10.244.0.0/16", "10.244.0.0/16,fd00:10:244::/56",
                                       "fd00:10:244::/56,10.244.0.0/16"};
#define REQUIRE "\"ipFamilyPolicy\":\"RequireDualStack\""
#define PREFER "\"ipFamilyPolicy\":\"PreferDualStack\""
#define ONE_ONLY                                                                                                       \
    "!spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack "        \
    "services"
    static const struct {
        const char *spec, *made[3];
    } cases[] = {
        {"", {"SingleStack 4 4", "SingleStack 4 4", "SingleStack 6 6"}},
        {PREFER, {"PreferDualStack 4 4", "PreferDualStack 46 46", "PreferDualStack 64 64"}},
        {REQUIRE, {ONE_ONLY, "RequireDualStack 46 46", "RequireDualStack 64 64"}},
        {REQUIRE ",\"ipFamilies\":[\"IPv6\"]", {ONE_ONLY, "RequireDualStack 64 64", "RequireDualStack 64 64"}},
        {"\"ipFamilies\":[\"IPv6\"]",
         {"!spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster", "SingleStack 6 6",
          "SingleStack 6 6"}},
        {PREFER ",\"ipFamilies\":[\"IPv4\"]",
         {"PreferDualStack 4 4", "PreferDualStack 46 46", "PreferDualStack 46 46"}},
        {"\"ipFamilies\":[\"IPv6\",\"IPv4\"]",
         {"!spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when "
          "multiple IP families are specified",
          "!spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when "
          "multiple IP families are specified",
          "!spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when "
          "multiple IP families are specified"}},
        {PREFER ",\"clusterIP\":\"fd00:10:96::7\"",
         {"!spec.clusterIPs[0]: Invalid value: [\"fd00:10:96::7\"]: IPv6 is not configured on this cluster",
          "PreferDualStack 64 64", "PreferDualStack 64 64"}},
        {"\"clusterIP\":\"None\"", {"RequireDualStack 46 -", "RequireDualStack 46 -", "RequireDualStack 64 -"}},
        {"\"clusterIP\":\"None\",\"selector\":{\"a\":\"b\"}",
         {"SingleStack 4 -", "SingleStack 4 -", "SingleStack 6 -"}},
        {"\"clusterIP\":\"None\",\"selector\":{\"a\":\"b\"}," PREFER,
         {"PreferDualStack 4 -", "PreferDualStack 46 -", "PreferDualStack 64 -"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(clusters); i++) {
        struct err err;
        struct alloc *a = alloc_new(clusters[i], pods[i], 30000, 30099, &err);
        for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
            _cleanup_free_ char *text = xasprintf("{\"spec\":{%s}}", cases[k].spec);
            _cleanup_json_ json_t *d = NULL;
            T_STR(outcome(a, text, NULL, &d), cases[k].made[i]);
        }
        alloc_free(a);
    }
}

TEST(a_second_family_comes_and_goes)
{
    struct err err;
    struct alloc *a = alloc_new("10.96.0.0/24,fd00:10:96::/126", "10.244.0.0/16,fd00:10:244::/56", 1, 9, &err);
    _cleanup_json_ json_t *single = NULL, *dual = NULL, *back = NULL, *kept = NULL, *refused = NULL;
    T_STR(outcome(a, "{\"spec\":{}}", NULL, &single), "SingleStack 4 4");
    T_STR(outcome(a, "{\"spec\":{" PREFER "}}", single, &dual), "PreferDualStack 46 46");
    T_STR(jstr(dual, "spec.clusterIP"), jstr(single, "spec.clusterIP"));
    T_STR(outcome(a, "{\"spec\":{}}", dual, &kept), "PreferDualStack 46 46"); /* nothing said: as before */
    T_TRUE(json_equal(jget(kept, "spec.clusterIPs"), jget(dual, "spec.clusterIPs")));
    _cleanup_free_ char *reduced =
        xasprintf("{\"spec\":{" PREFER ",\"clusterIPs\":[\"%s\"]}}", jstr(dual, "spec.clusterIP"));
    T_STR(outcome(a, reduced, dual, &refused),
          "!spec.ipFamilyPolicy: Invalid value: \"PreferDualStack\": must be 'SingleStack' to release the secondary "
          "cluster IP");
    T_STR(outcome(a, "{\"spec\":{\"ipFamilyPolicy\":\"SingleStack\"}}", dual, &back), "SingleStack 4 4");
    /* Three addresses of a /126 are there; what was released is free again, what is taken is refused. */
    for (int i = 0; i < 3; i++)
        T_STR(put(a, "{\"spec\":{\"ipFamilies\":[\"IPv6\"]}}", NULL, NULL), "");
    T_STR(put(a, "{\"spec\":{\"ipFamilies\":[\"IPv6\"]}}", NULL, NULL),
          "failed to allocate a serviceIP: range is full");
    T_STR(put(a, "{\"spec\":{\"clusterIP\":\"fd00:10:96::3\"}}", NULL, NULL),
          "spec.clusterIPs: Invalid value: [\"fd00:10:96::3\"]: failed to allocate IP fd00:10:96::3: provided IP is "
          "already allocated");
    T_STR(put(a, "{\"spec\":{\"clusterIP\":\"fd00:10:96::9\"}}", NULL, NULL),
          "spec.clusterIPs: Invalid value: [\"fd00:10:96::9\"]: failed to allocate IP fd00:10:96::9: the provided IP "
          "(fd00:10:96::9) is not in the valid range. The range of valid IPs is fd00:10:96::/126");
    alloc_free(a);
}

TEST(nodes_get_ranges_in_order)
{
    struct alloc *a = make();
    _cleanup_json_ json_t *n1 = t_doc("{}"), *n2 = t_doc("{}"),
                          *n3 = t_doc("{\"spec\":{\"podCIDR\":\"10.244.3.0/24\"}}");
    _cleanup_json_ json_t *n4 = t_doc("{}"), *n5 = t_doc("{}"), *n6 = t_doc("{}");
    T_STR(add_node(a, n1), "10.244.0.0/24");
    T_JSON(jget(n1, "spec.podCIDRs"), "[\"10.244.0.0/24\"]");
    T_STR(add_node(a, n2), "10.244.1.0/24");
    T_STR(add_node(a, n3), "10.244.3.0/24");
    T_STR(add_node(a, n4), "10.244.2.0/24");
    T_STR(add_node(a, n5), "full");
    struct alloc_change gone = {0};
    alloc_node_deleted(a, n2, &gone);
    alloc_commit(&gone);
    T_STR(add_node(a, n6), "10.244.1.0/24");
    alloc_free(a);
}

TEST(nodes_get_a_range_of_each_family)
{
    struct err err;
    struct alloc *a = alloc_new("10.96.0.0/24,fd00:10:96::/112", "10.244.0.0/16,fd00:10:244::/56", 1, 9, &err);
    _cleanup_json_ json_t *n1 = t_doc("{}"), *n2 = t_doc("{}");
    T_STR(add_node(a, n1), "10.244.0.0/24");
    T_STR(add_node(a, n2), "10.244.1.0/24");
    T_JSON(jget(n2, "spec.podCIDRs"), "[\"10.244.1.0/24\", \"fd00:10:244:1::/64\"]");
    alloc_free(a);
    a = alloc_new("fd00:10:96::/112", "fd00:10:244::/63", 1, 9, &err);
    _cleanup_json_ json_t *n3 = t_doc("{}"), *n4 = t_doc("{}"), *n5 = t_doc("{}");
    T_STR(add_node(a, n3), "fd00:10:244::/64");
    T_STR(add_node(a, n4), "fd00:10:244:1::/64");
    T_STR(add_node(a, n5), "full");
    alloc_free(a);
}

TEST(bad_ranges_are_refused)
{
    struct err err;
    T_TRUE(!alloc_new("10.96.0.0/12,10.97.0.0/24", "10.244.0.0/16", 30000, 32767, &err));
    T_TRUE(!alloc_new("10.96.0.0/12,fd00::/112", "10.244.0.0/16", 30000, 32767, &err));
    T_TRUE(!alloc_new("fd00::/64", "fd00:10:244::/56", 30000, 32767, &err));
    T_TRUE(!alloc_new("10.96.0.0", "10.244.0.0/16", 30000, 32767, &err));
    T_TRUE(!alloc_new("10.96.0.0/12", "fd00::/64", 30000, 32767, &err));
    T_TRUE(!alloc_new("10.96.0.0/12", "10.244.0.0/25", 30000, 32767, &err));
    T_TRUE(!alloc_new("10.96.0.0/12", "10.244.0.0/16", 32767, 30000, &err));
}

/* --- ServiceCIDRs and IPAddresses --- */

static json_t *range_doc(const char *cidr, bool goes)
{
    return json_pack("{s:{s:s, s:s*}, s:{s:[s]}}", "metadata", "name", "r", "deletionTimestamp",
                     goes ? "2026-01-01T00:00:00Z" : NULL, "spec", "cidrs", cidr);
}

static bool set_range(struct alloc *a, const char *before, const char *now, bool goes)
{
    _cleanup_json_ json_t *was = before ? range_doc(before, false) : NULL, *is = now ? range_doc(now, goes) : NULL;
    return alloc_servicecidr(a, was, is);
}

#define NEW_IP "{\"spec\":{}}"
#define IP_OF(ip) "{\"spec\":{\"clusterIP\":\"" ip "\"}}"
#define OUTSIDE(ip)                                                                                                    \
    "spec.clusterIPs: Invalid value: [\"" ip "\"]: failed to allocate IP " ip ": the provided IP (" ip                 \
    ") is not in the "                                                                                                 \
    "valid range. The range of valid IPs is 10.96.0.0/24"
#define TAKEN(ip)                                                                                                      \
    "spec.clusterIPs: Invalid value: [\"" ip "\"]: failed to allocate IP " ip ": provided IP is already allocated"

TEST(a_range_more)
{
    struct alloc *a = make();
    T_STR(put(a, IP_OF("10.50.0.5"), NULL, NULL), OUTSIDE("10.50.0.5"));
    T_TRUE(set_range(a, NULL, "10.50.0.0/28", false));
    T_STR(put(a, IP_OF("10.50.0.5"), NULL, NULL), "");
    T_STR(put(a, IP_OF("10.50.0.5"), NULL, NULL), TAKEN("10.50.0.5"));
    for (int i = 0; i < 254 + 13; i++) /* both are used up, each address once */
        T_STR(put(a, NEW_IP, NULL, NULL), "");
    T_STR(put(a, NEW_IP, NULL, NULL), "failed to allocate a serviceIP: range is full");
    alloc_free(a);
}

TEST(a_range_that_goes_gives_nothing_more)
{
    struct alloc *a = make();
    _cleanup_json_ json_t *held = NULL, *kept = NULL;
    set_range(a, NULL, "10.50.0.0/28", false);
    T_STR(put(a, IP_OF("10.50.0.5"), NULL, &held), "");
    set_range(a, "10.50.0.0/28", "10.50.0.0/28", true);
    T_STR(put(a, IP_OF("10.50.0.6"), NULL, NULL), OUTSIDE("10.50.0.6"));
    T_STR(put(a, "{\"spec\":{\"sessionAffinity\":\"ClientIP\"}}", held, &kept), ""); /* what has one keeps it */
    T_STR(jstr(kept, "spec.clusterIP"), "10.50.0.5");
    set_range(a, NULL, "10.50.0.0/28", false); /* another of the same: what is held is known */
    T_STR(put(a, IP_OF("10.50.0.5"), NULL, NULL), TAKEN("10.50.0.5"));
    T_STR(put(a, IP_OF("10.50.0.6"), NULL, NULL), "");
    alloc_free(a);
}

/* In whatever order ranges come: what is taken in one is taken in all that cover it. */
TEST(ranges_that_overlap)
{
    struct alloc *a = make();
    T_STR(put(a, IP_OF("10.96.0.20"), NULL, NULL), "");
    set_range(a, NULL, "10.96.0.16/28", false);
    set_range(a, NULL, "10.96.0.0/20", false);
    T_STR(put(a, IP_OF("10.96.0.20"), NULL, NULL), TAKEN("10.96.0.20"));
    T_STR(put(a, IP_OF("10.96.0.255"), NULL, NULL), ""); /* the end of one is in the middle of another */
    T_STR(put(a, IP_OF("10.96.0.255"), NULL, NULL), TAKEN("10.96.0.255"));
    char seen[4096] = {[20] = 1, [255] = 1};
    for (int i = 0; i < 4094 - 2; i++) {
        _cleanup_json_ json_t *service = NULL;
        unsigned x, y;
        T_STR(put(a, NEW_IP, NULL, &service), "");
        T_INT(sscanf(jstr(service, "spec.clusterIP"), "10.96.%u.%u", &x, &y), 2);
        T_TRUE(x < 16 && !seen[x * 256 + y]++);
    }
    T_TRUE(*put(a, NEW_IP, NULL, NULL));
    alloc_free(a);
}

TEST(an_ipaddress_of_somebody_else_is_not_given_away)
{
    struct alloc *a = make();
    _cleanup_json_ json_t *own = t_doc("{\"metadata\":{\"name\":\"10.96.0.77\"}}"),
                          *ours = t_doc("{\"metadata\":{\"name\":\"10.96.0.78\",\"labels\":{"
                                        "\"ipaddress.kubernetes.io/managed-by\":\"ipallocator.k8s.io\"}}}");
    alloc_ipaddress(a, NULL, own);
    alloc_ipaddress(a, NULL, ours);
    T_STR(put(a, IP_OF("10.96.0.77"), NULL, NULL), TAKEN("10.96.0.77"));
    T_STR(put(a, IP_OF("10.96.0.78"), NULL, NULL), "");
    alloc_ipaddress(a, ours, NULL);
    T_STR(put(a, IP_OF("10.96.0.78"), NULL, NULL), TAKEN("10.96.0.78"));
    alloc_ipaddress(a, own, NULL);
    T_STR(put(a, IP_OF("10.96.0.77"), NULL, NULL), "");
    /* One that came too late does not set free what a Service has. */
    alloc_ipaddress(a, NULL, own);
    alloc_ipaddress(a, own, NULL);
    T_STR(put(a, IP_OF("10.96.0.77"), NULL, NULL), TAKEN("10.96.0.77"));
    alloc_free(a);
}

int main(void)
{
    RUN(addresses_are_given_kept_and_released);
    RUN(addresses_that_cannot_be_had);
    RUN(headless_and_external_services_have_none);
    RUN(node_ports);
    RUN(load_balancers_have_a_health_port);
    RUN(what_only_load_balancers_have_goes_with_the_type);
    RUN(a_failed_write_gives_back_what_it_took);
    RUN(what_is_stored_is_taken_at_start);
    RUN(families_follow_the_policy_and_the_cluster);
    RUN(a_second_family_comes_and_goes);
    RUN(nodes_get_ranges_in_order);
    RUN(nodes_get_a_range_of_each_family);
    RUN(bad_ranges_are_refused);
    RUN(a_range_more);
    RUN(a_range_that_goes_gives_nothing_more);
    RUN(ranges_that_overlap);
    RUN(an_ipaddress_of_somebody_else_is_not_given_away);
    return DONE();
}
