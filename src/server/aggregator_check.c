/* Whether what an APIService names is there, as its condition Available says, and what it serves: one question every
 * half minute, more often while it fails, at once when its Service or endpoints change. Reasons and messages:
 * kube-aggregator pkg/controllers/status/remote/remote_available_controller.go. */
#define LOG_AREA "server"
#include "server/aggregator_impl.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "http/http.h"
#include "server/service_address.h"

#define AGAIN_MS 30000
#define AGAIN_FAILED_MS 3000
#define ANSWER_MS 5000       /* as upstream's client has */
#define ANSWER_MAX (1 << 20) /* a list of all resources of one group and version */

/* --- what came of it --- */

static const json_t *condition_of(const json_t *doc)
{
    return jfind(jget(doc, "status.conditions"), "type", "Available");
}

static bool is_told(const json_t *condition, const char *status, const char *reason, const char *message)
{
    return streq(jstr_or(condition, "status", ""), status) && streq(jstr_or(condition, "reason", ""), reason) &&
           streq(jstr_or(condition, "message", ""), message);
}

static void tell(struct remote *r, bool available, const char *reason, const char *message)
{
    struct aggregator *a = r->of;
    const struct object *o = store_latest(a->server->store, &kind_apiservice, "", r->name);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    const json_t *was = condition_of(doc);
    const char *status = available ? "True" : "False";
    char now[TIME_TEXT_SIZE];
    time_format(clock_wall_usec(), now);
    if (!doc || is_told(was, status, reason, message))
        return;
    const char *since = streq(jstr_or(was, "status", ""), status) ? jstr_or(was, "lastTransitionTime", now) : now;
    _cleanup_json_ json_t *patch =
        json_pack("{s:{s:[{s:s, s:s, s:s, s:s, s:s}]}}", "status", "conditions", "type", "Available", "status", status,
                  "lastTransitionTime", since, "reason", reason, "message", message);
    client_patch(a->client, &kind_apiservice, NULL, r->name, "status", PATCH_MERGE, patch, NULL, NULL);
    log_info("APIService %s: %s: %s", r->name, reason, message);
}

/* resources NULL: none. */
static void settle(struct remote *r, bool available, json_t *resources_new)
{
    bool same =
        available == r->is_available && (!resources_new || (r->resources && json_equal(r->resources, resources_new)));
    r->due_ms = clock_mono_ms() + (available ? AGAIN_MS : AGAIN_FAILED_MS);
    r->is_available = available;
    if (resources_new) {
        json_decref(r->resources);
        r->resources = resources_new;
    }
    if (!same)
        documents_forget(r->of->server);
}

static void fail(struct remote *r, const char *reason, const char *fmt, ...)
{
    struct buf message = BUF_INIT(1000);
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&message, fmt, ap);
    va_end(ap);
    settle(r, false, NULL);
    tell(r, false, reason, buf_str(&message));
    buf_done(&message);
}

/* --- what the objects say --- */

static const json_t *find_port(const json_t *ports, int64_t number)
{
    size_t i;
    const json_t *port;
    json_array_foreach(ports, i, port)
        if (jint(port, "port", 0) == number)
            return port;
    return NULL;
}

static bool has_endpoint(const json_t *endpoints, const char *port_name)
{
    size_t i;
    const json_t *subset, *port;
    json_array_foreach(jget(endpoints, "subsets"), i, subset) {
        size_t j;
        json_array_foreach(jget(subset, "ports"), j, port)
            if (streq(jstr_or(port, "name", ""), port_name) && json_array_size(jget(subset, "addresses")))
                return true;
    }
    return false;
}

