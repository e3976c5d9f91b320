/* server: what admission gives to objects and what it refuses, asked for over the API. */
#include "base/str.h"
#include "server_world.h"

#define NAMESPACES "/api/v1/namespaces"
#define LIMITED_PODS NAMESPACES "/limited/pods"
#define CHANCE NAMESPACES "/chance"
#define CLASSES "/apis/scheduling.k8s.io/v1/priorityclasses"
#define POD(name, rest)                                                                                                \
    "{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"" rest "}]}}"
#define RESOURCES(text) ",\"resources\":{" text "}"

TEST(a_namespace_to_limit)
{
    T_INT(post(NAMESPACES, "{\"metadata\":{\"name\":\"limited\"}}"), 201);
    T_INT(post(NAMESPACES "/limited/serviceaccounts", "{\"metadata\":{\"name\":\"default\"}}"), 201);
}

TEST(pods_have_the_priority_of_their_class)
{
    T_INT(get(CLASSES "/system-node-critical"), 200);
    T_INT(jint(answer.doc, "value", 0), 2000001000);
    T_INT(post(LIMITED_PODS, POD("none", "")), 201);
    T_INT(jint(answer.doc, "spec.priority", -1), 0);
    T_STR(text("spec.preemptionPolicy"), "PreemptLowerPriority");
    T_INT(post(CLASSES, "{\"metadata\":{\"name\":\"high\"},\"value\":1000,\"preemptionPolicy\":\"Never\"}"), 201);
    T_INT(post(LIMITED_PODS,
               "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"priorityClassName\":\"high\",\"containers\":[{\"name\":"
               "\"c\",\"image\":\"i\"}]}}"),
          201);
    T_INT(jint(answer.doc, "spec.priority", 0), 1000);
    T_STR(text("spec.preemptionPolicy"), "Never");
    T_INT(post(LIMITED_PODS,
               "{\"metadata\":{\"name\":\"q\"},\"spec\":{\"priorityClassName\":\"low\",\"containers\":[{\"name\":"
               "\"c\",\"image\":\"i\"}]}}"),
          403);
    T_STR(text("message"), "pods \"q\" is forbidden: no PriorityClass with name low was found");
}

TEST(one_class_is_the_default)
{
    T_INT(post(CLASSES, "{\"metadata\":{\"name\":\"usual\"},\"value\":7,\"globalDefault\":true}"), 201);
    T_INT(post(CLASSES, "{\"metadata\":{\"name\":\"other\"},\"value\":8,\"globalDefault\":true}"), 403);
    T_STR(text("message"), "priorityclasses.scheduling.k8s.io \"other\" is forbidden: PriorityClass usual is already "
                           "marked as default. Only one default can exist");
    T_INT(post(LIMITED_PODS, POD("usual", "")), 201);
    T_STR(text("spec.priorityClassName"), "usual");
    T_INT(jint(answer.doc, "spec.priority", 0), 7);
    T_INT(delete (CLASSES "/usual", NULL), 200);
}

#define RUNTIME_CLASSES "/apis/node.k8s.io/v1/runtimeclasses"
#define CLASS_POD(name, rest)                                                                                          \
    "{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]" rest "}}"

