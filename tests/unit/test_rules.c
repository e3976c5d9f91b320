/* kinds: rules across fields, with upstream's messages and paths. */
#include "api/status.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/ephemeral.h"
#include "kinds/kind.h"
#include "t.h"

struct rule_case {
    const struct kind *kind;
    const char *old, *doc; /* without { }; old NULL: on creation */
    const char *want;      /* "field: message", several joined by "; "; "" when all is well */
};

static json_t *parse(const char *members)
{
    _cleanup_free_ char *text = xasprintf("{%s}", members);
    json_t *doc = json_loads(text, 0, NULL);
    if (!doc)
        T_FAIL("bad JSON in test: %s", text);
    return doc;
}

typedef void rules_fn(const json_t *doc, const json_t *old, struct status_causes *causes);

static void check_with(rules_fn *rules, const struct rule_case *c)
{
    struct status_causes causes = {0};
    struct buf got = BUF_INIT(0);
    _cleanup_json_ json_t *doc = parse(c->doc), *old = c->old ? parse(c->old) : NULL;
    size_t i;
    json_t *cause;
    rules(doc, old, &causes);
    json_array_foreach(causes.list, i, cause)
        buf_addf(&got, "%s%s: %s", i ? "; " : "", jstr(cause, "field"), jstr(cause, "message"));
    T_STR(buf_str(&got), c->want);
    buf_done(&got);
    causes_done(&causes);
}

static void check(const struct rule_case *c)
{
    check_with(c->kind->validate, c);
}

#define CHECK_ALL(cases)                                                                                               \
    for (size_t i_ = 0; i_ < ARRAY_LEN(cases); i_++)                                                                   \
    check(&(cases)[i_])

/* A pod with one container that has these members beside its name. */
#define POD(members) "\"spec\":{\"containers\":[{\"name\":\"c\"" members "}]}"

