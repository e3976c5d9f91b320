/* control: CronJobs against the fake API, by a clock that is turned by hand; and which run is due. */
#include "bench.h"
#include "control/list.h"
#include "control/runs.h"
#include "t.h"

#define MINUTE 60
#define SECOND 1000000LL

/* --- runs.h --- */

TEST(due_runs)
{
    static const struct {
        const char *schedule, *since, *now;
        int64_t deadline;
        const char *due, *next;
        int64_t missed;
    } rows[] = {
        {"0 * * * *", "2026-11-20T10:00:00Z", "2026-11-20T10:59:59Z", -1, "", "2026-11-20T11:00:00Z", 0},
        {"0 * * * *", "2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z", -1, "2026-11-20T11:00:00Z",
         "2026-11-20T12:00:00Z", 1},
        {"0 * * * *", "2026-11-20T10:00:00Z", "2026-11-20T15:30:00Z", -1, "2026-11-20T15:00:00Z",
         "2026-11-20T16:00:00Z", 5},
        {"0 * * * *", "2026-11-20T10:00:00Z", "2026-11-20T15:30:00Z", 3600, "2026-11-20T15:00:00Z",
         "2026-11-20T16:00:00Z", 1},
        {"0 * * * *", "2026-11-20T10:00:00Z", "2026-11-20T15:30:00Z", 600, "", "2026-11-20T16:00:00Z", 0},
        {"* * * * *", "2020-11-20T10:00:00Z", "2026-11-20T10:00:30Z", -1, "2026-11-20T10:00:00Z",
         "2026-11-20T10:01:00Z", 3155040},
        {"30 6-16/4 * * 1-5", "2026-11-20T07:00:00Z", "2026-11-23T07:00:00Z", -1, "2026-11-23T06:30:00Z",
         "2026-11-23T10:30:00Z", 18}, /* by the first interval; the weekend is in it */
        {"0 0,1 * * *", "2026-11-19T23:00:00Z", "2026-11-20T23:00:00Z", -1, "2026-11-20T01:00:00Z",
         "2026-11-21T00:00:00Z", 24},
        {"@every 90s", "2026-11-20T10:00:00Z", "2026-11-20T10:05:00Z", -1, "2026-11-20T10:04:30Z",
         "2026-11-20T10:06:30Z", 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char due[TIME_TEXT_SIZE] = "", next[TIME_TEXT_SIZE] = "";
        int64_t since = 0, now = 0;
        struct schedule s;
        struct runs runs;
        struct err err;
        struct zone *utc = zone_load("");
        time_parse(rows[i].since, &since);
        time_parse(rows[i].now, &now);
        T_INT(schedule_parse(rows[i].schedule, &s, &err), 0);
        T_INT(runs_due(&s, utc, since / SECOND, rows[i].deadline, now / SECOND, &runs, &err), 0);
        T_STR(runs.due ? time_format(runs.due * SECOND, due) : due, rows[i].due);
        T_STR(runs.next ? time_format(runs.next * SECOND, next) : next, rows[i].next);
        T_INT(runs.missed, rows[i].missed);
        zone_free(utc);
    }
}

/* --- the controller --- */

static struct bench *cluster(unsigned seed)
{
    struct bench *b = bench_new(seed);
    controllers_add(b->cs, &cronjob_controller);
    controllers_start(b->cs);
    b->agent = false;
    return b;
}

static void cronjob(struct bench *b, const char *spec)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"batch/v1\",\"kind\":\"CronJob\",\"metadata\":{\"namespace\":\"a\",\"name\":\"c\"},\"spec\":{"
        "\"schedule\":\"* * * * "
        "*\",\"jobTemplate\":{\"metadata\":{\"labels\":{\"l\":\"1\"},\"annotations\":{\"n\":\"2\"}},"
        "\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"x\"}]}}}}%s}}",
        spec);
    fake_set(b->fake, &kind_cronjob, text);
    bench_run(b);
}

static void wait_seconds(struct bench *b, int64_t seconds)
{
    bench_now += seconds * SECOND + 200000;
    controllers_tick(b->cs);
    bench_run(b);
}

static void finish(struct bench *b, const char *name, const char *how)
{
    char now[TIME_TEXT_SIZE];
    _cleanup_free_ char *patch =
        xasprintf("{\"status\":{\"startTime\":\"%s\",\"completionTime\":\"%s\",\"conditions\":[{\"type\":\"%s\","
                  "\"status\":\"True\"}]}}",
                  time_format(bench_now, now), now, how);
    fake_edit(b->fake, &kind_job, "a", name, patch);
    bench_run(b);
}

static const char *run_name(int64_t minutes)
{
    static char name[32];
    snprintf(name, sizeof(name), "c-%lld", 1800000000LL / 60 + (long long)minutes);
    return name;
}

