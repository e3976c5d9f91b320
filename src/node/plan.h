/* What a pod needs next. Pure: from what is known about the pod's sandbox and containers to one step. The agent asks
 * again after every step and every change, so the order of things is decided here alone (upstream: kuberuntime
 * computePodActions, kuberuntime_container.go).
 *
 *     sandbox -> init containers, one after the other -> containers, all -> … restarts by policy …
 *     deleted, deadline passed, or finished: stop containers -> (sidecars last, in reverse) -> remove sandbox -> done
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum container_state { CONTAINER_WAITING, CONTAINER_RUNNING, CONTAINER_EXITED, CONTAINER_STATE_N };
enum restart_policy { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };

struct plan_container {
    enum container_state state;
    bool init;
    bool sidecar;   /* an init container with restartPolicy Always */
    bool ephemeral; /* added for debugging: runs once, from the sandbox on, and the pod's phase is none of its business
                     */
    bool in_post_start; /* running, but its hook is not through: nothing is started meanwhile */
    bool started;       /* running, and its startup probe (if any) has succeeded */
    int exit_code;
    int64_t not_before_ms; /* back-off: no attempt before */
};

struct plan_pod {
    enum restart_policy policy;
    bool has_sandbox;
    bool lost;        /* of which something is gone: it has to be removed, and made anew */
    bool stopping;    /* deleted, evicted, past its deadline: nothing is started any more */
    bool initialized; /* containers have been started before: init containers need not run again */
    const struct plan_container *containers; /* init containers first, in order; ephemeral ones last */
    size_t n;
};

enum plan_step {
    PLAN_WAIT, /* nothing to do until something changes, or wake_ms */
    PLAN_MAKE_SANDBOX,
    PLAN_START,          /* container `index` */
    PLAN_STOP,           /* every running container that is no sidecar */
    PLAN_STOP_SIDECAR,   /* container `index` */
    PLAN_REMOVE_SANDBOX, /* nothing runs any more and nothing will */
    PLAN_DONE,
    PLAN_STEP_N
};

struct plan {
    enum plan_step step;
    size_t index;
    int64_t wake_ms; /* 0: no timer needed */
};

struct plan plan_next(const struct plan_pod *p, int64_t now_ms);
/* All containers have ended for good. */
bool plan_finished(const struct plan_pod *p);
/* "Pending", "Running", "Succeeded", "Failed" (upstream: kubelet_pods.go getPhase). */
const char *plan_phase(const struct plan_pod *p);
/* Will this container, having exited so, be run again? */
bool plan_restarts(enum restart_policy policy, const struct plan_container *c);

/* CrashLoopBackOff: how long after its end a container waits that has been restarted before. *backoff_ms is its memory,
 * 0 at first; ran_ms: how long it has run. Upstream: 10 s doubling to 5 min, forgotten after 10 min of running. */
int64_t plan_backoff(int64_t *backoff_ms, int64_t ran_ms);
