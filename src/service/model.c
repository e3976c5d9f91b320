/* The model: an entry for every Service and for every name that slices point at. A change of a document costs the
 * parsing of that document and marks one entry; the entry is resolved again when somebody next looks. */
#include "service/model.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "service/resolve.h"

struct entry {
    char *key;   /* "ns/name" */
    bool exists; /* there is a Service; else only slices that wait for one */
    bool stale;  /* svc.ports' endpoints are not those of the slices */
    struct svc svc;
    size_t n_declared_ports;
    struct list slices;
};

/* The Services that hold one address: one, but for external addresses that several share. */
struct vip {
    struct entry **owners;
    size_t n;
};

struct model {
    struct map entries;    /* key -> struct entry */
    struct map slices;     /* "ns/name" of the slice -> struct slice */
    struct map vips;       /* address text -> struct vip */
    struct map zones;      /* node -> char * */
    struct map namespaces; /* name -> itself */
    struct list readers;
    size_t n_services;
    uint64_t revision;
};

struct model_reader {
    struct list link;
    struct model *model;
    struct map pending; /* keys of changed Services */
    bool told;
    void (*changed)(void *arg);
    void *arg;
};

static char *make_key(const char *ns, const char *name)
{
    return xasprintf("%s/%s", ns, name);
}

struct model *model_new(void)
{
    struct model *m = NEW(struct model);
    list_init(&m->readers);
    return m;
}

static void entry_free(void *p)
{
    struct entry *e = p;
    resolve_clear(&e->svc, e->n_declared_ports);
    service_done(&e->svc);
    free(e->key);
    free(e);
}

static void vip_free(void *p)
{
    free(((struct vip *)p)->owners);
    free(p);
}

static void free_slice(void *p)
{
    slice_free(p);
}

void model_free(struct model *m)
{
    if (!m)
        return;
    LIST_EACH(it, &m->readers)
        model_reader_free(container_of(it, struct model_reader, link));
    map_done_with(&m->slices, free_slice);
    map_done_with(&m->entries, entry_free);
    map_done_with(&m->vips, vip_free);
    map_done_with(&m->zones, free);
    map_done(&m->namespaces);
    free(m);
}

/* --- entries --- */

static struct entry *entry_get_or_add(struct model *m, const char *ns, const char *name)
{
    _cleanup_free_ char *key = make_key(ns, name);
    struct entry *e = map_get(&m->entries, key);
    if (e)
        return e;
    e = NEW(struct entry);
    e->key = TAKE(key);
    list_init(&e->slices);
    map_put(&m->entries, e->key, e);
    return e;
}

static void entry_drop_if_unused(struct model *m, struct entry *e)
{
    if (e->exists || !list_empty(&e->slices))
        return;
    map_del(&m->entries, e->key);
    entry_free(e);
}

static void wake(struct model_reader *r)
{
    if (r->told)
        return;
    r->told = true;
    r->changed(r->arg);
}

static void tell(struct model *m, const struct entry *e)
{
    LIST_EACH(it, &m->readers) {
        struct model_reader *r = container_of(it, struct model_reader, link);
        map_put(&r->pending, e->key, r);
        wake(r);
    }
}

static void endpoints_changed(struct model *m, struct entry *e)
{
    e->stale = true;
    if (e->exists)
        tell(m, e);
}

static const char *zone_of(const void *arg, const char *node)
{
    const struct model *m = arg;
    return str_or(map_get(&m->zones, node), "");
}

static const struct svc *resolved(struct model *m, struct entry *e)
{
    if (e->stale) {
        resolve(&e->svc, e->n_declared_ports, &e->slices, &(struct resolve_nodes){zone_of, m});
        e->stale = false;
    }
    return &e->svc;
}

/* --- addresses --- */

static void vip_add(struct model *m, const struct ip *ip, struct entry *e)
{
    char text[IP_TEXT_SIZE];
    struct vip *v = map_get(&m->vips, ip_format(ip, text));
    if (!v)
        map_put(&m->vips, text, v = NEW(struct vip));
    v->owners = xrealloc(v->owners, (v->n + 1) * sizeof(struct entry *));
    v->owners[v->n++] = e;
}