TEST(containers)
{
    static const struct rule_case cases[] = {
        {&kind_pod, NULL, POD(""), ""},
        {&kind_pod, NULL, "\"spec\":{\"containers\":[{\"name\":\"c\"},{\"name\":\"c\"}]}",
         "spec.containers[1].name: Duplicate value: \"c\""},
        {&kind_pod, NULL, "\"spec\":{\"containers\":[{\"name\":\"c\"}],\"initContainers\":[{\"name\":\"c\"}]}",
         "spec.initContainers[0].name: Duplicate value: \"c\""},
        {&kind_pod, NULL, POD(",\"volumeMounts\":[{\"name\":\"x\",\"mountPath\":\"/a\"}]"),
         "spec.containers[0].volumeMounts[0].name: Not found: \"x\""},
        {&kind_pod, NULL,
         "\"spec\":{\"volumes\":[{\"name\":\"x\",\"emptyDir\":{}}],\"containers\":[{\"name\":\"c\",\"volumeMounts\":["
         "{\"name\":\"x\",\"mountPath\":\"/a\"},{\"name\":\"x\",\"mountPath\":\"/a\",\"subPath\":\"../b\"}]}]}",
         "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique; "
         "spec.containers[0].volumeMounts[1].subPath: Invalid value: \"../b\": must not contain '..'"},
        {&kind_pod, NULL, POD(",\"ports\":[{\"name\":\"a\",\"containerPort\":1},{\"name\":\"a\",\"containerPort\":2}]"),
         "spec.containers[0].ports[1].name: Duplicate value: \"a\""},
        {&kind_pod, NULL,
         POD(",\"ports\":[{\"containerPort\":1,\"hostPort\":80},{\"containerPort\":2,\"hostPort\":80},"
             "{\"containerPort\":3,\"hostPort\":80,\"protocol\":\"UDP\"}]"),
         "spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//80\""},
        {&kind_pod, NULL,
         "\"spec\":{\"hostNetwork\":true,\"containers\":[{\"name\":\"c\",\"ports\":[{\"containerPort\":1,\"hostPort\":"
         "80}]}]}",
         "spec.containers[0].ports[0].containerPort: Invalid value: 1: must match `hostPort` when `hostNetwork` is "
         "true"},
        {&kind_pod, NULL,
         POD(",\"env\":[{\"name\":\"A\",\"value\":\"1\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":"
             "\"metadata.name\"}}},{\"name\":\"B\",\"valueFrom\":{}}]"),
         "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty; "
         "spec.containers[0].env[1].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, "
         "`resourceFieldRef`, "
         "`configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"},
        {&kind_pod, NULL,
         POD(",\"env\":[{\"name\":\"A\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.labels['a']\"}}}]"), ""},
        {&kind_pod, NULL, POD(",\"envFrom\":[{}]"),
         "spec.containers[0].envFrom[0]: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"},
        {&kind_pod, NULL, POD(",\"livenessProbe\":{\"periodSeconds\":1}"),
         "spec.containers[0].livenessProbe: Required value: must specify a handler type"},
        {&kind_pod, NULL, POD(",\"readinessProbe\":{\"exec\":{},\"httpGet\":{\"port\":\"HTTP\"}}"),
         "spec.containers[0].readinessProbe.httpGet: Forbidden: may not specify more than 1 handler type; "
         "spec.containers[0].readinessProbe.httpGet.port: Invalid value: \"HTTP\": must contain only alpha-numeric "
         "characters (a-z, 0-9), and hyphens (-)"},
        {&kind_pod, NULL, POD(",\"livenessProbe\":{\"tcpSocket\":{\"port\":0},\"successThreshold\":2}"),
         "spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive; "
         "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"},
        {&kind_pod, NULL, POD(",\"lifecycle\":{\"preStop\":{}}"),
         "spec.containers[0].lifecycle.preStop: Required value: must specify a handler type"},
        {&kind_pod, NULL, POD(",\"restartPolicy\":\"Always\""),
         "spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers"},
        {&kind_pod, NULL,
         "\"spec\":{\"containers\":[{\"name\":\"c\"}],\"initContainers\":[{\"name\":\"i\",\"readinessProbe\":{\"exec\":"
         "{}}},"
         "{\"name\":\"j\",\"restartPolicy\":\"Always\",\"readinessProbe\":{\"exec\":{}}}]}",
         "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without "
         "restartPolicy=Always"},
        {&kind_pod, NULL,
         POD(",\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"1500m\",\"memory\":"
             "\"1024Mi\"}}"),
         "spec.containers[0].resources.requests: Invalid value: \"1500m\": must be less than or equal to cpu limit of "
         "1"},
        {&kind_pod, NULL, POD(",\"resources\":{\"limits\":{\"gpu\":\"1\",\"cpu\":\"-1\",\"example.com/gpu\":\"1\"}}"),
         "spec.containers[0].resources.limits[gpu]: Invalid value: \"gpu\": must be a standard resource for "
         "containers; "
         "spec.containers[0].resources.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"},
        {&kind_pod, NULL,
         POD(",\"securityContext\":{\"seccompProfile\":{\"type\":\"Localhost\"},\"appArmorProfile\":{\"type\":"
             "\"Unconfined\",\"localhostProfile\":\"a\"}}"),
         "spec.containers[0].securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp "
         "type is Localhost; "
         "spec.containers[0].securityContext.appArmorProfile.localhostProfile: Invalid value: \"a\": can only be set "
         "when AppArmor type is Localhost"},
        {&kind_pod, NULL,
         POD(",\"securityContext\":{\"seccompProfile\":{\"type\":\"Localhost\",\"localhostProfile\":\"../a\"}}"),
         "spec.containers[0].securityContext.seccompProfile.localhostProfile: Invalid value: \"../a\": must not "
         "contain "
         "'..'"},
        {&kind_pod, NULL, POD(",\"securityContext\":{\"privileged\":true,\"allowPrivilegeEscalation\":false}"),
         "spec.containers[0].securityContext: Invalid value: {\"privileged\":true,\"allowPrivilegeEscalation\":false}: "
         "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"},
    };
    CHECK_ALL(cases);
}

