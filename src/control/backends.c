/* See backends.h. */
#include "control/backends.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/labels.h"

static char *pair_key(const char *ns, const char *key, const char *value)
{
    return xasprintf("%s\n%s=%s", ns, key, value);
}

/* The pair of a selector that stands for it in the index: the last in the alphabet, because common prefixes like "app"
 * sort early and the telling one ("version", "tier") late. NULL: it selects nothing. */
static const char *telling_key(const json_t *selector)
{
    const char *best = NULL, *key;
    json_t *value;
    json_object_foreach((json_t *)selector, key, value)
        if (!best || strcmp(key, best) > 0)
            best = key;
    return best;
}

static char *selector_key(const char *ns, const json_t *selector)
{
    const char *key = telling_key(selector);
    return key ? pair_key(ns, key, str_or(json_string_value(json_object_get(selector, key)), "")) : NULL;
}

static void service_pair(const struct object *o, informer_emit_fn *emit, void *emit_arg)
{
    _cleanup_json_ json_t *doc = object_json(o);
    _cleanup_free_ char *key = selector_key(o->ns, jget(doc, "spec.selector"));
    if (key)
        emit(emit_arg, key);
}

static void pod_pairs(const struct object *o, informer_emit_fn *emit, void *emit_arg)
{
    _cleanup_json_ json_t *doc = object_json(o);
    const char *name;
    json_t *value;
    json_object_foreach(jget(doc, "metadata.labels"), name, value) {
        _cleanup_free_ char *key = pair_key(o->ns, name, str_or(json_string_value(value), ""));
        emit(emit_arg, key);
    }
}

void backends_init(struct backends *b, struct controller *c)
{
    b->services = controller_informer(c, &kind_service);
    b->pods = controller_informer(c, &kind_pod);
    b->services_by_pair = informer_add_index(b->services, service_pair);
    b->pods_by_pair = informer_add_index(b->pods, pod_pairs);
    b->pod_digest = pod_states(b->pods);
}

struct mapping {
    struct backends *b;
    struct controller *c;
    const json_t *labels;
};

static void map_pair(void *arg, const char *key)
{
    struct mapping *m = arg;
    void *cursor = NULL;
    for (struct object *o; (o = informer_by_index(m->b->services, m->b->services_by_pair, key, &cursor));) {
        _cleanup_json_ json_t *service = object_json(o);
        if (map_selector_matches(jget(service, "spec.selector"), m->labels))
            controller_enqueue(m->c, o->ns, o->name);
    }
}

void backends_map_pod(struct backends *b, struct controller *c, struct object *pod)
{
    _cleanup_json_ json_t *doc = object_json(pod);
    struct mapping m = {b, c, jget(doc, "metadata.labels")};
    pod_pairs(pod, map_pair, &m);
}

void backends_each(const struct backends *b, const char *ns, const json_t *service,
                   void (*visit)(void *arg, const struct object *pod, const struct pod_state *state), void *arg)
{
    const json_t *selector = jget(service, "spec.selector");
    _cleanup_free_ char *key = selector_key(ns, selector);
    void *cursor = NULL;
    for (struct object *o; key && (o = informer_by_index(b->pods, b->pods_by_pair, key, &cursor));) {
        const struct pod_state *state = informer_digest(b->pods, b->pod_digest, o);
        if (map_selector_matches(selector, json_object_get(state->facts, "labels")))
            visit(arg, o, state);
    }
}

bool service_is_headless(const json_t *service)
{
    return streq(jstr_or(service, "spec.clusterIP", ""), "None");
}

int64_t backend_port(const json_t *service_port, const struct pod_state *pod)
{
    const json_t *target = json_object_get(service_port, "targetPort");
    if (json_is_integer(target) && json_integer_value(target))
        return json_integer_value(target);
    const char *name = json_string_value(target);
    if (!name || !*name)
        return jint(service_port, "port", 0);
    size_t i;
    json_t *port;
    json_array_foreach(json_object_get(pod->facts, "ports"), i, port)
        if (streq(jstr(port, "name"), name) && streq(jstr(port, "protocol"), jstr_or(service_port, "protocol", "TCP")))
            return jint(port, "containerPort", 0);
    return 0;
}

const char *backend_hostname(const char *service_name, const struct pod_state *pod)
{
    const char *hostname = jstr_or(pod->facts, "hostname", ""), *subdomain = jstr_or(pod->facts, "subdomain", "");
    return *hostname && streq(subdomain, service_name) ? hostname : NULL;
}
