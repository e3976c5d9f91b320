/* node: what is reported: pod status, its patches, the Node object. */
#include "node/eviction.h"
#include "node/nodestatus.h"
#include "node/status.h"
#include "t.h"

#define NOW 1795168800000000  /* 2026-11-20T10:00:00Z */
#define LATE 1795168860000000 /* a minute later */

static json_t *pod_of(const char *status)
{
    json_t *pod =
        json_loads("{\"metadata\": {\"uid\": \"u-1\"}, \"spec\": {\"containers\": [{\"name\": \"web\", \"image\": "
                   "\"nginx\"}], \"initContainers\": [{\"name\": \"init\", \"image\": \"busybox\"}]}}",
                   0, NULL);
    json_object_set_new(pod, "status", json_loads(status, 0, NULL));
    return pod;
}

static struct container_facts running(const char *name)
{
    return (struct container_facts){.name = (char *)name,
                                    .state = CONTAINER_RUNNING,
                                    .image = (char *)"docker.io/library/nginx:latest",
                                    .image_id = (char *)"sha256:1",
                                    .cid = "abc",
                                    .ready = true,
                                    .started = true,
                                    .started_usec = NOW};
}

static json_t *build(const json_t *pod, const struct container_facts *c, const char *phase, int64_t now)
{
    struct status_input in = {.pod = pod,
                              .old = json_object_get(pod, "status"),
                              .phase = phase,
                              .pod_ips = "10.244.0.2",
                              .host_ips = "172.28.128.10",
                              .start_usec = NOW,
                              .sandbox_ready = true,
                              .initialized = true,
                              .containers = &c,
                              .n = 1};
    return status_build(&in, now);
}

static const char *condition(const json_t *status, const char *type, const char *member)
{
    return jstr(jfind(jget(status, "conditions"), "type", type), member);
}

TEST(a_running_container)
{
    json_t *pod = pod_of("{}");
    struct container_facts c = running("web");
    json_t *s = build(pod, &c, "Running", NOW);
    T_JSON(json_array_get(jget(s, "containerStatuses"), 0),
           "{\"name\": \"web\", \"state\": {\"running\": {\"startedAt\": \"2026-11-20T10:00:00Z\"}}, \"lastState\": "
           "{}, \"ready\": "
           "true, \"restartCount\": 0, \"image\": \"docker.io/library/nginx:latest\", \"imageID\": \"sha256:1\", "
           "\"started\": "
           "true, \"containerID\": \"c8s://abc\"}");
    T_STR(condition(s, "Ready", "status"), "True");
    T_STR(condition(s, "PodReadyToStartContainers", "status"), "True");
    T_STR(jstr(s, "podIP"), "10.244.0.2");
    T_STR(jstr(s, "qosClass"), "BestEffort");
    T_STR(jstr(s, "startTime"), "2026-11-20T10:00:00Z");
    json_decref(s);
    json_decref(pod);
}

TEST(a_crashing_container_shows_its_end_as_the_last_state)
{
    json_t *pod = pod_of("{}");
    struct container_facts c = running("web");
    c.state = CONTAINER_EXITED;
    c.backing_off = true;
    c.waiting_reason = (char *)"CrashLoopBackOff";
    c.now = (struct termination){.set = true,
                                 .exit_code = 3,
                                 .reason = (char *)"Error",
                                 .started_usec = NOW,
                                 .finished_usec = LATE,
                                 .cid = "abc"};
    json_t *s = build(pod, &c, "Running", NOW), *one = json_array_get(jget(s, "containerStatuses"), 0);
    T_JSON(jget(one, "state"), "{\"waiting\": {\"reason\": \"CrashLoopBackOff\"}}");
    T_JSON(jget(one, "lastState"), "{\"terminated\": {\"exitCode\": 3, \"reason\": \"Error\", \"startedAt\": "
                                   "\"2026-11-20T10:00:00Z\", \"finishedAt\": "
                                   "\"2026-11-20T10:01:00Z\", \"containerID\": \"c8s://abc\"}}");
    T_STR(condition(s, "Ready", "reason"), "ContainersNotReady");
    T_STR(condition(s, "Ready", "message"), "containers with unready status: [web]");
    json_decref(s);
    c.backing_off = false;
    s = build(pod, &c, "Failed", NOW);
    T_INT(jint(json_array_get(jget(s, "containerStatuses"), 0), "state.terminated.exitCode", -1), 3);
    T_STR(condition(s, "Ready", "reason"), "PodFailed");
    T_STR(condition(s, "Ready", "message"), NULL);
    json_decref(s);
    json_decref(pod);
}

