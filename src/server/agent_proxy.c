/* pods/log, exec, attach and portforward: passed on to the agent of the pod's node, which serves them like a kubelet.
 * Answers are streamed through as they come; upgraded connections (SPDY, WebSocket) are joined byte for byte and never
 * understood here. Rules: pkg/registry/core/pod/strategy.go (LogLocation, streamLocation), pkg/kubelet/server/server.go
 * (the paths). */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "http/http.h"
#include "server/agents.h"
#include "server/relay.h"

#define KUBELET_PORT 10250
/* An agent is a process next door or a LAN away. */
#define AGENT_HEAD_MS 30000
/* How much of a followed log may wait for a slow reader before the agent's answer is paused. */
#define PENDING_MAX (256 << 10)

/* How much of an agent's error goes into a Status. */
#define ERROR_TEXT_MAX (10 << 10)

#define DEFAULT_CONTAINER_ANNOTATION "kubectl.kubernetes.io/default-container"

/* --- which container --- */

static bool has_container(const json_t *pod, const char *name)
{
    static const char *const lists[] = {"spec.containers", "spec.initContainers", "spec.ephemeralContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (jfind(jget(pod, lists[i]), "name", name))
            return true;
    return false;
}

static void add_names(struct buf *out, const json_t *containers)
{
    size_t i;
    const json_t *c;
    json_array_foreach(containers, i, c)
        buf_addf(out, "%s%s", i ? " " : "", jstr_or(c, "name", ""));
}

static json_t *must_choose(const json_t *pod, const char *name)
{
    struct buf choices = BUF_INIT(0);
    const json_t *init = jget(pod, "spec.initContainers");
    buf_adds(&choices, "[");
    add_names(&choices, jget(pod, "spec.containers"));
    buf_adds(&choices, "]");
    if (json_array_size(init)) {
        buf_adds(&choices, " or one of the init containers: [");
        add_names(&choices, init);
        buf_adds(&choices, "]");
    }
    json_t *status = status_new(STATUS_BAD_REQUEST, "a container name must be specified for pod %s, choose one of: %s",
                                name, buf_str(&choices));
    buf_done(&choices);
    return status;
}

/* *ret is the container's name, to be freed. */
static json_t *choose_container(const struct request *r, const json_t *pod, char **ret)
{
    _cleanup_free_ char *asked = query_get(r->query, "container", 0);
    const json_t *containers = jget(pod, "spec.containers");
    const char *name = asked && *asked ? asked : NULL;
    const char *marked =
        json_string_value(json_object_get(jget(pod, "metadata.annotations"), DEFAULT_CONTAINER_ANNOTATION));
    if (!name && json_array_size(containers) == 1)
        name = jstr(json_array_get(containers, 0), "name");
    if (!name && marked && has_container(pod, marked))
        name = marked;
    if (!name)
        return must_choose(pod, r->what.name);
    if (!has_container(pod, name))
        return status_new(STATUS_BAD_REQUEST, "container %s is not valid for pod %s", name, r->what.name);
    *ret = xstrdup(name);
    return NULL;
}

/* --- which agent --- */

json_t *agent_of_node(const struct server *s, const char *node, struct agent *ret)
{
    const struct object *o = store_get(s->store, &kind_node, "", node);
    if (!o)
        return not_found_status(&kind_node, node);
    _cleanup_json_ json_t *doc = object_json(o);
    const char *ip = jstr(jfind(jget(doc, "status.addresses"), "type", "InternalIP"), "address");
    if (!ip)
        return status_new(STATUS_INTERNAL,
                          "Internal error occurred: no preferred addresses found; known addresses: []");
    snprintf(ret->ip, sizeof(ret->ip), "%s", ip);
    ret->port = (int)jint(doc, "status.daemonEndpoints.kubeletEndpoint.Port", KUBELET_PORT);
    return NULL;
}

static json_t *find_agent(const struct request *r, const json_t *pod, struct agent *ret)
{
    const char *node = jstr_or(pod, "spec.nodeName", "");
    if (!*node)
        return status_new(STATUS_BAD_REQUEST, "pod %s does not have a host assigned", r->what.name);
    return agent_of_node(r->server, node, ret);
}

/* --- passing on --- */

struct passage {
    struct request *r;              /* until the answer begins: it can still be an error */
    struct http_exchange *exchange; /* from then on; NULL: gone */
    struct http_call *call;
    bool upgrades; /* exec and its like: errors are passed on as they are */
    bool streaming, paused;
    int refused;           /* the agent's code when it is an error that becomes a Status */
    struct buf error_text; /* and what it says */
    char *method, *target;
    struct agent agent;
};

static void free_passage(struct passage *p)
{
    buf_done(&p->error_text);
    free(p->method);
    free(p->target);
    free(p);
}

static void on_gone(void *arg)
{
    struct passage *p = arg;
    http_call_cancel(p->call);
    free_passage(p);
}

static void on_drained(void *arg)
{
    struct passage *p = arg;
    if (p->paused)
        http_call_pause(p->call, false);
    p->paused = false;
}

static void on_head(void *arg, int code, const struct http_header *headers)
{
    struct passage *p = arg;
    if (!p->upgrades && (code < 200 || code >= 300)) {
        p->refused = code;
        buf_init(&p->error_text, ERROR_TEXT_MAX);
        return;
    }
    p->streaming = true;
    http_stream_start(p->exchange, code, str_or(http_header_find(headers, "Content-Type"), "text/plain"));
}

static void on_data(void *arg, const void *bytes, size_t len)
{
    struct passage *p = arg;
    if (p->refused) {
        buf_add(&p->error_text, bytes, len);
        return;
    }
    http_stream_write(p->exchange, bytes, len);
    if (!p->paused && http_stream_pending(p->exchange) > PENDING_MAX) {
        p->paused = true;
        http_call_pause(p->call, true);
    }
}

static void on_upgraded(void *arg, const struct http_header *headers, struct duplex *agent)
{
    struct passage *p = arg;
    _cleanup_free_ struct http_header *passed = relay_headers(headers, true);
    struct duplex *client = http_upgrade(p->exchange, passed);
    duplex_splice(client, agent);
    free_passage(p);
}

static void reply_error(struct passage *p, const struct err *err)
{
    _cleanup_json_ json_t *status =
        p->refused == 400 ? status_new(STATUS_BAD_REQUEST, "%s", buf_str(&p->error_text))
        : p->refused      ? status_new(STATUS_INTERNAL, "Internal error occurred: %s", buf_str(&p->error_text))
                          : status_new(STATUS_INTERNAL, "Internal error occurred: error dialing backend: %s",
                                  err ? err->msg : "no answer");
    _cleanup_free_ char *text = jprint(status);
    http_reply(p->exchange, (int)jint(status, "code", 500), "application/json", text, strlen(text));
}

static void on_done(void *arg, const struct err *err)
{
    struct passage *p = arg;
    if (!p->streaming)
        reply_error(p, err);
    else if (err)
        http_abort(p->exchange); /* a cut answer must not look complete */
    else
        http_stream_end(p->exchange);
    free_passage(p);
}

static const struct http_call_handler call_handler = {
    .head = on_head, .data = on_data, .upgraded = on_upgraded, .done = on_done};

/* target_take: path and query at the agent. */
static void pass_on(struct request *r, const struct agent *agent, char *target_take, bool upgrades)
{
    struct server *s = r->server;
    struct passage *p = NEW(struct passage);
    p->target = target_take;
    p->method = xstrdup(r->method);
    p->upgrades = upgrades;
    p->agent = *agent;
    p->exchange = request_take_exchange(r);
    _cleanup_free_ struct http_header *headers = upgrades ? relay_headers(http_headers(p->exchange), true) : NULL;
    const struct http_call_spec spec = {.netns_fd = -1,
                                        .ip = p->agent.ip,
                                        .port = p->agent.port,
                                        .tls = s->agent_tls,
                                        .server_name = s->agent_tls ? p->agent.ip : NULL,
                                        .method = p->method,
                                        .target = p->target,
                                        .headers = headers,
                                        .timeout_ms = AGENT_HEAD_MS};
    p->call = http_call_start(s->loop, &spec, &call_handler, p);
    http_on_gone(p->exchange, on_gone, p);
    http_on_drained(p->exchange, on_drained, p);
}

/* --- the subresources --- */

static json_t *get_pod(struct request *r, json_t **ret)
{
    const struct object *o = store_get(r->server->store, &kind_pod, r->what.ns, r->what.name);
    if (!o)
        return not_found_status(&kind_pod, r->what.name);
    *ret = object_json(o);
    return NULL;
}

static char *agent_target(const struct request *r, const char *what, const char *container, const char *query)
{
    return xasprintf("/%s/%s/%s%s%s%s%s", what, r->what.ns, r->what.name, container ? "/" : "", str_or(container, ""),
                     *query ? "?" : "", query);
}

void handle_log(struct request *r)
{
    static const char *const ours[] = {"container", "pretty", "insecureSkipTLSVerifyBackend", NULL};
    struct agent agent;
    _cleanup_json_ json_t *pod = NULL;
    _cleanup_free_ char *container = NULL;
    json_t *status = get_pod(r, &pod);
    if (!status)
        status = choose_container(r, pod, &container);
    if (!status)
        status = find_agent(r, pod, &agent);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    _cleanup_free_ char *query = query_without(r->query, ours);
    pass_on(r, &agent, agent_target(r, "containerLogs", container, query), false);
}

/* PodExecOptions and PodAttachOptions name the streams, the kubelet's query has other names for them. */
static char *stream_query(const char *query)
{
    static const struct {
        const char *option, *parameter;
    } streams[] = {{"stdin", "input"}, {"stdout", "output"}, {"stderr", "error"}, {"tty", "tty"}};
    struct buf out = BUF_INIT(0);
    for (size_t i = 0; i < ARRAY_LEN(streams); i++)
        if (query_bool(query, streams[i].option))
            buf_addf(&out, "%s%s=1", out.len ? "&" : "", streams[i].parameter);
    for (size_t i = 0;; i++) {
        _cleanup_free_ char *word = query_get(query, "command", i);
        if (!word)
            break;
        _cleanup_free_ char *encoded = url_encode(word);
        buf_addf(&out, "%scommand=%s", out.len ? "&" : "", encoded);
    }
    return out.len ? buf_take(&out) : xstrdup("");
}

static json_t *check_streams(const struct request *r, const json_t *pod, bool exec)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    _cleanup_free_ char *command = query_get(r->query, "command", 0);
    if (exec && !command)
        return status_new(STATUS_BAD_REQUEST, "you must specify at least one command for the container");
    if (!query_bool(r->query, "stdin") && !query_bool(r->query, "stdout") && !query_bool(r->query, "stderr"))
        return status_new(STATUS_BAD_REQUEST, "you must specify at least one of stdin, stdout, stderr");
    if (streq(phase, "Succeeded") || streq(phase, "Failed"))
        return status_new(STATUS_BAD_REQUEST, "cannot exec into a container in a completed pod; current phase is %s",
                          phase);
    return NULL;
}

