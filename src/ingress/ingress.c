/* See ingress.h. Changes of one turn of the loop are done together. A change that leaves the shape of the configuration
 * as it is (endpoints come and go, certificates are renewed) becomes commands to the HAProxy that runs; any other makes
 * it load anew, one at a time. */
#include "ingress/ingress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_AREA "ingress"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "client/informer.h"
#include "ingress/change.h"
#include "ingress/external.h"
#include "ingress/filesdir.h"
#include "ingress/haproxy.h"
#include "ingress/listeners.h"
#include "ingress/places.h"
#include "ingress/secrets.h"
#include "ingress/status.h"
#include "ingress/stray.h"
#include "ingress/tell.h"
#include "json/json.h"
#include "kinds/kind.h"

#define RETRY_MS 5000

enum { INGRESSES, CLASSES, INFORMERS_N };

struct ingress {
    uv_timer_t timer;
    struct client *client;
    struct model *model;
    struct model_reader *reader;
    struct informer *informers[INFORMERS_N];
    struct informer *node_informer;
    struct secrets *secrets;
    struct tell tell;
    const char *member;
    int netns_fd;
    struct ingress_node *nodes;
    size_t n_nodes;
    int *listeners; /* two a node, open while there is a HAProxy */
    const char *dns;
    char *dir, *config_path, *socket_path;

    const json_t **docs; /* the Ingresses that are ours; references */
    size_t n_docs;
    struct map secret_docs; /* what the plan was made from; references */
    struct ingress_plan plan;
    struct slots slots;
    struct map changed; /* Services, "ns/name", since the slots were brought up to date */
    struct ingress_files shape;
    struct haproxy *haproxy; /* NULL until there is an Ingress */
    unsigned long generation;
    bool plan_due, load_due, loading, loaded, places_due;

    struct ingress_status status;
    bool failure_logged, stopping;
};

static void sync_all(struct ingress *i);

static void on_timer(uv_timer_t *t)
{
    sync_all(t->data);
}

static void soon(struct ingress *i)
{
    if (!i->stopping)
        uv_timer_start(&i->timer, on_timer, 0, 0);
}

static void retry_later(struct ingress *i)
{
    if (!i->stopping && !uv_is_active((uv_handle_t *)&i->timer))
        uv_timer_start(&i->timer, on_timer, RETRY_MS, 0);
}

/* --- what the plan is made from --- */

static const char *class_controller(void *arg, const char *name)
{
    static char controller[300]; /* borrowed until the next call */
    const struct ingress *i = arg;
    const struct object *o = informer_get(i->informers[CLASSES], "", name);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    snprintf(controller, sizeof(controller), "%s", jstr_or(doc, "spec.controller", ""));
    return o ? controller : NULL;
}

static const json_t *find_secret(void *arg, const char *ns, const char *name)
{
    struct ingress *i = arg;
    const struct object *o = secrets_get(i->secrets, ns, name);
    _cleanup_free_ char *key = make_object_key(ns, name);
    if (o && !map_get(&i->secret_docs, key))
        map_put(&i->secret_docs, key, object_json(o));
    return map_get(&i->secret_docs, key);
}

static void decref_value(void *doc)
{
    json_decref(doc);
}

static void forget_docs(const json_t **docs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        json_decref((json_t *)docs[i]);
    free(docs);
}

static void forget_plan(struct ingress *i)
{
    ingress_plan_done(&i->plan);
    map_done_with(&i->secret_docs, decref_value);
    forget_docs(TAKE(i->docs), i->n_docs);
    i->n_docs = 0;
}

static void tell_all(struct ingress *i, const char *reason, const char *text)
{
    for (size_t n = 0; n < i->n_docs; n++)
        tell(&i->tell, i->docs[n], reason, text);
}

/* "NAME:PORT" where the Service leads, if it is of type ExternalName and may. */
static char *find_external(struct ingress *i, const struct ingress_backend *b, bool *refused)
{
    const char *name = ingress_class(b->ingress);
    const struct object *o = name ? informer_get(i->informers[CLASSES], "", name) : NULL;
    _cleanup_json_ json_t *class = o ? object_json(o) : NULL;
    return external_address(model_get(i->model, b->ns, b->service), class, b, refused);
}

static void tell_external_name(struct ingress *i, const struct ingress_backend *b)
{
    bool refused;
    free(find_external(i, b, &refused));
    if (refused)
        tell(&i->tell, b->ingress, "ExternalNameRefused",
             "the Service is of type ExternalName, which leads out of the cluster");
}

