/* netpol: what policies mean (rows after upstream's test/e2e/network/netpol: namespaces x, y, z with pods a, b, c that
 * listen on ports 80 and 81), ranges of addresses, and the commands that reach the kernel. */
#include "base/map.h"
#include "base/str.h"
#include "doc.h"
#include "kinds/kind.h"
#include "netpol/enforcement.h"
#include "netpol/judge.h"

static struct enforcement *rules;

/* --- the world --- */

static void set(void (*put)(struct enforcement *, const char *, const char *, struct object *), const struct kind *k,
                const char *ns, const char *name, const char *text)
{
    _cleanup_json_ json_t *doc = text ? t_doc(text) : NULL;
    struct object *o = NULL;
    if (doc) {
        static int version;
        _cleanup_free_ char *rv = xasprintf("%d", ++version);
        _cleanup_free_ char *uid = xasprintf("%s-%s", ns, name);
        jset_str(doc, "metadata.name", name);
        jset_str(doc, "metadata.namespace", *ns ? ns : NULL);
        jset_str(doc, "metadata.uid", uid);
        jset_str(doc, "metadata.resourceVersion", rv);
        o = object_new(k, doc);
    }
    put(rules, ns, name, o);
    object_unref(o);
}

static void put_namespace(struct enforcement *e, const char *ns, const char *name, struct object *o)
{
    (void)ns;
    enforcement_set_namespace(e, name, o);
}

static void set_namespace(const char *name, const char *labels)
{
    _cleanup_free_ char *text =
        xasprintf("{'metadata':{'labels':{'kubernetes.io/metadata.name':'%s'%s}}}", name, labels);
    set(put_namespace, &kind_namespace, "", name, text);
}

static void set_pod(const char *ns, const char *name, const char *node, const char *ip, const char *labels)
{
    _cleanup_free_ char *text =
        xasprintf("{'metadata':{'labels':{'pod':'%s'%s}},'spec':{'nodeName':'%s','containers':[{'name':'c','ports':["
                  "{'name':'serve-80-tcp','containerPort':80},{'name':'serve-81-tcp','containerPort':81},"
                  "{'name':'serve-81-udp','containerPort':81,'protocol':'UDP'}]}]},"
                  "'status':{'phase':'Running','podIPs':[{'ip':'%s'},{'ip':'fd00::%s'}]}}",
                  name, labels, node, ip, strrchr(ip, '.') + 1);
    set(enforcement_set_pod, &kind_pod, ns, name, text);
}

static void set_policy(const char *ns, const char *name, const char *spec)
{
    _cleanup_free_ char *text = spec ? xasprintf("{'spec':%s}", spec) : NULL;
    set(enforcement_set_policy, &kind_networkpolicy, ns, name, text);
}

static void make_world(void)
{
    struct enforcement_site site = {.node_name = "n1"};
    static const char *const namespaces[] = {"x", "y", "z"}, *const pods[] = {"a", "b", "c"};
    cidrs_parse("10.244.0.0/16,fd00::/64", &site.pods);
    ips_parse("10.96.0.10", &site.dns);
    rules = enforcement_new(&site);
    set_namespace("kube-system", "");
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        _cleanup_free_ char *ns_label = xasprintf(",'ns':'%s'", namespaces[i]);
        set_namespace(namespaces[i], ns_label);
        for (size_t j = 0; j < ARRAY_LEN(pods); j++) {
            _cleanup_free_ char *ip = xasprintf("10.244.0.%zu", 10 * (i + 1) + j);
            set_pod(namespaces[i], pods[j], "n1", ip, "");
        }
    }
}

static struct ip address(const char *text)
{
    struct ip ip = {0};
    ip_parse(text, &ip);
    return ip;
}

/* "x/a", or an address. */
static const struct world_pod *find(const char *who, struct ip *ret_ip)
{
    const struct world_pod *p =
        map_get(&enforcement_world(rules)->pods, streq(who, "dns") ? "the node's own DNS" : who);
    *ret_ip = p ? p->ips.ip[0] : address(who);
    return p;
}

static bool passes(const char *from, const char *to, enum svc_protocol protocol, uint16_t port)
{
    struct flow f = {.protocol = protocol, .port = port};
    f.from = find(from, &f.from_ip);
    f.to = find(to, &f.to_ip);
    return judge(enforcement_world(rules), &f);
}

/* --- rows --- */

