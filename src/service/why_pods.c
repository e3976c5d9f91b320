/* The pods' part of `why`: whom the selector finds, what keeps a pod from being ready, and whether its ports are those
 * that the Service means. */
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "service/why_report.h"

#define SHOWN_MAX 5     /* pods: enough to see what is wrong */
#define MESSAGE_MAX 200 /* bytes of what others say */

/* --- whom the selector finds --- */

static bool selected(const json_t *selector, const json_t *pod)
{
    const char *key;
    json_t *value;
    const json_t *labels = jget(pod, "metadata.labels");
    json_object_foreach((json_t *)selector, key, value) {
        if (!json_equal(json_object_get(labels, key), value))
            return false;
    }
    return true;
}

static char *selector_text(const json_t *selector)
{
    struct buf b = BUF_INIT(4096);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)selector, key, value)
        buf_addf(&b, "%s%s=%s", b.len ? "," : "", key, str_or(json_string_value(value), ""));
    return buf_take(&b);
}

/* "app=nginx, app=db": the values that pods do have for the key. */
static char *values_of(const struct report *r, const char *key)
{
    struct buf b = BUF_INIT(4096);
    struct map seen = {0};
    size_t i;
    json_t *pod;
    json_array_foreach((json_t *)r->w->pods, i, pod) {
        const char *value = json_string_value(json_object_get(jget(pod, "metadata.labels"), key));
        if (!value || map_get(&seen, value))
            continue;
        map_put(&seen, value, pod);
        if (seen.len <= SHOWN_MAX)
            buf_addf(&b, "%s%s=%s", b.len ? ", " : "", key, value);
    }
    if (seen.len > SHOWN_MAX)
        buf_adds(&b, " and others");
    map_done(&seen);
    return buf_take(&b);
}

static void explain_no_match(struct report *r, const json_t *selector)
{
    const char *key;
    json_t *value;
    _cleanup_free_ char *text = selector_text(selector);
    SAY_NO(r, "selector %s matches no pod in namespace %s", text, r->w->ns);
    if (!json_array_size(r->w->pods)) {
        SAY_NOTE(r, "there are no pods in namespace %s at all", r->w->ns);
        return;
    }
    json_object_foreach((json_t *)selector, key, value) {
        _cleanup_free_ char *values = values_of(r, key);
        if (*values)
            SAY_NOTE(r, "labels of pods there: %s", values);
        else
            SAY_NOTE(r, "no pod there has a label \"%s\"", key);
    }
}

/* --- why a pod is not ready --- */

static bool is_ready(const json_t *pod)
{
    return streq(jstr_or(jfind(jget(pod, "status.conditions"), "type", "Ready"), "status", ""), "True");
}

static bool is_over(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return streq(phase, "Succeeded") || streq(phase, "Failed");
}

/* A port as it stands in a probe: number or name. */
static char *port_text(const json_t *action)
{
    const char *name = jstr(action, "port");
    return name ? xstrdup(name) : xasprintf("%d", (int)jint(action, "port", 0));
}

/* "GET /healthz on port 8080" */
static char *probe_text(const json_t *probe)
{
    const json_t *http = jget(probe, "httpGet"), *tcp = jget(probe, "tcpSocket"), *grpc = jget(probe, "grpc");
    _cleanup_free_ char *port = port_text(http ? http : tcp ? tcp : grpc);
    if (http)
        return xasprintf("GET %s on port %s", jstr_or(http, "path", "/"), port);
    if (tcp || grpc)
        return xasprintf("%s on port %s", tcp ? "a connection" : "gRPC", port);
    const char *program = json_string_value(json_array_get(jget(probe, "exec.command"), 0));
    return xasprintf("the command %s", str_or(program, ""));
}

static void add_message(struct buf *b, const char *message)
{
    if (message && *message)
        buf_addf(b, " (%.*s)", MESSAGE_MAX, message);
}

static void add_waiting(struct buf *b, const json_t *status)
{
    const json_t *last = jget(status, "lastState.terminated");
    buf_adds(b, jstr_or(status, "state.waiting.reason", ""));
    if (last)
        buf_addf(b, ": it ended with code %d, restarted %d times so far", (int)jint(last, "exitCode", 0),
                 (int)jint(status, "restartCount", 0));
    else
        add_message(b, jstr(status, "state.waiting.message"));
}

