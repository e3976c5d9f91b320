/* control: StatefulSets against the fake API: order, names, partitions. */
#include "bench.h"
#include "control/list.h"
#include "t.h"

static struct bench *cluster(unsigned seed)
{
    struct bench *b = bench_new(seed);
    controllers_add(b->cs, &statefulset_controller);
    controllers_start(b->cs);
    return b;
}

static void set(struct bench *b, int replicas, const char *image, const char *more)
{
    _cleanup_free_ char *spec = xasprintf(
        "{\"replicas\":%d,\"serviceName\":\"s\",\"revisionHistoryLimit\":1,\"selector\":{\"matchLabels\":{\"a\":\"b\"}}"
        ","
        "\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"
        "\"%s\"}]}}%s}",
        replicas, image, more);
    _cleanup_free_ char *text = xasprintf("{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"metadata\":{"
                                          "\"namespace\":\"a\",\"name\":\"w\"},\"spec\":%s}",
                                          spec);
    _cleanup_free_ char *patch = xasprintf("{\"spec\":%s}", spec);
    if (fake_get(b->fake, &kind_statefulset, "a", "w"))
        fake_edit(b->fake, &kind_statefulset, "a", "w", patch);
    else
        fake_set(b->fake, &kind_statefulset, text);
}

/* Ordered: when there is a pod, the ones before it are there; at most one is not ready. */
static void check_order(struct bench *b)
{
    int unready = 0, highest = -1;
    for (int i = 0; i < 6; i++) {
        char name[8];
        snprintf(name, sizeof(name), "w-%d", i);
        _cleanup_json_ json_t *pod = fake_json(b->fake, &kind_pod, "a", name);
        if (!pod)
            continue;
        if (i > highest + 2)
            T_FAIL("%s without the one before it", name);
        highest = i;
        unready += !bench_pod_is_ready(pod) || jget(pod, "metadata.deletionTimestamp");
    }
    if (unready > 1)
        T_FAIL("%d pods are not ready", unready);
}

static int64_t number(struct bench *b, const char *path)
{
    _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_statefulset, "a", "w");
    return jint(doc, path, 0);
}

static const char *image_of(struct bench *b, const char *name)
{
    static char image[32];
    _cleanup_json_ json_t *pod = fake_json(b->fake, &kind_pod, "a", name);
    snprintf(image, sizeof(image), "%s", jstr_or(json_array_get(jget(pod, "spec.containers"), 0), "image", ""));
    return image;
}

TEST(pods_come_and_go_in_order)
{
    for (unsigned seed = 0; seed < 8; seed++) {
        struct bench *b = cluster(seed);
        b->fake->fail_percent = seed >= 4 ? 20 : 0;
        set(b, 4, "v1", "");
        for (int i = 0; i < 20; i++) {
            bench_run_with(b, check_order, true);
            bench_now += 60 * 1000000;
            controllers_tick(b->cs);
        }
        T_INT(number(b, "status.readyReplicas"), 4);
        T_INT(number(b, "status.currentReplicas"), 4);
        _cleanup_json_ json_t *pod = fake_json(b->fake, &kind_pod, "a", "w-2");
        T_STR(jstr(pod, "spec.hostname"), "w-2");
        T_STR(jstr(pod, "spec.subdomain"), "s");
        set(b, 2, "v2", "");
        b->fake->fail_percent = 0;
        for (int i = 0; i < 20; i++) {
            bench_run_with(b, check_order, true);
            bench_now += 60 * 1000000;
            controllers_tick(b->cs);
        }
        T_INT(fake_count(b->fake, &kind_pod), 2);
        T_STR(image_of(b, "w-0"), "v2");
        T_STR(image_of(b, "w-1"), "v2");
        _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_statefulset, "a", "w");
        T_STR(jstr(doc, "status.currentRevision"), jstr(doc, "status.updateRevision"));
        T_INT(jint(doc, "status.updatedReplicas", 0), 2);
        bench_free(b);
    }
}

