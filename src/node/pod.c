/* See pod.h: the frame of a pod. pod_sync() looks, asks plan.h what is next, and has it done; everything that happens
 * to a pod ends in pod_kick(). */
#define LOG_AREA "node"
#include "node/pod.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/ip.h"
#include "base/str.h"
#include "node/admit.h"
#include "node/agent_impl.h"
#include "node/files.h"
#include "node/probes.h"
#include "node/volumes.h"

#define FORCED_GRACE_MS 1000 /* a pod that the API has forgotten already */

/* --- containers --- */

static enum restart_policy restart_policy_of(const json_t *doc)
{
    const char *policy = jstr_or(doc, "spec.restartPolicy", "Always");
    return streq(policy, "Never") ? RESTART_NEVER : streq(policy, "OnFailure") ? RESTART_ON_FAILURE : RESTART_ALWAYS;
}

static struct container *container_new(struct pod *p, const json_t *spec, const char *list)
{
    struct container *c = NEW(struct container);
    c->pod = p;
    c->pidfd = -1;
    c->f.name = xstrdup(jstr_or(spec, "name", ""));
    c->f.init = streq(list, "initContainers");
    c->f.ephemeral = streq(list, "ephemeralContainers");
    c->f.sidecar = c->f.init && streq(jstr_or(spec, "restartPolicy", ""), "Always");
    return c;
}

static void container_free(struct container *c)
{
    probes_stop(c->probes);
    container_post_start_cancel(c);
    if (c->pidfd >= 0)
        close(c->pidfd);
    container_facts_done(&c->f);
    free(c);
}

struct container *pod_container(struct pod *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (streq(p->containers[i]->f.name, name))
            return p->containers[i];
    return NULL;
}

/* Takes in those that are new: all of them when the pod is, ephemeral ones later on. */
static void add_containers(struct pod *p, const json_t *doc, const char *list)
{
    size_t i;
    json_t *spec;
    json_array_foreach(json_object_get(jget(doc, "spec"), list), i, spec) {
        if (pod_container(p, jstr_or(spec, "name", "")))
            continue;
        p->containers = xrealloc(p->containers, (p->n + 1) * sizeof(*p->containers));
        p->containers[p->n++] = container_new(p, spec, list);
    }
}

struct container *pod_container_by_cid(struct pod *p, const char *cid)
{
    for (size_t i = 0; i < p->n; i++)
        if (streq(p->containers[i]->f.cid, cid))
            return p->containers[i];
    return NULL;
}

/* --- life of the struct --- */

/* A pod that is new here may not be welcome. */
static void admit(struct pod *p, const json_t *doc)
{
    const struct agent *a = p->agent;
    const struct admit_node node = {
        .pressures = pressure_held(a), .shutting_down = a->shutdown != NULL, .apparmor = a->apparmor};
    struct refusal why;
    if (admit_pod(doc, &node, &why))
        return;
    _cleanup_free_ char *message = xasprintf("Pod was rejected: %s", why.message);
    p->rejected = true;
    pod_event(p, NULL, "Warning", why.reason, "%s", why.message);
    pod_end(p, 0, why.reason, message);
    free(why.message);
}

static void pod_sync(struct pod *p);

static void on_timer(uv_timer_t *t)
{
    pod_sync(t->data);
}

struct pod *pod_new(struct agent *a, struct object *o)
{
    struct pod *p = NEW(struct pod);
    _cleanup_json_ json_t *doc = object_json(o);
    const char *phase = jstr_or(doc, "status.phase", "");
    p->agent = a;
    p->refcount = 1;
    p->uid = xstrdup(o->uid);
    p->ns = xstrdup(o->ns);
    p->name = xstrdup(o->name);
    p->object = object_ref(o);
    p->hostname = files_hostname(doc, a->name);
    p->refs = json_object();
    p->finished_before = streq(phase, "Succeeded") || streq(phase, "Failed");
    p->stopping = p->finished_before;
    p->timer = timer_make(a->loop, p);
    if (!time_parse(jstr_or(doc, "status.startTime", ""), &p->start_usec))
        p->start_usec = clock_wall_usec();
    add_containers(p, doc, "initContainers");
    add_containers(p, doc, "containers");
    add_containers(p, doc, "ephemeralContainers");
    p->disk_limited = pod_has_disk_limits(doc);
    if (!pod_recall(p, doc) && !p->finished_before && !jstr(doc, "metadata.deletionTimestamp"))
        admit(p, doc);
    pod_set_object(p, o);
    return p;
}

struct pod *pod_ref(struct pod *p)
{
    p->refcount++;
    return p;
}