TEST(waiting_has_a_reason)
{
    json_t *pod = pod_of("{}");
    struct container_facts init = {.name = (char *)"init", .init = true}, web = {.name = (char *)"web"};
    const struct container_facts *both[] = {&init, &web};
    struct status_input in = {.pod = pod, .phase = "Pending", .containers = both, .n = 2, .start_usec = NOW};
    json_t *s = status_build(&in, NOW);
    T_JSON(jget(json_array_get(jget(s, "initContainerStatuses"), 0), "state"),
           "{\"waiting\": {\"reason\": \"ContainerCreating\"}}");
    T_STR(condition(s, "Initialized", "reason"), "ContainersNotInitialized");
    T_STR(condition(s, "Initialized", "message"), "containers with incomplete status: [init]");
    T_JSON(jget(json_array_get(jget(s, "containerStatuses"), 0), "state"),
           "{\"waiting\": {\"reason\": \"PodInitializing\"}}");
    T_STR(jstr(json_array_get(jget(s, "containerStatuses"), 0), "image"), "nginx");
    json_decref(s);
    json_decref(pod);
}

TEST(times_change_with_the_condition_only)
{
    json_t *pod = pod_of("{}");
    struct container_facts c = running("web");
    json_t *first = build(pod, &c, "Running", NOW);
    json_object_set(pod, "status", first);
    c.ready = false;
    json_t *second = build(pod, &c, "Running", LATE);
    T_STR(condition(second, "Initialized", "lastTransitionTime"), "2026-11-20T10:00:00Z");
    T_STR(condition(second, "Ready", "lastTransitionTime"), "2026-11-20T10:01:00Z");
    json_decref(first);
    json_decref(second);
    json_decref(pod);
}

TEST(readiness_gates_count)
{
    json_t *pod = pod_of("{\"conditions\": [{\"type\": \"x/y\", \"status\": \"False\"}]}");
    struct container_facts c = running("web");
    json_object_set_new(json_object_get(pod, "spec"), "readinessGates", json_pack("[{ss}]", "conditionType", "x/y"));
    json_t *s = build(pod, &c, "Running", NOW);
    T_STR(condition(s, "ContainersReady", "status"), "True");
    T_STR(condition(s, "Ready", "reason"), "ReadinessGatesNotReady");
    json_decref(s);
    json_decref(pod);
}

TEST(a_patch_holds_the_difference)
{
    json_t *pod = pod_of("{}");
    struct container_facts c = running("web");
    json_t *s = build(pod, &c, "Running", NOW);
    json_object_set(pod, "status", s);
    T_TRUE(status_patch(pod, s) == NULL);
    c.ready = false;
    json_t *unready = build(pod, &c, "Running", LATE), *patch = status_patch(pod, unready);
    T_STR(jstr(patch, "metadata.uid"), "u-1");
    T_INT(json_object_size(jget(patch, "status")), 2); /* conditions, containerStatuses */
    json_decref(patch);
    json_object_set_new(unready, "reason", json_string("Evicted"));
    json_object_set(pod, "status", unready);
    patch = status_patch(pod, s); /* back again: what is over is named, or merging would keep it */
    T_TRUE(jhas(patch, "status.reason") && !jget(patch, "status.reason"));
    const json_t *ready = jfind(jget(patch, "status.conditions"), "type", "Ready");
    T_TRUE(jhas(ready, "message") && !jget(ready, "message"));
    json_decref(patch);
    json_decref(s);
    json_decref(unready);
    json_decref(pod);
}

