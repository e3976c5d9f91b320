/* The ending of containers: the signal that asks, SIGKILL after the grace period; and what an exit leads
 * to. */
#define LOG_AREA "node"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/crilog.h"
#include "node/launch.h"
#include "node/pod.h"
#include "node/probes.h"
#include "node/record.h"

#define MESSAGE_BYTES_MAX 4096 /* termination message, as upstream's limit */
#define LOG_MESSAGE_BYTES 2048 /* of the log when it serves as the message: 2 KiB or 80 lines */
#define LOG_MESSAGE_LINES 80
#define UNKNOWN_EXIT_CODE 137
#define START_ERROR_EXIT_CODE 128 /* as containerd has it */

static void send_signal(const struct container *c, int sig)
{
    if (c->pidfd >= 0 && syscall(SYS_pidfd_send_signal, c->pidfd, sig, NULL, 0) < 0 && errno != ESRCH)
        log_warn("signal %d to container %s: %s", sig, c->f.cid, strerror(errno));
}

/* --- stopping --- */

void container_ask_to_end(struct container *c)
{
    c->stop = STOP_TERM;
    send_signal(c, c->stop_signal);
}

void container_stop(struct container *c, const json_t *doc, int64_t grace_ms, const char *why)
{
    int64_t deadline = clock_mono_ms() + grace_ms;
    if (c->stop != STOP_NOT) { /* a second request can only shorten it */
        c->stop_deadline_ms = deadline < c->stop_deadline_ms ? deadline : c->stop_deadline_ms;
        return;
    }
    probes_stop(c->probes);
    c->probes = NULL;
    container_post_start_cancel(c);
    c->stop_deadline_ms = deadline;
    if (why)
        pod_event(c->pod, c, "Normal", "Killing", "%s", why);
    else
        pod_event(c->pod, c, "Normal", "Killing", "Stopping container %s", c->f.name);
    if (!container_pre_stop(c, doc))
        container_ask_to_end(c);
}

int64_t container_stop_step(struct container *c)
{
    int64_t left = c->stop_deadline_ms - clock_mono_ms();
    if (c->f.state != CONTAINER_RUNNING || c->stop == STOP_KILL)
        return 0;
    if (left > 0)
        return left;
    c->stop = STOP_KILL;
    send_signal(c, SIGKILL);
    return 0;
}

/* --- exits --- */

/* The end of the log as text; NULL when there is none. */
static char *log_tail(const struct container *c)
{
    const struct agent *a = c->pod->agent;
    _cleanup_free_ char *path = launch_log_path(&a->paths, c->pod->uid, c->f.name, c->f.restart_count);
    char bytes[2 * MESSAGE_BYTES_MAX];
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    if (fseek(f, -(long)sizeof(bytes), SEEK_END) < 0)
        rewind(f);
    size_t n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    int64_t lines;
    size_t tail = crilog_tail(bytes, n, LOG_MESSAGE_LINES, &lines);
    struct crilog_options o = {.limit_bytes = LOG_MESSAGE_BYTES};
    struct crilog_reader r;
    struct buf out = BUF_INIT(MESSAGE_BYTES_MAX);
    crilog_init(&r, &o);
    crilog_feed(&r, bytes + n - tail, tail, &out);
    crilog_done(&r);
    return out.len ? buf_take(&out) : NULL;
}

static char *termination_message(const struct container *c, int exit_code)
{
    const struct agent *a = c->pod->agent;
    _cleanup_json_ json_t *doc = pod_json(c->pod);
    const char *policy = jstr_or(find_container(doc, c->f.name), "terminationMessagePolicy", "File");
    _cleanup_free_ char *dir = launch_dir(&a->paths, c->pod->uid, c->f.name, c->f.restart_count);
    _cleanup_free_ char *path = xasprintf("%s/termination-log", dir);
    char text[MESSAGE_BYTES_MAX + 1];
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, MESSAGE_BYTES_MAX, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    if (n > 0)
        return xstrdup(text);
    return exit_code != 0 && streq(policy, "FallbackToLogsOnError") ? log_tail(c) : NULL;
}

static const char *exit_reason(const struct container *c, int exit_code, bool known)
{
    _cleanup_free_ char *bundle = record_dir(&c->pod->agent->paths, c->pod->uid, c->f.cid);
    if (!known)
        return "ContainerStatusUnknown";
    if (runtime_oom_killed(bundle))
        return "OOMKilled";
    return exit_code == 0 ? "Completed" : "Error";
}

struct clean_job {
    struct pod *pod;
    const struct runtime *rt;
    const char *node;
    char *container;
    int attempt;
    char cid[CID_SIZE];
};

