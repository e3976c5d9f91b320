/* See plan.h. */
#include "node/plan.h"

#define BACKOFF_FIRST_MS 10000
#define BACKOFF_MAX_MS 300000
#define BACKOFF_FORGET_MS (2 * BACKOFF_MAX_MS)

bool plan_restarts(enum restart_policy policy, const struct plan_container *c)
{
    if (c->sidecar)
        return true;
    if (policy == RESTART_NEVER || c->ephemeral)
        return false;
    return c->exit_code != 0 || (policy == RESTART_ALWAYS && !c->init);
}

int64_t plan_backoff(int64_t *backoff_ms, int64_t ran_ms)
{
    int64_t wait = ran_ms > BACKOFF_FORGET_MS ? 0 : *backoff_ms;
    *backoff_ms = wait == 0 ? BACKOFF_FIRST_MS : wait * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : wait * 2;
    return wait; /* the first restart is at once */
}

static bool ended_for_good(const struct plan_pod *p, const struct plan_container *c)
{
    return c->state == CONTAINER_EXITED && !plan_restarts(p->policy, c);
}

static bool init_failed(const struct plan_pod *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_container *c = &p->containers[i];
        if (c->init && !c->sidecar && ended_for_good(p, c) && c->exit_code != 0)
            return true;
    }
    return false;
}

bool plan_finished(const struct plan_pod *p)
{
    if (init_failed(p))
        return true;
    bool any = false;
    for (size_t i = 0; i < p->n; i++) {
        if (p->containers[i].init || p->containers[i].ephemeral)
            continue;
        any = true;
        if (!ended_for_good(p, &p->containers[i]))
            return false;
    }
    return any;
}

static struct plan plan_stop(const struct plan_pod *p)
{
    size_t last_sidecar = p->n;
    bool others = false;
    for (size_t i = 0; i < p->n; i++) {
        if (p->containers[i].state != CONTAINER_RUNNING)
            continue;
        if (p->containers[i].sidecar)
            last_sidecar = i;
        else
            others = true;
    }
    if (others)
        return (struct plan){.step = PLAN_STOP};
    if (last_sidecar < p->n)
        return (struct plan){.step = PLAN_STOP_SIDECAR, .index = last_sidecar};
    return (struct plan){.step = p->has_sandbox ? PLAN_REMOVE_SANDBOX : PLAN_DONE};
}

/* Starts container i now, or remembers when it may start. True when *plan is to be carried out. */
static bool try_start(const struct plan_pod *p, size_t i, int64_t now_ms, struct plan *plan)
{
    int64_t at = p->containers[i].not_before_ms;
    if (at <= now_ms) {
        *plan = (struct plan){.step = PLAN_START, .index = i};
        return true;
    }
    if (!plan->wake_ms || at < plan->wake_ms)
        plan->wake_ms = at;
    return false;
}

static bool in_post_start(const struct plan_pod *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->containers[i].state == CONTAINER_RUNNING && p->containers[i].in_post_start)
            return true;
    return false;
}

/* True when the init containers leave something to do or to wait for. */
static bool plan_init(const struct plan_pod *p, int64_t now_ms, struct plan *plan)
{
    for (size_t i = 0; i < p->n && p->containers[i].init; i++) {
        const struct plan_container *c = &p->containers[i];
        if (!c->sidecar && (p->initialized || (c->state == CONTAINER_EXITED && c->exit_code == 0)))
            continue;
        if (c->state != CONTAINER_RUNNING && try_start(p, i, now_ms, plan))
            return true;
        if (!p->initialized && !(c->sidecar && c->state == CONTAINER_RUNNING && c->started))
            return true;
    }
    return false;
}

static bool plan_ephemeral(const struct plan_pod *p, int64_t now_ms, struct plan *plan)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->containers[i].ephemeral && p->containers[i].state == CONTAINER_WAITING && try_start(p, i, now_ms, plan))
            return true;
    return false;
}

struct plan plan_next(const struct plan_pod *p, int64_t now_ms)
{
    struct plan plan = {.step = PLAN_WAIT};
    if (p->stopping || p->lost || plan_finished(p))
        return plan_stop(p);
    if (!p->has_sandbox)
        return (struct plan){.step = PLAN_MAKE_SANDBOX};
    if (plan_ephemeral(p, now_ms, &plan) || in_post_start(p) || plan_init(p, now_ms, &plan))
        return plan;
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_container *c = &p->containers[i];
        if (c->init || c->ephemeral || c->state == CONTAINER_RUNNING || ended_for_good(p, c))
            continue;
        if (try_start(p, i, now_ms, &plan))
            return plan;
    }
    return plan;
}

/* Init containers may run a second time, in a new sandbox; then the pod has begun long since. */
static bool has_begun(const struct plan_pod *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (!p->containers[i].init && !p->containers[i].ephemeral && p->containers[i].state != CONTAINER_WAITING)
            return true;
    return false;
}

const char *plan_phase(const struct plan_pod *p)
{
    bool running = false, waiting = false, failed = false, ended = false, begun = has_begun(p);
    if (init_failed(p))
        return "Failed";
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_container *c = &p->containers[i];
        if (c->ephemeral)
            continue;
        if (c->init) {
            bool done = p->initialized || (c->sidecar ? c->state == CONTAINER_RUNNING && c->started
                                                      : c->state == CONTAINER_EXITED && c->exit_code == 0);
            if (!done && !begun && !p->stopping)
                return "Pending";
            continue;
        }
        waiting = waiting || c->state == CONTAINER_WAITING;
        running = running || c->state == CONTAINER_RUNNING ||
                  (c->state == CONTAINER_EXITED && !ended_for_good(p, c) && !p->stopping);
        ended = ended || c->state == CONTAINER_EXITED;
        failed = failed || (c->state == CONTAINER_EXITED && c->exit_code != 0);
    }
    if (waiting)
        return "Pending";
    if (running)
        return "Running";
    if (!ended)
        return "Pending";
    return failed ? "Failed" : "Succeeded";
}