static void vip_remove(struct model *m, const struct ip *ip, struct entry *e)
{
    char text[IP_TEXT_SIZE];
    struct vip *v = map_get(&m->vips, ip_format(ip, text));
    for (size_t i = 0; v && i < v->n; i++) {
        if (v->owners[i] == e) {
            v->owners[i] = v->owners[--v->n];
            break;
        }
    }
    if (v && !v->n) {
        map_del(&m->vips, text);
        vip_free(v);
    }
}

static void each_vip(struct model *m, struct entry *e, void (*fn)(struct model *, const struct ip *, struct entry *))
{
    for (size_t i = 0; i < e->svc.n_cluster_ips; i++)
        fn(m, &e->svc.cluster_ips[i], e);
    for (size_t i = 0; i < e->svc.n_external_ips; i++)
        fn(m, &e->svc.external_ips[i], e);
    for (size_t i = 0; i < e->svc.n_lb_ips; i++)
        fn(m, &e->svc.lb_ips[i], e);
}

const struct svc *model_by_ip(struct model *m, const struct ip *ip)
{
    char text[IP_TEXT_SIZE];
    const struct vip *v = map_get(&m->vips, ip_format(ip, text));
    struct entry *first = NULL;
    for (size_t i = 0; v && i < v->n; i++)
        if (!first || strcmp(v->owners[i]->key, first->key) < 0)
            first = v->owners[i];
    return first ? resolved(m, first) : NULL;
}

/* --- documents --- */

void model_set_service(struct model *m, const char *ns, const char *name, const json_t *doc)
{
    struct entry *e = entry_get_or_add(m, ns, name);
    bool existed = e->exists;
    each_vip(m, e, vip_remove);
    resolve_clear(&e->svc, e->n_declared_ports);
    service_done(&e->svc);
    e->n_declared_ports = 0;
    e->exists = doc != NULL;
    m->n_services += (size_t)e->exists - (size_t)existed;
    if (doc) {
        service_parse(&e->svc, ns, name, doc);
        e->n_declared_ports = e->svc.n_ports;
        each_vip(m, e, vip_add);
    }
    e->stale = true;
    if (existed || e->exists)
        tell(m, e);
    entry_drop_if_unused(m, e);
}

static void slice_detach(struct model *m, const char *ns, struct slice *s)
{
    _cleanup_free_ char *key = make_key(ns, s->service);
    struct entry *e = *s->service ? map_get(&m->entries, key) : NULL;
    list_remove(&s->link);
    if (!e)
        return;
    endpoints_changed(m, e);
    entry_drop_if_unused(m, e);
}

void model_set_slice(struct model *m, const char *ns, const char *name, const json_t *doc)
{
    _cleanup_free_ char *key = make_key(ns, name);
    struct slice *old = map_get(&m->slices, key), *now = doc ? slice_parse(doc) : NULL;
    if (old && now && slice_equal(old, now)) {
        slice_free(now);
        return;
    }
    if (now) {
        map_put(&m->slices, key, now);
        if (*now->service) {
            struct entry *e = entry_get_or_add(m, ns, now->service);
            list_append(&e->slices, &now->link);
            endpoints_changed(m, e);
        }
    } else {
        map_del(&m->slices, key);
    }
    if (old) {
        slice_detach(m, ns, old);
        slice_free(old);
    }
}

/* Its endpoints' zone, or what their hints mean for the node. */
static bool cares_for_zone(const struct entry *e, const char *node)
{
    LIST_EACH(it, &e->slices) {
        const struct slice *s = container_of(it, struct slice, link);
        for (size_t i = 0; i < s->n_endpoints; i++)
            if (*s->endpoints[i].for_zones || (!*s->endpoints[i].zone && streq(s->endpoints[i].node, node)))
                return true;
    }
    return false;
}

/* Nodes hardly ever change their zone, so that looking through all endpoints is cheaper than an index. */
void model_set_node(struct model *m, const char *name, const json_t *doc)
{
    const char *zone = doc ? str_or(label_of(doc, "topology.kubernetes.io/zone"), "") : "";
    if (streq(zone, zone_of(m, name)))
        return;
    _cleanup_free_ char *old = *zone ? map_put(&m->zones, name, xstrdup(zone)) : map_del(&m->zones, name);
    for (struct map_entry *it = NULL; (it = map_next(&m->entries, it));)
        if (cares_for_zone(it->value, name))
            endpoints_changed(m, it->value);
}

