/* The Node object and its Lease: registers the node, keeps its status true, and says every ten seconds that it lives.
 */
#define LOG_AREA "node"
#include "node/nodestatus.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "kinds/nodenetwork.h"
#include "node/agent_impl.h"

#define LEASE_RENEW_MS 10000 /* kubelet: a quarter of the duration */
#define LEASE_SECONDS 40
#define STATUS_REPORT_MS 300000 /* an unchanged status is written again after five minutes */
#define RETRY_MS 1000
#define LEASE_NAMESPACE "kube-node-lease"

struct nodestatus {
    struct agent *agent; /* NULL: freed, but a request is still out */
    struct machine machine;
    uv_timer_t *lease_timer, *status_timer;
    bool registered, status_out, status_again, lease_known, heard;
    json_t *old;                  /* status sent last */
    json_t *contradicting;        /* what the API has instead; NULL: the same */
    struct agent_network network; /* our copies; NULL: nothing has been said */
    int refs;
};

static struct nodestatus *hold(struct nodestatus *n)
{
    n->refs++;
    return n;
}

static void forget_network(struct nodestatus *n)
{
    free((char *)n->network.reason);
    free((char *)n->network.message);
    n->network = (struct agent_network){0};
}

static bool release(struct nodestatus *n)
{
    bool alive = n->agent != NULL;
    if (--n->refs > 0)
        return alive;
    machine_done(&n->machine);
    json_decref(n->old);
    json_decref(n->contradicting);
    forget_network(n);
    free(n);
    return false;
}

static void write_status(struct nodestatus *n);
static void register_node(struct nodestatus *n);

/* Borrows from n. */
static struct node_facts facts_of(const struct nodestatus *n)
{
    const struct agent *a = n->agent;
    return (struct node_facts){.name = a->name,
                               .ips = a->ips,
                               .runtime_version = a->rt.version,
                               .volumes = a->paths.volumes,
                               .labels = (const char *const *)a->labels,
                               .taints = (const char *const *)a->taints,
                               .machine = &n->machine,
                               .port = a->port,
                               .pressures = pressure_held(a),
                               .network = n->network.reason ? &n->network : NULL,
                               .not_ready = a->shutdown ? "node is shutting down"
                                            : a->podnet
                                                ? NULL
                                                : "container runtime network not ready: the node has no pod range yet"};
}

/* As the kubelet names it, with its name for a uid: kubectl looks for both. */
void nodestatus_event(const struct agent *a, const char *type, const char *reason, const char *text)
{
    _cleanup_json_ json_t *node = json_pack("{ss, ss, s{ss, ss}}", "apiVersion", "v1", "kind", "Node", "metadata",
                                            "name", a->name, "uid", a->name);
    events_send(a->events, node, NULL, type, reason, "%s", text);
}

/* --- status --- */

static void on_status_timer(uv_timer_t *t)
{
    struct nodestatus *n = t->data;
    if (n->registered)
        write_status(n);
    else
        register_node(n);
}

static void on_status(void *arg, int code, const json_t *body)
{
    struct nodestatus *n = arg;
    if (!release(n))
        return;
    n->status_out = false;
    if (code == 404)
        n->registered = false; /* somebody deleted the Node: it registers again */
    else if (code != 200)
        log_warn("node status not written: %d %s", code, jstr_or(body, "message", "no answer"));
    uv_timer_start(n->status_timer, on_status_timer,
                   code != 200       ? RETRY_MS
                   : n->status_again ? 0
                                     : STATUS_REPORT_MS,
                   0);
    n->status_again = false;
}

/* Addresses merge by type, and those of both families have the same one: the list is replaced, as kubelet does. */
static json_t *status_patch(const json_t *status)
{
    json_t *patch = json_copy((json_t *)status), *addresses = json_pack("[{ss}]", "$patch", "replace");
    json_array_extend(addresses, json_object_get(status, "addresses"));
    json_object_set_new(patch, "addresses", addresses);
    return json_pack("{so}", "status", patch);
}

