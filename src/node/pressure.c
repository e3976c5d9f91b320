/* Looks every few seconds at what the node has left and at what pods use that have limits of their own; tells the
 * Node's conditions and evicts. What is decided is in eviction.h; the looking is a job. Disks are walked only for pods
 * that have a limit, and for all of them once the disk is short. */
#define LOG_AREA "node"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/quantity.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/diskusage.h"
#include "node/eviction.h"
#include "node/launch.h"
#include "node/pod.h"
#include "node/usage.h"

#define ROUND_MS 5000 /* kubelet: 10 s; a round without pressure or limits costs some 20 µs */
#define GRACE_MS 1000 /* of an evicted pod, as upstream's */
#define SMALL_FILE_MAX 4096

struct pressure {
    struct agent *agent;
    uv_timer_t *timer;
    struct eviction_thresholds thresholds;
    struct eviction_memory memory;
    unsigned held; /* conditions */
};

/* A pod as the round sees it; its figures point into doc. */
struct subject {
    struct pod *pod;
    json_t *doc;
    int *attempts; /* of each container */
};

struct pressure_round {
    struct agent *agent;
    bool starved; /* the second look: at all pods, after images have gone */
    unsigned signals;
    struct eviction_observation seen[SIGNAL_N];
    struct subject *subjects;
    struct eviction_pod *pods; /* n of each; who: the subject */
    size_t n;
};

/* --- the machine --- */

static int64_t read_number(const char *path)
{
    _cleanup_free_ char *text = read_small_file(path, SMALL_FILE_MAX);
    return text ? strtoll(text, NULL, 10) : 0;
}

/* "0.20 0.18 0.12 1/80 11206": the fourth is how many run, of how many. */
static int64_t count_tasks(void)
{
    _cleanup_free_ char *text = read_small_file("/proc/loadavg", SMALL_FILE_MAX);
    const char *slash = text ? strchr(text, '/') : NULL;
    return slash ? strtoll(slash + 1, NULL, 10) : 0;
}

static void observe(const struct agent *a, struct eviction_observation seen[SIGNAL_N])
{
    struct usage machine;
    struct statvfs fs;
    if (usage_read_machine(&machine))
        seen[SIGNAL_MEMORY] = (struct eviction_observation){a->memory_bytes - machine.memory_bytes, a->memory_bytes};
    if (statvfs(a->paths.data, &fs) == 0) { /* images and pods share it */
        int64_t unit = (int64_t)fs.f_frsize;
        seen[SIGNAL_NODEFS] = seen[SIGNAL_IMAGEFS] =
            (struct eviction_observation){(int64_t)fs.f_bavail * unit, (int64_t)fs.f_blocks * unit};
        seen[SIGNAL_NODEFS_INODES] = seen[SIGNAL_IMAGEFS_INODES] =
            (struct eviction_observation){(int64_t)fs.f_favail, (int64_t)fs.f_files};
    }
    int64_t pids = read_number("/proc/sys/kernel/pid_max");
    seen[SIGNAL_PID] = (struct eviction_observation){pids - count_tasks(), pids};
}

/* --- pods --- */

static int64_t amount(const json_t *list, const char *name, const char **ret_text)
{
    struct quantity q;
    const char *text = json_string_value(json_object_get(list, name));
    if (ret_text)
        *ret_text = text;
    return text && quantity_parse(text, &q) ? quantity_value(&q) : 0;
}

static void see_containers(const struct agent *a, struct subject *s, struct eviction_pod *e)
{
    const struct pod *p = s->pod;
    e->containers = xcalloc(p->n + 1, sizeof(*e->containers));
    s->attempts = xcalloc(p->n + 1, sizeof(*s->attempts));
    for (size_t i = 0; i < p->n; i++) {
        const struct container_facts *f = &p->containers[i]->f;
        const json_t *resources = jget(find_container(s->doc, f->name), "resources");
        const json_t *requests = jget(resources, "requests");
        struct eviction_container *c = &e->containers[e->n_containers];
        c->name = f->name;
        c->request[STARVED_MEMORY] = amount(requests, "memory", NULL);
        c->request[STARVED_DISK] = amount(requests, "ephemeral-storage", NULL);
        c->disk_limit = amount(jget(resources, "limits"), "ephemeral-storage", &c->disk_limit_text);
        c->used[STARVED_MEMORY] = f->state == CONTAINER_RUNNING ? stats_memory_bytes(a, f->cid) : 0;
        s->attempts[e->n_containers++] = f->restart_count;
    }
}

