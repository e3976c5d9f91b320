/* See status.h. */
#include "node/status.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/str.h"
#include "node/spec.h"

#define NAMES_MAX 4096 /* text of container names in a condition's message */

void replace_str(char **member, const char *text)
{
    char *copy = xstrdup_or_null(text);
    free(*member);
    *member = copy;
}

void termination_done(struct termination *t)
{
    free(t->reason);
    free(t->message);
    *t = (struct termination){0};
}

void container_facts_done(struct container_facts *c)
{
    free(c->name);
    free(c->waiting_reason);
    free(c->waiting_message);
    free(c->image);
    free(c->image_id);
    termination_done(&c->now);
    termination_done(&c->last);
}

/* --- containers --- */

const char *container_list(const struct container_facts *c)
{
    return c->init ? "initContainers" : c->ephemeral ? "ephemeralContainers" : "containers";
}

const char *container_status_list(const struct container_facts *c)
{
    return c->init ? "initContainerStatuses" : c->ephemeral ? "ephemeralContainerStatuses" : "containerStatuses";
}

static json_t *time_value(int64_t usec)
{
    char text[TIME_TEXT_SIZE];
    return usec ? json_string(time_format(usec, text)) : json_null();
}

static json_t *container_id(const char *cid)
{
    _cleanup_free_ char *id = xasprintf(CONTAINER_ID_SCHEME "%s", cid);
    return json_string(id);
}

static json_t *terminated(const struct termination *t)
{
    json_t *inner = json_pack("{si, ss, so, so}", "exitCode", t->exit_code, "reason", str_or(t->reason, "Error"),
                              "startedAt", time_value(t->started_usec), "finishedAt", time_value(t->finished_usec));
    if (t->message && *t->message)
        json_object_set_new(inner, "message", json_string(t->message));
    if (t->cid[0])
        json_object_set_new(inner, "containerID", container_id(t->cid));
    return json_pack("{so}", "terminated", inner);
}

static json_t *waiting(const char *reason, const char *message)
{
    json_t *inner = json_pack("{ss}", "reason", reason);
    if (message && *message)
        json_object_set_new(inner, "message", json_string(message));
    return json_pack("{so}", "waiting", inner);
}

/* Of a pod that was ended nobody knows what this container would have come to. */
static json_t *never_found(void)
{
    return json_pack("{s{si, ss, ss, sn, sn}}", "terminated", "exitCode", 137, "reason", "ContainerStatusUnknown",
                     "message", "The container could not be located when the pod was terminated", "startedAt",
                     "finishedAt");
}

static json_t *state_of(const struct status_input *in, const struct container_facts *c)
{
    bool behind_init = !c->init && !c->ephemeral && !in->initialized && in->n > 0 && in->containers[0]->init;
    if (c->state == CONTAINER_RUNNING && !c->in_post_start)
        return json_pack("{s{so}}", "running", "startedAt", time_value(c->started_usec));
    if (c->state == CONTAINER_EXITED && (!c->backing_off || in->reason))
        return terminated(&c->now);
    if (in->reason)
        return never_found();
    return waiting(c->waiting_reason ? c->waiting_reason
                   : behind_init     ? "PodInitializing"
                                     : "ContainerCreating",
                   c->waiting_message);
}

static bool is_ready(const struct container_facts *c)
{
    if (c->init && !c->sidecar)
        return c->state == CONTAINER_EXITED && c->now.exit_code == 0;
    return c->state == CONTAINER_RUNNING && c->ready && !c->ephemeral;
}

static json_t *container_status(const struct status_input *in, const struct container_facts *c)
{
    const struct termination *last = c->backing_off ? &c->now : &c->last;
    const char *asked =
        jstr_or(jfind(json_object_get(jget(in->pod, "spec"), container_list(c)), "name", c->name), "image", "");
    json_t *s = json_pack("{ss, so, so, sb, si, ss, ss}", "name", c->name, "state", state_of(in, c), "lastState",
                          last->set ? terminated(last) : json_object(), "ready", is_ready(c), "restartCount",
                          c->restart_count, "image", str_or(c->image, asked), "imageID", str_or(c->image_id, ""));
    if (!c->ephemeral)
        json_object_set_new(s, "started", json_boolean(c->state == CONTAINER_RUNNING && c->started));
    if (c->cid[0])
        json_object_set_new(s, "containerID", container_id(c->cid));
    return s;
}