static void tell_problems(struct ingress *i)
{
    tell_begin(&i->tell);
    for (size_t n = 0; n < i->plan.n_problems; n++)
        tell(&i->tell, i->plan.problems[n].ingress, i->plan.problems[n].reason, i->plan.problems[n].text);
    for (struct map_entry *e = NULL; (e = map_next(&i->plan.backends, e));)
        tell_external_name(i, e->value);
    if (i->n_nodes && !i->haproxy && !haproxy_installed())
        tell_all(i, "NoHAProxy", "HAProxy is not installed: the Ingress is not served");
    tell_end(&i->tell);
}

/* Those that are ours; references. */
static const json_t **find_ours(struct ingress *i, size_t *ret_n)
{
    const struct informer *all = i->informers[INGRESSES];
    const json_t **docs = xcalloc(informer_count(all) + 1, sizeof(*docs));
    void *cursor = NULL;
    *ret_n = 0;
    for (struct object *o; (o = informer_next(all, NULL, &cursor));) {
        json_t *doc = object_json(o);
        if (ingress_is_ours(doc, class_controller, i) && !jget(doc, "metadata.deletionTimestamp"))
            docs[(*ret_n)++] = doc;
        else
            json_decref(doc);
    }
    return docs;
}

/* False: not yet, some of the Secrets are not known. */
static bool make_plan(struct ingress *i)
{
    size_t n;
    const json_t **docs = find_ours(i, &n);
    if (!secrets_follow(i->secrets, docs, n)) {
        forget_docs(docs, n);
        return false;
    }
    forget_plan(i);
    i->docs = docs;
    i->n_docs = n;
    ingress_plan_make(&i->plan, i->docs, i->n_docs, find_secret, i);
    tell_problems(i);
    return true;
}

/* --- status --- */

/* Until the Node has it: it may not be there yet, and the server may be away. */
static void say_that_we_serve(struct ingress *i, bool serves)
{
    i->places_due = !places_say(i->client, i->node_informer, i->member, serves);
    if (i->places_due)
        retry_later(i);
}

/* Ours are served by now; those that were and are somebody else's give the addresses back. */
static void publish_all(struct ingress *i)
{
    void *cursor = NULL;
    i->places_due = false;
    if (i->member) {
        say_that_we_serve(i, i->loaded);
        return;
    }
    ingress_status_move(&i->status, places_list(i->nodes, i->loaded ? i->n_nodes : 0, i->node_informer));
    for (struct object *o; (o = informer_next(i->informers[INGRESSES], NULL, &cursor));) {
        _cleanup_json_ json_t *doc = object_json(o);
        ingress_status_publish(&i->status, doc, ingress_is_ours(doc, class_controller, i));
    }
}

/* --- the way to HAProxy --- */

static const struct svc_port *find_port(struct ingress *i, const struct ingress_backend *b)
{
    const struct svc *svc = model_get(i->model, b->ns, b->service);
    int64_t number = 0;
    if (!svc || svc->type == SVC_EXTERNAL_NAME)
        return NULL;
    if (!b->port_is_name)
        str_to_i64(b->port, 1, 65535, &number);
    for (size_t n = 0; n < svc->n_ports; n++) {
        const struct svc_port *p = &svc->ports[n];
        if (p->protocol == PROTO_TCP && (b->port_is_name ? streq(p->name, b->port) : p->port == number))
            return p;
    }
    return NULL;
}

static void visit_changed(void *arg, const char *ns, const char *name, const struct svc *svc)
{
    struct ingress *i = arg;
    _cleanup_free_ char *key = make_object_key(ns, name);
    (void)svc;
    map_put(&i->changed, key, i);
}

/* False: commands cannot bring HAProxy there. */
static bool update_backend(struct ingress *i, struct ingress_backend *b, struct buf *commands)
{
    tell_external_name(i, b);
    const struct svc_port *port = find_port(i, b);
    enum ingress_protocol spoken = port ? ingress_protocol_of(port->app_protocol) : b->options.protocol;
    bool same = b->options.has_protocol || b->options.protocol == spoken;
    if (!same)
        b->options.protocol = spoken;
    bool refused;
    char *before = b->external;
    b->external = find_external(i, b, &refused);
    same &= streq_or_null(before, b->external);
    free(before);
    return slots_update(&i->slots, b->name, port, commands) && same;
}