static void add_probe(struct report *r, struct buf *b, const json_t *pod, const json_t *status, const json_t *container)
{
    const json_t *startup = jbool(status, "started", true) ? NULL : jget(container, "startupProbe");
    const json_t *probe = startup ? startup : jget(container, "readinessProbe");
    if (!probe) {
        buf_adds(b, "it is starting");
        return;
    }
    _cleanup_free_ char *text = probe_text(probe);
    buf_addf(b, "its %s probe fails: %s", startup ? "startup" : "readiness", text);
    add_message(b, report_warning(r, "Pod", jstr_or(pod, "metadata.name", ""), "Unhealthy"));
}

/* The first of the containers that is in the way. */
static bool add_container(struct report *r, struct buf *b, const json_t *pod, const char *statuses, const char *specs)
{
    size_t i;
    json_t *status;
    json_array_foreach(jget(pod, statuses), i, status) {
        const json_t *ended = jget(status, "state.terminated");
        const char *name = jstr_or(status, "name", "");
        const json_t *container = jfind(jget(pod, specs), "name", name);
        bool init = !streq(specs, "spec.containers");
        if (jbool(status, "ready", false) || (init && ended && !jint(ended, "exitCode", 0)))
            continue;
        buf_addf(b, "%s%s: ", init ? "init container " : "", name);
        if (jget(status, "state.waiting"))
            add_waiting(b, status);
        else if (ended)
            buf_addf(b, "%s, code %d", jstr_or(ended, "reason", "ended"), (int)jint(ended, "exitCode", 0));
        else if (init && !streq(jstr_or(container, "restartPolicy", ""), "Always"))
            buf_adds(b, "it has not ended yet, and the others wait for it");
        else
            add_probe(r, b, pod, status, container);
        return true;
    }
    return false;
}

static bool add_gate(struct buf *b, const json_t *pod)
{
    size_t i;
    json_t *gate;
    json_array_foreach(jget(pod, "spec.readinessGates"), i, gate) {
        const char *type = jstr_or(gate, "conditionType", "");
        if (streq(jstr_or(jfind(jget(pod, "status.conditions"), "type", type), "status", ""), "True"))
            continue;
        buf_addf(b, "its readiness gate %s is not True", type);
        return true;
    }
    return false;
}

static char *reason_of(struct report *r, const json_t *pod)
{
    struct buf b = BUF_INIT(4096);
    const json_t *scheduled = jfind(jget(pod, "status.conditions"), "type", "PodScheduled");
    if (streq(jstr_or(scheduled, "status", ""), "False"))
        buf_adds(&b, jstr_or(scheduled, "message", "no node has been found for it"));
    else if (!add_container(r, &b, pod, "status.initContainerStatuses", "spec.initContainers") &&
             !add_container(r, &b, pod, "status.containerStatuses", "spec.containers") && !add_gate(&b, pod))
        buf_adds(&b, jhas(pod, "spec.nodeName") ? "its node does not say that it runs" : "it has no node yet");
    return buf_take(&b);
}

static void explain_unready(struct report *r, const json_t *pod)
{
    const char *name = jstr_or(pod, "metadata.name", "");
    if (jget(pod, "metadata.deletionTimestamp")) {
        SAY_NOTE(r, "pod %s is being deleted", name);
    } else if (is_over(pod)) {
        SAY_NOTE(r, "pod %s has ended (%s)", name, jstr_or(pod, "status.phase", ""));
    } else {
        _cleanup_free_ char *reason = reason_of(r, pod);
        SAY_NOTE(r, "pod %s is not ready: %s", name, reason);
    }
}

/* --- its ports --- */

/* Calls fn for the ports of containers and of init containers that go on running, as upstream's FindPort. */
static void each_port(const json_t *pod, void (*fn)(void *arg, const json_t *port), void *arg)
{
    static const char *const lists[] = {"spec.containers", "spec.initContainers"};
    size_t i, k;
    json_t *container, *port;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        json_array_foreach(jget(pod, lists[l]), i, container) {
            if (l && !streq(jstr_or(container, "restartPolicy", ""), "Always"))
                continue;
            json_array_foreach(jget(container, "ports"), k, port)
                fn(arg, port);
        }
    }
}

