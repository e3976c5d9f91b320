/* service/model: every rule of Services and EndpointSlices, one row each; then: changed step by step or built from
 * nothing, the model is the same. Documents are written with ' for ". */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "service/model.h"
#include "doc.h"

static void set_service(struct model *m, const char *key, const char *text)
{
    const char *slash = strchr(key, '/');
    _cleanup_free_ char *ns = xstrndup(key, (size_t)(slash - key));
    _cleanup_json_ json_t *j = text ? t_doc(text) : NULL;
    model_set_service(m, ns, slash + 1, j);
}

static void set_slice(struct model *m, const char *key, const char *text)
{
    const char *slash = strchr(key, '/');
    _cleanup_free_ char *ns = xstrndup(key, (size_t)(slash - key));
    _cleanup_json_ json_t *j = text ? t_doc(text) : NULL;
    model_set_slice(m, ns, slash + 1, j);
}

/* --- a canonical text of a Service and of the whole model --- */

static void dump_ips(struct buf *b, const char *what, const struct ip *ips, size_t n)
{
    char text[IP_TEXT_SIZE];
    for (size_t i = 0; i < n; i++)
        buf_addf(b, " %s=%s", what, ip_format(&ips[i], text));
}

static void dump_endpoints(struct buf *b, const struct svc_endpoint *e, size_t n)
{
    char text[IP_TEXT_SIZE];
    for (size_t i = 0; i < n; i++, e++)
        buf_addf(b, " %s:%u%s%s%s%s%s%s%s%s%s%s%s", ip_format(&e->ip, text), e->port, e->ready ? "" : "!",
                 e->terminating ? e->serving ? "t" : "T" : "", *e->node ? "@" : "", e->node, *e->zone ? "/" : "",
                 e->zone, *e->hostname ? "#" : "", e->hostname, *e->target_name ? "=" : "", e->target_ns,
                 e->target_name);
}

static void dump_service(struct buf *b, const struct svc *s)
{
    static const char *const types[SVC_TYPE_N] = {"cluster", "node", "lb", "external"};
    buf_addf(b, "%s/%s %s%s%s", s->ns, s->name, types[s->type], s->headless ? " headless" : "",
             s->proxied ? " proxied" : "");
    dump_ips(b, "ip", s->cluster_ips, s->n_cluster_ips);
    dump_ips(b, "ext", s->external_ips, s->n_external_ips);
    dump_ips(b, "lb", s->lb_ips, s->n_lb_ips);
    for (size_t i = 0; i < s->n_lb_source_ranges; i++)
        buf_addf(b, " from=%s", s->lb_source_ranges[i]);
    buf_addf(b, "%s%s", s->internal_local ? " iLocal" : "", s->external_local ? " eLocal" : "");
    if (s->affinity_seconds)
        buf_addf(b, " affinity=%d", s->affinity_seconds);
    if (s->health_check_node_port)
        buf_addf(b, " health=%u", s->health_check_node_port);
    if (*s->external_name)
        buf_addf(b, " cname=%s", s->external_name);
    for (size_t i = 0; i < s->n_ports; i++) {
        const struct svc_port *p = &s->ports[i];
        buf_addf(b, " [%s %s %u", p->name, svc_protocol_name(p->protocol), p->port);
        if (p->node_port)
            buf_addf(b, " np=%u", p->node_port);
        if (*p->app_protocol)
            buf_addf(b, " app=%s", p->app_protocol);
        buf_adds(b, ":");
        dump_endpoints(b, p->endpoints, p->n_endpoints);
        buf_adds(b, "]");
    }
    if (s->n_addresses) {
        buf_adds(b, " addresses");
        dump_endpoints(b, s->addresses, s->n_addresses);
    }
}

