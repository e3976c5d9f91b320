/* control: Deployments, ReplicaSets and ReplicationControllers, run against the fake API until nothing is left to do.
 */
#include "bench.h"
#include "control/list.h"
#include "t.h"

static struct bench *cluster(unsigned seed)
{
    struct bench *b = bench_new(seed);
    controllers_add(b->cs, &deployment_controller);
    controllers_add(b->cs, &replicaset_controller);
    controllers_add(b->cs, &replication_controller);
    controllers_start(b->cs);
    return b;
}

static void deployment(struct bench *b, int replicas, const char *image, const char *strategy)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"metadata\":{\"namespace\":\"a\",\"name\":\"web\"},\"spec\":{\"replicas\":%d,\"revisionHistoryLimit\":2,"
        "\"progressDeadlineSeconds\":600,\"strategy\":%s,\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":"
        "{"
        "\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"%s\"}]}}}}",
        replicas, strategy, image);
    _cleanup_json_ json_t *old = fake_json(b->fake, &kind_deployment, "a", "web");
    if (!old) {
        fake_set(b->fake, &kind_deployment, text);
        return;
    }
    _cleanup_json_ json_t *wanted = json_loads(text, 0, NULL);
    _cleanup_json_ json_t *patch = json_pack("{s:O}", "spec", json_object_get(wanted, "spec"));
    _cleanup_free_ char *patch_text = jprint(patch);
    fake_edit(b->fake, &kind_deployment, "a", "web", patch_text);
}

#define ROLLING "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":\"25%\",\"maxUnavailable\":\"25%\"}}"

static const char *condition(const json_t *obj, const char *type, const char *member)
{
    return jstr(jfind(jget(obj, "status.conditions"), "type", type), member);
}

static size_t count_events(struct bench *b, const char *reason, const char *part)
{
    size_t n = 0;
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_event, &cursor));) {
        _cleanup_json_ json_t *ev = object_json(o);
        n += streq(jstr(ev, "reason"), reason) && strstr(jstr(ev, "message"), part);
    }
    return n;
}

/* "replicas/ready" of the ReplicaSets that have any, sorted by nothing: tests use it with one. */
static struct object *active_set(struct bench *b)
{
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_replicaset, &cursor));) {
        _cleanup_json_ json_t *rs = object_json(o);
        if (jint(rs, "spec.replicas", 0))
            return o;
    }
    return NULL;
}

TEST(a_deployment_becomes_available)
{
    for (unsigned seed = 0; seed < 10; seed++) {
        struct bench *b = cluster(seed);
        deployment(b, 3, "v1", ROLLING);
        bench_run(b);
        _cleanup_json_ json_t *d = fake_json(b->fake, &kind_deployment, "a", "web");
        T_INT(jint(d, "status.replicas", 0), 3);
        T_INT(jint(d, "status.updatedReplicas", 0), 3);
        T_INT(jint(d, "status.readyReplicas", 0), 3);
        T_INT(jint(d, "status.availableReplicas", 0), 3);
        T_TRUE(!jget(d, "status.unavailableReplicas"));
        T_INT(jint(d, "status.observedGeneration", 0), 1);
        T_STR(condition(d, "Available", "reason"), "MinimumReplicasAvailable");
        T_STR(condition(d, "Progressing", "reason"), "NewReplicaSetAvailable");
        T_STR(json_string_value(json_object_get(jget(d, "metadata.annotations"), "deployment.kubernetes.io/revision")),
              "1");
        _cleanup_json_ json_t *rs = object_json(active_set(b));
        _cleanup_free_ char *message =
            xasprintf("ReplicaSet \"%s\" has successfully progressed.", jstr(rs, "metadata.name"));
        T_STR(condition(d, "Progressing", "message"), message);
        _cleanup_free_ char *scaled = xasprintf("Scaled up replica set %s from 0 to 3", jstr(rs, "metadata.name"));
        T_INT(count_events(b, "ScalingReplicaSet", scaled), 1);
        T_INT(count_events(b, "SuccessfulCreate", "Created pod: web-"), 3);
        T_INT(fake_count(b->fake, &kind_pod), 3);
        T_INT(jint(rs, "status.fullyLabeledReplicas", 0), 3);
        T_JSON(jget(rs, "metadata.annotations"),
               "{\"deployment.kubernetes.io/revision\":\"1\",\"deployment.kubernetes.io/desired-replicas\":\"3\","
               "\"deployment.kubernetes.io/max-replicas\":\"4\"}");
        bench_free(b);
    }
}

/* --- the property: within the limits at every moment --- */