void pod_unref(struct pod *p)
{
    if (--p->refcount > 0)
        return;
    for (size_t i = 0; i < p->n; i++)
        container_free(p->containers[i]);
    free(p->containers);
    free(p->uid);
    free(p->ns);
    free(p->name);
    free(p->ips);
    free(p->hostname);
    free(p->reason);
    free(p->message);
    json_decref(p->refs);
    json_decref(p->reported);
    object_unref(p->object);
    free(p);
}

void pod_free(struct pod *p)
{
    p->dead = true;
    handle_free((uv_handle_t *)p->timer);
    p->timer = NULL;
    pod_unwatch_refs(p);
    for (size_t i = 0; i < p->n; i++) {
        probes_stop(p->containers[i]->probes);
        p->containers[i]->probes = NULL;
        container_post_start_cancel(p->containers[i]);
    }
    pod_unref(p);
}

json_t *pod_json(const struct pod *p)
{
    return object_json(p->object);
}

bool pod_host_network(const json_t *doc)
{
    return jbool(doc, "spec.hostNetwork", false);
}

struct pod_facts pod_facts_of(const struct pod *p)
{
    const struct agent *a = p->agent;
    return (struct pod_facts){.pod_ips = p->ips,
                              .host_ips = a->ips,
                              .node_name = a->name,
                              .node_milli_cpu = a->milli_cpu,
                              .node_memory_bytes = a->memory_bytes,
                              .node_storage_bytes = a->storage_bytes};
}

void pod_kick_after(struct pod *p, int64_t ms)
{
    if (p->dead)
        return;
    uint64_t due = uv_is_active((uv_handle_t *)p->timer) ? uv_timer_get_due_in(p->timer) : UINT64_MAX;
    if ((uint64_t)ms < due)
        uv_timer_start(p->timer, on_timer, (uint64_t)ms, 0);
}

void pod_kick(struct pod *p)
{
    pod_kick_after(p, 0);
}

void pod_end(struct pod *p, int64_t grace_ms, const char *reason, const char *message)
{
    p->stopping = true;
    p->stop_grace_ms = grace_ms;
    replace_str(&p->reason, reason);
    replace_str(&p->message, message);
    pod_kick(p);
}

void pod_evict(struct pod *p, int64_t grace_ms, const char *message, bool disruption)
{
    p->disrupted = disruption;
    pod_event(p, NULL, "Warning", "Evicted", "%s", message);
    pod_end(p, grace_ms, "Evicted", message);
}

/* Volumes of the downward API show labels and annotations. */
static bool same_downward(const json_t *a, const json_t *b)
{
    static const char *const maps[] = {"metadata.labels", "metadata.annotations"};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        const json_t *one = jget(a, maps[i]), *other = jget(b, maps[i]);
        if (one != other && !json_equal(one, other))
            return false;
    }
    return true;
}

void pod_set_object(struct pod *p, struct object *o)
{
    if (!o) {
        p->gone = true;
        p->stop_grace_ms = p->stopping ? p->stop_grace_ms : FORCED_GRACE_MS;
        p->stopping = true;
        pod_kick(p);
        return;
    }
    _cleanup_json_ json_t *doc = object_json(o), *old = pod_json(p);
    bool shown = p->sandbox == SANDBOX_READY && volumes_follow(doc);
    p->volumes_stale = p->volumes_stale || (shown && !same_downward(doc, old));
    object_ref(o);
    object_unref(p->object);
    p->object = o;
    add_containers(p, doc, "ephemeralContainers");
    if (jstr(doc, "metadata.deletionTimestamp")) {
        p->stopping = true;
        p->stop_grace_ms = 1000 * jint(doc, "metadata.deletionGracePeriodSeconds", 30);
    }
    pod_kick(p);
}

/* --- the next step --- */

void pod_plan_view(const struct pod *p, const json_t *doc, struct plan_container *out, struct plan_pod *ret)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct container *c = p->containers[i];
        out[i] = (struct plan_container){.state = c->f.state,
                                         .init = c->f.init,
                                         .sidecar = c->f.sidecar,
                                         .ephemeral = c->f.ephemeral,
                                         .started = c->f.started,
                                         .in_post_start = c->f.in_post_start,
                                         .exit_code = c->f.now.exit_code,
                                         .not_before_ms = c->pulling ? INT64_MAX : c->not_before_ms};
    }
    *ret = (struct plan_pod){.policy = restart_policy_of(doc),
                             .has_sandbox = p->sandbox == SANDBOX_READY || p->sandbox == SANDBOX_LOST,
                             .lost = p->sandbox == SANDBOX_LOST,
                             .stopping = p->stopping,
                             .initialized = p->initialized,
                             .containers = out,
                             .n = p->n};
}

