/* dns: what the ConfigMap's keys mean, and what is said when they mean nothing. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "dns/settings.h"
#include "t.h"

static struct err err;

static struct settings *read_one(const char *key, const char *value)
{
    _cleanup_json_ json_t *data = json_pack("{s:s}", key, value);
    return settings_new(data, &err);
}

TEST(nothing_said_is_the_usual)
{
    struct settings *s = settings_new(NULL, &err);
    T_INT(s->ttl, 5);
    T_INT(s->cache_seconds, 30);
    T_TRUE(!s->upstreams[0] && !s->n_stubs && !s->hosts);
    settings_unref(s);
}

TEST(servers_are_lists_or_one)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"[\"8.8.8.8\", \"8.8.4.4:5353\"]", "8.8.8.8 8.8.4.4:5353 "},
        {"- 8.8.8.8\n- fd00::1\n", "8.8.8.8 fd00::1 "},
        {"10.0.0.1", "10.0.0.1 "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b = BUF_INIT(1000);
        struct settings *s = read_one("upstreamNameservers", cases[i].text);
        for (char **at = s->upstreams; *at; at++)
            buf_addf(&b, "%s ", *at);
        T_STR(buf_str(&b), cases[i].want);
        buf_done(&b);
        settings_unref(s);
    }
}

TEST(the_longest_stub_domain_counts)
{
    static const struct {
        const char *name;
        int stub;
    } cases[] = {{"example.", -1},       {"corp.example.", 0},     {"a.corp.example.", 0},
                 {"xcorp.example.", -1}, {"dev.corp.example.", 1}, {"a.dev.corp.example.", 1}};
    struct settings *s =
        read_one("stubDomains", "{\"Corp.Example\": [\"10.0.0.1\"], \"dev.corp.example.\": \"10.0.0.2\"}");
    T_STR(s->stubs[0].servers[0], "10.0.0.1");
    T_STR(s->stubs[1].servers[0], "10.0.0.2");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        knot_dname_storage_t name;
        knot_dname_from_str(name, cases[i].name, sizeof(name));
        const struct stub *stub = settings_stub(s, name);
        T_INT(stub ? (int)(stub - s->stubs) : -1, cases[i].stub);
    }
    settings_unref(s);
}

static void expect_servers(char *const *servers, const char *want)
{
    struct buf b = BUF_INIT(1000);
    for (; *servers; servers++)
        buf_addf(&b, "%s ", *servers);
    T_STR(buf_str(&b), want);
    buf_done(&b);
}

static bool has_host(const struct settings *s, const char *text)
{
    knot_dname_storage_t name;
    size_t n;
    return s->hosts && hosts_addresses(s->hosts, knot_dname_from_str(name, text, sizeof(name)), &n) && n == 1;
}

/* That of upstream's page on custom nameservers, and what people put into theirs. */
static const char corefile[] = ".:53 {\n"
                               "    errors # to the log\n"
                               "    health {\n"
                               "        lameduck 5s\n"
                               "    }\n"
                               "    ready\n"
                               "    log\n"
                               "    kubernetes cluster.local in-addr.arpa ip6.arpa {\n"
                               "        pods insecure\n"
                               "        fallthrough in-addr.arpa ip6.arpa\n"
                               "        ttl 30\n"
                               "    }\n"
                               "    hosts {\n"
                               "        192.0.2.1 \"one.test\" uno.test\n"
                               "        fallthrough\n"
                               "    }\n"
                               "    prometheus :9153\n"
                               "    forward . 172.16.0.1 dns://172.16.0.2:5353 {\n"
                               "        max_concurrent 1000\n"
                               "    }\n"
                               "    forward dev.test 10.2.0.1\n"
                               "    cache 60\n"
                               "    loop\n"
                               "    reload\n"
                               "    loadbalance\n"
                               "}\n"
                               "consul.local:53, Corp.test {\n"
                               "    errors\n"
                               "    cache 10\n"
                               "    forward . 10.150.0.1\n"
                               "    hosts {\n"
                               "        192.0.2.2 two.test\n"
                               "    }\n"
                               "}\n";

TEST(a_corefile_says_the_same)
{
    static const struct {
        const char *domain, *servers;
    } stubs[] = {{"dev.test.", "10.2.0.1 "}, {"consul.local.", "10.150.0.1 "}, {"corp.test.", "10.150.0.1 "}};
    struct settings *s = read_one("Corefile", corefile);
    T_TRUE(s != NULL);
    T_INT(s->ttl, 30);
    T_INT(s->cache_seconds, 60);
    T_TRUE(s->log);
    expect_servers(s->upstreams, "172.16.0.1 172.16.0.2:5353 ");
    T_INT(s->n_stubs, ARRAY_LEN(stubs));
    for (size_t i = 0; i < ARRAY_LEN(stubs); i++) {
        char text[300];
        T_STR(knot_dname_to_str(text, s->stubs[i].domain, sizeof(text)), stubs[i].domain);
        expect_servers(s->stubs[i].servers, stubs[i].servers);
    }
    T_TRUE(has_host(s, "one.test.") && has_host(s, "uno.test.") && has_host(s, "two.test."));
    settings_unref(s);
}

