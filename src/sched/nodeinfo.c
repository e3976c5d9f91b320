/* See nodeinfo.h. */
#include "sched/nodeinfo.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/quantity.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/object.h"

/* --- amounts --- */

static int64_t parse_amount(const char *resource, const json_t *value)
{
    struct quantity q;
    const char *text = json_string_value(value);
    if (!text || !quantity_parse(text, &q))
        return 0;
    return streq(resource, "cpu") ? quantity_milli(&q) : quantity_value(&q);
}

static int64_t *known_amount(struct amounts *a, const char *resource)
{
    return streq(resource, "cpu")                 ? &a->milli_cpu
           : streq(resource, "memory")            ? &a->memory
           : streq(resource, "ephemeral-storage") ? &a->ephemeral
           : streq(resource, "pods")              ? &a->pods
                                                  : NULL;
}

int64_t amount_of(const struct amounts *a, const char *resource)
{
    const int64_t *known = known_amount((struct amounts *)a, resource);
    return known ? *known : jint(json_object_get(a->others, resource), "", 0);
}

static void set_amount(struct amounts *a, const char *resource, int64_t n)
{
    int64_t *known = known_amount(a, resource);
    if (known) {
        *known = n;
        return;
    }
    if (!a->others)
        a->others = json_object();
    json_object_set_new(a->others, resource, json_integer(n));
}

static void amounts_done(struct amounts *a)
{
    json_decref(a->others);
    *a = (struct amounts){0};
}

static void parse_amounts(const json_t *list, struct amounts *out)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)list, name, value)
        set_amount(out, name, parse_amount(name, value));
}

static void each_amount(const struct amounts *a,
                        void (*visit)(struct amounts *into, const char *resource, int64_t n, int sign),
                        struct amounts *into, int sign)
{
    visit(into, "cpu", a->milli_cpu, sign);
    visit(into, "memory", a->memory, sign);
    visit(into, "ephemeral-storage", a->ephemeral, sign);
    const char *name;
    json_t *value;
    json_object_foreach(a->others, name, value)
        visit(into, name, json_integer_value(value), sign);
}

static void add_one(struct amounts *into, const char *resource, int64_t n, int sign)
{
    set_amount(into, resource, amount_of(into, resource) + sign * n);
}

static void raise_one(struct amounts *into, const char *resource, int64_t n, int sign)
{
    (void)sign;
    if (n > amount_of(into, resource))
        set_amount(into, resource, n);
}

static void amounts_add(struct amounts *into, const struct amounts *a, int sign)
{
    each_amount(a, add_one, into, sign);
}

/* --- pods --- */

static void add_container(struct sched_pod *p, struct amounts *sum, const json_t *container)
{
    struct amounts own = {0};
    parse_amounts(jget(container, "resources.requests"), &own);
    p->score_cpu += own.milli_cpu ? own.milli_cpu : DEFAULT_MILLI_CPU;
    p->score_memory += own.memory ? own.memory : DEFAULT_MEMORY;
    amounts_add(sum, &own, 1);
    amounts_done(&own);
}

/* Init containers run one after the other, before the rest; those that restart (sidecars) stay and count with both. */
static void add_init_containers(struct sched_pod *p, const json_t *containers, struct amounts *peak,
                                struct amounts *sidecars)
{
    size_t i;
    json_t *container;
    json_array_foreach((json_t *)containers, i, container) {
        if (streq(jstr_or(container, "restartPolicy", ""), "Always")) {
            add_container(p, sidecars, container);
            each_amount(sidecars, raise_one, peak, 1);
            continue;
        }
        struct amounts own = {0};
        parse_amounts(jget(container, "resources.requests"), &own);
        amounts_add(&own, sidecars, 1);
        each_amount(&own, raise_one, peak, 1);
        amounts_done(&own);
    }
}

static void sum_requests(struct sched_pod *p, const json_t *spec)
{
    struct amounts peak = {0}, sidecars = {0}, overhead = {0};
    size_t i;
    json_t *container;
    json_array_foreach(jget(spec, "containers"), i, container)
        add_container(p, &p->requests, container);
    add_init_containers(p, jget(spec, "initContainers"), &peak, &sidecars);
    amounts_add(&p->requests, &sidecars, 1);
    each_amount(&peak, raise_one, &p->requests, 1);
    parse_amounts(jget(spec, "overhead"), &overhead);
    amounts_add(&p->requests, &overhead, 1);
    p->score_cpu += overhead.milli_cpu;
    p->score_memory += overhead.memory;
    amounts_done(&peak);
    amounts_done(&sidecars);
    amounts_done(&overhead);
}

static json_t *collect_host_ports(const json_t *spec)
{
    json_t *ports = json_array(), *container, *port;
    size_t i, k;
    json_array_foreach(jget(spec, "containers"), i, container)
        json_array_foreach(jget(container, "ports"), k, port)
            if (jint(port, "hostPort", 0))
                json_array_append_new(ports, json_pack("{s:I, s:s, s:s}", "port", (json_int_t)jint(port, "hostPort", 0),
                                                       "protocol", jstr_or(port, "protocol", "TCP"), "ip",
                                                       jstr_or(port, "hostIP", "0.0.0.0")));
    return ports;
}