TEST(pods_get_what_their_runtime_class_says)
{
    T_INT(post(RUNTIME_CLASSES,
               "{\"metadata\":{\"name\":\"boxed\"},\"handler\":\"box\",\"overhead\":{\"podFixed\":{"
               "\"memory\":\"64Mi\"}},\"scheduling\":{\"nodeSelector\":{\"box\":\"yes\"},\"tolerations\":[{"
               "\"key\":\"box\",\"operator\":\"Exists\"}]}}"),
          201);
    T_INT(post(LIMITED_PODS, CLASS_POD("boxed", ",\"runtimeClassName\":\"boxed\"")), 201);
    T_JSON(jget(answer.doc, "spec.overhead"), "{\"memory\":\"64Mi\"}");
    T_STR(text("spec.nodeSelector.box"), "yes");
    T_TRUE(jfind(jget(answer.doc, "spec.tolerations"), "key", "box"));
    T_INT(post(LIMITED_PODS, CLASS_POD("other", ",\"runtimeClassName\":\"boxed\",\"nodeSelector\":{\"box\":\"no\"}")),
          403);
    T_STR(text("message"), "pods \"other\" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[box] = yes; "
                           "pod.spec.nodeSelector[box] = no");
    T_INT(post(LIMITED_PODS, CLASS_POD("none", ",\"runtimeClassName\":\"none\"")), 403);
    T_STR(text("message"), "pods \"none\" is forbidden: pod rejected: RuntimeClass \"none\" not found");
    T_INT(post(LIMITED_PODS, CLASS_POD("alone", ",\"overhead\":{\"memory\":\"1Mi\"}")), 403);
    T_STR(text("message"), "pods \"alone\" is forbidden: pod rejected: Pod Overhead set without corresponding "
                           "RuntimeClass defined Overhead");
    T_INT(post(LIMITED_PODS, CLASS_POD("more", ",\"runtimeClassName\":\"boxed\",\"overhead\":{\"memory\":\"1Mi\"}")),
          403);
    T_STR(text("message"),
          "pods \"more\" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    T_INT(post(LIMITED_PODS,
               CLASS_POD("bad", ",\"securityContext\":{\"sysctls\":[{\"name\":\"foo-\",\"value\":\"bar\"},{\"name\":"
                                "\"safe\",\"value\":\"1\"},{\"name\":\"bar..\",\"value\":\"42\"}]}")),
          422);
    T_TRUE(strstr(text("message"), "Invalid value: \"foo-\"") && strstr(text("message"), "Invalid value: \"bar..\"") &&
           !strstr(text("message"), "\"safe\""));
}

TEST(limit_ranges_give_and_refuse)
{
    T_INT(post(NAMESPACES "/limited/limitranges",
               "{\"metadata\":{\"name\":\"mem\"},\"spec\":{\"limits\":[{\"type\":\"Container\",\"default\":{\"memory\":"
               "\"512Mi\"},\"defaultRequest\":{\"memory\":\"256Mi\"},\"max\":{\"memory\":\"1Gi\"},\"min\":{\"memory\":"
               "\"500Mi\"}}]}}"),
          422); /* what is given by default must itself be allowed */
    T_INT(post(NAMESPACES "/limited/limitranges",
               "{\"metadata\":{\"name\":\"mem\"},\"spec\":{\"limits\":[{\"type\":\"Container\",\"default\":{\"memory\":"
               "\"512Mi\"},\"defaultRequest\":{\"memory\":\"256Mi\"},\"max\":{\"memory\":\"1Gi\"}}]}}"),
          201);
    T_INT(post(LIMITED_PODS, POD("given", "")), 201);
    const json_t *container = json_array_get(jget(answer.doc, "spec.containers"), 0);
    T_JSON(jget(container, "resources"), "{\"limits\":{\"memory\":\"512Mi\"},\"requests\":{\"memory\":\"256Mi\"}}");
    T_STR(json_string_value(json_object_get(jget(answer.doc, "metadata.annotations"), "kubernetes.io/limit-ranger")),
          "LimitRanger plugin set: memory request for container c; memory limit for container c");
    T_STR(text("status.qosClass"), "Burstable");
    T_INT(post(LIMITED_PODS,
               POD("large", RESOURCES("\"limits\":{\"memory\":\"1.5Gi\"},\"requests\":{\"memory\":\"800Mi\"}"))),
          403);
    T_STR(text("message"),
          "pods \"large\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 1536Mi");
    T_INT(delete (NAMESPACES "/limited/limitranges/mem", NULL), 200);
}

TEST(every_broken_limit_is_told)
{
    T_INT(post(NAMESPACES "/limited/limitranges",
               "{\"metadata\":{\"name\":\"cpu\"},\"spec\":{\"limits\":[{\"type\":\"Pod\",\"min\":{\"cpu\":\"200m\"},"
               "\"max\":{\"cpu\":\"1\"},\"maxLimitRequestRatio\":{\"cpu\":\"2\"}}]}}"),
          201);
    T_INT(post(LIMITED_PODS, POD("bad", RESOURCES("\"limits\":{\"cpu\":\"2\"},\"requests\":{\"cpu\":\"100m\"}"))), 403);
    T_STR(text("message"),
          "pods \"bad\" is forbidden: [minimum cpu usage per Pod is 200m, but request is 100m, maximum cpu usage per "
          "Pod is 1, but limit is 2, cpu max limit to request ratio per Pod is 2, but provided ratio is 20.000000]");
    T_INT(post(LIMITED_PODS, POD("silent", "")), 403);
    T_TRUE(strstr(text("message"), "minimum cpu usage per Pod is 200m.  No request is specified") != NULL);
    T_INT(delete (NAMESPACES "/limited/limitranges/cpu", NULL), 200);
}

