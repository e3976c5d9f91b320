/* See options.h. Names and values are those of ingress-nginx and of HAProxy's own controller. */
#include "ingress/options.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "json/json.h"

#define COOKIE_DEFAULT "INGRESSCOOKIE" /* as ingress-nginx */
#define SECONDS_MAX 86400
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* A later one wins. */
static const char *const prefixes[] = {"haproxy.org/", "nginx.ingress.kubernetes.io/", "ingress.kubernetes.io/",
                                       "ingress.c8s.io/"};

static bool read_bool(const char *value, bool *ret)
{
    *ret = strcasecmp(value, "true") == 0;
    return *ret || strcasecmp(value, "false") == 0;
}

static bool read_redirect(struct ingress_options *o, const char *value)
{
    bool wanted;
    if (!read_bool(value, &wanted))
        return false;
    o->no_redirect = !wanted;
    return true;
}

static bool read_force(struct ingress_options *o, const char *value)
{
    return read_bool(value, &o->force_redirect);
}

static bool read_affinity(struct ingress_options *o, const char *value)
{
    o->sticky = streq(value, "cookie");
    return o->sticky || streq(value, "none");
}

static bool read_cookie(struct ingress_options *o, const char *value)
{
    if (!*value || strlen(value) >= sizeof(o->cookie) || value[strspn(value, LETTERS "_-")])
        return false;
    snprintf(o->cookie, sizeof(o->cookie), "%s", value);
    return true;
}

static bool read_persistence(struct ingress_options *o, const char *value)
{
    return o->sticky = read_cookie(o, value);
}

static bool read_protocol(struct ingress_options *o, const char *value)
{
    static const struct {
        const char *name;
        enum ingress_protocol protocol;
    } names[] = {{"HTTP", INGRESS_H1}, {"HTTPS", INGRESS_TLS}, {"GRPC", INGRESS_H2C},
                 {"h2", INGRESS_H2C},  {"h1", INGRESS_H1},     {"GRPCS", INGRESS_TLS_H2}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(names[i].name, value) == 0) {
            o->protocol = names[i].protocol;
            return o->has_protocol = true;
        }
    return false;
}

static bool read_server_ssl(struct ingress_options *o, const char *value)
{
    bool tls;
    if (!read_bool(value, &tls))
        return false;
    return !tls || read_protocol(o, "HTTPS");
}

static bool read_balance(struct ingress_options *o, const char *value)
{
    static const char *const names[] = {"roundrobin", "leastconn", "random"};
    if (streq(value, "round_robin"))
        value = "roundrobin";
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (streq(names[i], value))
            o->balance = names[i];
    return o->balance && streq(o->balance, value);
}

/* "8m" as nginx writes sizes. */
static bool read_body_size(struct ingress_options *o, const char *value)
{
    static const char units[] = "kmg";
    size_t digits = strspn(value, "0123456789");
    int64_t n;
    char number[16];
    const char *unit = value[digits] ? strchr(units, value[digits] | 0x20) : NULL;
    if (!digits || digits >= 10 || (value[digits] && (!unit || value[digits + 1])))
        return false;
    snprintf(number, sizeof(number), "%.*s", (int)digits, value);
    if (!str_to_i64(number, 0, INT32_MAX, &n))
        return false;
    o->body_max = unit ? n << (10 * (unit - units + 1)) : n;
    return true;
}

static bool read_seconds(const char *value, int *ret)
{
    char number[8];
    int64_t n;
    size_t len = strlen(value);
    if (len && value[len - 1] == 's')
        len--;
    if (!len || len >= sizeof(number))
        return false;
    snprintf(number, sizeof(number), "%.*s", (int)len, value);
    if (!str_to_i64(number, 1, SECONDS_MAX, &n))
        return false;
    *ret = (int)n;
    return true;
}

static bool read_connect(struct ingress_options *o, const char *value)
{
    return read_seconds(value, &o->connect_s);
}

static bool read_read(struct ingress_options *o, const char *value)
{
    return read_seconds(value, &o->read_s);
}

static bool read_send(struct ingress_options *o, const char *value)
{
    return read_seconds(value, &o->send_s);
}

static bool read_rewrite(struct ingress_options *o, const char *value)
{
    if (*value != '/' || strlen(value) >= sizeof(o->rewrite) || value[strspn(value, LETTERS "/._~-")])
        return false;
    snprintf(o->rewrite, sizeof(o->rewrite), "%s", value);
    return true;
}

static const struct row {
    const char *name;
    bool (*read)(struct ingress_options *o, const char *value);
    const char *wanted;
} rows[] = {
    {"affinity", read_affinity, "must be \"cookie\""},
    {"backend-protocol", read_protocol, "must be HTTP, HTTPS, GRPC or GRPCS"},
    {"cookie-persistence", read_persistence, "must be the name of a cookie"},
    {"force-ssl-redirect", read_force, "must be true or false"},
    {"load-balance", read_balance, "must be roundrobin, leastconn or random"},
    {"proxy-body-size", read_body_size, "must be a size like 8m"},
    {"proxy-connect-timeout", read_connect, "must be seconds, at most 86400"},
    {"proxy-read-timeout", read_read, "must be seconds, at most 86400"},
    {"proxy-send-timeout", read_send, "must be seconds, at most 86400"},
    {"rewrite-target", read_rewrite, "must be a path of letters, digits and ./_~-; captured parts are not supported"},
    {"server-proto", read_protocol, "must be h1 or h2"},
    {"server-ssl", read_server_ssl, "must be true or false"},
    {"session-cookie-name", read_cookie, "must be letters, digits, _ and -, at most 64"},
    {"ssl-redirect", read_redirect, "must be true or false"},
};

static const char *apply(struct ingress_options *o, const char *name, const char *value)
{
    for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++)
        if (streq(r->name, name))
            return r->read(o, value) ? NULL : r->wanted;
    return "is not supported";
}

void ingress_options_read(struct ingress_options *o, const json_t *ingress,
                          void (*bad)(void *arg, const char *annotation, const char *why), void *arg)
{
    json_t *annotations = jget(ingress, "metadata.annotations"), *value;
    const char *key;
    *o = (struct ingress_options){.cookie = COOKIE_DEFAULT};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        json_object_foreach(annotations, key, value) {
            const char *name = str_after(key, prefixes[i]);
            const char *why = name && json_is_string(value) ? apply(o, name, json_string_value(value)) : NULL;
            if (why)
                bad(arg, key, why);
        }
}

/* KEP-3726. */
enum ingress_protocol ingress_protocol_of(const char *app_protocol)
{
    if (streq(app_protocol, "kubernetes.io/h2c") || strcasecmp(app_protocol, "grpc") == 0)
        return INGRESS_H2C;
    if (strcasecmp(app_protocol, "https") == 0 || streq(app_protocol, "kubernetes.io/wss"))
        return INGRESS_TLS;
    return INGRESS_H1;
}