static struct {
    int replicas, surge, unavailable;
    bool established;
} limits;

static void check_limits(struct bench *b)
{
    int planned = 0, available = 0;
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_replicaset, &cursor));) {
        _cleanup_json_ json_t *rs = object_json(o);
        planned += (int)jint(rs, "spec.replicas", 0);
    }
    cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_pod, &cursor));) {
        _cleanup_json_ json_t *pod = object_json(o);
        available += !jget(pod, "metadata.deletionTimestamp") && bench_pod_is_ready(pod);
    }
    if (planned > limits.replicas + limits.surge)
        T_FAIL("%d pods planned, %d allowed", planned, limits.replicas + limits.surge);
    if (limits.established && available < limits.replicas - limits.unavailable)
        T_FAIL("%d pods available, %d needed", available, limits.replicas - limits.unavailable);
}

TEST(a_rolling_update_stays_within_its_limits)
{
    static const struct {
        int replicas;
        const char *surge, *unavailable;
        int want_surge, want_unavailable;
    } cases[] = {{4, "\"25%\"", "\"25%\"", 1, 1}, {5, "2", "0", 2, 0}, {3, "0", "1", 0, 1}, {7, "\"100%\"", "0", 7, 0}};
    for (unsigned n = 0; n < 32; n++) {
        const typeof(cases[0]) *t = &cases[n % ARRAY_LEN(cases)];
        _cleanup_free_ char *strategy =
            xasprintf("{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":%s,\"maxUnavailable\":%s}}",
                      t->surge, t->unavailable);
        struct bench *b = cluster(n);
        limits.replicas = t->replicas;
        limits.surge = t->want_surge;
        limits.unavailable = t->want_unavailable;
        limits.established = false;
        b->fake->fail_percent = n >= 8 ? 20 : 0;
        deployment(b, t->replicas, "v1", strategy);
        bench_run_with(b, check_limits, true);
        limits.established = true;
        for (int version = 2; version <= 4; version++) {
            char image[16];
            snprintf(image, sizeof(image), "v%d", version);
            deployment(b, t->replicas, image, strategy);
            bench_run_with(b, check_limits, true);
        }
        b->fake->fail_percent = 0;
        bench_run_with(b, check_limits, true);
        for (int i = 0; i < 100; i++) { /* back-offs end */
            bench_now += 60 * 1000000;
            controllers_tick(b->cs);
            bench_run_with(b, check_limits, true);
        }
        _cleanup_json_ json_t *d = fake_json(b->fake, &kind_deployment, "a", "web");
        T_INT(jint(d, "status.updatedReplicas", 0), t->replicas);
        T_INT(jint(d, "status.availableReplicas", 0), t->replicas);
        T_STR(condition(d, "Progressing", "reason"), "NewReplicaSetAvailable");
        T_INT(fake_count(b->fake, &kind_replicaset), 3); /* the new one and a history of two */
        T_INT(fake_count(b->fake, &kind_pod), t->replicas);
        if (t_this_failed)
            fprintf(stderr, "   case %u\n", n);
        bench_free(b);
    }
}

static void old_and_new_never_meet(struct bench *b)
{
    const char *seen = NULL;
    struct map_entry *cursor = NULL;
    static char first[64];
    for (struct object *o; (o = fake_next(b->fake, &kind_pod, &cursor));) {
        _cleanup_json_ json_t *pod = object_json(o);
        const char *image = jstr(json_array_get(jget(pod, "spec.containers"), 0), "image");
        if (!seen)
            snprintf(first, sizeof(first), "%s", image);
        seen = first;
        T_STR(image, first);
    }
}

TEST(recreate_waits_for_the_last_old_pod)
{
    for (unsigned seed = 0; seed < 10; seed++) {
        struct bench *b = cluster(seed);
        deployment(b, 3, "v1", "{\"type\":\"Recreate\"}");
        bench_run_with(b, old_and_new_never_meet, false);
        deployment(b, 3, "v2", "{\"type\":\"Recreate\"}");
        bench_run_with(b, old_and_new_never_meet, false);
        _cleanup_json_ json_t *d = fake_json(b->fake, &kind_deployment, "a", "web");
        T_INT(jint(d, "status.updatedReplicas", 0), 3);
        T_INT(jint(d, "status.availableReplicas", 0), 3);
        bench_free(b);
    }
}