TEST(what_stands_beside_a_corefile_goes_before_it)
{
    _cleanup_json_ json_t *data =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "ttl", "7", "hosts", "192.0.2.3 three.test", "stubDomains",
                  "{only.test: 10.3.0.1}", "upstreamNameservers", "[10.4.0.1]", "Corefile", corefile);
    struct settings *s = settings_new(data, &err);
    T_INT(s->ttl, 7);
    T_INT(s->cache_seconds, 60);
    expect_servers(s->upstreams, "10.4.0.1 ");
    T_INT(s->n_stubs, 1);
    expect_servers(s->stubs[0].servers, "10.3.0.1 ");
    T_TRUE(has_host(s, "three.test.") && !has_host(s, "one.test."));
    settings_unref(s);
}

TEST(a_corefile_may_say_nothing)
{
    static const char *const texts[] = {"", "\n# nothing\n",
                                        ".:53 {\n    forward . /etc/resolv.conf\n    cache 30\n}\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct settings *s = read_one("Corefile", texts[i]);
        T_INT(s->ttl, 5);
        T_INT(s->cache_seconds, 30);
        T_TRUE(!s->upstreams[0] && !s->n_stubs && !s->hosts && !s->log);
        settings_unref(s);
    }
}

TEST(what_cannot_be_meant_is_told)
{
    static const struct {
        const char *key, *value, *want;
    } cases[] = {
        {"ttl", "3601", "data.ttl: not 0 to 3600 seconds"},
        {"ttl", "soon", "data.ttl: not 0 to 3600 seconds"},
        {"cacheSeconds", "-1", "data.cacheSeconds: not 0 to 3600 seconds"},
        {"upstreamNameservers", "[]", "data.upstreamNameservers: not one to 3 addresses"},
        {"upstreamNameservers", "[dns.google]", "data.upstreamNameservers: \"dns.google\" is no address of a server"},
        {"upstreamNameservers", "[1]", "data.upstreamNameservers: a value is no address of a server"},
        {"stubDomains", "[]", "data.stubDomains: not a map from at most 32 domains to their servers"},
        {"stubDomains", "{\"a..b\": 10.0.0.1}", "data.stubDomains: \"a..b\" is no domain"},
        {"stubDomains", "{\".\": 10.0.0.1}", "data.stubDomains: \".\" is no domain"},
        {"stubDomains", "{a: [10.0.0.256]}", "data.stubDomains: a: \"10.0.0.256\" is no address of a server"},
        {"hosts", "# nothing\n\n10.0.0.1 a\n10.0.0 b", "data.hosts: line 4: \"10.0.0\" is no address"},
        {"hosts", "10.0.0.1 # alone", "data.hosts: line 1: 10.0.0.1 has no name"},
        {"hosts", "10.0.0.1 a..b", "data.hosts: line 1: \"a..b\" is no name"},
        {"corefile", ". {}", "data.corefile: there is no such setting"},
        {"Corefile", ".:53 {\n  errors\n  rewrite name a b\n}",
         "data.Corefile: line 3: plugin \"rewrite\" is not supported here"},
        {"Corefile", ".:53 {\n forward . 8.8.8.8 {\n  tls\n }\n}",
         "data.Corefile: line 3: forward: \"tls\" is not supported here"},
        {"Corefile", ". {\n forward . tls://9.9.9.9\n}",
         "data.Corefile: line 2: \"tls://9.9.9.9\" is no address of a server"},
        {"Corefile", ". {\n forward .\n}", "data.Corefile: line 2: forward: a zone and the servers to ask are missing"},
        {"Corefile", ". {\n forward . 1.1.1.1\n forward . 1.0.0.1\n}",
         "data.Corefile: line 3: servers are named twice"},
        {"Corefile", "a.test {\n forward . /etc/resolv.conf\n}",
         "data.Corefile: line 2: a.test: /etc/resolv.conf is for the zone \".\" alone"},
        {"Corefile", ". {\n cache 3601\n}", "data.Corefile: line 2: cache: not 0 to 3600 seconds"},
        {"Corefile", ". {\n kubernetes {\n ttl\n }\n}", "data.Corefile: line 3: ttl: not 0 to 3600 seconds"},
        {"Corefile", ". {\n hosts /etc/coredns/hosts\n}",
         "data.Corefile: line 2: hosts: /etc/coredns/hosts: no file can be read"},
        {"Corefile", ". {\n hosts {\n  192.0.2.1 a\n\n  192.0.2 b\n }\n}",
         "data.Corefile: line 5: \"192.0.2\" is no address"},
        {"Corefile", ".:5353 {\n}", "data.Corefile: line 1: .:5353: DNS has port 53"},
        {"Corefile", ". {\n errors", "data.Corefile: a block has no end"},
        {"Corefile", "errors", "data.Corefile: line 1: not \"ZONE… {\""},
        {"Corefile", ". {\n {\n }\n}", "data.Corefile: line 2: a block that belongs to nothing"},
        {"Corefile", ". {\n log {\n class {\n", "data.Corefile: line 3: a block that belongs to nothing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        T_TRUE(!read_one(cases[i].key, cases[i].value));
        T_STR(err.msg, cases[i].want);
    }
}

int main(void)
{
    RUN(nothing_said_is_the_usual);
    RUN(servers_are_lists_or_one);
    RUN(the_longest_stub_domain_counts);
    RUN(a_corefile_says_the_same);
    RUN(what_stands_beside_a_corefile_goes_before_it);
    RUN(a_corefile_may_say_nothing);
    RUN(what_cannot_be_meant_is_told);
    return DONE();
}
