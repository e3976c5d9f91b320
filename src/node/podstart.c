/* The steps that make a pod: its sandbox, its containers; and the one that takes the sandbox away. Each is a job on the
 * worker pool and what follows from its outcome. */
#define LOG_AREA "node"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ip.h"
#include "base/netns.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/launch.h"
#include "node/podgroup.h"
#include "node/pod.h"
#include "node/probes.h"
#include "node/sandbox.h"
#include "node/volumes.h"
#include "service/envvars.h"

#define MOUNT_BACKOFF_FIRST_MS 500 /* as kubelet's for volumes: 500 ms doubling to 2 min 2 s */
#define MOUNT_BACKOFF_MAX_MS 122000
#define NETWORK_WAIT_MS 1000

/* --- sandbox --- */

struct sandbox_job {
    struct pod *pod;
    const struct runtime *rt;
    json_t *doc, *refs; /* its own */
    struct pod_facts facts;
    char *dir, *hostname;
    const char *cgroup_procs; /* of the runtime's monitors */
    char cgroup[CGROUP_PATH_SIZE];
    bool volumes_failed, volumes_only;
    int result;
    struct err err;
};

static void sandbox_work(void *arg)
{
    struct sandbox_job *j = arg;
    struct volumes_input volumes = {j->rt->paths, j->doc, j->refs, &j->facts, j->volumes_only};
    struct sandbox_options o = {.dir = j->dir,
                                .hostname = j->hostname,
                                .own_net = !pod_host_network(j->doc),
                                .own_ipc = !jbool(j->doc, "spec.hostIPC", false),
                                .share_pid = jbool(j->doc, "spec.shareProcessNamespace", false),
                                .cgroup_procs = j->cgroup_procs};
    j->volumes_failed = volumes_set_up(&volumes, &j->err) < 0;
    j->result = j->volumes_failed ? -1 : podgroup_make(&j->pod->agent->cgroups, j->cgroup, j->doc, &j->err);
    if (j->result == 0 && !j->volumes_only)
        j->result = launch_runtime(j->rt, j->doc, j->refs, &j->err) ? sandbox_make(&o, &j->err) : -1;
}

static void rest_after_failure(struct pod *p)
{
    p->mount_backoff_ms = p->mount_backoff_ms ? p->mount_backoff_ms * 2 : MOUNT_BACKOFF_FIRST_MS;
    if (p->mount_backoff_ms > MOUNT_BACKOFF_MAX_MS)
        p->mount_backoff_ms = MOUNT_BACKOFF_MAX_MS;
    p->sandbox_not_before_ms = clock_mono_ms() + p->mount_backoff_ms;
    pod_forget_refs(p); /* what was missing may be there by then */
}

static bool has_host_port(const json_t *doc)
{
    static const char *const lists[] = {"spec.containers", "spec.initContainers"};
    const json_t *c, *port;
    size_t i, k;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        json_array_foreach(jget(doc, lists[l]), i, c)
            json_array_foreach(jget(c, "ports"), k, port)
                if (jint(port, "hostPort", 0))
                    return true;
    return false;
}

/* The pod's addresses; kept in a file for a restarted agent. */
static int connect_pod(struct pod *p, const json_t *doc, const char *dir, struct err *err)
{
    struct agent *a = p->agent;
    char ips[IPS_TEXT_SIZE];
    _cleanup_free_ char *net = xasprintf("%s/net", dir), *ip_file = xasprintf("%s/ip", dir);
    _cleanup_close_ int fd = netns_open(net, err);
    if (fd < 0 || podnet_add(a->podnet, p->uid, fd, ips, sizeof(ips), err) < 0 ||
        (has_host_port(doc) && podnet_let_localhost_in(a->netns_fd, p->uid, err) < 0))
        return -1;
    replace_str(&p->ips, ips);
    int r = write_file_atomically(ip_file, ips, strlen(ips), 0600);
    return r < 0 ? err_set(err, -r, "write %s", ip_file) : 0;
}

static int connect_host_pod(struct pod *p, const char *dir, struct err *err)
{
    _cleanup_free_ char *ip_file = xasprintf("%s/ip", dir);
    replace_str(&p->ips, p->agent->ips);
    int r = write_file_atomically(ip_file, p->ips, strlen(p->ips), 0600);
    return r < 0 ? err_set(err, -r, "write %s", ip_file) : 0;
}

static void sandbox_take_in(struct sandbox_job *j)
{
    struct pod *p = j->pod;
    p->job = false;
    if (j->volumes_failed) {
        pod_event(p, NULL, "Warning", "FailedMount", "%s", j->err.msg);
    } else {
        if (j->result == 0 && p->sandbox == SANDBOX_NONE)
            j->result = pod_host_network(j->doc) ? connect_host_pod(p, j->dir, &j->err)
                                                 : connect_pod(p, j->doc, j->dir, &j->err);
        if (j->result < 0)
            pod_event(p, NULL, "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: %s", j->err.msg);
        else
            p->sandbox = SANDBOX_READY;
    }
    if (j->result < 0)
        rest_after_failure(p);
    else
        p->mount_backoff_ms = 0;
    pod_kick(p);
}

