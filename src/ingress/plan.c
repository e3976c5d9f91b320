/* See plan.h. */
#include "ingress/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "ingress/certs.h"
#include "json/json.h"
#include "kinds/ingress.h"

#define KEY_MAX 4096      /* host and path: HAProxy reads lines of maps into buffers of 16 KiB */
#define PROBLEMS_MAX 1000 /* told as events; nobody reads more */
#define ID_NAME_MAX 120
#define ANY_HOST "*"

static void problem(struct ingress_plan *p, const json_t *ingress, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void problem(struct ingress_plan *p, const json_t *ingress, const char *reason, const char *fmt, ...)
{
    char text[800];
    va_list ap;
    if (p->n_problems == PROBLEMS_MAX)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    p->problems = xrealloc(p->problems, (p->n_problems + 1) * sizeof(*p->problems));
    p->problems[p->n_problems++] = (struct ingress_problem){ingress, reason, xstrdup(text)};
}

/* --- texts that may be written into configuration --- */

static bool only_of(const char *s, const char *allowed)
{
    return *s && strlen(s) < KEY_MAX / 2 && !s[strspn(s, allowed)];
}

bool ingress_is_name(const char *s)
{
    return only_of(s, "abcdefghijklmnopqrstuvwxyz0123456789-.");
}

static bool is_host(const char *s)
{
    const char *wild = str_after(s, "*.");
    return ingress_is_name(wild ? wild : s);
}

static bool is_path(const char *s)
{
    if (*s != '/' || strlen(s) >= KEY_MAX / 2)
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s > '~')
            return false;
    return true;
}

/* --- an Ingress --- */

/* What is said once for all of its rules. */
struct source {
    struct ingress_plan *plan;
    const json_t *doc;
    const char *ns, *name;
    struct ingress_options options;
    struct map tls; /* hosts */
    bool tls_any;
};

static void bad_annotation(void *arg, const char *annotation, const char *why)
{
    struct source *s = arg;
    problem(s->plan, s->doc, "UnsupportedAnnotation", "%.200s %s", annotation, why);
}

static void source_open(struct source *s, struct ingress_plan *p, const json_t *doc)
{
    size_t i, j;
    json_t *tls, *host;
    *s = (struct source){p, doc, .ns = jstr_or(doc, "metadata.namespace", ""),
                         .name = jstr_or(doc, "metadata.name", "")};
    ingress_options_read(&s->options, doc, bad_annotation, s);
    json_array_foreach(jget(doc, "spec.tls"), i, tls) {
        s->tls_any |= json_array_size(jget(tls, "hosts")) == 0;
        json_array_foreach(jget(tls, "hosts"), j, host)
            if (is_host(json_string_value(host) ?: ""))
                map_put(&s->tls, json_string_value(host), s);
    }
}

static void source_close(struct source *s)
{
    map_done(&s->tls);
}

static bool has_tls(const struct source *s, const char *host)
{
    const char *domain = strchr(host, '.');
    if (s->tls_any || map_get(&s->tls, host))
        return true;
    if (!domain)
        return false;
    _cleanup_free_ char *wild = xasprintf("*%s", domain);
    return map_get(&s->tls, wild) != NULL;
}

/* --- backends --- */

static void free_backend(void *arg)
{
    struct ingress_backend *b = arg;
    map_done(&b->tls_hosts);
    free(b->name);
    free(b->ns);
    free(b->service);
    free(b->port);
    free(b->external);
    free(b);
}

/* The backend, made if it is new; NULL: there can be none. */
static struct ingress_backend *find_backend(struct source *s, const json_t *backend)
{
    const char *service = jstr_or(backend, "service.name", ""), *port = jstr_or(backend, "service.port.name", "");
    char number[24];
    bool is_number = !*port;
    if (is_number) {
        snprintf(number, sizeof(number), "%lld", (long long)jint(backend, "service.port.number", 0));
        port = number;
    }
    if (jget(backend, "resource")) {
        problem(s->plan, s->doc, "UnknownBackend", "resource backends are not supported");
        return NULL;
    }
    if (!ingress_is_name(s->ns) || !ingress_is_name(s->name) || !ingress_is_name(service) || !ingress_is_name(port)) {
        problem(s->plan, s->doc, "UnknownBackend", "the backend \"%.100s\" is not a port of a Service", service);
        return NULL;
    }
    _cleanup_free_ char *name = xasprintf("%s:%s:%s:%s", s->ns, s->name, service, port);
    struct ingress_backend *b = map_get(&s->plan->backends, name);
    if (!b) {
        b = NEW(struct ingress_backend);
        *b = (struct ingress_backend){.name = xstrdup(name),
                                      .ns = xstrdup(s->ns),
                                      .service = xstrdup(service),
                                      .port = xstrdup(port),
                                      .port_is_name = !is_number,
                                      .ingress = s->doc,
                                      .options = s->options};
        map_put(&s->plan->backends, name, b);
    }
    return b;
}

