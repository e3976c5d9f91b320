/* See shutdown.h, and agent.h for the beginning and the end. The server and the proxies go on meanwhile, so pods leave
 * their Services and their last status is heard. */
#define LOG_AREA "node"
#include "node/shutdown.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/pod.h"

#define LOOK_MS 50         /* between looks at who is still there; it is the last that this node does */
#define AFTER_KILL_MS 2000 /* for statuses of those that had to be killed */

struct shutdown {
    struct agent *agent;
    struct shutdown_grace grace;
    uv_timer_t *timer;
    bool critical; /* the turn of the critical ones */
    int64_t deadline_ms;
    void (*done)(void *arg);
    void *arg;
};

int64_t shutdown_grace_of(const struct shutdown_grace *g, bool critical, int64_t own_ms)
{
    int64_t most = critical ? g->critical_ms : g->all_ms - g->critical_ms;
    most = most < 0 ? 0 : most;
    return own_ms < most ? own_ms : most;
}

static bool is_critical(const json_t *doc)
{
    return jint(doc, "spec.priority", 0) >= CRITICAL_PRIORITY;
}

static void end_pods(struct shutdown *s)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->agent->pods, e));) {
        struct pod *p = e->value;
        _cleanup_json_ json_t *doc = pod_json(p);
        if (is_critical(doc) != s->critical || p->stopping)
            continue;
        int64_t own_ms = 1000 * jint(doc, "spec.terminationGracePeriodSeconds", 30);
        p->disrupted = true;
        pod_end(p, shutdown_grace_of(&s->grace, s->critical, own_ms), SHUTDOWN_REASON, SHUTDOWN_MESSAGE);
    }
}

/* Nothing of it runs, and the API knows what became of it. */
static bool is_over(const struct pod *p, const json_t *doc)
{
    const char *phase = jstr_or(doc, "status.phase", "");
    for (size_t i = 0; i < p->n; i++)
        if (p->containers[i]->f.state == CONTAINER_RUNNING)
            return false;
    return !p->job && !p->patching && (p->gone || streq(phase, "Failed") || streq(phase, "Succeeded"));
}

static bool all_are_over(const struct shutdown *s)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->agent->pods, e));) {
        const struct pod *p = e->value;
        _cleanup_json_ json_t *doc = pod_json(p);
        if (is_critical(doc) == s->critical && !is_over(p, doc))
            return false;
    }
    return true;
}

static void begin_turn(struct shutdown *s, bool critical)
{
    s->critical = critical;
    s->deadline_ms = clock_mono_ms() + shutdown_grace_of(&s->grace, critical, INT64_MAX) + AFTER_KILL_MS;
    end_pods(s);
}

static void on_look(uv_timer_t *t)
{
    struct shutdown *s = t->data;
    bool over = all_are_over(s);
    if (!over && clock_mono_ms() < s->deadline_ms)
        return;
    if (!over)
        log_warn("the node goes before all of its pods have ended");
    if (!s->critical) {
        begin_turn(s, true);
        return;
    }
    uv_timer_stop(t);
    s->done(s->arg);
}

void agent_shut_down(struct agent *a, void (*done)(void *arg), void *arg)
{
    if (a->shutdown)
        return;
    struct shutdown *s = NEW(struct shutdown);
    *s = (struct shutdown){
        .agent = a, .grace = a->shutdown_grace, .timer = timer_make(a->loop, s), .done = done, .arg = arg};
    a->shutdown = s;
    log_info("the node is shutting down: its pods end within %lld s", (long long)s->grace.all_ms / 1000);
    nodestatus_changed(a->nodestatus);
    begin_turn(s, false);
    uv_timer_start(s->timer, on_look, LOOK_MS, LOOK_MS);
}

void shutdown_free(struct shutdown *s)
{
    if (!s)
        return;
    handle_free((uv_handle_t *)s->timer);
    free(s);
}
