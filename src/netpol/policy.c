/* See policy.h. What the API has validated is not doubted here; what does not make sense all the same allows nothing.
 */
#include "netpol/policy.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/labels.h"

static const struct {
    const char *type, *rules, *peers;
} words[DIRECTION_N] = {[INGRESS] = {"Ingress", "ingress", "from"}, [EGRESS] = {"Egress", "egress", "to"}};

/* --- ports --- */

static bool parse_protocol(const char *text, enum svc_protocol *ret)
{
    static const char *const names[PROTO_N] = {[PROTO_TCP] = "TCP", [PROTO_UDP] = "UDP", [PROTO_SCTP] = "SCTP"};
    for (int p = 0; p < PROTO_N; p++)
        if (streq(text, names[p])) {
            *ret = (enum svc_protocol)p;
            return true;
        }
    return false;
}

static void add_numbers(struct netpolicy_rule *r, enum svc_protocol p, int64_t first, int64_t last)
{
    if (first < 0 || last > 65535 || first > last)
        return;
    r->numbers[p] = xrealloc(r->numbers[p], (r->n_numbers[p] + 1) * sizeof(**r->numbers));
    r->numbers[p][r->n_numbers[p]++] = (struct port_range){(uint16_t)first, (uint16_t)last};
}

static void add_port(struct netpolicy_rule *r, const json_t *row)
{
    const json_t *port = jget(row, "port");
    enum svc_protocol protocol;
    if (!parse_protocol(jstr_or(row, "protocol", "TCP"), &protocol))
        return;
    if (json_is_string(port)) {
        r->names = xrealloc(r->names, (r->n_names + 1) * sizeof(*r->names));
        r->names[r->n_names++] = (struct named_port){protocol, xstrdup(json_string_value(port))};
    } else {
        int64_t first = port ? json_integer_value(port) : 0;
        add_numbers(r, protocol, first, jint(row, "endPort", port ? first : 65535));
    }
}

static int compare_ports(const void *pa, const void *pb)
{
    const struct port_range *a = pa, *b = pb;
    return (int)a->first - (int)b->first;
}

static void tidy_ports(struct port_range *list, size_t *len)
{
    size_t n = 0;
    if (*len)
        qsort(list, *len, sizeof(*list), compare_ports);
    for (size_t i = 0; i < *len; i++) {
        struct port_range *last = n ? &list[n - 1] : NULL;
        if (!last || list[i].first > last->last + 1)
            list[n++] = list[i];
        else if (list[i].last > last->last)
            last->last = list[i].last;
    }
    *len = n;
}

static void add_ports(struct netpolicy_rule *r, const json_t *ports)
{
    size_t i;
    json_t *row;
    r->any_port = json_array_size(ports) == 0;
    json_array_foreach(ports, i, row)
        add_port(r, row);
    for (int p = 0; p < PROTO_N; p++)
        tidy_ports(r->numbers[p], &r->n_numbers[p]);
}

bool netpolicy_rule_has_port(const struct netpolicy_rule *r, enum svc_protocol protocol, uint16_t port)
{
    for (size_t i = 0; i < r->n_numbers[protocol]; i++)
        if (r->numbers[protocol][i].first <= port && port <= r->numbers[protocol][i].last)
            return true;
    return r->any_port;
}

/* --- peers --- */

static void add_block(struct netpolicy_rule *r, const json_t *block)
{
    struct ranges inside = {0}, except = {0};
    struct cidr c;
    size_t i;
    json_t *text;
    if (cidr_parse(jstr_or(block, "cidr", ""), &c))
        ranges_add(&inside, &c);
    json_array_foreach(jget(block, "except"), i, text)
        if (json_is_string(text) && cidr_parse(json_string_value(text), &c))
            ranges_add(&except, &c);
    ranges_tidy(&except);
    ranges_subtract(&inside, &except);
    ranges_add_all(&r->blocks, &inside);
    ranges_done(&inside);
    ranges_done(&except);
}

static void add_peer(struct netpolicy_rule *r, const json_t *row)
{
    const json_t *block = jget(row, "ipBlock"), *pods = jget(row, "podSelector");
    const json_t *namespaces = jget(row, "namespaceSelector");
    if (block) {
        add_block(r, block);
        return;
    }
    if (!pods && !namespaces)
        return;
    r->peers = xrealloc(r->peers, (r->n_peers + 1) * sizeof(*r->peers));
    r->peers[r->n_peers++] =
        (struct peer){namespaces ? label_selector_text(namespaces) : NULL, label_selector_text(pods)};
}

static void parse_rule(struct netpolicy_rule *r, const json_t *doc, enum direction d)
{
    const json_t *peers = jget(doc, words[d].peers);
    size_t i;
    json_t *row;
    add_ports(r, jget(doc, "ports"));
    r->any_peer = json_array_size(peers) == 0;
    json_array_foreach(peers, i, row)
        add_peer(r, row);
    ranges_tidy(&r->blocks);
}

/* --- all of it --- */

static bool has_type(const json_t *spec, enum direction d)
{
    const json_t *types = jget(spec, "policyTypes"), *type;
    size_t i;
    if (!json_array_size(types))
        return d == INGRESS || json_array_size(jget(spec, "egress"));
    json_array_foreach(types, i, type)
        if (streq_or_null(json_string_value(type), words[d].type))
            return true;
    return false;
}

struct netpolicy *netpolicy_new(const char *ns, const char *name, const json_t *doc)
{
    struct netpolicy *p = NEW(struct netpolicy);
    const json_t *spec = jget(doc, "spec");
    _cleanup_free_ char *pods = label_selector_text(jget(spec, "podSelector"));
    struct err ignored;
    p->ns = xstrdup(ns);
    p->name = xstrdup(name);
    p->pods = selector_parse(pods, &ignored);
    for (int d = 0; d < DIRECTION_N; d++) {
        const json_t *rules = jget(spec, words[d].rules);
        p->isolates[d] = has_type(spec, (enum direction)d);
        if (!p->isolates[d])
            continue;
        p->rules[d] = xcalloc(json_array_size(rules) + 1, sizeof(**p->rules));
        for (size_t i = 0; i < json_array_size(rules); i++)
            parse_rule(&p->rules[d][p->n_rules[d]++], json_array_get(rules, i), (enum direction)d);
    }
    return p;
}

static void rule_done(struct netpolicy_rule *r)
{
    for (int p = 0; p < PROTO_N; p++)
        free(r->numbers[p]);
    for (size_t i = 0; i < r->n_names; i++)
        free(r->names[i].name);
    for (size_t i = 0; i < r->n_peers; i++) {
        free(r->peers[i].namespaces);
        free(r->peers[i].pods);
    }
    free(r->names);
    free(r->peers);
    ranges_done(&r->blocks);
}

void netpolicy_free(struct netpolicy *p)
{
    if (!p)
        return;
    for (int d = 0; d < DIRECTION_N; d++) {
        for (size_t i = 0; i < p->n_rules[d]; i++)
            rule_done(&p->rules[d][i]);
        free(p->rules[d]);
    }
    selector_free(p->pods);
    free(p->ns);
    free(p->name);
    free(p);
}

bool netpolicy_selects(const struct netpolicy *p, enum direction d, const struct object *pod)
{
    return p->isolates[d] && streq(p->ns, pod->ns) && (!p->pods || selector_matches(p->pods, pod));
}