TEST(a_partition_keeps_the_lower_ones)
{
    struct bench *b = cluster(1);
    set(b, 3, "v1", ",\"podManagementPolicy\":\"Parallel\"");
    bench_run(b);
    set(b, 3, "v2",
        ",\"podManagementPolicy\":\"Parallel\",\"updateStrategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{"
        "\"partition\":2}}");
    bench_run(b);
    T_STR(image_of(b, "w-1"), "v1");
    T_STR(image_of(b, "w-2"), "v2");
    T_INT(number(b, "status.updatedReplicas"), 1);
    T_INT(number(b, "status.currentReplicas"), 2);
    fake_delete(b->fake, &kind_pod, "a", "w-0"); /* comes back as it was */
    bench_run(b);
    T_STR(image_of(b, "w-0"), "v1");
    set(b, 3, "v2", ",\"updateStrategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"partition\":0}}");
    bench_run(b);
    T_STR(image_of(b, "w-0"), "v2");
    T_INT(number(b, "status.updatedReplicas"), 3);
    bench_free(b);
}

TEST(on_delete_waits_and_numbers_may_start_later)
{
    struct bench *b = cluster(2);
    set(b, 2, "v1", ",\"updateStrategy\":{\"type\":\"OnDelete\"},\"ordinals\":{\"start\":3}");
    bench_run(b);
    T_TRUE(fake_get(b->fake, &kind_pod, "a", "w-3") && fake_get(b->fake, &kind_pod, "a", "w-4"));
    set(b, 2, "v2", ",\"updateStrategy\":{\"type\":\"OnDelete\"},\"ordinals\":{\"start\":3}");
    bench_run(b);
    T_STR(image_of(b, "w-4"), "v1");
    fake_edit(b->fake, &kind_pod, "a", "w-4", "{\"status\":{\"phase\":\"Failed\",\"conditions\":null}}");
    bench_run(b);
    T_STR(image_of(b, "w-4"), "v2");
    T_STR(image_of(b, "w-3"), "v1");
    T_INT(number(b, "status.updatedReplicas"), 1);
    bench_free(b);
}

static void set_ready(struct bench *b, const char *name, bool ready)
{
    if (ready)
        bench_make_ready(b, "a", name, "n1", 1);
    else
        fake_edit(b->fake, &kind_pod, "a", name,
                  "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}");
    bench_run(b);
}

static bool is_there(struct bench *b, const char *name)
{
    _cleanup_json_ json_t *pod = fake_json(b->fake, &kind_pod, "a", name);
    return pod && !jget(pod, "metadata.deletionTimestamp");
}

TEST(scaling_halts_while_a_pod_is_unwell)
{
    struct bench *b = cluster(5);
    b->agent = false;
    set(b, 3, "v1", "");
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_pod), 1);
    set_ready(b, "w-0", true);
    T_INT(fake_count(b->fake, &kind_pod), 2);
    set_ready(b, "w-0", false);
    set_ready(b, "w-1", true);
    T_TRUE(!is_there(b, "w-2"));
    set_ready(b, "w-0", true);
    set_ready(b, "w-2", true);
    T_INT(number(b, "status.readyReplicas"), 3);
    set_ready(b, "w-0", false);
    set(b, 1, "v1", "");
    bench_run(b);
    T_TRUE(is_there(b, "w-1") && is_there(b, "w-2"));
    set_ready(b, "w-0", true);
    T_TRUE(is_there(b, "w-1") && !is_there(b, "w-2"));
    bench_free(b);
}

TEST(parallel_ones_wait_for_nobody)
{
    struct bench *b = cluster(6);
    b->agent = false;
    set(b, 3, "v1", ",\"podManagementPolicy\":\"Parallel\"");
    bench_run(b);
    T_TRUE(is_there(b, "w-0") && is_there(b, "w-1") && is_there(b, "w-2"));
    T_INT(number(b, "status.readyReplicas"), 0);
    set(b, 1, "v1", ",\"podManagementPolicy\":\"Parallel\"");
    bench_run(b);
    T_TRUE(is_there(b, "w-0") && !is_there(b, "w-1") && !is_there(b, "w-2"));
    bench_free(b);
}

TEST(the_next_waits_until_this_one_is_available)
{
    struct bench *b = cluster(7);
    set(b, 2, "v1", ",\"minReadySeconds\":30");
    bench_run(b);
    T_TRUE(is_there(b, "w-0") && !is_there(b, "w-1"));
    T_INT(number(b, "status.readyReplicas"), 1);
    T_INT(number(b, "status.availableReplicas"), 0);
    bench_now += 31 * 1000000;
    controllers_tick(b->cs);
    bench_run(b);
    T_TRUE(is_there(b, "w-1"));
    T_INT(number(b, "status.availableReplicas"), 1);
    bench_free(b);
}

