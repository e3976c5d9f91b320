/* kinds: objects in, cells of `kubectl get` out. */
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "doc.h"

/* All times in the documents are before this one. */
#define NOW "2026-11-20T12:00:00Z"

/* The cells of the columns up to this priority, joined by '|'. */
static void check_row(const struct kind *k, const char *text, int priority, const char *want)
{
    char got[1024] = "";
    int64_t now = 0;
    size_t used = 0;
    _cleanup_json_ json_t *doc = t_doc(text);
    time_parse(NOW, &now);
    for (const struct column *c = k->columns; c->name; c++) {
        if (c->priority > priority)
            continue;
        _cleanup_json_ json_t *cell = c->cell(doc, now);
        _cleanup_free_ char *number = json_is_integer(cell) ? jprint(cell) : NULL;
        used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%s", c != k->columns ? "|" : "",
                                 number ? number : json_string_value(cell));
    }
    T_STR(got, want);
}

TEST(headings)
{
    static const struct {
        const struct kind *kind;
        const char *want;
    } cases[] = {
        {&kind_pod, "Name,Ready,Status,Restarts,Age,IP*,Node*,Nominated Node*,Readiness Gates*"},
        {&kind_service, "Name,Type,Cluster-IP,External-IP,Port(s),Age,Selector*"},
        {&kind_deployment, "Name,Ready,Up-to-date,Available,Age,Containers*,Images*,Selector*"},
        {&kind_daemonset,
         "Name,Desired,Current,Ready,Up-to-date,Available,Node Selector,Age,Containers*,Images*,Selector*"},
        {&kind_job, "Name,Status,Completions,Duration,Age,Containers*,Images*,Selector*"},
        {&kind_cronjob, "Name,Schedule,Timezone,Suspend,Active,Last Schedule,Age,Containers*,Images*,Selector*"},
        {&kind_autoscaler, "Name,Reference,Targets,MinPods,MaxPods,Replicas,Age"},
        {&kind_networkpolicy, "Name,Pod-Selector,Age"},
        {&kind_persistentvolume, "Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,"
                                 "VolumeAttributesClass,Reason,Age,VolumeMode*"},
        {&kind_persistentvolumeclaim,
         "Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age,VolumeMode*"},
        {&kind_podtemplate, "Name,Containers,Images,Pod Labels"},
        {&kind_runtimeclass, "Name,Handler,Age"},
        {&kind_flowschema, "Name,PriorityLevel,MatchingPrecedence,DistinguisherMethod,Age,MissingPL"},
        {&kind_prioritylevelconfiguration, "Name,Type,NominalConcurrencyShares,Queues,HandSize,QueueLengthLimit,Age"},
        {&kind_storageclass, "Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion,Age"},
        {&kind_statefulset, "Name,Ready,Age,Containers*,Images*"},
        {&kind_controllerrevision, "Name,Controller,Revision,Age"},
        {&kind_replicaset, "Name,Desired,Current,Ready,Age,Containers*,Images*,Selector*"},
        {&kind_replicationcontroller, "Name,Desired,Current,Ready,Age,Containers*,Images*,Selector*"},
        {&kind_node,
         "Name,Status,Roles,Age,Version,Internal-IP*,External-IP*,OS-Image*,Kernel-Version*,Container-Runtime*"},
        {&kind_namespace, "Name,Status,Age"},
        {&kind_endpoints, "Name,Endpoints,Age"},
        {&kind_endpointslice, "Name,AddressType,Ports,Endpoints,Age"},
        {&kind_event, "Last Seen,Type,Reason,Object,Subobject*,Source*,Message,First Seen*,Count*,Name*"},
        {&kind_configmap, "Name,Data,Age"},
        {&kind_secret, "Name,Type,Data,Age"},
        {&kind_serviceaccount, "Name,Secrets,Age"},
        {&kind_lease, "Name,Holder,Age"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[512] = "";
        size_t used = 0;
        for (const struct column *c = cases[i].kind->columns; c->name; c++)
            used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%s%s", used ? "," : "", c->name,
                                     c->priority ? "*" : "");
        T_STR(got, cases[i].want);
    }
}

