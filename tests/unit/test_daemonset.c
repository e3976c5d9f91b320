/* control: DaemonSets and their revisions against the fake API. */
#include "bench.h"
#include "control/daemonplan.h"
#include "control/list.h"
#include "t.h"

static struct bench *cluster(unsigned seed)
{
    struct bench *b = bench_new(seed);
    controllers_add(b->cs, &daemonset_controller);
    controllers_start(b->cs);
    return b;
}

static void node(struct bench *b, const char *name, const char *labels, const char *taints)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"name\":\"%s\",\"labels\":{%s}},\"spec\":{\"taints\":[%s]}}", name, labels, taints);
    fake_set(b->fake, &kind_node, text);
}

#define ROLLING(unavailable, surge)                                                                                    \
    "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxUnavailable\":" unavailable ",\"maxSurge\":" surge "}}"

static void daemon_set(struct bench *b, const char *image, const char *strategy, const char *more)
{
    _cleanup_free_ char *spec = xasprintf(
        "{\"revisionHistoryLimit\":2,\"updateStrategy\":%s,\"selector\":{\"matchLabels\":{\"app\":\"d\"}},\"template\":"
        "{\"metadata\":{\"labels\":{\"app\":\"d\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"%s\"}]%s}}}",
        strategy, image, more);
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"DaemonSet\",\"metadata\":{\"namespace\":\"a\",\"name\":\"d\"},"
        "\"spec\":%s}",
        spec);
    _cleanup_free_ char *patch = xasprintf("{\"spec\":%s}", spec);
    if (fake_get(b->fake, &kind_daemonset, "a", "d"))
        fake_edit(b->fake, &kind_daemonset, "a", "d", patch);
    else
        fake_set(b->fake, &kind_daemonset, text);
}

/* The bench's agent puts every pod on n1; daemons belong where they are meant to be. */
static void step_pods(struct bench *b)
{
    static int ip;
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_pod, &cursor));) {
        _cleanup_json_ json_t *pod = object_json(o);
        bool going = jget(pod, "metadata.deletionTimestamp") != NULL;
        if ((!going && jstr(pod, "status.phase") && !streq(jstr(pod, "status.phase"), "Pending")) ||
            fake_rand(b->fake, 6))
            continue;
        _cleanup_object_ struct object *kept = object_ref(o);
        if (going)
            fake_delete(b->fake, &kind_pod, o->ns, o->name);
        else
            bench_make_ready(b, o->ns, o->name, daemon_target(pod), ip++ % 60000);
        return;
    }
}

static void run(struct bench *b)
{
    b->agent = false;
    bench_run_with(b, step_pods, true);
}

static json_t *status(struct bench *b)
{
    _cleanup_json_ json_t *ds = fake_json(b->fake, &kind_daemonset, "a", "d");
    return json_incref(jget(ds, "status"));
}

static struct object *pod_on(struct bench *b, const char *name)
{
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_pod, &cursor));) {
        _cleanup_json_ json_t *pod = object_json(o);
        if (streq(jstr_or(pod, "spec.nodeName", ""), name))
            return o;
    }
    return NULL;
}

TEST(one_pod_on_every_node_that_fits)
{
    for (unsigned seed = 0; seed < 6; seed++) {
        struct bench *b = cluster(seed);
        node(b, "n1", "\"disk\":\"ssd\"", "");
        node(b, "n2", "\"disk\":\"ssd\"", "{\"key\":\"node.kubernetes.io/unschedulable\",\"effect\":\"NoSchedule\"}");
        node(b, "n3", "\"disk\":\"ssd\"", "{\"key\":\"mine\",\"effect\":\"NoSchedule\"}");
        node(b, "n4", "", "");
        daemon_set(b, "v1", ROLLING("1", "0"), ",\"nodeSelector\":{\"disk\":\"ssd\"}");
        run(b);
        _cleanup_json_ json_t *two = status(b);
        T_JSON(two, "{\"desiredNumberScheduled\":2,\"currentNumberScheduled\":2,\"numberMisscheduled\":0,"
                    "\"numberReady\":2,\"updatedNumberScheduled\":2,\"numberAvailable\":2,\"observedGeneration\":1}");
        T_TRUE(pod_on(b, "n1") && pod_on(b, "n2") && !pod_on(b, "n3") && !pod_on(b, "n4"));
        node(b, "n4", "\"disk\":\"ssd\"", "");
        node(b, "n1", "", "");
        run(b);
        T_TRUE(!pod_on(b, "n1") && pod_on(b, "n2") && pod_on(b, "n4"));
        node(b, "n4", "\"disk\":\"ssd\"", "{\"key\":\"mine\",\"effect\":\"NoSchedule\"}"); /* it may stay */
        run(b);
        _cleanup_json_ json_t *stays = status(b);
        T_INT(jint(stays, "desiredNumberScheduled", 0), 1);
        T_INT(jint(stays, "numberMisscheduled", 0), 1);
        T_TRUE(pod_on(b, "n4"));
        T_INT(fake_count(b->fake, &kind_controllerrevision), 1);
        bench_free(b);
    }
}

