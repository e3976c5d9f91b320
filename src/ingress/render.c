/* See render.h. Requests find their backend through maps, so that the number of rules costs lookups in trees and not a
 * chain of conditions: host (or *.its domain, or *), then host and whole path, then the longest host and path prefix.
 * Prefixes end with a slash, and so does what is compared with them: "/foo/" begins "/foo/bar/" and not "/foobar/". */
#include "ingress/render.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

#define NOT_FOUND "not-found"
#define METRICS_PORT 10254    /* as ingress-nginx */
#define HOSTS_A_LINE 32       /* HAProxy takes 64 words */
#define CERT_HOSTS_A_LINE 200 /* of 253 bytes at most; HAProxy takes lines of 64 KiB */

static void add_file(struct ingress_files *f, char *name_take, struct buf *text)
{
    f->files = xrealloc(f->files, (f->n + 1) * sizeof(*f->files));
    char *taken = buf_take(text);
    f->files[f->n++] = (struct ingress_file){name_take, taken ? taken : xstrdup("")};
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp((*(struct map_entry *const *)a)->key, (*(struct map_entry *const *)b)->key);
}

/* The entries in the order of their keys; NULL-terminated, the caller frees. */
static struct map_entry **sorted(const struct map *m)
{
    struct map_entry **list = xcalloc(m->len + 1, sizeof(*list));
    size_t n = 0;
    for (struct map_entry *e = NULL; (e = map_next(m, e));)
        list[n++] = e;
    if (n)
        qsort(list, n, sizeof(*list), compare_keys);
    return list;
}

static void add_map(struct ingress_files *f, const char *name, const struct map *m, bool has_values)
{
    _cleanup_free_ struct map_entry **list = sorted(m);
    struct buf out = BUF_INIT(0);
    for (struct map_entry **e = list; *e; e++)
        buf_addf(&out, "%s %s\n", (*e)->key, has_values ? (const char *)(*e)->value : (*e)->key);
    add_file(f, xstrdup(name), &out);
}

/* Without hosts HAProxy takes the names that are in the certificate. */
static void add_cert_lines(struct buf *out, const char *path, const struct ingress_cert *c)
{
    _cleanup_free_ struct map_entry **hosts = sorted(&c->hosts);
    if (c->any_host || !*hosts) {
        buf_addf(out, "%s\n", path);
        return;
    }
    for (size_t i = 0; hosts[i]; i++) {
        bool ends = i % CERT_HOSTS_A_LINE == CERT_HOSTS_A_LINE - 1 || !hosts[i + 1];
        buf_addf(out, "%s %s%s", i % CERT_HOSTS_A_LINE ? "" : path, hosts[i]->key, ends ? "\n" : "");
    }
}

static void add_certs(struct ingress_files *f, const struct map *certs, const char *dir)
{
    _cleanup_free_ struct map_entry **list = sorted(certs);
    struct buf out = BUF_INIT(0);
    for (struct map_entry **e = list; *e; e++) {
        const struct ingress_cert *c = (*e)->value;
        _cleanup_free_ char *path = xasprintf("%s/%s.pem", dir, (*e)->key);
        add_cert_lines(&out, path, c);
        struct buf pem = BUF_INIT(0);
        buf_adds(&pem, c->pem);
        add_file(f, xasprintf("%s.pem", (*e)->key), &pem);
    }
    add_file(f, xstrdup(INGRESS_CERTS), &out);
}

static void add_head(struct buf *out, const struct ingress_site *site)
{
    buf_adds(out, "# Written by c8s from the Ingresses of the cluster; changes are overwritten.\n\nglobal\n");
    if (site->generation)
        buf_addf(out, "    description generation-%lu\n", site->generation);
    buf_addf(out,
             "    pidfile %s/" INGRESS_PIDFILE "\n"
             "    stats socket %s/" INGRESS_SOCKET " mode 600 level admin expose-fd listeners\n"
             "    chroot /var/lib/haproxy\n"
             "    user haproxy\n"
             "    group haproxy\n"
             "    fd-hard-limit 20000\n"
             "    hard-stop-after 5m\n"
             "    mworker-max-reloads 20\n"
             "    ssl-default-bind-options ssl-min-ver TLSv1.2\n"
             "    tune.ssl.default-dh-param 2048\n"
             "\n"
             "defaults\n"
             "    mode http\n"
             "    balance roundrobin\n"
             "    option redispatch 1\n"
             "    option idle-close-on-response\n"
             "    retries 3\n"
             "    retry-on conn-failure empty-response\n"
             "    timeout connect 2s\n"
             "    timeout client 60s\n"
             "    timeout server 60s\n"
             "    timeout http-request 15s\n"
             "    timeout http-keep-alive 30s\n"
             "    timeout tunnel 1h\n"
             "\n",
             site->dir, site->dir);
}

