/* netpol: after any changes, one by one, the commands given so far make a table that lets through exactly what the
 * policies say (judge.h), and that has nothing in it which a table made at once would not have. The table is kept and
 * read here as nft would, in as much of its language as ours is written in. */
#include <ctype.h>

#include "base/map.h"
#include "base/str.h"
#include "doc.h"
#include "kinds/kind.h"
#include "netpol/enforcement.h"
#include "netpol/judge.h"
#include "podnet/podnet.h"

/* --- the kernel --- */

struct kernel {
    struct map chains;             /* name -> text */
    struct map sets;               /* name -> struct map of elements */
    struct map links[DIRECTION_N]; /* link -> chain's name */
};

static void free_set(void *arg)
{
    map_done(arg);
    free(arg);
}

static void kernel_done(struct kernel *k)
{
    map_done_with(&k->chains, free);
    map_done_with(&k->sets, free_set);
    map_done_with(&k->links[INGRESS], free);
    map_done_with(&k->links[EGRESS], free);
    *k = (struct kernel){0};
}

static bool chain_is_used(const struct kernel *k, const char *name)
{
    for (int d = 0; d < DIRECTION_N; d++)
        for (struct map_entry *e = NULL; (e = map_next(&k->links[d], e));)
            if (streq(e->value, name))
                return true;
    return false;
}

static bool set_is_used(const struct kernel *k, const char *name)
{
    _cleanup_free_ char *word = xasprintf("@%s ", name);
    for (struct map_entry *e = NULL; (e = map_next(&k->chains, e));)
        if (strstr(e->value, word))
            return true;
    return false;
}

/* "KEY comment "…" : jump CHAIN", the latter two perhaps missing. */
static void change_element(struct kernel *k, bool add, const char *set, char *element)
{
    bool map = streq(set, "ingress") || streq(set, "egress");
    struct map *m = map ? &k->links[streq(set, "ingress") ? INGRESS : EGRESS] : map_get(&k->sets, set);
    char *jump = strstr(element, " : jump "), *comment = strstr(element, " comment ");
    const char *chain = jump ? jump + 8 : "";
    if (comment)
        *comment = '\0';
    if (!m) {
        T_FAIL("no set %s", set);
    } else if (!add) {
        char *old = map_del(m, element);
        if (!old)
            T_FAIL("deleted but not there: %s in %s", element, set);
        if (map)
            free(old);
    } else if (map_get(m, element)) {
        T_FAIL("added but there: %s in %s", element, set);
    } else {
        if (map && !map_get(&k->chains, chain))
            T_FAIL("no chain %s", chain);
        map_put(m, element, map ? xstrdup(chain) : (char *)k);
    }
}

static void change_elements(struct kernel *k, bool add, char *rest)
{
    char *brace = strstr(rest, " { "), *end = strrchr(rest, '}');
    *brace = '\0';
    end[-1] = '\0';
    for (char *e = brace + 3, *comma; e; e = comma ? comma + 2 : NULL) {
        if ((comma = strstr(e, ", ")))
            *comma = '\0';
        change_element(k, add, rest, e);
    }
}

static void delete_chain(struct kernel *k, const char *name)
{
    char *text = map_del(&k->chains, name);
    if (!text || chain_is_used(k, name))
        T_FAIL("chain %s deleted, but %s", name, text ? "it is in use" : "it is not there");
    free(text);
}

static void delete_set(struct kernel *k, const char *name)
{
    struct map *set = map_del(&k->sets, name);
    if (!set || set_is_used(k, name))
        T_FAIL("set %s deleted, but %s", name, set ? "it is in use" : "it is not there");
    if (set)
        free_set(set);
}

static void add_set(struct kernel *k, char *rest)
{
    *strchr(rest, ' ') = '\0';
    if (map_put(&k->sets, rest, NEW(struct map)))
        T_FAIL("set %s is there", rest);
}

