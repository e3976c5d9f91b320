/* See agent.h: puts the parts of the agent together and follows the pods of this node. */
#define LOG_AREA "node"
#include "node/agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/localpath.h"
#include "node/pod.h"

#define COLLECT_MS 300000 /* between looks at how full the disk is with images */
#define SWEEP_MS 10000    /* what no event told: containers whose conmon was killed */

/* --- helpers of the room --- */

struct job {
    uv_work_t req;
    struct agent *agent;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void agent_destroy(struct agent *a);

static void job_work(uv_work_t *req)
{
    struct job *j = req->data;
    j->work(j->arg);
}

static void job_done(uv_work_t *req, int status)
{
    struct job *j = req->data;
    struct agent *a = j->agent;
    (void)status;
    j->done(j->arg);
    free(j);
    if (--a->jobs == 0 && a->closing)
        agent_destroy(a);
}

void agent_job(struct agent *a, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    struct job *j = NEW(struct job);
    *j = (struct job){.agent = a, .work = work, .done = done, .arg = arg};
    j->req.data = j;
    a->jobs++;
    uv_queue_work(a->loop, &j->req, job_work, job_done);
}

static void free_handle(uv_handle_t *h)
{
    free(h);
}

void handle_free(uv_handle_t *h)
{
    if (h)
        uv_close(h, free_handle);
}

uv_timer_t *timer_make(uv_loop_t *loop, void *data)
{
    uv_timer_t *t = NEW(uv_timer_t);
    uv_timer_init(loop, t);
    t->data = data;
    return t;
}

void agent_kick_all(struct agent *a)
{
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));)
        pod_kick(e->value);
}

void agent_images_changed(struct agent *a)
{
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));)
        pod_images_changed(e->value);
}

/* --- pods --- */

static void on_pod(void *arg, struct object *old, struct object *obj)
{
    struct agent *a = arg;
    struct pod *p = old ? map_get(&a->pods, old->uid) : NULL;
    if (p && (!obj || !streq(obj->uid, old->uid))) /* gone, or another pod of the same name in its place */
        pod_set_object(p, NULL);
    if (!obj)
        return;
    p = map_get(&a->pods, obj->uid);
    if (p)
        pod_set_object(p, obj);
    else if (a->synced)
        map_put(&a->pods, obj->uid, pod_new(a, obj));
}

struct orphan {
    struct agent *agent;
    char *uid;
};

static void orphan_work(void *arg)
{
    struct orphan *o = arg;
    pod_wipe(&o->agent->rt, o->agent->name, o->uid, true);
}

static void orphan_done(void *arg)
{
    struct orphan *o = arg;
    free(o->uid);
    free(o);
}

/* Directories of pods that the API does not have any more. */
static void wipe_orphans(struct agent *a, const char *pods)
{
    DIR *d = opendir(pods);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct err err;
        if (e->d_name[0] == '.' || map_get(&a->pods, e->d_name))
            continue;
        log_info("pod %s is gone from the API: removing what is left of it", e->d_name);
        if (a->podnet)
            (void)podnet_del(a->podnet, e->d_name, &err);
        struct orphan *o = NEW(struct orphan);
        *o = (struct orphan){a, xstrdup(e->d_name)};
        agent_job(a, orphan_work, orphan_done, o);
    }
    if (d)
        closedir(d);
}

/* Only a complete list tells orphans from pods that have not been heard of yet. It waits for the node's range as well,
 * so that an address can be given back. */
static void begin(struct agent *a)
{
    if (a->synced || !informer_synced(a->pod_informer) || !a->podnet)
        return;
    a->synced = true;
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(a->pod_informer, NULL, &cursor));)
        map_put(&a->pods, o->uid, pod_new(a, o));
    _cleanup_free_ char *run_pods = xasprintf("%s/pods", a->paths.run);
    wipe_orphans(a, run_pods);
    wipe_orphans(a, a->paths.pods);
}

static void on_services(void *arg)
{
    struct agent *a = arg;
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));)
        pod_services_changed(e->value);
}

static void on_pods_synced(void *arg)
{
    begin(arg);
}

/* --- the node's pod range --- */

static void on_node(void *arg, struct object *old, struct object *obj)
{
    struct agent *a = arg;
    struct err err;
    (void)old;
    if (!obj)
        return;
    _cleanup_json_ json_t *doc = object_json(obj);
    nodestatus_seen(a->nodestatus, doc);
    if (a->podnet)
        return;
    _cleanup_free_ char *cidrs = jjoin(jget(doc, "spec.podCIDRs"));
    if (!*cidrs)
        return;
    a->podnet = podnet_new(a->netns_fd, cidrs, a->pod_mtu, &err);
    if (!a->podnet) {
        log_error("pod network %s: %s", cidrs, err.msg);
        return;
    }
    nodestatus_changed(a->nodestatus);
    begin(a);
    agent_kick_all(a);
}