void model_set_namespace(struct model *m, const char *name, bool exists)
{
    if (exists)
        map_put(&m->namespaces, name, m);
    else
        map_del(&m->namespaces, name);
}

bool model_has_namespace(const struct model *m, const char *name)
{
    return map_get(&m->namespaces, name) != NULL;
}

/* --- how far the slices are --- */

void model_set_revision(struct model *m, uint64_t revision)
{
    m->revision = revision;
    LIST_EACH(it, &m->readers)
        wake(container_of(it, struct model_reader, link));
}

uint64_t model_revision(const struct model *m)
{
    return m->revision;
}

/* Terminating endpoints stay `ready` where not-ready ones are published too; they are on their way out all the same. */
enum pod_published model_pod_published(const struct model *m, const char *ns, const char *name)
{
    enum pod_published result = POD_ABSENT;
    for (struct map_entry *it = NULL; (it = map_next(&m->slices, it));) {
        const struct slice *s = it->value;
        for (size_t i = 0; i < s->n_endpoints; i++) {
            const struct svc_endpoint *e = &s->endpoints[i];
            if (!streq(e->target_name, name) || !streq(e->target_ns, ns))
                continue;
            if (e->ready && !e->terminating)
                return POD_PUBLISHED;
            result = POD_WITHDRAWN;
        }
    }
    return result;
}

/* --- reading --- */

const char *model_zone_of(const struct model *m, const char *node)
{
    return zone_of(m, node);
}

static const struct svc *get_by_key(struct model *m, const char *key)
{
    struct entry *e = map_get(&m->entries, key);
    return e && e->exists ? resolved(m, e) : NULL;
}

const struct svc *model_get(struct model *m, const char *ns, const char *name)
{
    _cleanup_free_ char *key = make_key(ns, name);
    return get_by_key(m, key);
}

const struct svc *model_next(struct model *m, void **cursor)
{
    for (struct map_entry *it = *cursor; (it = map_next(&m->entries, it));) {
        struct entry *e = it->value;
        *cursor = it;
        if (e->exists)
            return resolved(m, e);
    }
    return NULL;
}

size_t model_count(const struct model *m)
{
    return m->n_services;
}

struct model_reader *model_reader_new(struct model *m, void (*changed)(void *arg), void *arg)
{
    struct model_reader *r = NEW(struct model_reader);
    r->model = m;
    r->changed = changed;
    r->arg = arg;
    list_append(&m->readers, &r->link);
    for (struct map_entry *it = NULL; (it = map_next(&m->entries, it));)
        if (((struct entry *)it->value)->exists)
            map_put(&r->pending, it->key, r);
    return r;
}

void model_reader_free(struct model_reader *r)
{
    if (!r)
        return;
    list_remove(&r->link);
    map_done(&r->pending);
    free(r);
}

static bool has_endpoint_on(const struct entry *e, const char *node)
{
    LIST_EACH(it, &e->slices) {
        const struct slice *s = container_of(it, struct slice, link);
        for (size_t i = 0; i < s->n_endpoints; i++)
            if (streq(s->endpoints[i].node, node))
                return true;
    }
    return false;
}

/* node NULL: all. */
static void touch(struct model_reader *r, const char *node)
{
    for (struct map_entry *it = NULL; (it = map_next(&r->model->entries, it));) {
        const struct entry *e = it->value;
        if (e->exists && (!node || has_endpoint_on(e, node)))
            map_put(&r->pending, it->key, r);
    }
    if (r->pending.len)
        wake(r);
}

void model_touch_node(struct model_reader *r, const char *node)
{
    touch(r, node);
}

void model_touch_all(struct model_reader *r)
{
    touch(r, NULL);
}

void model_take(struct model_reader *r,
                void (*visit)(void *arg, const char *ns, const char *name, const struct svc *svc), void *arg)
{
    struct map taken = r->pending;
    r->pending = (struct map){0};
    r->told = false;
    for (struct map_entry *it = NULL; (it = map_next(&taken, it));) {
        const char *slash = strchr(it->key, '/');
        _cleanup_free_ char *ns = xstrndup(it->key, (size_t)(slash - it->key));
        visit(arg, ns, slash + 1, get_by_key(r->model, it->key));
    }
    map_done(&taken);
}
