/* See chain.h. */
#include "netpol/chain.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "netpol/words.h"

struct writer {
    struct chain_draft *out;
    enum direction direction;
    const struct world_pod *pod;
    const struct netpolicy *policy;
    const struct netpolicy_rule *rule;
    const struct cidrs *families;
    peerset_find_fn *find;
    void *arg;
};

static bool holds(const struct chain_draft *c, const struct peerset *set)
{
    for (size_t i = 0; i < c->n_sets; i++)
        if (c->sets[i] == set)
            return true;
    return false;
}

static struct peerset *hold(struct writer *w, const struct peerset_want *want)
{
    struct chain_draft *c = w->out;
    struct peerset *set = w->find(w->arg, want);
    if (holds(c, set))
        return set;
    set->refs++;
    c->sets = xrealloc(c->sets, (c->n_sets + 1) * sizeof(struct peerset *));
    c->sets[c->n_sets++] = set;
    return set;
}

/* "PEER PORTS return", either of them possibly empty. */
static void line(struct writer *w, const char *peer, const char *ports)
{
    char comment[COMMENT_SIZE];
    struct chain_draft *c = w->out;
    if (c->n_lines == CHAIN_LINES_MAX) {
        c->cut = true;
        return;
    }
    c->n_lines++;
    buf_addf(&c->text, "%s%s%s%sreturn comment \"%s\"\n", peer, *peer ? " " : "", ports, *ports ? " " : "",
             comment_of(comment, "%s/%s", w->policy->ns, w->policy->name));
}

static const char *ip_word(int family)
{
    return family == AF_INET6 ? "ip6" : "ip";
}

/* The other side's address in the packet. */
static const char *side(const struct writer *w)
{
    return w->direction == INGRESS ? "saddr" : "daddr";
}

/* A line for each thing that the rule means by its peers, with these ports. */
static void lines_of_peers(struct writer *w, const char *ports)
{
    const struct netpolicy_rule *r = w->rule;
    char name[PEERSET_NAME_SIZE];
    if (r->any_peer)
        line(w, "", ports);
    for (size_t i = 0; i < r->n_peers; i++) {
        const struct peerset_want want = {.ns = w->policy->ns, .peer = &r->peers[i]};
        const struct peerset *set = hold(w, &want);
        for (int f = 0; f < w->families->n; f++) {
            int family = w->families->cidr[f].ip.family;
            _cleanup_free_ char *peer =
                xasprintf("%s %s @%s", ip_word(family), side(w), peerset_name(set, family, name));
            line(w, peer, ports);
        }
    }
    for (int f = 0; f < w->families->n; f++) {
        int family = w->families->cidr[f].ip.family;
        struct buf peer = BUF_INIT(0);
        buf_addf(&peer, "%s %s { ", ip_word(family), side(w));
        size_t n = ranges_print(&r->blocks, family, &peer);
        buf_adds(&peer, " }");
        if (n)
            line(w, buf_str(&peer), ports);
        buf_done(&peer);
    }
}

/* --- ports --- */

static void lines_of_numbers(struct writer *w, enum svc_protocol protocol, const struct port_range *list, size_t n)
{
    const char *name = svc_protocol_name(protocol);
    struct buf ports = BUF_INIT(0);
    if (n == 1 && list->first == 0 && list->last == 65535) {
        buf_addf(&ports, "meta l4proto %s", name);
    } else {
        buf_addf(&ports, "%s dport { ", name);
        for (size_t i = 0; i < n; i++) {
            buf_addf(&ports, "%s%u", i ? ", " : "", list[i].first);
            if (list[i].last != list[i].first)
                buf_addf(&ports, "-%u", list[i].last);
        }
        buf_adds(&ports, " }");
    }
    if (n)
        lines_of_peers(w, buf_str(&ports));
    buf_done(&ports);
}

/* Towards the pod, a name is the number that the pod says itself. */
static void lines_of_own_name(struct writer *w, const struct named_port *name)
{
    for (size_t i = 0; i < w->pod->n_ports; i++) {
        const struct pod_port *p = &w->pod->ports[i];
        const struct port_range number = {p->number, p->number};
        if (p->protocol == name->protocol && streq(p->name, name->name))
            lines_of_numbers(w, name->protocol, &number, 1);
    }
}

/* From the pod, it is whatever number each of the pods says that are meant: address and port in one set. */
static void lines_of_their_name(struct writer *w, const struct named_port *name)
{
    const struct netpolicy_rule *r = w->rule;
    char set_name[PEERSET_NAME_SIZE];
    size_t n = r->n_peers + (r->any_peer || r->blocks.n);
    for (size_t i = 0; i < n; i++) {
        const struct peerset_want want = {.ns = w->policy->ns,
                                          .peer = i < r->n_peers ? &r->peers[i] : NULL,
                                          .blocks = i < r->n_peers || r->any_peer ? NULL : &r->blocks,
                                          .port = name};
        const struct peerset *set = hold(w, &want);
        for (int f = 0; f < w->families->n; f++) {
            int family = w->families->cidr[f].ip.family;
            _cleanup_free_ char *peer =
                xasprintf("%s %s . %s dport @%s", ip_word(family), side(w), svc_protocol_name(name->protocol),
                          peerset_name(set, family, set_name));
            line(w, peer, "");
        }
    }
}

static void lines_of_rule(struct writer *w)
{
    const struct netpolicy_rule *r = w->rule;
    if (r->any_port)
        lines_of_peers(w, "");
    for (int p = 0; p < PROTO_N; p++)
        lines_of_numbers(w, (enum svc_protocol)p, r->numbers[p], r->n_numbers[p]);
    for (size_t i = 0; i < r->n_names; i++) {
        if (w->direction == INGRESS)
            lines_of_own_name(w, &r->names[i]);
        else
            lines_of_their_name(w, &r->names[i]);
    }
}

void chain_draft(struct chain_draft *ret, enum direction d, const struct world_pod *pod,
                 const struct netpolicy *const *policies, size_t n, const struct cidrs *families, peerset_find_fn *find,
                 void *arg)
{
    struct writer w = {.out = ret, .direction = d, .pod = pod, .families = families, .find = find, .arg = arg};
    *ret = (struct chain_draft){0};
    for (size_t i = 0; i < n; i++) {
        w.policy = policies[i];
        for (size_t j = 0; j < policies[i]->n_rules[d]; j++) {
            w.rule = &policies[i]->rules[d][j];
            lines_of_rule(&w);
        }
    }
}

void chain_draft_done(struct chain_draft *c)
{
    for (size_t i = 0; i < c->n_sets; i++)
        c->sets[i]->refs--;
    free(c->sets);
    buf_done(&c->text);
    *c = (struct chain_draft){0};
}
