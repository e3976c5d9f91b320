/* See secrets.h. */
#define LOG_AREA "ingress"
#include "ingress/secrets.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "ingress/plan.h"
#include "json/json.h"
#include "kinds/kind.h"

/* On machines that joined each is a connection to the server and one of its 10,000 watches (watch_http.h), which
 * whoever may write Ingresses must not use up: with forty machines they would. */
#define SECRETS_MAX 256

struct followed {
    struct informer *informer;
    unsigned round; /* the last in which it was named */
};

struct secrets {
    struct client *client;
    struct map all; /* "ns/name" → struct followed */
    unsigned round;
    bool complained;
    void (*changed)(void *arg);
    void *arg;
};

struct secrets *secrets_new(struct client *c, void (*changed)(void *arg), void *arg)
{
    struct secrets *s = NEW(struct secrets);
    *s = (struct secrets){.client = c, .changed = changed, .arg = arg};
    return s;
}

static void followed_free(void *p)
{
    struct followed *f = p;
    informer_free(f->informer);
    free(f);
}

void secrets_free(struct secrets *s)
{
    if (!s)
        return;
    map_done_with(&s->all, followed_free);
    free(s);
}

static void on_change(void *arg, struct object *old, struct object *obj)
{
    const struct secrets *s = arg;
    (void)old, (void)obj;
    s->changed(s->arg);
}

static void on_synced(void *arg)
{
    const struct secrets *s = arg;
    s->changed(s->arg);
}

static struct followed *follow(struct secrets *s, const char *ns, const char *name)
{
    struct followed *f = NEW(struct followed);
    _cleanup_free_ char *selector =
        xasprintf("fieldSelector=metadata.name%%3D%s%%2Ctype%%3Dkubernetes.io%%2Ftls", name);
    f->informer = informer_new_in(s->client, &kind_secret, ns, selector);
    informer_on_change(f->informer, on_change, s);
    informer_on_synced(f->informer, on_synced, s);
    informer_start(f->informer);
    return f;
}

static bool has_room(struct secrets *s)
{
    if (s->all.len < SECRETS_MAX)
        return true;
    if (!s->complained)
        log_warn("Ingresses name more than %d certificates: the others are not shown", SECRETS_MAX);
    s->complained = true;
    return false;
}

/* False: not known yet. */
static bool want(struct secrets *s, const char *ns, const char *name)
{
    _cleanup_free_ char *key = make_object_key(ns, name);
    struct followed *f = map_get(&s->all, key);
    if (!ingress_is_name(name) || (!f && !has_room(s)))
        return true;
    if (!f)
        map_put(&s->all, key, f = follow(s, ns, name));
    f->round = s->round;
    return informer_synced(f->informer);
}

static void drop_unwanted(struct secrets *s)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->all, e));) {
        const struct followed *f = e->value;
        if (f->round != s->round)
            followed_free(map_del(&s->all, e->key));
    }
}

bool secrets_follow(struct secrets *s, const json_t *const *ingresses, size_t n)
{
    bool known = true;
    size_t t;
    json_t *tls;
    s->round++;
    for (size_t i = 0; i < n; i++)
        json_array_foreach(jget(ingresses[i], "spec.tls"), t, tls)
            known &= want(s, jstr_or(ingresses[i], "metadata.namespace", ""), jstr_or(tls, "secretName", ""));
    drop_unwanted(s);
    return known;
}

struct object *secrets_get(const struct secrets *s, const char *ns, const char *name)
{
    _cleanup_free_ char *key = make_object_key(ns, name);
    const struct followed *f = map_get(&s->all, key);
    return f ? informer_get(f->informer, ns, name) : NULL;
}