/* By name, as upstream's kubelet sorts them; init containers stay as their spec has them. */
static size_t place_in(const json_t *list, const struct container_facts *c)
{
    size_t at = json_array_size(list);
    while (at && !c->init && strcmp(jstr(json_array_get(list, at - 1), "name"), c->name) > 0)
        at--;
    return at;
}

static void add_container_statuses(json_t *status, const struct status_input *in)
{
    json_object_set_new(status, "containerStatuses", json_array());
    for (size_t i = 0; i < in->n; i++) {
        const char *name = container_status_list(in->containers[i]);
        if (!json_object_get(status, name))
            json_object_set_new(status, name, json_array());
        json_t *list = json_object_get(status, name);
        json_array_insert_new(list, place_in(list, in->containers[i]), container_status(in, in->containers[i]));
    }
}

/* --- conditions --- */

static bool is_done(const char *phase)
{
    return streq(phase, "Succeeded") || streq(phase, "Failed");
}

static void add_condition(json_t *list, const struct status_input *in, const char *type, bool value, const char *reason,
                          const char *message, int64_t now_usec)
{
    const char *status = value ? "True" : "False";
    const json_t *old = jfind(jget(in->old, "conditions"), "type", type);
    bool same = streq(jstr_or(old, "status", ""), status) && jstr(old, "lastTransitionTime");
    json_t *c = json_pack("{ss, ss, sn}", "type", type, "status", status, "lastProbeTime");
    json_object_set_new(c, "lastTransitionTime",
                        same ? json_string(jstr(old, "lastTransitionTime")) : time_value(now_usec));
    if (!value && reason)
        json_object_set_new(c, "reason", json_string(reason));
    if (!value && message && *message)
        json_object_set_new(c, "message", json_string(message));
    json_array_append_new(list, c);
}

static void add_disruption(json_t *list, const struct status_input *in, int64_t now_usec)
{
    add_condition(list, in, "DisruptionTarget", true, NULL, NULL, now_usec);
    json_t *c = json_array_get(list, json_array_size(list) - 1);
    jset_str(c, "reason", "TerminationByKubelet");
    jset_str(c, "message", in->message);
}

/* "containers with unready status: [a b]" of the containers that are not `ready`. NULL: none. The caller frees. */
static char *name_unready(const struct status_input *in, const char *what)
{
    struct buf names = BUF_INIT(NAMES_MAX);
    for (size_t i = 0; i < in->n; i++)
        if ((!in->containers[i]->init || in->containers[i]->sidecar) && !in->containers[i]->ephemeral &&
            !is_ready(in->containers[i]))
            buf_addf(&names, "%s%s", names.len ? " " : "", in->containers[i]->name);
    char *text = names.len ? xasprintf("%s: [%s]", what, buf_str(&names)) : NULL;
    buf_done(&names);
    return text;
}

static char *name_uninitialized(const struct status_input *in)
{
    struct buf names = BUF_INIT(NAMES_MAX);
    for (size_t i = 0; i < in->n; i++) {
        const struct container_facts *c = in->containers[i];
        bool done = c->sidecar ? c->state == CONTAINER_RUNNING && c->started
                               : c->state == CONTAINER_EXITED && c->now.exit_code == 0;
        if (c->init && !done)
            buf_addf(&names, "%s%s", names.len ? " " : "", c->name);
    }
    char *text = names.len ? xasprintf("containers with incomplete status: [%s]", buf_str(&names)) : NULL;
    buf_done(&names);
    return text;
}

/* The first readiness gate that is not met; NULL: none. */
static const char *unmet_gate(const json_t *pod)
{
    size_t i;
    json_t *gate;
    json_array_foreach(jget(pod, "spec.readinessGates"), i, gate) {
        const char *type = jstr_or(gate, "conditionType", "");
        if (!streq(jstr_or(jfind(jget(pod, "status.conditions"), "type", type), "status", ""), "True"))
            return type;
    }
    return NULL;
}