/* One line that begins with a command; *at is behind it, for chains behind all of theirs. */
static void run_line(struct kernel *k, char *line, char **at)
{
    static const char table[] = "inet c8s-policy";
    char *rest;
    if ((rest = (char *)str_after(line, "add element inet c8s-policy "))) {
        change_elements(k, true, rest);
    } else if ((rest = (char *)str_after(line, "delete element inet c8s-policy "))) {
        change_elements(k, false, rest);
    } else if ((rest = (char *)str_after(line, "add set inet c8s-policy "))) {
        add_set(k, rest);
    } else if ((rest = (char *)str_after(line, "delete set inet c8s-policy "))) {
        delete_set(k, rest);
    } else if ((rest = (char *)str_after(line, "delete chain inet c8s-policy "))) {
        delete_chain(k, rest);
    } else if (str_after(line, "delete table ")) {
        kernel_done(k);
    } else if (str_after(line, "table ")) {
        char *end = strstr(*at, "\n}\n");
        *end = '\0';
        if ((rest = (char *)str_after(*at, " chain "))) {
            char *text = strstr(rest, " {\n");
            *text = '\0';
            if (map_put(&k->chains, rest, xstrdup(text + 3)))
                T_FAIL("chain %s is there", rest);
        }
        *at = end + 3;
    } else if (!str_after(line, "add table ")) {
        T_FAIL("what is this? %s %s", line, table);
    }
}

static void run(struct kernel *k, char *commands)
{
    for (char *at = commands; at && *at && !t_this_failed;) {
        char *line = at, *newline = strchr(at, '\n');
        *newline = '\0';
        at = newline + 1;
        run_line(k, line, &at);
    }
}

/* --- a packet on its way through a chain --- */

struct packet {
    const struct flow *flow;
    enum direction direction;
    const struct ip *other;
};

static bool number_in(const char *list, uint16_t port)
{
    for (const char *c = list; *c && *c != '}';) {
        unsigned first, last;
        int n = sscanf(c, "%u-%u", &first, &last);
        if (n >= 1 && port >= first && port <= (n == 2 ? last : first))
            return true;
        c += strcspn(c, ",}");
        c += strspn(c, ", ");
    }
    return false;
}

static bool ip_in(const char *list, const struct ip *ip)
{
    size_t len = strcspn(list, "}");
    _cleanup_free_ char *copy = xstrndup(list, len && list[len - 1] == ' ' ? len - 1 : len);
    _cleanup_free_ char **parts = str_split(copy, ',', NULL);
    for (char **c = parts; *c; c++) {
        char *from = *c + strspn(*c, " "), *dash = strchr(from, '-');
        struct ip first, last;
        if (dash)
            *dash = '\0';
        if (ip_parse(from, &first) && ip_parse(dash ? dash + 1 : from, &last) && ip_compare(&first, ip) <= 0 &&
            ip_compare(ip, &last) <= 0)
            return true;
    }
    return false;
}

static bool in_set(const struct kernel *k, const char *name, const char *element)
{
    _cleanup_free_ char *set = xstrndup(name, strcspn(name, " "));
    const struct map *m = map_get(&k->sets, set);
    if (!m)
        T_FAIL("no set %s", set);
    return m && map_get(m, element);
}