static void sandbox_done(void *arg)
{
    struct sandbox_job *j = arg;
    if (!j->pod->dead)
        sandbox_take_in(j);
    pod_unref(j->pod);
    json_decref(j->doc);
    json_decref(j->refs);
    free(j->dir);
    free(j->hostname);
    free(j);
}

static void run_sandbox_job(struct pod *p, const json_t *doc, bool volumes_only)
{
    struct sandbox_job *j = NEW(struct sandbox_job);
    *j = (struct sandbox_job){.pod = pod_ref(p),
                              .rt = &p->agent->rt,
                              .doc = json_deep_copy(doc),
                              .refs = json_deep_copy(p->refs),
                              .facts = pod_facts_of(p),
                              .dir = pod_run_path(&p->agent->paths, p->uid, NULL),
                              .hostname = xstrdup(p->hostname),
                              .cgroup_procs = p->agent->rt.conmon_procs,
                              .volumes_only = volumes_only};
    cgroup_path(j->cgroup, p->agent->name, p->uid, NULL);
    p->job = true;
    agent_job(p->agent, sandbox_work, sandbox_done, j);
}

void pod_make_sandbox(struct pod *p, const json_t *doc)
{
    if (!pod_host_network(doc) && !p->agent->podnet) {
        pod_kick_after(p, NETWORK_WAIT_MS); /* the node's range is not known yet; its coming kicks us earlier */
        return;
    }
    run_sandbox_job(p, doc, false);
}

void pod_refresh_volumes(struct pod *p, const json_t *doc)
{
    run_sandbox_job(p, doc, true);
}

/* --- its end --- */

struct remove_job {
    struct pod *pod;
    const struct runtime *rt;
    const char *node;
    char *uid;
    bool data;
};

static void remove_work(void *arg)
{
    struct remove_job *j = arg;
    pod_wipe(j->rt, j->node, j->uid, j->data);
}

static void remove_done(void *arg)
{
    struct remove_job *j = arg;
    struct pod *p = j->pod;
    if (!p->dead) {
        p->job = false;
        p->wiped = j->data;
        if (p->sandbox == SANDBOX_LOST && !p->stopping)
            pod_sandbox_was_lost(p);
        else
            p->sandbox = SANDBOX_REMOVED;
        pod_kick(p);
    }
    pod_unref(p);
    free(j->uid);
    free(j);
}

void pod_remove_sandbox(struct pod *p, const json_t *doc)
{
    struct agent *a = p->agent;
    struct err err;
    if (a->podnet && !pod_host_network(doc) && podnet_del(a->podnet, p->uid, &err) < 0)
        log_warn("pod %s/%s: give back its address: %s", p->ns, p->name, err.msg);
    struct remove_job *j = NEW(struct remove_job);
    *j = (struct remove_job){pod_ref(p), &a->rt, a->name, xstrdup(p->uid),
                             p->gone || jstr(doc, "metadata.deletionTimestamp")};
    p->job = true;
    agent_job(a, remove_work, remove_done, j);
}

/* --- containers --- */

struct start_job {
    struct pod *pod;
    struct container *container;
    char *image; /* as the pod names it */
    struct launch launch;
};

static void start_work(void *arg)
{
    struct start_job *j = arg;
    launch_run(&j->launch);
}

void container_attempt(struct container *c, const struct record *r)
{
    if (c->f.now.set) {
        termination_done(&c->f.last);
        c->f.last = c->f.now;
        c->f.now = (struct termination){0};
    }
    memcpy(c->f.cid, r->cid, sizeof(c->f.cid));
    replace_str(&c->f.image, r->image);
    replace_str(&c->f.image_id, r->image_id);
    c->f.restart_count = r->attempt;
}

static void has_started(struct start_job *j)
{
    struct container *c = j->container;
    struct record *r = &j->launch.record;
    container_attempt(c, r);
    replace_str(&c->f.waiting_reason, NULL);
    replace_str(&c->f.waiting_message, NULL);
    c->f.started_usec = r->started_usec;
    c->f.state = CONTAINER_RUNNING;
    c->f.backing_off = false;
    c->stop = STOP_NOT;
    c->stop_signal = r->stop_signal;
    c->pid = r->pid;
    c->pidfd = j->launch.pidfd;
    j->launch.pidfd = -1;
    c->pod->initialized = c->pod->initialized || !(c->f.init || c->f.ephemeral);
    if (!c->pulled)
        pod_event(c->pod, c, "Normal", "Pulled", "Container image \"%s\" already present on machine", j->image);
    c->pulled = false;
    pod_event(c->pod, c, "Normal", "Created", "Created container: %s", c->f.name);
    pod_event(c->pod, c, "Normal", "Started", "Started container %s", c->f.name);
    _cleanup_json_ json_t *doc = pod_json(c->pod);
    container_post_start(c, doc);
    container_check_exit(c); /* it may be over already: the file came before we knew the name */
}

