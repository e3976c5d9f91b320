/* The paths that are no resource: who we are, whether we are well, what we serve. One table of routes. */
#include <stdio.h>
#include <string.h>

#include "api/discovery.h"
#include "api/openapi.h"
#include "base/ip.h"
#include "base/str.h"
#include "http/gzip.h"
#include "http/http.h"
#include "server/aggregator.h"
#include "server/pipeline.h"
#include "server/tokens.h"

#define API_MAJOR "1"
#define API_MINOR "32" /* the API we follow; kubectl compares it with its own */
#define GIT_VERSION "v" API_MAJOR "." API_MINOR ".0+c8s." C8S_VERSION

#define OPENID_KEYS "/openid/v1/jwks"
#define TEXT "text/plain; charset=utf-8"
#define OPENAPI_PROTOBUF "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

struct document {
    size_t len;
    struct document *packed; /* made when first asked for */
    char bytes[];
};

/* --- answering --- */

static void reply_bytes(struct request *r, int code, const char *content_type, const void *bytes, size_t len)
{
    r->server->counters.requests[code / 100]++;
    http_reply(request_take_exchange(r), code, content_type, bytes, len);
}

static void reply_not_found(struct request *r)
{
    request_reply_status(r, status_new(STATUS_NOT_FOUND, "the server could not find the requested resource"));
}

static void reply_doc(struct request *r, json_t *doc)
{
    if (doc)
        request_reply_document(r, 200, doc);
    else
        reply_not_found(r);
}

static struct document *document_new(const void *bytes, size_t len)
{
    struct document *d = xmalloc(sizeof(*d) + len);
    *d = (struct document){.len = len};
    memcpy(d->bytes, bytes, len);
    return d;
}

static void document_free(void *arg)
{
    struct document *d = arg;
    free(d->packed);
    free(d);
}

void documents_forget(struct server *s)
{
    map_done_with(&s->documents, document_free);
}

/* Documents that seldom change are made once, as text. */
static struct document *remember(struct server *s, const char *key, const void *bytes, size_t len)
{
    struct document *d = document_new(bytes, len);
    map_put(&s->documents, key, d);
    return d;
}

static struct document *remember_json(struct server *s, const char *key, json_t *doc_new)
{
    if (!doc_new)
        return NULL;
    _cleanup_free_ char *text = jprint(doc_new);
    json_decref(doc_new);
    return remember(s, key, text, strlen(text));
}

/* --- who we are --- */

static void serve_version(struct request *r, const char *rest)
{
    (void)rest;
    reply_doc(r, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "major", API_MAJOR, "minor", API_MINOR,
                           "gitVersion", GIT_VERSION, "gitCommit", "", "gitTreeState", "clean", "buildDate",
                           "1970-01-01T00:00:00Z", "goVersion", "none", "compiler", "cc", "platform", "linux/amd64"));
}

/* Answering at all is what there is to check: the store is open, or we would not run. */
static void serve_health(struct request *r, const char *rest)
{
    (void)rest;
    char text[160];
    if (query_bool(r->query, "verbose"))
        snprintf(text, sizeof(text), "[+]ping ok\n[+]store ok\n%s check passed\n", r->path + 1);
    else
        snprintf(text, sizeof(text), "ok");
    reply_bytes(r, 200, TEXT, text, strlen(text));
}

/* One check of those that ?verbose lists; "etcd" is what upstream calls the store. */
static void serve_check(struct request *r, const char *name)
{
    static const char *const checks[] = {"etcd", "ping", "store"};
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        if (streq(name, checks[i])) {
            reply_bytes(r, 200, TEXT, "ok", strlen("ok"));
            return;
        }
    reply_not_found(r);
}

static void serve_metrics(struct request *r, const char *rest)
{
    (void)rest;
    const struct server *s = r->server;
    struct buf out = BUF_INIT(0);
    buf_adds(&out, "# HELP apiserver_request_total Requests answered, by hundreds of the status code.\n"
                   "# TYPE apiserver_request_total counter\n");
    for (int i = 1; i < 6; i++)
        buf_addf(&out, "apiserver_request_total{code=\"%dxx\"} %llu\n", i, (unsigned long long)s->counters.requests[i]);
    buf_addf(&out,
             "# HELP apiserver_registered_watchers Watches being served.\n"
             "# TYPE apiserver_registered_watchers gauge\n"
             "apiserver_registered_watchers %zu\n"
             "# HELP apiserver_terminated_watchers_total Watches cut off because their reader was too slow.\n"
             "# TYPE apiserver_terminated_watchers_total counter\n"
             "apiserver_terminated_watchers_total %llu\n"
             "# HELP apiserver_storage_objects Objects stored, by resource.\n"
             "# TYPE apiserver_storage_objects gauge\n",
             s->counters.watches, (unsigned long long)s->counters.watches_cut);
    for (const struct kind *const *k = all_kinds; *k; k++) {
        char resource[RESOURCE_TEXT_SIZE];
        if ((*k)->stored || !((*k)->verbs & V_WATCH)) /* not kept, or not as this */
            continue;
        buf_addf(&out, "apiserver_storage_objects{resource=\"%s\"} %zu\n", resource_text(*k, resource),
                 store_count(s->store, *k, NULL));
    }
    reply_bytes(r, 200, TEXT, out.data, out.len);
    buf_done(&out);
}