/* --- containers that end --- */

static void check_exits(struct agent *a, const char *cid)
{
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));) {
        struct pod *p = e->value;
        for (size_t i = 0; i < p->n; i++)
            if (!cid || streq(p->containers[i]->f.cid, cid))
                container_check_exit(p->containers[i]);
    }
}

static void on_exit_file(uv_fs_event_t *w, const char *file, int events, int status)
{
    (void)events;
    if (status == 0)
        check_exits(w->data, file);
}

/* Nobody writes the log of a container without conmon, nor how it ends: another one takes its place. */
static void look_for_monitor(struct container *c)
{
    if (c->f.state != CONTAINER_RUNNING || c->stop != STOP_NOT || runtime_is_monitored(c->pid))
        return;
    _cleanup_json_ json_t *doc = pod_json(c->pod);
    _cleanup_free_ char *why = xasprintf("Container %s lost its monitor, will be restarted", c->f.name);
    container_stop(c, doc, 1000 * jint(doc, "spec.terminationGracePeriodSeconds", 30), why);
}

/* A process that is gone without a file: its conmon was killed. It gets one sweep's time for the file to come. */
static void look_for_process(struct container *c)
{
    bool gone = c->f.state == CONTAINER_RUNNING && c->pidfd >= 0 &&
                (process_start_time(c->pid) == 0 || /* perhaps nobody reaps it */
                 (syscall(SYS_pidfd_send_signal, c->pidfd, 0, NULL, 0) < 0 && errno == ESRCH));
    if (gone && c->seen_gone)
        container_exited(c);
    c->seen_gone = gone && c->f.state == CONTAINER_RUNNING;
}

static void on_sweep(uv_timer_t *t)
{
    struct agent *a = t->data;
    check_exits(a, NULL);
    logs_rotate(a);
    localpath_sweep(a->localpath);
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));) {
        struct pod *p = e->value;
        for (size_t i = 0; i < p->n; i++) {
            look_for_monitor(p->containers[i]);
            look_for_process(p->containers[i]);
        }
        pod_check_sandbox(p);
        pod_kick(p);
    }
}

/* --- what the machine allows --- */

/* Without CAP_SYS_RESOURCE nobody may lower an oom_score_adj. Returns the lowest we can give. */
static int find_oom_min(void)
{
    _cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    char own[16] = "0";
    int64_t value = 0;
    if (fd < 0 || read(fd, own, sizeof(own) - 1) < 0)
        return 0;
    own[strcspn(own, "\n")] = '\0';
    (void)str_to_i64(own, -1000, 1000, &value);
    if (pwrite(fd, "-1000", 5, 0) < 0) {
        log_info("no permission to lower oom_score_adj: critical pods are as likely to be killed as others");
        return (int)value;
    }
    (void)!pwrite(fd, own, strlen(own), 0);
    return -1000;
}

static bool find_apparmor(void)
{
    _cleanup_free_ char *enabled = read_small_file("/sys/module/apparmor/parameters/enabled", 16);
    return enabled && *enabled == 'Y';
}

static void say_limits(const struct agent *a)
{
    if (a->cgroups.limits)
        return;
    log_info("cgroup2 %s: CPU and memory limits of containers are not enforced here",
             a->cgroups.pure ? "hands on no controllers" : "is mounted beside version 1");
}

/* --- life --- */

