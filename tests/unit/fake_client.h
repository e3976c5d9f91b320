/* An API server in memory behind client.h, for the tests of what reads and writes through it: revisions, conflicts,
 * uids, generations, finalizers, graceful deletion of pods, watches. Nothing is answered from inside a call; answers
 * and watch events overtake each other at random, as on separate connections, though each watch keeps its order.
 * Failures can be switched on: refused requests, and applied ones whose answer is lost. */
#pragma once
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/str.h"
#include "client/client.h"
#include "json/json.h"
#include "kinds/kind.h"

struct fake;

struct fake_watch {
    struct list link;
    struct fake *fake;
    const struct kind *kind;
    const struct client_watch_handler *handler;
    void *arg;
    struct list events; /* to be delivered */
    bool stopped;
};
struct fake_watch_event {
    struct list link;
    enum client_event type;
    struct object *obj;
    int end_code; /* >= 0: the watch ends */
};
/* A request or a list on its way; done with it when `applied` and delivered. */
struct fake_task {
    struct list link;
    char *method, *path, *content_type;
    json_t *body;
    client_done_fn *done;
    client_list_fn *list_done;
    const struct kind *list_kind;
    void *arg;
    bool applied;
    int code;
    json_t *answer;
};
struct fake {
    struct client client;
    uv_idle_t idle;
    struct map objects; /* "Kind/ns/name"; PodMetrics and Pods share a plural */
    uint64_t rv;
    struct list tasks, watches;
    int64_t (*now_usec)(void);
    unsigned seed;
    int fail_percent;           /* of writes */
    bool never_lose;            /* failures are refusals only */
    unsigned writes, conflicts; /* applied; refused because of their resourceVersion */
    unsigned refused;           /* because of fail_percent */
};

static inline unsigned fake_rand(struct fake *f, unsigned n)
{
    return (unsigned)rand_r(&f->seed) % n;
}
static inline void fake_turn(uv_idle_t *h);
static inline void fake_wake(struct fake *f)
{
    uv_idle_start(&f->idle, fake_turn);
}
static inline char *fake_key(const struct kind *k, const char *ns, const char *name)
{
    return xasprintf("%s/%s/%s", k->kind, ns ? ns : "", name);
}
static inline struct object *fake_get(struct fake *f, const struct kind *k, const char *ns, const char *name)
{
    _cleanup_free_ char *key = fake_key(k, ns, name);
    return map_get(&f->objects, key);
}
/* New reference; NULL when absent. */
static inline json_t *fake_json(struct fake *f, const struct kind *k, const char *ns, const char *name)
{
    struct object *o = fake_get(f, k, ns, name);
    return o ? object_json(o) : NULL;
}
static inline size_t fake_count(struct fake *f, const struct kind *k)
{
    size_t n = 0;
    for (struct map_entry *e = NULL; (e = map_next(&f->objects, e));)
        n += ((struct object *)e->value)->kind == k;
    return n;
}
/* Iterates over one kind; *cursor starts as NULL. */
static inline struct object *fake_next(struct fake *f, const struct kind *k, struct map_entry **cursor)
{
    while ((*cursor = map_next(&f->objects, *cursor)))
        if (((struct object *)(*cursor)->value)->kind == k)
            return (*cursor)->value;
    return NULL;
}

/* --- state --- */