/* Does the line let it through? */
static bool line_matches(const struct kernel *k, const char *line, const struct packet *p)
{
    const char *protocol = svc_protocol_name(p->flow->protocol), *side = p->direction == INGRESS ? "saddr" : "daddr";
    char ip[IP_TEXT_SIZE];
    ip_format(p->other, ip);
    _cleanup_free_ char *v = xasprintf("%s %s ", p->other->family == AF_INET6 ? "ip6" : "ip", side);
    _cleanup_free_ char *both = xasprintf("%s. %s dport @", v, protocol);
    _cleanup_free_ char *pair = xasprintf("%s . %u", ip, p->flow->port);
    _cleanup_free_ char *ports = xasprintf("%s dport { ", protocol), *l4 = xasprintf("meta l4proto %s ", protocol);
    const char *rest = line, *next;
    if ((next = str_after(rest, both)))
        return in_set(k, next, pair);
    if ((next = str_after(rest, v))) {
        if (*next == '@' ? !in_set(k, next + 1, ip) : !ip_in(next + 2, p->other))
            return false;
        rest = *next == '@' ? strchr(next, ' ') + 1 : strchr(next, '}') + 2;
    }
    if ((next = str_after(rest, ports)))
        return number_in(next, p->flow->port);
    if ((next = str_after(rest, l4)))
        rest = next;
    return str_after(rest, "return ");
}

static bool chain_passes(const struct kernel *k, const char *name, const struct packet *p)
{
    size_t n;
    _cleanup_free_ char **lines = str_split(map_get(&k->chains, name), '\n', &n);
    for (size_t i = 0; i < n; i++)
        if (line_matches(k, lines[i], p))
            return true;
    return false;
}

static bool kernel_passes(const struct kernel *k, enum direction d, const struct flow *f)
{
    const struct world_pod *subject = d == INGRESS ? f->to : f->from;
    const struct packet p = {f, d, d == INGRESS ? &f->from_ip : &f->to_ip};
    char link[IF_NAMESIZE];
    podnet_link_name(subject->object->uid, link);
    _cleanup_free_ char *quoted = xasprintf("\"%s\"", link);
    const char *chain = map_get(&k->links[d], quoted);
    return !chain || chain_passes(k, chain, &p);
}

/* --- changes --- */

static unsigned random_state = 11;
static int below(int n)
{
    random_state = random_state * 1103515245u + 12345u;
    return (int)(random_state >> 8) % n;
}

#define PICK(list) (list)[below(ARRAY_LEN(list))]

static const char *const namespaces[] = {"x", "y", "z"};
static const char *const nodes[] = {"n1", "n1", "n2"};

static struct object *object_of(const struct kind *k, const char *ns, const char *name, const char *uid,
                                const char *text)
{
    static int version;
    _cleanup_json_ json_t *doc = t_doc(text);
    _cleanup_free_ char *rv = xasprintf("%d", ++version);
    jset_str(doc, "metadata.name", name);
    jset_str(doc, "metadata.namespace", *ns ? ns : NULL);
    jset_str(doc, "metadata.uid", uid);
    jset_str(doc, "metadata.resourceVersion", rv);
    return object_new(k, doc);
}

static void change_namespace(struct enforcement *e)
{
    const char *name = PICK(namespaces);
    _cleanup_free_ char *text = xasprintf("{'metadata':{'labels':{'ns':'%s','team':'%d'}}}", name, below(2));
    _cleanup_object_ struct object *o = below(8) ? object_of(&kind_namespace, "", name, name, text) : NULL;
    enforcement_set_namespace(e, name, o);
}

static void change_pod(struct enforcement *e)
{
    static const char *const phases[] = {"Running", "Running", "Running", "Running", "Pending", "Failed"};
    const char *ns = PICK(namespaces);
    int n = below(4), life = below(2);
    _cleanup_free_ char *name = xasprintf("p%d", n), *uid = xasprintf("%s-%d-%d", ns, n, life);
    /* Addresses are few, so that some are had twice. */
    _cleanup_free_ char *ips = xasprintf("{'ip':'10.244.0.%d'},{'ip':'fd00::%d'}", 2 + below(16), 2 + below(16));
    _cleanup_free_ char *text =
        xasprintf("{'metadata':{'labels':{'app':'%s','tier':'%d'}},'spec':{'nodeName':'%s','containers':[{'ports':["
                  "{'name':'http','containerPort':%d},{'name':'dns','containerPort':53,'protocol':'UDP'}]}]%s},"
                  "'status':{'phase':'%s','podIPs':[%s]}}",
                  below(2) ? "web" : "db", below(3), PICK(nodes), below(2) ? 80 : 8080,
                  below(9) ? "" : ",'hostNetwork':true", PICK(phases), below(8) ? ips : "");
    _cleanup_object_ struct object *o = below(6) ? object_of(&kind_pod, ns, name, uid, text) : NULL;
    enforcement_set_pod(e, ns, name, o);
}

