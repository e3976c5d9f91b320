/* The columns of `kubectl get pods`. READY, STATUS and RESTARTS come out of one walk over the containers' states, as in
 * printPod (pkg/printers/internalversion/printers.go). */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/podspec.h"

#define REASON_SIZE 256

struct summary {
    char reason[REASON_SIZE];
    int64_t restarts;
    int64_t last_restart; /* microseconds; 0: never */
    size_t ready, total;
};

struct restarts {
    int64_t n, last;
};

static void set_reason(struct summary *s, const char *prefix, const char *reason)
{
    snprintf(s->reason, sizeof(s->reason), "%s%s", prefix, reason);
}

static void count_restarts(struct restarts *r, const json_t *status)
{
    int64_t when;
    const char *finished = jstr(status, "lastState.terminated.finishedAt");
    r->n += jint(status, "restartCount", 0);
    if (finished && time_parse(finished, &when) && when > r->last)
        r->last = when;
}

static bool is_sidecar(const json_t *container)
{
    return streq(jstr_or(container, "restartPolicy", ""), "Always");
}

/* "OOMKilled", or by signal or exit code when the runtime gave no reason. */
static void set_end_reason(struct summary *s, const char *prefix, const json_t *terminated)
{
    const char *reason = jstr_or(terminated, "reason", "");
    long long signal = jint(terminated, "signal", 0), code = jint(terminated, "exitCode", 0);
    if (*reason)
        set_reason(s, prefix, reason);
    else if (signal)
        snprintf(s->reason, sizeof(s->reason), "%sSignal:%lld", prefix, signal);
    else
        snprintf(s->reason, sizeof(s->reason), "%sExitCode:%lld", prefix, code);
}

/* True when the init container is done with: it has succeeded, or is a sidecar that runs. */
static bool init_container_is_done(struct summary *s, const json_t *status, const json_t *container)
{
    const json_t *terminated = jget(status, "state.terminated");
    if (terminated && jint(terminated, "exitCode", 0) == 0)
        return true;
    if (!is_sidecar(container) || !jbool(status, "started", false))
        return false;
    s->ready += jbool(status, "ready", false);
    return true;
}

/* True while initialising; the reason then says how far. */
static bool walk_init_containers(struct summary *s, const json_t *pod, struct restarts *all, struct restarts *sidecars)
{
    const json_t *containers = jget(pod, "spec.initContainers"), *status;
    size_t i;
    json_array_foreach(jget(pod, "status.initContainerStatuses"), i, status) {
        const json_t *container = jfind(containers, "name", jstr_or(status, "name", ""));
        const json_t *terminated = jget(status, "state.terminated");
        const char *waiting = jstr_or(status, "state.waiting.reason", "");
        count_restarts(all, status);
        if (is_sidecar(container))
            count_restarts(sidecars, status);
        if (init_container_is_done(s, status, container))
            continue;
        if (terminated)
            set_end_reason(s, "Init:", terminated);
        else if (*waiting && !streq(waiting, "PodInitializing"))
            set_reason(s, "Init:", waiting);
        else
            snprintf(s->reason, sizeof(s->reason), "Init:%zu/%zu", i, json_array_size(containers));
        return true;
    }
    return false;
}

static bool condition_is_true(const json_t *pod, const char *type)
{
    const json_t *condition = jfind(jget(pod, "status.conditions"), "type", type);
    return streq(jstr_or(condition, "status", ""), "True");
}

static void walk_containers(struct summary *s, const json_t *pod, struct restarts *all)
{
    const json_t *statuses = jget(pod, "status.containerStatuses");
    bool running = false;
    for (size_t i = json_array_size(statuses); i-- > 0;) {
        const json_t *status = json_array_get(statuses, i), *terminated = jget(status, "state.terminated");
        const char *waiting = jstr_or(status, "state.waiting.reason", "");
        count_restarts(all, status);
        if (*waiting) {
            set_reason(s, "", waiting);
        } else if (terminated) {
            set_end_reason(s, "", terminated);
        } else if (jbool(status, "ready", false) && jget(status, "state.running")) {
            running = true;
            s->ready++;
        }
    }
    if (running && streq(s->reason, "Completed"))
        set_reason(s, "", condition_is_true(pod, "Ready") ? "Running" : "NotReady");
}