static int most_missing, most_doubled;
static void watch_availability(struct bench *b)
{
    step_pods(b);
    int missing = 0, doubled = 0;
    for (int i = 1; i <= 5; i++) {
        char name[8];
        int available = 0, there = 0;
        snprintf(name, sizeof(name), "n%d", i);
        struct map_entry *cursor = NULL;
        for (struct object *o; (o = fake_next(b->fake, &kind_pod, &cursor));) {
            _cleanup_json_ json_t *pod = object_json(o);
            bool here = streq(daemon_target(pod), name) && !jget(pod, "metadata.deletionTimestamp");
            there += here;
            available += here && bench_pod_is_ready(pod);
        }
        missing += !available;
        doubled += there > 1;
    }
    most_missing = missing > most_missing ? missing : most_missing;
    most_doubled = doubled > most_doubled ? doubled : most_doubled;
}

TEST(an_update_stays_within_its_limits)
{
    static const struct {
        const char *strategy;
        int missing, doubled;
    } cases[] = {{ROLLING("2", "0"), 2, 0}, {ROLLING("\"20%\"", "0"), 1, 0}, {ROLLING("0", "2"), 0, 2}};
    for (unsigned n = 0; n < 12; n++) {
        const typeof(cases[0]) *t = &cases[n % ARRAY_LEN(cases)];
        struct bench *b = cluster(n);
        for (int i = 1; i <= 5; i++) {
            char name[8];
            snprintf(name, sizeof(name), "n%d", i);
            node(b, name, "", "");
        }
        daemon_set(b, "v1", t->strategy, "");
        run(b);
        b->fake->fail_percent = n >= 6 ? 20 : 0;
        b->fake->never_lose = true; /* a lost answer to a creation may double a pod for a moment */
        most_missing = most_doubled = 0;
        for (int version = 2; version < 6; version++) {
            char image[8];
            snprintf(image, sizeof(image), "v%d", version);
            daemon_set(b, image, t->strategy, "");
            bench_run_with(b, watch_availability, true);
        }
        b->fake->fail_percent = 0;
        for (int i = 0; i < 50; i++) { /* back-offs end */
            bench_now += 60 * 1000000;
            controllers_tick(b->cs);
            bench_run_with(b, watch_availability, true);
        }
        _cleanup_json_ json_t *s = status(b);
        T_INT(jint(s, "updatedNumberScheduled", 0), 5);
        T_INT(jint(s, "numberAvailable", 0), 5);
        T_INT(fake_count(b->fake, &kind_pod), 5);
        T_INT(fake_count(b->fake, &kind_controllerrevision), 3); /* the new one and a history of two */
        if (most_missing > t->missing || most_doubled > t->doubled)
            T_FAIL("case %u: %d missing, %d doubled", n, most_missing, most_doubled);
        bench_free(b);
    }
}

