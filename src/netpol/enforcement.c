/* See enforcement.h. Everything knows whether the kernel has it, so what to write is read off at the end of a turn,
 * however often it has changed in between. */
#define LOG_AREA "netpol"
#include "netpol/enforcement.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "json/json.h"
#include "netpol/chain.h"
#include "netpol/words.h"
#include "podnet/podnet.h"

static const struct {
    const char *map, *chain;
} names[DIRECTION_N] = {[INGRESS] = {"ingress", "in"}, [EGRESS] = {"egress", "out"}};

struct chain {
    enum direction direction;
    unsigned id;
    char *key; /* direction and lines */
    struct chain_draft draft;
    int refs; /* of locals, which want it or have it in the kernel */
    bool written;
};

/* A pod of this node. */
struct local {
    char link[IF_NAMESIZE];
    char *name;                  /* "ns/name", for people */
    const struct world_pod *pod; /* NULL: gone */
    bool dirty;                  /* what it wants has to be found out anew */
    struct chain *wants[DIRECTION_N], *has[DIRECTION_N];
    unsigned written_in;
};

struct enforcement {
    struct enforcement_site site;
    struct world world;
    struct map locals;   /* by link */
    struct map chains;   /* by key */
    struct map peersets; /* by key */
    unsigned last_id, takes;
    bool has_table, unsure; /* unsure: what is in the kernel is not known */
};

/* --- chains and sets --- */

static struct peerset *find_peerset(void *arg, const struct peerset_want *want)
{
    struct enforcement *r = arg;
    _cleanup_free_ char *key = peerset_key(want);
    struct peerset *s = map_get(&r->peersets, key);
    if (s)
        return s;
    s = peerset_new(want, ++r->last_id);
    map_put(&r->peersets, key, s);
    for (struct map_entry *e = NULL; (e = map_next(&r->world.pods, e));)
        peerset_join(s, &r->world, e->value);
    return s;
}

static struct chain *find_chain(struct enforcement *r, enum direction d, struct chain_draft *draft)
{
    _cleanup_free_ char *key = xasprintf("%s %s", names[d].map, buf_str(&draft->text));
    struct chain *c = map_get(&r->chains, key);
    if (c) {
        chain_draft_done(draft);
        return c;
    }
    c = NEW(struct chain);
    *c = (struct chain){.direction = d, .id = ++r->last_id, .key = xstrdup(key), .draft = *draft};
    map_put(&r->chains, key, c);
    return c;
}

/* Either may be NULL. */
static void point(struct chain **at, struct chain *to)
{
    if (to)
        to->refs++;
    if (*at)
        (*at)->refs--;
    *at = to;
}

static void decide(struct enforcement *r, struct local *l, const struct netpolicy **scratch)
{
    for (int i = 0; i < DIRECTION_N; i++) {
        enum direction d = (enum direction)i;
        struct chain_draft draft;
        size_t n = l->pod ? world_policies_of(&r->world, d, l->pod, scratch) : 0;
        if (!n) {
            point(&l->wants[d], NULL);
            continue;
        }
        chain_draft(&draft, d, l->pod, scratch, n, &r->site.pods, find_peerset, r);
        if (draft.cut)
            log_warn("node %s: policies come to more than %d rules for pod %s: what the others allow is refused",
                     r->site.node_name, CHAIN_LINES_MAX, l->name);
        point(&l->wants[d], find_chain(r, d, &draft));
    }
}

/* Returns whether any pod is isolated. */
static bool decide_all(struct enforcement *r)
{
    _cleanup_free_ const struct netpolicy **scratch = xcalloc(r->world.policies.len + 1, sizeof(*scratch));
    bool any = false;
    for (struct map_entry *e = NULL; (e = map_next(&r->locals, e));) {
        struct local *l = e->value;
        if (l->dirty)
            decide(r, l, scratch);
        if (l->dirty || r->unsure)
            l->written_in = r->takes;
        l->dirty = false;
        any |= l->wants[INGRESS] || l->wants[EGRESS];
    }
    return any;
}

/* --- commands --- */

static void write_base(const struct enforcement *r, struct buf *out)
{
    char comment[COMMENT_SIZE];
    buf_adds(out, "table " TABLE " {\n");
    buf_addf(out, "  comment \"%s\"\n", comment_of(comment, "NetworkPolicies of node %s", r->site.node_name));
    buf_adds(out, "  map egress { type ifname : verdict; }\n  map ingress { type ifname : verdict; }\n"
                  "  chain forward {\n    type filter hook forward priority 0; policy accept;\n"
                  "    ct state established,related accept\n"
                  "    ct status dnat fib daddr . iif oif exists accept comment \"a pod reaches itself\"\n"
                  "    iifname vmap @egress\n    oifname vmap @ingress\n  }\n"
                  "  chain input {\n    type filter hook input priority 0; policy accept;\n"
                  "    ct state established,related accept\n"
                  "    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept\n"
                  "    iifname vmap @egress\n  }\n}\n");
}

