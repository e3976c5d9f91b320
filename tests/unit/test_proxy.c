/* proxy, the pure part: what the rules are for each kind of Service, and what a change of one comes to.
 * C8S_GOLDEN=write renews tests/golden/proxy.nft. */
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "proxy/affinity.h"
#include "proxy/ruleset.h"
#include "doc.h"

static struct ip node_ip, dns_ip;
static struct site site;

static void make_site(void)
{
    T_TRUE(ip_parse("172.28.128.10", &node_ip) && ip_parse("10.96.0.10", &dns_ip));
    site = (struct site){
        .family = AF_INET, .node_name = "n1", .node_ip = node_ip, .port_ips = &node_ip, .n_port_ips = 1, .dns = dns_ip};
    T_TRUE(cidr_parse("10.244.0.0/16", &site.pods) && cidr_parse("10.96.0.0/12", &site.services));
}

/* A model with its ruleset. */
struct world {
    struct model *model;
    struct model_reader *reader;
    struct ruleset *rules;
};

static void nothing(void *arg)
{
    (void)arg;
}

static struct world world_new(void)
{
    struct world w = {.model = model_new(), .rules = ruleset_new(&site)};
    w.reader = model_reader_new(w.model, nothing, NULL);
    return w;
}

static void world_done(struct world *w)
{
    model_reader_free(w->reader);
    ruleset_free(w->rules);
    model_free(w->model);
}

static void visit(void *arg, const char *ns, const char *name, const struct svc *svc)
{
    ruleset_set(arg, ns, name, svc);
}

static void changed(struct world *w)
{
    model_take(w->reader, visit, w->rules);
}

static void set_service(struct world *w, const char *name, const char *text)
{
    _cleanup_json_ json_t *j = text ? t_doc(text) : NULL;
    model_set_service(w->model, "d", name, j);
    changed(w);
}

/* One endpoint a word: "2", last byte of 10.244.0.x on n1; "102" is 10.244.1.2 on n2; a trailing t terminates and
 * serves, u is unready. */
static void set_endpoints(struct world *w, const char *name, const char *protocol, const char *words)
{
    struct buf b = BUF_INIT(0);
    size_t n;
    _cleanup_free_ char **list = str_split(words, ' ', &n);
    buf_addf(&b, "{'metadata':{'labels':{'kubernetes.io/service-name':'%s'}},'addressType':'IPv4','endpoints':[", name);
    for (size_t i = 0; i < n; i++) {
        int number = atoi(list[i]);
        bool t = str_ends_with(list[i], "t"), u = str_ends_with(list[i], "u");
        if (number)
            buf_addf(&b,
                     "%s{'addresses':['10.244.%d.%d'],'nodeName':'n%d','conditions':{'ready':%s,'serving':%s,'"
                     "terminating':%s}}",
                     b.data[b.len - 1] == '[' ? "" : ",", number / 100, number % 100, 1 + number / 100,
                     t || u ? "false" : "true", u ? "false" : "true", t ? "true" : "false");
    }
    buf_addf(&b, "],'ports':[{'port':8080,'protocol':'%s'}]}", protocol);
    _cleanup_json_ json_t *j = t_doc(buf_str(&b));
    model_set_slice(w->model, "d", name, j);
    changed(w);
    buf_done(&b);
}

static void set_pod(struct world *w, const char *name, const char *text)
{
    _cleanup_json_ json_t *j = text ? t_doc(text) : NULL;
    ruleset_set_pod(w->rules, "d", name, j);
}

#define POD_OF(spec, status) "{'metadata':{'namespace':'d','name':'x'},'spec':{" spec "},'status':{" status "}}"
#define POD(ip, ports) POD_OF("'containers':[{'ports':[" ports "]}]", "'phase':'Running','podIPs':[{'ip':'" ip "'}]")

/* --- slots --- */

static struct slots slots_of(const char *letters)
{
    struct slots s = {.list = xcalloc(strlen(letters) + 1, sizeof(*s.list)), .n = strlen(letters)};
    for (size_t i = 0; i < s.n; i++)
        s.list[i] =
            (struct target){.ip.family = AF_INET, .ip.bytes = {10, 0, 0, (unsigned char)letters[i]}, .port = 80};
    return s;
}

static void letters_of(const struct slots *s, char *out)
{
    for (size_t i = 0; i < s->n; i++)
        out[i] = (char)s->list[i].ip.bytes[3];
    out[s->n] = '\0';
}

