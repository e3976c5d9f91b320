/* See peerset.h. */
#include "netpol/peerset.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "netpol/words.h"

#define ALL "*" /* no selector reads like that */

struct member {
    int count; /* of pods with that address: a new one may have it before the old one is gone */
    bool v6, written;
    char *comment;
};

char *peerset_key(const struct peerset_want *want)
{
    struct buf b = BUF_INIT(0);
    if (want->peer && want->peer->namespaces)
        buf_addf(&b, "namespaces %s", *want->peer->namespaces ? want->peer->namespaces : ALL);
    else if (want->peer)
        buf_addf(&b, "namespace %s", want->ns);
    if (want->peer)
        buf_addf(&b, " pods %s", *want->peer->pods ? want->peer->pods : ALL);
    else
        buf_adds(&b, "pods");
    if (want->blocks) {
        buf_adds(&b, " at ");
        ranges_print(want->blocks, AF_INET, &b);
        buf_adds(&b, " ");
        ranges_print(want->blocks, AF_INET6, &b);
    }
    if (want->port)
        buf_addf(&b, " port %s/%s", svc_protocol_name(want->port->protocol), want->port->name);
    return buf_take(&b);
}

struct peerset *peerset_new(const struct peerset_want *want, unsigned id)
{
    struct peerset *s = NEW(struct peerset);
    struct err ignored;
    s->id = id;
    s->key = peerset_key(want);
    s->ns = xstrdup(want->ns);
    if (want->peer) {
        s->namespaces = want->peer->namespaces ? selector_parse(want->peer->namespaces, &ignored) : NULL;
        s->pods = selector_parse(want->peer->pods, &ignored);
    }
    s->by_address = !want->peer;
    s->broken =
        (want->peer && (!s->pods || (want->peer->namespaces && !s->namespaces))) || (want->blocks && !want->blocks->n);
    if (want->blocks)
        ranges_add_all(&s->blocks, want->blocks);
    if (want->port) {
        s->port_name = xstrdup(want->port->name);
        s->protocol = want->port->protocol;
    }
    return s;
}

static void member_free(void *arg)
{
    struct member *m = arg;
    free(m->comment);
    free(m);
}

void peerset_free(struct peerset *s)
{
    if (!s)
        return;
    map_done_with(&s->members, member_free);
    selector_free(s->namespaces);
    selector_free(s->pods);
    ranges_done(&s->blocks);
    free(s->port_name);
    free(s->ns);
    free(s->key);
    free(s);
}

/* --- members --- */

static void count(struct peerset *s, const struct world_pod *pod, const struct ip *ip, const char *text, int by)
{
    struct member *m = map_get(&s->members, text);
    char comment[COMMENT_SIZE];
    if (!m) {
        m = NEW(struct member);
        m->v6 = ip->family == AF_INET6;
        m->comment = xstrdup(comment_of(comment, "%s/%s", pod->object->ns, pod->object->name));
        map_put(&s->members, text, m);
    }
    m->count += by;
    s->touched = true;
}

static void count_pod(struct peerset *s, const struct world_pod *pod, int by)
{
    char ip[IP_TEXT_SIZE], text[IP_TEXT_SIZE + 16];
    for (int i = 0; i < pod->ips.n; i++) {
        ip_format(&pod->ips.ip[i], ip);
        if (s->blocks.n && !ranges_have(&s->blocks, &pod->ips.ip[i]))
            continue;
        if (!s->port_name)
            count(s, pod, &pod->ips.ip[i], ip, by);
        for (size_t j = 0; s->port_name && j < pod->n_ports; j++) {
            const struct pod_port *p = &pod->ports[j];
            if (p->protocol != s->protocol || !streq(p->name, s->port_name))
                continue;
            snprintf(text, sizeof(text), "%s . %u", ip, p->number);
            count(s, pod, &pod->ips.ip[i], text, by);
        }
    }
}

static bool means(const struct peerset *s, const struct world *w, const struct world_pod *pod)
{
    return !s->broken && (s->by_address || world_selects(w, s->namespaces, s->ns, s->pods, pod));
}

void peerset_join(struct peerset *s, const struct world *w, const struct world_pod *pod)
{
    if (means(s, w, pod))
        count_pod(s, pod, 1);
}

void peerset_leave(struct peerset *s, const struct world *w, const struct world_pod *pod)
{
    if (means(s, w, pod))
        count_pod(s, pod, -1);
}

void peerset_empty(struct peerset *s)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->members, e));)
        ((struct member *)e->value)->count = 0;
    s->touched = true;
}

/* --- in the kernel --- */

const char *peerset_name(const struct peerset *s, int family, char out[PEERSET_NAME_SIZE])
{
    snprintf(out, PEERSET_NAME_SIZE, "pods_%u%s", s->id, family == AF_INET6 ? "_v6" : "");
    return out;
}

static void write_set(const struct peerset *s, int family, struct buf *out)
{
    char name[PEERSET_NAME_SIZE], comment[COMMENT_SIZE];
    buf_addf(out, "add set " TABLE " %s { type %s%s; comment \"%s\"; }\n", peerset_name(s, family, name),
             family == AF_INET6 ? "ipv6_addr" : "ipv4_addr", s->port_name ? " . inet_service" : "",
             comment_of(comment, "%s", s->key));
}

static void write_members(struct peerset *s, int family, bool add, struct buf *out)
{
    char name[PEERSET_NAME_SIZE];
    bool any = false;
    for (struct map_entry *e = NULL; (e = map_next(&s->members, e));) {
        struct member *m = e->value;
        if (m->v6 != (family == AF_INET6) || m->written == (m->count > 0) || m->written == add)
            continue;
        if (!any)
            buf_addf(out, "%s element " TABLE " %s { ", add ? "add" : "delete", peerset_name(s, family, name));
        buf_addf(out, "%s%s", any ? ", " : "", e->key);
        if (add)
            buf_addf(out, " comment \"%s\"", m->comment);
        m->written = add;
        any = true;
    }
    if (any)
        buf_adds(out, " }\n");
}

static void drop_unused(struct peerset *s)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->members, e));) {
        struct member *m = e->value;
        if (m->count > 0 || m->written)
            continue;
        map_del(&s->members, e->key);
        member_free(m);
    }
}

void peerset_write(struct peerset *s, const struct cidrs *families, struct buf *out)
{
    for (int i = 0; i < families->n; i++) {
        int family = families->cidr[i].ip.family;
        if (!s->written)
            write_set(s, family, out);
        write_members(s, family, false, out);
        write_members(s, family, true, out);
    }
    drop_unused(s);
    s->written = true;
    s->touched = false;
}

void peerset_write_end(const struct peerset *s, const struct cidrs *families, struct buf *out)
{
    char name[PEERSET_NAME_SIZE];
    for (int i = 0; i < families->n; i++)
        buf_addf(out, "delete set " TABLE " %s\n", peerset_name(s, families->cidr[i].ip.family, name));
}

void peerset_forget_written(struct peerset *s)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->members, e));)
        ((struct member *)e->value)->written = false;
    s->written = false;
    s->touched = true;
}
