/* What a pod has been through before we knew of it: containers that outlived the agent are found by their records, and
 * those that died with the machine by the status that was reported last. `c8s down` is such a death: what ran is gone
 * as after a reboot, and each restart policy says what comes next (upstream: kuberuntime computePodActions). */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/pod.h"
#include "node/probes.h"
#include "node/record.h"
#include "node/sandbox.h"

#define UNKNOWN_EXIT_CODE 137

/* --- by the status --- */

static void recall_termination(struct termination *t, const json_t *status)
{
    const json_t *ended = jget(status, "state.terminated");
    ended = ended || !jget(status, "state.waiting") ? ended : jget(status, "lastState.terminated");
    *t = (struct termination){.set = true, .exit_code = (int)jint(ended, "exitCode", UNKNOWN_EXIT_CODE)};
    t->reason = xstrdup(jstr_or(ended, "reason", "ContainerStatusUnknown"));
    t->message = xstrdup_or_null(ended ? jstr(ended, "message")
                                       : "The container could not be located when the pod was deleted.  The container "
                                         "used to be Running");
    (void)time_parse(jstr_or(ended, "startedAt", jstr_or(status, "state.running.startedAt", "")), &t->started_usec);
    (void)time_parse(jstr_or(ended, "finishedAt", ""), &t->finished_usec);
    const char *cid = str_after(jstr_or(status, "containerID", ""), CONTAINER_ID_SCHEME);
    snprintf(t->cid, sizeof(t->cid), "%s", str_or(cid, ""));
}

/* Without records of its own (a new machine, a reboot) the API's status is what is known of the past. */
static void recall_from_status(struct container *c, const json_t *doc)
{
    const json_t *s = jfind(json_object_get(jget(doc, "status"), container_status_list(&c->f)), "name", c->f.name);
    if (!jstr(s, "containerID"))
        return;
    recall_termination(&c->f.now, s);
    c->f.restart_count = (int)jint(s, "restartCount", 0);
    c->f.state = CONTAINER_EXITED;
    replace_str(&c->f.image, jstr(s, "image"));
    replace_str(&c->f.image_id, jstr(s, "imageID"));
    snprintf(c->f.cid, sizeof(c->f.cid), "%s", c->f.now.cid);
}

/* A new sandbox begins with the init containers, unless nothing is to be run in it any more. */
static void begin_anew(struct pod *p, const json_t *doc)
{
    struct plan_container *view = xcalloc(p->n + 1, sizeof(*view));
    struct plan_pod seen;
    pod_plan_view(p, doc, view, &seen);
    p->initialized = plan_finished(&seen);
    for (size_t i = 0; !p->initialized && seen.policy != RESTART_NEVER && i < p->n; i++) {
        struct container *c = p->containers[i];
        if (!c->f.init || c->f.sidecar || c->f.state != CONTAINER_EXITED)
            continue;
        termination_done(&c->f.last);
        c->f.last = c->f.now;
        c->f.now = (struct termination){0};
        c->f.state = CONTAINER_WAITING;
        c->f.restart_count++;
    }
    free(view);
}

/* --- by the records --- */

/* Takes the container in as it is: still running, or ended while nobody looked. */
static void recall_record(struct container *c, const struct record *r)
{
    bool alive = r->pid > 0 && r->pid_start && process_start_time(r->pid) == r->pid_start;
    container_attempt(c, r);
    c->f.started_usec = r->started_usec;
    c->stop_signal = r->stop_signal;
    if (r->pid == 0) { /* it never ran: another attempt under the same number */
        c->f.state = CONTAINER_WAITING;
        c->f.cid[0] = '\0';
        return;
    }
    c->pid = r->pid;
    c->f.state = CONTAINER_RUNNING;
    c->pidfd = alive ? (int)syscall(SYS_pidfd_open, r->pid, 0) : -1;
    c->pod->initialized = c->pod->initialized || !(c->f.init || c->f.ephemeral);
    if (c->pidfd < 0)
        container_exited(c);
}

static size_t recall_records(struct pod *p, const json_t *doc)
{
    size_t n;
    struct record *records = records_read(&p->agent->paths, p->uid, &n);
    for (size_t i = 0; i < n; i++) {
        struct container *c = pod_container(p, records[i].container);
        if (c)
            recall_record(c, &records[i]);
    }
    records_free(records, n);
    for (size_t i = 0; i < p->n; i++) {
        const json_t *spec = find_container(doc, p->containers[i]->f.name);
        if (p->containers[i]->f.state == CONTAINER_RUNNING)
            p->containers[i]->probes = probes_start(p->containers[i], spec);
    }
    return n;
}

bool pod_recall(struct pod *p, const json_t *doc)
{
    _cleanup_free_ char *dir = pod_run_path(&p->agent->paths, p->uid, NULL);
    _cleanup_free_ char *ip_file = pod_run_path(&p->agent->paths, p->uid, "ip");
    if (sandbox_exists(dir) && (p->ips = read_small_file(ip_file, IPS_TEXT_SIZE)))
        p->sandbox = SANDBOX_READY;
    if (recall_records(p, doc) > 0)
        return true;
    for (size_t i = 0; i < p->n; i++)
        recall_from_status(p->containers[i], doc);
    if (!p->finished_before)
        begin_anew(p, doc);
    return p->sandbox == SANDBOX_READY || jget(doc, "status.containerStatuses");
}

/* --- a sandbox that is lost --- */

void pod_check_sandbox(struct pod *p)
{
    _cleanup_free_ char *dir = pod_run_path(&p->agent->paths, p->uid, NULL);
    if (p->sandbox != SANDBOX_READY || p->stopping || p->job || sandbox_is_whole(dir))
        return;
    _cleanup_json_ json_t *doc = pod_json(p);
    p->sandbox = SANDBOX_LOST;
    p->stop_grace_ms = 1000 * jint(doc, "spec.terminationGracePeriodSeconds", 30);
    pod_event(p, NULL, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
    pod_kick(p);
}

/* What was left of it is gone. */
void pod_sandbox_was_lost(struct pod *p)
{
    _cleanup_json_ json_t *doc = pod_json(p);
    p->sandbox = SANDBOX_NONE;
    p->leaving = LEAVE_NOT;
    replace_str(&p->ips, NULL);
    begin_anew(p, doc);
}