/* A pod with these members in its spec. */
#define SPEC(members) "\"spec\":{\"containers\":[{\"name\":\"c\"}]," members "}"

TEST(pod_specs)
{
    static const struct rule_case cases[] = {
        {&kind_pod, NULL, SPEC("\"volumes\":[{\"name\":\"a\",\"emptyDir\":{}},{\"name\":\"a\",\"emptyDir\":{}}]"),
         "spec.volumes[1].name: Duplicate value: \"a\""},
        {&kind_pod, NULL, SPEC("\"volumes\":[{\"name\":\"a\",\"emptyDir\":{},\"hostPath\":{\"path\":\"/a/../b\"}}]"),
         "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type; "
         "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"},
        {&kind_pod, NULL, SPEC("\"volumes\":[{\"name\":\"a\",\"configMap\":{\"items\":[{\"path\":\"/x\"}]}}]"),
         "spec.volumes[0].configMap.items[0].path: Invalid value: \"/x\": must be a relative path"},
        {&kind_pod, NULL, SPEC("\"tolerations\":[{\"operator\":\"Exists\"},{\"key\":\"a\",\"tolerationSeconds\":1}]"),
         "spec.tolerations[1].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"},
        {&kind_pod, NULL, SPEC("\"tolerations\":[{\"operator\":\"Equal\"}]"),
         "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which "
         "means "
         "\"match all values and all keys\""},
        {&kind_pod, NULL, SPEC("\"dnsPolicy\":\"None\""),
         "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"},
        {&kind_pod, NULL, SPEC("\"ephemeralContainers\":[{\"name\":\"e\"}]"),
         "spec.ephemeralContainers: Forbidden: cannot be set on create"},
    };
    CHECK_ALL(cases);
}

TEST(affinity)
{
#define AFFINITY(members) SPEC("\"affinity\":{" members "}")
#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"
    static const struct rule_case cases[] = {
        {&kind_pod, NULL,
         AFFINITY("\"nodeAffinity\":{\"" REQUIRED "\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"a\","
                  "\"operator\":\"In\"},{\"key\":\"a\",\"operator\":\"Exists\"}]}]}}"),
         "spec.affinity.nodeAffinity." REQUIRED
         ".nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be "
         "specified when `operator` is 'In' or 'NotIn'"},
        {&kind_pod, NULL,
         AFFINITY("\"nodeAffinity\":{\"" PREFERRED "\":[{\"preference\":{\"matchFields\":[{\"key\":\"a\",\"operator\":"
                  "\"Gt\",\"values\":[\"1\",\"2\"]}]}}]}"),
         "spec.affinity.nodeAffinity." PREFERRED
         "[0].preference.matchFields[0].values: Required value: must be specified "
         "single value when `operator` is 'Lt' or 'Gt'"},
        {&kind_pod, NULL,
         AFFINITY("\"podAntiAffinity\":{\"" PREFERRED "\":[{\"podAffinityTerm\":{\"labelSelector\":{\"matchLabels\":"
                  "{\"a b\":\"c\"}}}}]}"),
         "spec.affinity.podAntiAffinity." PREFERRED
         "[0].podAffinityTerm.labelSelector.matchLabels: Invalid value: \"a b\": "
         "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
         "alphanumeric "
         "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
         "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"},
    };
    CHECK_ALL(cases);
}