static inline void fake_tell(struct fake *f, enum client_event type, struct object *o)
{
    LIST_EACH(it, &f->watches) {
        struct fake_watch *w = container_of(it, struct fake_watch, link);
        if (w->kind != o->kind || w->stopped)
            continue;
        struct fake_watch_event *e = NEW(struct fake_watch_event);
        *e = (struct fake_watch_event){.type = type, .obj = object_ref(o), .end_code = -1};
        list_append(&w->events, &e->link);
    }
    fake_wake(f);
}
static inline void fake_stamp(struct fake *f, json_t *doc, const char *path)
{
    char text[TIME_TEXT_SIZE];
    jset_str(doc, path, time_format(f->now_usec ? f->now_usec() : clock_wall_usec(), text));
}
static inline void fake_store(struct fake *f, const struct kind *k, json_t *doc)
{
    char rv[24];
    snprintf(rv, sizeof(rv), "%llu", (unsigned long long)++f->rv);
    jset_str(doc, "metadata.resourceVersion", rv);
    struct object *o = object_new(k, doc);
    _cleanup_free_ char *key = fake_key(k, o->ns, o->name);
    struct object *old = map_put(&f->objects, key, o);
    fake_tell(f, old ? CLIENT_MODIFIED : CLIENT_ADDED, o);
    object_unref(old);
}
static inline void fake_remove(struct fake *f, const struct kind *k, json_t *doc)
{
    char rv[24];
    snprintf(rv, sizeof(rv), "%llu", (unsigned long long)++f->rv);
    jset_str(doc, "metadata.resourceVersion", rv);
    _cleanup_object_ struct object *o = object_new(k, doc);
    _cleanup_free_ char *key = fake_key(k, o->ns, o->name);
    object_unref(map_del(&f->objects, key));
    fake_tell(f, CLIENT_DELETED, o);
}
/* Puts an object there as if somebody had written it, status and all. JSON text. Metadata that is missing is made. */
static inline void fake_set(struct fake *f, const struct kind *k, const char *text)
{
    struct err err = {0};
    _cleanup_json_ json_t *doc = jparse(text, strlen(text), &err);
    if (!doc) {
        fprintf(stderr, "fake_set: %s in %s\n", err.msg, text);
        abort();
    }
    _cleanup_json_ json_t *old = fake_json(f, k, jstr(doc, "metadata.namespace"), jstr(doc, "metadata.name"));
    char uid[37];
    rand_uuid(uid);
    if (!jstr(doc, "metadata.uid"))
        jset_str(doc, "metadata.uid", old ? jstr(old, "metadata.uid") : uid);
    if (!jstr(doc, "metadata.creationTimestamp"))
        fake_stamp(f, doc, "metadata.creationTimestamp");
    if (!jget(doc, "metadata.generation") && k->has_generation)
        jset_int(doc, "metadata.generation", jint(old, "metadata.generation", 0) + 1);
    fake_store(f, k, doc);
}
/* Edits an object by a merge patch (JSON text), status and all. */
static inline json_t *fake_merge(const json_t *doc, const json_t *patch)
{
    if (!json_is_object(patch))
        return json_deep_copy(patch);
    json_t *out = json_is_object(doc) ? json_deep_copy(doc) : json_object();
    const char *k;
    json_t *v;
    json_object_foreach((json_t *)patch, k, v) {
        if (json_is_null(v))
            json_object_del(out, k);
        else
            json_object_set_new(out, k, fake_merge(json_object_get(doc, k), v));
    }
    return out;
}
static inline void fake_edit(struct fake *f, const struct kind *k, const char *ns, const char *name,
                             const char *patch_text)
{
    _cleanup_json_ json_t *old = fake_json(f, k, ns, name), *patch = json_loads(patch_text, 0, NULL);
    _cleanup_json_ json_t *doc = fake_merge(old, patch);
    if (!old || !patch)
        abort();
    if (k->has_generation && !json_equal(json_object_get(old, "spec"), json_object_get(doc, "spec")))
        jset_int(doc, "metadata.generation", jint(old, "metadata.generation", 0) + 1);
    fake_store(f, k, doc);
}
static inline void fake_delete(struct fake *f, const struct kind *k, const char *ns, const char *name)
{
    _cleanup_json_ json_t *old = fake_json(f, k, ns, name);
    _cleanup_json_ json_t *doc = json_deep_copy(old);
    if (doc)
        fake_remove(f, k, doc);
}

/* --- requests --- */

