/* The ConfigMaps, Secrets, tokens and claims that a pod names: read before they are used, and again when those that
 * volumes show have changed, or after a while for what nobody tells of (tokens grow old). */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/pod.h"
#include "node/volumes.h"

#define REFRESH_MS 60000 /* as kubelet's sync does */
#define LONG_AGO_MS (INT64_MIN / 2)

void pod_ref_came(struct pod *p)
{
    if (--p->refs_missing > 0)
        return;
    p->refs_state = REFS_KNOWN;
    p->refs_read_ms = p->refs_again ? LONG_AGO_MS : clock_mono_ms();
    p->refs_again = false;
    pod_kick(p);
}

struct ref_request {
    struct pod *pod;
    char *key; /* as in env.h */
};

static void on_ref(void *arg, int code, const json_t *body)
{
    struct ref_request *r = arg;
    struct pod *p = r->pod;
    if (code == 200) { /* an answer keeps its kind: lists and caches may drop it */
        json_t *copy = json_deep_copy(body);
        json_object_set_new(copy, "kind", json_string(str_after(r->key, "secret/") ? "Secret" : "ConfigMap"));
        json_object_set_new(p->refs, r->key, copy);
    } else if (code == 404) {
        json_object_del(p->refs, r->key);
    }
    pod_ref_came(p);
    free(r->key);
    free(r);
    pod_unref(p);
}

static void request_ref(void *arg, const char *kind, const char *name)
{
    struct pod *p = arg;
    struct ref_request *r = NEW(struct ref_request);
    *r = (struct ref_request){pod_ref(p), xasprintf("%s/%s", kind, name)};
    p->refs_missing++;
    client_get(p->agent->client, streq(kind, "secret") ? &kind_secret : &kind_configmap, p->ns, name, on_ref, r);
}

void pod_forget_refs(struct pod *p)
{
    if (p->refs_state == REFS_KNOWN)
        p->refs_state = REFS_UNKNOWN;
}

bool pod_has_refs(struct pod *p, const json_t *doc)
{
    if (p->refs_state == REFS_UNKNOWN) {
        refs_each(doc, request_ref, p);
        pod_request_tokens(p, doc);
        pod_request_claims(p, doc);
        p->refs_state = p->refs_missing > 0 ? REFS_ASKED : REFS_KNOWN;
    }
    return p->refs_state == REFS_KNOWN;
}

/* --- following them --- */

static void watch_ref(void *arg, const char *kind, const char *name)
{
    struct pod *p = arg;
    refwatch_hold(p->agent, kind, p->ns, name);
}

static void unwatch_ref(void *arg, const char *kind, const char *name)
{
    struct pod *p = arg;
    refwatch_release(p->agent, kind, p->ns, name);
}

static void watch_refs(struct pod *p, const json_t *doc)
{
    if (p->refs_watched)
        return;
    p->refs_watched = true;
    volume_refs_each(doc, watch_ref, p);
}

void pod_unwatch_refs(struct pod *p)
{
    if (!p->refs_watched)
        return;
    p->refs_watched = false;
    _cleanup_json_ json_t *doc = pod_json(p);
    volume_refs_each(doc, unwatch_ref, p);
}

void pod_ref_changed(struct pod *p, const char *kind, const char *name, const struct object *obj)
{
    const json_t *known = refs_get(p->refs, kind, name);
    int64_t rv;
    bool same = known && obj && str_to_i64(jstr_or(known, "metadata.resourceVersion", ""), 0, INT64_MAX, &rv) &&
                (uint64_t)rv == obj->rv;
    if (!p->refs_watched || same || (!known && !obj))
        return;
    p->refs_read_ms = LONG_AGO_MS;
    p->refs_again = p->refs_state == REFS_ASKED; /* what is on its way may be older */
    pod_kick(p);
}

void pod_follow_refs(struct pod *p, const json_t *doc)
{
    int64_t age = clock_mono_ms() - p->refs_read_ms;
    if (p->sandbox != SANDBOX_READY || p->stopping || !volumes_follow(doc))
        return;
    watch_refs(p, doc);
    if (p->refs_state == REFS_KNOWN && age < REFRESH_MS) {
        pod_kick_after(p, REFRESH_MS - age);
        return;
    }
    pod_forget_refs(p);
    p->volumes_stale = true;
    (void)pod_has_refs(p, doc);
}
