/* http: the text of URLs. */
#include "base/alloc.h"
#include "http/http.h"
#include "t.h"

TEST(decoding)
{
    static const struct {
        const char *in;
        bool plus;
        const char *want;
    } cases[] = {
        {"", false, ""},         {"plain", false, "plain"}, {"a%2Fb", false, "a/b"}, {"a%2fb", false, "a/b"},
        {"a+b", false, "a+b"},   {"a+b", true, "a b"},      {"%41", false, "A"},     {"%c3%a4", false, "\xc3\xa4"},
        {"%", false, NULL},      {"%4", false, NULL},       {"%4g", false, NULL},    {"%g4", false, NULL},
        {"nul%00", false, NULL}, {"100%25", false, "100%"}, {"%2541", false, "%41"}, {"%-1", false, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *got = url_decode(cases[i].in, strlen(cases[i].in), cases[i].plus);
        T_STR(got, cases[i].want);
    }
}

TEST(encoding_is_undone_by_decoding)
{
    _cleanup_free_ char *encoded = url_encode("a b/c=d&e+f~g-h.i_j%\xc3\xa4");
    T_STR(encoded, "a%20b%2Fc%3Dd%26e%2Bf~g-h.i_j%25%C3%A4");
    _cleanup_free_ char *decoded = url_decode(encoded, strlen(encoded), true);
    T_STR(decoded, "a b/c=d&e+f~g-h.i_j%\xc3\xa4");
}

TEST(hosts_and_ports)
{
    static const struct {
        const char *url, *want; /* host, port, path; NULL: it is none */
    } cases[] = {
        {"https://a.example", "a.example 443 "},
        {"https://a.example/", "a.example 443 /"},
        {"https://a.example:6443/x:y", "a.example 6443 /x:y"},
        {"https://[fd00::1]", "fd00::1 443 "},
        {"https://[fd00::1]:8443/x", "fd00::1 8443 /x"},
        {"https://10.0.0.1:1", "10.0.0.1 1 "},
        {"http://a.example", NULL},
        {"https://", NULL},
        {"https:///x", NULL},
        {"https://[fd00::1", NULL},
        {"https://[fd00::1/]", NULL},
        {"https://[]:1", NULL},
        {"https://a:0", NULL},
        {"https://a:", NULL},
        {"https://a:65536", NULL},
        {"https://[::1]x:1", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int port = 443;
        const char *path;
        _cleanup_free_ char *host = url_https_host(cases[i].url, &port, &path);
        _cleanup_free_ char *got = host ? xasprintf("%s %d %s", host, port, path) : NULL;
        T_STR(got, cases[i].want);
    }
}

TEST(query_parameters)
{
    static const struct {
        const char *query, *name;
        size_t nth;
        const char *want;
    } cases[] = {
        {"a=1&b=2", "a", 0, "1"},
        {"a=1&b=2", "b", 0, "2"},
        {"a=1&b=2", "c", 0, NULL},
        {"command=sh&command=-c&command=ls+-l", "command", 2, "ls -l"},
        {"command=sh", "command", 1, NULL},
        {"watch", "watch", 0, ""},
        {"watch=&x", "watch", 0, ""},
        {"", "a", 0, NULL},
        {"&&a=1", "a", 0, "1"},
        {"%61=1", "a", 0, "1"},
        {"a=b=c", "a", 0, "b=c"},
        {"a=%zz", "a", 0, NULL},
        {"ab=1&a=2", "a", 0, "2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *got = query_get(cases[i].query, cases[i].name, cases[i].nth);
        T_STR(got, cases[i].want);
    }
}

TEST(boolean_parameters)
{
    T_TRUE(query_bool("watch=true", "watch") && query_bool("a=b&watch=1", "watch") && query_bool("watch", "watch"));
    T_TRUE(!query_bool("", "watch") && !query_bool("watch=false", "watch") && !query_bool("watch=0", "watch"));
    T_TRUE(query_bool("tty=True", "tty") && !query_bool("tty=False", "tty"));
}

int main(void)
{
    RUN(decoding);
    RUN(encoding_is_undone_by_decoding);
    RUN(hosts_and_ports);
    RUN(query_parameters);
    RUN(boolean_parameters);
    return DONE();
}