static char **copy_texts(const char *const *texts)
{
    size_t n = 0;
    while (texts && texts[n])
        n++;
    char **copy = xcalloc(n + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = xstrdup(texts[i]);
    return copy;
}

static void free_texts(char **texts)
{
    for (char **t = texts; t && *t; t++)
        free(*t);
    free(texts);
}

static void copy_config(struct agent *a, const struct agent_config *config)
{
    a->name = xstrdup(config->node_name);
    a->ips = xstrdup(config->node_ips);
    a->pod_mtu = config->pod_mtu;
    a->cluster_dns = xstrdup(str_or(config->cluster_dns, "10.96.0.10"));
    a->cluster_domain = xstrdup(str_or(config->cluster_domain, "cluster.local"));
    a->api_host = xstrdup(str_or(config->api_host, "10.96.0.1"));
    a->api_port = config->api_port ? config->api_port : 443;
    a->port = config->port ? config->port : 10250;
    a->netns_fd = config->netns_fd;
    a->shutdown_grace = config->policy.shutdown;
    a->labels = copy_texts(config->node_labels);
    a->taints = copy_texts(config->node_taints);
    a->model = config->model;
    a->guarded = config->guarded;
    a->guarded_arg = config->guarded_arg;
    node_paths_init(&a->paths, config->data_dir, config->run_dir, config->node_name);
}

static int watch_exits(struct agent *a, struct err *err)
{
    a->exit_watch = NEW(uv_fs_event_t);
    uv_fs_event_init(a->loop, a->exit_watch);
    a->exit_watch->data = a;
    int r = uv_fs_event_start(a->exit_watch, on_exit_file, a->paths.exits, 0);
    return r < 0 ? err_set(err, -r, "watch %s", a->paths.exits) : 0;
}

static void on_collect(uv_timer_t *t)
{
    images_collect(t->data);
}

static void follow(struct agent *a)
{
    _cleanup_free_ char *pods = xasprintf("fieldSelector=spec.nodeName%%3D%s", a->name);
    _cleanup_free_ char *node = xasprintf("fieldSelector=metadata.name%%3D%s", a->name);
    a->pod_informer = informer_new(a->client, &kind_pod, pods);
    a->node_informer = informer_new(a->client, &kind_node, node);
    informer_on_change(a->pod_informer, on_pod, a);
    informer_on_synced(a->pod_informer, on_pods_synced, a);
    informer_on_change(a->node_informer, on_node, a);
    if (a->model)
        a->services = model_reader_new(a->model, on_services, a);
    informer_start(a->pod_informer);
    informer_start(a->node_informer);
    a->localpath = localpath_new(a);
    a->sweep = timer_make(a->loop, a);
    uv_timer_start(a->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    a->collect = timer_make(a->loop, a);
    uv_timer_start(a->collect, on_collect, COLLECT_MS, COLLECT_MS);
}

struct agent *agent_new(uv_loop_t *loop, struct client *c, const struct agent_config *config, struct err *err)
{
    struct agent *a = NEW(struct agent);
    a->loop = loop;
    a->client = c;
    list_init(&a->followers);
    copy_config(a, config);
    cgroup_detect(&a->cgroups, a->name);
    if (runtime_init(&a->rt, &a->paths, &a->cgroups, a->name, err) < 0 || watch_exits(a, err) < 0 ||
        kubelet_api_start(a, config, err) < 0) {
        agent_free(a);
        return NULL;
    }
    (void)make_dirs(a->paths.pods, 0755);
    say_limits(a);
    a->oom_score_adj_min = find_oom_min();
    a->apparmor = find_apparmor();
    a->events = events_new(c, "kubelet", a->name);
    a->pulls = pulls_new(a);
    a->nodestatus = nodestatus_new(a);
    a->stats = stats_new(a);
    a->pressure = pressure_new(a, &config->policy.eviction);
    follow(a);
    return a;
}

void agent_network_changed(struct agent *a)
{
    agent_kick_all(a);
}

static void agent_destroy(struct agent *a)
{
    free_texts(a->labels);
    free_texts(a->taints);
    free(a->name);
    free(a->ips);
    free(a->cluster_dns);
    free(a->cluster_domain);
    free(a->api_host);
    runtime_done(&a->rt);
    node_paths_done(&a->paths);
    free(a);
}

SSL_CTX *agent_tls(struct agent *a)
{
    return a->tls;
}

void agent_free(struct agent *a)
{
    if (!a)
        return;
    a->closing = true;
    if (a->server)
        http_server_free(a->server);
    SSL_CTX_free(a->tls);
    handle_free((uv_handle_t *)a->exit_watch);
    handle_free((uv_handle_t *)a->sweep);
    handle_free((uv_handle_t *)a->collect);
    informer_free(a->pod_informer);
    informer_free(a->node_informer);
    model_reader_free(a->services);
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));)
        pod_free(e->value);
    map_done(&a->pods);
    map_done(&a->refwatches); /* the pods held them */
    pulls_free(a->pulls);
    a->pulls = NULL;
    nodestatus_free(a->nodestatus);
    localpath_free(TAKE(a->localpath));
    stats_free(a->stats);
    pressure_free(TAKE(a->pressure));
    shutdown_free(TAKE(a->shutdown));
    events_free(a->events);
    podnet_free(a->podnet);
    if (a->jobs == 0)
        agent_destroy(a);
}
