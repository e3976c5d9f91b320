/* See podstate.h. */
#include "control/podstate.h"

#include "base/alloc.h"
#include "base/str.h"
#include "control/meta.h"
#include "json/json.h"

static enum pod_phase phase_of(const json_t *pod)
{
    static const struct {
        const char *name;
        enum pod_phase phase;
    } phases[] = {
        {"Pending", POD_PENDING}, {"Running", POD_RUNNING}, {"Succeeded", POD_SUCCEEDED}, {"Failed", POD_FAILED}};
    const char *name = jstr_or(pod, "status.phase", "Pending");
    for (size_t i = 0; i < ARRAY_LEN(phases); i++)
        if (streq(name, phases[i].name))
            return phases[i].phase;
    return POD_UNKNOWN;
}

bool pod_json_ready(const json_t *pod)
{
    return streq(jstr_or(condition_find(pod, "Ready"), "status", ""), "True");
}

static int64_t most_restarts(const json_t *pod)
{
    int64_t most = 0;
    size_t i;
    json_t *c;
    json_array_foreach(jget(pod, "status.containerStatuses"), i, c)
        if (jint(c, "restartCount", 0) > most)
            most = jint(c, "restartCount", 0);
    return most;
}

static int64_t deletion_cost(const json_t *pod)
{
    const json_t *annotations = jget(pod, "metadata.annotations");
    const char *text = json_string_value(json_object_get(annotations, "controller.kubernetes.io/pod-deletion-cost"));
    int64_t cost = 0;
    if (text)
        str_to_i64(text, INT32_MIN, INT32_MAX, &cost);
    return cost;
}

static void collect_ports(const json_t *containers, bool restartable_only, json_t *out)
{
    size_t i, j;
    json_t *container, *port;
    json_array_foreach((json_t *)containers, i, container) {
        if (restartable_only && !streq(jstr_or(container, "restartPolicy", ""), "Always"))
            continue;
        json_array_foreach(jget(container, "ports"), j, port)
            if (jstr(port, "name"))
                json_array_append_new(out, json_pack("{s:s, s:s, s:I}", "name", jstr(port, "name"), "protocol",
                                                     jstr_or(port, "protocol", "TCP"), "containerPort",
                                                     (json_int_t)jint(port, "containerPort", 0)));
    }
}

static json_t *ips_of(const json_t *pod)
{
    json_t *ips = json_array(), *item;
    size_t i;
    json_array_foreach(jget(pod, "status.podIPs"), i, item)
        if (jstr(item, "ip"))
            json_array_append_new(ips, json_string(jstr(item, "ip")));
    if (!json_array_size(ips) && *jstr_or(pod, "status.podIP", ""))
        json_array_append_new(ips, json_string(jstr(pod, "status.podIP")));
    return ips;
}

static void *make(const struct object *o)
{
    _cleanup_json_ json_t *pod = object_json(o);
    struct pod_state *p = NEW(struct pod_state);
    p->phase = phase_of(pod);
    p->deleting = is_deleting(pod);
    p->ready = pod_json_ready(pod);
    p->ready_usec = jtime(condition_find(pod, "Ready"), "lastTransitionTime");
    p->created_usec = jtime(pod, "metadata.creationTimestamp");
    p->restarts = most_restarts(pod);
    p->cost = deletion_cost(pod);
    json_t *ports = json_array();
    collect_ports(jget(pod, "spec.containers"), false, ports);
    collect_ports(jget(pod, "spec.initContainers"), true, ports);
    json_t *labels = json_deep_copy(jget(pod, "metadata.labels"));
    p->facts = json_pack("{s:o, s:s, s:s, s:s, s:o, s:o}", "labels", labels ? labels : json_object(), "node",
                         jstr_or(pod, "spec.nodeName", ""), "hostname", jstr_or(pod, "spec.hostname", ""), "subdomain",
                         jstr_or(pod, "spec.subdomain", ""), "ips", ips_of(pod), "ports", ports);
    return p;
}

static void free_state(void *digest)
{
    struct pod_state *p = digest;
    json_decref(p->facts);
    free(p);
}

int pod_states(struct informer *pods)
{
    return informer_add_digest(pods, make, free_state);
}

bool pod_available(const struct pod_state *p, int64_t min_ready_seconds, int64_t now_usec)
{
    if (!p->ready)
        return false;
    return !min_ready_seconds || (p->ready_usec && p->ready_usec + min_ready_seconds * 1000000 <= now_usec);
}

const char *pod_node(const struct pod_state *p)
{
    return json_string_value(json_object_get(p->facts, "node"));
}
