/* See elements.h. */
#include "proxy/elements.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

const char *const set_names[SET_N] = {
    [SET_SVC] = "svc",
    [SET_EP] = "ep",
    [SET_EXTERNAL_LOCAL] = "external_local",
    [SET_EXTERNAL_CLUSTER] = "external_cluster",
    [SET_CLUSTER_IPS] = "cluster_ips",
    [SET_RESTRICTED] = "restricted",
    [SET_ALLOWED] = "allowed",
    [SET_AFFINE] = "affine",
    [SET_AFFINE_FOR] = "affine_for",
    [SET_HOST_PORTS] = "host_ports",
    [SET_HOST_PORTS_ON] = "host_ports_on",
};

/* Numbers, because nft looks protocol names up in /etc/protocols, once for each element. */
static const int protocol_numbers[PROTO_N] = {
    [PROTO_TCP] = IPPROTO_TCP,
    [PROTO_UDP] = IPPROTO_UDP,
    [PROTO_SCTP] = IPPROTO_SCTP,
};

size_t slots_chain(size_t n)
{
    size_t power = SLOTS_EXACT;
    if (n <= SLOTS_EXACT)
        return n;
    while (power < n)
        power *= 2;
    return power;
}

char *front_text(const struct plan *plan, const struct front *f, char out[FRONT_TEXT_SIZE])
{
    ip_format(&f->ip, out);
    if (f->kind != FRONT_ADDRESS)
        snprintf(out + strlen(out), 24, " . %d . %u", protocol_numbers[plan->ports[f->port_index].protocol], f->port);
    return out;
}

/* --- making the list --- */

struct maker {
    const struct site *site;
    const struct plan *plan;
    const struct plan_port *port;
    const struct front *front;
    char key[FRONT_TEXT_SIZE];
    struct elements *out;
};

static size_t add_text(struct buf *b, const char *fmt, va_list ap)
{
    size_t at = b->len;
    buf_addv(b, fmt, ap);
    buf_addc(b, '\0');
    return at;
}

__attribute__((format(printf, 3, 4))) static void element(struct maker *m, enum table_set set, const char *key_more,
                                                          ...)
{
    struct elements *e = m->out;
    va_list ap;
    if (e->n == e->cap) {
        e->cap = e->cap ? e->cap * 2 : 8;
        e->list = xrealloc(e->list, e->cap * sizeof(*e->list));
    }
    struct element *el = &e->list[e->n++];
    el->set = set;
    el->key = e->text.len;
    buf_adds(&e->text, m->key);
    va_start(ap, key_more);
    add_text(&e->text, key_more, ap);
    va_end(ap);
    el->value = e->text.len - 1; /* the empty text, until value() says otherwise */
}

__attribute__((format(printf, 2, 3))) static void value(struct maker *m, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    m->out->list[m->out->n - 1].value = add_text(&m->out->text, fmt, ap);
    va_end(ap);
}