/* spec.activeDeadlineSeconds */
static void check_deadline(struct pod *p, const json_t *doc)
{
    int64_t seconds = jint(doc, "spec.activeDeadlineSeconds", 0);
    if (seconds <= 0 || p->stopping)
        return;
    int64_t left_ms = (p->start_usec + seconds * 1000000 - clock_wall_usec()) / 1000;
    if (left_ms > 0) {
        pod_kick_after(p, left_ms);
        return;
    }
    static const char message[] = "Pod was active on the node longer than the specified deadline";
    pod_event(p, NULL, "Normal", "DeadlineExceeded", "%s", message);
    pod_end(p, 1000 * jint(doc, "spec.terminationGracePeriodSeconds", 30), "DeadlineExceeded", message);
}

static void on_deleted(void *arg, int code, const json_t *body)
{
    struct pod *p = arg;
    (void)body;
    if (code == 0 || code >= 500)
        p->deleting = false; /* the next sweep tries again */
    pod_unref(p);
}

/* The pod's node has nothing of it any more: the API may forget it. */
static void delete_in_api(struct pod *p)
{
    if (p->deleting || p->patching || p->gone)
        return;
    p->deleting = true;
    _cleanup_json_ json_t *options = json_pack("{ss, ss, si, s{ss}}", "kind", "DeleteOptions", "apiVersion", "v1",
                                               "gracePeriodSeconds", 0, "preconditions", "uid", p->uid);
    client_delete(p->agent->client, &kind_pod, p->ns, p->name, options, on_deleted, pod_ref(p));
}

/* Whatever ran has ended and the sandbox is away. True: the pod itself is gone now. */
static bool pod_finish(struct pod *p, const json_t *doc)
{
    bool deleted = p->gone || jstr(doc, "metadata.deletionTimestamp");
    if (!deleted)
        return false;
    if (!p->wiped) {
        pod_remove_sandbox(p, doc);
    } else if (!p->gone) {
        delete_in_api(p);
    } else {
        map_del(&p->agent->pods, p->uid);
        pod_free(p);
        return true;
    }
    return false;
}

static void stop_running(struct pod *p, const json_t *doc, bool sidecars)
{
    for (size_t i = 0; i < p->n; i++) {
        struct container *c = p->containers[i];
        if (c->f.state == CONTAINER_RUNNING && c->f.sidecar == sidecars)
            container_stop(c, doc, p->stop_grace_ms, NULL);
    }
}

static void step_stops(struct pod *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct container *c = p->containers[i];
        int64_t wake = c->stop != STOP_NOT ? container_stop_step(c) : 0;
        if (wake > 0)
            pod_kick_after(p, wake);
    }
}

/* True: the pod is gone. */
static bool take_step(struct pod *p, const json_t *doc, const struct plan *plan)
{
    struct container *c = plan->index < p->n ? p->containers[plan->index] : NULL;
    int64_t now = clock_mono_ms();
    switch (plan->step) {
    case PLAN_MAKE_SANDBOX:
        if (p->sandbox_not_before_ms > now)
            pod_kick_after(p, p->sandbox_not_before_ms - now);
        else if (pod_has_refs(p, doc) && p->sandbox == SANDBOX_NONE)
            pod_make_sandbox(p, doc);
        break;
    case PLAN_START:
        if (c->f.state == CONTAINER_EXITED)
            pod_check_sandbox(p); /* its end may have been that of what holds them all */
        if (p->sandbox == SANDBOX_READY && pod_has_refs(p, doc) && pod_is_guarded(p, doc))
            pod_start_container(p, doc, c);
        break;
    case PLAN_STOP:
        if (pod_has_left(p, doc))
            stop_running(p, doc, false);
        break;
    case PLAN_STOP_SIDECAR:
        if (pod_has_left(p, doc))
            container_stop(c, doc, p->stop_grace_ms, NULL);
        break;
    case PLAN_REMOVE_SANDBOX:
        pod_remove_sandbox(p, doc);
        break;
    case PLAN_DONE:
        return pod_finish(p, doc);
    case PLAN_WAIT:
        if (plan->wake_ms > now && plan->wake_ms < INT64_MAX)
            pod_kick_after(p, plan->wake_ms - now);
        break;
    case PLAN_STEP_N:
        break;
    }
    return false;
}

static void pod_sync(struct pod *p)
{
    _cleanup_json_ json_t *doc = pod_json(p);
    struct plan_container *view = xcalloc(p->n + 1, sizeof(*view));
    struct plan_pod seen;
    check_deadline(p, doc);
    pod_check_pulls(p, doc);
    if (!p->job) {
        pod_plan_view(p, doc, view, &seen);
        struct plan plan = plan_next(&seen, clock_mono_ms());
        if (take_step(p, doc, &plan)) {
            free(view);
            return;
        }
    }
    free(view);
    step_stops(p);
    if (!p->job && p->volumes_stale && p->refs_state == REFS_KNOWN) {
        p->volumes_stale = false;
        pod_refresh_volumes(p, doc);
    } else if (!p->job) {
        pod_follow_refs(p, doc);
    }
    pod_report(p, doc);
}