static void see_volumes(const struct subject *s, struct eviction_pod *e)
{
    const json_t *volumes = jget(s->doc, "spec.volumes");
    json_t *v;
    size_t i;
    e->volumes = xcalloc(json_array_size(volumes) + 1, sizeof(*e->volumes));
    json_array_foreach((json_t *)volumes, i, v) {
        const json_t *empty = jget(v, "emptyDir");
        if (!empty || streq(jstr_or(empty, "medium", ""), "Memory")) /* there the kernel keeps the limit */
            continue;
        struct eviction_volume *ev = &e->volumes[e->n_volumes++];
        ev->name = jstr_or(v, "name", "");
        ev->limit = amount(empty, "sizeLimit", &ev->limit_text);
    }
}

bool pod_has_disk_limits(const json_t *doc)
{
    json_t *one;
    size_t i;
    json_array_foreach(jget(doc, "spec.containers"), i, one)
        if (json_object_get(jget(one, "resources.limits"), "ephemeral-storage"))
            return true;
    json_array_foreach(jget(doc, "spec.volumes"), i, one)
        if (jget(one, "emptyDir.sizeLimit"))
            return true;
    return false;
}

static void see_pods(const struct agent *a, struct pressure_round *round)
{
    size_t room = 0;
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));)
        room++;
    round->subjects = xcalloc(room + 1, sizeof(*round->subjects));
    round->pods = xcalloc(room + 1, sizeof(*round->pods));
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));) {
        struct pod *p = e->value;
        if (p->stopping || p->sandbox != SANDBOX_READY || !(round->starved || p->disk_limited))
            continue;
        struct subject *s = &round->subjects[round->n];
        struct eviction_pod *seen = &round->pods[round->n++];
        *s = (struct subject){.pod = pod_ref(p), .doc = pod_json(p)};
        seen->who = s;
        seen->priority = jint(s->doc, "spec.priority", 0);
        seen->critical = seen->priority >= CRITICAL_PRIORITY;
        see_containers(a, s, seen);
        see_volumes(s, seen);
    }
}

static void add_tree(const struct node_paths *paths, const char *uid, const char *rest, int64_t used[STARVED_N])
{
    struct disk_usage sum = {0};
    _cleanup_free_ char *path = pod_data_path(paths, uid, rest);
    disk_usage_add(path, &sum);
    used[STARVED_DISK] += sum.bytes;
    used[STARVED_INODES] += sum.inodes;
}

/* Writable layers and logs are the containers', what lies in emptyDirs everybody's. */
static void measure(const struct agent *a, struct eviction_pod *e)
{
    const struct subject *s = e->who;
    const char *uid = s->pod->uid;
    char group[CGROUP_PATH_SIZE];
    for (size_t i = 0; i < e->n_containers; i++) {
        struct eviction_container *c = &e->containers[i];
        _cleanup_free_ char *layer = xasprintf("containers/%s/%d/upper", c->name, s->attempts[i]);
        _cleanup_free_ char *logs = xasprintf("logs/%s", c->name);
        add_tree(&a->paths, uid, layer, c->used);
        add_tree(&a->paths, uid, logs, c->used);
    }
    for (size_t i = 0; i < e->n_volumes; i++) {
        int64_t used[STARVED_N] = {0};
        _cleanup_free_ char *rest = xasprintf("volumes/%s", e->volumes[i].name);
        add_tree(&a->paths, uid, rest, used);
        e->volumes[i].used = used[STARVED_DISK];
        e->shared[STARVED_DISK] += used[STARVED_DISK];
        e->shared[STARVED_INODES] += used[STARVED_INODES];
    }
    e->shared[STARVED_PIDS] = usage_count_processes(&a->cgroups, cgroup_path(group, a->name, uid, NULL));
}

/* --- a round --- */