struct port_search {
    const char *name; /* NULL: by number */
    int64_t number;
    const char *protocol, *other; /* other: the protocol of one that is right but for it */
    bool found;
};

static void look_at_port(void *arg, const json_t *port)
{
    struct port_search *s = arg;
    const char *protocol = jstr_or(port, "protocol", "TCP");
    if (s->name ? !streq(jstr_or(port, "name", ""), s->name) : jint(port, "containerPort", 0) != s->number)
        return;
    if (streq(protocol, s->protocol))
        s->found = true;
    else
        s->other = protocol;
}

static void explain_target_port(struct report *r, const json_t *pod, const json_t *port)
{
    const char *pod_name = jstr_or(pod, "metadata.name", "");
    struct port_search s = {.name = jstr(port, "targetPort"),
                            .number = jint(port, "targetPort", jint(port, "port", 0)),
                            .protocol = jstr_or(port, "protocol", "TCP")};
    each_port(pod, look_at_port, &s);
    if (s.found)
        return;
    if (s.name && s.other)
        SAY_NO(r, "target port \"%s\" is %s in pod %s, and %s in the Service", s.name, s.other, pod_name, s.protocol);
    else if (s.name)
        SAY_NO(r, "target port \"%s\" is no container port's name in pod %s", s.name, pod_name);
    else if (s.other)
        SAY_NOTE(r, "port %d is %s in pod %s, and %s in the Service", (int)s.number, s.other, pod_name, s.protocol);
}

static void add_declared(void *arg, const json_t *port)
{
    struct buf *b = arg;
    buf_addf(b, "%s%d/%s", b->len ? ", " : "", (int)jint(port, "containerPort", 0), jstr_or(port, "protocol", "TCP"));
}

void explain_silence(struct report *r, const struct svc_endpoint *e)
{
    struct buf declared = BUF_INIT(4096);
    size_t i;
    json_t *pod;
    json_array_foreach((json_t *)r->w->pods, i, pod) {
        if (streq(jstr_or(pod, "metadata.name", ""), e->target_name))
            each_port(pod, add_declared, &declared);
    }
    if (declared.len)
        SAY_NOTE(r, "ports of its containers: %s; is targetPort one of them?", declared.data);
    else
        SAY_NOTE(r, "targetPort must be where the program listens, and it must not listen on 127.0.0.1 alone");
    buf_done(&declared);
}

/* --- all of it --- */

static void explain_target_ports(struct report *r, const json_t *pod)
{
    size_t i;
    json_t *port;
    json_array_foreach(jget(r->doc, "spec.ports"), i, port)
        explain_target_port(r, pod, port);
}

void explain_pods(struct report *r)
{
    size_t i, n = 0, n_ready = 0, n_shown = 0;
    json_t *pod;
    const json_t *selector = jget(r->doc, "spec.selector"), *example = NULL;
    if (!json_object_size(selector)) {
        SAY_NOTE(r, "it has no selector: its endpoints are what somebody has written");
        return;
    }
    json_array_foreach((json_t *)r->w->pods, i, pod) {
        if (!selected(selector, pod))
            continue;
        n++;
        n_ready += is_ready(pod);
        example = pod;
    }
    if (!n) {
        explain_no_match(r, selector);
        return;
    }
    _cleanup_free_ char *text = selector_text(selector);
    if (n_ready)
        SAY_OK(r, "selector %s matches %zu pod%s, %zu of them ready", text, n, n == 1 ? "" : "s", n_ready);
    else
        SAY_NO(r, "selector %s matches %zu pod%s, and none of them is ready", text, n, n == 1 ? "" : "s");
    json_array_foreach((json_t *)r->w->pods, i, pod) {
        if (selected(selector, pod) && !is_ready(pod) && n_shown++ < SHOWN_MAX)
            explain_unready(r, pod);
    }
    explain_target_ports(r, example);
}