static inline int fake_status(struct fake_task *t, int code, const char *reason, const char *message)
{
    t->answer = json_pack("{s:s, s:s, s:s, s:s, s:i}", "kind", "Status", "status", code < 300 ? "Success" : "Failure",
                          "reason", reason, "message", message, "code", code);
    return code;
}
static inline int fake_create(struct fake *f, struct fake_task *t, const struct kind *k, const char *ns)
{
    _cleanup_json_ json_t *doc = json_deep_copy(t->body);
    if (!jstr(doc, "metadata.name")) {
        char suffix[6];
        rand_name(suffix, 5);
        _cleanup_free_ char *name = xasprintf("%s%s", jstr_or(doc, "metadata.generateName", ""), suffix);
        jset_str(doc, "metadata.name", name);
    }
    if (k->namespaced)
        jset_str(doc, "metadata.namespace", ns);
    if (fake_get(f, k, ns, jstr(doc, "metadata.name")))
        return fake_status(t, 409, "AlreadyExists", "already exists");
    char uid[37];
    rand_uuid(uid);
    jset_str(doc, "metadata.uid", uid);
    fake_stamp(f, doc, "metadata.creationTimestamp");
    if (k->has_generation)
        jset_int(doc, "metadata.generation", 1);
    if (k->has_status)
        json_object_del(doc, "status");
    if (k == &kind_pod)
        jset_str(doc, "status.phase", "Pending");
    fake_store(f, k, doc);
    t->answer = fake_json(f, k, ns, jstr(doc, "metadata.name"));
    return 201;
}
/* doc: what the object shall be. */
static inline int fake_replace(struct fake *f, struct fake_task *t, const struct kind *k, const json_t *old,
                               json_t *doc, const char *sub)
{
    const char *rv = jstr(doc, "metadata.resourceVersion");
    if (rv && !streq(rv, jstr(old, "metadata.resourceVersion"))) {
        f->conflicts++;
        return fake_status(t, 409, "Conflict", "the object has been modified");
    }
    if (sub && streq(sub, "status")) {
        json_t *status = json_incref(json_object_get(doc, "status"));
        json_object_clear(doc);
        _cleanup_json_ json_t *copy = json_deep_copy(old);
        json_object_update(doc, copy);
        if (status)
            json_object_set_new(doc, "status", status);
    } else if (k->has_status) {
        json_object_del(doc, "status");
        if (json_object_get(old, "status"))
            json_object_set(doc, "status", json_object_get(old, "status"));
    }
    bool done_for = jget(old, "metadata.deletionTimestamp") && !json_array_size(jget(doc, "metadata.finalizers")) &&
                    !(k == &kind_pod && jint(doc, "metadata.deletionGracePeriodSeconds", 0)) &&
                    !(k == &kind_namespace && json_array_size(jget(doc, "spec.finalizers")));
    if (done_for) {
        fake_remove(f, k, doc);
        t->answer = json_incref(doc);
        return 200;
    }
    if (k->has_generation && !json_equal(json_object_get(old, "spec"), json_object_get(doc, "spec")))
        jset_int(doc, "metadata.generation", jint(old, "metadata.generation", 0) + 1);
    _cleanup_json_ json_t *same = json_deep_copy(doc);
    jset_str(same, "metadata.resourceVersion", jstr(old, "metadata.resourceVersion"));
    if (!json_equal(same, (json_t *)old))
        fake_store(f, k, doc);
    t->answer = fake_json(f, k, jstr(old, "metadata.namespace"), jstr(old, "metadata.name"));
    return 200;
}
static inline int fake_patch(struct fake *f, struct fake_task *t, const struct kind *k, const json_t *old,
                             const char *sub)
{
    _cleanup_json_ json_t *doc = fake_merge(old, t->body);
    const json_t *conditions = jget(t->body, "status.conditions");
    if (conditions && streq(t->content_type, PATCH_STRATEGIC)) { /* merged by type */
        json_t *merged = json_deep_copy(jget(old, "status.conditions")), *c;
        size_t i;
        merged = merged ? merged : json_array();
        json_array_foreach((json_t *)conditions, i, c) {
            json_t *there = jfind(merged, "type", jstr(c, "type"));
            if (there)
                json_object_update(there, c);
            else
                json_array_append(merged, c);
        }
        jset(doc, "status.conditions", merged);
    }
    if (!jstr(t->body, "metadata.resourceVersion"))
        jset_str(doc, "metadata.resourceVersion", NULL);
    int code = fake_replace(f, t, k, old, doc, sub);
    return code;
}
static inline void fake_add_finalizer(json_t *doc, const char *name)
{
    if (!jget(doc, "metadata.finalizers"))
        jset(doc, "metadata.finalizers", json_array());
    json_array_append_new(jget(doc, "metadata.finalizers"), json_string(name));
}
static inline int fake_delete_one(struct fake *f, struct fake_task *t, const struct kind *k, const json_t *old)
{
    const char *uid = jstr(t->body, "preconditions.uid"), *policy = jstr_or(t->body, "propagationPolicy", "");
    if (uid && !streq(uid, jstr(old, "metadata.uid")))
        return fake_status(t, 409, "Conflict", "uid");
    _cleanup_json_ json_t *doc = json_deep_copy(old);
    if (!jget(doc, "metadata.deletionTimestamp")) {
        if (streq(policy, "Foreground"))
            fake_add_finalizer(doc, "foregroundDeletion");
        if (streq(policy, "Orphan"))
            fake_add_finalizer(doc, "orphan");
    }
    int64_t grace = k == &kind_pod && jstr(doc, "spec.nodeName") ? jint(t->body, "gracePeriodSeconds", 30) : 0;
    bool stays = grace || json_array_size(jget(doc, "metadata.finalizers")) ||
                 (k == &kind_namespace && json_array_size(jget(doc, "spec.finalizers")));
    if (!stays) {
        fake_remove(f, k, doc);
        fake_status(t, 200, "", "");
        return 200;
    }
    if (!jget(doc, "metadata.deletionTimestamp")) {
        fake_stamp(f, doc, "metadata.deletionTimestamp");
        jset_int(doc, "metadata.deletionGracePeriodSeconds", grace);
        if (k == &kind_namespace)
            jset_str(doc, "status.phase", "Terminating");
        fake_store(f, k, doc);
    }
    t->answer = json_incref(doc);
    return 200;
}
static inline int fake_bind(struct fake *f, struct fake_task *t, const struct kind *k, const json_t *old)
{
    if (jstr(old, "spec.nodeName"))
        return fake_status(t, 409, "Conflict", "already assigned");
    _cleanup_json_ json_t *doc = json_deep_copy(old);
    jset_str(doc, "spec.nodeName", jstr(t->body, "target.name"));
    fake_store(f, k, doc);
    return fake_status(t, 201, "", "");
}
static inline int fake_collection(struct fake *f, struct fake_task *t, const struct kind *k, const char *ns)
{
    json_t *items = json_array();
    bool again;
    do {
        again = false;
        for (struct map_entry *e = NULL; (e = map_next(&f->objects, e));) {
            struct object *o = e->value;
            if (o->kind != k || (ns && !streq(o->ns, ns)))
                continue;
            _cleanup_json_ json_t *doc = object_json(o);
            if (streq(t->method, "GET")) {
                json_array_append(items, doc);
                continue;
            }
            struct fake_task one = {.method = t->method};
            fake_delete_one(f, &one, k, doc);
            json_decref(one.answer);
        }
    } while (again);
    t->answer = json_pack("{s:s, s:o}", "kind", k->list_kind, "items", items);
    return 200;
}
static inline int fake_apply(struct fake *f, struct fake_task *t)
{
    _cleanup_free_ char *path = xstrndup(t->path + 1, strcspn(t->path + 1, "?"));
    size_t n;
    _cleanup_free_ char **part = str_split(path, '/', &n);
    bool core = streq(part[0], "api");
    char **p = part + (core ? 2 : 3);
    size_t left = n - (size_t)(p - part);
    const char *ns = NULL;
    const struct kind *k = NULL;
    if (left >= 3 && streq(p[0], "namespaces"))
        k = kind_by_resource(core ? "" : part[1], core ? part[1] : part[2], p[2]);
    if (k) {
        ns = p[1];
        p += 2;
        left -= 2;
    } else {
        k = kind_by_resource(core ? "" : part[1], core ? part[1] : part[2], p[0]);
    }
    if (!k)
        return fake_status(t, 404, "NotFound", t->path);
    const char *name = left > 1 ? p[1] : NULL, *sub = left > 2 ? p[2] : NULL;
    if (!streq(t->method, "GET"))
        f->writes++;
    if (!name)
        return streq(t->method, "POST") ? fake_create(f, t, k, ns) : fake_collection(f, t, k, ns);
    _cleanup_json_ json_t *old = fake_json(f, k, ns, name);
    if (!old)
        return fake_status(t, 404, "NotFound", "not found");
    if (streq(t->method, "GET")) {
        t->answer = json_incref(old);
        return 200;
    }
    if (sub && streq(sub, "binding"))
        return fake_bind(f, t, k, old);
    if (streq(t->method, "PATCH"))
        return fake_patch(f, t, k, old, sub);
    if (streq(t->method, "DELETE"))
        return fake_delete_one(f, t, k, old);
    _cleanup_json_ json_t *doc = json_deep_copy(t->body);
    return fake_replace(f, t, k, old, doc, sub);
}