#define CLAIM(name, size)                                                                                              \
    "{\"metadata\":{\"name\":\"" name                                                                                  \
    "\"},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{"                                  \
    "\"storage\":\"" size "\"}}}}"

TEST(claims_have_limits_too)
{
    T_INT(post(NAMESPACES "/limited/limitranges", "{\"metadata\":{\"name\":\"disk\"},\"spec\":{\"limits\":[{\"type\":"
                                                  "\"PersistentVolumeClaim\",\"max\":{\"storage\":\"2Gi\"}}]}}"),
          201);
    T_INT(post(NAMESPACES "/limited/persistentvolumeclaims", CLAIM("large", "3Gi")), 403);
    T_STR(text("message"), "persistentvolumeclaims \"large\" is forbidden: maximum storage usage per "
                           "PersistentVolumeClaim is 2Gi, but request is 3Gi");
    T_INT(post(NAMESPACES "/limited/persistentvolumeclaims", CLAIM("fits", "1Gi")), 201);
    T_INT(delete (NAMESPACES "/limited/limitranges/disk", NULL), 200);
}

TEST(quotas_refuse_what_is_too_much)
{
    T_INT(post(NAMESPACES "/limited/resourcequotas", "{\"metadata\":{\"name\":\"compute\"},\"spec\":{\"hard\":{"
                                                     "\"requests.cpu\":\"1\",\"limits.memory\":\"4Gi\"}}}"),
          201);
    T_INT(post(LIMITED_PODS, POD("silent", "")), 403);
    T_STR(
        text("message"),
        "pods \"silent\" is forbidden: failed quota: compute: must specify limits.memory for: c; requests.cpu for: c");
    T_INT(post(LIMITED_PODS, POD("one", RESOURCES("\"limits\":{\"cpu\":\"600m\",\"memory\":\"800Mi\"}"))), 201);
    T_INT(post(LIMITED_PODS, POD("two", RESOURCES("\"limits\":{\"cpu\":\"600m\",\"memory\":\"1Gi\"}"))), 403);
    T_STR(text("message"), "pods \"two\" is forbidden: exceeded quota: compute, requested: requests.cpu=600m, used: "
                           "requests.cpu=600m, limited: requests.cpu=1");
    T_INT(delete (LIMITED_PODS "/one", NULL), 200);
    T_INT(post(LIMITED_PODS, POD("two", RESOURCES("\"limits\":{\"cpu\":\"600m\",\"memory\":\"1Gi\"}"))), 201);
    T_INT(delete (NAMESPACES "/limited/resourcequotas/compute", NULL), 200);
}