static void add_ports(struct buf *b)
{
    static const char *const ports[] = {"{'port':80}",
                                        "{'port':'http'}",
                                        "{'port':'dns','protocol':'UDP'}",
                                        "{'protocol':'SCTP'}",
                                        "{'port':50,'endPort':60,'protocol':'UDP'}",
                                        "{'port':79,'endPort':8080},{'port':70,'endPort':80}"};
    if (below(3))
        buf_addf(b, "'ports':[%s%s%s],", PICK(ports), below(2) ? "," : "", "");
    if (b->data && str_ends_with(buf_str(b), ",],")) {
        buf_cut(b, b->len - 2);
        buf_addf(b, "%s],", PICK(ports));
    }
}

static void add_peers(struct buf *b, const char *word)
{
    static const char *const peers[] = {
        "{'podSelector':{}}",
        "{'podSelector':{'matchLabels':{'app':'web'}}}",
        "{'namespaceSelector':{}}",
        "{'namespaceSelector':{'matchLabels':{'team':'1'}}}",
        "{'namespaceSelector':{'matchExpressions':[{'key':'ns','operator':'NotIn','values':['x']}]},'podSelector':"
        "{'matchExpressions':[{'key':'tier','operator':'In','values':['0','1']}]}}",
        "{'ipBlock':{'cidr':'10.244.0.0/28','except':['10.244.0.4/30','10.244.0.8/32']}}",
        "{'ipBlock':{'cidr':'10.244.0.6/31'}}",
        "{'ipBlock':{'cidr':'fd00::/120','except':['fd00::8/125']}}",
        "{'ipBlock':{'cidr':'0.0.0.0/0'}}",
    };
    buf_addf(b, "'%s':[", word);
    for (int i = 0, n = below(3); i < n; i++)
        buf_addf(b, "%s%s", i ? "," : "", PICK(peers));
    buf_adds(b, "]");
}

static void add_rules(struct buf *b, const char *direction, const char *word)
{
    buf_addf(b, ",'%s':[", direction);
    for (int i = 0, n = below(3); i < n; i++) {
        buf_adds(b, i ? ",{" : "{");
        add_ports(b);
        add_peers(b, word);
        buf_adds(b, "}");
    }
    buf_adds(b, "]");
}

static void change_policy(struct enforcement *e)
{
    static const char *const selectors[] = {"{}", "{'matchLabels':{'app':'web'}}", "{'matchLabels':{'tier':'0'}}"};
    static const char *const types[] = {"'Ingress'", "'Egress'", "'Ingress','Egress'"};
    const char *ns = PICK(namespaces);
    _cleanup_free_ char *name = xasprintf("policy%d", below(2));
    struct buf b = BUF_INIT(0);
    buf_addf(&b, "{'spec':{'podSelector':%s,'policyTypes':[%s]", PICK(selectors), PICK(types));
    add_rules(&b, "ingress", "from");
    add_rules(&b, "egress", "to");
    buf_adds(&b, "}}");
    _cleanup_object_ struct object *o = below(3) ? object_of(&kind_networkpolicy, ns, name, name, buf_str(&b)) : NULL;
    enforcement_set_policy(e, ns, name, o);
    buf_done(&b);
}

/* --- the comparison --- */