static void tell_changes(const struct nodestatus *n, const json_t *old, const json_t *status)
{
    static const struct {
        const char *type, *value, *reason;
    } changes[] = {
        {"MemoryPressure", "False", "NodeHasSufficientMemory"},
        {"MemoryPressure", "True", "NodeHasInsufficientMemory"},
        {"DiskPressure", "False", "NodeHasNoDiskPressure"},
        {"DiskPressure", "True", "NodeHasDiskPressure"},
        {"PIDPressure", "False", "NodeHasSufficientPID"},
        {"PIDPressure", "True", "NodeHasInsufficientPID"},
        {"Ready", "True", "NodeReady"},
        {"Ready", "False", "NodeNotReady"},
    };
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        const json_t *before = jfind(jget(old, "conditions"), "type", changes[i].type);
        const json_t *now = jfind(jget(status, "conditions"), "type", changes[i].type);
        if (!streq(jstr_or(now, "status", ""), changes[i].value) ||
            streq(jstr_or(before, "status", ""), changes[i].value))
            continue;
        if (!before && streq(changes[i].reason, "NodeNotReady")) /* a node that begins has not lost anything */
            continue;
        _cleanup_free_ char *text = xasprintf("Node %s status is now: %s", n->agent->name, changes[i].reason);
        nodestatus_event(n->agent, "Normal", changes[i].reason, text);
    }
}

static void write_status(struct nodestatus *n)
{
    if (n->status_out) {
        n->status_again = true;
        return;
    }
    if (n->contradicting) {
        json_decref(n->old);
        n->old = TAKE(n->contradicting);
    }
    struct node_facts f = facts_of(n);
    json_t *status = node_status(&f, n->old, clock_wall_usec());
    _cleanup_json_ json_t *patch = status_patch(status);
    tell_changes(n, n->old, status);
    json_decref(n->old);
    n->old = status;
    n->status_out = true;
    client_patch(n->agent->client, &kind_node, NULL, n->agent->name, "status", PATCH_STRATEGIC, patch, on_status,
                 hold(n));
}

void nodestatus_changed(struct nodestatus *n)
{
    if (n->registered)
        write_status(n);
}

/* Of what we have said, is something said otherwise? */
static bool contradicts(const json_t *ours, const json_t *theirs)
{
    size_t i;
    json_t *own;
    json_array_foreach(jget(ours, "conditions"), i, own) {
        const json_t *other = jfind(jget(theirs, "conditions"), "type", jstr_or(own, "type", ""));
        if (!streq(jstr_or(other, "status", ""), jstr_or(own, "status", "")))
            return true;
    }
    return false;
}

/* Not at once: it may be older than what we wrote last. */
void nodestatus_seen(struct nodestatus *n, const json_t *node)
{
    const json_t *status = jget(node, "status");
    bool contradicted = contradicts(n->old, status), was = n->contradicting;
    if (!n->registered || n->status_out)
        return;
    json_decref(TAKE(n->contradicting));
    if (contradicted)
        n->contradicting = json_deep_copy(status);
    if (contradicted != was)
        uv_timer_start(n->status_timer, on_status_timer, contradicted ? RETRY_MS : STATUS_REPORT_MS, 0);
}

/* --- the way to other nodes --- */

void agent_set_network(struct agent *a, const struct agent_network *network)
{
    struct nodestatus *n = a->nodestatus;
    const struct agent_network before = n->network;
    if (before.unavailable == network->unavailable && streq_or_null(before.reason, network->reason) &&
        streq_or_null(before.message, network->message))
        return;
    bool is_bad = node_network_is_trouble(network->reason);
    if (is_bad || node_network_is_trouble(str_or(before.reason, ""))) {
        nodestatus_event(a, is_bad ? "Warning" : "Normal", network->reason, network->message);
        log_write(is_bad ? LOG_WARN : LOG_INFO, LOG_AREA, "node %s: %s", a->name, network->message);
    }
    forget_network(n);
    n->network = (struct agent_network){network->unavailable, xstrdup(network->reason), xstrdup(network->message)};
    if (!streq(network->reason, NODE_NETWORK_NOT_NEEDED) || jfind(jget(n->old, "conditions"), "type", NODE_NETWORK))
        nodestatus_changed(n);
}

/* --- registration --- */

static void registered(struct nodestatus *n)
{
    n->registered = true;
    nodestatus_event(n->agent, "Normal", "Starting", "Starting kubelet.");
    write_status(n);
}

static void on_refreshed(void *arg, int code, const json_t *body)
{
    struct nodestatus *n = arg;
    (void)body;
    if (!release(n))
        return;
    if (code == 409) /* somebody else was faster */
        register_node(n);
    else
        registered(n); /* labels that could not be refreshed are no reason to stay away */
}