#define ANY "{'podSelector':{}"
#define A "{'podSelector':{'matchLabels':{'pod':'a'}}"
#define NS(x) "{'namespaceSelector':{'matchLabels':{'ns':'" x "'}}}"

struct row {
    const char *name;
    const char *policies[2]; /* in namespace x */
    struct
    try {
        const char *from, *to;
        int port;
        bool passes;
        enum svc_protocol protocol;
    }
    tries[6];
};

static const struct row rows[] = {
    {"default deny, ingress",
     {ANY ",'policyTypes':['Ingress']}"},
     {{"y/a", "x/a", 80, false}, {"x/b", "x/a", 80, false}, {"x/a", "y/a", 80, true}, {"x/a", "x/a", 80, true}}},
    {"default deny, all",
     {ANY ",'policyTypes':['Ingress','Egress']}"},
     {{"y/a", "x/a", 80, false}, {"x/a", "y/a", 80, false}, {"x/a", "dns", 53, false}, {"y/a", "z/a", 80, true}}},
    {"types follow from the rules", {ANY ",'egress':[{}]}"}, {{"y/a", "x/a", 80, false}, {"x/a", "y/a", 80, true}}},
    {"ingress alone does not isolate egress", {ANY ",'ingress':[]}"}, {{"x/a", "y/a", 80, true}}},
    {"allow all, ingress",
     {ANY ",'policyTypes':['Ingress']}", ANY ",'ingress':[{}]}"},
     {{"y/a", "x/a", 80, true}, {"192.0.2.1", "x/a", 80, true}}},
    {"a selector of pods means the policy's namespace",
     {A ",'ingress':[{'from':[{'podSelector':{'matchLabels':{'pod':'b'}}}]}]}"},
     {{"x/b", "x/a", 80, true}, {"y/b", "x/a", 80, false}, {"x/c", "x/a", 80, false}, {"x/c", "x/b", 80, true}}},
    {"an empty selector means all pods of the namespace",
     {A ",'ingress':[{'from':[{'podSelector':{}}]}]}"},
     {{"x/b", "x/a", 80, true}, {"y/b", "x/a", 80, false}}},
    {"a selector of namespaces means all their pods",
     {A ",'ingress':[{'from':[" NS("y") "]}]}"},
     {{"y/b", "x/a", 80, true}, {"z/b", "x/a", 80, false}, {"x/b", "x/a", 80, false}}},
    {"all namespaces",
     {A ",'ingress':[{'from':[{'namespaceSelector':{}}]}]}"},
     {{"y/b", "x/a", 80, true}, {"x/b", "x/a", 80, true}, {"192.0.2.1", "x/a", 80, false}}},
    {"expressions over namespaces",
     {A ",'ingress':[{'from':[{'namespaceSelector':{'matchExpressions':[{'key':'ns','operator':'NotIn','values':['x',"
        "'z']}]}}]}]}"},
     {{"y/b", "x/a", 80, true}, {"z/b", "x/a", 80, false}, {"x/b", "x/a", 80, false}}},
    {"expressions over pods",
     {A ",'ingress':[{'from':[{'podSelector':{'matchExpressions':[{'key':'pod','operator':'In','values':['b']}]}}]}]}"},
     {{"x/b", "x/a", 80, true}, {"x/c", "x/a", 80, false}}},
    {"the name that every namespace has for a label",
     {A ",'ingress':[{'from':[{'namespaceSelector':{'matchLabels':{'kubernetes.io/metadata.name':'y'}}}]}]}"},
     {{"y/a", "x/a", 80, true}, {"z/a", "x/a", 80, false}}},
    {"one peer: both selectors must match",
     {A
      ",'ingress':[{'from':[{'namespaceSelector':{'matchLabels':{'ns':'y'}},'podSelector':{'matchLabels':{'pod':'b'}}}"
      "]}]}"},
     {{"y/b", "x/a", 80, true}, {"y/a", "x/a", 80, false}, {"x/b", "x/a", 80, false}}},
    {"two peers: either",
     {A ",'ingress':[{'from':[" NS("y") ",{'podSelector':{'matchLabels':{'pod':'b'}}}]}]}"},
     {{"y/a", "x/a", 80, true}, {"x/b", "x/a", 80, true}, {"z/b", "x/a", 80, false}}},
    {"a number of a port",
     {A ",'ingress':[{'ports':[{'port':81}]}]}"},
     {{"y/a", "x/a", 81, true}, {"y/a", "x/a", 80, false}, {"y/a", "x/a", 81, false, PROTO_UDP}}},
    {"a name of a port",
     {A ",'ingress':[{'ports':[{'port':'serve-81-tcp'}]}]}"},
     {{"y/a", "x/a", 81, true}, {"y/a", "x/a", 80, false}, {"y/a", "x/a", 81, false, PROTO_UDP}}},
    {"a name that the pod does not have",
     {A ",'ingress':[{'ports':[{'port':'serve-79'}]}]}"},
     {{"y/a", "x/a", 80, false}}},
    {"any port of a protocol",
     {A ",'ingress':[{'ports':[{'protocol':'UDP'}]}]}"},
     {{"y/a", "x/a", 81, true, PROTO_UDP}, {"y/a", "x/a", 81, false}}},
    {"SCTP is not TCP",
     {A ",'ingress':[{'ports':[{'protocol':'SCTP','port':80}]}]}"},
     {{"y/a", "x/a", 80, true, PROTO_SCTP}, {"y/a", "x/a", 80, false}, {"y/a", "x/a", 80, false, PROTO_UDP}}},
    {"endPort",
     {A ",'ingress':[{'ports':[{'port':80,'endPort':85}]}]}"},
     {{"y/a", "x/a", 80, true}, {"y/a", "x/a", 85, true}, {"y/a", "x/a", 86, false}, {"y/a", "x/a", 79, false}}},
    {"ports and peers of one rule must both match",
     {A ",'ingress':[{'ports':[{'port':80}],'from':[" NS("y") "]},{'ports':[{'port':81}],'from':[" NS("z") "]}]}"},
     {{"y/a", "x/a", 80, true}, {"z/a", "x/a", 81, true}, {"y/a", "x/a", 81, false}, {"z/a", "x/a", 80, false}}},
    {"policies add up",
     {A ",'ingress':[{'ports':[{'port':80}]}]}", A ",'ingress':[{'ports':[{'port':81}]}]}"},
     {{"y/a", "x/a", 80, true}, {"y/a", "x/a", 81, true}, {"y/a", "x/a", 82, false}}},
    {"egress by pods",
     {A ",'policyTypes':['Egress'],'egress':[{'to':[" NS("y") "]}]}"},
     {{"x/a", "y/b", 80, true}, {"x/a", "z/b", 80, false}, {"x/b", "z/b", 80, true}, {"z/b", "x/a", 80, true}}},
    {"egress by names of ports, which are those of the others",
     {A ",'policyTypes':['Egress'],'egress':[{'ports':[{'port':'serve-80-tcp'}]}]}"},
     {{"x/a", "y/b", 80, true}, {"x/a", "y/b", 81, false}, {"x/a", "192.0.2.1", 80, false}}},
    {"egress by names of ports in a range of addresses",
     {A ",'policyTypes':['Egress'],'egress':[{'ports':[{'port':'serve-80-tcp'}],'to':[{'ipBlock':{'cidr':"
        "'10.244.0.20/31'}}]}]}"},
     {{"x/a", "y/b", 80, true}, {"x/a", "y/c", 80, false}, {"x/a", "y/b", 81, false}}},
    {"egress and ingress must both let it through",
     {A ",'policyTypes':['Egress'],'egress':[{'ports':[{'port':80}]}]}",
      "{'podSelector':{'matchLabels':{'pod':'b'}},'ingress':[{'ports':[{'port':81}]}]}"},
     {{"x/a", "x/b", 80, false}, {"x/a", "x/b", 81, false}, {"x/c", "x/b", 81, true}, {"x/a", "x/c", 80, true}}},
    {"a range of addresses, egress",
     {A ",'policyTypes':['Egress'],'egress':[{'to':[{'ipBlock':{'cidr':'10.244.0.20/32'}}]}]}"},
     {{"x/a", "y/a", 80, true}, {"x/a", "y/b", 80, false}, {"x/a", "192.0.2.1", 80, false}}},
    {"a range with exceptions",
     {A ",'policyTypes':['Egress'],'egress':[{'to':[{'ipBlock':{'cidr':'10.244.0.0/16','except':['10.244.0.20/"
        "32']}}]}]}"},
     {{"x/a", "y/a", 80, false}, {"x/a", "y/b", 80, true}, {"x/a", "192.0.2.1", 80, false}}},
    {"what one policy excepts, another one allows",
     {A
      ",'policyTypes':['Egress'],'egress':[{'to':[{'ipBlock':{'cidr':'10.244.0.0/16','except':['10.244.0.20/32']}}]}]}",
      A ",'policyTypes':['Egress'],'egress':[{'to':[{'ipBlock':{'cidr':'10.244.0.20/32'}}]}]}"},
     {{"x/a", "y/a", 80, true}, {"x/a", "y/b", 80, true}}},
    {"the cluster's DNS is named as CoreDNS is",
     {A ",'policyTypes':['Egress'],'egress':[{'to':[{'namespaceSelector':{'matchLabels':{'kubernetes.io/metadata.name':"
        "'kube-system'}},'podSelector':{'matchLabels':{'k8s-app':'kube-dns'}}}],'ports':[{'protocol':'UDP','port':53}]}"
        "]}"},
     {{"x/a", "dns", 53, true, PROTO_UDP}, {"x/a", "dns", 53, false}, {"x/a", "y/a", 53, false, PROTO_UDP}}},
    {"the cluster's DNS by its ports' names",
     {A ",'policyTypes':['Egress'],'egress':[{'to':[{'namespaceSelector':{}}],'ports':[{'protocol':'UDP','port':'dns'},"
        "{'port':'dns-tcp'}]}]}"},
     {{"x/a", "dns", 53, true, PROTO_UDP}, {"x/a", "dns", 53, true}, {"x/a", "y/a", 53, false}}},
    {"port 53 to everybody",
     {A ",'policyTypes':['Egress'],'egress':[{'ports':[{'protocol':'UDP','port':53}]}]}"},
     {{"x/a", "dns", 53, true, PROTO_UDP}, {"x/a", "192.0.2.1", 53, true, PROTO_UDP}}},
};