TEST(a_pod_that_was_ended_says_so_of_all_its_containers)
{
    json_t *pod = json_pack("{s:{s:[{s:s}]}}", "spec", "containers", "name", "c");
    struct container_facts c = {.name = (char *)"c", .state = CONTAINER_WAITING};
    const struct container_facts *list[] = {&c};
    struct status_input in = {.pod = pod,
                              .phase = "Failed",
                              .reason = "Evicted",
                              .message = "The node was low.",
                              .disrupted = true,
                              .containers = list,
                              .n = 1};
    json_t *s = status_build(&in, NOW);
    const json_t *ended = jget(json_array_get(jget(s, "containerStatuses"), 0), "state.terminated");
    T_STR(jstr(ended, "reason"), "ContainerStatusUnknown");
    T_INT(jint(ended, "exitCode", 0), 137);
    T_STR(condition(s, "DisruptionTarget", "reason"), "TerminationByKubelet");
    T_STR(condition(s, "DisruptionTarget", "message"), "The node was low.");
    json_decref(s);
    in.rejected = true;
    s = status_build(&in, NOW);
    T_TRUE(!jget(s, "containerStatuses") && !jget(s, "conditions"));
    T_STR(jstr(s, "reason"), "Evicted");
    json_decref(s);
    json_decref(pod);
}

TEST(containers_come_by_name_and_init_containers_in_their_order)
{
    json_t *pod = pod_of("{}");
    struct container_facts facts[] = {running("z-init"), running("a-init"), running("web"), running("log")};
    const struct container_facts *all[] = {&facts[0], &facts[1], &facts[2], &facts[3]};
    const char *const want[] = {"z-init", "a-init", "log", "web"};
    facts[0].init = facts[1].init = true;
    struct status_input in = {.pod = pod, .phase = "Running", .containers = all, .n = 4};
    json_t *s = status_build(&in, NOW);
    for (size_t i = 0; i < 4; i++)
        T_STR(jstr(json_array_get(jget(s, i < 2 ? "initContainerStatuses" : "containerStatuses"), i % 2), "name"),
              want[i]);
    json_decref(s);
    json_decref(pod);
}

TEST(the_node_says_what_it_is)
{
    static const char *const labels[] = {"zone=a", "bare", "role-", NULL};
    static const char *const taints[] = {"k:NoSchedule", "a/b=c:NoExecute", "old-", NULL};
    const struct machine m = {(char *)"Debian", (char *)"6.1", (char *)"amd64", (char *)"m", (char *)"b",
                              (char *)"s",      2000,          2147483648,      10737418240};
    struct node_facts f = {"n1", "172.28.128.10", "crun://1.8.1", labels, taints, &m, 10250, NULL};
    json_t *node = node_object(&f);
    T_JSON(jget(node, "metadata.labels"),
           "{\"beta.kubernetes.io/arch\": \"amd64\", \"beta.kubernetes.io/os\": \"linux\", \"kubernetes.io/arch\": "
           "\"amd64\", "
           "\"kubernetes.io/hostname\": \"n1\", \"kubernetes.io/os\": \"linux\", \"zone\": \"a\", \"bare\": \"\"}");
    T_JSON(jget(node, "spec.taints"), "[{\"key\": \"k\", \"effect\": \"NoSchedule\"}, "
                                      "{\"key\": \"a/b\", \"value\": \"c\", \"effect\": \"NoExecute\"}]");
    json_t *known = json_pack("{s:{s:s}, s:{s:[{s:s,s:s}, {s:s,s:s}, {s:s,s:s}]}}", "metadata", "resourceVersion", "7",
                              "spec", "taints", "key", "old", "effect", "NoSchedule", "key", "older", "effect",
                              "NoSchedule", "key", "k", "effect", "NoExecute");
    json_t *patch = node_refresh(&f, known);
    T_JSON(jget(patch, "spec.taints"), "[{\"key\": \"older\", \"effect\": \"NoSchedule\"}, "
                                       "{\"key\": \"k\", \"effect\": \"NoSchedule\"}, "
                                       "{\"key\": \"a/b\", \"value\": \"c\", \"effect\": \"NoExecute\"}]");
    T_STR(jstr(patch, "metadata.resourceVersion"), "7");
    T_STR(jstr(patch, "metadata.labels.zone"), "a");
    T_TRUE(jhas(patch, "metadata.labels.role") && !jget(patch, "metadata.labels.role"));
    json_decref(patch);
    json_decref(known);
    json_t *s = node_status(&f, NULL, NOW);
    T_JSON(jget(s, "capacity"),
           "{\"cpu\": \"2\", \"memory\": \"2097152Ki\", \"ephemeral-storage\": \"10485760Ki\", \"pods\": \"110\"}");
    T_STR(condition(s, "Ready", "reason"), "KubeletReady");
    T_STR(condition(s, "MemoryPressure", "status"), "False");
    f.pressures = 1 << PRESSURE_DISK;
    json_t *short_of = node_status(&f, s, NOW + 1);
    T_STR(condition(short_of, "MemoryPressure", "status"), "False");
    T_STR(condition(short_of, "DiskPressure", "status"), "True");
    T_STR(condition(short_of, "DiskPressure", "reason"), "KubeletHasDiskPressure");
    json_decref(short_of);
    f.pressures = 0;
    f.not_ready = "no network";
    json_t *later = node_status(&f, s, LATE);
    T_STR(condition(later, "Ready", "status"), "False");
    T_STR(condition(later, "Ready", "message"), "no network");
    T_STR(condition(later, "Ready", "lastTransitionTime"), "2026-11-20T10:01:00Z");
    T_STR(condition(later, "DiskPressure", "lastTransitionTime"), "2026-11-20T10:00:00Z");
    T_STR(condition(later, "DiskPressure", "lastHeartbeatTime"), "2026-11-20T10:01:00Z");
    json_decref(later);
    json_decref(s);
    json_decref(node);
}

