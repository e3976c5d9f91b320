/* control: PodDisruptionBudgets count, against the fake API. */
#include "bench.h"
#include "control/list.h"
#include "t.h"

static struct bench *cluster(unsigned seed)
{
    struct bench *b = bench_new(seed);
    controllers_add(b->cs, &deployment_controller);
    controllers_add(b->cs, &replicaset_controller);
    controllers_add(b->cs, &disruption_controller);
    controllers_start(b->cs);
    return b;
}

static void deployment(struct bench *b, int replicas)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"web\"},\"spec\":{\"replicas\":%d,"
                  "\"strategy\":{\"type\":\"Recreate\"},\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{"
                  "\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":\"c\"}]}}}}",
                  replicas);
    fake_set(b->fake, &kind_deployment, text);
}

static void budget(struct bench *b, const char *rule)
{
    _cleanup_free_ char *text = xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"b\",\"generation\":1},"
                                          "\"spec\":{%s,\"selector\":{\"matchLabels\":{\"app\":\"web\"}}}}",
                                          rule);
    fake_set(b->fake, &kind_poddisruptionbudget, text);
}

/* "allowed current/desired of expected, reason" */
static char *counted(struct bench *b)
{
    _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_poddisruptionbudget, "a", "b");
    const json_t *s = jget(doc, "status"), *c = jfind(jget(s, "conditions"), "type", "DisruptionAllowed");
    return xasprintf("%d %d/%d of %d, %s", (int)jint(s, "disruptionsAllowed", -1), (int)jint(s, "currentHealthy", -1),
                     (int)jint(s, "desiredHealthy", -1), (int)jint(s, "expectedPods", -1), jstr_or(c, "reason", ""));
}

#define T_COUNTED(b, want)                                                                                             \
    do {                                                                                                               \
        _cleanup_free_ char *counted_ = counted(b);                                                                    \
        T_STR(counted_, want);                                                                                         \
    } while (0)

TEST(budgets_are_computed)
{
    static const struct {
        const char *rule;
        int replicas;
        const char *want;
    } rows[] = {
        {"\"minAvailable\":2", 3, "1 3/2 of 3, SufficientPods"},
        {"\"minAvailable\":3", 3, "0 3/3 of 3, InsufficientPods"},
        {"\"minAvailable\":\"50%\"", 3, "1 3/2 of 3, SufficientPods"},
        {"\"minAvailable\":\"100%\"", 4, "0 4/4 of 4, InsufficientPods"},
        {"\"maxUnavailable\":1", 4, "1 4/3 of 4, SufficientPods"},
        {"\"maxUnavailable\":\"30%\"", 4, "2 4/2 of 4, SufficientPods"},
        {"\"maxUnavailable\":9", 4, "4 4/0 of 4, SufficientPods"},
        {"\"maxUnavailable\":1", 0, "0 0/0 of 0, InsufficientPods"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench *b = cluster((unsigned)i);
        budget(b, rows[i].rule);
        deployment(b, rows[i].replicas);
        bench_run(b);
        T_COUNTED(b, rows[i].want);
        bench_free(b);
    }
}

static void first_pod(struct bench *b, char name[256])
{
    struct map_entry *cursor = NULL;
    snprintf(name, 256, "%s", fake_next(b->fake, &kind_pod, &cursor)->name);
}

TEST(pods_that_are_not_ready_or_will_go_do_not_count)
{
    char name[256], now[TIME_TEXT_SIZE];
    struct bench *b = cluster(1);
    budget(b, "\"maxUnavailable\":2");
    deployment(b, 4);
    bench_run(b);
    b->agent = false;
    first_pod(b, name);
    _cleanup_free_ char *granted = xasprintf("{\"status\":{\"disruptionsAllowed\":1,\"disruptedPods\":{\"%s\":\"%s\","
                                             "\"gone\":\"%s\"}}}",
                                             name, time_format(bench_now, now), now);
    fake_edit(b->fake, &kind_poddisruptionbudget, "a", "b", granted);
    bench_run(b);
    T_COUNTED(b, "1 3/2 of 4, SufficientPods");
    _cleanup_json_ json_t *seen = fake_json(b->fake, &kind_poddisruptionbudget, "a", "b");
    T_INT(json_object_size(jget(seen, "status.disruptedPods")), 1); /* the other is gone */
    fake_edit(b->fake, &kind_pod, "a", name, "{\"status\":{\"conditions\":[]}}");
    bench_now += 130 * 1000000; /* the eviction came to nothing */
    controllers_tick(b->cs);
    bench_run(b);
    T_COUNTED(b, "1 3/2 of 4, SufficientPods");
    _cleanup_json_ json_t *later = fake_json(b->fake, &kind_poddisruptionbudget, "a", "b");
    T_TRUE(!jget(later, "status.disruptedPods"));
    bench_free(b);
}

static const char *targeted(struct bench *b, const char *pod)
{
    _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_pod, "a", pod);
    const json_t *c = jfind(jget(doc, "status.conditions"), "type", "DisruptionTarget");
    return streq(jstr_or(c, "status", ""), "True") ? "True" : "False";
}

#define TARGETED(name, reason)                                                                                         \
    "{\"metadata\":{\"namespace\":\"a\",\"name\":\"" name                                                              \
    "\"},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":"                                                 \
    "\"DisruptionTarget\",\"status\":\"True\",\"reason\":\"" reason "\",\"lastTransitionTime\":\"%s\"}]}}"

TEST(who_was_to_go_and_did_not_stays)
{
    char now[TIME_TEXT_SIZE];
    struct bench *b = bench_new(3);
    b->agent = false;
    controllers_add(b->cs, &staledisruption_controller);
    controllers_start(b->cs);
    time_format(bench_now, now);
    _cleanup_free_ char *evicted = xasprintf(TARGETED("evicted", "EvictionByEvictionAPI"), now);
    _cleanup_free_ char *ended = xasprintf(TARGETED("ended", "TerminationByKubelet"), now);
    fake_set(b->fake, &kind_pod, evicted);
    fake_set(b->fake, &kind_pod, ended);
    bench_run(b);
    T_STR(targeted(b, "evicted"), "True");
    bench_now += 121 * 1000000;
    controllers_tick(b->cs);
    bench_run(b);
    T_STR(targeted(b, "evicted"), "False");
    T_STR(targeted(b, "ended"), "True");
    bench_free(b);
}

TEST(pods_of_nobody_and_of_jobs)
{
    struct bench *b = cluster(2);
    budget(b, "\"maxUnavailable\":1");
    fake_set(b->fake, &kind_pod, "{\"metadata\":{\"namespace\":\"a\",\"name\":\"p\",\"labels\":{\"app\":\"web\"}}}");
    bench_run(b);
    T_COUNTED(b, "0 1/0 of 0, InsufficientPods");
    fake_set(b->fake, &kind_pod,
             "{\"metadata\":{\"namespace\":\"a\",\"name\":\"q\",\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{"
             "\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"name\":\"j\",\"uid\":\"u\",\"controller\":true}]}}");
    bench_run(b);
    _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_poddisruptionbudget, "a", "b");
    const json_t *c = jfind(jget(doc, "status.conditions"), "type", "DisruptionAllowed");
    T_STR(jstr(c, "reason"), "SyncFailed");
    T_STR(jstr(c, "message"), "jobs.batch does not implement the scale subresource");
    bench_free(b);
}

int main(void)
{
    RUN(budgets_are_computed);
    RUN(pods_that_are_not_ready_or_will_go_do_not_count);
    RUN(who_was_to_go_and_did_not_stays);
    RUN(pods_of_nobody_and_of_jobs);
    return DONE();
}