TEST(pod_updates)
{
#define FIELDS                                                                                                         \
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"          \
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"                        \
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    static const struct rule_case cases[] = {
        {&kind_pod, POD(",\"image\":\"a:1\""), POD(",\"image\":\"a:2\""), ""},
        {&kind_pod, POD(""), SPEC("\"activeDeadlineSeconds\":5"), ""},
        {&kind_pod, SPEC("\"activeDeadlineSeconds\":5"), SPEC("\"activeDeadlineSeconds\":6"),
         "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"},
        {&kind_pod, SPEC("\"activeDeadlineSeconds\":5"), POD(""),
         "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"},
        {&kind_pod, POD(""), SPEC("\"nodeName\":\"n\""), "spec: Forbidden: " FIELDS "\n  nodeName: (none) -> \"n\""},
        {&kind_pod, SPEC("\"hostname\":\"a\""), SPEC("\"hostname\":\"b\""),
         "spec: Forbidden: " FIELDS "\n  hostname: \"a\" -> \"b\""},
        {&kind_pod, POD(""), "\"spec\":{\"containers\":[{\"name\":\"c\"},{\"name\":\"d\"}]}",
         "spec: Forbidden: pod updates may not add or remove containers"},
        {&kind_pod, POD(""), SPEC("\"tolerations\":[{\"key\":\"a\",\"operator\":\"Exists\"}]"), ""},
        {&kind_pod, SPEC("\"tolerations\":[{\"key\":\"a\",\"operator\":\"Exists\",\"effect\":\"NoExecute\"}]"),
         SPEC("\"tolerations\":[{\"key\":\"a\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":"
              "9}]"),
         ""},
        {&kind_pod, SPEC("\"tolerations\":[{\"key\":\"a\",\"operator\":\"Exists\"}]"), POD(""),
         "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"},
    };
    CHECK_ALL(cases);
}

/* An ephemeral container with these members. */
#define DEBUGGER(members) SPEC("\"ephemeralContainers\":[{\"name\":\"e\",\"image\":\"i\"" members "}]")

