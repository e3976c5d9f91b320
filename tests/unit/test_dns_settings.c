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
        {"Corefile", ". {}", "data.Corefile: there is no such setting"},
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
    RUN(what_cannot_be_meant_is_told);
    return DONE();
}