static bool update_slots(struct ingress *i, bool all, struct buf *commands)
{
    bool same_shape = true;
    model_take(i->reader, visit_changed, i);
    for (struct map_entry *e = NULL; (e = map_next(&i->plan.backends, e));) {
        const struct ingress_backend *b = e->value;
        _cleanup_free_ char *key = make_object_key(b->ns, b->service);
        if (all || map_get(&i->changed, key))
            same_shape &= update_backend(i, e->value, commands);
    }
    map_done(&i->changed);
    if (all)
        slots_keep(&i->slots, &i->plan.backends);
    return same_shape;
}

static void on_loaded(void *arg, bool fine)
{
    struct ingress *i = arg;
    i->loading = false;
    i->loaded |= fine;
    if (fine) {
        publish_all(i);
        soon(i);
        return;
    }
    log_error("HAProxy does not take the configuration %s", i->config_path);
    tell_all(i, "NotServed", "HAProxy does not take the configuration; changes are not served yet");
    i->load_due = true;
    retry_later(i);
}

static void load_again(void *arg)
{
    struct ingress *i = arg;
    i->loading = false;
    i->load_due = true;
    soon(i);
}

static void destroy(void *arg);

/* With the first Ingress; until it can be, again and again. */
static bool start_haproxy(struct ingress *i)
{
    const struct haproxy_config config = {.netns_fd = i->netns_fd,
                                          .fds = i->listeners,
                                          .n_fds = 2 * i->n_nodes,
                                          .config_path = i->config_path,
                                          .socket_path = i->socket_path,
                                          .loaded = on_loaded,
                                          .died = load_again,
                                          .astray = load_again,
                                          .gone = destroy,
                                          .arg = i};
    struct err err;
    _cleanup_free_ char *pid_path = xasprintf("%s/" INGRESS_PIDFILE, i->dir);
    stray_end(pid_path, i->config_path);
    int result = haproxy_installed() ? filesdir_make(i->dir, &err) : err_set(&err, 0, "HAProxy is not installed");
    if (result < 0 || listeners_open(i->nodes, i->n_nodes, i->listeners, &err) < 0) {
        log_write(i->failure_logged ? LOG_DEBUG : LOG_ERROR, LOG_AREA, "no Ingress is served: %s", err.msg);
        i->failure_logged = true;
        retry_later(i);
        return false;
    }
    i->haproxy = haproxy_new(i->timer.loop, &config);
    i->load_due = true;
    return true;
}

static void load(struct ingress *i)
{
    struct ingress_site site = {i->nodes, i->n_nodes, i->dns, i->dir, ++i->generation};
    struct ingress_files files;
    struct err err;
    ingress_render(&i->plan, &i->slots, &site, true, &files);
    i->load_due = false;
    if (filesdir_write(i->dir, &files, &err) < 0) {
        log_error("no change of Ingresses is served: %s", err.msg);
        i->load_due = true;
        retry_later(i);
    } else {
        i->loading = true;
        haproxy_load(i->haproxy, i->generation);
    }
    ingress_files_done(&files);
}

/* False: commands don't suffice. */
static bool take_shape(struct ingress *i, struct buf *commands)
{
    struct ingress_site site = {i->nodes, i->n_nodes, i->dns, i->dir, 0};
    struct ingress_files shape;
    ingress_render(&i->plan, &i->slots, &site, false, &shape);
    bool suffices = ingress_change(&i->shape, &shape, i->dir, commands);
    filesdir_sweep(i->dir, &i->shape, &shape);
    ingress_files_done(&i->shape);
    i->shape = shape;
    return suffices;
}

static bool all_synced(const struct ingress *i)
{
    for (int n = 0; n < INFORMERS_N; n++)
        if (!informer_synced(i->informers[n]))
            return false;
    return informer_synced(i->node_informer);
}

static void sync_all(struct ingress *i)
{
    struct buf commands = BUF_INIT(0);
    bool planned = i->plan_due;
    if (i->loading || !all_synced(i)) /* both end in soon() */
        return;
    if (planned && !make_plan(i))
        return;
    i->plan_due = false;
    bool fresh = i->n_nodes && !i->haproxy && i->n_docs && start_haproxy(i);
    bool same_shape = update_slots(i, planned, &commands);
    if (i->haproxy) {
        if (planned || fresh || !same_shape)
            i->load_due |= !take_shape(i, &commands);
        if (i->load_due)
            load(i);
        else if (commands.len)
            haproxy_command(i->haproxy, commands.data);
    }
    if ((planned || i->places_due) && !i->loading && (i->loaded || !i->haproxy))
        publish_all(i);
    buf_done(&commands);
}

