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
#include "client/events.h"
#include "client/informer.h"
#include "ingress/certs.h"
#include "ingress/change.h"
#include "ingress/external.h"
#include "ingress/haproxy.h"
#include "ingress/listeners.h"
#include "ingress/status.h"
#include "ingress/stray.h"
#include "json/json.h"
#include "kinds/kind.h"

#define RETRY_MS 5000

enum { INGRESSES, CLASSES, SECRETS, INFORMERS_N };

struct ingress {
    uv_timer_t timer;
    struct client *client;
    struct model *model;
    struct model_reader *reader;
    struct informer *informers[INFORMERS_N];
    struct events *events;
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
    bool plan_due, load_due, loading, loaded;

    struct map told; /* problems that are events already */
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
    const struct object *o = informer_get(i->informers[SECRETS], ns, name);
    _cleanup_free_ char *key = make_object_key(ns, name);
    if (o && !map_get(&i->secret_docs, key))
        map_put(&i->secret_docs, key, object_json(o));
    return map_get(&i->secret_docs, key);
}

static void decref_value(void *doc)
{
    json_decref(doc);
}

static void forget_plan(struct ingress *i)
{
    ingress_plan_done(&i->plan);
    map_done_with(&i->secret_docs, decref_value);
    for (size_t n = 0; n < i->n_docs; n++)
        json_decref((json_t *)i->docs[n]);
    free(TAKE(i->docs));
    i->n_docs = 0;
}

static void tell(struct ingress *i, struct map *told, const json_t *doc, const char *reason, const char *text)
{
    _cleanup_free_ char *key = xasprintf("%s %s %s", jstr_or(doc, "metadata.uid", ""), reason, text);
    bool known = map_get(&i->told, key) != NULL;
    if (!map_put(told, key, i) && !known)
        events_send(i->events, doc, NULL, "Warning", reason, "%s", text);
}

static void tell_all(struct ingress *i, struct map *told, const char *reason, const char *text)
{
    for (size_t n = 0; n < i->n_docs; n++)
        tell(i, told, i->docs[n], reason, text);
}

/* "NAME:PORT" where the Service leads, if it is of type ExternalName and may. */
static char *find_external(struct ingress *i, const struct ingress_backend *b, bool *refused)
{
    const char *name = ingress_class(b->ingress);
    const struct object *o = name ? informer_get(i->informers[CLASSES], "", name) : NULL;
    _cleanup_json_ json_t *class = o ? object_json(o) : NULL;
    return external_address(model_get(i->model, b->ns, b->service), class, b, refused);
}

static void tell_external_name(struct ingress *i, struct map *told, const struct ingress_backend *b)
{
    bool refused;
    free(find_external(i, b, &refused));
    if (refused)
        tell(i, told, b->ingress, "ExternalNameRefused",
             "the Service is of type ExternalName, which leads out of the cluster");
}

static void tell_problems(struct ingress *i)
{
    struct map told = {0};
    for (size_t n = 0; n < i->plan.n_problems; n++)
        tell(i, &told, i->plan.problems[n].ingress, i->plan.problems[n].reason, i->plan.problems[n].text);
    for (struct map_entry *e = NULL; (e = map_next(&i->plan.backends, e));)
        tell_external_name(i, &told, e->value);
    if (!i->haproxy && !haproxy_installed())
        tell_all(i, &told, "NoHAProxy", "HAProxy is not installed: the Ingress is not served");
    map_done(&i->told);
    i->told = told;
}

static void make_plan(struct ingress *i)
{
    const struct informer *all = i->informers[INGRESSES];
    void *cursor = NULL;
    forget_plan(i);
    i->docs = xcalloc(informer_count(all) + 1, sizeof(*i->docs));
    for (struct object *o; (o = informer_next(all, NULL, &cursor));) {
        json_t *doc = object_json(o);
        if (ingress_is_ours(doc, class_controller, i) && !jget(doc, "metadata.deletionTimestamp"))
            i->docs[i->n_docs++] = doc;
        else
            json_decref(doc);
    }
    ingress_plan_make(&i->plan, i->docs, i->n_docs, find_secret, i);
    tell_problems(i);
}

/* --- status --- */

