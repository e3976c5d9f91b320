/* metrics.k8s.io: what nodes and pods use. Every agent measures by itself and answers from memory, so a question here
 * is a question to the agents it is about, all at once, and nothing is kept in between. An agent that does not answer
 * is left out, as upstream's metrics-server leaves out what it could not scrape. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "http/http.h"
#include "server/agents.h"
#include "server/filter.h"

#define SUMMARY_PATH "/stats/summary"
#define SUMMARY_MS 5000
#define SUMMARY_MAX (4 << 20) /* of one agent: a few hundred bytes for each container of 110 pods and more */

struct gathering {
    struct list link; /* server->gatherings */
    struct request *r;
    struct list asked; /* agents that have not answered */
    json_t *summaries; /* those that have */
};

struct question {
    struct list link; /* gathering->asked */
    struct gathering *gathering;
    struct http_call *call;
    struct agent agent;
    int code;
    struct buf body;
};

/* --- from a summary to objects --- */

static json_t *usage_of(const json_t *stats)
{
    return json_pack("{s:o, s:o}", "cpu", json_sprintf("%lldn", (long long)jint(stats, "cpu.usageNanoCores", 0)),
                     "memory", json_sprintf("%lldKi", (long long)jint(stats, "memory.workingSetBytes", 0) / 1024));
}

/* metav1.Duration of so many milliseconds. */
static json_t *duration(int64_t ms)
{
    return ms % 1000 ? json_sprintf("%lld.%03llds", (long long)ms / 1000, (long long)ms % 1000)
                     : json_sprintf("%llds", (long long)ms / 1000);
}

/* An object's document from the newest state of what it is about. */
static json_t *document_new(const struct kind *k, const struct object *about, const json_t *stats)
{
    char version[API_VERSION_SIZE];
    _cleanup_json_ json_t *doc = object_json(about);
    json_t *metadata =
        json_pack("{s:s, s:s, s:o}", "name", about->name, "creationTimestamp", jstr_or(stats, "cpu.time", ""),
                  "resourceVersion", json_sprintf("%llu", (unsigned long long)about->rv));
    if (*about->ns)
        json_object_set_new(metadata, "namespace", json_string(about->ns));
    if (jget(doc, "metadata.labels"))
        json_object_set(metadata, "labels", jget(doc, "metadata.labels"));
    return json_pack("{s:s, s:s, s:o, s:s, s:o}", "kind", k->kind, "apiVersion", kind_api_version(k, version),
                     "metadata", metadata, "timestamp", jstr_or(stats, "cpu.time", ""), "window",
                     duration(jint(stats, "cpu.windowMilliseconds", 0)));
}

struct answer {
    const struct request *r;
    const struct filter *filter;
    struct page page;
    size_t cap;
};

static void add(struct answer *a, json_t *doc_new)
{
    struct object *o = object_new(a->r->kind, doc_new);
    json_decref(doc_new);
    if (!filter_matches(a->filter, o)) {
        object_unref(o);
        return;
    }
    if (a->page.n == a->cap) {
        a->cap = a->cap ? a->cap * 2 : 16;
        a->page.objs = xrealloc(a->page.objs, a->cap * sizeof(struct object *));
    }
    a->page.objs[a->page.n++] = o;
}

static bool is_asked_for(const struct request *r, const char *ns, const char *name)
{
    return (!*r->what.ns || streq(r->what.ns, ns)) && (!*r->what.name || streq(r->what.name, name));
}

static void add_node(struct answer *a, const json_t *stats)
{
    const char *name = jstr_or(stats, "nodeName", "");
    const struct object *node = store_get(a->r->server->store, &kind_node, "", name);
    if (!node || !is_asked_for(a->r, "", name) || !jget(stats, "cpu.usageNanoCores"))
        return;
    json_t *doc = document_new(a->r->kind, node, stats);
    json_object_set_new(doc, "usage", usage_of(stats));
    add(a, doc);
}

/* A pod of which one container could not be measured yet would look smaller than it is. */
static void add_pod(struct answer *a, const json_t *stats)
{
    const char *ns = jstr_or(stats, "podRef.namespace", ""), *name = jstr_or(stats, "podRef.name", "");
    const struct object *pod = store_get(a->r->server->store, &kind_pod, ns, name);
    size_t i;
    json_t *c, *containers = jget(stats, "containers"), *list;
    if (!pod || !is_asked_for(a->r, ns, name) || !streq(pod->uid, jstr_or(stats, "podRef.uid", "")))
        return;
    json_array_foreach(containers, i, c)
        if (!jget(c, "cpu.usageNanoCores"))
            return;
    if (!json_array_size(containers))
        return;
    json_t *doc = document_new(a->r->kind, pod, json_array_get(containers, 0));
    json_object_set_new(doc, "containers", list = json_array());
    json_array_foreach(containers, i, c)
        json_array_append_new(list, json_pack("{s:s, s:o}", "name", jstr_or(c, "name", ""), "usage", usage_of(c)));
    add(a, doc);
}