/* --- turns of the loop --- */

static inline void fake_task_free(struct fake_task *t)
{
    list_remove(&t->link);
    free(t->method);
    free(t->path);
    free(t->content_type);
    json_decref(t->body);
    json_decref(t->answer);
    free(t);
}
static inline void fake_answer_list(struct fake *f, struct fake_task *t)
{
    struct object **objs = xcalloc(f->objects.len + 1, sizeof(struct object *));
    size_t n = 0;
    struct map_entry *cursor = NULL;
    const char *in = strstr(t->path, "/namespaces/");
    size_t ns_len = in && t->list_kind->namespaced ? strcspn(in + 12, "/") : 0;
    for (struct object *o; (o = fake_next(f, t->list_kind, &cursor));)
        if (!ns_len || (strlen(o->ns) == ns_len && strncmp(o->ns, in + 12, ns_len) == 0))
            objs[n++] = object_ref(o);
    t->list_done(t->arg, 200, objs, n, f->rv);
    for (size_t i = 0; i < n; i++)
        object_unref(objs[i]);
    free(objs);
    fake_task_free(t);
}
static inline void fake_work_task(struct fake *f, struct fake_task *t)
{
    if (t->list_done) {
        fake_answer_list(f, t);
        return;
    }
    bool fails = !streq(t->method, "GET") && f->fail_percent && (int)fake_rand(f, 100) < f->fail_percent;
    if (!t->applied) {
        if (fails && (f->never_lose || fake_rand(f, 2))) {
            f->refused++;
            t->code = fake_status(t, 500, "InternalError", "no luck");
        } else {
            t->code = fake_apply(f, t);
            if (fails)
                t->code = 0; /* applied, but nobody hears of it */
        }
        t->applied = true;
        return;
    }
    list_remove(&t->link);
    t->done(t->arg, t->code, t->code ? t->answer : NULL);
    fake_task_free(t);
}
static inline void fake_work_watch(struct fake_watch *w)
{
    struct fake_watch_event *e = container_of(w->events.next, struct fake_watch_event, link);
    list_remove(&e->link);
    if (e->end_code >= 0) {
        list_remove(&w->link);
        w->handler->ended(w->arg, e->end_code);
        free(w);
    } else {
        w->handler->event(w->arg, e->type, e->obj, e->obj->rv);
        object_unref(e->obj);
    }
    free(e);
}
static inline bool fake_idle(const struct fake *f)
{
    if (!list_empty(&f->tasks))
        return false;
    LIST_EACH(it, &f->watches)
        if (!list_empty(&container_of(it, struct fake_watch, link)->events))
            return false;
    return true;
}
/* One thing at a time: a request or a watch that has something, by lot. */
static inline void fake_turn(uv_idle_t *h)
{
    struct fake *f = h->data;
    unsigned n = 0;
    for (struct list *it = f->tasks.next; it != &f->tasks; it = it->next)
        n++;
    for (struct list *it = f->watches.next; it != &f->watches; it = it->next)
        n += !list_empty(&container_of(it, struct fake_watch, link)->events);
    if (!n) {
        uv_idle_stop(&f->idle);
        return;
    }
    unsigned pick = fake_rand(f, n);
    LIST_EACH(it, &f->tasks) {
        if (pick-- == 0) {
            fake_work_task(f, container_of(it, struct fake_task, link));
            return;
        }
    }
    LIST_EACH(it, &f->watches) {
        struct fake_watch *w = container_of(it, struct fake_watch, link);
        if (!list_empty(&w->events) && pick-- == 0) {
            fake_work_watch(w);
            return;
        }
    }
}