static json_t *with_network(const struct agent_network *network, const json_t *old, int64_t now)
{
    struct machine m = {(char *)"", (char *)"", (char *)"", (char *)"", (char *)"", (char *)"", 2000, 1 << 30, 1 << 30};
    struct node_facts f = {.name = "n1", .ips = "", .runtime_version = "", .machine = &m, .network = network};
    return node_status(&f, old, now);
}

TEST(the_node_says_how_its_tunnel_is)
{
    const struct agent_network bad = {true, "TunnelBlocked", "UDP"}, none = {false, "TunnelNotNeeded", "none"};
    _cleanup_json_ json_t *unknown = with_network(NULL, NULL, NOW), *first = with_network(&bad, NULL, NOW);
    _cleanup_json_ json_t *kept = with_network(NULL, first, LATE), *needless = with_network(&none, unknown, LATE);
    _cleanup_json_ json_t *over = with_network(&none, first, LATE),
                          *others = json_loads(
                              "{\"conditions\": [{\"type\": \"NetworkUnavailable\", \"reason\": \"RouteCreated\"}]}", 0,
                              NULL);
    _cleanup_json_ json_t *beside = with_network(&none, others, LATE);
    T_STR(condition(unknown, "NetworkUnavailable", "status"), NULL);
    T_STR(condition(first, "NetworkUnavailable", "status"), "True");
    T_STR(condition(first, "NetworkUnavailable", "reason"), "TunnelBlocked");
    T_STR(condition(kept, "NetworkUnavailable", "status"), "True"); /* a restarted agent does not know yet */
    T_STR(condition(needless, "NetworkUnavailable", "status"), NULL);
    T_STR(condition(over, "NetworkUnavailable", "status"), "False");
    T_STR(condition(over, "NetworkUnavailable", "lastTransitionTime"), "2026-11-20T10:01:00Z");
    T_STR(condition(beside, "NetworkUnavailable", "status"), NULL); /* a network plug-in's own word stays */
}

int main(void)
{
    RUN(a_running_container);
    RUN(a_crashing_container_shows_its_end_as_the_last_state);
    RUN(waiting_has_a_reason);
    RUN(times_change_with_the_condition_only);
    RUN(readiness_gates_count);
    RUN(a_patch_holds_the_difference);
    RUN(a_pod_that_was_ended_says_so_of_all_its_containers);
    RUN(containers_come_by_name_and_init_containers_in_their_order);
    RUN(the_node_says_what_it_is);
    RUN(the_node_says_how_its_tunnel_is);
    return DONE();
}