/* Ours are served by now; those that were and are somebody else's give the address back. */
static void publish_all(struct ingress *i)
{
    void *cursor = NULL;
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
    tell_external_name(i, &i->told, b);
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

static int write_files(struct ingress *i, const struct ingress_files *files, struct err *err)
{
    for (size_t n = 0; n < files->n; n++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", i->dir, files->files[n].name);
        if (file_write_atomic(path, files->files[n].text, strlen(files->files[n].text), 0600, err) < 0)
            return -1;
    }
    return 0;
}

/* Certificates that no Ingress names any more. */
static void remove_files(struct ingress *i, const struct ingress_files *before, const struct ingress_files *now)
{
    for (size_t n = 0; n < before->n; n++) {
        bool stays = false;
        for (size_t m = 0; m < now->n && !stays; m++)
            stays = streq(before->files[n].name, now->files[m].name);
        _cleanup_free_ char *path = xasprintf("%s/%s", i->dir, before->files[n].name);
        if (!stays)
            unlink(path);
    }
}

static int make_dir(struct ingress *i, struct err *err)
{
    _cleanup_free_ char *pem = cert_self_signed(), *path = xasprintf("%s/" INGRESS_DEFAULT_CERT, i->dir);
    return dir_make(i->dir, 0700, err) < 0 ? -1 : file_write_atomic(path, pem, strlen(pem), 0600, err);
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
    tell_all(i, &i->told, "NotServed", "HAProxy does not take the configuration; changes are not served yet");
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
    int result = haproxy_installed() ? make_dir(i, &err) : err_set(&err, 0, "HAProxy is not installed");
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
    if (write_files(i, &files, &err) < 0) {
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
    remove_files(i, &i->shape, &shape);
    ingress_files_done(&i->shape);
    i->shape = shape;
    return suffices;
}

static bool all_synced(const struct ingress *i)
{
    for (int n = 0; n < INFORMERS_N; n++)
        if (!informer_synced(i->informers[n]))
            return false;
    return true;
}

static void sync_all(struct ingress *i)
{
    struct buf commands = BUF_INIT(0);
    bool planned = i->plan_due;
    if (i->loading || !all_synced(i)) /* both end in soon() */
        return;
    if (planned)
        make_plan(i);
    i->plan_due = false;
    bool fresh = !i->haproxy && i->n_docs && start_haproxy(i);
    bool same_shape = update_slots(i, planned, &commands);
    if (i->haproxy) {
        if (planned || fresh || !same_shape)
            i->load_due |= !take_shape(i, &commands);
        if (i->load_due)
            load(i);
        else if (commands.len)
            haproxy_command(i->haproxy, commands.data);
        if (planned && !i->loading && i->loaded)
            publish_all(i);
    }
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

/* Most Secrets concern nobody here. */
static void on_secret(void *arg, struct object *old, struct object *obj)
{
    struct ingress *i = arg;
    const struct object *o = obj ? obj : old;
    size_t n, t;
    json_t *tls;
    for (n = 0; n < i->n_docs; n++)
        json_array_foreach(jget(i->docs[n], "spec.tls"), t, tls)
            if (streq(jstr_or(tls, "secretName", ""), o->name) &&
                streq(jstr_or(i->docs[n], "metadata.namespace", ""), o->ns)) {
                on_document(arg, old, obj);
                return;
            }
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
        [SECRETS] = {&kind_secret, on_secret},
    };
    struct ingress *i = NEW(struct ingress);
    *i = (struct ingress){.client = c, .model = m, .dns = config->dns, .netns_fd = config->netns_fd, .plan_due = true};
    i->n_nodes = config->n_nodes;
    i->nodes = xcalloc(i->n_nodes + 1, sizeof(*i->nodes));
    memcpy(i->nodes, config->nodes, i->n_nodes * sizeof(*i->nodes));
    i->listeners = xcalloc(2 * i->n_nodes + 1, sizeof(*i->listeners));
    for (size_t n = 0; n < 2 * i->n_nodes; n++)
        i->listeners[n] = -1;
    i->status = (struct ingress_status){.client = c, .nodes = i->nodes, .n_nodes = i->n_nodes};
    i->dir = xasprintf("%s/ingress", config->run_dir);
    i->config_path = xasprintf("%s/" INGRESS_CONFIG, i->dir);
    i->socket_path = xasprintf("%s/" INGRESS_SOCKET, i->dir);
    uv_timer_init(loop, &i->timer);
    i->timer.data = i;
    i->events = events_new(c, "ingress-controller", NULL);
    i->reader = model_reader_new(m, on_something, i);
    for (int n = 0; n < INFORMERS_N; n++) {
        i->informers[n] = informer_new(c, watched[n].kind, NULL);
        informer_on_change(i->informers[n], watched[n].changed, i);
        informer_on_synced(i->informers[n], on_something, i);
        informer_start(i->informers[n]);
    }
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
    model_reader_free(i->reader);
    events_free(i->events);
    forget_plan(i);
    slots_done(&i->slots);
    map_done(&i->changed);
    ingress_files_done(&i->shape);
    map_done(&i->told);
    ingress_status_done(&i->status);
    if (i->haproxy)
        haproxy_free(i->haproxy);
    else
        destroy(i);
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
