/* See aggregator.h. Here: which group versions others serve, kept up with the APIServices of the store. */
#define LOG_AREA "server"
#include "server/aggregator_impl.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "http/http.h"
#include "server/apiservices.h"
#include "server/service_address.h"

#define TICK_MS 1000
/* Each is asked every half minute what it serves, and stands in the documents that every kubectl fetches. */
#define REMOTES_MAX 100

/* --- one of them --- */

static void remote_free(struct remote *r)
{
    remote_check_stop(r);
    list_remove(&r->link);
    map_del(&r->of->by_name, r->name);
    SSL_CTX_free(r->tls);
    json_decref(r->resources);
    free(r->name);
    free(r->group);
    free(r->version);
    free(r->service_ns);
    free(r->service);
    free(r->server_name);
    free(r);
}

/* Ours to show; whom to trust: the bundle, the system's authorities, or anybody. */
static SSL_CTX *make_tls(const struct server *s, const json_t *spec, struct err *err)
{
    const char *bundle = jstr_or(spec, "caBundle", "");
    size_t len = 0;
    _cleanup_free_ char *pem = *bundle ? base64_decode(bundle, strlen(bundle), &len) : NULL;
    SSL_CTX *tls = jbool(spec, "insecureSkipTLSVerify", false) ? tls_client_ctx(NULL, NULL, NULL, err)
                                                               : tls_client_ctx_pem(pem, len, err);
    const struct pki *p = s->config.pki;
    if (tls && p && tls_ctx_use(tls, p->front_proxy_cert, p->front_proxy_key, err) < 0) {
        SSL_CTX_free(tls);
        return NULL;
    }
    return tls;
}

static bool goes_before(const struct remote *a, const struct remote *b)
{
    if (a->group_priority != b->group_priority)
        return a->group_priority > b->group_priority;
    if (a->version_priority != b->version_priority)
        return a->version_priority > b->version_priority;
    return strcmp(a->name, b->name) < 0;
}

static void insert(struct list *remotes, struct remote *r)
{
    struct list *at = remotes->next;
    while (at != remotes && goes_before(container_of(at, struct remote, link), r))
        at = at->next;
    list_append(at, &r->link); /* before it */
}

static void remote_new(struct aggregator *a, const char *name, const json_t *spec)
{
    struct remote *r = NEW(struct remote);
    const json_t *service = jget(spec, "service");
    *r = (struct remote){
        .of = a,
        .name = xstrdup(name),
        .group = xstrdup(jstr_or(spec, "group", "")),
        .version = xstrdup(jstr_or(spec, "version", "")),
        .group_priority = jint(spec, "groupPriorityMinimum", 0),
        .version_priority = jint(spec, "versionPriority", 0),
        .service_ns = xstrdup(jstr_or(service, "namespace", "")),
        .service = xstrdup(jstr_or(service, "name", "")),
        .port = (int)jint(service, "port", 443),
    };
    if (!jbool(spec, "insecureSkipTLSVerify", false))
        r->server_name = xasprintf("%s.%s.svc", r->service, r->service_ns);
    r->tls = make_tls(a->server, spec, &r->no_tls);
    map_put(&a->by_name, name, r);
    insert(&a->remotes, r);
}

void aggregator_renewed(struct server *s)
{
    const struct pki *p = s->config.pki;
    LIST_EACH(it, &s->aggregator->remotes) {
        const struct remote *r = container_of(it, struct remote, link);
        struct err err;
        if (r->tls && tls_ctx_use(r->tls, p->front_proxy_cert, p->front_proxy_key, &err) < 0)
            log_error("APIService %s: %s", r->name, err.msg);
    }
}

int remote_address(const struct remote *r, char ret_ip[], struct err *err)
{
    return service_address(r->of->server, r->service_ns, r->service, ret_ip, err);
}

/* --- following the store --- */

static bool says_the_same(const json_t *a, const json_t *b)
{
    const json_t *was = jget(a, "spec"), *is = jget(b, "spec");
    return was && is && json_equal(was, is);
}