TEST(endpoints_keep_their_slots)
{
    static const struct {
        const char *before, *want, *now;
    } cases[] = {
        {"", "", ""},          {"", "abc", "abc"},      {"abc", "abc", "abc"},
        {"cab", "abc", "cab"}, {"abc", "abcd", "abcd"}, {"abc", "bc", "cb"},
        {"abc", "ab", "ab"},   {"abc", "abd", "abd"},   {"abcd", "d", "d"},
        {"abcd", "dx", "xd"},  {"abcd", "cd", "dc"},    {"ab", "", ""},
        {"ab", "xyz", "xyz"},  {"abc", "xb", "xb"},     {"abcdef", "aef", "afe"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slots before = slots_of(cases[i].before), want = slots_of(cases[i].want), now = {0};
        char text[16];
        slots_assign(&now, &before, want.list, want.n);
        letters_of(&now, text);
        T_STR(text, cases[i].now);
        free(before.list);
        free(want.list);
        free(now.list);
    }
}

TEST(chains_are_exact_then_powers_of_two)
{
    static const size_t cases[][2] = {{1, 1}, {2, 2}, {16, 16}, {17, 32}, {32, 32}, {33, 64}, {4096, 4096}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        T_INT(slots_chain(cases[i][0]), cases[i][1]);
}

/* --- all of it --- */

#define SPEC(ip, more) "{'spec':{'clusterIP':'" ip "','ports':[{'port':80}]" more "}}"

static void everything(struct world *w)
{
    set_service(w, "plain", SPEC("10.96.0.1", ""));
    set_endpoints(w, "plain", "TCP", "2 102");
    set_service(w, "none", SPEC("10.96.0.2", ""));
    set_service(
        w, "node",
        "{'spec':{'type':'NodePort','clusterIP':'10.96.0.3','ports':[{'name':'http','port':80,'nodePort':30080},"
        "{'name':'dns','port':53,'protocol':'UDP','nodePort':30053}]}}");
    _cleanup_json_ json_t *slice =
        t_doc("{'metadata':{'labels':{'kubernetes.io/service-name':'node'}},'addressType':'IPv4','endpoints'"
              ":[{'addresses':['10.244.0.3']}],'ports':[{'name':'http','port':8080},{'name':'dns','port':"
              "5353,'protocol':'UDP'}]}");
    model_set_slice(w->model, "d", "node-1", slice);
    changed(w);
    set_service(
        w, "lb",
        "{'spec':{'type':'LoadBalancer','clusterIP':'10.96.0.4','externalIPs':['192.0.2.1'],'externalTrafficPolicy':'"
        "Local',"
        "'sessionAffinity':'ClientIP','loadBalancerSourceRanges':['10.1.0.0/16','10.0.0.0/8','172.28.128.0/24','fd00::/"
        "8',"
        "'198.51.100.7/32'],'ports':[{'port':80}]},'status':{'loadBalancer':{'ingress':[{'ip':'192.0.2.7'}]}}}");
    set_endpoints(w, "lb", "TCP", "4 104");
    set_service(w, "internal", SPEC("10.96.0.5", ",'internalTrafficPolicy':'Local'"));
    set_endpoints(w, "internal", "TCP", "105");
    set_service(w, "many", SPEC("10.96.0.6", ""));
    set_endpoints(w, "many", "TCP", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17");
    set_service(w, "kube-dns", SPEC("10.96.0.10", "")); /* the cluster's DNS address: not ours */
    set_service(w, "six", SPEC("fd00::1", ""));         /* another family's */
    set_service(w, "headless", SPEC("None", ""));
    set_pod(w, "with-ports",
            POD("10.244.0.9", "{'name':'http','containerPort':8080,'hostPort':80},{'containerPort':53,"
                              "'hostPort':53,'protocol':'UDP','hostIP':'172.28.128.10'}"));
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    struct buf b = BUF_INIT(0);
    char chunk[4096];
    for (size_t n; f && (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
        buf_add(&b, chunk, n);
    if (f)
        fclose(f);
    return buf_take(&b);
}

TEST(golden)
{
    static const char path[] = "tests/golden/proxy.nft";
    struct world w = world_new();
    struct buf text = BUF_INIT(0);
    struct rechecks r;
    everything(&w);
    ruleset_full(w.rules, &text, &r);
    if (streq(str_or(getenv("C8S_GOLDEN"), ""), "write")) {
        FILE *f = fopen(path, "w");
        fputs(buf_str(&text), f);
        fclose(f);
    }
    _cleanup_free_ char *want = read_file(path);
    T_STR(buf_str(&text), want);
    rechecks_done(&r);
    buf_done(&text);
    world_done(&w);
}

/* --- differences --- */

static char *take_text(struct world *w)
{
    struct buf b = BUF_INIT(0);
    struct rechecks r;
    ruleset_take(w->rules, &b, &r);
    rechecks_done(&r);
    return buf_take(&b);
}

#define TAKEN(w, want)                                                                                                 \
    do {                                                                                                               \
        _cleanup_free_ char *text_ = take_text(w);                                                                     \
        T_STR(text_, want);                                                                                            \
    } while (0)
#define DEL(set, keys) "delete element ip c8s " set " { " keys " }\n"
#define ADD(set, elements) "add element ip c8s " set " { " elements " }\n"

TEST(a_change_carries_only_the_difference)
{
    struct world w = world_new();
    set_service(&w, "web", SPEC("10.96.0.1", ""));
    TAKEN(&w, ADD("svc", "10.96.0.1 . 6 . 80 comment \"d/web\" : goto refuse") ADD("cluster_ips", "10.96.0.1"));
    set_endpoints(&w, "web", "TCP", "2 3 4");
    TAKEN(&w, DEL("svc", "10.96.0.1 . 6 . 80") ADD("svc", "10.96.0.1 . 6 . 80 comment \"d/web\" : goto ep3")
                  ADD("ep", "10.96.0.1 . 6 . 80 . 0 : 10.244.0.2 . 8080, 10.96.0.1 . 6 . 80 . 1 : 10.244.0.3 . 8080, "
                            "10.96.0.1 . 6 . 80 . 2 : 10.244.0.4 . 8080"));
    set_endpoints(&w, "web", "TCP", "3 4"); /* the last one takes the gap */
    TAKEN(&w, DEL("svc", "10.96.0.1 . 6 . 80") DEL("ep", "10.96.0.1 . 6 . 80 . 0, 10.96.0.1 . 6 . 80 . 2")
                  ADD("svc", "10.96.0.1 . 6 . 80 comment \"d/web\" : goto ep2")
                      ADD("ep", "10.96.0.1 . 6 . 80 . 0 : 10.244.0.4 . 8080"));
    set_endpoints(&w, "web", "TCP", "3 5"); /* one replaced: one element */
    TAKEN(&w, DEL("ep", "10.96.0.1 . 6 . 80 . 0") ADD("ep", "10.96.0.1 . 6 . 80 . 0 : 10.244.0.5 . 8080"));
    set_endpoints(&w, "web", "TCP", "3 5");
    set_endpoints(&w, "web", "TCP", "3 5 7u"); /* unready ones are none of the kernel's business */
    TAKEN(&w, "");
    set_service(&w, "web", NULL);
    TAKEN(&w, DEL("svc", "10.96.0.1 . 6 . 80") DEL("ep", "10.96.0.1 . 6 . 80 . 0, 10.96.0.1 . 6 . 80 . 1")
                  DEL("cluster_ips", "10.96.0.1"));
    T_INT(ruleset_count(w.rules), 0);
    world_done(&w);
}

static void avoid(struct world *w, const char *node, bool on)
{
    if (on)
        map_put(&site.avoid, node, w);
    else
        map_del(&site.avoid, node);
    model_touch_node(w->reader, node);
    changed(w);
}

#define TO_EP(n) ADD("svc", "10.96.0.1 . 6 . 80 comment \"d/web\" : goto ep" #n)
#define NOT_EP DEL("svc", "10.96.0.1 . 6 . 80")

TEST(endpoints_on_avoided_nodes_are_the_last_resort)
{
    struct world w = world_new();
    set_service(&w, "web", SPEC("10.96.0.1", ""));
    set_service(&w, "other", SPEC("10.96.0.2", ""));
    set_endpoints(&w, "web", "TCP", "2 102 202");
    set_endpoints(&w, "other", "TCP", "3");
    _cleanup_free_ char *first = take_text(&w);
    avoid(&w, "n2", true);
    TAKEN(&w, "delete element ip c8s svc { 10.96.0.1 . 6 . 80 }\n"
              "delete element ip c8s ep { 10.96.0.1 . 6 . 80 . 1, 10.96.0.1 . 6 . 80 . 2 }\n" TO_EP(2)
                  ADD("ep", "10.96.0.1 . 6 . 80 . 1 : 10.244.2.2 . 8080"));
    avoid(&w, "n3", true);
    TAKEN(&w, NOT_EP DEL("ep", "10.96.0.1 . 6 . 80 . 1") TO_EP(1));
    set_endpoints(&w, "web", "TCP", "102 202"); /* better than nothing */
    TAKEN(&w,
          NOT_EP DEL("ep", "10.96.0.1 . 6 . 80 . 0") TO_EP(2) ADD("ep", "10.96.0.1 . 6 . 80 . 0 : 10.244.1.2 . 8080, "
                                                                        "10.96.0.1 . 6 . 80 . 1 : 10.244.2.2 . 8080"));
    avoid(&w, "n2", false);
    TAKEN(&w, NOT_EP DEL("ep", "10.96.0.1 . 6 . 80 . 1") TO_EP(1));
    avoid(&w, "n3", false);
    TAKEN(&w, NOT_EP TO_EP(2) ADD("ep", "10.96.0.1 . 6 . 80 . 1 : 10.244.2.2 . 8080"));
    map_done(&site.avoid);
    world_done(&w);
}

TEST(one_front_has_one_holder)
{
    struct world w = world_new();
    set_service(&w, "a", SPEC("10.96.0.1", ",'externalIPs':['192.0.2.1','192.0.2.1']"));
    _cleanup_free_ char *first = take_text(&w);
    set_service(&w, "b", SPEC("10.96.0.2", ",'externalIPs':['192.0.2.1']"));
    TAKEN(&w, ADD("svc", "10.96.0.2 . 6 . 80 comment \"d/b\" : goto refuse") ADD("cluster_ips", "10.96.0.2"));
    set_service(&w, "a", SPEC("10.96.0.1", ""));
    TAKEN(&w, DEL("svc", "192.0.2.1 . 6 . 80") ADD("svc", "192.0.2.1 . 6 . 80 comment \"d/b\" : goto refuse"));
    set_service(&w, "a", NULL);
    set_service(&w, "b", NULL);
    TAKEN(&w, DEL("svc", "10.96.0.1 . 6 . 80, 10.96.0.2 . 6 . 80, 192.0.2.1 . 6 . 80")
                  DEL("cluster_ips", "10.96.0.1, 10.96.0.2"));
    world_done(&w);
}

TEST(names_cannot_say_anything_to_nft)
{
    struct world w = world_new();
    set_service(&w, "a\" : drop }\n flush ruleset #", SPEC("10.96.0.1", ""));
    TAKEN(&w, ADD("svc", "10.96.0.1 . 6 . 80 comment \"d/a??:?drop????flush?ruleset??\" : goto refuse")
                  ADD("cluster_ips", "10.96.0.1"));
    world_done(&w);
}

TEST(host_ports_are_those_of_pods_that_run_here)
{
    static const struct {
        const char *pod, *commands;
    } cases[] = {
        {POD("10.244.0.9", "{'containerPort':8080}"), ""},
        {POD("10.244.0.9", "{'name':'http','containerPort':8080,'hostPort':80}"),
         ADD("host_ports", "6 . 80 comment \"d/x:http\" : 10.244.0.9 . 8080")},
        {POD("10.244.0.9", "{'containerPort':8080,'hostPort':80,'hostIP':'0.0.0.0','protocol':'SCTP'}"),
         ADD("host_ports", "132 . 80 comment \"d/x\" : 10.244.0.9 . 8080")},
        {POD("10.244.0.9", "{'containerPort':8080,'hostPort':80,'hostIP':'127.0.0.1'}"),
         ADD("host_ports_on", "127.0.0.1 . 6 . 80 comment \"d/x\" : 10.244.0.9 . 8080")},
        {POD("10.244.0.9", "{'containerPort':8080,'hostPort':80,'hostIP':'::'}"), ""}, /* of the other family's table */
        {POD("fd00::9", "{'containerPort':8080,'hostPort':80}"), ""},
        {POD_OF("'containers':[{'ports':[{'containerPort':8080,'hostPort':80}]}]", "'phase':'Pending'"), ""},
        {POD_OF("'containers':[{'ports':[{'containerPort':8080,'hostPort':80}]}]",
                "'phase':'Failed','podIPs':[{'ip':'10.244.0.9'}]"),
         ""},
        {POD_OF("'hostNetwork':true,'containers':[{'ports':[{'containerPort':80,'hostPort':80}]}]",
                "'phase':'Running','podIPs':[{'ip':'172.28.128.10'}]"),
         ""},
        {POD_OF("'initContainers':[{'ports':[{'containerPort':1,'hostPort':1}]},{'restartPolicy':'Always','ports':["
                "{'containerPort':2,'hostPort':2},{'containerPort':3,'hostPort':2}]}]",
                "'podIPs':[{'ip':'10.244.0.9'}]"),
         ADD("host_ports", "6 . 2 comment \"d/x\" : 10.244.0.9 . 2")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w = world_new();
        set_pod(&w, "x", cases[i].pod);
        TAKEN(&w, cases[i].commands);
        world_done(&w);
    }
}

/* --- what is stale afterwards --- */

static void list_text(struct buf *b, const char *what, struct recheck_list *l)
{
    char ip[IP_TEXT_SIZE];
    recheck_sort(l);
    for (size_t i = 0; i < l->n; i++) {
        const struct recheck_key *key = &l->list[i].key;
        if (key->number)
            buf_addf(b, "%s %u", what, key->number);
        else
            buf_addf(b, "%s %s:%u", what, ip_format(&key->ip, ip), key->port);
        for (size_t k = 0; k < l->list[i].n_targets; k++)
            buf_addf(b, " %d", l->list[i].targets[k].ip.bytes[3]);
        buf_adds(b, "; ");
    }
}

#define STALE(w, want)                                                                                                 \
    do {                                                                                                               \
        struct buf ignored_ = BUF_INIT(0), text_ = BUF_INIT(0);                                                        \
        struct rechecks r_;                                                                                            \
        ruleset_take((w)->rules, &ignored_, &r_);                                                                      \
        list_text(&text_, "flows", &r_.flows);                                                                         \
        list_text(&text_, "affinities", &r_.affinities);                                                               \
        T_STR(buf_str(&text_), want);                                                                                  \
        rechecks_done(&r_);                                                                                            \
        buf_done(&ignored_);                                                                                           \
        buf_done(&text_);                                                                                              \
    } while (0)

TEST(changes_name_what_they_make_stale)
{
    struct world w = world_new();
    static const char udp[] = "{'spec':{'clusterIP':'10.96.0.1','ports':[{'port':53,'protocol':'UDP'}]}}";
    set_service(&w, "dns", udp);
    STALE(&w, "flows 10.96.0.1:53; "); /* from nobody to somebody counts as well */
    set_endpoints(&w, "dns", "UDP", "2 3t 4u");
    STALE(&w, "flows 10.96.0.1:53 2 3; "); /* who serves may finish what it has */
    set_service(&w, "dns", NULL);
    STALE(&w, "flows 10.96.0.1:53; ");

    set_service(&w, "web", SPEC("10.96.0.2", ""));
    set_endpoints(&w, "web", "TCP", "2 3");
    STALE(&w, "");
    set_service(&w, "web", SPEC("10.96.0.2", ",'sessionAffinity':'ClientIP'"));
    STALE(&w, "");
    set_endpoints(&w, "web", "TCP", "2 3t");
    STALE(&w, "affinities 1 2; affinities 2 2; "); /* but nobody new is sent there */
    set_service(&w, "web", SPEC("10.96.0.2", ""));
    STALE(&w, "affinities 1; affinities 2; ");
    set_endpoints(&w, "web", "TCP", "2 102");
    STALE(&w, "");
    avoid(&w, "n2", true); /* SYNs that wait for an answer from there may be for another one */
    STALE(&w, "flows 10.96.0.2:80 2; ");
    avoid(&w, "n2", false);
    STALE(&w, "");
    set_pod(&w, "x",
            POD("10.244.0.9", "{'containerPort':1,'hostPort':2},{'containerPort':3,'hostPort':53,'protocol':'UDP'}"));
    STALE(&w, "flows 127.0.0.1:53 9; flows 172.28.128.10:53 9; ");
    set_pod(&w, "x", NULL);
    STALE(&w, "flows 127.0.0.1:53; flows 172.28.128.10:53; ");
    map_done(&site.avoid);
    world_done(&w);
}

TEST(stale_affinities_are_found_in_the_list)
{
    struct world w = world_new();
    struct buf text = BUF_INIT(0);
    struct rechecks r;
    set_service(&w, "web", SPEC("10.96.0.2", ",'sessionAffinity':'ClientIP'"));
    set_endpoints(&w, "web", "TCP", "2 3");
    ruleset_take(w.rules, &text, &r);
    rechecks_done(&r);
    set_endpoints(&w, "web", "TCP", "2");
    ruleset_take(w.rules, &text, &r);
    recheck_sort(&r.affinities);
    buf_clear(&text);
    _cleanup_json_ json_t *list =
        t_doc("{'nftables':[{'metainfo':{}},{'map':{'elem':["
              "[{'elem':{'val':{'concat':['10.244.0.9',1]},'timeout':60,'expires':57}},{'concat':['10.244.0.2',8080]}],"
              "[{'elem':{'val':{'concat':['10.244.0.8',1]},'timeout':60}},{'concat':['10.244.0.3',8080]}],"
              "[{'concat':['10.244.0.7',1]},{'concat':['10.244.0.2',8081]}],"
              "[{'elem':{'val':{'concat':['10.244.0.6',3]}}},{'concat':['10.244.0.3',8080]}],"
              "[{'elem':{'val':{'concat':['x']}}},7]]}}]}");
    affinity_render_stale(AF_INET, list, &r.affinities, &text);
    T_STR(buf_str(&text), "delete element ip c8s affinity { 10.244.0.8 . 1, 10.244.0.7 . 1 }\n");
    rechecks_done(&r);
    buf_done(&text);
    world_done(&w);
}

/* The clients' last bytes, each with a number, seconds left and of how many (0: the map's own), as a listing. */
static json_t *listed_clients(const int (*rows)[4], size_t n)
{
    json_t *elements = json_array();
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *ip = xasprintf("10.244.0.%d", rows[i][0]);
        json_t *element = json_pack("{s:{s:[s,i]}, s:i}", "val", "concat", ip, rows[i][1], "expires", rows[i][2]);
        if (rows[i][3])
            json_object_set_new(element, "timeout", json_integer(rows[i][3]));
        json_array_append_new(elements, json_pack("[{s:o}, {s:[s,i]}]", "elem", element, "concat", "10.0.0.2", 8080));
    }
    return json_pack("{s:[{s:{s:i, s:o}}]}", "nftables", "map", "timeout", 10800, "elem", elements);
}

TEST(affinities_are_translated_into_the_numbers_of_another_table)
{
    static const int rows[][4] = {{9, 1, 57, 60}, {8, 3, 57, 60}, {7, 1, 0, 60}, {6, 1, 10799, 0}, {5, 9, 57, 60}};
    struct buf text = BUF_INIT(0);
    _cleanup_json_ json_t *list = listed_clients(rows, ARRAY_LEN(rows));
    _cleanup_json_ json_t *before = t_doc(
        "{'nftables':[{'map':{'elem':[[{'concat':['10.96.0.1',6,80]},1],[{'concat':['192.0.2.1',6,80]},1],[{'concat':["
        "'10.96.0.2',6,80]},3]]}}]}");
    _cleanup_json_ json_t *now =
        t_doc("{'nftables':[{'map':{'elem':[[{'concat':['10.96.0.1',6,80]},7],[{'concat':['10.96.0.3',6,80]},3]]}}]}");
    affinity_render_kept(AF_INET, list, before, now, &text);
    T_STR(buf_str(&text), "add element ip c8s affinity { 10.244.0.9 . 7 timeout 60s expires 57s : 10.0.0.2 . 8080, "
                          "10.244.0.6 . 7 timeout 10800s expires 10799s : 10.0.0.2 . 8080 }\n");
    buf_done(&text);
}

int main(void)
{
    make_site();
    RUN(endpoints_keep_their_slots);
    RUN(chains_are_exact_then_powers_of_two);
    RUN(golden);
    RUN(a_change_carries_only_the_difference);
    RUN(endpoints_on_avoided_nodes_are_the_last_resort);
    RUN(one_front_has_one_holder);
    RUN(names_cannot_say_anything_to_nft);
    RUN(host_ports_are_those_of_pods_that_run_here);
    RUN(changes_name_what_they_make_stale);
    RUN(stale_affinities_are_found_in_the_list);
    RUN(affinities_are_translated_into_the_numbers_of_another_table);
    return DONE();
}
