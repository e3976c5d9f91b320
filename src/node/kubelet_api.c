/* The agent's own HTTPS port, for the API server alone: health, logs and their files, exec, attach, port-forward. Only
 * client certificates of the group system:masters may do anything but ask for health. */
#define LOG_AREA "node"
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/pod.h"

#define ALLOWED_GROUP "system:masters"

static void reply_text(struct http_exchange *x, int code, const char *text)
{
    http_reply(x, code, "text/plain; charset=utf-8", text, strlen(text));
}

/* Groups are the organisations of the subject. */
static bool is_allowed(const struct http_exchange *x)
{
    X509 *cert = http_peer_cert(x);
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;
    for (int i = -1; subject && (i = X509_NAME_get_index_by_NID(subject, NID_organizationName, i)) >= 0;) {
        ASN1_STRING *group = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));
        if (ASN1_STRING_length(group) == (int)strlen(ALLOWED_GROUP) &&
            memcmp(ASN1_STRING_get0_data(group), ALLOWED_GROUP, strlen(ALLOWED_GROUP)) == 0)
            return true;
    }
    return false;
}

static struct pod *find_pod(struct agent *a, const char *ns, const char *name)
{
    struct pod *found = NULL;
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));) {
        struct pod *p = e->value;
        if (streq(p->ns, ns) && streq(p->name, name) && (!found || !p->gone)) /* an older one may still be ending */
            found = p;
    }
    return found;
}

/* Splits /PREFIX/NS/POD[/CONTAINER] into n parts, of which the first is empty, and finds the pod; NULL: has replied. */
static struct pod *find_target(struct agent *a, struct http_exchange *x, size_t n, char ***ret_parts)
{
    size_t found;
    _cleanup_free_ char *path = url_decode(http_path(x), strlen(http_path(x)), false);
    _cleanup_free_ char **parts = path ? str_split(path, '/', &found) : NULL;
    if (!parts || found != n) {
        reply_text(x, 404, "404 page not found");
        return NULL;
    }
    struct pod *p = find_pod(a, parts[2], parts[3]);
    if (!p) {
        _cleanup_free_ char *text = xasprintf("pod %s_%s not found", parts[3], parts[2]);
        reply_text(x, 404, text);
        return NULL;
    }
    *ret_parts = TAKE(parts);
    return p;
}

static void serve_container(struct agent *a, struct http_exchange *x,
                            void (*serve)(struct agent *a, struct http_exchange *x, struct pod *p,
                                          const char *container))
{
    _cleanup_free_ char **parts = NULL;
    struct pod *p = find_target(a, x, 5, &parts);
    if (p && pod_container(p, parts[4])) {
        serve(a, x, p, parts[4]);
    } else if (p) {
        _cleanup_free_ char *text = xasprintf("container %s not found in pod %s_%s", parts[4], parts[3], parts[2]);
        reply_text(x, 404, text);
    }
}

static void serve_logs(struct agent *a, struct http_exchange *x)
{
    serve_container(a, x, logs_serve);
}

static void serve_exec(struct agent *a, struct http_exchange *x)
{
    serve_container(a, x, exec_serve);
}

static void serve_attach(struct agent *a, struct http_exchange *x)
{
    serve_container(a, x, attach_serve);
}

static void serve_port_forward(struct agent *a, struct http_exchange *x)
{
    _cleanup_free_ char **parts = NULL;
    struct pod *p = find_target(a, x, 4, &parts);
    if (p)
        forward_serve(a, x, p);
}

static void serve_health(struct agent *a, struct http_exchange *x)
{
    (void)a;
    reply_text(x, 200, "ok");
}

static void serve_pods(struct agent *a, struct http_exchange *x)
{
    json_t *items = json_array();
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));)
        json_array_append_new(items, pod_json(e->value));
    _cleanup_json_ json_t *list =
        json_pack("{ss, ss, s{}, so}", "kind", "PodList", "apiVersion", "v1", "metadata", "items", items);
    _cleanup_free_ char *text = jprint(list);
    http_reply(x, 200, "application/json", text, strlen(text));
}

static void serve_metrics(struct agent *a, struct http_exchange *x)
{
    size_t running = 0, containers = 0;
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));) {
        _cleanup_json_ json_t *pod = pod_json(e->value);
        running += streq(jstr_or(pod, "status.phase", ""), "Running");
        size_t i;
        const json_t *c;
        json_array_foreach(jget(pod, "status.containerStatuses"), i, c)
            containers += jget(c, "state.running") != NULL;
    }
    _cleanup_free_ char *text = xasprintf("# HELP kubelet_running_pods Pods that run.\n"
                                          "# TYPE kubelet_running_pods gauge\n"
                                          "kubelet_running_pods %zu\n"
                                          "# HELP kubelet_running_containers Containers that run, by state.\n"
                                          "# TYPE kubelet_running_containers gauge\n"
                                          "kubelet_running_containers{container_state=\"running\"} %zu\n",
                                          running, containers);
    http_reply(x, 200, "text/plain; version=0.0.4", text, strlen(text));
}

static const struct route {
    const char *path;
    bool prefix, open;
    void (*serve)(struct agent *a, struct http_exchange *x);
} routes[] = {
    {"/healthz", false, true, serve_health},
    {"/containerLogs/", true, false, serve_logs},
    {"/exec/", true, false, serve_exec},
    {"/attach/", true, false, serve_attach},
    {"/portForward/", true, false, serve_port_forward},
    {"/pods", false, false, serve_pods},
    {"/metrics", false, false, serve_metrics},
    {"/metrics/resource", false, false, stats_serve_resource},
    {"/stats/summary", false, false, stats_serve_summary},
    {"/logs/", true, false, logfiles_serve},
};

static void on_request(void *arg, struct http_exchange *x)
{
    const char *path = http_path(x);
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        const struct route *r = &routes[i];
        if (r->prefix ? !str_after(path, r->path) : !streq(path, r->path))
            continue;
        if (r->open || is_allowed(x))
            r->serve(arg, x);
        else
            reply_text(x, http_peer_cert(x) ? 403 : 401, http_peer_cert(x) ? "Forbidden" : "Unauthorized");
        return;
    }
    reply_text(x, 404, "404 page not found");
}

int kubelet_api_start(struct agent *a, const struct agent_config *config, struct err *err)
{
    char ip[IP_TEXT_SIZE];
    a->tls = tls_server_ctx(config->tls_cert, config->tls_key, config->client_ca, err);
    if (!a->tls)
        return -1;
    a->server = http_server_new(a->loop, a->tls, on_request, a);
    for (const char *rest = a->ips; ips_next(&rest, ip);)
        if (http_server_listen(a->server, a->netns_fd, ip, a->port, NULL, err) < 0)
            return -1;
    return 0;
}