/* --- what we serve: discovery --- */

/* One document for all, if the client knows that form. False: answered. */
static bool wants_plain_discovery(struct request *r, bool core)
{
    const char *version;
    if (!negotiate_discovery(http_get_header(r->exchange, "Accept"), &version)) {
        request_reply_status(
            r, status_new(STATUS_NOT_ACCEPTABLE, "only the following media types are accepted: application/json"));
        return false;
    }
    if (!version)
        return true;
    char content_type[120];
    snprintf(content_type, sizeof(content_type), "application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList",
             version);
    _cleanup_json_ json_t *doc = discovery_aggregated(core, version);
    if (!core)
        aggregator_add_discovery(r->server, doc);
    _cleanup_free_ char *text = jprint(doc);
    http_add_header(r->exchange, "Vary", "Accept");
    reply_bytes(r, 200, content_type, text, strlen(text));
    return false;
}

static void serve_core_versions(struct request *r, const char *rest)
{
    (void)rest;
    char address[HOST_TEXT_SIZE + 8], host[HOST_TEXT_SIZE];
    snprintf(address, sizeof(address), "%s:%d", ip_url_host(r->server->config.advertise_ip, host),
             r->server->config.port);
    if (wants_plain_discovery(r, true))
        reply_doc(r, discovery_api_versions(address));
}

static void serve_core_resources(struct request *r, const char *rest)
{
    reply_doc(r, discovery_resources("", rest));
}

static void serve_groups(struct request *r, const char *rest)
{
    (void)rest;
    if (wants_plain_discovery(r, false))
        reply_doc(r, aggregator_add_groups(r->server, discovery_groups()));
}

/* "GROUP" or "GROUP/VERSION". */
static void serve_group(struct request *r, const char *rest)
{
    const char *slash = strchr(rest, '/');
    _cleanup_free_ char *group = xstrndup(rest, slash ? (size_t)(slash - rest) : strlen(rest));
    reply_doc(r, slash ? discovery_resources(group, slash + 1)
                       : aggregator_add_group(r->server, group, discovery_group(group)));
}

/* --- what we serve: OpenAPI --- */

/* Packed once for everybody: worth more than the cheapest level. */
#define DOCUMENT_GZIP_LEVEL 6

static void pack(struct document *d)
{
    struct buf out = BUF_INIT(0);
    gzip_pack(d->bytes, d->len, DOCUMENT_GZIP_LEVEL, &out);
    d->packed = document_new(out.data, out.len);
    buf_done(&out);
}

static void reply_remembered(struct request *r, struct document *d, const char *content_type)
{
    if (!d) {
        reply_not_found(r);
        return;
    }
    if (d->len > GZIP_MIN && gzip_accepted(http_get_header(r->exchange, "Accept-Encoding"))) {
        if (!d->packed)
            pack(d);
        d = d->packed;
        http_add_header(r->exchange, "Content-Encoding", "gzip");
        http_add_header(r->exchange, "Vary", "Accept-Encoding");
    }
    reply_bytes(r, 200, content_type, d->bytes, d->len);
}

static struct document *v2_protobuf(struct server *s)
{
    struct buf out = BUF_INIT(0);
    _cleanup_json_ json_t *v2 = openapi_v2();
    openapi_v2_protobuf(v2, &out);
    struct document *d = remember(s, "v2.pb", out.data, out.len);
    buf_done(&out);
    return d;
}

