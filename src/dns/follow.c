/* See follow.h. */
#include "dns/follow.h"

#define LOG_AREA "dns"
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "client/events.h"
#include "client/informer.h"
#include "client/recall.h"
#include "kinds/kind.h"

#define NS "kube-system"

/* The ConfigMaps, each with what it says that can be read. */
struct followed {
    const char *name, *key; /* key: the only one that counts; NULL: all do */
    struct dns_follow *follow;
    struct informer *informer;
    struct recall *recall; /* NULL: nothing is kept */
    json_t *data;          /* NULL: nothing */
};

struct dns_follow {
    struct followed maps[3]; /* later ones go before earlier ones */
    struct events *events;
    dns_apply_fn *apply;
    void *arg;
};

/* New reference; NULL: it says nothing. */
static json_t *what_counts(const struct followed *m, const json_t *doc)
{
    json_t *data = jget(doc, "data"), *value = m->key ? json_object_get(data, m->key) : NULL;
    return m->key ? (value ? json_pack("{s:O}", m->key, value) : NULL) : json_incref(data);
}

static void apply_all(struct dns_follow *f)
{
    struct err err;
    _cleanup_json_ json_t *all = json_object();
    for (size_t i = 0; i < ARRAY_LEN(f->maps); i++)
        if (f->maps[i].data)
            json_object_update(all, f->maps[i].data);
    struct settings *s = settings_new(all, &err);
    if (s)
        f->apply(f->arg, s);
    settings_unref(s);
}

static void on_change(void *arg, struct object *old, struct object *obj)
{
    struct followed *m = arg;
    struct err err;
    _cleanup_json_ json_t *doc = obj ? object_json(obj) : NULL, *data = what_counts(m, doc);
    (void)old;
    struct settings *alone = settings_new(data, &err);
    if (!alone) {
        log_warn("ConfigMap " NS "/%s: %s; DNS stays as it was", m->name, err.msg);
        events_send(m->follow->events, doc, NULL, "Warning", "InvalidConfiguration", "DNS stays as it was: %s",
                    err.msg);
        return;
    }
    settings_unref(alone);
    json_decref(m->data);
    m->data = TAKE(data);
    apply_all(m->follow);
    log_info("DNS configured %s ConfigMap " NS "/%s", obj ? "by" : "without", m->name);
}

static void follow(struct dns_follow *f, struct followed *m, struct client *c, const char *memory)
{
    m->follow = f;
    _cleanup_free_ char *only = xasprintf("fieldSelector=metadata.namespace%%3D" NS "%%2Cmetadata.name%%3D%s", m->name);
    m->informer = informer_new(c, &kind_configmap, only);
    informer_on_change(m->informer, on_change, m);
    m->recall = memory ? recall_new(m->informer, memory, m->name) : NULL;
    informer_start(m->informer);
}

struct dns_follow *dns_follow_new(struct client *c, const char *memory, dns_apply_fn *apply, void *arg)
{
    struct dns_follow *f = NEW(struct dns_follow);
    *f = (struct dns_follow){.events = events_new(c, "c8s-dns", NULL), .apply = apply, .arg = arg};
    f->maps[0] = (struct followed){.name = "coredns", .key = "Corefile"};
    f->maps[1] = (struct followed){.name = "kube-dns"};
    f->maps[2] = (struct followed){.name = "c8s-dns"};
    for (size_t i = 0; i < ARRAY_LEN(f->maps); i++)
        follow(f, &f->maps[i], c, memory);
    return f;
}

void dns_follow_free(struct dns_follow *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < ARRAY_LEN(f->maps); i++) {
        recall_free(f->maps[i].recall);
        informer_free(f->maps[i].informer);
        json_decref(f->maps[i].data);
    }
    events_free(f->events);
    free(f);
}