static char *dump_of(const struct svc *s)
{
    struct buf b = BUF_INIT(0);
    if (s)
        dump_service(&b, s);
    else
        buf_adds(&b, "none");
    return buf_take(&b);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *dump_model(struct model *m)
{
    size_t n = 0;
    char **lines = xcalloc(model_count(m) + 1, sizeof(*lines));
    void *cursor = NULL;
    for (const struct svc *s; (s = model_next(m, &cursor));)
        lines[n++] = dump_of(s);
    T_INT(n, model_count(m));
    qsort(lines, n, sizeof(*lines), compare_lines);
    struct buf b = BUF_INIT(0);
    for (size_t i = 0; i < n; i++) {
        buf_addf(&b, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
    return buf_take(&b);
}

/* --- rules --- */

#define SPEC(rest)                                                                                                     \
    "{'metadata':{},'spec':{'clusterIP':'10.96.0.9','clusterIPs':['10.96.0.9'],'ports':[{'port':80}]" rest "}}"
#define SLICE(rest) "{'metadata':{'labels':{'kubernetes.io/service-name':'web'}},'addressType':'IPv4'," rest "}"
#define PORT "'ports':[{'name':'','port':8080,'protocol':'TCP'}]"
#define EP(address, more) "{'addresses':['" address "']" more "}"

static const struct rule {
    const char *what, *service, *slices[3], *want;
} rules[] = {
    {"no slices", SPEC(""), {NULL}, "d/web cluster proxied ip=10.96.0.9 [ tcp 80:]"},
    {"ready is assumed",
     SPEC(""),
     {SLICE("'endpoints':[" EP("10.244.0.2", "") "]," PORT)},
     "d/web cluster proxied ip=10.96.0.9 [ tcp 80: 10.244.0.2:8080]"},
    {"serving is as ready unless told",
     SPEC(""),
     {SLICE("'endpoints':[" EP("10.244.0.2", ",'conditions':{'ready':false,'terminating':true}") "," EP(
         "10.244.0.3", ",'conditions':{'ready':false,'serving':true,'terminating':true}") "]," PORT)},
     "d/web cluster proxied ip=10.96.0.9 [ tcp 80: 10.244.0.2:8080!T 10.244.0.3:8080!t]"},
    {"null conditions are missing ones",
     SPEC(""),
     {SLICE("'endpoints':[" EP("10.244.0.2", ",'conditions':{'ready':null}") "]," PORT)},
     "d/web cluster proxied ip=10.96.0.9 [ tcp 80: 10.244.0.2:8080]"},
    {"slices are merged, sorted, their ports may differ",
     SPEC(""),
     {SLICE("'endpoints':[" EP("10.244.1.10", "") "],'ports':[{'port':9090}]"),
      SLICE("'endpoints':[" EP("10.244.1.9", "") "," EP("10.244.0.2", "") "]," PORT)},
     "d/web cluster proxied ip=10.96.0.9 [ tcp 80: 10.244.0.2:8080 10.244.1.9:8080 10.244.1.10:9090]"},
    {"an endpoint named twice counts once, in its better condition",
     SPEC(""),
     {SLICE("'endpoints':[" EP("10.244.0.2", ",'conditions':{'ready':false}") "]," PORT),
      SLICE("'endpoints':[" EP("10.244.0.2", "") "]," PORT)},
     "d/web cluster proxied ip=10.96.0.9 [ tcp 80: 10.244.0.2:8080]"},
    {"ports meet by name and protocol",
     "{'spec':{'clusterIP':'10.96.0.9','ports':[{'name':'dns','port':53,'protocol':'UDP'},{'name':'dns-tcp','port':53}]"
     "}}",
     {SLICE("'endpoints':[" EP(
         "10.244.0.2",
         "") "],'ports':[{'name':'dns','port':5353,'protocol':'UDP'},"
             "{'name':'dns-tcp','port':5354,'protocol':'TCP'},{'name':'dns','port':1,'protocol':'TCP'}]")},
     "d/web cluster proxied ip=10.96.0.9 [dns udp 53: 10.244.0.2:5353] [dns-tcp tcp 53: 10.244.0.2:5354]"},
    {"only the first address counts; a wrong family does not",
     SPEC(""),
     {SLICE("'endpoints':[{'addresses':['10.244.0.2','10.244.0.3']}," EP("fd00::1", "") "," EP("10.244.0.09",
                                                                                               "") "]," PORT),
      "{'metadata':{'labels':{'kubernetes.io/service-name':'web'}},'addressType':'FQDN','endpoints':[" EP(
          "10.1.1.1", "") "]," PORT "}"},
     "d/web cluster proxied ip=10.96.0.9 [ tcp 80: 10.244.0.2:8080]"},
    {"dual stack: both families, IPv4 first",
     "{'spec':{'clusterIP':'fd01::9','clusterIPs':['fd01::9','10.96.0.9'],'ports':[{'port':80}]}}",
     {"{'metadata':{'labels':{'kubernetes.io/service-name':'web'}},'addressType':'IPv6','endpoints':[" EP(
          "fd00::2", "") "]," PORT "}",
      SLICE("'endpoints':[" EP("10.244.0.2", "") "]," PORT)},
     "d/web cluster proxied ip=fd01::9 ip=10.96.0.9 [ tcp 80: 10.244.0.2:8080 fd00::2:8080]"},
    {"a slice port without number is nothing to send to",
     SPEC(""),
     {SLICE("'endpoints':[" EP("10.244.0.2", "") "],'ports':[{'name':''}]")},
     "d/web cluster proxied ip=10.96.0.9 [ tcp 80:]"},
    {"node, zone, hostname and pod; the zone of the node fills in",
     SPEC(""),
     {SLICE("'endpoints':[" EP("10.244.0.2",
                               ",'nodeName':'n1','hostname':'a','targetRef':{'kind':'Pod','namespace':'d',"
                               "'name':'p1'}") "," EP("10.244.0.3", ",'nodeName':'n1','zone':'own'") "]," PORT)},
     "d/web cluster proxied ip=10.96.0.9 [ tcp 80: 10.244.0.2:8080@n1/z1#a=dp1 10.244.0.3:8080@n1/own]"},
    {"node ports count for NodePort only",
     "{'spec':{'type':'ClusterIP','clusterIP':'10.96.0.9','ports':[{'port':80,'nodePort':30080}]}}",
     {NULL},
     "d/web cluster proxied ip=10.96.0.9 [ tcp 80:]"},
    {"NodePort, external traffic policy, external address",
     "{'spec':{'type':'NodePort','clusterIP':'10.96.0.9','externalIPs':['192.0.2.1'],'externalTrafficPolicy':'Local',"
     "'healthCheckNodePort':30999,'ports':[{'port':80,'nodePort':30080,'appProtocol':'http'}]}}",
     {NULL},
     "d/web node proxied ip=10.96.0.9 ext=192.0.2.1 eLocal [ tcp 80 np=30080 app=http:]"},
    {"LoadBalancer: VIP addresses only, ranges trimmed, health check port",
     "{'spec':{'type':'LoadBalancer','clusterIP':'10.96.0.9','loadBalancerSourceRanges':[' 10.0.0.0/8 "
     "','192.0.2.0/24',' '],"
     "'externalTrafficPolicy':'Local','healthCheckNodePort':30999,'ports':[{'port':80}]},'status':{'loadBalancer':"
     "{'ingress':[{'ip':'172.28.128.200'},{'ip':'172.28.128.201','ipMode':'Proxy'},{'ip':'172.28.128.202','ipMode':'"
     "VIP'},"
     "{'hostname':'x'}]}}}",
     {NULL},
     "d/web lb proxied ip=10.96.0.9 lb=172.28.128.200 lb=172.28.128.202 from=10.0.0.0/8 from=192.0.2.0/24 eLocal "
     "health=30999 [ tcp 80:]"},
    {"status addresses count for LoadBalancer only",
     "{'spec':{'clusterIP':'10.96.0.9','ports':[{'port':80}]},'status':{'loadBalancer':{'ingress':[{'ip':'192.0.2.7'}]}"
     "}}",
     {NULL},
     "d/web cluster proxied ip=10.96.0.9 [ tcp 80:]"},
    {"affinity: default time",
     SPEC(",'sessionAffinity':'ClientIP'"),
     {NULL},
     "d/web cluster proxied ip=10.96.0.9 affinity=10800 [ tcp 80:]"},
    {"affinity: own time, internal policy",
     SPEC(",'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':{'timeoutSeconds':60}},"
          "'internalTrafficPolicy':'Local'"),
     {NULL},
     "d/web cluster proxied ip=10.96.0.9 iLocal affinity=60 [ tcp 80:]"},
    {"another proxy's Service",
     "{'metadata':{'labels':{'service.kubernetes.io/service-proxy-name':'x'}},'spec':{'clusterIP':'10.96.0.9','ports':"
     "[{'port':80}]}}",
     {SLICE("'endpoints':[" EP("10.244.0.2", "") "]," PORT)},
     "d/web cluster ip=10.96.0.9 [ tcp 80: 10.244.0.2:8080]"},
    {"the headless label hides a Service, and a slice",
     SPEC(""),
     {"{'metadata':{'labels':{'kubernetes.io/service-name':'web','service.kubernetes.io/"
      "headless':''}},'addressType':'IPv4',"
      "'endpoints':[" EP("10.244.0.2", "") "]," PORT "}"},
     "d/web cluster proxied ip=10.96.0.9 [ tcp 80:]"},
    {"headless: addresses, and ports that only the slices know",
     "{'spec':{'clusterIP':'None','ports':[{'name':'http','port':80}]}}",
     {SLICE("'endpoints':[" EP("10.244.0.2",
                               "") "],'ports':[{'name':'http','port':8080},{'name':'x','port':7,'protocol':'UDP'}]"),
      "{'metadata':{'labels':{'kubernetes.io/service-name':'web','service.kubernetes.io/"
      "headless':''}},'addressType':'IPv4',"
      "'endpoints':[" EP("10.244.0.3", ",'conditions':{'ready':false}") "],'ports':[]}"},
     "d/web cluster headless [http tcp 80: 10.244.0.2:8080] [x udp 7: 10.244.0.2:7] addresses 10.244.0.2:0 "
     "10.244.0.3:0!"},
    {"ExternalName has a name and nothing else",
     "{'spec':{'type':'ExternalName','externalName':'example.org','clusterIP':'10.96.0.9','externalIPs':['192.0.2.1'],"
     "'sessionAffinity':'ClientIP'}}",
     {NULL},
     "d/web external cname=example.org"},
    {"no address yet: nothing to proxy", "{'spec':{'ports':[{'port':80}]}}", {NULL}, "d/web cluster [ tcp 80:]"},
    {"a protocol nobody knows is left out",
     "{'spec':{'clusterIP':'10.96.0.9','ports':[{'port':80,'protocol':'DCCP'},{'name':'s','port':9,'protocol':'SCTP'}]}"
     "}",
     {NULL},
     "d/web cluster proxied ip=10.96.0.9 [s sctp 9:]"},
};

TEST(rules_of_services)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct rule *r = &rules[i];
        struct model *m = model_new();
        _cleanup_json_ json_t *node = t_doc("{'metadata':{'labels':{'topology.kubernetes.io/zone':'z1'}}}");
        model_set_node(m, "n1", node);
        set_service(m, "d/web", r->service);
        for (size_t k = 0; k < ARRAY_LEN(r->slices) && r->slices[k]; k++) {
            char key[16];
            snprintf(key, sizeof(key), "d/web-%zu", k);
            set_slice(m, key, r->slices[k]);
        }
        _cleanup_free_ char *got = dump_of(model_get(m, "d", "web"));
        if (!streq(got, r->want))
            T_FAIL("%s:\n   got  %s\n   want %s", r->what, got, r->want);
        model_free(m);
    }
}

/* One letter an endpoint on n1 (lower case) or n2 (upper case): r ready, t terminating and serving, x terminating and
 * not, u not ready. */
static const struct {
    const char *endpoints, *cluster, *local;
} choices[] = {
    {"", "", ""},      {"rR", "rR", "r"}, {"rT", "r", "r"},      {"tR", "R", "t"}, /* each policy on its own */
    {"tT", "tT", "t"}, {"xX", "", ""},    {"xT", "T", ""},       {"uU", "", ""},
    {"ut", "t", "t"},  {"R", "R", ""},    {"tTxXuU", "tT", "t"}, {"rtRT", "rR", "r"},
};

static void usable_text(const struct svc_port *p, const char *letters, bool local, char *out)
{
    size_t index[16], n = svc_usable_endpoints(p, local, "n1", index);
    for (size_t i = 0; i < n; i++)
        out[i] = letters[index[i]];
    out[n] = '\0';
}

TEST(traffic_goes_to_ready_else_to_terminating_endpoints)
{
    for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
        struct svc_endpoint endpoints[8] = {0};
        struct svc_port p = {.endpoints = endpoints};
        char cluster[16], local[16];
        for (const char *c = choices[i].endpoints; *c; c++) {
            char kind = *c | 0x20;
            endpoints[p.n_endpoints++] = (struct svc_endpoint){.ip.family = AF_INET,
                                                               .node = *c == kind ? "n1" : "n2",
                                                               .ready = kind == 'r',
                                                               .serving = kind == 'r' || kind == 't',
                                                               .terminating = kind == 't' || kind == 'x'};
        }
        usable_text(&p, choices[i].endpoints, false, cluster);
        usable_text(&p, choices[i].endpoints, true, local);
        T_STR(cluster, choices[i].cluster);
        T_STR(local, choices[i].local);
    }
}