static void round_work(void *arg)
{
    struct pressure_round *round = arg;
    const struct agent *a = round->agent;
    enum eviction_resource starved = round->starved ? eviction_resource_of(eviction_first(round->signals)) : STARVED_N;
    if (starved == STARVED_DISK || starved == STARVED_INODES)
        images_free(&a->paths, INT64_MAX);
    observe(a, round->seen);
    for (size_t i = 0; starved != STARVED_MEMORY && i < round->n; i++)
        measure(a, &round->pods[i]);
}

static void round_free(struct pressure_round *round)
{
    for (size_t i = 0; i < round->n; i++) {
        free(round->pods[i].containers);
        free(round->pods[i].volumes);
        free(round->subjects[i].attempts);
        json_decref(round->subjects[i].doc);
        pod_unref(round->subjects[i].pod);
    }
    free(round->subjects);
    free(round->pods);
    free(round);
}

static void begin_round(struct agent *a, unsigned signals);

static void on_timer(uv_timer_t *t)
{
    begin_round(t->data, 0);
}

static void set_conditions(struct pressure *p, unsigned held)
{
    if (held == p->held)
        return;
    p->held = held;
    nodestatus_changed(p->agent->nodestatus);
}

static bool evict_over_limits(struct pressure_round *round)
{
    bool any = false;
    for (size_t i = 0; i < round->n; i++) {
        const struct subject *s = round->pods[i].who;
        _cleanup_free_ char *message = s->pod->dead ? NULL : eviction_over_limit(&round->pods[i]);
        if (!message)
            continue;
        pod_evict(s->pod, GRACE_MS, message, false);
        any = true;
    }
    return any;
}

/* One a round: what it gives back is seen before the next has to go. */
static void evict_one(struct pressure *p, struct pressure_round *round)
{
    enum eviction_signal signal = eviction_first(round->signals);
    enum eviction_resource starved = eviction_resource_of(signal);
    const char *name = eviction_resource_name(starved);
    _cleanup_free_ char *text = xasprintf("Attempting to reclaim %s", name);
    nodestatus_event(p->agent, "Warning", "EvictionThresholdMet", text);
    eviction_rank(round->pods, round->n, starved);
    for (size_t i = 0; i < round->n; i++) {
        const struct subject *s = round->pods[i].who;
        if (round->pods[i].critical || s->pod->dead || s->pod->stopping)
            continue;
        _cleanup_free_ char *message = eviction_message(&round->pods[i], signal, &p->thresholds, round->seen);
        pod_evict(s->pod, GRACE_MS, message, true);
        return;
    }
    log_debug("the node is low on %s, and there is nobody to evict", name);
}

static void round_done(void *arg)
{
    struct pressure_round *round = arg;
    struct agent *a = round->agent;
    struct pressure *p = a->pressure;
    if (p) {
        round->signals = eviction_signals(&p->thresholds, round->seen);
        set_conditions(p, eviction_conditions(&p->thresholds, &p->memory, round->signals, clock_mono_ms()));
        bool settled = round->starved ? false : evict_over_limits(round);
        if (round->signals && round->starved)
            evict_one(p, round);
        if (round->signals && !round->starved && !settled)
            begin_round(a, round->signals);
        else
            uv_timer_start(p->timer, on_timer, ROUND_MS, 0);
    }
    round_free(round);
}

/* signals: what the look before this one has found; 0: this is the first. */
static void begin_round(struct agent *a, unsigned signals)
{
    struct pressure_round *round = NEW(struct pressure_round);
    round->agent = a;
    round->starved = signals != 0;
    round->signals = signals;
    see_pods(a, round);
    agent_job(a, round_work, round_done, round);
}

/* --- life --- */

struct pressure *pressure_new(struct agent *a, const struct eviction_thresholds *t)
{
    struct pressure *p = NEW(struct pressure);
    *p = (struct pressure){.agent = a, .timer = timer_make(a->loop, a), .thresholds = *t};
    uv_timer_start(p->timer, on_timer, 0, 0);
    return p;
}

void pressure_free(struct pressure *p)
{
    if (!p)
        return;
    handle_free((uv_handle_t *)p->timer);
    free(p);
}

unsigned pressure_held(const struct agent *a)
{
    return a->pressure ? a->pressure->held : 0;
}