static void set_first_reason(struct summary *s, const json_t *pod)
{
    const char *reason = jstr_or(pod, "status.reason", "");
    const json_t *scheduled = jfind(jget(pod, "status.conditions"), "type", "PodScheduled");
    set_reason(s, "", *reason ? reason : jstr_or(pod, "status.phase", ""));
    if (streq(jstr_or(scheduled, "reason", ""), "SchedulingGated"))
        set_reason(s, "", "SchedulingGated");
}

static void set_deletion_reason(struct summary *s, const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    if (!jget(pod, "metadata.deletionTimestamp"))
        return;
    if (streq(jstr_or(pod, "status.reason", ""), "NodeLost"))
        set_reason(s, "", "Unknown");
    else if (!streq(phase, "Succeeded") && !streq(phase, "Failed"))
        set_reason(s, "", "Terminating");
}

static struct summary summarise(const json_t *pod)
{
    struct summary s = {.total = json_array_size(jget(pod, "spec.containers"))};
    struct restarts init = {0}, sidecars = {0};
    const json_t *container;
    size_t i;
    json_array_foreach(jget(pod, "spec.initContainers"), i, container)
        s.total += is_sidecar(container);
    set_first_reason(&s, pod);
    bool initialising = walk_init_containers(&s, pod, &init, &sidecars);
    struct restarts *counted = &init;
    if (!initialising || condition_is_true(pod, "Initialized")) {
        counted = &sidecars; /* those of init containers that are done count no more */
        walk_containers(&s, pod, counted);
    }
    s.restarts = counted->n;
    s.last_restart = counted->last;
    set_deletion_reason(&s, pod);
    return s;
}

static json_t *fraction(size_t part, size_t whole)
{
    return json_sprintf("%zu/%zu", part, whole);
}

json_t *pod_cell_ready(const json_t *pod, int64_t now_usec)
{
    (void)now_usec;
    struct summary s = summarise(pod);
    return fraction(s.ready, s.total);
}

json_t *pod_cell_status(const json_t *pod, int64_t now_usec)
{
    (void)now_usec;
    return json_string(summarise(pod).reason);
}

json_t *pod_cell_restarts(const json_t *pod, int64_t now_usec)
{
    struct summary s = summarise(pod);
    char age[TIME_TEXT_SIZE];
    if (s.restarts == 0 || s.last_restart == 0)
        return json_sprintf("%lld", (long long)s.restarts);
    return json_sprintf("%lld (%s ago)", (long long)s.restarts, time_human_duration(now_usec - s.last_restart, age));
}

json_t *pod_cell_ip(const json_t *pod, int64_t now_usec)
{
    (void)now_usec;
    const json_t *first = json_array_get(jget(pod, "status.podIPs"), 0);
    return first ? cell_text(first, "ip", "<none>") : cell_text(pod, "status.podIP", "<none>");
}

json_t *pod_cell_node(const json_t *pod, int64_t now_usec)
{
    (void)now_usec;
    return cell_text(pod, "spec.nodeName", "<none>");
}

json_t *pod_cell_nominated_node(const json_t *pod, int64_t now_usec)
{
    (void)now_usec;
    return cell_text(pod, "status.nominatedNodeName", "<none>");
}

json_t *pod_cell_readiness_gates(const json_t *pod, int64_t now_usec)
{
    (void)now_usec;
    const json_t *gates = jget(pod, "spec.readinessGates"), *gate;
    size_t i, open = 0;
    json_array_foreach(gates, i, gate)
        open += condition_is_true(pod, jstr_or(gate, "conditionType", ""));
    return json_array_size(gates) ? fraction(open, json_array_size(gates)) : json_string("<none>");
}