TEST(each_family_falls_back_on_its_own)
{
    struct svc_endpoint endpoints[] = {
        {.ip.family = AF_INET, .node = "", .serving = true, .terminating = true},
        {.ip.family = AF_INET6, .node = "", .ready = true},
    };
    struct svc_port p = {.endpoints = endpoints, .n_endpoints = 2};
    size_t out[2];
    T_INT(svc_usable_endpoints_of(&p, AF_INET, false, "n1", out), 1);
    T_INT(out[0], 0);
    T_INT(svc_usable_endpoints_of(&p, AF_INET6, false, "n1", out), 1);
    T_INT(out[0], 1);
    T_INT(svc_usable_endpoints(&p, false, "n1", out), 1);
    T_INT(svc_usable_endpoints(&p, true, "", out), 0); /* an unknown node is nobody's */
}

TEST(hints_count_all_or_not_at_all)
{
    static const struct {
        const char *zones[3], *nodes[3]; /* of three ready endpoints; NULL ends them */
        int want;                        /* bits of those used by node n1 in zone a */
    } cases[] = {
        {{"", "", ""}, {"", "", ""}, 7},
        {{"a,", "b,", "a,b,"}, {"", "", ""}, 5},
        {{"a,", "", "b,"}, {"", "", ""}, 7},       /* one without */
        {{"b,", "c,", "b,"}, {"", "", ""}, 7},     /* none for us */
        {{"aa,", "ba,", "b,a,"}, {"", "", ""}, 4}, /* whole names */
        {{"a,", "a,", "b,"}, {"n1,", "n2,", "n2,"}, 1},
        {{"a,", "a,", "b,"}, {"n3,", "n2,", "n2,"}, 3}, /* no endpoint here: the zone */
        {{"a,", "a,", "b,"}, {"n1,", "", "n2,"}, 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct svc_endpoint endpoints[5] = {
            {.ip.family = AF_INET, .node = "", .for_zones = "", .for_nodes = ""},
            {.ip.family = AF_INET6, .node = "", .ready = true, .for_zones = "", .for_nodes = ""}};
        struct svc_port p = {.endpoints = endpoints, .n_endpoints = 5}; /* the first two say nothing here */
        size_t out[5];
        int got = 0;
        for (int k = 0; k < 3; k++)
            endpoints[2 + k] = (struct svc_endpoint){.ip.family = AF_INET,
                                                     .node = "",
                                                     .ready = true,
                                                     .for_zones = cases[i].zones[k],
                                                     .for_nodes = cases[i].nodes[k]};
        size_t n = svc_near_endpoints_of(&p, AF_INET, "n1", "a", out);
        for (size_t k = 0; k < n; k++)
            got |= 1 << (out[k] - 2);
        T_INT(got, cases[i].want);
        T_INT(svc_near_endpoints_of(&p, AF_INET, "n9", "", out), 3); /* a node without a zone */
    }
    struct svc_endpoint last = {
        .ip.family = AF_INET, .node = "", .serving = true, .terminating = true, .for_zones = "b,", .for_nodes = ""};
    struct svc_port p = {.endpoints = &last, .n_endpoints = 1};
    size_t out;
    T_INT(svc_near_endpoints_of(&p, AF_INET, "n1", "a", &out), 1);
}

/* --- addresses in text --- */

TEST(addresses_are_read_strictly)
{
    static const struct {
        const char *in, *out;
    } ips[] = {{"10.0.0.1", "10.0.0.1"}, {"010.0.0.1", NULL},    {"10.0.0", NULL},   {"10.0.0.1 ", NULL}, {"", NULL},
               {"FD00::1", "fd00::1"},   {"fd00::1%eth0", NULL}, {"fd00:::1", NULL}, {"0x10.0.0.1", NULL}};
    static const struct {
        const char *in, *out;
    } cidrs[] = {{"10.1.2.3/8", "10.0.0.0/8"},
                 {"10.0.0.0", NULL},
                 {"10.0.0.0/33", NULL},
                 {"0.0.0.0/0", "0.0.0.0/0"},
                 {"10.0.0.0/-1", NULL},
                 {"fd00:1::5/64", "fd00:1::/64"},
                 {"/8", NULL},
                 {"10.0.0.0/8/8", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
        struct ip ip;
        char text[IP_TEXT_SIZE];
        T_STR(ip_parse(ips[i].in, &ip) ? ip_format(&ip, text) : NULL, ips[i].out);
    }
    for (size_t i = 0; i < ARRAY_LEN(cidrs); i++) {
        struct cidr c;
        char text[CIDR_TEXT_SIZE];
        T_STR(cidr_parse(cidrs[i].in, &c) ? cidr_format(&c, text) : NULL, cidrs[i].out);
    }
}

TEST(ranges_hold_addresses)
{
    struct cidr pods, node, all6;
    struct ip in, out, six;
    T_TRUE(cidr_parse("10.244.0.0/16", &pods) && cidr_parse("10.244.3.0/24", &node) && cidr_parse("::/0", &all6));
    T_TRUE(ip_parse("10.244.255.255", &in) && ip_parse("10.245.0.0", &out) && ip_parse("fd00::1", &six));
    T_TRUE(cidr_has(&pods, &in) && !cidr_has(&pods, &out) && !cidr_has(&pods, &six) && cidr_has(&all6, &six));
    T_TRUE(cidr_covers(&pods, &node) && !cidr_covers(&node, &pods) && cidr_covers(&pods, &pods) &&
           !cidr_covers(&all6, &pods));
}

TEST(a_list_has_one_member_a_family)
{
    static const struct {
        const char *in, *out;
    } lists[] = {{"10.0.0.1", "10.0.0.1"},
                 {"10.0.0.1,fd00::1", "10.0.0.1,fd00::1"},
                 {"FD00::1,10.0.0.1", "fd00::1,10.0.0.1"},
                 {"10.0.0.1,10.0.0.2", NULL},
                 {"10.0.0.1,fd00::1,fd00::2", NULL},
                 {"10.0.0.1,", NULL},
                 {",10.0.0.1", NULL},
                 {"", NULL}};
    char text[IPS_TEXT_SIZE];
    struct ips ips;
    struct cidrs cidrs;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        T_STR(ips_parse(lists[i].in, &ips) ? ips_format(&ips, text) : NULL, lists[i].out);
    T_TRUE(cidrs_parse("10.244.0.0/16,fd00::/56", &cidrs) && cidrs_of(&cidrs, AF_INET6)->prefix == 56);
    T_TRUE(!cidrs_parse("10.244.0.0/16,10.245.0.0/16", &cidrs) && !cidrs_parse("10.244.0.0/16,fd00::", &cidrs));
}

TEST(addresses_of_a_range_are_numbered)
{
    static const struct {
        const char *range, *ip;
        int64_t index; /* -1: outside */
    } cases[] = {{"10.96.0.0/12", "10.96.1.0", 256},
                 {"10.96.0.0/12", "10.112.0.0", -1},
                 {"fd00:10:96::/112", "fd00:10:96::a", 10},
                 {"fd00::/64", "fd00::1:0:0:1", -1},
                 {"fd00::/64", "10.0.0.1", -1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cidr range;
        struct ip ip, again;
        uint32_t n = 0;
        T_TRUE(cidr_parse(cases[i].range, &range) && ip_parse(cases[i].ip, &ip));
        T_INT(cidr_index(&range, &ip, &n) ? (int64_t)n : -1, cases[i].index);
        again = cidr_nth(&range, n);
        T_TRUE(cases[i].index < 0 || ip_equal(&again, &ip));
    }
}

/* --- readers --- */

struct seen {
    struct buf text;
    int calls;
};

static void on_changed(void *arg)
{
    ((struct seen *)arg)->calls++;
}

static void visit(void *arg, const char *ns, const char *name, const struct svc *svc)
{
    struct seen *s = arg;
    buf_addf(&s->text, "%s/%s%s ", ns, name, svc ? "" : "-");
}

#define TAKEN(r, s, want)                                                                                              \
    do {                                                                                                               \
        buf_clear(&(s).text);                                                                                          \
        model_take(r, visit, &(s));                                                                                    \
        T_STR(buf_str(&(s).text), want);                                                                               \
    } while (0)

TEST(readers_learn_what_changed_and_only_that)
{
    struct model *m = model_new();
    struct seen early = {0}, late = {0};
    struct model_reader *a = model_reader_new(m, on_changed, &early);
    set_service(m, "d/web", SPEC(""));
    set_service(m, "d/db", SPEC(""));
    T_INT(early.calls, 1); /* once until it is taken */
    struct model_reader *b = model_reader_new(m, on_changed, &late);
    TAKEN(a, early, "d/web d/db ");
    TAKEN(a, early, "");
    TAKEN(b, late, "d/web d/db ");

    set_slice(m, "d/web-1", SLICE("'endpoints':[" EP("10.244.0.2", "") "]," PORT));
    T_INT(early.calls, 2);
    TAKEN(a, early, "d/web ");
    set_slice(m, "d/web-1", SLICE("'endpoints':[" EP("10.244.0.2", "") "]," PORT)); /* nothing new */
    T_INT(early.calls, 2);
    set_slice(m, "d/web-1", SLICE("'endpoints':[" EP("10.244.0.2", ",'nodeName':'n2'") "]," PORT));
    TAKEN(a, early, "d/web ");
    TAKEN(b, late, "d/web ");
    model_touch_node(a, "n1");
    TAKEN(a, early, "");
    model_touch_node(a, "n2");
    TAKEN(a, early, "d/web ");
    TAKEN(b, late, "");
    set_service(m, "d/web", NULL);
    set_service(m, "d/never-was", NULL);
    TAKEN(a, early, "d/web- ");
    TAKEN(b, late, "d/web- ");
    set_slice(m, "d/web-1", NULL); /* a slice without its Service is no news */
    TAKEN(a, early, "");

    model_reader_free(a);
    set_service(m, "d/db", NULL);
    TAKEN(b, late, "d/db- ");
    model_reader_free(b);
    buf_done(&early.text);
    buf_done(&late.text);
    model_free(m);
}

TEST(readers_are_told_how_far_the_slices_are)
{
    struct model *m = model_new();
    struct seen seen = {0};
    struct model_reader *r = model_reader_new(m, on_changed, &seen);
    TAKEN(r, seen, "");
    model_set_revision(m, 7);
    T_INT(seen.calls, 1);
    TAKEN(r, seen, "");
    T_INT(model_revision(m), 7);
    model_reader_free(r);
    buf_done(&seen.text);
    model_free(m);
}

TEST(a_pod_is_published_until_the_last_slice_withdraws_it)
{
#define POD(conditions)                                                                                                \
    EP("10.244.0.2", ",'targetRef':{'kind':'Pod','namespace':'d','name':'p'},'conditions':" conditions)
    struct model *m = model_new();
    T_INT(model_pod_published(m, "d", "p"), POD_ABSENT);
    set_slice(m, "d/web-1", SLICE("'endpoints':[" POD("{'ready':true}") "]," PORT));
    set_slice(m, "d/db-1", SLICE("'endpoints':[" POD("{'ready':false}") "]," PORT));
    T_INT(model_pod_published(m, "d", "p"), POD_PUBLISHED);
    T_INT(model_pod_published(m, "e", "p"), POD_ABSENT);
    set_slice(m, "d/web-1", SLICE("'endpoints':[" POD("{'ready':true,'terminating':true}") "]," PORT));
    T_INT(model_pod_published(m, "d", "p"), POD_WITHDRAWN);
    set_slice(m, "d/db-1", NULL);
    set_slice(m, "d/web-1", NULL);
    T_INT(model_pod_published(m, "d", "p"), POD_ABSENT);
    model_free(m);
}

TEST(hints_come_from_slices_and_zones_from_nodes)
{
    struct model *m = model_new();
    set_service(m, "d/web", SPEC(""));
    set_slice(m, "d/web-1",
              SLICE("'endpoints':[" EP("10.244.0.2", ",'hints':{'forZones':[{'name':'a'},{'name':'b'}],"
                                                     "'forNodes':[{'name':'n1'}]}") "]," PORT));
    const struct svc_endpoint *e = model_get(m, "d", "web")->ports[0].endpoints;
    T_STR(e->for_zones, "a,b,");
    T_STR(e->for_nodes, "n1,");
    struct seen seen = {0};
    struct model_reader *r = model_reader_new(m, on_changed, &seen);
    TAKEN(r, seen, "d/web ");
    _cleanup_json_ json_t *node = t_doc("{'metadata':{'labels':{'topology.kubernetes.io/zone':'a'}}}");
    model_set_node(m, "n9", node); /* whoever is there sees other endpoints now */
    T_STR(model_zone_of(m, "n9"), "a");
    T_STR(model_zone_of(m, "n8"), "");
    TAKEN(r, seen, "d/web ");
    model_reader_free(r);
    buf_done(&seen.text);
    model_free(m);
}

TEST(a_slice_may_come_first_and_may_change_its_service)
{
    struct model *m = model_new();
    set_slice(m, "d/s", SLICE("'endpoints':[" EP("10.244.0.2", "") "]," PORT));
    T_INT(model_count(m), 0);
    T_TRUE(!model_get(m, "d", "web"));
    set_service(m, "d/web", SPEC(""));
    set_service(m, "d/other", "{'spec':{'clusterIP':'10.96.0.10','ports':[{'port':80}]}}");
    T_INT(model_get(m, "d", "web")->ports[0].n_endpoints, 1);
    _cleanup_json_ json_t *moved = t_doc(SLICE("'endpoints':[" EP("10.244.0.2", "") "]," PORT));
    json_object_set_new(jget(moved, "metadata.labels"), "kubernetes.io/service-name", json_string("other"));
    model_set_slice(m, "d", "s", moved);
    T_INT(model_get(m, "d", "web")->ports[0].n_endpoints, 0);
    T_INT(model_get(m, "d", "other")->ports[0].n_endpoints, 1);
    model_set_slice(m, "elsewhere", "s", moved); /* another namespace is another Service */
    T_INT(model_get(m, "d", "other")->ports[0].n_endpoints, 1);
    model_free(m);
}

TEST(addresses_lead_back_to_services)
{
    struct model *m = model_new();
    struct ip vip, shared, none;
    T_TRUE(ip_parse("10.96.0.9", &vip) && ip_parse("192.0.2.1", &shared) && ip_parse("10.96.0.1", &none));
    set_service(m, "d/b", "{'spec':{'clusterIP':'10.96.0.8','externalIPs':['192.0.2.1'],'ports':[{'port':80}]}}");
    set_service(m, "d/a", "{'spec':{'clusterIP':'10.96.0.9','externalIPs':['192.0.2.1'],'ports':[{'port':81}]}}");
    T_STR(model_by_ip(m, &vip)->name, "a");
    T_STR(model_by_ip(m, &shared)->name, "a");
    T_TRUE(!model_by_ip(m, &none));
    set_service(m, "d/a", NULL);
    T_TRUE(!model_by_ip(m, &vip));
    T_STR(model_by_ip(m, &shared)->name, "b");
    model_free(m);
}

TEST(namespaces_are_known_without_services)
{
    struct model *m = model_new();
    model_set_namespace(m, "d", true);
    model_set_namespace(m, "e", true);
    model_set_namespace(m, "e", false);
    model_set_namespace(m, "f", false);
    T_TRUE(model_has_namespace(m, "d") && !model_has_namespace(m, "e") && !model_has_namespace(m, "f"));
    model_free(m);
}

/* --- the property: step by step equals from nothing --- */

enum { N_SERVICES = 8, N_SLICES = 14, N_NODES = 4, N_STEPS = 6000 };

struct world {
    json_t *services[N_SERVICES], *slices[N_SLICES], *nodes[N_NODES];
};

static unsigned random_state = 1;
static int below(int n)
{
    random_state = random_state * 1103515245u + 12345u;
    return (int)(random_state >> 8) % n;
}

static json_t *random_service(int i)
{
    static const char *const specs[] = {
        "{'spec':{'clusterIP':'10.96.0.%d','ports':[{'name':'a','port':80},{'name':'b','port':81,'protocol':'UDP'}]}}",
        "{'spec':{'type':'NodePort','clusterIP':'10.96.0.%d','externalIPs':['192.0.2.1'],'ports':[{'name':'a','port':"
        "80,"
        "'nodePort':30080}]}}",
        "{'spec':{'clusterIP':'None','x':%d,'ports':[{'name':'a','port':80}]}}",
        "{'spec':{'type':'ExternalName','externalName':'n%d'}}",
        "{'metadata':{'labels':{'service.kubernetes.io/"
        "service-proxy-name':'x'}},'spec':{'clusterIP':'10.96.0.%d','ports':["
        "{'name':'b','port':80}]}}",
    };
    char text[400];
    snprintf(text, sizeof(text), specs[below(ARRAY_LEN(specs))], i + 1);
    return t_doc(text);
}

static json_t *random_slice(void)
{
    struct buf b = BUF_INIT(0);
    buf_addf(&b, "{'metadata':{'labels':{'kubernetes.io/service-name':'s%d'%s}},'addressType':'IPv4','endpoints':[",
             below(N_SERVICES), below(8) ? "" : ",'service.kubernetes.io/headless':''");
    for (int i = 0, n = below(5); i < n; i++) {
        static const char *const bools[] = {"null", "true", "false"};
        buf_addf(&b,
                 "%s{'addresses':['10.244.0.%d'],'nodeName':'n%d','conditions':{'ready':%s,'serving':%s,'terminating':%"
                 "s}%s}",
                 i ? "," : "", below(6), below(N_NODES), bools[below(3)], bools[below(3)], bools[below(3)],
                 below(4) ? "" : ",'zone':'own'");
    }
    buf_addf(&b, "],'ports':[{'name':'%c','port':%d,'protocol':'%s'}]}", 'a' + below(3), 8000 + below(2),
             below(3) ? "TCP" : "UDP");
    json_t *j = t_doc(buf_str(&b));
    buf_done(&b);
    return j;
}

static json_t *random_node(void)
{
    static const char *const nodes[] = {"{}", "{'metadata':{'labels':{'topology.kubernetes.io/zone':'z1'}}}",
                                        "{'metadata':{'labels':{'topology.kubernetes.io/zone':'z2'}}}"};
    return t_doc(nodes[below(3)]);
}

static void replace(json_t **at, json_t *now)
{
    json_decref(*at);
    *at = now;
}

static void apply_service(struct model *m, struct world *w, int i)
{
    char name[16];
    snprintf(name, sizeof(name), "s%d", i);
    model_set_service(m, "d", name, w->services[i]);
}

static void apply_slice(struct model *m, struct world *w, int i)
{
    char name[16];
    snprintf(name, sizeof(name), "slice%d", i);
    model_set_slice(m, "d", name, w->slices[i]);
}

static void apply_node(struct model *m, struct world *w, int i)
{
    char name[16];
    snprintf(name, sizeof(name), "n%d", i);
    model_set_node(m, name, w->nodes[i]);
}

static void random_step(struct model *m, struct world *w)
{
    int what = below(10);
    if (what < 2) {
        int i = below(N_SERVICES);
        replace(&w->services[i], below(3) ? random_service(i) : NULL);
        apply_service(m, w, i);
    } else if (what < 9) {
        int i = below(N_SLICES);
        replace(&w->slices[i], below(4) ? random_slice() : NULL);
        apply_slice(m, w, i);
    } else {
        int i = below(N_NODES);
        replace(&w->nodes[i], below(3) ? random_node() : NULL);
        apply_node(m, w, i);
    }
}

static struct model *from_nothing(struct world *w)
{
    struct model *m = model_new();
    for (int i = N_SLICES - 1; i >= 0; i--)
        apply_slice(m, w, i);
    for (int i = 0; i < N_SERVICES; i++)
        apply_service(m, w, i);
    for (int i = 0; i < N_NODES; i++)
        apply_node(m, w, i);
    return m;
}

/* What a reader would believe who only ever looked at what changed. */
static void believe(void *arg, const char *ns, const char *name, const struct svc *svc)
{
    char **believed = arg;
    int i = atoi(name + 1);
    (void)ns;
    free(believed[i]);
    believed[i] = svc ? dump_of(svc) : NULL;
}

static void check_beliefs(char **believed, struct model *m)
{
    for (int i = 0; i < N_SERVICES; i++) {
        char name[16];
        snprintf(name, sizeof(name), "s%d", i);
        const struct svc *s = model_get(m, "d", name);
        _cleanup_free_ char *now = s ? dump_of(s) : NULL;
        T_STR(believed[i], now);
    }
}

static void nothing(void *arg)
{
    (void)arg;
}

TEST(incremental_equals_rebuilt)
{
    struct world w = {0};
    struct model *m = model_new();
    char *believed[N_SERVICES] = {0};
    struct model_reader *r = model_reader_new(m, nothing, NULL);
    for (int step = 0; step < N_STEPS && !t_this_failed; step++) {
        random_step(m, &w);
        if (below(7))
            continue;
        struct model *again = from_nothing(&w);
        _cleanup_free_ char *got = dump_model(m), *want = dump_model(again);
        T_STR(got, want);
        model_take(r, believe, believed);
        check_beliefs(believed, m);
        model_free(again);
    }
    for (int i = 0; i < N_SERVICES; i++) {
        json_decref(w.services[i]);
        free(believed[i]);
    }
    for (int i = 0; i < N_SLICES; i++)
        json_decref(w.slices[i]);
    for (int i = 0; i < N_NODES; i++)
        json_decref(w.nodes[i]);
    model_reader_free(r);
    model_free(m);
}

/* --- size --- */

static json_t *big_slice(int i, int endpoints)
{
    struct buf b = BUF_INIT(0);
    buf_addf(&b, "{'metadata':{'labels':{'kubernetes.io/service-name':'s%d'}},'addressType':'IPv4','endpoints':[", i);
    for (int k = 0; k < endpoints; k++)
        buf_addf(&b,
                 "%s{'addresses':['10.%d.%d.%d'],'nodeName':'node-%d','targetRef':{'kind':'Pod','namespace':'d','name':"
                 "'pod-%d-%d'}}",
                 k ? "," : "", 1 + k, i / 256, i % 256, k, i, k);
    buf_adds(&b, "]," PORT "}");
    json_t *j = t_doc(buf_str(&b));
    buf_done(&b);
    return j;
}

static void count(void *arg, const char *ns, const char *name, const struct svc *svc)
{
    (void)ns;
    (void)name;
    *(size_t *)arg += svc->ports[0].n_endpoints;
}

TEST(ten_thousand_services_and_a_change_is_local)
{
    enum { N = 10000, CHANGES = 2000 };
    struct model *m = model_new();
    struct model_reader *r = model_reader_new(m, nothing, NULL);
    for (int i = 0; i < N; i++) {
        char name[32], text[200];
        snprintf(name, sizeof(name), "d/s%d", i);
        snprintf(text, sizeof(text), "{'spec':{'clusterIP':'10.96.%d.%d','ports':[{'port':80}]}}", i / 250,
                 i % 250 + 1);
        set_service(m, name, text);
        _cleanup_json_ json_t *slice = big_slice(i, 10);
        model_set_slice(m, "d", name + 2, slice);
    }
    size_t n = 0;
    model_take(r, count, &n);
    T_INT(n, 10 * N);
    _cleanup_json_ json_t *nine = big_slice(77, 9), *ten = big_slice(77, 10);
    int64_t start = clock_mono_ms();
    for (int i = 0; i < CHANGES; i++) {
        model_set_slice(m, "d", "s77", i % 2 ? ten : nine);
        n = 0;
        model_take(r, count, &n);
        T_INT(n, i % 2 ? 10 : 9);
    }
    int64_t took = clock_mono_ms() - start;
    printf("# %d changes among %d Services x 10 endpoints: %lld ms\n", CHANGES, N, (long long)took);
    T_TRUE(took < 1000); /* half a millisecond each: forty times what it takes, a hundredth of doing all again */
    model_reader_free(r);
    model_free(m);
}

int main(void)
{
    RUN(rules_of_services);
    RUN(traffic_goes_to_ready_else_to_terminating_endpoints);
    RUN(each_family_falls_back_on_its_own);
    RUN(hints_count_all_or_not_at_all);
    RUN(addresses_are_read_strictly);
    RUN(ranges_hold_addresses);
    RUN(a_list_has_one_member_a_family);
    RUN(addresses_of_a_range_are_numbered);
    RUN(readers_learn_what_changed_and_only_that);
    RUN(readers_are_told_how_far_the_slices_are);
    RUN(a_pod_is_published_until_the_last_slice_withdraws_it);
    RUN(hints_come_from_slices_and_zones_from_nodes);
    RUN(a_slice_may_come_first_and_may_change_its_service);
    RUN(addresses_lead_back_to_services);
    RUN(namespaces_are_known_without_services);
    RUN(incremental_equals_rebuilt);
    RUN(ten_thousand_services_and_a_change_is_local);
    return DONE();
}