static void add_binds(struct buf *out, const struct ingress_site *site)
{
    buf_adds(out, "frontend ingress\n");
    for (size_t i = 0; i < site->n_nodes; i++) {
        int fd = INGRESS_FIRST_FD + 2 * (int)i;
        buf_addf(out,
                 "    bind fd@%d # %s:80\n"
                 "    bind fd@%d ssl crt %s/" INGRESS_DEFAULT_CERT " crt-list %s/" INGRESS_CERTS
                 " alpn h2,http/1.1 # %s:443\n",
                 fd, site->nodes[i].ip, fd + 1, site->dir, site->dir, site->nodes[i].ip);
    }
}

/* Without patterns there is nothing to choose: a host that no rule names has no paths either. */
static void add_site(struct buf *out, const struct ingress_plan *p, const char *dir)
{
    static const char host[] = "req.hdr(host),field(1,:),lower";
    bool has_patterns = false;
    for (struct map_entry *e = NULL; (e = map_next(&p->hosts, e)) && !has_patterns;)
        has_patterns = e->key[0] == '*';
    if (!has_patterns) {
        buf_addf(out, "    http-request set-var(txn.site) %s\n", host);
        return;
    }
    buf_addf(out,
             "    http-request set-var(txn.host) %s\n"
             "    http-request set-var(txn.site) var(txn.host),map_str(%s/hosts.map)\n"
             "    http-request set-var(txn.site) var(txn.host),regsub(^[^.]+,*),map_str(%s/hosts.map) unless { "
             "var(txn.site) -m found }\n"
             "    http-request set-var(txn.site) str(*) unless { var(txn.site) -m found }\n",
             host, dir, dir);
}

static void add_choice(struct buf *out, const struct ingress_plan *p, const char *dir)
{
    const char *otherwise = p->default_backend ? p->default_backend : NOT_FOUND;
    if (!p->exact.len) {
        buf_addf(out,
                 "    http-request set-var-fmt(txn.at) %%[var(txn.site)]%%[path]/\n"
                 "    use_backend %%[var(txn.at),map_beg(%s/prefix.map,%s)]\n",
                 dir, otherwise);
        return;
    }
    buf_addf(out,
             "    http-request set-var-fmt(txn.at) %%[var(txn.site)]%%[path]\n"
             "    http-request set-var(txn.to) var(txn.at),map_str(%s/exact.map)\n"
             "    http-request set-var(txn.to) var(txn.at),concat(/),map_beg(%s/prefix.map,%s) unless { var(txn.to) -m "
             "found }\n"
             "    use_backend %%[var(txn.to)]\n",
             dir, dir, otherwise);
}

static void add_frontend(struct buf *out, const struct ingress_plan *p, const struct ingress_site *site)
{
    add_binds(out, site);
    buf_adds(out, "    http-request disable-l7-retry unless METH_GET\n"
                  "    http-request set-header X-Forwarded-For %[src]\n"
                  "    http-request set-header X-Real-IP %[src]\n"
                  "    http-request set-header X-Forwarded-Host %[req.hdr(host)]\n"
                  "    http-request set-header X-Forwarded-Port %[dst_port]\n"
                  "    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]\n");
    add_site(out, p, site->dir);
    add_choice(out, p, site->dir);
    buf_adds(out, "\nbackend " NOT_FOUND "\n"
                  "    http-request return status 404 content-type \"text/plain; charset=utf-8\" string \"404 page not "
                  "found\\n\"\n");
}

static void add_resolvers(struct buf *out, const struct ingress_plan *p, const char *dns)
{
    char host[HOST_TEXT_SIZE];
    bool any = false;
    for (struct map_entry *e = NULL; (e = map_next(&p->backends, e));)
        any |= ((const struct ingress_backend *)e->value)->external != NULL;
    if (any)
        buf_addf(out, "\nresolvers cluster\n    nameserver dns %s:53\n    accepted_payload_size 1232\n",
                 ip_url_host(dns, host));
}

/* Counters by Ingress and Service: backends are named so. Servers are left out, most are free slots. */
static void add_metrics(struct buf *out, const struct ingress_site *site)
{
    char host[HOST_TEXT_SIZE];
    if (site->n_nodes)
        buf_addf(out,
                 "\nfrontend metrics\n"
                 "    bind %s:%d\n"
                 "    http-request set-query scope=global&scope=frontend&scope=backend\n"
                 "    http-request use-service prometheus-exporter if { path /metrics }\n"
                 "    http-request return status 404\n",
                 ip_url_host(site->nodes[0].ip, host), METRICS_PORT);
}

