/* The proxy subresources: whatever a pod, a Service or a node serves, under a path of the API, with the API's
 * authentication in front. Names may say scheme and port: NAME, NAME:PORT, SCHEME:NAME:PORT. Rules:
 * pkg/registry/core/{pod/strategy.go,service/storage/storage.go,node/strategy.go} (ResourceLocation). */
#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "base/str.h"
#include "kinds/checks.h"
#include "server/agents.h"
#include "server/aggregator.h"
#include "server/relay.h"

/* --- names --- */

struct place {
    bool tls;
    char *name, *port; /* port "" when none is said */
};

static bool place_parse(const char *text, struct place *ret)
{
    size_t n;
    _cleanup_free_ char **parts = str_split(text, ':', &n);
    if (n < 1 || n > 3)
        return false;
    const char *scheme = n == 3 ? parts[0] : "", *name = parts[n == 3 ? 1 : 0], *port = n == 1 ? "" : parts[n - 1];
    if (!*name || (*scheme && !streq(scheme, "http") && !streq(scheme, "https")))
        return false;
    *ret = (struct place){.tls = streq(scheme, "https"), .name = xstrdup(name), .port = xstrdup(port)};
    return true;
}

static void place_done(struct place *p)
{
    free(p->name);
    free(p->port);
}

/* --- where that is --- */

/* Pods may say any address about themselves; these would lead to ourselves or to our neighbours' link. */
static bool is_proxyable(const char *ip)
{
    char scratch[CHECK_SCRATCH_SIZE];
    return !check_endpoint_ip(ip, scratch);
}

static int default_port(const struct place *p)
{
    return p->tls ? 443 : 80;
}

static void set_target(const struct server *s, const struct place *p, const char *ip, int64_t port,
                       struct relay_target *ret)
{
    snprintf(ret->ip, sizeof(ret->ip), "%s", ip);
    ret->port = (int)port;
    ret->tls = p->tls ? s->proxy_tls : NULL;
}

/* The first declared port, when none is asked for; names of ports are looked up. 0: unknown. */
static int64_t pod_port(const json_t *pod, const struct place *p)
{
    size_t i, j;
    const json_t *container, *port;
    int64_t number;
    if (str_to_i64(p->port, 1, 65535, &number))
        return number;
    json_array_foreach(jget(pod, "spec.containers"), i, container)
        json_array_foreach(jget(container, "ports"), j, port)
            if (!*p->port || streq(jstr_or(port, "name", ""), p->port))
                return jint(port, "containerPort", 0);
    return *p->port ? 0 : default_port(p);
}

static json_t *find_pod(const struct request *r, const struct place *p, struct relay_target *ret)
{
    const struct object *o = store_get(r->server->store, &kind_pod, r->what.ns, p->name);
    if (!o)
        return not_found_status(&kind_pod, p->name);
    _cleanup_json_ json_t *pod = object_json(o);
    const char *ip = jstr_or(pod, "status.podIP", "");
    int64_t port = pod_port(pod, p);
    if (!is_proxyable(ip))
        return status_new(STATUS_BAD_REQUEST, "address not allowed");
    if (!port)
        return status_new(STATUS_BAD_REQUEST, "pod %s has no port \"%s\"", p->name, p->port);
    set_target(r->server, p, ip, port, ret);
    return NULL;
}

static json_t *no_endpoints(const char *service)
{
    return status_new(STATUS_UNAVAILABLE, "no endpoints available for service \"%s\"", service);
}

/* A port number is the Service's: what counts with the endpoints is its name. */
static json_t *port_name(const struct request *r, const struct place *p, char **ret)
{
    int64_t number;
    size_t i;
    const json_t *port;
    *ret = NULL;
    if (!str_to_i64(p->port, INT64_MIN, INT64_MAX, &number)) {
        *ret = xstrdup(p->port);
        return NULL;
    }
    const struct object *o = store_get(r->server->store, &kind_service, r->what.ns, p->name);
    if (!o)
        return not_found_status(&kind_service, p->name);
    _cleanup_json_ json_t *service = object_json(o);
    json_array_foreach(jget(service, "spec.ports"), i, port)
        if (jint(port, "port", 0) == number) {
            *ret = xstrdup(jstr_or(port, "name", ""));
            return NULL;
        }
    return status_new(STATUS_UNAVAILABLE, "no service port %lld found for service \"%s\"", (long long)number, p->name);
}

/* Whether the pod that the endpoint names really has its address: whoever writes Endpoints must not get anywhere. */
static bool is_a_pods(const struct request *r, const json_t *address)
{
    const char *ip = jstr_or(address, "ip", "");
    const struct object *o = store_get(r->server->store, &kind_pod, r->what.ns, jstr_or(address, "targetRef.name", ""));
    if (!o || !streq(jstr_or(address, "targetRef.kind", ""), "Pod") || !is_proxyable(ip))
        return false;
    _cleanup_json_ json_t *pod = object_json(o);
    return streq(jstr_or(pod, "status.podIP", ""), ip) || jfind(jget(pod, "status.podIPs"), "ip", ip);
}