static void clean_work(void *arg)
{
    struct clean_job *j = arg;
    launch_clean(j->rt, j->node, j->pod->uid, j->container, j->attempt, j->cid);
}

static void clean_done(void *arg)
{
    struct clean_job *j = arg;
    j->pod->job = false;
    pod_kick(j->pod);
    pod_unref(j->pod);
    free(j->container);
    free(j);
}

/* Its file system and what the runtime knows go; the exit file and the record stay. When a job is at work on the pod,
 * the next start or the end of the pod does it. */
static void clean_up(struct container *c)
{
    struct pod *p = c->pod;
    if (p->job)
        return;
    struct clean_job *j = NEW(struct clean_job);
    *j = (struct clean_job){.pod = pod_ref(p),
                            .rt = &p->agent->rt,
                            .node = p->agent->name,
                            .container = xstrdup(c->f.name),
                            .attempt = c->f.restart_count};
    memcpy(j->cid, c->f.cid, sizeof(j->cid));
    p->job = true;
    agent_job(p->agent, clean_work, clean_done, j);
}

/* "10s", "2m40s", "5m0s": as Go prints a duration. */
static char *go_duration(int64_t ms, char out[32])
{
    long long s = ms / 1000;
    if (s < 60)
        snprintf(out, 32, "%llds", s);
    else
        snprintf(out, 32, "%lldm%llds", s / 60, s % 60);
    return out;
}

/* When it may start again; the first time at once. */
static void set_back_off(struct container *c, const json_t *doc)
{
    struct pod *p = c->pod;
    struct plan_container *view = xcalloc(p->n, sizeof(*view));
    struct plan_pod seen;
    pod_plan_view(p, doc, view, &seen);
    struct plan_container me = {
        .init = c->f.init, .sidecar = c->f.sidecar, .ephemeral = c->f.ephemeral, .exit_code = c->f.now.exit_code};
    free(view);
    if (p->stopping || !plan_restarts(seen.policy, &me))
        return;
    int64_t ran_ms = (c->f.now.finished_usec - c->f.now.started_usec) / 1000;
    int64_t wait = plan_backoff(&c->backoff_ms, ran_ms);
    c->not_before_ms = clock_mono_ms() + wait;
    if (wait == 0)
        return;
    c->f.backing_off = true;
    char duration[32];
    _cleanup_free_ char *text = xasprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
                                          go_duration(wait, duration), c->f.name, p->name, p->ns, p->uid);
    replace_str(&c->f.waiting_reason, "CrashLoopBackOff");
    replace_str(&c->f.waiting_message, text);
    pod_event(p, c, "Warning", "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)", c->f.name,
              p->name, p->ns, p->uid);
}

void container_exited(struct container *c)
{
    struct pod *p = c->pod;
    struct agent *a = p->agent;
    int code = UNKNOWN_EXIT_CODE;
    int64_t finished = clock_wall_usec();
    bool known = runtime_read_exit(&a->rt, c->f.cid, &code, &finished);
    _cleanup_json_ json_t *doc = pod_json(p);
    probes_stop(c->probes);
    c->probes = NULL;
    container_post_start_cancel(c);
    if (c->pidfd >= 0)
        close(c->pidfd);
    c->pidfd = -1;
    c->f.state = CONTAINER_EXITED;
    c->f.ready = c->f.started = false;
    c->stop = STOP_NOT;
    c->f.now = (struct termination){.set = true,
                                    .exit_code = code,
                                    .reason = xstrdup(exit_reason(c, code, known)),
                                    .message = termination_message(c, code),
                                    .started_usec = c->f.started_usec,
                                    .finished_usec = finished};
    memcpy(c->f.now.cid, c->f.cid, sizeof(c->f.cid));
    set_back_off(c, doc);
    logs_wake(a);
    clean_up(c);
    pod_kick(p);
}

void container_not_started(struct container *c, const struct record *r, const char *message)
{
    struct container_facts *f = &c->f;
    int64_t now = clock_wall_usec();
    _cleanup_json_ json_t *doc = pod_json(c->pod);
    container_attempt(c, r);
    f->state = CONTAINER_EXITED;
    f->backing_off = false;
    f->now = (struct termination){.set = true,
                                  .exit_code = START_ERROR_EXIT_CODE,
                                  .reason = xstrdup("StartError"),
                                  .message = xstrdup(message),
                                  .started_usec = now,
                                  .finished_usec = now};
    memcpy(f->now.cid, f->cid, sizeof(f->now.cid));
    set_back_off(c, doc);
    logs_wake(c->pod->agent);
}

void container_check_exit(struct container *c)
{
    int code;
    int64_t finished;
    if (c->f.state == CONTAINER_RUNNING && runtime_read_exit(&c->pod->agent->rt, c->f.cid, &code, &finished))
        container_exited(c);
}