/* "default/web:http" in the listing. The kernel keeps 128 bytes of it; only characters of names get there. */
static const char *comment(const struct maker *m, char out[128])
{
    snprintf(out, 128, "%s/%s%s%s", m->plan->ns, m->plan->name, *m->port->name ? ":" : "", m->port->name);
    for (char *c = out; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-./:", *c))
            *c = '?';
    return out;
}

static void verdict(struct maker *m, enum table_set set, const struct slots *slots, const char *chains)
{
    char text[128];
    element(m, set, "%s", "");
    if (!m->port->cluster.n)
        value(m, "comment \"%s\" : goto refuse", comment(m, text));
    else if (!slots->n)
        value(m, "comment \"%s\" : drop", comment(m, text));
    else
        value(m, "comment \"%s\" : goto %s%zu", comment(m, text), chains, slots_chain(slots->n));
}

static void slot_elements(struct maker *m, const struct slots *slots, size_t first)
{
    char ip[IP_TEXT_SIZE];
    for (size_t i = 0; i < slots->n; i++) {
        element(m, SET_EP, " . %zu", first + i);
        value(m, ": %s . %u", ip_format(&slots->list[i].ip, ip), slots->list[i].port);
    }
}

/* A source allowed, as the tail of a key of `allowed`. A whole-length prefix must be written as an address. */
static void allow(struct maker *m, const struct cidr *c)
{
    char text[CIDR_TEXT_SIZE];
    bool single = c->prefix == (c->ip.family == AF_INET ? 32 : 128);
    element(m, SET_ALLOWED, " . %s", single ? ip_format(&c->ip, text) : cidr_format(c, text));
}

/* A node in range reaches the address from the address itself, when it holds it. */
static void allow_own(struct maker *m)
{
    struct cidr own = {.ip = m->front->ip, .prefix = m->front->ip.family == AF_INET ? 32 : 128};
    bool node_in_range = false;
    for (size_t i = 0; i < m->plan->n_ranges; i++) {
        if (cidr_covers(&m->plan->ranges[i], &own))
            return;
        node_in_range |= cidr_has(&m->plan->ranges[i], &m->site->node_ip);
    }
    if (node_in_range)
        allow(m, &own);
}

static void restriction(struct maker *m)
{
    if (m->front->kind != FRONT_LOAD_BALANCER || !m->plan->n_ranges)
        return;
    element(m, SET_RESTRICTED, "%s", "");
    for (size_t i = 0; i < m->plan->n_ranges; i++)
        allow(m, &m->plan->ranges[i]);
    allow_own(m);
}

static void external_front(struct maker *m)
{
    const struct plan_port *p = m->port;
    verdict(m, SET_SVC, &p->cluster, "ep");
    slot_elements(m, &p->cluster, 0);
    restriction(m);
    if (m->plan->external_local && p->cluster.n) {
        verdict(m, SET_EXTERNAL_LOCAL, &p->local, "local");
        slot_elements(m, &p->local, LOCAL_SLOTS_AT);
    } else if (p->cluster.n) {
        element(m, SET_EXTERNAL_CLUSTER, "%s", "");
    }
}

static void cluster_front(struct maker *m)
{
    const struct slots *slots = m->plan->internal_local ? &m->port->local : &m->port->cluster;
    verdict(m, SET_SVC, slots, "ep");
    slot_elements(m, slots, 0);
}

static void affinity_elements(struct maker *m)
{
    bool local = m->front->kind == FRONT_CLUSTER ? m->plan->internal_local : m->plan->external_local;
    element(m, SET_AFFINE, "%s", "");
    value(m, ": %u", local ? m->port->affinity.local : m->port->affinity.cluster);
    element(m, SET_AFFINE_FOR, "%s", "");
    value(m, ": goto " REMEMBER_CHAIN, m->plan->affinity_seconds);
}

static void host_front(struct maker *m)
{
    const struct target *pod = &m->port->cluster.list[0];
    char text[128], ip[IP_TEXT_SIZE];
    bool any = front_is_any(m->front);
    if (any)
        snprintf(m->key, sizeof(m->key), "%d . %u", protocol_numbers[m->port->protocol], m->front->port);
    element(m, any ? SET_HOST_PORTS : SET_HOST_PORTS_ON, "%s", "");
    value(m, "comment \"%s\" : %s . %u", comment(m, text), ip_format(&pod->ip, ip), pod->port);
}

static void front_elements(struct maker *m)
{
    front_text(m->plan, m->front, m->key);
    if (m->front->kind == FRONT_ADDRESS) {
        element(m, SET_CLUSTER_IPS, "%s", "");
        return;
    }
    m->port = &m->plan->ports[m->front->port_index];
    if (m->front->kind == FRONT_CLUSTER)
        cluster_front(m);
    else if (m->front->kind == FRONT_HOST)
        host_front(m);
    else
        external_front(m);
    if (m->plan->affinity_seconds && m->port->cluster.n)
        affinity_elements(m);
}

static int compare_elements(const void *pa, const void *pb, void *text)
{
    const struct element *a = pa, *b = pb;
    if (a->set != b->set)
        return a->set < b->set ? -1 : 1;
    return strcmp((char *)text + a->key, (char *)text + b->key);
}

void elements_of(const struct site *site, const struct plan *plan, struct elements *ret)
{
    struct maker m = {.site = site, .plan = plan, .out = ret};
    *ret = (struct elements){0};
    for (size_t i = 0; plan && i < plan->n_fronts; i++) {
        m.front = &plan->fronts[i];
        if (m.front->held)
            front_elements(&m);
    }
    if (ret->n)
        qsort_r(ret->list, ret->n, sizeof(*ret->list), compare_elements, ret->text.data);
}

void elements_done(struct elements *e)
{
    buf_done(&e->text);
    free(e->list);
    *e = (struct elements){0};
}

/* --- differences --- */

static void change_element(struct buf *b, const struct elements *e, const struct element *el, bool with_value)
{
    const char *v = e->text.data + el->value;
    buf_addf(b, "%s%s%s%s", b->len ? ", " : "", e->text.data + el->key, with_value && *v ? " " : "",
             with_value ? v : "");
}

static int compare_across(const struct elements *a, const struct element *x, const struct elements *b,
                          const struct element *y)
{
    if (x->set != y->set)
        return x->set < y->set ? -1 : 1;
    return strcmp(a->text.data + x->key, b->text.data + y->key);
}

void change_add(struct change *c, const struct elements *before, const struct elements *after)
{
    size_t i = 0, k = 0;
    while (i < before->n || k < after->n) {
        const struct element *x = i < before->n ? &before->list[i] : NULL, *y = k < after->n ? &after->list[k] : NULL;
        int order = !x ? 1 : !y ? -1 : compare_across(before, x, after, y);
        if (order == 0 && streq(before->text.data + x->value, after->text.data + y->value)) {
            i++;
            k++;
            continue;
        }
        if (order <= 0) {
            change_element(&c->del[x->set], before, x, false);
            i++;
        }
        if (order >= 0) {
            change_element(&c->add[y->set], after, y, true);
            k++;
        }
    }
}

bool change_empty(const struct change *c)
{
    for (int s = 0; s < SET_N; s++)
        if (c->del[s].len || c->add[s].len)
            return false;
    return true;
}

void change_clear(struct change *c)
{
    for (int s = 0; s < SET_N; s++) {
        buf_clear(&c->del[s]);
        buf_clear(&c->add[s]);
    }
}

void change_done(struct change *c)
{
    for (int s = 0; s < SET_N; s++) {
        buf_done(&c->del[s]);
        buf_done(&c->add[s]);
    }
}