static json_t *collect_images(const json_t *spec)
{
    json_t *images = json_array(), *container;
    size_t i;
    json_array_foreach(jget(spec, "containers"), i, container)
        if (jstr(container, "image"))
            json_array_append_new(images, json_string(jstr(container, "image")));
    return images;
}

static json_t *controller_uid(const json_t *pod)
{
    size_t i;
    json_t *ref;
    json_array_foreach(jget(pod, "metadata.ownerReferences"), i, ref)
        if (jbool(ref, "controller", false) && jstr(ref, "uid"))
            return json_string(jstr(ref, "uid"));
    return NULL;
}

struct sched_pod *sched_pod_new(const json_t *pod)
{
    static const char *const kept[] = {"nodeSelector", "affinity", "tolerations", "topologySpreadConstraints"};
    struct sched_pod *p = NEW(struct sched_pod);
    const json_t *spec = jget(pod, "spec");
    p->key = make_object_key(jstr_or(pod, "metadata.namespace", ""), jstr_or(pod, "metadata.name", ""));
    p->node = *jstr_or(spec, "nodeName", "") ? xstrdup(jstr(spec, "nodeName")) : NULL;
    p->ns = json_string(jstr_or(pod, "metadata.namespace", ""));
    p->uid = xstrdup(jstr_or(pod, "metadata.uid", ""));
    p->deleting = jstr(pod, "metadata.deletionTimestamp");
    p->priority = jint(spec, "priority", 0);
    if (!time_parse(jstr_or(pod, "status.startTime", ""), &p->start_usec))
        p->start_usec = INT64_MAX; /* has not begun: the youngest */
    p->owner = controller_uid(pod);
    p->labels = json_deep_copy(jget(pod, "metadata.labels"));
    p->host_ports = collect_host_ports(spec);
    p->spec = json_object();
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (jget(spec, kept[i]))
            jset(p->spec, kept[i], json_deep_copy(jget(spec, kept[i])));
    jset(p->spec, "images", collect_images(spec));
    sum_requests(p, spec);
    p->picks_nodes = jget(spec, "nodeSelector") ||
                     jget(spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    p->prefers_nodes = jget(spec, "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution");
    terms_parse(p->terms, jget(p->spec, "affinity"), p->ns, p->labels);
    return p;
}

void sched_pod_free(struct sched_pod *p)
{
    if (!p)
        return;
    terms_done(p->terms);
    free(p->key);
    free(p->uid);
    free(p->node);
    amounts_done(&p->requests);
    json_decref(p->ns);
    json_decref(p->owner);
    json_decref(p->labels);
    json_decref(p->host_ports);
    json_decref(p->spec);
    free(p);
}

/* --- nodes --- */

static struct sched_node *node_of(struct cluster *c, const char *name)
{
    struct sched_node *n = map_get(&c->nodes, name);
    if (n)
        return n;
    n = NEW(struct sched_node);
    n->name = xstrdup(name);
    map_put(&c->nodes, name, n);
    return n;
}

static void clear_facts(struct sched_node *n)
{
    json_decref(n->facts);
    n->facts = n->labels = n->taints = n->images = NULL;
    amounts_done(&n->allocatable);
    n->known = n->ready = n->unschedulable = false;
}

static void node_free(void *p)
{
    struct sched_node *n = p;
    clear_facts(n);
    amounts_done(&n->requested);
    free(n->pods);
    free(n->name);
    free(n);
}

static json_t *images_on(const json_t *node)
{
    json_t *sizes = json_object(), *image, *name;
    size_t i, k;
    json_array_foreach(jget(node, "status.images"), i, image)
        json_array_foreach(jget(image, "names"), k, name)
            if (json_is_string(name))
                json_object_set_new(sizes, json_string_value(name), json_integer(jint(image, "sizeBytes", 0)));
    return sizes;
}

static json_t *copy_or(const json_t *value, json_t *otherwise_new)
{
    if (!value)
        return otherwise_new;
    json_decref(otherwise_new);
    return json_deep_copy(value);
}

static json_t *facts_of(const json_t *node)
{
    const json_t *ready = jfind(jget(node, "status.conditions"), "type", "Ready");
    const json_t *allocatable = jget(node, "status.allocatable");
    return json_pack("{s:o, s:o, s:o, s:o, s:b, s:b}", "labels", copy_or(jget(node, "metadata.labels"), json_object()),
                     "taints", copy_or(jget(node, "spec.taints"), json_array()), "images", images_on(node),
                     "allocatable", copy_or(allocatable ? allocatable : jget(node, "status.capacity"), json_object()),
                     "ready", streq(jstr_or(ready, "status", ""), "True"), "unschedulable",
                     jbool(node, "spec.unschedulable", false));
}

bool cluster_set_node(struct cluster *c, const char *name, const json_t *doc)
{
    struct sched_node *n = map_get(&c->nodes, name);
    if (!doc) {
        if (!n)
            return false;
        clear_facts(n); /* stays while pods name it */
        if (!n->n_pods)
            node_free(map_del(&c->nodes, name));
        return true;
    }
    n = node_of(c, name);
    json_t *facts = facts_of(doc);
    if (n->facts && json_equal(n->facts, facts)) {
        json_decref(facts);
        return false;
    }
    clear_facts(n);
    n->known = true;
    n->facts = facts;
    n->labels = json_object_get(facts, "labels");
    n->taints = json_object_get(facts, "taints");
    n->images = json_object_get(facts, "images");
    n->ready = jbool(facts, "ready", false);
    n->unschedulable = jbool(facts, "unschedulable", false);
    parse_amounts(json_object_get(facts, "allocatable"), &n->allocatable);
    return true;
}

/* --- groups --- */

static char *group_key(const struct sched_pod *p)
{
    _cleanup_json_ json_t *all = json_pack("[O, O?, O?]", p->ns, p->owner, p->labels);
    return jprint_sorted(all);
}

static void join_group(struct cluster *c, struct sched_pod *p)
{
    _cleanup_free_ char *key = group_key(p);
    struct pod_group *g = map_get(&c->groups, key);
    if (!g) {
        map_put(&c->groups, key, g = NEW(struct pod_group));
        g->number = c->n_free ? c->free_groups[--c->n_free] : c->groups_end++;
    }
    g->n_pods++;
    p->group = g->number;
}

static void leave_group(struct cluster *c, const struct sched_pod *p)
{
    _cleanup_free_ char *key = group_key(p);
    struct pod_group *g = map_get(&c->groups, key);
    if (--g->n_pods)
        return;
    c->free_groups = xrealloc(c->free_groups, c->groups_end * sizeof(size_t));
    c->free_groups[c->n_free++] = g->number;
    free(map_del(&c->groups, key));
}

/* --- nodes and their pods --- */

static void charge(struct sched_node *n, const struct sched_pod *p, int sign)
{
    amounts_add(&n->requested, &p->requests, sign);
    n->requested.pods += sign;
    n->score_cpu += sign * p->score_cpu;
    n->score_memory += sign * p->score_memory;
}

void cluster_take_pod(struct cluster *c, struct sched_pod *p)
{
    cluster_remove_pod(c, p->key);
    struct sched_node *n = node_of(c, p->node);
    if (n->n_pods == n->pods_cap) {
        n->pods_cap = n->pods_cap ? 2 * n->pods_cap : 16;
        n->pods = xrealloc(n->pods, n->pods_cap * sizeof(struct sched_pod *));
    }
    n->pods[n->n_pods++] = p;
    charge(n, p, 1);
    join_group(c, p);
    map_put(&c->pods, p->key, p);
    if (p->terms[TERMS_AWAY].n)
        map_put(&c->repellers, p->key, p);
    if (p->terms[TERMS_NEAR].n || p->terms[TERMS_PREFERRED].n)
        map_put(&c->attracted, p->key, p);
}

struct sched_pod *cluster_detach_pod(struct cluster *c, const char *key)
{
    struct sched_pod *p = map_get(&c->pods, key);
    if (!p)
        return NULL;
    struct sched_node *n = node_of(c, p->node);
    for (size_t i = 0; i < n->n_pods; i++) {
        if (n->pods[i] != p)
            continue;
        n->pods[i] = n->pods[--n->n_pods];
        break;
    }
    charge(n, p, -1);
    leave_group(c, p);
    map_del(&c->pods, p->key);
    map_del(&c->repellers, p->key);
    map_del(&c->attracted, p->key);
    if (!n->known && !n->n_pods)
        node_free(map_del(&c->nodes, n->name));
    return p;
}

bool cluster_remove_pod(struct cluster *c, const char *key)
{
    struct sched_pod *p = cluster_detach_pod(c, key);
    sched_pod_free(p);
    return p != NULL;
}

/* --- namespaces --- */

static void free_labels(void *labels)
{
    json_decref(labels);
}

bool cluster_set_namespace(struct cluster *c, const char *name, const json_t *labels)
{
    json_t *old = map_get(&c->namespaces, name);
    bool news = old ? !labels || !json_equal(old, labels) : labels != NULL;
    if (!news)
        return false;
    if (labels)
        map_put(&c->namespaces, name, json_deep_copy(labels));
    else
        map_del(&c->namespaces, name);
    json_decref(old);
    return true;
}

struct sched_node *cluster_next_node(const struct cluster *c, struct map_entry **cursor)
{
    while ((*cursor = map_next(&c->nodes, *cursor)))
        if (((struct sched_node *)(*cursor)->value)->known)
            return (*cursor)->value;
    return NULL;
}

static void free_pod(void *p)
{
    sched_pod_free(p);
}

void cluster_done(struct cluster *c)
{
    map_done_with(&c->groups, free);
    free(c->free_groups);
    map_done(&c->repellers);
    map_done(&c->attracted);
    map_done_with(&c->namespaces, free_labels);
    map_done_with(&c->pods, free_pod);
    map_done_with(&c->nodes, node_free);
}