TEST(ephemeral_containers)
{
    static const struct rule_case cases[] = {
        {&kind_pod, POD(""), DEBUGGER(",\"targetContainerName\":\"c\",\"tty\":true,\"resources\":{}"), ""},
        {&kind_pod, DEBUGGER(""), POD(""),
         "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"e\" may not be removed\n"},
        {&kind_pod, DEBUGGER(""), DEBUGGER(",\"tty\":true"),
         "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"e\" may not be changed\n"},
        {&kind_pod, POD(""), DEBUGGER(",\"targetContainerName\":\"x\""),
         "spec.ephemeralContainers[0].targetContainerName: Not found: \"x\""},
        {&kind_pod, POD(""),
         DEBUGGER(",\"ports\":[{\"containerPort\":80}],\"lifecycle\":{\"preStop\":{}},\"resources\":{\"limits\":{}}"),
         "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container; "
         "spec.ephemeralContainers[0].resources: Forbidden: cannot be set for an Ephemeral Container; "
         "spec.ephemeralContainers[0].lifecycle: Forbidden: cannot be set for an Ephemeral Container"},
        {&kind_pod, POD(""), SPEC("\"ephemeralContainers\":[{\"name\":\"c\"}]"),
         "spec.ephemeralContainers[0].name: Duplicate value: \"c\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_with(pod_ephemeral_validate, &cases[i]);
}

#define TEMPLATE(labels, spec)                                                                                         \
    "\"template\":{\"metadata\":{\"labels\":{" labels "}},\"spec\":{\"containers\":[{\"name\":\"c\"}]" spec "}}"
#define APP "\"app\":\"x\""

TEST(workloads)
{
    static const struct rule_case cases[] = {
        {&kind_deployment, NULL, "\"spec\":{\"selector\":{\"matchLabels\":{" APP "}}," TEMPLATE(APP, "") "}", ""},
        {&kind_deployment, NULL, "\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"y\"}}," TEMPLATE(APP, "") "}",
         "spec.template.metadata.labels: Invalid value: {\"app\":\"x\"}: `selector` does not match template `labels`"},
        {&kind_replicaset, NULL, "\"spec\":{\"selector\":{}," TEMPLATE(APP, "") "}",
         "spec.selector: Invalid value: {}: empty selector is invalid for deployment"},
        {&kind_replicaset, NULL,
         "\"spec\":{\"selector\":{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"In\"},{\"key\":\"app\","
         "\"operator\":"
         "\"Exists\",\"values\":[\"x\"]},{\"key\":\"app\",\"operator\":\"Is\"}]}," TEMPLATE(APP, "") "}",
         "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or "
         "'NotIn'; "
         "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or "
         "'DoesNotExist'; spec.selector.matchExpressions[2].operator: Invalid value: \"Is\": not a valid selector "
         "operator; spec.template.metadata.labels: Invalid value: {\"app\":\"x\"}: `selector` does not match template "
         "`labels`"},
        {&kind_deployment, NULL,
         "\"spec\":{\"selector\":{\"matchLabels\":{" APP "}}," TEMPLATE(APP, ",\"restartPolicy\":\"Never\"") "}",
         "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""},
        {&kind_deployment, NULL,
         "\"spec\":{\"selector\":{\"matchLabels\":{" APP
         "}}," TEMPLATE(APP, "") ",\"strategy\":{\"type\":\"Recreate\",\"rollingUpdate\":{}}}",
         "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"},
        {&kind_deployment, NULL,
         "\"spec\":{\"selector\":{\"matchLabels\":{" APP
         "}}," TEMPLATE(APP, "") ",\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":0,"
                                 "\"maxUnavailable\":\"0%\"}}}",
         "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0"},
        {&kind_deployment, NULL,
         "\"spec\":{\"selector\":{\"matchLabels\":{" APP
         "}}," TEMPLATE(APP, "") ",\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":\"x\","
                                 "\"maxUnavailable\":\"101%\"}}}",
         "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string must be a numeric string "
         "followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%'); "
         "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"},
        {&kind_deployment, NULL,
         "\"spec\":{\"minReadySeconds\":600,\"progressDeadlineSeconds\":600,\"selector\":{\"matchLabels\":{" APP
         "}}," TEMPLATE(APP, "") "}",
         "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"},
        {&kind_replicationcontroller, NULL, "\"spec\":{\"selector\":{" APP "}," TEMPLATE(APP, "") "}", ""},
        {&kind_replicationcontroller, NULL, "\"spec\":{\"selector\":{\"app\":\"y\"}," TEMPLATE(APP, "") "}",
         "spec.template.metadata.labels: Invalid value: {\"app\":\"x\"}: `selector` does not match template `labels`"},
        {&kind_replicationcontroller, NULL, "\"spec\":{}", "spec.selector: Required value"},
        {&kind_job, NULL,
         "\"spec\":{\"completionMode\":\"Indexed\",\"selector\":{\"matchLabels\":{" APP "}}," TEMPLATE(APP, "") "}",
         "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"; spec.completions: "
         "Required value: when completion mode is Indexed"},
        {&kind_job,
         "\"spec\":{\"completions\":1,\"selector\":{\"matchLabels\":{" APP
         "}}," TEMPLATE(APP, ",\"restartPolicy\":\"Never\"") "}",
         "\"spec\":{\"completions\":2,\"selector\":{\"matchLabels\":{" APP
         "}}," TEMPLATE(APP, ",\"restartPolicy\":\"Never\"") "}",
         "spec.completions: Invalid value: 2: field is immutable"},
        {&kind_statefulset,
         "\"spec\":{\"serviceName\":\"a\",\"replicas\":1,\"selector\":{\"matchLabels\":{" APP
         "}}," TEMPLATE(APP, "") "}",
         "\"spec\":{\"serviceName\":\"b\",\"replicas\":2,\"selector\":{\"matchLabels\":{" APP
         "}}," TEMPLATE(APP, "") "}",
         "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
         "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
         "forbidden"},
        {&kind_daemonset, NULL, "\"spec\":{\"selector\":{}," TEMPLATE(APP, ",\"activeDeadlineSeconds\":1") "}",
         "spec.selector: Invalid value: {}: empty selector is invalid for daemonset; "
         "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported"},
        {&kind_daemonset, NULL,
         "\"spec\":{\"selector\":{\"matchLabels\":{" APP
         "}}," TEMPLATE(APP, "") ",\"updateStrategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":1,"
                                 "\"maxUnavailable\":1}}}",
         "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is "
         "non-zero"},
        {&kind_daemonset, NULL,
         "\"spec\":{\"selector\":{\"matchLabels\":{" APP
         "}}," TEMPLATE(APP, "") ",\"updateStrategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":0,"
                                 "\"maxUnavailable\":\"0%\"}}}",
         "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"},
    };
    CHECK_ALL(cases);
}

#define SVC(type, members) "\"spec\":{\"type\":\"" type "\"" members "}"
#define PORT80 ",\"ports\":[{\"port\":80,\"targetPort\":80}]"

#define CLUSTER_IPS(ips) ",\"clusterIP\":\"10.0.0.1\",\"clusterIPs\":[" ips "]"
#define DUAL CLUSTER_IPS("\"10.0.0.1\",\"fd00::1\"") ",\"ipFamilies\":[\"IPv4\",\"IPv6\"]"

TEST(services)
{
    static const struct rule_case cases[] = {
        {&kind_service, NULL, SVC("ClusterIP", PORT80), ""},
        {&kind_service, NULL, SVC("ClusterIP", ""), "spec.ports: Required value"},
        {&kind_service, NULL, SVC("ClusterIP", ",\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]"), ""},
        {&kind_service, NULL, SVC("ClusterIP", ",\"ports\":[{\"port\":80},{\"name\":\"b\",\"port\":81}]"),
         "spec.ports[0].name: Required value"},
        {&kind_service, NULL,
         SVC("ClusterIP", ",\"ports\":[{\"name\":\"a\",\"port\":80,\"protocol\":\"TCP\"},{\"name\":\"a\",\"port\":80,"
                          "\"protocol\":\"TCP\"},{\"name\":\"u\",\"port\":80,\"protocol\":\"UDP\"}]"),
         "spec.ports[1].name: Duplicate value: \"a\"; "
         "spec.ports[1]: Duplicate value: {\"port\":80,\"protocol\":\"TCP\"}"},
        {&kind_service, NULL, SVC("ClusterIP", ",\"ports\":[{\"port\":80,\"targetPort\":0}]"),
         "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive"},
        {&kind_service, NULL, SVC("ClusterIP", ",\"ports\":[{\"port\":80,\"nodePort\":30080}]"),
         "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"},
        {&kind_service, NULL,
         SVC("NodePort",
             ",\"externalTrafficPolicy\":\"Cluster\",\"ports\":[{\"name\":\"a\",\"port\":80,\"nodePort\":30080},"
             "{\"name\":\"b\",\"port\":81,\"nodePort\":30080}]"),
         "spec.ports[1].nodePort: Duplicate value: 30080"},
        {&kind_service, NULL,
         SVC("NodePort",
             ",\"externalTrafficPolicy\":\"Cluster\",\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]" PORT80),
         "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"},
        {&kind_service, NULL, SVC("ExternalName", ",\"externalName\":\"example.com.\""), ""},
        {&kind_service, NULL, SVC("ExternalName", ",\"clusterIP\":\"10.0.0.1\""),
         "spec.clusterIPs: Forbidden: may not be set for ExternalName services; spec.externalName: Required value"},
        {&kind_service, NULL, SVC("ClusterIP", ",\"externalTrafficPolicy\":\"Local\"" PORT80),
         "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services"},
        {&kind_service, NULL,
         SVC("ClusterIP", ",\"loadBalancerClass\":\"a/b\",\"loadBalancerSourceRanges\":[\"10.0.0.0\"]" PORT80),
         "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'; "
         "spec.loadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'; "
         "spec.loadBalancerSourceRanges[0]: Invalid value: \"10.0.0.0\": must be a valid CIDR value, (e.g. 10.9.8.0/24 "
         "or "
         "2001:db8::/64)"},
        {&kind_service, NULL,
         SVC("ClusterIP",
             ",\"sessionAffinity\":\"ClientIP\",\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":"
             "90000}}" PORT80),
         "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less "
         "than "
         "86400"},
        {&kind_service, NULL, SVC("ClusterIP", ",\"clusterIP\":\"10.0.0.300\"" PORT80),
         "spec.clusterIP: Invalid value: \"10.0.0.300\": must be a valid IP address, (e.g. 10.9.8.7 or "
         "2001:db8::ffff)"},
        {&kind_service, NULL, SVC("ClusterIP", ",\"ipFamilies\":[\"IPv4\",\"IPv4\",\"IPX\"]" PORT80),
         "spec.ipFamilies[1]: Duplicate value: \"IPv4\"; spec.ipFamilies[2]: Unsupported value: \"IPX\": supported "
         "values: "
         "\"IPv4\", \"IPv6\""},
        {&kind_service, SVC("ClusterIP", ",\"clusterIP\":\"10.0.0.1\",\"clusterIPs\":[\"10.0.0.1\"]" PORT80),
         SVC("ClusterIP", ",\"clusterIP\":\"10.0.0.2\",\"clusterIPs\":[\"10.0.0.2\"]" PORT80),
         "spec.clusterIPs[0]: Invalid value: [\"10.0.0.2\"]: may not change once set"},
        {&kind_service, NULL, SVC("ClusterIP", ",\"clusterIP\":\"None\",\"clusterIPs\":[\"None\",\"10.0.0.1\"]" PORT80),
         "spec.clusterIPs: Invalid value: [\"None\",\"10.0.0.1\"]: 'None' must be the first and only value"},
        {&kind_service, NULL, SVC("ClusterIP", CLUSTER_IPS("\"10.0.0.1\",\"10.0.0.2\"") PORT80),
         "spec.clusterIPs: Invalid value: [\"10.0.0.1\",\"10.0.0.2\"]: may specify no more than one IP for each IP "
         "family"},
        {&kind_service, NULL, SVC("ClusterIP", CLUSTER_IPS("\"10.0.0.1\"") ",\"ipFamilies\":[\"IPv6\"]" PORT80),
         "spec.clusterIPs[0]: Invalid value: \"10.0.0.1\": expected an IPv6 value as indicated by `ipFamilies[0]`"},
        {&kind_service, SVC("ClusterIP", DUAL PORT80),
         SVC("ClusterIP", CLUSTER_IPS("\"10.0.0.1\"") ",\"ipFamilies\":[\"IPv4\"]" PORT80),
         "spec.ipFamilyPolicy: Invalid value: null: must be set to 'SingleStack' when releasing the secondary "
         "clusterIP; spec.ipFamilyPolicy: Invalid value: null: must be set to 'SingleStack' when releasing the "
         "secondary "
         "ipFamily"},
        {&kind_service, SVC("ClusterIP", CLUSTER_IPS("\"10.0.0.1\"") ",\"ipFamilies\":[\"IPv4\"]" PORT80),
         SVC("ClusterIP", DUAL PORT80), ""},
        {&kind_service, SVC("ClusterIP", ",\"clusterIP\":\"10.0.0.1\",\"clusterIPs\":[\"10.0.0.1\"]" PORT80),
         SVC("ExternalName", ",\"externalName\":\"example.com\""), ""},
    };
    CHECK_ALL(cases);
}

TEST(endpoints)
{
    static const struct rule_case cases[] = {
        {&kind_endpoints, NULL, "\"subsets\":[{\"addresses\":[{\"ip\":\"10.0.0.1\"}]}]", ""},
        {&kind_endpoints, NULL, "\"subsets\":[{\"ports\":[{\"port\":80}]}]",
         "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"},
        {&kind_endpoints, NULL,
         "\"subsets\":[{\"addresses\":[{\"ip\":\"127.0.0.1\"}],\"ports\":[{\"port\":80},{\"name\":\"b\",\"port\":81}]}"
         "]",
         "subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, "
         "::1/128); subsets[0].ports[0].name: Required value"},
        {&kind_endpointslice, NULL,
         "\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"10.0.0.1\"]}],\"ports\":[{}]", ""},
        {&kind_endpointslice, NULL,
         "\"addressType\":\"IPv6\",\"endpoints\":[{\"addresses\":[\"10.0.0.1\"]}],\"ports\":[{\"name\":\"a\"},{"
         "\"name\":"
         "\"a\"}]",
         "endpoints[0].addresses[0]: Invalid value: \"10.0.0.1\": must be a valid IPv6 address; ports[1].name: "
         "Duplicate "
         "value: \"a\""},
    };
    CHECK_ALL(cases);
}

TEST(others)
{
    static const struct rule_case cases[] = {
        {&kind_node, NULL,
         "\"spec\":{\"taints\":[{\"key\":\"a\",\"effect\":\"NoSchedule\"},{\"key\":\"a\",\"effect\":"
         "\"NoExecute\"}]}",
         ""},
        {&kind_node, NULL, "\"spec\":{\"taints\":[{\"key\":\"a\",\"effect\":\"X\"},{\"key\":\"a\",\"effect\":\"X\"}]}",
         "spec.taints[1]: Duplicate value: {\"key\":\"a\",\"effect\":\"X\"}"},
        {&kind_node, "\"spec\":{\"podCIDRs\":[\"10.244.0.0/24\"]}", "\"spec\":{\"podCIDRs\":[\"10.244.1.0/24\"]}",
         "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid"},
        {&kind_node, "\"spec\":{}", "\"spec\":{\"podCIDRs\":[\"10.244.1.0/24\"]}", ""},
        {&kind_event, NULL, "\"metadata\":{\"namespace\":\"a\"},\"involvedObject\":{\"namespace\":\"b\"}",
         "involvedObject.namespace: Invalid value: \"b\": does not match event.namespace"},
        {&kind_event, NULL, "\"metadata\":{\"namespace\":\"default\"},\"involvedObject\":{\"kind\":\"Node\"}", ""},
        {&kind_configmap, NULL, "\"data\":{\"a\":\"1\"},\"binaryData\":{\"a\":\"MQ==\"}",
         "data[a]: Invalid value: \"a\": duplicate of key present in binaryData; "
         "binaryData[a]: Invalid value: \"a\": duplicate of key present in data"},
        {&kind_configmap, "\"immutable\":true,\"data\":{\"a\":\"1\"}", "\"data\":{\"a\":\"2\"}",
         "immutable: Forbidden: field is immutable when `immutable` is set; "
         "data: Forbidden: field is immutable when `immutable` is set"},
        {&kind_secret, NULL, "\"type\":\"kubernetes.io/tls\",\"data\":{\"tls.crt\":\"\"}",
         "data[tls.key]: Required value"},
        {&kind_secret, NULL, "\"type\":\"kubernetes.io/basic-auth\",\"data\":{\"username\":\"\"}", ""},
        {&kind_secret, NULL, "\"type\":\"kubernetes.io/service-account-token\"",
         "metadata.annotations[kubernetes.io/service-account.name]: Required value"},
    };
    CHECK_ALL(cases);
}

TEST(data_may_not_be_larger_than_a_mebibyte)
{
    static const size_t limit = 1024 * 1024;
    _cleanup_free_ char *big = xcalloc(1, limit + 1);
    _cleanup_json_ json_t *map = json_pack("{s:{}}", "data"), *secret = json_pack("{s:{}}", "data");
    struct status_causes causes = {0};
    memset(big, 'x', limit);
    jset_str(map, "data.a", big);
    kind_configmap.validate(map, NULL, &causes);
    T_TRUE(!causes_any(&causes));
    jset_str(map, "data.b", "x");
    kind_configmap.validate(map, NULL, &causes);
    T_STR(jstr(json_array_get(causes.list, 0), "message"), "Too long: may not be more than 1048576 bytes");
    causes_done(&causes);
    _cleanup_free_ char *bytes = base64_encode(big, limit);
    jset_str(secret, "data.a", bytes);
    kind_secret.validate(secret, NULL, &causes);
    T_TRUE(!causes_any(&causes));
    jset_str(secret, "data.b", "eA==");
    kind_secret.validate(secret, NULL, &causes);
    T_STR(jstr(json_array_get(causes.list, 0), "field"), "data");
    causes_done(&causes);
}

int main(void)
{
    RUN(containers);
    RUN(pod_specs);
    RUN(affinity);
    RUN(pod_updates);
    RUN(ephemeral_containers);
    RUN(workloads);
    RUN(services);
    RUN(endpoints);
    RUN(others);
    RUN(data_may_not_be_larger_than_a_mebibyte);
    return DONE();
}