static void stream(struct request *r, const char *what, bool exec)
{
    struct agent agent;
    _cleanup_json_ json_t *pod = NULL;
    _cleanup_free_ char *container = NULL;
    json_t *status = get_pod(r, &pod);
    if (!status)
        status = check_streams(r, pod, exec);
    if (!status)
        status = choose_container(r, pod, &container);
    if (!status)
        status = find_agent(r, pod, &agent);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    _cleanup_free_ char *query = stream_query(r->query);
    pass_on(r, &agent, agent_target(r, what, container, query), true);
}

void handle_exec(struct request *r)
{
    stream(r, "exec", true);
}

void handle_attach(struct request *r)
{
    stream(r, "attach", false);
}

/* PodPortForwardOptions has `ports`, for the kubelet each is a `port`. */
static char *port_query(const char *query)
{
    struct buf out = BUF_INIT(0);
    for (size_t i = 0;; i++) {
        _cleanup_free_ char *ports = query_get(query, "ports", i);
        if (!ports)
            break;
        _cleanup_free_ char *encoded = url_encode(ports);
        buf_addf(&out, "%sport=%s", out.len ? "&" : "", encoded);
    }
    return out.len ? buf_take(&out) : xstrdup("");
}

void handle_port_forward(struct request *r)
{
    struct agent agent;
    _cleanup_json_ json_t *pod = NULL;
    json_t *status = get_pod(r, &pod);
    if (!status)
        status = find_agent(r, pod, &agent);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    _cleanup_free_ char *query = port_query(r->query);
    pass_on(r, &agent, agent_target(r, "portForward", NULL, query), true);
}