/* A ready address of the subset, from a random one on. */
static const json_t *choose_address(const struct request *r, const json_t *subset)
{
    const json_t *addresses = jget(subset, "addresses");
    size_t n = json_array_size(addresses), from = n ? rand_below((uint32_t)n) : 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *a = json_array_get(addresses, (from + i) % n);
        if (is_a_pods(r, a))
            return a;
    }
    return NULL;
}

static int64_t subset_port(const json_t *subset, const char *name)
{
    size_t i;
    const json_t *port;
    json_array_foreach(jget(subset, "ports"), i, port)
        if (streq(jstr_or(port, "name", ""), name))
            return jint(port, "port", 0);
    return 0;
}

static json_t *find_service(const struct request *r, const struct place *p, struct relay_target *ret)
{
    _cleanup_free_ char *name = NULL;
    json_t *status = port_name(r, p, &name);
    if (status)
        return status;
    const struct object *o = store_get(r->server->store, &kind_endpoints, r->what.ns, p->name);
    if (!o)
        return not_found_status(&kind_endpoints, p->name);
    _cleanup_json_ json_t *endpoints = object_json(o);
    const json_t *subsets = jget(endpoints, "subsets");
    size_t n = json_array_size(subsets), from = n ? rand_below((uint32_t)n) : 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *subset = json_array_get(subsets, (from + i) % n);
        int64_t port = subset_port(subset, name);
        const json_t *address = port ? choose_address(r, subset) : NULL;
        if (!address)
            continue;
        set_target(r->server, p, jstr(address, "ip"), port, ret);
        return NULL;
    }
    return no_endpoints(n ? r->what.name : p->name);
}

/* The agent's port, if no other one is asked for; there we say who we are. */
static json_t *find_node(const struct request *r, const struct place *p, struct relay_target *ret)
{
    int64_t port = 0;
    struct agent agent;
    json_t *status = agent_of_node(r->server, p->name, &agent);
    if (status)
        return status;
    if (*p->port && !str_to_i64(p->port, 1, 65535, &port))
        return status_new(STATUS_BAD_REQUEST, "invalid node request \"%s\"", r->what.name);
    if (*p->port && port != agent.port) {
        set_target(r->server, p, agent.ip, port, ret);
        return NULL;
    }
    set_target(r->server, p, agent.ip, agent.port, ret);
    ret->tls = r->server->agent_tls;
    ret->server_name = ret->tls ? ret->ip : NULL;
    return NULL;
}

/* --- passing on --- */

const char *proxy_path(const struct request *r)
{
    const char *s = r->path;
    for (int n = *r->what.ns ? 7 : 5; n && *s; n--) /* api, v1[, namespaces, NS], plural, NAME, proxy */
        s += 1 + strcspn(s + 1, "/");
    return s;
}

/* Relative links on the page would miss the path otherwise. */
static bool wants_slash(const struct request *r, const char *path)
{
    return !*path && !http_get_header(r->exchange, "Upgrade") && (streq(r->method, "GET") || streq(r->method, "HEAD"));
}

static void redirect_to_slash(struct request *r)
{
    _cleanup_free_ char *location = xasprintf("%s/%s%s", r->path, *r->query ? "?" : "", r->query);
    struct http_exchange *x = request_take_exchange(r);
    http_add_header(x, "Location", location);
    http_reply(x, 301, NULL, "", 0);
}

typedef json_t *find_fn(const struct request *r, const struct place *p, struct relay_target *ret);

static void proxy(struct request *r, const char *noun, find_fn *find)
{
    struct place place = {0};
    struct relay_target to = {0};
    const char *path = proxy_path(r);
    json_t *status = place_parse(r->what.name, &place)
                         ? find(r, &place, &to)
                         : status_new(STATUS_BAD_REQUEST, "invalid %s request \"%s\"", noun, r->what.name);
    place_done(&place);
    if (status) {
        request_reply_status(r, status);
    } else if (wants_slash(r, path)) {
        redirect_to_slash(r);
    } else {
        _cleanup_free_ char *prefix = xstrndup(r->path, (size_t)(path - r->path));
        _cleanup_free_ char *target = xasprintf("%s%s%s", *path ? path : "/", *r->query ? "?" : "", r->query);
        relay(r, &to, target, prefix);
    }
}

void handle_proxy_pod(struct request *r)
{
    proxy(r, "pod", find_pod);
}

void handle_proxy_service(struct request *r)
{
    proxy(r, "service", find_service);
}

void handle_proxy_node(struct request *r)
{
    proxy(r, "node", find_node);
}

/* Bodies of these requests are never gathered. */
bool proxy_streams(void *server, const char *target)
{
    struct request_path what;
    _cleanup_free_ char *path = xstrndup(target, strcspn(target, "?"));
    if (aggregator_has(server, path))
        return true;
    if (!request_path_parse(path, &what))
        return false;
    bool is_proxy = what.is_resource && streq(what.subresource, "proxy");
    request_path_done(&what);
    return is_proxy;
}