/* --- from and to nothing --- */

static void on_document(void *arg, struct object *old, struct object *obj)
{
    struct ingress *i = arg;
    (void)old, (void)obj;
    i->plan_due = true;
    soon(i);
}

static void on_secret(void *arg)
{
    on_document(arg, NULL, NULL);
}

static void on_node(void *arg, struct object *old, struct object *obj)
{
    struct ingress *i = arg;
    (void)old, (void)obj;
    i->places_due = true;
    soon(i);
}

static void on_something(void *arg)
{
    soon(arg);
}

struct ingress *ingress_new(uv_loop_t *loop, struct client *c, struct model *m, const struct ingress_config *config)
{
    static const struct {
        const struct kind *kind;
        informer_fn *changed;
    } watched[INFORMERS_N] = {
        [INGRESSES] = {&kind_ingress, on_document},
        [CLASSES] = {&kind_ingressclass, on_document},
    };
    struct ingress *i = NEW(struct ingress);
    *i = (struct ingress){.client = c,
                          .model = m,
                          .node_informer = config->node_informer,
                          .member = config->member,
                          .dns = config->dns,
                          .netns_fd = config->netns_fd,
                          .plan_due = true};
    i->n_nodes = config->n_nodes;
    i->nodes = xcalloc(i->n_nodes + 1, sizeof(*i->nodes));
    memcpy(i->nodes, config->nodes, i->n_nodes * sizeof(*i->nodes));
    i->listeners = xcalloc(2 * i->n_nodes + 1, sizeof(*i->listeners));
    for (size_t n = 0; n < 2 * i->n_nodes; n++)
        i->listeners[n] = -1;
    i->status.client = c;
    i->dir = xasprintf("%s/ingress", config->run_dir);
    i->config_path = xasprintf("%s/" INGRESS_CONFIG, i->dir);
    i->socket_path = xasprintf("%s/" INGRESS_SOCKET, i->dir);
    uv_timer_init(loop, &i->timer);
    i->timer.data = i;
    i->tell.events = i->member ? NULL : events_new(c, "ingress-controller", NULL);
    i->secrets = secrets_new(c, on_secret, i);
    i->reader = model_reader_new(m, on_something, i);
    for (int n = 0; n < INFORMERS_N; n++) {
        i->informers[n] = informer_new(c, watched[n].kind, NULL);
        informer_on_change(i->informers[n], watched[n].changed, i);
        informer_on_synced(i->informers[n], on_something, i);
        informer_start(i->informers[n]);
    }
    informer_on_change(i->node_informer, on_node, i);
    informer_on_synced(i->node_informer, on_something, i);
    return i;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct ingress *i = handle->data;
    struct err err;
    if (tree_remove(i->dir, &err) < 0)
        log_warn("%s", err.msg);
    listeners_close(i->listeners, i->n_nodes);
    free(i->listeners);
    free(i->nodes);
    free(i->dir);
    free(i->config_path);
    free(i->socket_path);
    free(i);
}

static void destroy(void *arg)
{
    struct ingress *i = arg;
    uv_close((uv_handle_t *)&i->timer, on_timer_closed);
}

void ingress_free(struct ingress *i)
{
    if (!i)
        return;
    i->stopping = true;
    uv_timer_stop(&i->timer);
    for (int n = 0; n < INFORMERS_N; n++)
        informer_free(i->informers[n]);
    secrets_free(i->secrets);
    model_reader_free(i->reader);
    forget_plan(i);
    slots_done(&i->slots);
    map_done(&i->changed);
    ingress_files_done(&i->shape);
    tell_done(&i->tell);
    ingress_status_done(&i->status);
    if (i->haproxy)
        haproxy_free(i->haproxy);
    else
        destroy(i);
}

void ingress_decline(struct client *c, const struct informer *nodes, const char *node)
{
    places_say(c, nodes, node, false);
}

void ingress_teardown(const char *run_dir)
{
    _cleanup_free_ char *dir = xasprintf("%s/ingress", run_dir);
    _cleanup_free_ char *pid_path = xasprintf("%s/" INGRESS_PIDFILE, dir);
    _cleanup_free_ char *config_path = xasprintf("%s/" INGRESS_CONFIG, dir);
    struct err err;
    stray_end(pid_path, config_path);
    if (tree_remove(dir, &err) < 0)
        log_warn("%s", err.msg);
}