TEST(quotas_count_services_by_what_they_hold)
{
    static const char services[] = NAMESPACES "/limited/services";
    T_INT(post(NAMESPACES "/limited/resourcequotas", "{\"metadata\":{\"name\":\"objects\"},\"spec\":{\"hard\":{"
                                                     "\"services\":\"2\",\"services.nodeports\":\"1\"}}}"),
          201);
    T_INT(post(services, "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":[{\"port\":80}]}}"), 201);
    T_INT(post(services, "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80}]}}"),
          201);
    T_INT(post(services, "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"ports\":[{\"port\":80}]}}"), 403);
    T_STR(text("message"), "services \"c\" is forbidden: exceeded quota: objects, requested: services=1, used: "
                           "services=2, limited: services=2");
    T_INT(merge(NAMESPACES "/limited/services/a", "{\"spec\":{\"type\":\"NodePort\"}}"), 403);
    T_STR(text("message"), "services \"a\" is forbidden: exceeded quota: objects, requested: services.nodeports=1, "
                           "used: services.nodeports=1, limited: services.nodeports=1");
    T_INT(delete (NAMESPACES "/limited/resourcequotas/objects", NULL), 200);
}

/* Asked for in one turn of the loop, before any of them is on the disk. */
static void on_created(void *arg, int code, const json_t *body)
{
    int *count = arg;
    (void)body;
    count[code == 201 ? 0 : 1]++;
}

TEST(no_two_pass_where_one_may)
{
    int count[2] = {0}; /* made, refused */
    T_INT(post(NAMESPACES "/limited/resourcequotas",
               "{\"metadata\":{\"name\":\"maps\"},\"spec\":{\"hard\":{\"configmaps\":\"3\"}}}"),
          201);
    for (int i = 0; i < 10; i++) {
        _cleanup_json_ json_t *map =
            json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "ConfigMap", "metadata", "generateName", "m-");
        client_create(world.client, &kind_configmap, "limited", map, on_created, count);
    }
    uv_timer_start(&world.alarm, on_alarm, TIME_LIMIT_MS, 0);
    while (count[0] + count[1] < 10)
        uv_run(&world.loop, UV_RUN_ONCE);
    uv_timer_stop(&world.alarm);
    T_INT(count[0], 3);
    T_INT(get(NAMESPACES "/limited/configmaps"), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 3);
}

/* What a quota says is used is what is there, whatever has come, ended and gone before. */
TEST(quotas_never_miscount)
{
    enum { NAMES = 12, HARD = 20 };
    int held[NAMES] = {0}, sum = 0, refused = 0;
    unsigned seed = 7;
    T_INT(post(NAMESPACES, "{\"metadata\":{\"name\":\"chance\"}}"), 201);
    T_INT(post(CHANCE "/serviceaccounts", "{\"metadata\":{\"name\":\"default\"}}"), 201);
    T_INT(post(CHANCE "/resourcequotas",
               "{\"metadata\":{\"name\":\"chance\"},\"spec\":{\"hard\":{\"requests.cpu\":\"20\"}}}"),
          201);
    for (int i = 0; i < 250; i++) {
        char body[300], path[80];
        int n = rand_r(&seed) % NAMES, cpu = 1 + rand_r(&seed) % 6;
        snprintf(path, sizeof(path), CHANCE "/pods/chance-%d", n);
        snprintf(body, sizeof(body),
                 "{\"metadata\":{\"name\":\"chance-%d\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\","
                 "\"resources\":{\"requests\":{\"cpu\":\"%d\"}}}]}}",
                 n, cpu);
        if (held[n] > 0 && rand_r(&seed) % 2) { /* it stays, and takes nothing any more */
            snprintf(path, sizeof(path), CHANCE "/pods/chance-%d/status", n);
            T_INT(merge(path, "{\"status\":{\"phase\":\"Succeeded\"}}"), 200);
            sum -= held[n];
            held[n] = -1;
        } else if (held[n]) {
            T_INT(delete (path, NULL), 200);
            sum -= held[n] > 0 ? held[n] : 0;
            held[n] = 0;
        } else {
            bool fits = sum + cpu <= HARD;
            refused += !fits;
            T_INT(post(CHANCE "/pods", body), fits ? 201 : 403);
            sum += held[n] = fits ? cpu : 0;
        }
    }
    T_TRUE(refused > 10);
    for (int n = 0; n < NAMES; n++) {
        char path[80];
        snprintf(path, sizeof(path), CHANCE "/pods/chance-%d", n);
        if (held[n])
            T_INT(delete (path, NULL), 200);
    }
    T_INT(delete (CHANCE "/resourcequotas/chance", NULL), 200);
}

TEST(the_world_ends)
{
    end_world();
}

int main(void)
{
    make_world();
    RUN(a_namespace_to_limit);
    RUN(pods_have_the_priority_of_their_class);
    RUN(one_class_is_the_default);
    RUN(pods_get_what_their_runtime_class_says);
    RUN(limit_ranges_give_and_refuse);
    RUN(every_broken_limit_is_told);
    RUN(claims_have_limits_too);
    RUN(quotas_refuse_what_is_too_much);
    RUN(quotas_count_services_by_what_they_hold);
    RUN(no_two_pass_where_one_may);
    RUN(quotas_never_miscount);
    RUN(the_world_ends);
    return DONE();
}