/* --- client_ops --- */

static inline void fake_request(struct client *c, const char *method, const char *path, const char *content_type,
                                const json_t *body, client_done_fn *done, void *arg)
{
    struct fake *f = container_of(c, struct fake, client);
    struct fake_task *t = NEW(struct fake_task);
    t->method = xstrdup(method);
    t->path = xstrdup(path);
    t->content_type = xstrdup(content_type ? content_type : "");
    t->body = json_deep_copy(body);
    t->done = done;
    t->arg = arg;
    list_append(&f->tasks, &t->link);
    fake_wake(f);
}
static inline void fake_list(struct client *c, const struct kind *k, const char *path, client_list_fn *done, void *arg)
{
    struct fake *f = container_of(c, struct fake, client);
    struct fake_task *t = NEW(struct fake_task);
    t->path = xstrdup(path);
    t->list_kind = k;
    t->list_done = done;
    t->arg = arg;
    list_append(&f->tasks, &t->link);
    fake_wake(f);
}
static inline struct client_watch *fake_watch(struct client *c, const struct kind *k, const char *path,
                                              const struct client_watch_handler *h, void *arg)
{
    struct fake *f = container_of(c, struct fake, client);
    struct fake_watch *w = NEW(struct fake_watch);
    const char *at = strstr(path, "resourceVersion=");
    *w = (struct fake_watch){.fake = f, .kind = k, .handler = h, .arg = arg};
    list_init(&w->events);
    list_append(&f->watches, &w->link);
    if (at && strtoull(at + strlen("resourceVersion="), NULL, 10) < f->rv) { /* nothing is remembered: list again */
        struct fake_watch_event *e = NEW(struct fake_watch_event);
        e->end_code = 410;
        list_append(&w->events, &e->link);
        w->stopped = true;
    }
    fake_wake(f);
    return (struct client_watch *)w;
}
static inline void fake_watch_stop(struct client_watch *cw)
{
    struct fake_watch *w = (struct fake_watch *)cw;
    list_remove(&w->link);
    LIST_EACH(it, &w->events) {
        struct fake_watch_event *e = container_of(it, struct fake_watch_event, link);
        object_unref(e->obj);
        free(e);
    }
    free(w);
}
/* Ends every watch with `code`, after what it still has to deliver. */
static inline void fake_end_watches(struct fake *f, int code)
{
    LIST_EACH(it, &f->watches) {
        struct fake_watch *w = container_of(it, struct fake_watch, link);
        struct fake_watch_event *e = NEW(struct fake_watch_event);
        e->end_code = code;
        list_append(&w->events, &e->link);
        w->stopped = true;
    }
    fake_wake(f);
}
static inline void fake_closed(uv_handle_t *h)
{
    free(h->data);
}
static inline void fake_free(struct client *c)
{
    struct fake *f = container_of(c, struct fake, client);
    LIST_EACH(it, &f->tasks) {
        struct fake_task *t = container_of(it, struct fake_task, link);
        if (t->list_done)
            t->list_done(t->arg, 0, NULL, 0, 0);
        else
            t->done(t->arg, 0, NULL);
        fake_task_free(t);
    }
    for (struct map_entry *e = NULL; (e = map_next(&f->objects, e));)
        object_unref(e->value);
    map_done(&f->objects);
    uv_close((uv_handle_t *)&f->idle, fake_closed);
}
static inline struct fake *fake_new(uv_loop_t *loop, unsigned seed)
{
    static const struct client_ops ops = {fake_request, fake_list, fake_watch, fake_watch_stop, fake_free};
    struct fake *f = NEW(struct fake);
    f->client = (struct client){&ops, loop};
    f->seed = seed;
    list_init(&f->tasks);
    list_init(&f->watches);
    uv_idle_init(loop, &f->idle);
    f->idle.data = f;
    return f;
}