TEST(policies_mean_what_they_mean_upstream)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        make_world();
        for (int p = 0; p < 2 && r->policies[p]; p++)
            set_policy("x", p ? "second" : "first", r->policies[p]);
        for (const struct try *t = r->tries; t < r->tries + ARRAY_LEN(r->tries) && t->from; t++)
            if (passes(t->from, t->to, t->protocol, (uint16_t)t->port) != t->passes)
                T_FAIL("%s: %s to %s port %d/%s %s", r->name, t->from, t->to, t->port, svc_protocol_name(t->protocol),
                       t->passes ? "does not pass" : "passes");
        enforcement_free(rules);
    }
}

TEST(labels_change_what_is_meant)
{
    make_world();
    set_policy("x", "p",
               A ",'ingress':[{'from':[{'namespaceSelector':{'matchLabels':{'team':'t'}},'podSelector':"
                 "{'matchLabels':{'role':'r'}}}]}]}");
    T_TRUE(!passes("y/a", "x/a", PROTO_TCP, 80));
    set_namespace("y", ",'team':'t'");
    T_TRUE(!passes("y/a", "x/a", PROTO_TCP, 80));
    set_pod("y", "a", "n1", "10.244.0.20", ",'role':'r'");
    T_TRUE(passes("y/a", "x/a", PROTO_TCP, 80));
    set_pod("x", "a", "n1", "10.244.0.10", ",'pod2':'a'"); /* still the one */
    set_namespace("y", "");
    T_TRUE(!passes("y/a", "x/a", PROTO_TCP, 80));
    set_policy("x", "p", A ",'ingress':[{'from':[" NS("y") "]}]}");
    T_TRUE(!passes("y/a", "x/a", PROTO_TCP, 80)); /* y has lost its label */
    set_namespace("y", ",'ns':'y'");
    T_TRUE(passes("y/a", "x/a", PROTO_TCP, 80));
    set_policy("x", "p", NULL);
    T_TRUE(passes("z/a", "x/a", PROTO_TCP, 80));
    enforcement_free(rules);
}

