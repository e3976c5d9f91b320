/* What annotations of an Ingress become: options, and words about those that cannot be had. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "ingress/options.h"
#include "t.h"

struct heard {
    char annotation[100], why[200];
    int n;
};

static void hear(void *arg, const char *annotation, const char *why)
{
    struct heard *h = arg;
    snprintf(h->annotation, sizeof(h->annotation), "%s", annotation);
    snprintf(h->why, sizeof(h->why), "%s", why);
    h->n++;
}

static struct ingress_options read_one(const char *key, const char *value, struct heard *h)
{
    struct ingress_options o;
    json_t *doc = json_pack("{s:{s:{s:s}}}", "metadata", "annotations", key, value);
    *h = (struct heard){0};
    ingress_options_read(&o, doc, hear, h);
    json_decref(doc);
    return o;
}

#define NGINX "nginx.ingress.kubernetes.io/"

TEST(values)
{
    struct heard h;
    T_TRUE(read_one(NGINX "ssl-redirect", "false", &h).no_redirect);
    T_TRUE(read_one("ingress.kubernetes.io/ssl-redirect", "false", &h).no_redirect);
    T_TRUE(read_one("haproxy.org/ssl-redirect", "false", &h).no_redirect);
    T_TRUE(!read_one(NGINX "ssl-redirect", "true", &h).no_redirect);
    T_TRUE(read_one(NGINX "force-ssl-redirect", "true", &h).force_redirect);
    T_STR(read_one(NGINX "affinity", "cookie", &h).cookie, "INGRESSCOOKIE");
    struct ingress_options o = read_one("haproxy.org/cookie-persistence", "where_2", &h);
    T_TRUE(o.sticky);
    T_STR(o.cookie, "where_2");
    T_TRUE(read_one(NGINX "backend-protocol", "GRPC", &h).protocol == INGRESS_H2C);
    T_TRUE(read_one("haproxy.org/server-ssl", "true", &h).protocol == INGRESS_TLS);
    T_INT(read_one(NGINX "proxy-body-size", "8m", &h).body_max, 8 << 20);
    T_INT(read_one(NGINX "proxy-body-size", "0", &h).body_max, 0);
    T_INT(read_one(NGINX "proxy-read-timeout", "90", &h).read_s, 90);
    T_STR(read_one(NGINX "rewrite-target", "/v2/x", &h).rewrite, "/v2/x");
    T_STR(read_one(NGINX "load-balance", "round_robin", &h).balance, "roundrobin");
    T_INT(h.n, 0);
    read_one("example.com/anything", "x", &h);
    T_INT(h.n, 0);
}

TEST(what_cannot_be_had_is_said)
{
    static const char *const cases[][3] = {
        {NGINX "ssl-redirect", "maybe", "must be true or false"},
        {NGINX "affinity", "ip", "must be \"cookie\""},
        {NGINX "session-cookie-name", "a b", "must be letters"},
        {NGINX "session-cookie-name", "x\n  server evil", "must be letters"},
        {NGINX "backend-protocol", "FCGI", "must be HTTP"},
        {NGINX "proxy-body-size", "8 m", "must be a size"},
        {NGINX "proxy-body-size", "m", "must be a size"},
        {NGINX "proxy-body-size", "99999999999m", "must be a size"},
        {NGINX "proxy-read-timeout", "0", "must be seconds"},
        {NGINX "proxy-read-timeout", "1h", "must be seconds"},
        {NGINX "rewrite-target", "/$2", "captured parts"},
        {NGINX "rewrite-target", "/%[env(X)]", "must be a path"},
        {NGINX "load-balance", "ewma", "must be roundrobin"},
        {NGINX "server-snippet", "x", "is not supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct heard h;
        struct ingress_options o = read_one(cases[i][0], cases[i][1], &h);
        if (h.n != 1 || !streq(h.annotation, cases[i][0]) || !strstr(h.why, cases[i][2]))
            T_FAIL("%s %s: %s", cases[i][0], cases[i][1], h.why);
        T_STR(o.cookie, "INGRESSCOOKIE");
        T_STR(o.rewrite, "");
    }
}

TEST(our_own_prefix_wins)
{
    struct heard h = {0};
    struct ingress_options o;
    json_t *doc = json_pack("{s:{s:{s:s, s:s}}}", "metadata", "annotations", "ingress.c8s.io/proxy-read-timeout", "5",
                            NGINX "proxy-read-timeout", "9");
    ingress_options_read(&o, doc, hear, &h);
    T_INT(o.read_s, 5);
    json_decref(doc);
}

TEST(protocol_of_a_port)
{
    T_INT(ingress_protocol_of(""), INGRESS_H1);
    T_INT(ingress_protocol_of("kubernetes.io/ws"), INGRESS_H1);
    T_INT(ingress_protocol_of("kubernetes.io/h2c"), INGRESS_H2C);
    T_INT(ingress_protocol_of("https"), INGRESS_TLS);
}

int main(void)
{
    RUN(values);
    RUN(what_cannot_be_had_is_said);
    RUN(our_own_prefix_wins);
    RUN(protocol_of_a_port);
    return DONE();
}