/* To HTTPS: always, where asked; else for the hosts for which the Ingress has TLS. */
static void add_redirect(struct buf *out, const struct ingress_backend *b)
{
    static const char redirect[] = "    http-request redirect scheme https code 308 if !{ ssl_fc }";
    const struct ingress_options *o = &b->options;
    bool any = b->tls_hosts.len || !b->has_plain_hosts;
    if (!o->force_redirect && (o->no_redirect || !any))
        return;
    if (o->force_redirect || !b->has_plain_hosts) {
        buf_addf(out, "%s\n", redirect);
        return;
    }
    _cleanup_free_ struct map_entry **hosts = sorted(&b->tls_hosts);
    for (size_t i = 0; hosts[i]; i++) {
        if (i % HOSTS_A_LINE == 0)
            buf_addf(out, "%s { var(txn.site) -m str", redirect);
        buf_addf(out, " %s", hosts[i]->key);
        if (i % HOSTS_A_LINE == HOSTS_A_LINE - 1 || !hosts[i + 1])
            buf_adds(out, " }\n");
    }
}

static void add_options(struct buf *out, const struct ingress_backend *b)
{
    static const char *const servers[] = {
        [INGRESS_H2C] = "proto h2", [INGRESS_TLS] = "ssl verify none", [INGRESS_TLS_H2] = "ssl verify none alpn h2"};
    const struct ingress_options *o = &b->options;
    int answer_s = o->read_s > o->send_s ? o->read_s : o->send_s;
    if (o->balance)
        buf_addf(out, "    balance %s\n", o->balance);
    if (o->connect_s)
        buf_addf(out, "    timeout connect %ds\n", o->connect_s);
    if (answer_s)
        buf_addf(out, "    timeout server %ds\n", answer_s);
    add_redirect(out, b);
    if (o->body_max)
        buf_addf(out, "    http-request deny deny_status 413 if { req.hdr_val(content-length) gt %lld }\n",
                 (long long)o->body_max);
    if (*o->rewrite)
        buf_addf(out, "    http-request set-path %s\n", o->rewrite);
    if (o->sticky) /* the cookie is made from the endpoint's address, so it outlives every reload */
        buf_addf(out, "    cookie %s insert indirect nocache httponly dynamic\n    dynamic-cookie-key %s\n", o->cookie,
                 b->name);
    if (o->protocol != INGRESS_H1)
        buf_addf(out, "    default-server %s\n", servers[o->protocol]);
}

static void add_backend(struct buf *out, const struct ingress_backend *b, const struct slot_row *row, bool addresses)
{
    buf_addf(out, "\nbackend %s\n", b->name);
    add_options(out, b);
    if (b->external) {
        buf_addf(out, "    server external %s resolvers cluster resolve-prefer ipv4 init-addr none\n", b->external);
        return;
    }
    for (size_t i = 0; row && i < row->n; i++) {
        char ip[IP_TEXT_SIZE];
        const struct slot *s = &row->slots[i];
        if (addresses && s->ip.family)
            buf_addf(out, "    server s%zu %s%s%s:%d\n", i, s->ip.family == AF_INET6 ? "[" : "", ip_format(&s->ip, ip),
                     s->ip.family == AF_INET6 ? "]" : "", s->port);
        else
            buf_addf(out, "    server s%zu 127.0.0.1:1 disabled\n", i);
    }
}

void ingress_render(const struct ingress_plan *p, const struct slots *s, const struct ingress_site *site,
                    bool addresses, struct ingress_files *ret)
{
    struct buf out = BUF_INIT(0);
    _cleanup_free_ struct map_entry **backends = sorted(&p->backends);
    *ret = (struct ingress_files){0};
    add_head(&out, site);
    add_frontend(&out, p, site);
    add_metrics(&out, site);
    add_resolvers(&out, p, site->dns);
    for (struct map_entry **e = backends; *e; e++)
        add_backend(&out, (*e)->value, slots_get(s, (*e)->key), addresses);
    add_file(ret, xstrdup(INGRESS_CONFIG), &out);
    add_map(ret, "hosts.map", &p->hosts, false);
    add_map(ret, "exact.map", &p->exact, true);
    add_map(ret, "prefix.map", &p->prefix, true);
    add_certs(ret, &p->certs, site->dir);
}

void ingress_files_done(struct ingress_files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->files[i].name);
        free(f->files[i].text);
    }
    free(f->files);
    *f = (struct ingress_files){0};
}