static void write_chain(struct chain *c, struct buf *out)
{
    buf_addf(out, "table " TABLE " {\n chain %s_%u {\n%s counter drop\n }\n}\n", names[c->direction].chain, c->id,
             buf_str(&c->draft.text));
    c->written = true;
}

static void write_local(struct local *l, struct buf *out)
{
    char comment[COMMENT_SIZE];
    for (int d = 0; d < DIRECTION_N; d++) {
        if (l->wants[d] == l->has[d])
            continue;
        if (l->has[d])
            buf_addf(out, "delete element " TABLE " %s { \"%s\" }\n", names[d].map, l->link);
        if (l->wants[d])
            buf_addf(out, "add element " TABLE " %s { \"%s\" comment \"%s\" : jump %s_%u }\n", names[d].map, l->link,
                     comment_of(comment, "%s", l->name), names[d].chain, l->wants[d]->id);
        point(&l->has[d], l->wants[d]);
    }
}

static void local_free(struct local *l)
{
    for (int d = 0; d < DIRECTION_N; d++) {
        point(&l->wants[d], NULL);
        point(&l->has[d], NULL);
    }
    free(l->name);
    free(l);
}

static void chain_free(struct chain *c)
{
    chain_draft_done(&c->draft);
    free(c->key);
    free(c);
}

/* What nobody needs any more goes, from the kernel as well if it is there. */
static void sweep(struct enforcement *r, struct buf *out)
{
    for (struct map_entry *e = NULL; (e = map_next(&r->locals, e));) {
        struct local *l = e->value;
        if (!l->pod && !l->has[INGRESS] && !l->has[EGRESS]) {
            map_del(&r->locals, l->link);
            local_free(l);
        }
    }
    for (struct map_entry *e = NULL; (e = map_next(&r->chains, e));) {
        struct chain *c = e->value;
        if (c->refs)
            continue;
        if (c->written)
            buf_addf(out, "delete chain " TABLE " %s_%u\n", names[c->direction].chain, c->id);
        map_del(&r->chains, c->key);
        chain_free(c);
    }
    for (struct map_entry *e = NULL; (e = map_next(&r->peersets, e));) {
        struct peerset *s = e->value;
        if (s->refs)
            continue;
        if (s->written)
            peerset_write_end(s, &r->site.pods, out);
        map_del(&r->peersets, s->key);
        peerset_free(s);
    }
}

static void write_difference(struct enforcement *r, struct buf *out)
{
    for (struct map_entry *e = NULL; (e = map_next(&r->peersets, e));) {
        struct peerset *s = e->value;
        if (s->refs && (s->touched || !s->written))
            peerset_write(s, &r->site.pods, out);
    }
    for (struct map_entry *e = NULL; (e = map_next(&r->chains, e));) {
        struct chain *c = e->value;
        if (c->refs && !c->written)
            write_chain(c, out);
    }
    for (struct map_entry *e = NULL; (e = map_next(&r->locals, e));)
        write_local(e->value, out);
}

static void forget_written(struct enforcement *r)
{
    for (struct map_entry *e = NULL; (e = map_next(&r->locals, e));)
        for (int d = 0; d < DIRECTION_N; d++)
            point(&((struct local *)e->value)->has[d], NULL);
    for (struct map_entry *e = NULL; (e = map_next(&r->chains, e));)
        ((struct chain *)e->value)->written = false;
    for (struct map_entry *e = NULL; (e = map_next(&r->peersets, e));)
        peerset_forget_written(e->value);
    r->has_table = false;
}

void enforcement_forget(struct enforcement *r)
{
    forget_written(r);
    r->unsure = true;
}

void enforcement_take(struct enforcement *r, struct buf *out)
{
    r->takes++;
    bool wanted = decide_all(r);
    if (r->unsure)
        buf_adds(out, "add table " TABLE "\ndelete table " TABLE "\n");
    else if (!wanted && r->has_table)
        buf_adds(out, "delete table " TABLE "\n");
    if (!wanted) {
        forget_written(r);
    } else {
        if (!r->has_table)
            write_base(r, out);
        r->has_table = true;
        write_difference(r, out);
    }
    r->unsure = false;
    sweep(r, out);
}

/* --- changes --- */

static bool is_here(const struct enforcement *r, const struct world_pod *p)
{
    return p && streq(p->node, r->site.node_name);
}

static void local_gone(struct enforcement *r, const struct world_pod *p)
{
    char link[IF_NAMESIZE];
    podnet_link_name(p->object->uid, link);
    struct local *l = map_get(&r->locals, link);
    if (l) {
        l->pod = NULL;
        l->dirty = true;
    }
}

static void local_changed(struct enforcement *r, const struct world_pod *p, const char *name)
{
    char link[IF_NAMESIZE];
    podnet_link_name(p->object->uid, link);
    struct local *l = map_get(&r->locals, link);
    if (!l) {
        l = NEW(struct local);
        memcpy(l->link, link, sizeof(link));
        l->name = xstrdup(name);
        map_put(&r->locals, link, l);
    }
    l->pod = p;
    l->dirty = true;
}

