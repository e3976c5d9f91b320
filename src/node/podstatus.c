/* Telling the API about a pod: status patches, one at a time and only when something differs; and events. */
#define LOG_AREA "node"
#include <stdarg.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/pod.h"

#define RETRY_MS 1000

void pod_event(struct pod *p, const struct container *c, const char *type, const char *reason, const char *fmt, ...)
{
    struct buf text = BUF_INIT(1024); /* upstream's limit for an event's message */
    _cleanup_json_ json_t *doc = pod_json(p);
    _cleanup_free_ char *field = c ? xasprintf("spec.%s{%s}", container_list(&c->f), c->f.name) : NULL;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    log_debug("pod %s/%s: %s: %s", p->ns, p->name, reason, buf_str(&text));
    events_send(p->agent->events, doc, field, type, reason, "%s", buf_str(&text));
    buf_done(&text);
}

static json_t *current_status(const struct pod *p, const json_t *doc)
{
    struct plan_container *view = xcalloc(p->n + 1, sizeof(*view));
    const struct container_facts **facts = xcalloc(p->n + 1, sizeof(*facts));
    struct plan_pod seen;
    pod_plan_view(p, doc, view, &seen);
    for (size_t i = 0; i < p->n; i++)
        facts[i] = &p->containers[i]->f;
    struct status_input in = {.pod = doc,
                              .old = p->reported ? p->reported : jget(doc, "status"),
                              .phase = p->reason ? "Failed" : plan_phase(&seen),
                              .reason = p->reason,
                              .message = p->message,
                              .rejected = p->rejected,
                              .disrupted = p->disrupted,
                              .pod_ips = p->ips,
                              .host_ips = p->agent->ips,
                              .start_usec = p->start_usec,
                              .sandbox_ready = p->sandbox == SANDBOX_READY,
                              .initialized = p->initialized,
                              .containers = facts,
                              .n = p->n};
    json_t *status = status_build(&in, clock_wall_usec());
    free(view);
    free(facts);
    return status;
}

static void on_patched(void *arg, int code, const json_t *body)
{
    struct pod *p = arg;
    p->patching = false;
    if (code == 200 || code == 404 || code == 409) {
        if (code == 409)
            log_debug("pod %s/%s: status: %s", p->ns, p->name, jstr_or(body, "message", "conflict"));
        pod_kick_after(p, 0);
    } else if (!p->dead) {
        log_warn("pod %s/%s: status not written (%d %s), trying again in %d ms", p->ns, p->name, code,
                 jstr_or(body, "message", "no answer"), RETRY_MS);
        p->reported_rv = 0;
        pod_kick_after(p, RETRY_MS);
    }
    pod_unref(p);
}

/* A patch is made against the newest version we have seen. Until our own write comes back by the watch, the same
 * difference would be sent again; so a patch equal to the last one is not. */
void pod_report(struct pod *p, const json_t *doc)
{
    if (p->patching || p->gone || p->deleting || p->finished_before)
        return;
    _cleanup_json_ json_t *status = current_status(p, doc);
    _cleanup_json_ json_t *patch = status_patch(doc, status);
    if (!patch || (p->reported && json_equal(p->reported, status) && p->reported_rv == p->object->rv))
        return;
    json_decref(p->reported);
    p->reported = json_incref(status);
    p->reported_rv = p->object->rv;
    p->patching = true;
    client_patch(p->agent->client, &kind_pod, p->ns, p->name, "status", PATCH_STRATEGIC, patch, on_patched, pod_ref(p));
}