/* From now on requests to the host may come to the backend. */
static void note_host(const struct source *s, struct ingress_backend *b, const char *host)
{
    map_put(&s->plan->hosts, host, b);
    if (has_tls(s, host))
        map_put(&b->tls_hosts, host, b);
    else
        b->has_plain_hosts = true;
}

/* --- rules --- */

/* The first one has it. */
static void lead(struct map *paths, const char *host, const char *path, size_t path_len, const char *end,
                 const char *backend)
{
    _cleanup_free_ char *key = xasprintf("%s%.*s%s", host, (int)path_len, path, end);
    if (!map_get(paths, key))
        map_put(paths, key, xstrdup(backend));
}

static void lead_prefix(struct ingress_plan *p, const char *host, const char *path, const char *backend)
{
    size_t len = strlen(path);
    while (len && path[len - 1] == '/')
        len--;
    lead(&p->prefix, host, path, len, "/", backend);
}

static void add_path(struct source *s, const char *host, const json_t *row)
{
    struct ingress_plan *p = s->plan;
    const char *path = jstr_or(row, "path", ""), *type = jstr_or(row, "pathType", "");
    if (!*path)
        path = "/";
    if (!is_path(path)) {
        problem(p, s->doc, "UnsupportedPath",
                "the path \"%.200s\" cannot be in a request: it must be at most %d "
                "printable ASCII characters, others percent-encoded",
                path, KEY_MAX / 2);
        return;
    }
    struct ingress_backend *backend = find_backend(s, jget(row, "backend"));
    if (!backend)
        return;
    note_host(s, backend, host);
    if (streq(type, "Exact"))
        lead(&p->exact, host, path, strlen(path), "", backend->name);
    else
        lead_prefix(p, host, path, backend->name);
}

/* The host of a rule as the tables have it; NULL: not one. */
static const char *rule_host(const struct source *s, const json_t *rule, bool tell)
{
    const char *host = jstr_or(rule, "host", "");
    if (!*host)
        return ANY_HOST;
    if (is_host(host))
        return host;
    if (tell)
        problem(s->plan, s->doc, "UnsupportedHost", "\"%.200s\" is not a host name", host);
    return NULL;
}

static void add_rules(struct source *s)
{
    size_t i, j;
    json_t *rule, *row;
    json_array_foreach(jget(s->doc, "spec.rules"), i, rule) {
        const char *host = rule_host(s, rule, true);
        if (!host)
            continue;
        json_array_foreach(jget(rule, "http.paths"), j, row)
            add_path(s, host, row);
    }
}

/* Answers what is left over of the Ingress's own hosts, and what no Ingress matches. */
static void add_default(struct source *s)
{
    const json_t *spec = jget(s->doc, "spec.defaultBackend");
    struct ingress_backend *backend = spec ? find_backend(s, spec) : NULL;
    size_t i;
    json_t *rule;
    if (!backend)
        return;
    if (!s->plan->default_backend)
        s->plan->default_backend = xstrdup(backend->name);
    backend->has_plain_hosts |= !s->tls_any;
    json_array_foreach(jget(s->doc, "spec.rules"), i, rule) {
        const char *host = rule_host(s, rule, false);
        if (!host)
            continue;
        note_host(s, backend, host);
        lead_prefix(s->plan, host, "/", backend->name);
    }
}

/* --- certificates --- */

static void free_cert(void *arg)
{
    struct ingress_cert *c = arg;
    free(c->pem);
    map_done(&c->hosts);
    free(c);
}

static char *secret_pem(const json_t *secret, const char **algorithm, struct err *err)
{
    size_t cert_len = 0, key_len = 0;
    const json_t *data = jget(secret, "data");
    const char *cert64 = json_string_value(json_object_get(data, "tls.crt"));
    const char *key64 = json_string_value(json_object_get(data, "tls.key"));
    if (!cert64 || !key64) {
        err_set(err, 0, "it lacks tls.crt or tls.key");
        return NULL;
    }
    _cleanup_free_ char *cert = base64_decode(cert64, strlen(cert64), &cert_len);
    _cleanup_free_ char *key = base64_decode(key64, strlen(key64), &key_len);
    if (cert && key)
        return cert_bundle(cert, cert_len, key, key_len, algorithm, err);
    err_set(err, 0, "its data is not base64");
    return NULL;
}

/* Also the name of a file: long ones are cut, and told apart by their hash. */
static char *cert_id(const char *ns, const char *name)
{
    if (strlen(name) <= ID_NAME_MAX)
        return xasprintf("%s_%s", ns, name);
    return xasprintf("%s_%.*s_%016llx", ns, ID_NAME_MAX, name, (unsigned long long)hash_bytes(name, strlen(name)));
}