static void add_summary(struct answer *a, const json_t *summary)
{
    size_t i;
    json_t *pod;
    if (a->r->kind == &kind_nodemetrics) {
        add_node(a, jget(summary, "node"));
        return;
    }
    json_array_foreach(jget(summary, "pods"), i, pod)
        add_pod(a, pod);
}

static int by_name(const void *x, const void *y)
{
    const struct object *a = *(struct object *const *)x, *b = *(struct object *const *)y;
    int order = strcmp(a->ns, b->ns);
    return order ? order : strcmp(a->name, b->name);
}

static void reply(struct request *r, const json_t *summaries)
{
    struct filter f = {0};
    struct err err;
    size_t i;
    json_t *summary;
    if (filter_parse(r->kind, r->query, &f, &err) < 0) {
        request_reply_status(r, status_new(STATUS_BAD_REQUEST, "%s", err.msg));
        return;
    }
    struct answer a = {.r = r, .filter = &f, .page = {.rv = store_rv(r->server->store), .remaining = -1}};
    json_array_foreach(summaries, i, summary)
        add_summary(&a, summary);
    filter_done(&f);
    if (a.page.n)
        qsort(a.page.objs, a.page.n, sizeof(struct object *), by_name);
    if (r->verb == V_LIST)
        request_reply_page(r, &a.page);
    else if (a.page.n)
        request_reply_object(r, 200, a.page.objs[0]);
    else
        request_reply_status(r, not_found_status(r->kind, r->what.name));
    page_done(&a.page);
}

/* --- asking the agents --- */

static void free_question(struct question *q)
{
    list_remove(&q->link);
    buf_done(&q->body);
    free(q);
}

static void finish_if_all_answered(struct gathering *g)
{
    if (!list_empty(&g->asked))
        return;
    list_remove(&g->link);
    reply(g->r, g->summaries);
    json_decref(g->summaries);
    free(g);
}

static void on_head(void *arg, int code, const struct http_header *headers)
{
    (void)headers;
    ((struct question *)arg)->code = code;
}

static void on_data(void *arg, const void *bytes, size_t len)
{
    buf_add(&((struct question *)arg)->body, bytes, len);
}

static void on_done(void *arg, const struct err *err)
{
    struct question *q = arg;
    struct gathering *g = q->gathering;
    struct err bad;
    json_t *summary =
        !err && q->code == 200 && !q->body.overflowed ? jparse(buf_str(&q->body), q->body.len, &bad) : NULL;
    if (summary)
        json_array_append_new(g->summaries, summary);
    free_question(q);
    finish_if_all_answered(g);
}

static const struct http_call_handler call_handler = {.head = on_head, .data = on_data, .done = on_done};

static void ask_agent(struct gathering *g, const char *node)
{
    struct server *s = g->r->server;
    struct question *q = NEW(struct question);
    json_t *status = agent_of_node(s, node, &q->agent);
    if (status) {
        json_decref(status);
        free(q);
        return;
    }
    q->gathering = g;
    buf_init(&q->body, SUMMARY_MAX);
    list_append(&g->asked, &q->link);
    const struct http_call_spec spec = {.netns_fd = -1,
                                        .ip = q->agent.ip,
                                        .port = q->agent.port,
                                        .tls = s->agent_tls,
                                        .server_name = s->agent_tls ? q->agent.ip : NULL,
                                        .method = "GET",
                                        .target = SUMMARY_PATH,
                                        .timeout_ms = SUMMARY_MS};
    q->call = http_call_start(s->loop, &spec, &call_handler, q);
}

static bool ask_each(void *arg, struct object *node)
{
    ask_agent(arg, node->name);
    return true;
}

/* One object is known to one agent, which saves asking the others. */
static void ask_for_one(struct gathering *g)
{
    const struct request *r = g->r;
    if (r->kind == &kind_nodemetrics) {
        ask_agent(g, r->what.name);
        return;
    }
    const struct object *pod = store_get(r->server->store, &kind_pod, r->what.ns, r->what.name);
    _cleanup_json_ json_t *doc = pod ? object_json(pod) : NULL;
    const char *node = jstr(doc, "spec.nodeName");
    if (node)
        ask_agent(g, node);
}

void handle_metrics(struct request *r)
{
    struct gathering *g = NEW(struct gathering);
    g->r = r;
    g->summaries = json_array();
    list_init(&g->asked);
    list_append(&r->server->gatherings, &g->link);
    if (*r->what.name)
        ask_for_one(g);
    else
        store_each(r->server->store, &kind_node, NULL, NULL, NULL, ask_each, g);
    finish_if_all_answered(g);
}

void metrics_orphan(struct server *s)
{
    LIST_EACH(it, &s->gatherings) {
        struct gathering *g = container_of(it, struct gathering, link);
        LIST_EACH(asked, &g->asked) {
            struct question *q = container_of(asked, struct question, link);
            http_call_cancel(q->call);
            free_question(q);
        }
        list_remove(&g->link);
        json_decref(g->summaries);
        free(g);
    }
}