/* What upstream's printPod says of containers in this state: READY, STATUS, RESTARTS. */
TEST(pod_states)
{
#define ONE "\"spec\":{\"containers\":[{\"name\":\"c\"}]},"
#define TWO "\"spec\":{\"containers\":[{\"name\":\"c\"},{\"name\":\"d\"}]},"
#define INIT2 "\"spec\":{\"initContainers\":[{\"name\":\"i\"},{\"name\":\"j\"}],\"containers\":[{\"name\":\"c\"}]},"
#define SIDECAR                                                                                                        \
    "\"spec\":{\"initContainers\":[{\"name\":\"i\",\"restartPolicy\":\"Always\"}],\"containers\":[{\"name\":\"c\"}]},"
#define RUNNING "\"ready\":true,\"restartCount\":0,\"state\":{\"running\":{\"startedAt\":\"2026-11-20T11:00:00Z\"}}"
#define COMPLETED                                                                                                      \
    "\"ready\":false,\"restartCount\":0,\"state\":{\"terminated\":{\"exitCode\":0,\"reason\":\"Completed\"}}"
    static const struct {
        const char *doc, *want;
    } cases[] = {
        {ONE "\"status\":{\"phase\":\"Pending\"}", "0/1|Pending|0"},
        {ONE "\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\"}", "0/1|Evicted|0"},
        {ONE "\"status\":{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","
             "\"reason\":\"SchedulingGated\"}]}",
         "0/1|SchedulingGated|0"},
        {ONE "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\"," RUNNING "}]}",
         "1/1|Running|0"},
        {ONE "\"status\":{\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":"
             "{\"reason\":\"ImagePullBackOff\"}}}]}",
         "0/1|ImagePullBackOff|0"},
        {ONE "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\",\"restartCount\":3,\"state\":"
             "{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},\"lastState\":{\"terminated\":{\"exitCode\":1,"
             "\"finishedAt\":\"2026-11-20T11:57:00Z\"}}}]}",
         "0/1|CrashLoopBackOff|3 (3m ago)"},
        {ONE "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\",\"restartCount\":2,\"state\":"
             "{\"running\":{}},\"ready\":true}]}",
         "1/1|Running|2"},
        {ONE "\"status\":{\"phase\":\"Succeeded\",\"containerStatuses\":[{\"name\":\"c\"," COMPLETED "}]}",
         "0/1|Completed|0"},
        {ONE "\"status\":{\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"terminated\":"
             "{\"exitCode\":137,\"reason\":\"OOMKilled\"}}}]}",
         "0/1|OOMKilled|0"},
        {ONE "\"status\":{\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"terminated\":"
             "{\"exitCode\":137}}}]}",
         "0/1|ExitCode:137|0"},
        {ONE "\"status\":{\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"terminated\":"
             "{\"exitCode\":137,\"signal\":9}}}]}",
         "0/1|Signal:9|0"},
        /* One of two has ended: the pod still runs. */
        {TWO "\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],"
             "\"containerStatuses\":[{\"name\":\"c\"," COMPLETED "},{\"name\":\"d\"," RUNNING "}]}",
         "1/2|Running|0"},
        {TWO "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\"," COMPLETED
             "},{\"name\":\"d\"," RUNNING "}]}",
         "1/2|NotReady|0"},
        /* The first container that has something to say wins: the walk goes backwards. */
        {TWO
         "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\",\"state\":{\"waiting\":{\"reason\":"
         "\"ErrImagePull\"}}},{\"name\":\"d\",\"state\":{\"waiting\":{\"reason\":\"ContainerCreating\"}}}]}",
         "0/2|ErrImagePull|0"},
        {INIT2
         "\"status\":{\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"i\",\"state\":{\"running\":{}}},"
         "{\"name\":\"j\",\"state\":{\"waiting\":{\"reason\":\"PodInitializing\"}}}]}",
         "0/1|Init:0/2|0"},
        {INIT2 "\"status\":{\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"i\",\"state\":{\"terminated\":"
               "{\"exitCode\":0}}},{\"name\":\"j\",\"state\":{\"waiting\":{\"reason\":\"PodInitializing\"}}}]}",
         "0/1|Init:1/2|0"},
        {INIT2
         "\"status\":{\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"i\",\"restartCount\":4,\"state\":"
         "{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},\"lastState\":{\"terminated\":{\"finishedAt\":"
         "\"2026-11-20T11:59:30Z\"}}}]}",
         "0/1|Init:CrashLoopBackOff|4 (30s ago)"},
        {INIT2 "\"status\":{\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"i\",\"state\":{\"terminated\":"
               "{\"exitCode\":1,\"reason\":\"Error\"}}}]}",
         "0/1|Init:Error|0"},
        {INIT2 "\"status\":{\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"i\",\"state\":{\"terminated\":"
               "{\"exitCode\":2}}}]}",
         "0/1|Init:ExitCode:2|0"},
        {INIT2 "\"status\":{\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"i\",\"state\":{\"terminated\":"
               "{\"exitCode\":2,\"signal\":15}}}]}",
         "0/1|Init:Signal:15|0"},
        /* Restarts of init containers that are done no longer count. */
        {INIT2
         "\"status\":{\"phase\":\"Running\",\"initContainerStatuses\":[{\"name\":\"i\",\"restartCount\":5,\"state\":"
         "{\"terminated\":{\"exitCode\":0}}},{\"name\":\"j\",\"state\":{\"terminated\":{\"exitCode\":0}}}],"
         "\"containerStatuses\":[{\"name\":\"c\"," RUNNING "}]}",
         "1/1|Running|0"},
        {SIDECAR "\"status\":{\"phase\":\"Running\",\"initContainerStatuses\":[{\"name\":\"i\",\"started\":true,"
                 "\"ready\":true,\"restartCount\":1,\"state\":{\"running\":{}}}],\"containerStatuses\":[{\"name\":"
                 "\"c\"," RUNNING "}]}",
         "2/2|Running|1"},
        {SIDECAR "\"status\":{\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"i\",\"started\":false,"
                 "\"state\":{\"running\":{}}}]}",
         "0/2|Init:0/1|0"},
        {ONE "\"metadata\":{\"deletionTimestamp\":\"2026-11-20T12:00:00Z\"},\"status\":{\"phase\":\"Running\","
             "\"containerStatuses\":[{\"name\":\"c\"," RUNNING "}]}",
         "1/1|Terminating|0"},
        {ONE "\"metadata\":{\"deletionTimestamp\":\"2026-11-20T12:00:00Z\"},\"status\":{\"phase\":\"Succeeded\","
             "\"containerStatuses\":[{\"name\":\"c\"," COMPLETED "}]}",
         "0/1|Completed|0"},
        {ONE "\"metadata\":{\"deletionTimestamp\":\"2026-11-20T12:00:00Z\"},\"status\":{\"phase\":\"Running\","
             "\"reason\":\"NodeLost\"}",
         "0/1|Unknown|0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char want[128];
        _cleanup_free_ char *doc = xasprintf("{%s}", cases[i].doc);
        snprintf(want, sizeof(want), "|%s|<unknown>", cases[i].want);
        check_row(&kind_pod, doc, 0, want);
    }
}

TEST(pod_wide)
{
    check_row(
        &kind_pod,
        "{\"metadata\":{\"name\":\"web\",\"creationTimestamp\":\"2026-11-20T11:00:00Z\"},\"spec\":{\"nodeName\":\"n1\","
        "\"containers\":[{}],\"readinessGates\":[{\"conditionType\":\"a\"},{\"conditionType\":\"b\"}]},\"status\":{"
        "\"phase\":\"Running\",\"podIPs\":[{\"ip\":\"10.1.0.2\"}],\"conditions\":[{\"type\":\"a\",\"status\":\"True\"},"
        "{\"type\":\"b\",\"status\":\"False\"}]}}",
        1, "web|0/1|Running|0|60m|10.1.0.2|n1|<none>|1/2");
    check_row(&kind_pod, "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"containers\":[{}]},\"status\":{}}", 1,
              "web|0/1||0|<unknown>|<none>|<none>|<none>|<none>");
}

TEST(rows)
{
#define META "\"metadata\":{\"name\":\"a\",\"creationTimestamp\":\"2026-11-20T11:59:55Z\"}"
    static const struct {
        const struct kind *kind;
        const char *doc, *want; /* without { } */
    } cases[] = {
        {&kind_service,
         META
         ",\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"10.96.0.5\",\"clusterIPs\":[\"10.96.0.5\"],\"selector\":"
         "{\"app\":\"web\",\"a\":\"b\"},\"ports\":[{\"port\":80,\"nodePort\":30080,\"protocol\":\"TCP\"},{\"port\":53,"
         "\"protocol\":\"UDP\"}]}",
         "a|NodePort|10.96.0.5|<none>|80:30080/TCP,53/UDP|5s|a=b,app=web"},
        {&kind_service, META ",\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]}",
         "a|ClusterIP|None|<none>|<none>|5s|<none>"},
        {&kind_service,
         META
         ",\"spec\":{\"type\":\"ClusterIP\",\"clusterIPs\":[\"10.96.0.5\"],\"externalIPs\":[\"1.1.1.1\",\"2.2.2.2\"]}",
         "a|ClusterIP|10.96.0.5|1.1.1.1,2.2.2.2|<none>|5s|<none>"},
        {&kind_service, META ",\"spec\":{\"type\":\"LoadBalancer\",\"clusterIPs\":[\"10.96.0.5\"]}",
         "a|LoadBalancer|10.96.0.5|<pending>|<none>|5s|<none>"},
        {&kind_service,
         META ",\"spec\":{\"type\":\"LoadBalancer\",\"clusterIPs\":[\"10.96.0.5\"],\"externalIPs\":[\"9.9.9.9\"]},"
              "\"status\":"
              "{\"loadBalancer\":{\"ingress\":[{\"ip\":\"1.2.3.4\"},{\"hostname\":\"lb.example.com\"}]}}",
         "a|LoadBalancer|10.96.0.5|1.2.3.4,lb.example.com,9.9.9.9|<none>|5s|<none>"},
        {&kind_service, META ",\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"example.com\"}",
         "a|ExternalName|<none>|example.com|<none>|5s|<none>"},
        {&kind_deployment,
         META ",\"spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"spec\":"
              "{\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"},{\"name\":\"d\",\"image\":\"j\"}]}}},\"status\":"
              "{\"readyReplicas\":2,\"updatedReplicas\":3,\"availableReplicas\":1}",
         "a|2/3|3|1|5s|c,d|i:1,j|app=web"},
        {&kind_replicaset,
         META ",\"spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"spec\":"
              "{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}},\"status\":{\"replicas\":2,\"readyReplicas\":1}",
         "a|3|2|1|5s|c|i|app=web"},
        {&kind_replicationcontroller,
         META ",\"spec\":{\"replicas\":1,\"selector\":{\"app\":\"web\"},\"template\":{\"spec\":{\"containers\":"
              "[{\"name\":\"c\",\"image\":\"i\"}]}}},\"status\":{}",
         "a|1|0|0|5s|c|i|app=web"},
        {&kind_node,
         "\"metadata\":{\"name\":\"n\",\"creationTimestamp\":\"2026-11-20T11:59:55Z\",\"labels\":{"
         "\"node-role.kubernetes.io/worker\":\"\",\"node-role.kubernetes.io/control-plane\":\"\",\"kubernetes.io/"
         "role\":"
         "\"worker\"}},\"spec\":{\"unschedulable\":true},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":"
         "\"True\"}],"
         "\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"172.28.128.1\"}],\"nodeInfo\":{\"kubeletVersion\":"
         "\"v1\","
         "\"osImage\":\"Debian\",\"kernelVersion\":\"6.1\",\"containerRuntimeVersion\":\"crun://1\"}}",
         "n|Ready,SchedulingDisabled|control-plane,worker|5s|v1|172.28.128.1|<none>|Debian|6.1|crun://1"},
        {&kind_node, META ",\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"Unknown\"}],\"nodeInfo\":{}}",
         "a|NotReady|<none>|5s||<none>|<none>|<unknown>|<unknown>|<unknown>"},
        {&kind_node, META, "a|Unknown|<none>|5s||<none>|<none>|<unknown>|<unknown>|<unknown>"},
        {&kind_namespace, META ",\"status\":{\"phase\":\"Active\"}", "a|Active|5s"},
        {&kind_endpoints, META, "a|<none>|5s"},
        {&kind_endpoints,
         META ",\"subsets\":[{\"notReadyAddresses\":[{\"ip\":\"10.0.0.1\"}],\"ports\":[{\"port\":80}]}]", "a||5s"},
        {&kind_endpoints,
         META ",\"subsets\":[{\"addresses\":[{\"ip\":\"10.0.0.1\"},{\"ip\":\"10.0.0.2\"}],\"ports\":[{\"port\":80},"
              "{\"port\":443}]},{\"addresses\":[{\"ip\":\"fd00::1\"}],\"ports\":[{\"port\":80}]}]",
         "a|10.0.0.1:80,10.0.0.2:80,10.0.0.1:443 + 2 more...|5s"},
        {&kind_endpoints, META ",\"subsets\":[{\"addresses\":[{\"ip\":\"fd00::1\"}],\"ports\":[{\"port\":80}]}]",
         "a|[fd00::1]:80|5s"},
        {&kind_endpoints, META ",\"subsets\":[{\"addresses\":[{\"ip\":\"10.0.0.1\"}]}]", "a|10.0.0.1|5s"},
        {&kind_endpointslice,
         META ",\"addressType\":\"IPv4\",\"ports\":[{\"port\":80},{\"name\":\"x\"},{}],\"endpoints\":[{\"addresses\":"
              "[\"10.0.0.1\"]},{\"addresses\":[\"10.0.0.2\"]},{\"addresses\":[\"10.0.0.3\"]},{\"addresses\":[\"10.0.0."
              "4\"]}]",
         "a|IPv4|80,x,*|10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...|5s"},
        {&kind_endpointslice, META ",\"addressType\":\"IPv4\",\"endpoints\":[]", "a|IPv4|<unset>|<unset>|5s"},
        {&kind_event,
         META
         ",\"type\":\"Normal\",\"reason\":\"Started\",\"involvedObject\":{\"kind\":\"Pod\",\"name\":\"web\","
         "\"fieldPath\":"
         "\"spec.containers{c}\"},\"source\":{\"component\":\"kubelet\",\"host\":\"n1\"},\"message\":\" hello \\n\","
         "\"firstTimestamp\":\"2026-11-20T11:58:00Z\",\"lastTimestamp\":\"2026-11-20T11:59:00Z\",\"count\":2",
         "60s|Normal|Started|pod/web|spec.containers{c}|kubelet, n1|hello|2m|2|a"},
        {&kind_event,
         META
         ",\"type\":\"Warning\",\"reason\":\"R\",\"involvedObject\":{\"kind\":\"Node\"},\"reportingComponent\":\"c\","
         "\"eventTime\":\"2026-11-20T11:59:50.000000Z\",\"series\":{\"count\":7,\"lastObservedTime\":"
         "\"2026-11-20T11:59:58.000000Z\"}",
         "2s|Warning|R|node||c||10s|7|a"},
        {&kind_event, META ",\"eventTime\":\"2026-11-20T11:59:50.000000Z\"", "10s|||||||10s|1|a"},
        {&kind_configmap, META ",\"data\":{\"a\":\"1\",\"b\":\"2\"},\"binaryData\":{\"c\":\"AA==\"}", "a|3|5s"},
        {&kind_secret, META ",\"type\":\"Opaque\",\"data\":{\"a\":\"MQ==\"}", "a|Opaque|1|5s"},
        {&kind_serviceaccount, META, "a|0|5s"},
        {&kind_lease, META ",\"spec\":{\"holderIdentity\":\"n1\"}", "a|n1|5s"},
        {&kind_lease, META, "a||5s"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *doc = xasprintf("{%s}", cases[i].doc);
        check_row(cases[i].kind, doc, 1, cases[i].want);
    }
}

int main(void)
{
    RUN(headings);
    RUN(pod_states);
    RUN(pod_wide);
    RUN(rows);
    return DONE();
}
