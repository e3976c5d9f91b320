/* A small cluster for controllers' tests: the fake API, a clock, a frame, and an agent that makes pods Ready and lets
 * deleted ones go. */
#pragma once
#include "client/controller.h"
#include "fake_client.h"

struct bench {
    uv_loop_t loop;
    struct fake *fake;
    struct controllers *cs;
    bool agent; /* pods get ready and go by themselves */
};

static int64_t bench_now;
static inline int64_t bench_clock(void)
{
    return bench_now;
}
static inline struct bench *bench_new(unsigned seed)
{
    struct bench *b = NEW(struct bench);
    uv_loop_init(&b->loop);
    b->fake = fake_new(&b->loop, seed);
    b->fake->now_usec = bench_clock;
    bench_now = 1800000000LL * 1000000;
    b->cs = controllers_new(&b->fake->client);
    controllers_set_clock(b->cs, bench_clock);
    b->agent = true;
    return b;
}
static inline void bench_free(struct bench *b)
{
    controllers_free(b->cs);
    client_free(&b->fake->client);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&b->loop) != 0)
        abort();
    free(b);
}
static inline bool bench_pod_is_ready(const json_t *pod)
{
    const json_t *c = jfind(jget(pod, "status.conditions"), "type", "Ready");
    return c && streq(jstr_or(c, "status", ""), "True");
}
static inline void bench_make_ready(struct bench *b, const char *ns, const char *name, const char *node, int ip)
{
    char now[TIME_TEXT_SIZE];
    _cleanup_free_ char *patch = xasprintf(
        "{\"spec\":{\"nodeName\":\"%s\"},\"status\":{\"phase\":\"Running\",\"podIP\":\"10.244.%d.%d\",\"podIPs\":[{"
        "\"ip\":"
        "\"10.244.%d.%d\"}],\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":\"%s\"}]}}",
        node, ip / 250, 1 + ip % 250, ip / 250, 1 + ip % 250, time_format(bench_now, now));
    fake_edit(b->fake, &kind_pod, ns, name, patch);
}
/* One pod, by lot, takes its next step. */
static inline bool bench_agent_step(struct bench *b)
{
    static int ip;
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_pod, &cursor));) {
        _cleanup_json_ json_t *pod = object_json(o);
        bool going = jget(pod, "metadata.deletionTimestamp") != NULL;
        if ((!going && bench_pod_is_ready(pod)) || jget(pod, "metadata.labels.hold") || fake_rand(b->fake, 3))
            continue;
        _cleanup_object_ struct object *kept = object_ref(o);
        if (going)
            fake_delete(b->fake, &kind_pod, o->ns, o->name);
        else
            bench_make_ready(b, o->ns, o->name, "n1", ip++ % 60000);
        return true;
    }
    return false;
}
/* Runs until nothing is left to do; delayed keys are woken while `wake` is set. */
static inline void bench_run_with(struct bench *b, void (*each_turn)(struct bench *b), bool wake)
{
    int quiet = 0;
    for (int turns = 0; quiet < 40 && turns < 300000; turns++) {
        uv_run(&b->loop, UV_RUN_NOWAIT);
        if (each_turn)
            each_turn(b);
        bool agent_did = b->agent && !fake_rand(b->fake, 4) && bench_agent_step(b);
        if (wake && !fake_rand(b->fake, 4)) {
            bench_now += 50000;
            controllers_tick(b->cs);
        }
        quiet = agent_did || !fake_idle(b->fake) || !controllers_idle(b->cs) ? 0 : quiet + 1;
    }
}
static inline void bench_run(struct bench *b)
{
    bench_run_with(b, NULL, false);
}