static json_t *build_conditions(const struct status_input *in, int64_t now_usec)
{
    json_t *list = json_array();
    bool done = is_done(in->phase), succeeded = streq(in->phase, "Succeeded");
    _cleanup_free_ char *unready = name_unready(in, "containers with unready status");
    _cleanup_free_ char *uninitialized = in->initialized ? NULL : name_uninitialized(in);
    const char *gate = unmet_gate(in->pod);
    const char *done_reason = succeeded ? "PodCompleted" : "PodFailed";
    const char *why = done ? done_reason : unready ? "ContainersNotReady" : "ReadinessGatesNotReady";
    _cleanup_free_ char *gate_message =
        gate ? xasprintf("corresponding condition of pod readiness gate \"%s\" does not exist.", gate) : NULL;
    const char *containers_message = done ? NULL : unready;

    add_condition(list, in, "PodReadyToStartContainers", in->sandbox_ready, NULL, NULL, now_usec);
    if (succeeded && !in->initialized)
        add_condition(list, in, "Initialized", true, NULL, NULL, now_usec);
    else
        add_condition(list, in, "Initialized", !uninitialized, "ContainersNotInitialized", uninitialized, now_usec);
    add_condition(list, in, "Ready", !done && !unready && !gate, why,
                  containers_message ? containers_message
                  : done             ? NULL
                                     : gate_message,
                  now_usec);
    add_condition(list, in, "ContainersReady", !done && !unready, done ? done_reason : "ContainersNotReady",
                  containers_message, now_usec);
    add_condition(list, in, "PodScheduled", true, NULL, NULL, now_usec);
    if (in->disrupted)
        add_disruption(list, in, now_usec);
    return list;
}

/* --- the whole --- */

/* "podIP" and "podIPs", or those of the host. */
static void set_addresses(json_t *s, const char *one, const char *all, const char *ips)
{
    json_t *list = json_array();
    char ip[IP_TEXT_SIZE];
    while (ips_next(&ips, ip))
        json_array_append_new(list, json_pack("{ss}", "ip", ip));
    json_object_set_new(s, one, json_incref(json_object_get(json_array_get(list, 0), "ip")));
    json_object_set_new(s, all, list);
}

json_t *status_build(const struct status_input *in, int64_t now_usec)
{
    json_t *s = json_pack("{ss, so, ss}", "phase", in->phase, "startTime", time_value(in->start_usec), "qosClass",
                          jstr_or(in->pod, "status.qosClass", spec_qos_class(in->pod)));
    if (in->reason)
        json_object_set_new(s, "reason", json_string(in->reason));
    if (in->message)
        json_object_set_new(s, "message", json_string(in->message));
    if (in->rejected)
        return s;
    json_object_set_new(s, "conditions", build_conditions(in, now_usec));
    if (in->host_ips)
        set_addresses(s, "hostIP", "hostIPs", in->host_ips);
    if (in->pod_ips && *in->pod_ips)
        set_addresses(s, "podIP", "podIPs", in->pod_ips);
    add_container_statuses(s, in);
    return s;
}

/* Conditions merge by type, so those of others do not count as a difference. */
static bool conditions_differ(const json_t *old, const json_t *wanted)
{
    size_t i;
    json_t *c;
    json_array_foreach((json_t *)wanted, i, c) {
        const json_t *there = jfind(old, "type", jstr_or(c, "type", ""));
        if (!there || !streq(jstr_or(there, "status", ""), jstr_or(c, "status", "")) ||
            !streq_or_null(jstr(there, "reason"), jstr(c, "reason")) ||
            !streq_or_null(jstr(there, "message"), jstr(c, "message")))
            return true;
    }
    return false;
}

/* Merging keeps what is not named: a reason that is over must be taken back. */
static json_t *conditions_to_send(const json_t *old, const json_t *wanted)
{
    static const char *const texts[] = {"reason", "message"};
    json_t *list = json_deep_copy(wanted), *c;
    size_t i;
    json_array_foreach(list, i, c) {
        const json_t *there = jfind(old, "type", jstr_or(c, "type", ""));
        for (size_t t = 0; t < ARRAY_LEN(texts); t++)
            if (jget(there, texts[t]) && !jget(c, texts[t]))
                json_object_set_new(c, texts[t], json_null());
    }
    return list;
}

json_t *status_patch(const json_t *pod, const json_t *status)
{
    const json_t *old = jget(pod, "status");
    json_t *changed = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)status, key, value) {
        const json_t *before = json_object_get(old, key);
        if (streq(key, "conditions") && conditions_differ(before, value))
            json_object_set_new(changed, key, conditions_to_send(before, value));
        else if (!streq(key, "conditions") && (!before || !json_equal(before, value)))
            json_object_set(changed, key, value);
    }
    static const char *const vanishing[] = {"reason", "message"};
    for (size_t i = 0; i < ARRAY_LEN(vanishing); i++)
        if (!json_object_get(status, vanishing[i]) && jget(old, vanishing[i]))
            json_object_set_new(changed, vanishing[i], json_null());
    if (json_object_size(changed) == 0) {
        json_decref(changed);
        return NULL;
    }
    return json_pack("{s{ss}, so}", "metadata", "uid", jstr_or(pod, "metadata.uid", ""), "status", changed);
}