TEST(going_back_reuses_the_old_set_and_renumbers_it)
{
    struct bench *b = cluster(3);
    deployment(b, 2, "v1", ROLLING);
    bench_run(b);
    deployment(b, 2, "v2", ROLLING);
    bench_run(b);
    deployment(b, 2, "v1", ROLLING);
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_replicaset), 2);
    _cleanup_json_ json_t *rs = object_json(active_set(b));
    const json_t *annotations = jget(rs, "metadata.annotations");
    T_STR(json_string_value(json_object_get(annotations, "deployment.kubernetes.io/revision")), "3");
    T_STR(json_string_value(json_object_get(annotations, "deployment.kubernetes.io/revision-history")), "1");
    bench_free(b);
}

TEST(a_paused_deployment_scales_but_does_not_roll)
{
    struct bench *b = cluster(4);
    deployment(b, 2, "v1", ROLLING);
    bench_run(b);
    fake_edit(b->fake, &kind_deployment, "a", "web", "{\"spec\":{\"paused\":true}}");
    deployment(b, 4, "v2", ROLLING);
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_replicaset), 1);
    T_INT(fake_count(b->fake, &kind_pod), 4);
    _cleanup_json_ json_t *d = fake_json(b->fake, &kind_deployment, "a", "web");
    T_STR(condition(d, "Progressing", "reason"), "DeploymentPaused");
    fake_edit(b->fake, &kind_deployment, "a", "web", "{\"spec\":{\"paused\":null}}");
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_replicaset), 2);
    bench_free(b);
}

TEST(a_rollout_that_stands_still_is_reported)
{
    struct bench *b = cluster(5);
    b->agent = false;
    deployment(b, 2, "v1", ROLLING);
    bench_run(b);
    _cleanup_json_ json_t *before = fake_json(b->fake, &kind_deployment, "a", "web");
    T_STR(condition(before, "Available", "reason"), "MinimumReplicasUnavailable");
    T_INT(jint(before, "status.unavailableReplicas", 0), 2);
    bench_now += 602LL * 1000000;
    controllers_tick(b->cs);
    bench_run(b);
    _cleanup_json_ json_t *after = fake_json(b->fake, &kind_deployment, "a", "web");
    T_STR(condition(after, "Progressing", "reason"), "ProgressDeadlineExceeded");
    T_STR(condition(after, "Progressing", "status"), "False");
    bench_free(b);
}

TEST(a_taken_name_gives_another_hash)
{
    struct bench *b = cluster(6);
    deployment(b, 1, "v1", ROLLING);
    bench_run(b);
    _cleanup_free_ char *name = xstrdup(active_set(b)->name);
    bench_free(b);
    b = cluster(6);
    _cleanup_free_ char *squatter = xasprintf(
        "{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\"},\"spec\":{\"replicas\":0,\"selector\":{\"matchLabels\":"
        "{\"x\":\"y\"}},\"template\":{\"metadata\":{\"labels\":{\"x\":\"y\"}}}}}",
        name);
    fake_set(b->fake, &kind_replicaset, squatter);
    deployment(b, 1, "v1", ROLLING);
    bench_run(b);
    _cleanup_json_ json_t *d = fake_json(b->fake, &kind_deployment, "a", "web");
    T_INT(jint(d, "status.collisionCount", 0), 1);
    T_INT(jint(d, "status.availableReplicas", 0), 1);
    bench_free(b);
}

/* --- ReplicationControllers --- */

static void controller(struct bench *b, int replicas)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"metadata\":{\"namespace\":\"a\",\"name\":\"rc\"},\"spec\":{\"replicas\":%d,\"selector\":{\"app\":\"x\"},"
        "\"template\":{\"metadata\":{\"labels\":{\"app\":\"x\"}},\"spec\":{\"containers\":[{\"name\":\"c\"}]}}}}",
        replicas);
    if (fake_get(b->fake, &kind_replicationcontroller, "a", "rc")) {
        _cleanup_free_ char *patch = xasprintf("{\"spec\":{\"replicas\":%d}}", replicas);
        fake_edit(b->fake, &kind_replicationcontroller, "a", "rc", patch);
    } else {
        fake_set(b->fake, &kind_replicationcontroller, text);
    }
}

