/* control: Jobs against the fake API: every pod is counted once, whatever fails. */
#include "bench.h"
#include "control/indexes.h"
#include "control/list.h"
#include "t.h"

static struct bench *cluster(unsigned seed)
{
    struct bench *b = bench_new(seed);
    controllers_add(b->cs, &job_controller);
    controllers_start(b->cs);
    b->agent = false;
    return b;
}

static void job(struct bench *b, const char *spec)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"namespace\":\"a\",\"name\":\"j\"},\"spec\":{"
        "\"selector\":{\"matchLabels\":{\"j\":\"j\"}},\"template\":{\"metadata\":{\"labels\":{\"j\":\"j\","
        "\"batch.kubernetes.io/job-name\":\"j\"}},\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":"
        "\"c\"}]}},%s}}",
        spec);
    fake_set(b->fake, &kind_job, text);
}

static int percent_failing; /* of the pods, as they end */
static int most_active, started;
static const char *failing_index; /* instead: exactly the pods of this index fail */
static int exit_code;             /* with which they do */

static bool lot_says_fail(struct bench *b, const json_t *pod)
{
    const char *index = json_string_value(
        json_object_get(jget(pod, "metadata.annotations"), "batch.kubernetes.io/job-completion-index"));
    if (failing_index)
        return streq(str_or(index, ""), failing_index);
    return (int)fake_rand(b->fake, 100) < percent_failing;
}

/* One pod, by lot, takes its next step: it runs, it ends, it goes. */
static void step_pods(struct bench *b)
{
    struct map_entry *cursor = NULL;
    int active = 0;
    struct object *chosen = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_pod, &cursor));) {
        _cleanup_json_ json_t *pod = object_json(o);
        const char *phase = jstr_or(pod, "status.phase", "");
        bool going = jget(pod, "metadata.deletionTimestamp") != NULL;
        bool ended = streq(phase, "Succeeded") || streq(phase, "Failed");
        active += !going && !ended;
        if ((going ? json_array_size(jget(pod, "metadata.finalizers")) == 0 : !ended) && !fake_rand(b->fake, 4))
            chosen = o;
    }
    most_active = active > most_active ? active : most_active;
    if (!chosen)
        return;
    _cleanup_object_ struct object *kept = object_ref(chosen);
    _cleanup_json_ json_t *pod = object_json(chosen);
    if (jget(pod, "metadata.deletionTimestamp")) {
        fake_delete(b->fake, &kind_pod, chosen->ns, chosen->name);
    } else if (streq(jstr_or(pod, "status.phase", ""), "Pending")) {
        started++;
        bench_make_ready(b, chosen->ns, chosen->name, "n1", 1);
    } else if (percent_failing >= 0) {
        bool fails = lot_says_fail(b, pod);
        _cleanup_free_ char *end = xasprintf(
            "{\"status\":{\"phase\":\"%s\",\"conditions\":null,\"containerStatuses\":[{\"name\":\"c\",\"state\":{"
            "\"terminated\":{\"exitCode\":%d}}}]}}",
            fails ? "Failed" : "Succeeded", fails ? exit_code : 0);
        fake_edit(b->fake, &kind_pod, chosen->ns, chosen->name, end);
    }
}

static void run(struct bench *b)
{
    bench_run_with(b, step_pods, true);
}

static void run_long(struct bench *b)
{
    for (int i = 0; i < 40; i++) {
        run(b);
        bench_now += 700LL * 1000000;
        controllers_tick(b->cs);
    }
}

static const char *condition(const json_t *job, const char *type, const char *member)
{
    return str_or(jstr(jfind(jget(job, "status.conditions"), "type", type), member), "");
}

static size_t held_pods(struct bench *b)
{
    size_t n = 0;
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_pod, &cursor));) {
        _cleanup_json_ json_t *pod = object_json(o);
        n += json_array_size(jget(pod, "metadata.finalizers"));
    }
    return n;
}

