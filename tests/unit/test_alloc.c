/* server: ClusterIPs, NodePorts and pod ranges. */
#include <stdarg.h>

#include "base/alloc.h"
#include "json/json.h"
#include "server/alloc.h"
#include "t.h"

static struct alloc *make(void)
{
    struct err err;
    struct alloc *a = alloc_new("10.96.0.0/24", "10.244.0.0/22", 30000, 30099, &err);
    T_TRUE(a != NULL);
    return a;
}

static json_t *doc(const char *text)
{
    struct err err;
    json_t *j = jparse(text, strlen(text), &err);
    T_TRUE(j != NULL);
    return j;
}

/* Writes the Service: what came of it in *ret (new reference), and the message of what was refused ("" for success). */
static const char *put(struct alloc *a, const char *text, const json_t *old, json_t **ret)
{
    static char message[1000];
    struct status_causes causes = {0};
    struct alloc_change change = {0};
    struct err err = {.msg = ""};
    json_t *d = doc(text);
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
        doc("{\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"10.96.0.9\",\"ports\":[{\"port\":1,"
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
        doc("{\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"10.96.0.9\",\"ports\":[{\"port\":1,"
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

TEST(nodes_get_ranges_in_order)
{
    struct alloc *a = make();
    _cleanup_json_ json_t *n1 = doc("{}"), *n2 = doc("{}"), *n3 = doc("{\"spec\":{\"podCIDR\":\"10.244.3.0/24\"}}");
    _cleanup_json_ json_t *n4 = doc("{}"), *n5 = doc("{}"), *n6 = doc("{}");
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

TEST(bad_ranges_are_refused)
{
    struct err err;
    T_TRUE(!alloc_new("10.96.0.0", "10.244.0.0/16", 30000, 32767, &err));
    T_TRUE(!alloc_new("10.96.0.0/12", "fd00::/64", 30000, 32767, &err));
    T_TRUE(!alloc_new("10.96.0.0/12", "10.244.0.0/25", 30000, 32767, &err));
    T_TRUE(!alloc_new("10.96.0.0/12", "10.244.0.0/16", 32767, 30000, &err));
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
    RUN(nodes_get_ranges_in_order);
    RUN(bad_ranges_are_refused);
    return DONE();
}