/* --- ranges --- */

static void check_ranges(const char *inside, const char *except, const char *want)
{
    struct ranges in = {0}, out = {0};
    struct buf text = BUF_INIT(0);
    struct cidr c;
    _cleanup_free_ char **parts = str_split(inside, ' ', NULL), **holes = str_split(except, ' ', NULL);
    for (char **p = parts; *p; p++)
        if (cidr_parse(*p, &c))
            ranges_add(&in, &c);
    for (char **p = holes; *p; p++)
        if (cidr_parse(*p, &c))
            ranges_add(&out, &c);
    ranges_tidy(&in);
    ranges_tidy(&out);
    ranges_subtract(&in, &out);
    ranges_print(&in, AF_INET, &text);
    buf_adds(&text, "|");
    ranges_print(&in, AF_INET6, &text);
    T_STR(buf_str(&text), want);
    buf_done(&text);
    ranges_done(&in);
    ranges_done(&out);
}

TEST(ranges_without_their_exceptions)
{
    check_ranges("10.0.0.0/8", "", "10.0.0.0-10.255.255.255|");
    check_ranges("10.0.0.0/24 10.0.1.0/24 10.0.0.128/25", "", "10.0.0.0-10.0.1.255|");
    check_ranges("10.0.0.0/24", "10.0.0.0/25 10.0.0.255/32", "10.0.0.128-10.0.0.254|");
    check_ranges("10.0.0.0/24", "10.0.0.0/24", "|");
    check_ranges("10.0.0.0/30", "10.0.0.1/32 10.0.0.2/32", "10.0.0.0, 10.0.0.3|");
    check_ranges("0.0.0.0/0 ::/0", "255.255.255.255/32 ::/128 10.0.0.0/8",
                 "0.0.0.0-9.255.255.255, 11.0.0.0-255.255.255.254|::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    check_ranges("255.255.255.255/32 ::/128", "", "255.255.255.255|::");
    check_ranges("10.0.0.0/31 10.0.0.4/30", "10.0.0.0/29", "|");
}

/* --- commands --- */

static void taken(const char *want)
{
    struct buf b = BUF_INIT(0);
    enforcement_take(rules, &b);
    T_STR(buf_str(&b), want);
    buf_done(&b);
}

#define BASE                                                                                                           \
    "table inet c8s-policy {\n"                                                                                        \
    "  comment \"NetworkPolicies of node n1\"\n"                                                                       \
    "  map egress { type ifname : verdict; }\n"                                                                        \
    "  map ingress { type ifname : verdict; }\n"                                                                       \
    "  chain forward {\n"                                                                                              \
    "    type filter hook forward priority 0; policy accept;\n"                                                        \
    "    ct state established,related accept\n"                                                                        \
    "    ct status dnat fib daddr . iif oif exists accept comment \"a pod reaches itself\"\n"                          \
    "    iifname vmap @egress\n"                                                                                       \
    "    oifname vmap @ingress\n"                                                                                      \
    "  }\n"                                                                                                            \
    "  chain input {\n"                                                                                                \
    "    type filter hook input priority 0; policy accept;\n"                                                          \
    "    ct state established,related accept\n"                                                                        \
    "    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept\n"                          \
    "    iifname vmap @egress\n"                                                                                       \
    "  }\n"                                                                                                            \
    "}\n"

TEST(a_change_carries_only_the_difference)
{
    make_world();
    taken(""); /* nobody is isolated */
    set_policy("x", "web",
               A ",'ingress':[{'from':[{'podSelector':{'matchLabels':{'pod':'b'}}}],'ports':[{'port':80},"
                 "{'port':90,'endPort':99},{'protocol':'UDP'}]}]}");
    taken(BASE "add set inet c8s-policy pods_1 { type ipv4_addr; comment \"namespace x pods pod=b\"; }\n"
               "add element inet c8s-policy pods_1 { 10.244.0.11 comment \"x/b\" }\n"
               "add set inet c8s-policy pods_1_v6 { type ipv6_addr; comment \"namespace x pods pod=b\"; }\n"
               "add element inet c8s-policy pods_1_v6 { fd00::11 comment \"x/b\" }\n"
               "table inet c8s-policy {\n chain in_2 {\n"
               "ip saddr @pods_1 tcp dport { 80, 90-99 } return comment \"x/web\"\n"
               "ip6 saddr @pods_1_v6 tcp dport { 80, 90-99 } return comment \"x/web\"\n"
               "ip saddr @pods_1 meta l4proto udp return comment \"x/web\"\n"
               "ip6 saddr @pods_1_v6 meta l4proto udp return comment \"x/web\"\n"
               " counter drop\n }\n}\n"
               "add element inet c8s-policy ingress { \"pod7f33bf0d\" comment \"x/a\" : jump in_2 }\n");
    set_pod("x", "a", "n1", "10.244.0.10", ""); /* the same again */
    taken("");
    _cleanup_free_ char *other =
        xasprintf("{'metadata':{'labels':{'pod':'b'}},'spec':{'nodeName':'n2'},'status':{'podIP':'10.244.1.5'}}");
    set(enforcement_set_pod, &kind_pod, "x", "e", other);
    taken("add element inet c8s-policy pods_1 { 10.244.1.5 comment \"x/e\" }\n");
    set(enforcement_set_pod, &kind_pod, "x", "e", NULL);
    set(enforcement_set_pod, &kind_pod, "x", "e", other);
    taken(""); /* gone and back within a turn */
    set(enforcement_set_pod, &kind_pod, "x", "e", NULL);
    taken("delete element inet c8s-policy pods_1 { 10.244.1.5 }\n");
    set_policy("x", "web", A ",'ingress':[{'ports':[{'port':'serve-80-tcp'}]}]}");
    taken("table inet c8s-policy {\n chain in_3 {\n"
          "tcp dport { 80 } return comment \"x/web\"\n counter drop\n }\n}\n"
          "delete element inet c8s-policy ingress { \"pod7f33bf0d\" }\n"
          "add element inet c8s-policy ingress { \"pod7f33bf0d\" comment \"x/a\" : jump in_3 }\n"
          "delete chain inet c8s-policy in_2\n"
          "delete set inet c8s-policy pods_1\ndelete set inet c8s-policy pods_1_v6\n");
    set_policy("x", "web", NULL);
    taken("delete table inet c8s-policy\n");
    enforcement_forget(rules);
    taken("add table inet c8s-policy\ndelete table inet c8s-policy\n");
    taken("");
    enforcement_free(rules);
}

TEST(a_pod_is_known_to_be_written)
{
    make_world();
    struct buf b = BUF_INIT(0);
    T_INT(enforcement_written_in(rules, "x-a"), 0);
    enforcement_take(rules, &b);
    T_INT(enforcement_written_in(rules, "x-a"), 1);
    T_INT(enforcement_written_in(rules, "x-nobody"), 0);
    set_policy("x", "p", A "}");
    T_INT(enforcement_written_in(rules, "x-a"), 0);
    T_INT(enforcement_written_in(rules, "x-b"), 1);
    enforcement_take(rules, &b);
    T_INT(enforcement_written_in(rules, "x-a"), 2);
    T_INT(enforcement_written_in(rules, "x-b"), 1);
    enforcement_forget(rules);
    enforcement_take(rules, &b);
    T_INT(enforcement_written_in(rules, "x-b"), 3);
    enforcement_clear(rules);
    T_INT(enforcement_written_in(rules, "x-a"), 0);
    enforcement_take(rules, &b);
    T_TRUE(!enforcement_has_table(rules));
    buf_done(&b);
    enforcement_free(rules);
}

TEST(whose_address_no_selector_means)
{
    static const struct {
        const char *pod;
        bool meant, isolated;
    } cases[] = {
        {"{'spec':{'nodeName':'n1'},'status':{'phase':'Running','podIP':'10.244.0.99'}}", true, true},
        {"{'spec':{'nodeName':'n1','hostNetwork':true},'status':{'podIP':'10.244.0.99'}}", false, false},
        {"{'spec':{'nodeName':'n1'},'status':{'phase':'Succeeded','podIP':'10.244.0.99'}}", false, true},
        /* An evicted pod has failed before its containers have ended. */
        {"{'spec':{'nodeName':'n1'},'status':{'phase':'Failed','podIP':'10.244.0.99'}}", false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b = BUF_INIT(0);
        make_world();
        set_policy("x", "p", ANY ",'ingress':[{'from':[{'podSelector':{}}]}]}");
        set(enforcement_set_pod, &kind_pod, "x", "new", cases[i].pod);
        enforcement_take(rules, &b);
        T_INT(strstr(buf_str(&b), "10.244.0.99") != NULL, cases[i].meant);
        T_INT(strstr(buf_str(&b), "comment \"x/new\" : jump") != NULL, cases[i].isolated);
        enforcement_free(rules);
        buf_done(&b);
    }
}

int main(void)
{
    RUN(policies_mean_what_they_mean_upstream);
    RUN(labels_change_what_is_meant);
    RUN(ranges_without_their_exceptions);
    RUN(a_change_carries_only_the_difference);
    RUN(a_pod_is_known_to_be_written);
    RUN(whose_address_no_selector_means);
    return DONE();
}