static void compare_flow(const struct kernel *k, const struct world *w, const struct flow *f,
                         const struct netpolicy **scratch)
{
    char from[IP_TEXT_SIZE], to[IP_TEXT_SIZE];
    for (int i = 0; i < DIRECTION_N; i++) {
        enum direction d = (enum direction)i;
        const struct world_pod *subject = d == INGRESS ? f->to : f->from;
        bool want;
        if (!subject || !streq(subject->node, "n1"))
            continue;
        judge_policies(w, d, f, &want, scratch);
        if (kernel_passes(k, d, f) != want)
            T_FAIL("%s %s -> %s port %u/%s: the policies say %s", d == INGRESS ? "in" : "out",
                   ip_format(&f->from_ip, from), ip_format(&f->to_ip, to), f->port, svc_protocol_name(f->protocol),
                   want ? "yes" : "no");
    }
}

/* An address that two pods have at the moment is nobody's to be judged. */
static bool is_shared(const struct world *w, const struct ip *ip)
{
    int n = 0;
    for (struct map_entry *e = NULL; (e = map_next(&w->pods, e));) {
        const struct world_pod *p = e->value;
        for (int i = 0; i < p->ips.n; i++)
            n += ip_equal(&p->ips.ip[i], ip);
    }
    return n > 1;
}

static int compare_all(const struct kernel *k, const struct world *w)
{
    static const uint16_t ports[] = {53, 80, 8080, 99};
    _cleanup_free_ const struct netpolicy **scratch = xcalloc(w->policies.len + 1, sizeof(*scratch));
    int n = 0;
    for (struct map_entry *e = NULL; (e = map_next(&w->pods, e));)
        for (struct map_entry *g = NULL; (g = map_next(&w->pods, g));) {
            struct flow f = {.from = e->value, .to = g->value, .port = PICK(ports)};
            f.protocol = (enum svc_protocol)below(PROTO_N);
            for (int i = 0; i < f.from->ips.n && i < f.to->ips.n && f.from != f.to; i++, n++) {
                f.from_ip = f.from->ips.ip[i];
                f.to_ip = f.to->ips.ip[i];
                if (!is_shared(w, &f.from_ip) && !is_shared(w, &f.to_ip))
                    compare_flow(k, w, &f, scratch);
            }
        }
    return n;
}

TEST(changes_one_by_one_let_through_what_the_policies_say)
{
    static void (*const changes[])(struct enforcement *) = {change_pod,    change_pod,    change_pod,
                                                            change_policy, change_policy, change_namespace};
    struct enforcement_site site = {.node_name = "n1"};
    struct kernel kernel = {0};
    size_t most_chains = 0, most_sets = 0;
    int n = 0;
    cidrs_parse("10.244.0.0/16,fd00::/64", &site.pods);
    struct enforcement *e = enforcement_new(&site);
    for (int step = 0; step < 4000 && !t_this_failed; step++) {
        struct buf b = BUF_INIT(0), again = BUF_INIT(0);
        PICK(changes)(e);
        if (below(3))
            continue;
        enforcement_take(e, &b);
        if (b.len)
            run(&kernel, b.data);
        n += compare_all(&kernel, enforcement_world(e));
        most_chains = kernel.chains.len > most_chains ? kernel.chains.len : most_chains;
        most_sets = kernel.sets.len > most_sets ? kernel.sets.len : most_sets;
        if (!below(10)) { /* all of it, from nothing: the same, with no more in it */
            size_t chains = kernel.chains.len, sets = kernel.sets.len;
            enforcement_forget(e);
            enforcement_take(e, &again);
            run(&kernel, again.data);
            T_INT(kernel.chains.len, chains);
            T_INT(kernel.sets.len, sets);
            compare_all(&kernel, enforcement_world(e));
        }
        if (!below(300))
            enforcement_clear(e);
        buf_done(&b);
        buf_done(&again);
    }
    T_TRUE(n > 10000 && most_chains > 4 && most_sets > 6); /* there was something to compare */
    kernel_done(&kernel);
    enforcement_free(e);
}

int main(void)
{
    RUN(changes_one_by_one_let_through_what_the_policies_say);
    return DONE();
}