/* It was here before: labels and taints may have changed. */
static void on_known(void *arg, int code, const json_t *body)
{
    struct nodestatus *n = arg;
    if (!release(n))
        return;
    if (code != 200) {
        uv_timer_start(n->status_timer, on_status_timer, RETRY_MS, 0);
        return;
    }
    if (!n->old) /* conditions that have not changed since an earlier life keep their times */
        n->old = json_deep_copy(jget(body, "status"));
    struct node_facts f = facts_of(n);
    _cleanup_json_ json_t *patch = node_refresh(&f, body);
    client_patch(n->agent->client, &kind_node, NULL, n->agent->name, NULL, PATCH_MERGE, patch, on_refreshed, hold(n));
}

static void on_created(void *arg, int code, const json_t *body)
{
    struct nodestatus *n = arg;
    if (!release(n))
        return;
    if (code == 200 || code == 201) {
        registered(n);
        return;
    }
    if (code == 409) {
        client_get(n->agent->client, &kind_node, NULL, n->agent->name, on_known, hold(n));
        return;
    }
    log_warn("node not registered: %d %s, trying again in %d ms", code, jstr_or(body, "message", "no answer"),
             RETRY_MS);
    uv_timer_start(n->status_timer, on_status_timer, RETRY_MS, 0);
}

static void register_node(struct nodestatus *n)
{
    struct node_facts f = facts_of(n);
    _cleanup_json_ json_t *node = node_object(&f);
    json_object_set_new(node, "status", node_status(&f, NULL, clock_wall_usec()));
    client_create(n->agent->client, &kind_node, NULL, node, on_created, hold(n));
}

/* --- lease --- */

static void renew(struct nodestatus *n);

static void on_lease_timer(uv_timer_t *t)
{
    renew(t->data);
}

static void on_lease(void *arg, int code, const json_t *body)
{
    struct nodestatus *n = arg;
    if (!release(n))
        return;
    bool ok = code == 200 || code == 201 || code == 409;
    n->lease_known = ok;
    n->heard = ok || code > 0;
    if (!ok && code != 404) /* 404 at first: the patch finds nothing, then it is created */
        log_debug("lease: %d %s", code, jstr_or(body, "message", "no answer"));
    uv_timer_start(n->lease_timer, on_lease_timer, ok ? LEASE_RENEW_MS : RETRY_MS, 0);
}

static void renew(struct nodestatus *n)
{
    struct agent *a = n->agent;
    char now[TIME_TEXT_SIZE];
    time_format_micro(clock_wall_usec(), now);
    _cleanup_json_ json_t *spec =
        json_pack("{ss, si, ss}", "holderIdentity", a->name, "leaseDurationSeconds", LEASE_SECONDS, "renewTime", now);
    if (n->lease_known) {
        _cleanup_json_ json_t *patch = json_pack("{sO}", "spec", spec);
        client_patch(a->client, &kind_lease, LEASE_NAMESPACE, a->name, NULL, PATCH_MERGE, patch, on_lease, hold(n));
        return;
    }
    _cleanup_json_ json_t *lease =
        json_pack("{ss, ss, s{ss, ss}, sO}", "apiVersion", "coordination.k8s.io/v1", "kind", "Lease", "metadata",
                  "name", a->name, "namespace", LEASE_NAMESPACE, "spec", spec);
    client_create(a->client, &kind_lease, LEASE_NAMESPACE, lease, on_lease, hold(n));
}

bool agent_is_heard(const struct agent *a)
{
    return a->nodestatus->heard;
}

/* --- life --- */

struct nodestatus *nodestatus_new(struct agent *a)
{
    struct nodestatus *n = NEW(struct nodestatus);
    n->agent = a;
    n->refs = 1;
    machine_read(&n->machine, a->paths.data);
    a->milli_cpu = n->machine.milli_cpu;
    a->memory_bytes = n->machine.memory_bytes;
    a->storage_bytes = n->machine.storage_bytes;
    n->lease_timer = timer_make(a->loop, n);
    n->status_timer = timer_make(a->loop, n);
    register_node(n);
    renew(n);
    return n;
}

void nodestatus_free(struct nodestatus *n)
{
    if (!n)
        return;
    n->agent = NULL;
    handle_free((uv_handle_t *)n->lease_timer);
    handle_free((uv_handle_t *)n->status_timer);
    (void)release(n);
}