static struct ingress_cert *find_cert(struct ingress_plan *p, const json_t *ingress, const char *name,
                                      ingress_secret_fn *find, void *arg)
{
    const char *ns = jstr_or(ingress, "metadata.namespace", "");
    const char *algorithm = "";
    struct err err;
    if (!ingress_is_name(ns) || !ingress_is_name(name))
        return NULL;
    _cleanup_free_ char *id = cert_id(ns, name);
    struct ingress_cert *c = map_get(&p->certs, id);
    if (c)
        return c;
    const json_t *secret = find(arg, ns, name);
    char *pem = secret ? secret_pem(secret, &algorithm, &err) : NULL;
    if (!pem) {
        problem(p, ingress, "BadTLSSecret", "Secret \"%s\": %s; the default certificate is used", name,
                secret ? err.msg : "there is none of type kubernetes.io/tls");
        return NULL;
    }
    c = NEW(struct ingress_cert);
    c->pem = pem;
    c->algorithm = algorithm;
    map_put(&p->certs, id, c);
    return c;
}

/* The first Ingress decides which certificate of an algorithm a host shows. */
static void show_cert(struct ingress_plan *p, const json_t *ingress, struct ingress_cert *c, const char *host)
{
    _cleanup_free_ char *key = xasprintf("%s %s", host, c->algorithm);
    struct ingress_cert *first = map_get(&p->cert_hosts, key);
    if (!first)
        map_put(&p->cert_hosts, key, c);
    if (!first || first == c)
        map_put(&c->hosts, host, c);
    else
        problem(p, ingress, "HostConflict", "an older Ingress has another certificate for the host %.253s", host);
}

static void add_tls(struct ingress_plan *p, const json_t *ingress, ingress_secret_fn *find, void *arg)
{
    size_t i, j;
    json_t *tls, *host;
    json_array_foreach(jget(ingress, "spec.tls"), i, tls) {
        const char *name = jstr_or(tls, "secretName", "");
        struct ingress_cert *c = *name ? find_cert(p, ingress, name, find, arg) : NULL;
        if (!c)
            continue;
        if (!json_array_size(jget(tls, "hosts")))
            c->any_host = true;
        json_array_foreach(jget(tls, "hosts"), j, host)
            if (is_host(json_string_value(host) ?: ""))
                show_cert(p, ingress, c, json_string_value(host));
    }
}

/* Those whose hosts all show others. */
static void drop_unused_certs(struct ingress_plan *p)
{
    for (struct map_entry *e = NULL; (e = map_next(&p->certs, e));) {
        const struct ingress_cert *c = e->value;
        if (!c->any_host && !c->hosts.len)
            free_cert(map_del(&p->certs, e->key));
    }
}

/* --- all of it --- */

static int compare_age(const void *a, const void *b)
{
    static const char *const paths[] = {"metadata.creationTimestamp", "metadata.namespace", "metadata.name"};
    const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
    int order = 0;
    for (size_t i = 0; i < ARRAY_LEN(paths) && !order; i++)
        order = strcmp(jstr_or(x, paths[i], ""), jstr_or(y, paths[i], ""));
    return order;
}

void ingress_plan_make(struct ingress_plan *p, const json_t **ingresses, size_t n, ingress_secret_fn *secret, void *arg)
{
    struct source *sources = xcalloc(n + 1, sizeof(*sources));
    *p = (struct ingress_plan){0};
    if (n)
        qsort(ingresses, n, sizeof(*ingresses), compare_age);
    for (size_t i = 0; i < n; i++) {
        source_open(&sources[i], p, ingresses[i]);
        add_rules(&sources[i]);
        add_tls(p, ingresses[i], secret, arg);
    }
    for (size_t i = 0; i < n; i++) { /* behind every rule */
        add_default(&sources[i]);
        source_close(&sources[i]);
    }
    drop_unused_certs(p);
    free(sources);
}

void ingress_plan_done(struct ingress_plan *p)
{
    map_done(&p->hosts);
    map_done_with(&p->exact, free);
    map_done_with(&p->prefix, free);
    map_done_with(&p->backends, free_backend);
    map_done_with(&p->certs, free_cert);
    map_done(&p->cert_hosts);
    free(p->default_backend);
    for (size_t i = 0; i < p->n_problems; i++)
        free(p->problems[i].text);
    free(p->problems);
    *p = (struct ingress_plan){0};
}

const char *ingress_class(const json_t *ingress)
{
    const char *name = jstr(ingress, "spec.ingressClassName");
    if (!name)
        name = json_string_value(json_object_get(jget(ingress, "metadata.annotations"), INGRESS_CLASS_ANNOTATION));
    return name && *name ? name : NULL;
}

/* The class that most tutorials name; ingress-nginx brings it with itself, and has it from then on. */
#define STAND_IN_CLASS "nginx"

bool ingress_is_ours(const json_t *ingress, const char *(*class_controller)(void *arg, const char *name), void *arg)
{
    const char *name = ingress_class(ingress);
    if (!name)
        return true;
    const char *controller = class_controller(arg, name);
    return controller ? streq(controller, INGRESS_CONTROLLER) : streq(name, STAND_IN_CLASS);
}
