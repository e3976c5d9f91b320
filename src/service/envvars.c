/* See envvars.h. */
#include "service/envvars.h"

#include <ctype.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"

/* "my-svc" -> "MY_SVC"; the caller frees. */
static char *env_prefix(const char *name)
{
    char *out = xstrdup(name);
    for (char *c = out; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return out;
}

static void set(json_t *env, const char *prefix, const char *suffix, const char *value)
{
    _cleanup_free_ char *name = xasprintf("%s%s", prefix, suffix);
    json_object_set_new(env, name, json_string(value));
}

static void set_number(json_t *env, const char *prefix, const char *suffix, unsigned value)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", value);
    set(env, prefix, suffix, text);
}

/* An IPv6 address in a URL stands in brackets. */
static char *url_of(const struct svc_port *p, const struct ip *ip)
{
    char text[IP_TEXT_SIZE];
    const char *fmt = ip->family == AF_INET6 ? "%s://[%s]:%u" : "%s://%s:%u";
    return xasprintf(fmt, svc_protocol_name(p->protocol), ip_format(ip, text), p->port);
}

/* FOO_PORT_80_TCP and its parts, as Docker's links had them. */
static void add_link(json_t *env, const char *foo, const struct svc_port *p, const struct ip *ip, bool first)
{
    char address[IP_TEXT_SIZE];
    const char *protocol = svc_protocol_name(p->protocol);
    _cleanup_free_ char *url = url_of(p, ip), *lower = xasprintf("%s_PORT_%u_%s", foo, p->port, protocol);
    _cleanup_free_ char *prefix = env_prefix(lower);
    if (first)
        set(env, foo, "_PORT", url);
    set(env, prefix, "", url);
    set(env, prefix, "_PROTO", protocol);
    set_number(env, prefix, "_PORT", p->port);
    set(env, prefix, "_ADDR", ip_format(ip, address));
}

static void add_service(json_t *env, const struct svc *s)
{
    char address[IP_TEXT_SIZE];
    if (!s->n_cluster_ips || !s->n_ports)
        return;
    _cleanup_free_ char *foo = env_prefix(s->name);
    set(env, foo, "_SERVICE_HOST", ip_format(&s->cluster_ips[0], address));
    set_number(env, foo, "_SERVICE_PORT", s->ports[0].port);
    for (size_t i = 0; i < s->n_ports; i++) {
        const struct svc_port *p = &s->ports[i];
        if (*p->name) {
            _cleanup_free_ char *suffix = env_prefix(p->name), *name = xasprintf("%s_SERVICE_PORT_", foo);
            set_number(env, name, suffix, p->port);
        }
        add_link(env, foo, p, &s->cluster_ips[0], i == 0);
    }
}

json_t *service_env(struct model *m, const char *ns, bool links)
{
    json_t *env = json_object();
    const struct svc *kubernetes = links ? model_get(m, ns, "kubernetes") : NULL;
    void *cursor = NULL;
    /* A namespace's own Service of that name hides the cluster's. */
    if (!kubernetes || !kubernetes->n_cluster_ips)
        kubernetes = model_get(m, "default", "kubernetes");
    if (kubernetes)
        add_service(env, kubernetes);
    for (const struct svc *s; links && (s = model_next(m, &cursor));)
        if (streq(s->ns, ns))
            add_service(env, s);
    return env;
}
