/* See probes.h. */
#define LOG_AREA "node"
#include "node/probes.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "node/action.h"
#include "node/agent_impl.h"
#include "node/pod.h"
#include "node/probecount.h"

enum probe_kind { PROBE_STARTUP, PROBE_READINESS, PROBE_LIVENESS, PROBE_KIND_N };

static const struct probe_names {
    const char *field, *title;
} names[PROBE_KIND_N] = {
    [PROBE_STARTUP] = {"startupProbe", "Startup"},
    [PROBE_READINESS] = {"readinessProbe", "Readiness"},
    [PROBE_LIVENESS] = {"livenessProbe", "Liveness"},
};

struct probe {
    struct probes *all;
    enum probe_kind kind;
    json_t *spec;
    struct probe_rule rule;
    struct probe_count count;
    uv_timer_t *timer;
    struct action *action; /* on its way */
};

struct probes {
    struct container *container;
    struct probe *by_kind[PROBE_KIND_N];
};

static void publish(struct probes *all);

static void begin(struct probe *p);

static void on_due(uv_timer_t *t)
{
    begin(t->data);
}

static void fail_container(struct probe *p)
{
    struct container *c = p->all->container;
    _cleanup_json_ json_t *doc = pod_json(c->pod);
    int64_t grace = jint(p->spec, "terminationGracePeriodSeconds", jint(doc, "spec.terminationGracePeriodSeconds", 30));
    _cleanup_free_ char *why = xasprintf("Container %s failed %s probe, will be restarted", c->f.name,
                                         p->kind == PROBE_LIVENESS ? "liveness" : "startup");
    container_stop(c, doc, grace * 1000, why); /* frees the probes */
    pod_kick(c->pod);
}

static void on_result(void *arg, bool ok, const char *message)
{
    struct probe *p = arg;
    struct container *c = p->all->container;
    p->action = NULL;
    if (!ok)
        pod_event(c->pod, c, "Warning", "Unhealthy", "%s probe failed: %s", names[p->kind].title, message);
    bool changed = probe_count_add(&p->count, &p->rule, ok);
    if (p->kind != PROBE_READINESS && p->count.opinion == PROBE_BAD) {
        fail_container(p);
        return;
    }
    if (p->kind != PROBE_STARTUP || p->count.opinion != PROBE_GOOD)
        uv_timer_start(p->timer, on_due, (uint64_t)p->rule.period_ms, 0);
    if (changed)
        publish(p->all);
}

static void begin(struct probe *p)
{
    p->action = action_run(p->all->container, p->spec, p->rule.timeout_ms, on_result, p);
}

/* The delay counts from the container's start, also for an agent that comes later. */
static void schedule(struct probe *p)
{
    int64_t age_ms = (clock_wall_usec() - p->all->container->f.started_usec) / 1000;
    int64_t wait = p->rule.initial_delay_ms - (age_ms > 0 ? age_ms : 0); /* it is when the clock was set back */
    if (!p->action && !uv_is_active((uv_handle_t *)p->timer))
        uv_timer_start(p->timer, on_due, wait > 0 ? (uint64_t)wait : 0, 0);
}

/* From the probes' opinions to what the container is; the others begin once it has started. */
static void publish(struct probes *all)
{
    struct container *c = all->container;
    const struct probe *startup = all->by_kind[PROBE_STARTUP], *readiness = all->by_kind[PROBE_READINESS];
    c->f.started = !startup || startup->count.opinion == PROBE_GOOD;
    c->f.ready = c->f.started && (!readiness || readiness->count.opinion == PROBE_GOOD);
    for (int k = PROBE_READINESS; c->f.started && k < PROBE_KIND_N; k++)
        if (all->by_kind[k] && all->by_kind[k]->count.in_a_row == 0)
            schedule(all->by_kind[k]);
    pod_kick(c->pod);
}

static struct probe *probe_new(struct probes *all, enum probe_kind kind, const json_t *spec)
{
    struct probe *p = NEW(struct probe);
    *p = (struct probe){.all = all,
                        .kind = kind,
                        .spec = json_deep_copy(spec),
                        .rule = probe_rule_read(spec),
                        .timer = timer_make(all->container->pod->agent->loop, p)};
    return p;
}

struct probes *probes_start(struct container *c, const json_t *spec)
{
    struct probes *all = NEW(struct probes);
    all->container = c;
    for (int k = 0; k < PROBE_KIND_N; k++) {
        const json_t *probe = jget(spec, names[k].field);
        all->by_kind[k] = probe ? probe_new(all, (enum probe_kind)k, probe) : NULL;
    }
    if (all->by_kind[PROBE_STARTUP])
        schedule(all->by_kind[PROBE_STARTUP]);
    publish(all);
    return all;
}

void probes_stop(struct probes *all)
{
    if (!all)
        return;
    for (int k = 0; k < PROBE_KIND_N; k++) {
        struct probe *p = all->by_kind[k];
        if (!p)
            continue;
        action_cancel(p->action);
        handle_free((uv_handle_t *)p->timer);
        json_decref(p->spec);
        free(p);
    }
    free(all);
}