TEST(a_job_for_every_minute)
{
    struct bench *b = cluster(1);
    cronjob(b, ",\"timeZone\":\"Asia/Kolkata\"");
    T_INT(fake_count(b->fake, &kind_job), 0);
    wait_seconds(b, MINUTE);
    _cleanup_json_ json_t *job = fake_json(b->fake, &kind_job, "a", run_name(1));
    T_STR(jstr_or(job, "metadata.labels.l", ""), "1");
    T_STR(jstr_or(job, "metadata.annotations.n", ""), "2");
    T_STR(str_or(json_string_value(json_object_get(jget(job, "metadata.annotations"),
                                                   "batch.kubernetes.io/cronjob-scheduled-timestamp")),
                 ""),
          "2027-01-15T13:31:00+05:30");
    _cleanup_json_ json_t *cron = fake_json(b->fake, &kind_cronjob, "a", "c");
    T_STR(jstr_or(cron, "status.lastScheduleTime", ""), "2027-01-15T08:01:00Z");
    T_STR(jstr_or(json_array_get(jget(cron, "status.active"), 0), "name", ""), run_name(1));
    finish(b, run_name(1), "Complete");
    _cleanup_json_ json_t *later = fake_json(b->fake, &kind_cronjob, "a", "c");
    T_TRUE(!jget(later, "status.active"));
    T_STR(jstr_or(later, "status.lastSuccessfulTime", ""), "2027-01-15T08:01:00Z");
    wait_seconds(b, MINUTE);
    T_INT(fake_count(b->fake, &kind_job), 2);
    bench_free(b);
}

TEST(policies)
{
    static const struct {
        const char *spec;
        size_t after_two, after_three;
    } rows[] = {
        {"", 2, 3},
        {",\"concurrencyPolicy\":\"Forbid\"", 1, 1},
        {",\"concurrencyPolicy\":\"Replace\"", 1, 1},
        {",\"suspend\":true", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench *b = cluster((unsigned)i);
        cronjob(b, rows[i].spec);
        wait_seconds(b, MINUTE);
        wait_seconds(b, MINUTE);
        T_INT(fake_count(b->fake, &kind_job), rows[i].after_two);
        wait_seconds(b, MINUTE);
        T_INT(fake_count(b->fake, &kind_job), rows[i].after_three);
        bench_free(b);
    }
}

TEST(a_replacement_is_the_later_run)
{
    struct bench *b = cluster(5);
    cronjob(b, ",\"concurrencyPolicy\":\"Replace\"");
    wait_seconds(b, MINUTE);
    wait_seconds(b, MINUTE);
    T_TRUE(!fake_get(b->fake, &kind_job, "a", run_name(1)));
    T_TRUE(fake_get(b->fake, &kind_job, "a", run_name(2)) != NULL);
    bench_free(b);
}

TEST(missed_runs_are_made_up_for_once)
{
    struct bench *b = cluster(6);
    cronjob(b, "");
    wait_seconds(b, 5 * MINUTE);
    T_INT(fake_count(b->fake, &kind_job), 1);
    T_TRUE(fake_get(b->fake, &kind_job, "a", run_name(5)) != NULL);
    bench_free(b);
}

TEST(old_ones_are_forgotten)
{
    struct bench *b = cluster(7);
    cronjob(b, ",\"successfulJobsHistoryLimit\":2,\"failedJobsHistoryLimit\":0");
    for (int i = 1; i <= 4; i++) {
        wait_seconds(b, MINUTE);
        finish(b, run_name(i), i == 2 ? "Failed" : "Complete");
    }
    T_INT(fake_count(b->fake, &kind_job), 2);
    T_TRUE(!fake_get(b->fake, &kind_job, "a", run_name(1)));
    T_TRUE(!fake_get(b->fake, &kind_job, "a", run_name(2)));
    bench_free(b);
}

/* Whatever is refused or lost on the way: no run twice, none left out. */
TEST(failures)
{
    for (unsigned seed = 0; seed < 20; seed++) {
        struct bench *b = cluster(seed);
        b->fake->fail_percent = 30;
        cronjob(b, ",\"successfulJobsHistoryLimit\":100");
        for (int i = 1; i <= 5; i++) {
            wait_seconds(b, MINUTE);
            for (int turn = 0; turn < 30; turn++)
                wait_seconds(b, 0);
            if (!fake_get(b->fake, &kind_job, "a", run_name(i)))
                T_FAIL("seed %u: run %d is missing", seed, i);
            finish(b, run_name(i), "Complete");
            bench_now = (1800000000LL + i * MINUTE) * SECOND;
        }
        T_INT(fake_count(b->fake, &kind_job), 5);
        bench_free(b);
    }
}

int main(void)
{
    RUN(due_runs);
    RUN(a_job_for_every_minute);
    RUN(policies);
    RUN(a_replacement_is_the_later_run);
    RUN(missed_runs_are_made_up_for_once);
    RUN(old_ones_are_forgotten);
    RUN(failures);
    return DONE();
}
