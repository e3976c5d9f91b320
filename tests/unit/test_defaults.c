/* kinds: defaults that depend on other fields, and what the server sets before it validates. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "t.h"

struct default_case {
    const struct kind *kind;
    const char *doc, *want;
};

static void check(const struct default_case *c, bool prepare)
{
    _cleanup_json_ json_t *doc = json_loads(c->doc, 0, NULL);
    if (!doc) {
        T_FAIL("bad JSON in test: %s", c->doc);
        return;
    }
    if (prepare)
        c->kind->prepare(doc, NULL);
    else
        c->kind->default_more(doc);
    T_JSON(doc, c->want);
    /* Defaults run again on every update: nothing may change the second time. */
    _cleanup_json_ json_t *once = json_deep_copy(doc);
    if (!prepare)
        c->kind->default_more(doc);
    T_TRUE(json_equal(once, doc));
}

TEST(image_pull_policy_by_tag)
{
    static const struct {
        const char *image, *want;
    } cases[] = {
        {"nginx", "Always"},
        {"nginx:latest", "Always"},
        {"nginx:1.25", "IfNotPresent"},
        {"localhost:5000/nginx", "Always"},
        {"localhost:5000/nginx:latest", "Always"},
        {"localhost:5000/a/nginx:1", "IfNotPresent"},
        {"nginx@sha256:0123", "IfNotPresent"},
        {"nginx:latest@sha256:0123", "Always"},
        {"nginx:latest-slim", "IfNotPresent"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_json_ json_t *pod = json_pack("{s:{s:[{s:s}]}}", "spec", "containers", "image", cases[i].image);
        kind_pod.default_more(pod);
        const json_t *container = json_array_get(jget(pod, "spec.containers"), 0);
        if (!streq(jstr_or(container, "imagePullPolicy", ""), cases[i].want))
            T_FAIL("%s: got %s, want %s", cases[i].image, jstr_or(container, "imagePullPolicy", ""), cases[i].want);
    }
}

TEST(defaults)
{
    static const struct default_case cases[] = {
        {&kind_pod,
         "{\"spec\":{\"serviceAccount\":\"a\",\"volumes\":[{\"name\":\"v\"}],\"containers\":[{\"image\":\"i:1\","
         "\"resources\":"
         "{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"100m\"}}}]}}",
         "{\"spec\":{\"serviceAccount\":\"a\",\"serviceAccountName\":\"a\",\"enableServiceLinks\":true,\"volumes\":[{"
         "\"name\":"
         "\"v\",\"emptyDir\":{}}],\"containers\":[{\"image\":\"i:1\",\"imagePullPolicy\":\"IfNotPresent\","
         "\"resources\":"
         "{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"100m\",\"memory\":\"1Gi\"}}}]}}"},
        {&kind_pod,
         "{\"spec\":{\"hostNetwork\":true,\"enableServiceLinks\":false,\"containers\":[{\"image\":\"i\","
         "\"imagePullPolicy\":"
         "\"Never\",\"ports\":[{\"containerPort\":80}]}]}}",
         "{\"spec\":{\"hostNetwork\":true,\"enableServiceLinks\":false,\"containers\":[{\"image\":\"i\","
         "\"imagePullPolicy\":"
         "\"Never\",\"ports\":[{\"containerPort\":80,\"hostPort\":80}]}]}}"},
        {&kind_pod,
         "{\"status\":{\"podIP\":\"10.0.0.1\",\"podIPs\":[{\"ip\":\"10.0.0.2\"}],\"hostIPs\":[{\"ip\":\"1.1.1.1\"}]}}",
         "{\"status\":{\"podIP\":\"10.0.0.1\",\"podIPs\":[{\"ip\":\"10.0.0.1\"}],\"hostIP\":\"1.1.1.1\",\"hostIPs\":"
         "[{\"ip\":\"1.1.1.1\"}]}}"},
        {&kind_replicaset,
         "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"i\",\"resources\":{\"limits\":"
         "{\"cpu\":\"1\"}}}]}}}}",
         "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"i\",\"imagePullPolicy\":\"Always\","
         "\"resources\":"
         "{\"limits\":{\"cpu\":\"1\"}}}]}}}}"},
        {&kind_deployment, "{\"spec\":{\"strategy\":{\"type\":\"RollingUpdate\"}}}",
         "{\"spec\":{\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxUnavailable\":\"25%\","
         "\"maxSurge\":"
         "\"25%\"}}}}"},
        {&kind_deployment, "{\"spec\":{\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":1}}}}",
         "{\"spec\":{\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxUnavailable\":\"25%\","
         "\"maxSurge\":1}}}}"},
        {&kind_deployment, "{\"spec\":{\"strategy\":{\"type\":\"Recreate\"}}}",
         "{\"spec\":{\"strategy\":{\"type\":\"Recreate\"}}}"},
        {&kind_replicationcontroller, "{\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}}}}}",
         "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"selector\":{\"a\":\"b\"},\"template\":{\"metadata\":{"
         "\"labels\":"
         "{\"a\":\"b\"}}}}}"},
        {&kind_service,
         "{\"spec\":{\"type\":\"ClusterIP\",\"ports\":[{\"port\":80},{\"port\":81,\"targetPort\":\"http\"}]}}",
         "{\"spec\":{\"type\":\"ClusterIP\",\"ports\":[{\"port\":80,\"targetPort\":80},{\"port\":81,\"targetPort\":"
         "\"http\"}],"
         "\"internalTrafficPolicy\":\"Cluster\"}}"},
        {&kind_service, "{\"spec\":{\"type\":\"NodePort\",\"sessionAffinity\":\"ClientIP\"}}",
         "{\"spec\":{\"type\":\"NodePort\",\"sessionAffinity\":\"ClientIP\",\"sessionAffinityConfig\":{\"clientIP\":{"
         "\"timeoutSeconds\":10800}},\"externalTrafficPolicy\":\"Cluster\",\"internalTrafficPolicy\":\"Cluster\"}}"},
        {&kind_service,
         "{\"spec\":{\"type\":\"LoadBalancer\",\"sessionAffinity\":\"None\",\"sessionAffinityConfig\":{}},\"status\":{"
         "\"loadBalancer\":{\"ingress\":[{\"ip\":\"1.2.3.4\"}]}}}",
         "{\"spec\":{\"type\":\"LoadBalancer\",\"sessionAffinity\":\"None\",\"externalTrafficPolicy\":\"Cluster\","
         "\"internalTrafficPolicy\":\"Cluster\",\"allocateLoadBalancerNodePorts\":true},\"status\":{\"loadBalancer\":{"
         "\"ingress\":[{\"ip\":\"1.2.3.4\",\"ipMode\":\"VIP\"}]}}}"},
        {&kind_service, "{\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"None\"}}",
         "{\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"None\",\"internalTrafficPolicy\":\"Cluster\"}}"},
        {&kind_service, "{\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"None\",\"selector\":{\"a\":\"b\"}}}",
         "{\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"None\",\"selector\":{\"a\":\"b\"},"
         "\"internalTrafficPolicy\":\"Cluster\"}}"},
        {&kind_service, "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"a.b\"}}",
         "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"a.b\"}}"},
        {&kind_namespace, "{\"metadata\":{\"name\":\"a\",\"labels\":{\"x\":\"y\"}}}",
         "{\"metadata\":{\"name\":\"a\",\"labels\":{\"x\":\"y\",\"kubernetes.io/metadata.name\":\"a\"}}}"},
        {&kind_node, "{\"spec\":{\"podCIDR\":\"10.244.0.0/24\"},\"status\":{\"capacity\":{\"cpu\":\"2\"}}}",
         "{\"spec\":{\"podCIDR\":\"10.244.0.0/24\",\"podCIDRs\":[\"10.244.0.0/"
         "24\"]},\"status\":{\"capacity\":{\"cpu\":\"2\"},"
         "\"allocatable\":{\"cpu\":\"2\"}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(&cases[i], false);
}