TEST(evicted_pods_return_and_old_templates_too)
{
    struct bench *b = cluster(8);
    set(b, 2, "v1", "");
    bench_run(b);
    _cleanup_json_ json_t *before = fake_json(b->fake, &kind_pod, "a", "w-0");
    fake_edit(b->fake, &kind_pod, "a", "w-0", "{\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\"}}");
    bench_run(b);
    _cleanup_json_ json_t *after = fake_json(b->fake, &kind_pod, "a", "w-0");
    T_TRUE(bench_pod_is_ready(after) && !streq(jstr(before, "metadata.uid"), jstr(after, "metadata.uid")));

    _cleanup_json_ json_t *first = fake_json(b->fake, &kind_statefulset, "a", "w");
    static const char *const images[] = {"v2", "v3", "v1"};
    for (size_t i = 0; i < ARRAY_LEN(images); i++) {
        set(b, 2, images[i], "");
        bench_run(b);
        T_STR(image_of(b, "w-0"), images[i]);
    }
    _cleanup_json_ json_t *last = fake_json(b->fake, &kind_statefulset, "a", "w");
    T_STR(jstr(last, "status.updateRevision"), jstr(last, "status.currentRevision"));
    T_TRUE(jstr(first, "status.updateRevision") != NULL);
    T_INT(fake_count(b->fake, &kind_controllerrevision), 2); /* the one in use and a history of one */
    bench_free(b);
}

#define CLAIMS(policy)                                                                                                 \
    ",\"persistentVolumeClaimRetentionPolicy\":{" policy                                                               \
    "},\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"data\"},"                                                   \
    "\"spec\":{\"accessModes\":[\"ReadWriteOnce\"]}}]"

/* Who owns a claim: "set", "pod", "" or "-" when there is no such claim. */
static const char *owner_of(struct bench *b, const char *claim)
{
    _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_persistentvolumeclaim, "a", claim);
    const char *kind = jstr_or(json_array_get(jget(doc, "metadata.ownerReferences"), 0), "kind", "");
    return !doc ? "-" : streq(kind, "StatefulSet") ? "set" : streq(kind, "Pod") ? "pod" : kind;
}

TEST(pods_have_claims_that_stay)
{
    struct bench *b = cluster(3);
    set(b, 2, "v1", CLAIMS(""));
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_persistentvolumeclaim), 2);
    _cleanup_json_ json_t *pod = fake_json(b->fake, &kind_pod, "a", "w-1");
    const json_t *volume = jfind(jget(pod, "spec.volumes"), "name", "data");
    T_STR(jstr(volume, "persistentVolumeClaim.claimName"), "data-w-1");
    _cleanup_json_ json_t *claim = fake_json(b->fake, &kind_persistentvolumeclaim, "a", "data-w-1");
    T_STR(jstr(claim, "metadata.labels.a"), "b");
    set(b, 0, "v1", CLAIMS(""));
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_pod), 0);
    T_STR(owner_of(b, "data-w-1"), "");
    bench_free(b);
}

TEST(claims_are_owned_as_the_policy_says)
{
    struct bench *b = cluster(4);
    set(b, 2, "v1", CLAIMS("\"whenDeleted\":\"Delete\""));
    bench_run_with(b, NULL, true);
    T_STR(owner_of(b, "data-w-1"), "set");
    set(b, 2, "v1", CLAIMS("\"whenDeleted\":\"Retain\",\"whenScaled\":\"Delete\""));
    bench_run_with(b, NULL, true);
    T_STR(owner_of(b, "data-w-1"), "");
    set(b, 1, "v1", CLAIMS("\"whenDeleted\":\"Retain\",\"whenScaled\":\"Delete\""));
    bench_run_with(b, NULL, true);
    T_STR(owner_of(b, "data-w-1"), "pod"); /* and goes with it: the garbage collector's turn */
    T_STR(owner_of(b, "data-w-0"), "");
    bench_free(b);
}

int main(void)
{
    RUN(pods_have_claims_that_stay);
    RUN(claims_are_owned_as_the_policy_says);
    RUN(pods_come_and_go_in_order);
    RUN(a_partition_keeps_the_lower_ones);
    RUN(on_delete_waits_and_numbers_may_start_later);
    RUN(scaling_halts_while_a_pod_is_unwell);
    RUN(parallel_ones_wait_for_nobody);
    RUN(the_next_waits_until_this_one_is_available);
    RUN(evicted_pods_return_and_old_templates_too);
    return DONE();
}