TEST(completions_are_counted_once)
{
    for (unsigned n = 0; n < 12; n++) {
        struct bench *b = cluster(n);
        bool indexed = n % 2;
        percent_failing = 0;
        most_active = 0;
        b->fake->fail_percent = n >= 6 ? 20 : 0;
        b->fake->never_lose = true;
        job(b, indexed ? "\"completions\":7,\"parallelism\":3,\"backoffLimit\":6,\"completionMode\":\"Indexed\""
                       : "\"completions\":7,\"parallelism\":3,\"backoffLimit\":6");
        run(b);
        b->fake->fail_percent = 0;
        run_long(b);
        _cleanup_json_ json_t *j = fake_json(b->fake, &kind_job, "a", "j");
        T_INT(jint(j, "status.succeeded", 0), 7);
        T_STR(condition(j, "Complete", "status"), "True");
        T_STR(condition(j, "SuccessCriteriaMet", "reason"), "CompletionsReached");
        T_TRUE(jget(j, "status.startTime") && jget(j, "status.completionTime") && !jget(j, "status.active"));
        T_JSON(jget(j, "status.uncountedTerminatedPods"), "{}");
        T_TRUE(most_active <= 3);
        T_INT(fake_count(b->fake, &kind_pod), 7);
        T_INT(held_pods(b), 0);
        if (indexed)
            T_STR(jstr(j, "status.completedIndexes"), "0-6");
        bench_free(b);
    }
}

TEST(too_many_failures_end_it)
{
    struct bench *b = cluster(3);
    percent_failing = 100;
    job(b, "\"completions\":1,\"parallelism\":1,\"backoffLimit\":2");
    run(b);
    _cleanup_json_ json_t *first = fake_json(b->fake, &kind_job, "a", "j");
    T_INT(jint(first, "status.failed", 0), 1); /* the next waits for its turn */
    T_INT(fake_count(b->fake, &kind_pod), 1);
    run_long(b);
    _cleanup_json_ json_t *j = fake_json(b->fake, &kind_job, "a", "j");
    T_INT(jint(j, "status.failed", 0), 3);
    T_STR(condition(j, "Failed", "reason"), "BackoffLimitExceeded");
    T_STR(condition(j, "Failed", "message"), "Job has reached the specified backoff limit");
    T_INT(held_pods(b), 0);
    bench_free(b);
}