TEST(before_validation)
{
    static const struct default_case cases[] = {
        {&kind_pod, "{\"spec\":{}}", "{\"spec\":{},\"status\":{\"phase\":\"Pending\",\"qosClass\":\"BestEffort\"}}"},
        {&kind_namespace, "{}", "{\"spec\":{\"finalizers\":[\"kubernetes\"]},\"status\":{\"phase\":\"Active\"}}"},
        {&kind_namespace, "{\"spec\":{\"finalizers\":[\"a/b\",\"kubernetes\"]}}",
         "{\"spec\":{\"finalizers\":[\"a/b\",\"kubernetes\"]},\"status\":{\"phase\":\"Active\"}}"},
        {&kind_secret, "{\"data\":{\"a\":\"MQ==\",\"b\":\"Mg==\"},\"stringData\":{\"b\":\"two\",\"c\":\"\"}}",
         "{\"data\":{\"a\":\"MQ==\",\"b\":\"dHdv\",\"c\":\"\"}}"},
        {&kind_secret, "{\"stringData\":{\"a\":\"1\"}}", "{\"data\":{\"a\":\"MQ==\"}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(&cases[i], true);
}

TEST(quality_of_service)
{
#define LIMITS(cpu, memory) "{\"resources\":{\"limits\":{\"cpu\":\"" cpu "\",\"memory\":\"" memory "\"}}}"
#define REQUESTS(cpu, memory) "\"requests\":{\"cpu\":\"" cpu "\",\"memory\":\"" memory "\"}"
    static const struct {
        const char *containers, *want;
    } cases[] = {
        {"{}", "BestEffort"},
        {"{\"resources\":{\"requests\":{\"cpu\":\"100m\"}}}", "Burstable"},
        {"{\"resources\":{\"requests\":{\"example.com/gpu\":\"1\"}}}", "BestEffort"},
        {LIMITS("1", "1Gi"), "Guaranteed"},
        {LIMITS("1", "1Gi") ",{}", "Burstable"},
        {"{\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}," REQUESTS("1000m", "1024Mi") "}}",
         "Guaranteed"},
        {"{\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}," REQUESTS("500m", "1Gi") "}}", "Burstable"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *text = xasprintf("{\"spec\":{\"containers\":[%s]}}", cases[i].containers);
        _cleanup_json_ json_t *pod = json_loads(text, 0, NULL);
        kind_pod.default_more(pod);
        kind_pod.prepare(pod, NULL);
        if (!streq(jstr_or(pod, "status.qosClass", ""), cases[i].want))
            T_FAIL("%s: got %s, want %s", text, jstr_or(pod, "status.qosClass", ""), cases[i].want);
    }
}

int main(void)
{
    RUN(image_pull_policy_by_tag);
    RUN(defaults);
    RUN(before_validation);
    RUN(quality_of_service);
    return DONE();
}
