/* Lifecycle hooks. While postStart runs, the container is not shown as running, nothing after it is started, and it is
 * not probed; when it fails, the container is killed (upstream: kuberuntime_container.go startContainer). preStop comes
 * before the signal that asks, inside the grace period (killContainer). What hooks say is not told, as it may be
 * secret. */
#define LOG_AREA "node"
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "node/action.h"
#include "node/agent_impl.h"
#include "node/pod.h"
#include "node/probes.h"

#define AFTER_HOOK_MS 2000 /* at least this is left for the program when its preStop hook took all the grace */

/* --- postStart --- */

static void after_start(struct container *c, const json_t *doc)
{
    c->probes = probes_start(c, find_container(doc, c->f.name));
    pod_kick(c->pod);
}

static void post_start_finished(void *arg, bool ok, const char *message)
{
    struct container *c = arg;
    struct pod *p = c->pod;
    _cleanup_json_ json_t *doc = pod_json(p);
    c->post_start = NULL;
    c->f.in_post_start = false;
    if (ok) {
        after_start(c, doc);
        return;
    }
    log_debug("postStart of container %s of %s/%s: %s", c->f.name, p->ns, p->name, message);
    pod_event(p, c, "Warning", "FailedPostStartHook", "PostStartHook failed");
    container_stop(c, doc, 1000 * jint(doc, "spec.terminationGracePeriodSeconds", 30), "FailedPostStartHook");
    pod_kick(p);
}

void container_post_start(struct container *c, const json_t *doc)
{
    const json_t *handler = jget(find_container(doc, c->f.name), "lifecycle.postStart");
    if (!handler) {
        after_start(c, doc);
        return;
    }
    c->f.in_post_start = true;
    c->post_start = action_run(c, handler, INT32_MAX, post_start_finished, c);
}

void container_post_start_cancel(struct container *c)
{
    action_cancel(c->post_start);
    c->post_start = NULL;
    c->f.in_post_start = false;
}

/* --- preStop --- */

struct hook {
    struct pod *pod;
    struct container *container;
    char cid[CID_SIZE];
};

static void pre_stop_finished(void *arg, bool ok, const char *message)
{
    struct hook *h = arg;
    struct container *c = h->container;
    struct pod *p = h->pod;
    if (!p->dead && streq(c->f.cid, h->cid) && c->stop == STOP_HOOK) {
        if (!ok) {
            log_debug("preStop of container %s of %s/%s: %s", c->f.name, p->ns, p->name, message);
            pod_event(p, c, "Warning", "FailedPreStopHook", "PreStopHook failed");
        }
        int64_t least = clock_mono_ms() + AFTER_HOOK_MS;
        c->stop_deadline_ms = c->stop_deadline_ms > least ? c->stop_deadline_ms : least;
        container_ask_to_end(c);
        pod_kick(p);
    }
    pod_unref(p);
    free(h);
}

bool container_pre_stop(struct container *c, const json_t *doc)
{
    const json_t *handler = jget(find_container(doc, c->f.name), "lifecycle.preStop");
    int64_t left = c->stop_deadline_ms - clock_mono_ms();
    if (!handler || left <= 0)
        return false;
    struct hook *h = NEW(struct hook);
    *h = (struct hook){.pod = pod_ref(c->pod), .container = c};
    memcpy(h->cid, c->f.cid, sizeof(h->cid));
    c->stop = STOP_HOOK;
    action_run(c, handler, (int)(left < INT32_MAX ? left : INT32_MAX), pre_stop_finished, h);
    return true;
}