TEST(pods_are_adopted_and_released)
{
    struct bench *b = cluster(7);
    fake_set(b->fake, &kind_pod, "{\"metadata\":{\"namespace\":\"a\",\"name\":\"stray\",\"labels\":{\"app\":\"x\"}}}");
    fake_set(b->fake, &kind_pod, "{\"metadata\":{\"namespace\":\"a\",\"name\":\"other\",\"labels\":{\"app\":\"y\"}}}");
    controller(b, 2);
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_pod), 3); /* one made, one adopted, one left alone */
    _cleanup_json_ json_t *adopted = fake_json(b->fake, &kind_pod, "a", "stray");
    T_STR(jstr(json_array_get(jget(adopted, "metadata.ownerReferences"), 0), "name"), "rc");
    fake_edit(b->fake, &kind_pod, "a", "stray", "{\"metadata\":{\"labels\":{\"app\":\"z\"}}}");
    bench_run(b);
    _cleanup_json_ json_t *released = fake_json(b->fake, &kind_pod, "a", "stray");
    T_TRUE(!jget(released, "metadata.ownerReferences"));
    T_INT(fake_count(b->fake, &kind_pod), 4);
    _cleanup_json_ json_t *rc = fake_json(b->fake, &kind_replicationcontroller, "a", "rc");
    T_INT(jint(rc, "status.replicas", 0), 2);
    T_INT(jint(rc, "status.readyReplicas", 0), 2);
    bench_free(b);
}

TEST(a_finished_pod_is_replaced_and_scaling_down_takes_unready_ones)
{
    struct bench *b = cluster(8);
    controller(b, 3);
    bench_run(b);
    struct map_entry *cursor = NULL;
    _cleanup_free_ char *victim = xstrdup(fake_next(b->fake, &kind_pod, &cursor)->name);
    fake_edit(b->fake, &kind_pod, "a", victim, "{\"status\":{\"phase\":\"Failed\"}}");
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_pod), 4);
    b->agent = false;
    controller(b, 5);
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_pod), 6);
    controller(b, 3);
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_pod), 4); /* the two that never had a node are gone at once */
    T_INT(count_events(b, "SuccessfulDelete", "Deleted pod: rc-"), 2);
    bench_free(b);
}

TEST(creation_starts_slowly)
{
    struct bench *b = cluster(9);
    b->fake->fail_percent = 100;
    b->fake->never_lose = true;
    controller(b, 100);
    bench_run(b);
    T_TRUE(b->fake->refused <= 4); /* a pod, a status, their Events: the first failure stops the burst */
    b->fake->fail_percent = 50;
    _cleanup_json_ json_t *failing = NULL;
    for (int i = 0; i < 50 && !condition(failing, "ReplicaFailure", "status"); i++) {
        bench_now += 1000000;
        controllers_tick(b->cs);
        bench_run(b);
        json_decref(failing);
        failing = fake_json(b->fake, &kind_replicationcontroller, "a", "rc");
    }
    T_STR(condition(failing, "ReplicaFailure", "status"), "True");
    T_STR(condition(failing, "ReplicaFailure", "reason"), "FailedCreate");
    T_STR(condition(failing, "ReplicaFailure", "message"), "no luck");
    b->fake->fail_percent = 0;
    for (int i = 0; i < 20; i++) {
        bench_now += 60 * 1000000;
        controllers_tick(b->cs);
        bench_run(b);
    }
    T_TRUE(fake_count(b->fake, &kind_pod) == 100);
    _cleanup_json_ json_t *rc = fake_json(b->fake, &kind_replicationcontroller, "a", "rc");
    T_TRUE(!jget(rc, "status.conditions"));
    bench_free(b);
}

TEST(min_ready_seconds_delay_availability)
{
    struct bench *b = cluster(10);
    controller(b, 1);
    fake_edit(b->fake, &kind_replicationcontroller, "a", "rc", "{\"spec\":{\"minReadySeconds\":30}}");
    bench_run(b);
    _cleanup_json_ json_t *early = fake_json(b->fake, &kind_replicationcontroller, "a", "rc");
    T_INT(jint(early, "status.readyReplicas", 0), 1);
    T_INT(jint(early, "status.availableReplicas", 0), 0);
    bench_now += 31 * 1000000;
    controllers_tick(b->cs);
    bench_run(b);
    _cleanup_json_ json_t *late = fake_json(b->fake, &kind_replicationcontroller, "a", "rc");
    T_INT(jint(late, "status.availableReplicas", 0), 1);
    bench_free(b);
}

int main(void)
{
    RUN(a_deployment_becomes_available);
    RUN(a_rolling_update_stays_within_its_limits);
    RUN(recreate_waits_for_the_last_old_pod);
    RUN(going_back_reuses_the_old_set_and_renumbers_it);
    RUN(a_paused_deployment_scales_but_does_not_roll);
    RUN(a_rollout_that_stands_still_is_reported);
    RUN(a_taken_name_gives_another_hash);
    RUN(pods_are_adopted_and_released);
    RUN(a_finished_pod_is_replaced_and_scaling_down_takes_unready_ones);
    RUN(creation_starts_slowly);
    RUN(min_ready_seconds_delay_availability);
    return DONE();
}