static void serve_openapi_v2(struct request *r, const char *rest)
{
    (void)rest;
    struct server *s = r->server;
    const char *accept = http_get_header(r->exchange, "Accept");
    struct document *d;
    if (accepts_first(accept, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf") ||
        accepts_first(accept, OPENAPI_PROTOBUF)) {
        d = map_get(&s->documents, "v2.pb");
        reply_remembered(r, d ? d : v2_protobuf(s), OPENAPI_PROTOBUF);
        return;
    }
    d = map_get(&s->documents, "v2");
    reply_remembered(r, d ? d : remember_json(s, "v2", openapi_v2()), "application/json");
}

static void serve_openapi_index(struct request *r, const char *rest)
{
    (void)rest;
    struct document *d = map_get(&r->server->documents, "v3");
    reply_remembered(r, d ? d : remember_json(r->server, "v3", aggregator_add_openapi(r->server, openapi_v3_index())),
                     "application/json");
}

/* "api/V" or "apis/G/V". */
static json_t *make_openapi_v3(const char *rest)
{
    size_t n;
    _cleanup_free_ char **parts = str_split(rest, '/', &n);
    if (n == 2 && streq(parts[0], "api"))
        return openapi_v3("", parts[1]);
    return n == 3 && streq(parts[0], "apis") ? openapi_v3(parts[1], parts[2]) : NULL;
}

static void serve_openapi_v3(struct request *r, const char *rest)
{
    if (aggregator_has(r->server, str_after(r->path, "/openapi/v3"))) {
        aggregator_handle(r);
        return;
    }
    _cleanup_free_ char *key = xasprintf("v3/%s", rest), *hash = query_get(r->query, "hash", 0);
    struct document *d = map_get(&r->server->documents, key);
    if (hash) /* the address changes with the content */
        http_add_header(r->exchange, "Cache-Control", "public, max-age=31536000, immutable");
    reply_remembered(r, d ? d : remember_json(r->server, key, make_openapi_v3(rest)), "application/json");
}

/* --- how others can check our tokens (OpenID Connect Discovery 1.0) --- */

static void reply_keys_document(struct request *r, const char *content_type, json_t *doc_new)
{
    _cleanup_free_ char *text = jprint(doc_new);
    json_decref(doc_new);
    http_add_header(r->exchange, "Cache-Control", "public, max-age=3600");
    reply_bytes(r, 200, content_type, text, strlen(text));
}

static void serve_openid_configuration(struct request *r, const char *rest)
{
    (void)rest;
    const struct server_config *c = &r->server->config;
    char host[HOST_TEXT_SIZE];
    _cleanup_free_ char *keys = xasprintf("https://%s:%d" OPENID_KEYS, ip_url_host(c->advertise_ip, host), c->port);
    reply_keys_document(r, "application/json",
                        json_pack("{s:s, s:s, s:[s], s:[s], s:[s]}", "issuer", tokens_issuer(r->server->tokens),
                                  "jwks_uri", keys, "response_types_supported", "id_token", "subject_types_supported",
                                  "public", "id_token_signing_alg_values_supported", "ES256"));
}

static void serve_openid_keys(struct request *r, const char *rest)
{
    (void)rest;
    reply_keys_document(r, "application/jwk-set+json", tokens_public_keys(r->server->tokens));
}

/* --- the table --- */

static void serve_root(struct request *r, const char *rest);

static const struct route {
    const char *path;
    bool has_rest; /* further segments follow, given to serve */
    void (*serve)(struct request *r, const char *rest);
} routes[] = {
    {"/", false, serve_root},
    {"/.well-known/openid-configuration", false, serve_openid_configuration},
    {"/api", false, serve_core_versions},
    {"/api/", true, serve_core_resources},
    {"/apis", false, serve_groups},
    {"/apis/", true, serve_group},
    {"/healthz", false, serve_health},
    {"/healthz/", true, serve_check},
    {"/livez", false, serve_health},
    {"/livez/", true, serve_check},
    {"/metrics", false, serve_metrics},
    {"/openapi/v2", false, serve_openapi_v2},
    {"/openapi/v3", false, serve_openapi_index},
    {"/openapi/v3/", true, serve_openapi_v3},
    {OPENID_KEYS, false, serve_openid_keys},
    {"/readyz", false, serve_health},
    {"/readyz/", true, serve_check},
    {"/version", false, serve_version},
};

static void serve_root(struct request *r, const char *rest)
{
    (void)rest;
    json_t *paths = json_array();
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (!routes[i].has_rest && routes[i].path[1])
            json_array_append_new(paths, json_string(routes[i].path));
    reply_doc(r, json_pack("{s:o}", "paths", paths));
}

void serve_route(struct request *r)
{
    size_t len = strlen(r->path);
    while (len > 1 && r->path[len - 1] == '/')
        r->path[--len] = '\0';
    if (!(r->verb & (V_GET | V_LIST | V_WATCH))) {
        request_reply_status(r, status_new(STATUS_METHOD_NOT_ALLOWED,
                                           "the server does not allow this method on the requested resource"));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        const char *rest = str_after(r->path, routes[i].path);
        if (rest && (routes[i].has_rest ? *rest != '\0' : *rest == '\0')) {
            routes[i].serve(r, rest);
            return;
        }
    }
    reply_not_found(r);
}