static void change_pod(struct enforcement *r, const char *key, struct world_pod *now)
{
    struct world_pod *old = map_get(&r->world.pods, key);
    if (world_pod_equal(old, now)) {
        if (now) /* the old version need not be kept */
            world_pod_renew(old, now);
        return;
    }
    for (struct map_entry *e = NULL; (e = map_next(&r->peersets, e));) {
        if (old)
            peerset_leave(e->value, &r->world, old);
        if (now)
            peerset_join(e->value, &r->world, now);
    }
    if (is_here(r, old))
        local_gone(r, old);
    if (is_here(r, now))
        local_changed(r, now, key);
    if (now)
        map_put(&r->world.pods, key, now);
    else
        map_del(&r->world.pods, key);
    world_pod_free(old);
}

void enforcement_set_pod(struct enforcement *r, const char *ns, const char *name, struct object *obj)
{
    _cleanup_free_ char *key = xasprintf("%s/%s", ns, name);
    change_pod(r, key, obj ? world_pod_new(obj) : NULL);
}

static bool is_about(const struct netpolicy *p, const struct world_pod *pod)
{
    return p && (netpolicy_selects(p, INGRESS, pod->object) || netpolicy_selects(p, EGRESS, pod->object));
}

void enforcement_set_policy(struct enforcement *r, const char *ns, const char *name, struct object *obj)
{
    _cleanup_free_ char *key = xasprintf("%s/%s", ns, name);
    _cleanup_json_ json_t *doc = obj ? object_json(obj) : NULL;
    struct netpolicy *now = obj ? netpolicy_new(ns, name, doc) : NULL;
    struct netpolicy *old = now ? map_put(&r->world.policies, key, now) : map_del(&r->world.policies, key);
    for (struct map_entry *e = NULL; (e = map_next(&r->locals, e));) {
        struct local *l = e->value;
        if (l->pod && (is_about(old, l->pod) || is_about(now, l->pod)))
            l->dirty = true;
    }
    netpolicy_free(old);
}

static void move_pods_of(struct enforcement *r, const char *ns,
                         void (*move)(struct peerset *, const struct world *, const struct world_pod *))
{
    for (struct map_entry *e = NULL; (e = map_next(&r->world.pods, e));) {
        const struct world_pod *p = e->value;
        if (!streq(p->object->ns, ns))
            continue;
        for (struct map_entry *s = NULL; (s = map_next(&r->peersets, s));)
            if (((struct peerset *)s->value)->namespaces)
                move(s->value, &r->world, p);
    }
}

void enforcement_set_namespace(struct enforcement *r, const char *name, struct object *obj)
{
    struct object *old = map_get(&r->world.namespaces, name);
    if (old && obj && object_labels_equal(old, obj))
        return;
    move_pods_of(r, name, peerset_leave);
    if (obj)
        map_put(&r->world.namespaces, name, object_ref(obj));
    else
        map_del(&r->world.namespaces, name);
    move_pods_of(r, name, peerset_join);
    object_unref(old);
}

/* --- life --- */

static void know_dns(struct enforcement *r)
{
    if (r->site.dns.n)
        change_pod(r, "the node's own DNS", world_dns_pod(&r->site.dns));
}

struct enforcement *enforcement_new(const struct enforcement_site *site)
{
    struct enforcement *r = NEW(struct enforcement);
    r->site = *site;
    know_dns(r);
    return r;
}

void enforcement_clear(struct enforcement *r)
{
    for (struct map_entry *e = NULL; (e = map_next(&r->locals, e));) {
        struct local *l = e->value;
        l->pod = NULL;
        l->dirty = true;
    }
    for (struct map_entry *e = NULL; (e = map_next(&r->peersets, e));)
        peerset_empty(e->value);
    world_done(&r->world);
    r->world = (struct world){0};
    know_dns(r);
}

static void free_local(void *l)
{
    local_free(l);
}

static void free_chain(void *c)
{
    chain_free(c);
}

static void free_peerset(void *s)
{
    peerset_free(s);
}

void enforcement_free(struct enforcement *r)
{
    if (!r)
        return;
    map_done_with(&r->locals, free_local);
    map_done_with(&r->chains, free_chain);
    map_done_with(&r->peersets, free_peerset);
    world_done(&r->world);
    free(r);
}

/* --- questions --- */

const struct world *enforcement_world(const struct enforcement *r)
{
    return &r->world;
}

bool enforcement_has_table(const struct enforcement *r)
{
    return r->has_table;
}

unsigned enforcement_written_in(const struct enforcement *r, const char *uid)
{
    char link[IF_NAMESIZE];
    podnet_link_name(uid, link);
    const struct local *l = map_get(&r->locals, link);
    return l && l->pod && !l->dirty ? l->written_in : 0;
}

unsigned enforcement_takes(const struct enforcement *r)
{
    return r->takes;
}