/* As long as there is anybody to look after. */
static void on_tick(uv_timer_t *timer)
{
    struct aggregator *a = ((struct server *)timer->data)->aggregator;
    LIST_EACH(it, &a->remotes)
        remote_check_tick(container_of(it, struct remote, link));
    if (list_empty(&a->remotes))
        uv_timer_stop(timer);
}

static void take(struct aggregator *a, const char *name, const json_t *doc)
{
    if (a->by_name.len < REMOTES_MAX)
        remote_new(a, name, jget(doc, "spec"));
    else
        log_warn("APIService %s is not served: there are %d already", name, REMOTES_MAX);
    uv_timer_t *timer = &a->server->aggregator_timer;
    if (!uv_is_active((uv_handle_t *)timer))
        uv_timer_start(timer, on_tick, 0, TICK_MS); /* not at once: at the start the server does not listen yet */
}

static void on_api_service(void *arg, struct object *old, struct object *obj, bool deleted)
{
    struct aggregator *a = arg;
    _cleanup_json_ json_t *doc = object_json(obj), *before = old ? object_json(old) : NULL;
    struct remote *r = map_get(&a->by_name, obj->name);
    if (!deleted && before && says_the_same(before, doc))
        return;
    bool leads_away = !deleted && jget(doc, "spec.service"), led_away = r != NULL;
    if (r)
        remote_free(r);
    if (leads_away)
        take(a, obj->name, doc);
    if (led_away || leads_away)
        documents_forget(a->server);
    if (deleted)
        aggregator_sync(a->server);
}

/* A Service, or its Endpoints, which have the same name. */
static void on_service(void *arg, struct object *old, struct object *obj, bool deleted)
{
    struct aggregator *a = arg;
    (void)old, (void)deleted;
    LIST_EACH(it, &a->remotes) {
        struct remote *r = container_of(it, struct remote, link);
        if (streq(r->service, obj->name) && streq(r->service_ns, obj->ns))
            r->due_ms = 0;
    }
}

static bool take_stored(void *arg, struct object *o)
{
    _cleanup_json_ json_t *doc = object_json(o);
    if (jget(doc, "spec.service"))
        take(arg, o->name, doc);
    return true;
}

void aggregator_init(struct server *s)
{
    static const char *const masters[] = {"system:masters", NULL};
    struct aggregator *a = NEW(struct aggregator);
    s->aggregator = a;
    a->server = s;
    list_init(&a->remotes);
    a->client = server_local_client(s, "system:kube-aggregator", masters);
    a->api_services = store_watch(s->store, &kind_apiservice, 0, on_api_service, a);
    a->services = store_watch(s->store, &kind_service, 0, on_service, a);
    a->endpoints = store_watch(s->store, &kind_endpoints, 0, on_service, a);
    store_each(s->store, &kind_apiservice, "", NULL, NULL, take_stored, a);
    aggregator_sync(s);
}

void aggregator_done(struct server *s)
{
    struct aggregator *a = TAKE(s->aggregator);
    if (!a)
        return;
    store_watch_stop(a->api_services);
    store_watch_stop(a->services);
    store_watch_stop(a->endpoints);
    LIST_EACH(it, &a->remotes)
        remote_free(container_of(it, struct remote, link));
    map_done(&a->by_name);
    client_free(a->client);
    free(a);
}

void aggregator_sync(struct server *s)
{
    if (s->aggregator)
        apiservices_sync(s, s->aggregator->client);
}

/* --- whose a path is --- */

struct remote *aggregator_find(const struct server *s, const char *path)
{
    const char *group = str_after(path, "/apis/"), *version = group ? strchr(group, '/') : NULL;
    if (!version || !s->aggregator || list_empty(&s->aggregator->remotes))
        return NULL;
    _cleanup_free_ char *name =
        xasprintf("%.*s.%.*s", (int)strcspn(version + 1, "/"), version + 1, (int)(version - group), group);
    return map_get(&s->aggregator->by_name, name);
}

bool aggregator_has(const struct server *s, const char *path)
{
    return aggregator_find(s, path) != NULL;
}