/* False: told what is missing. */
static bool objects_are_there(struct remote *r)
{
    const struct store *store = r->of->server->store;
    const struct object *s = store_latest(store, &kind_service, r->service_ns, r->service);
    const struct object *e = store_latest(store, &kind_endpoints, r->service_ns, r->service);
    _cleanup_json_ json_t *service = s ? object_json(s) : NULL, *endpoints = e ? object_json(e) : NULL;
    const json_t *port = find_port(jget(service, "spec.ports"), r->port);
    const char *port_name = jstr_or(port, "name", "");
    if (!service)
        fail(r, "ServiceNotFound", "service/%s in \"%s\" is not present", r->service, r->service_ns);
    else if (!port)
        fail(r, "ServicePortError", "service/%s in \"%s\" is not listening on port %d", r->service, r->service_ns,
             r->port);
    else if (!endpoints)
        fail(r, "EndpointsNotFound", "cannot find endpoints for service/%s in \"%s\"", r->service, r->service_ns);
    else if (!has_endpoint(endpoints, port_name))
        fail(r, "MissingEndpoints", "endpoints for service/%s in \"%s\" have no addresses with port name \"%s\"",
             r->service, r->service_ns, port_name);
    else
        return true;
    return false;
}

/* --- asking --- */

static void fail_check(struct remote *r, const char *why)
{
    char ip[SERVICE_IP_SIZE] = "";
    struct err ignored;
    remote_address(r, ip, &ignored);
    _cleanup_free_ char *url = xasprintf(strchr(ip, ':') ? "https://[%s]:%d/apis/%s/%s" : "https://%s:%d/apis/%s/%s",
                                         ip, r->port, r->group, r->version);
    fail(r, "FailedDiscoveryCheck", "failing or missing response from %s: %s", url, why);
}

static void on_head(void *arg, int code, const struct http_header *headers)
{
    (void)headers;
    ((struct remote *)arg)->code = code;
}

static void on_data(void *arg, const void *bytes, size_t len)
{
    buf_add(&((struct remote *)arg)->answer, bytes, len);
}

static void on_done(void *arg, const struct err *err)
{
    struct remote *r = arg;
    struct err bad;
    r->call = NULL;
    json_t *list = !err && r->code == 200 && !r->answer.overflowed ? jparse(r->answer.data, r->answer.len, &bad) : NULL;
    if (err) {
        fail_check(r, err->msg);
    } else if (r->code != 200) {
        _cleanup_free_ char *why = xasprintf("bad status from the server: %d", r->code);
        fail_check(r, why);
    } else if (!json_is_array(jget(list, "resources"))) {
        json_decref(list);
        fail_check(r, "the answer is no APIResourceList");
    } else {
        settle(r, true, list);
        tell(r, true, "Passed", "all checks passed");
    }
    buf_done(&r->answer);
}

static void ask(struct remote *r)
{
    static const struct http_call_handler handler = {.head = on_head, .data = on_data, .done = on_done};
    static char *groups[] = {"system:masters", NULL};
    static const struct user aggregator = {.name = "system:kube-aggregator", .groups = groups};
    char ip[SERVICE_IP_SIZE];
    struct err err;
    if (!r->tls || remote_address(r, ip, &err) < 0) {
        fail_check(r, r->tls ? err.msg : r->no_tls.msg);
        return;
    }
    json_t *texts;
    _cleanup_free_ struct http_header *headers = identity_headers(&aggregator, &texts);
    _cleanup_free_ char *target = xasprintf("/apis/%s/%s", r->group, r->version);
    const struct http_call_spec spec = {
        .netns_fd = r->of->server->netns_fd,
        .ip = ip,
        .port = r->port,
        .tls = r->tls,
        .server_name = r->server_name,
        .method = "GET",
        .target = target,
        .headers = headers,
        .timeout_ms = ANSWER_MS,
    };
    r->code = 0;
    r->answer = (struct buf)BUF_INIT(ANSWER_MAX);
    r->give_up_ms = clock_mono_ms() + 2 * ANSWER_MS;
    r->call = http_call_start(r->of->server->loop, &spec, &handler, r);
    json_decref(texts);
}

void remote_check_stop(struct remote *r)
{
    if (r->call)
        http_call_cancel(TAKE(r->call));
    buf_done(&r->answer);
}

void remote_check_tick(struct remote *r)
{
    int64_t now = clock_mono_ms();
    if (r->call && now >= r->give_up_ms) {
        remote_check_stop(r);
        fail_check(r, "context deadline exceeded");
    } else if (!r->call && now >= r->due_ms && objects_are_there(r)) {
        ask(r);
    }
}