TEST(on_delete_waits_for_somebody_and_failed_pods_are_replaced)
{
    struct bench *b = cluster(1);
    node(b, "n1", "", "");
    daemon_set(b, "v1", "{\"type\":\"OnDelete\"}", "");
    run(b);
    daemon_set(b, "v2", "{\"type\":\"OnDelete\"}", "");
    run(b);
    _cleanup_json_ json_t *before = status(b);
    T_TRUE(!jget(before, "updatedNumberScheduled"));
    T_INT(jint(before, "numberAvailable", 0), 1);
    _cleanup_free_ char *name = xstrdup(pod_on(b, "n1")->name);
    fake_edit(b->fake, &kind_pod, "a", name, "{\"status\":{\"phase\":\"Failed\",\"conditions\":null}}");
    run(b);
    T_TRUE(!fake_get(b->fake, &kind_pod, "a", name));
    _cleanup_json_ json_t *after = status(b);
    T_INT(jint(after, "updatedNumberScheduled", 0), 1);
    /* Going back to the first template takes its revision again, with a new number. */
    daemon_set(b, "v1", "{\"type\":\"OnDelete\"}", "");
    run(b);
    struct map_entry *cursor = NULL;
    int64_t highest = 0;
    for (struct object *o; (o = fake_next(b->fake, &kind_controllerrevision, &cursor));) {
        _cleanup_json_ json_t *r = object_json(o);
        highest = jint(r, "revision", 0) > highest ? jint(r, "revision", 0) : highest;
    }
    T_INT(highest, 3);
    T_INT(fake_count(b->fake, &kind_controllerrevision), 2);
    bench_free(b);
}

/* As an agent that can end pods but cannot start the new ones. */
static void let_pods_go(struct bench *b)
{
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_pod, &cursor));) {
        _cleanup_json_ json_t *pod = object_json(o);
        if (!jget(pod, "metadata.deletionTimestamp"))
            continue;
        _cleanup_object_ struct object *kept = object_ref(o);
        fake_delete(b->fake, &kind_pod, o->ns, o->name);
        return;
    }
}

TEST(going_back_restarts_nobody_without_need)
{
    struct bench *b = cluster(2);
    static const char *const nodes[] = {"n1", "n2", "n3"};
    char *uids[ARRAY_LEN(nodes)];
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
        node(b, nodes[i], "", "");
    daemon_set(b, "v1", ROLLING("1", "0"), "");
    run(b);
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
        uids[i] = xstrdup(pod_on(b, nodes[i])->uid);
    daemon_set(b, "broken", ROLLING("1", "0"), "");
    bench_run_with(b, let_pods_go, true);
    int replaced = 0;
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
        replaced += !pod_on(b, nodes[i]);
    T_INT(replaced, 1); /* its successor has no node yet */
    daemon_set(b, "v1", ROLLING("1", "0"), "");
    run(b);
    int kept = 0;
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        kept += streq(pod_on(b, nodes[i])->uid, uids[i]);
        free(uids[i]);
    }
    T_INT(kept, 2);
    _cleanup_json_ json_t *s = status(b);
    T_INT(jint(s, "updatedNumberScheduled", 0), 3);
    T_INT(jint(s, "numberAvailable", 0), 3);
    bench_free(b);
}

TEST(daemons_get_their_tolerations_and_their_node)
{
    _cleanup_json_ json_t *template = json_loads(
        "{\"hostNetwork\":true,\"tolerations\":[{\"key\":\"x\"},{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":"
        "\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":2}]}",
        0, NULL);
    _cleanup_json_ json_t *spec = daemon_pod_spec(template);
    T_INT(json_array_size(jget(spec, "tolerations")), 8);
    T_TRUE(!jget(json_array_get(jget(spec, "tolerations"), 1), "tolerationSeconds")); /* it is not driven out */
    _cleanup_json_ json_t *again = daemon_pod_spec(spec);
    T_TRUE(json_equal(spec, again));
    _cleanup_json_ json_t *pod = json_object();
    T_STR(daemon_target(pod), "");
    daemon_aim(pod, "n7");
    T_STR(daemon_target(pod), "n7");
    _cleanup_json_ json_t *elsewhere = json_loads("{\"nodeName\":\"n1\"}", 0, NULL);
    _cleanup_json_ json_t *n2 = json_loads("{\"metadata\":{\"name\":\"n2\"}}", 0, NULL);
    T_INT(daemon_fits(elsewhere, n2), FIT_NONE);
}

int main(void)
{
    RUN(one_pod_on_every_node_that_fits);
    RUN(an_update_stays_within_its_limits);
    RUN(on_delete_waits_for_somebody_and_failed_pods_are_replaced);
    RUN(going_back_restarts_nobody_without_need);
    RUN(daemons_get_their_tolerations_and_their_node);
    return DONE();
}