/* Two of three indexes succeed, the one in the middle never does. */
TEST(policies)
{
    static const struct {
        const char *spec;
        const char *end, *reason, *done, *lost;
        int failed, pods;
    } rows[] = {
        {"\"backoffLimitPerIndex\":1", "Failed", "FailedIndexes", "0,2", "1", 2, 4},
        {"\"backoffLimitPerIndex\":5,\"maxFailedIndexes\":0,\"podFailurePolicy\":{\"rules\":[{\"action\":\"FailIndex\","
         "\"onExitCodes\":{\"operator\":\"In\",\"values\":[42]}}]}",
         "Failed", "MaxFailedIndexesExceeded", NULL, "1", 1, -1},
        {"\"backoffLimit\":6,\"podFailurePolicy\":{\"rules\":[{\"action\":\"FailJob\",\"onExitCodes\":{"
         "\"containerName\":"
         "\"c\",\"operator\":\"NotIn\",\"values\":[1,2]}}]}",
         "Failed", "PodFailurePolicy", NULL, NULL, 1, -1},
        {"\"backoffLimit\":6,\"successPolicy\":{\"rules\":[{\"succeededIndexes\":\"1\"},{\"succeededIndexes\":\"0-1\","
         "\"succeededCount\":1}]}",
         "Complete", "SuccessPolicy", NULL, NULL, -1, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench *b = cluster((unsigned)i);
        failing_index = "1";
        exit_code = 42;
        percent_failing = 0;
        _cleanup_free_ char *spec =
            xasprintf("\"completions\":3,\"parallelism\":3,\"completionMode\":\"Indexed\",%s%s", rows[i].spec,
                      strstr(rows[i].spec, "PerIndex") ? ",\"backoffLimit\":2147483647" : "");
        job(b, spec);
        run_long(b);
        failing_index = NULL;
        _cleanup_json_ json_t *j = fake_json(b->fake, &kind_job, "a", "j");
        T_STR(condition(j, rows[i].end, "status"), "True");
        T_STR(condition(j, rows[i].end, "reason"), rows[i].reason);
        if (rows[i].done)
            T_STR(jstr_or(j, "status.completedIndexes", ""), rows[i].done);
        if (rows[i].lost)
            T_STR(jstr_or(j, "status.failedIndexes", ""), rows[i].lost);
        if (rows[i].failed >= 0)
            T_INT(jint(j, "status.failed", 0), rows[i].failed);
        if (rows[i].pods >= 0)
            T_INT(fake_count(b->fake, &kind_pod), rows[i].pods);
        T_INT(held_pods(b), 0);
        bench_free(b);
    }
}

/* Failures that are ignored end nothing, however many they are. */
TEST(ignored_failures)
{
    struct bench *b = cluster(9);
    percent_failing = 100;
    exit_code = 3;
    job(b, "\"completions\":1,\"parallelism\":1,\"backoffLimit\":0,\"podFailurePolicy\":{\"rules\":[{\"action\":"
           "\"Ignore\",\"onExitCodes\":{\"operator\":\"In\",\"values\":[3]}}]}");
    run_long(b);
    _cleanup_json_ json_t *going = fake_json(b->fake, &kind_job, "a", "j");
    T_STR(condition(going, "Failed", "status"), "");
    T_TRUE(!jget(going, "status.failed") && fake_count(b->fake, &kind_pod) > 3);
    percent_failing = 0;
    run_long(b);
    _cleanup_json_ json_t *j = fake_json(b->fake, &kind_job, "a", "j");
    T_STR(condition(j, "Complete", "status"), "True");
    bench_free(b);
}

/* A pod that is being deleted is replaced when it has ended. */
TEST(replacement_waits_for_failure)
{
    struct bench *b = cluster(10);
    percent_failing = -1;
    job(b, "\"completions\":1,\"parallelism\":1,\"backoffLimit\":6,\"podReplacementPolicy\":\"Failed\"");
    run(b);
    struct map_entry *cursor = NULL;
    struct object *pod = fake_next(b->fake, &kind_pod, &cursor);
    fake_edit(b->fake, &kind_pod, pod->ns, pod->name,
              "{\"metadata\":{\"deletionTimestamp\":\"2027-01-15T08:00:00Z\"}}");
    run(b);
    T_INT(fake_count(b->fake, &kind_pod), 1);
    _cleanup_json_ json_t *waiting = fake_json(b->fake, &kind_job, "a", "j");
    T_INT(jint(waiting, "status.terminating", 0), 1);
    cursor = NULL;
    pod = fake_next(b->fake, &kind_pod, &cursor);
    fake_edit(b->fake, &kind_pod, pod->ns, pod->name, "{\"status\":{\"phase\":\"Failed\"}}");
    run_long(b);
    _cleanup_json_ json_t *j = fake_json(b->fake, &kind_job, "a", "j");
    T_INT(jint(j, "status.failed", 0), 1);
    T_INT(jint(j, "status.active", 0), 1);
    bench_free(b);
}

TEST(a_deadline_ends_it_and_pods_go)
{
    struct bench *b = cluster(4);
    percent_failing = -1; /* they never end */
    job(b, "\"completions\":3,\"parallelism\":2,\"backoffLimit\":6,\"activeDeadlineSeconds\":100");
    run(b);
    T_INT(fake_count(b->fake, &kind_pod), 2);
    run_long(b);
    _cleanup_json_ json_t *j = fake_json(b->fake, &kind_job, "a", "j");
    T_STR(condition(j, "Failed", "reason"), "DeadlineExceeded");
    T_INT(jint(j, "status.failed", 0), 2);
    T_INT(fake_count(b->fake, &kind_pod), 0);
    bench_free(b);
}

TEST(suspended_and_shrunk_ones_give_their_pods_up_uncounted)
{
    struct bench *b = cluster(5);
    percent_failing = -1;
    job(b, "\"completions\":5,\"parallelism\":3,\"backoffLimit\":0");
    run(b);
    fake_edit(b->fake, &kind_job, "a", "j", "{\"spec\":{\"parallelism\":1}}");
    run(b);
    T_INT(fake_count(b->fake, &kind_pod), 1);
    fake_edit(b->fake, &kind_job, "a", "j", "{\"spec\":{\"suspend\":true}}");
    run(b);
    _cleanup_json_ json_t *suspended = fake_json(b->fake, &kind_job, "a", "j");
    T_STR(condition(suspended, "Suspended", "status"), "True");
    T_TRUE(!jget(suspended, "status.startTime") && !jget(suspended, "status.failed"));
    T_INT(fake_count(b->fake, &kind_pod), 0);
    fake_edit(b->fake, &kind_job, "a", "j", "{\"spec\":{\"suspend\":false}}");
    percent_failing = 0;
    run_long(b);
    _cleanup_json_ json_t *j = fake_json(b->fake, &kind_job, "a", "j");
    T_STR(condition(j, "Suspended", "reason"), "JobResumed");
    T_INT(jint(j, "status.succeeded", 0), 5);
    T_TRUE(!jget(j, "status.failed"));
    bench_free(b);
}

TEST(a_finished_job_expires_and_its_pods_are_free)
{
    struct bench *b = cluster(6);
    percent_failing = 0;
    job(b, "\"completions\":1,\"parallelism\":1,\"backoffLimit\":0,\"ttlSecondsAfterFinished\":3600");
    run(b);
    T_TRUE(fake_get(b->fake, &kind_job, "a", "j") != NULL);
    run_long(b);
    _cleanup_json_ json_t *j = fake_json(b->fake, &kind_job, "a", "j");
    T_TRUE(jget(j, "metadata.deletionTimestamp") != NULL); /* the garbage collector does the rest */
    bench_free(b);

    b = cluster(7);
    percent_failing = -1;
    job(b, "\"completions\":1,\"parallelism\":1,\"backoffLimit\":0");
    run(b);
    T_INT(held_pods(b), 1);
    fake_delete(b->fake, &kind_job, "a", "j");
    run(b);
    T_INT(held_pods(b), 0);
    bench_free(b);
}

TEST(a_successor_of_the_same_name_frees_the_pods_as_well)
{
    struct bench *b = bench_new(8);
    controllers_add(b->cs, &job_controller);
    b->agent = false;
    percent_failing = -1;
    fake_set(
        b->fake, &kind_pod,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"a\",\"name\":\"old\",\"finalizers\":["
        "\"batch.kubernetes.io/job-tracking\"],\"ownerReferences\":[{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\","
        "\"name\":\"j\",\"uid\":\"of a predecessor\",\"controller\":true}]}}");
    job(b, "\"completions\":1,\"parallelism\":1,\"backoffLimit\":0");
    controllers_start(b->cs); /* the deletion happened while the program was away */
    run(b);
    _cleanup_json_ json_t *old = fake_json(b->fake, &kind_pod, "a", "old");
    T_INT(json_array_size(jget(old, "metadata.finalizers")), 0);
    T_INT(held_pods(b), 1); /* the successor's own */
    bench_free(b);
}

TEST(restarts_in_place_count_as_failures)
{
    struct bench *b = cluster(12);
    percent_failing = -1;
    job(b, "\"completions\":1,\"parallelism\":1,\"backoffLimit\":2");
    fake_edit(b->fake, &kind_job, "a", "j", "{\"spec\":{\"template\":{\"spec\":{\"restartPolicy\":\"OnFailure\"}}}}");
    run(b);
    struct map_entry *cursor = NULL;
    _cleanup_free_ char *name = xstrdup(fake_next(b->fake, &kind_pod, &cursor)->name);
    fake_edit(b->fake, &kind_pod, "a", name, "{\"status\":{\"containerStatuses\":[{\"restartCount\":1}]}}");
    run(b);
    _cleanup_json_ json_t *going = fake_json(b->fake, &kind_job, "a", "j");
    T_STR(condition(going, "FailureTarget", "status"), "");
    fake_edit(
        b->fake, &kind_pod, "a", name,
        "{\"status\":{\"initContainerStatuses\":[{\"restartCount\":1}],\"containerStatuses\":[{\"restartCount\":1}]}}");
    run(b);
    _cleanup_json_ json_t *failed = fake_json(b->fake, &kind_job, "a", "j");
    T_STR(condition(failed, "FailureTarget", "reason"), "BackoffLimitExceeded");
    bench_free(b);
}

TEST(pods_are_adopted_and_released)
{
    struct bench *b = cluster(11);
    percent_failing = -1;
    job(b, "\"completions\":2,\"parallelism\":1,\"backoffLimit\":6");
    run(b);
    struct map_entry *cursor = NULL;
    _cleanup_free_ char *name = xstrdup(fake_next(b->fake, &kind_pod, &cursor)->name);
    fake_edit(b->fake, &kind_pod, "a", name, "{\"metadata\":{\"ownerReferences\":null}}");
    run(b);
    _cleanup_json_ json_t *adopted = fake_json(b->fake, &kind_pod, "a", name);
    T_STR(jstr(json_array_get(jget(adopted, "metadata.ownerReferences"), 0), "name"), "j");
    T_INT(fake_count(b->fake, &kind_pod), 1);
    fake_edit(b->fake, &kind_pod, "a", name, "{\"metadata\":{\"labels\":null}}");
    run(b);
    _cleanup_json_ json_t *released = fake_json(b->fake, &kind_pod, "a", name);
    T_TRUE(!jget(released, "metadata.ownerReferences"));
    T_INT(fake_count(b->fake, &kind_pod), 2);
    bench_free(b);
}

TEST(indexes_are_written_in_ranges)
{
    static const struct {
        const char *text, *want;
        int count;
    } cases[] = {{NULL, "", 0},
                 {"3", "3", 1},
                 {"0,1", "0,1", 2},
                 {"0-2", "0-2", 3},
                 {"7,1-3,2", "1-3,7", 4},
                 {"8-99", "8,9", 2},
                 {"x,-1,4-,5-4,99999999999", "", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct indexes x;
        indexes_init(&x, 10, cases[i].text);
        _cleanup_free_ char *text = indexes_text(&x);
        T_STR(text, cases[i].want);
        T_INT(indexes_count(&x), cases[i].count);
        T_TRUE(!indexes_has(&x, -1) && !indexes_has(&x, 10));
        indexes_done(&x);
    }
}

int main(void)
{
    RUN(completions_are_counted_once);
    RUN(too_many_failures_end_it);
    RUN(policies);
    RUN(ignored_failures);
    RUN(replacement_waits_for_failure);
    RUN(a_deadline_ends_it_and_pods_go);
    RUN(suspended_and_shrunk_ones_give_their_pods_up_uncounted);
    RUN(a_finished_job_expires_and_its_pods_are_free);
    RUN(a_successor_of_the_same_name_frees_the_pods_as_well);
    RUN(restarts_in_place_count_as_failures);
    RUN(pods_are_adopted_and_released);
    RUN(indexes_are_written_in_ranges);
    return DONE();
}