static void start_take_in(struct start_job *j)
{
    struct container *c = j->container;
    const char *message = j->launch.err.msg;
    j->pod->job = false;
    switch (j->launch.result) {
    case LAUNCH_RUNNING:
        has_started(j);
        break;
    case LAUNCH_NO_IMAGE:
        pod_need_image(c, j->image);
        break;
    case LAUNCH_BAD_IMAGE:
        pod_refuse_image_name(c, j->image);
        break;
    case LAUNCH_CONFIG_ERROR:
        container_refuse(c, "CreateContainerConfigError", message);
        pod_event(j->pod, c, "Warning", "Failed", "Error: %s", message);
        pod_forget_refs(j->pod);
        break;
    case LAUNCH_START_ERROR:
        pod_event(j->pod, c, "Warning", "Failed", "Error: %s", message);
        container_not_started(c, &j->launch.record, message);
        break;
    case LAUNCH_ERROR:
    case LAUNCH_RESULT_N:
        container_refuse(c, "CreateContainerError", message);
        pod_event(j->pod, c, "Warning", "Failed", "Error: %s", message);
        break;
    }
    pod_kick(j->pod);
}

static void start_done(void *arg)
{
    struct start_job *j = arg;
    if (!j->pod->dead)
        start_take_in(j);
    if (j->launch.pidfd >= 0)
        close(j->launch.pidfd);
    launch_done(&j->launch);
    pod_unref(j->pod);
    free(j->image);
    free(j);
}

/* The Services of the moment; the API's own in any case, even before the model knows it. */
static json_t *services_of(const struct pod *p, const json_t *doc)
{
    const struct agent *a = p->agent;
    json_t *env = a->model ? service_env(a->model, p->ns, jbool(doc, "spec.enableServiceLinks", true)) : json_object();
    if (!json_object_get(env, "KUBERNETES_SERVICE_HOST")) {
        _cleanup_free_ char *port = xasprintf("%d", a->api_port);
        jset_str(env, "KUBERNETES_SERVICE_HOST", a->api_host);
        jset_str(env, "KUBERNETES_SERVICE_PORT", port);
        jset_str(env, "KUBERNETES_SERVICE_PORT_HTTPS", port);
    }
    return env;
}

/* The first process of the container whose processes this one is to see; 0: none. */
static pid_t target_pid(struct pod *p, const json_t *doc, const struct container *c)
{
    const char *name = jstr_or(find_container(doc, c->f.name), "targetContainerName", "");
    const struct container *target = *name ? pod_container(p, name) : NULL;
    return target && target->f.state == CONTAINER_RUNNING ? target->pid : 0;
}

static void launch_fill(struct launch *l, struct pod *p, const json_t *doc, const struct container *c)
{
    const struct agent *a = p->agent;
    bool again = c->f.state == CONTAINER_EXITED;
    *l = (struct launch){.rt = &a->rt,
                         .node = a->name,
                         .cluster_dns = a->cluster_dns,
                         .cluster_domain = a->cluster_domain,
                         .oom_score_adj_min = a->oom_score_adj_min,
                         .uid = xstrdup(p->uid),
                         .container = xstrdup(c->f.name),
                         .hostname = xstrdup(p->hostname),
                         .pod_ips = xstrdup(str_or(p->ips, "")),
                         .attempt = c->f.restart_count + (again ? 1 : 0),
                         .target_pid = target_pid(p, doc, c),
                         .just_pulled = c->pulled,
                         .pod = json_deep_copy(doc),
                         .refs = json_deep_copy(p->refs),
                         .services = services_of(p, doc),
                         .pidfd = -1};
    l->facts = pod_facts_of(p);
    l->facts.pod_ips = l->pod_ips;
}

bool pod_is_guarded(struct pod *p, const json_t *doc)
{
    const struct agent *a = p->agent;
    if (pod_host_network(doc) || !a->guarded || a->guarded(a->guarded_arg, p->uid))
        return true;
    pod_kick_after(p, NETWORK_WAIT_MS); /* we are told earlier */
    return false;
}

void pod_start_container(struct pod *p, const json_t *doc, struct container *c)
{
    const char *image = jstr_or(find_container(doc, c->f.name), "image", "");
    struct start_job *j = NEW(struct start_job);
    *j = (struct start_job){.pod = pod_ref(p), .container = c, .image = xstrdup(image)};
    launch_fill(&j->launch, p, doc, c);
    p->job = true;
    agent_job(p->agent, start_work, start_done, j);
}
