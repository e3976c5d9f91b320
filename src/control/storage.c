/* See storage.h. */
#include "control/storage.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/binding.h"
#include "kinds/kind.h"

static void by_claim_ref(const struct object *o, informer_emit_fn *emit, void *emit_arg)
{
    _cleanup_json_ json_t *volume = object_json(o);
    const json_t *ref = jget(volume, "spec.claimRef");
    if (!ref)
        return;
    _cleanup_free_ char *key = make_object_key(jstr_or(ref, "namespace", ""), jstr_or(ref, "name", ""));
    emit(emit_arg, key);
}

/* Most pods mount no claim: those are not parsed. */
static bool may_mount_claims(const struct object *pod)
{
    static const char *const members[] = {"\"persistentVolumeClaim\"", "\"ephemeral\""};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (memmem(pod->bytes, pod->len, members[i], strlen(members[i])))
            return true;
    return false;
}

static void each_claim(const struct object *o, void (*visit)(void *arg, const char *ns, const char *claim), void *arg)
{
    if (!may_mount_claims(o))
        return;
    _cleanup_json_ json_t *pod = object_json(o);
    const json_t *volumes = jget(pod, "spec.volumes");
    for (size_t i = 0; i < json_array_size(volumes); i++) {
        _cleanup_free_ char *claim = volume_claim_name(o->name, json_array_get(volumes, i));
        if (claim)
            visit(arg, o->ns, claim);
    }
}

struct emitter {
    informer_emit_fn *emit;
    void *arg;
};

static void emit_claim(void *arg, const char *ns, const char *claim)
{
    const struct emitter *e = arg;
    _cleanup_free_ char *key = make_object_key(ns, claim);
    e->emit(e->arg, key);
}

static void by_mounted_claim(const struct object *o, informer_emit_fn *emit, void *emit_arg)
{
    struct emitter e = {emit, emit_arg};
    each_claim(o, emit_claim, &e);
}

void storage_start(struct storage *s, struct controller *c)
{
    s->claims = controller_informer(c, &kind_persistentvolumeclaim);
    s->volumes = controller_informer(c, &kind_persistentvolume);
    s->classes = controller_informer(c, &kind_storageclass);
    s->pods = controller_informer(c, &kind_pod);
    s->volumes_by_claim = informer_add_index(s->volumes, by_claim_ref);
    s->pods_by_claim = informer_add_index(s->pods, by_mounted_claim);
}

json_t *storage_get(struct informer *i, const char *ns, const char *name)
{
    struct object *o = informer_get(i, ns, name);
    return o ? object_json(o) : NULL;
}

json_t *storage_class(const struct storage *s, const json_t *claim)
{
    return storage_get(s->classes, "", storage_class_of(claim));
}

json_t *storage_claim_of(const struct storage *s, const json_t *volume)
{
    const json_t *ref = jget(volume, "spec.claimRef");
    json_t *claim = storage_get(s->claims, jstr_or(ref, "namespace", ""), jstr_or(ref, "name", ""));
    if (claim && volume_is_claimed_by(volume, claim))
        return claim;
    json_decref(claim);
    return NULL;
}

json_t *storage_pod_of(const struct storage *s, const json_t *claim, bool (*accepts)(const json_t *pod))
{
    void *cursor = NULL;
    _cleanup_free_ char *key =
        make_object_key(jstr_or(claim, "metadata.namespace", ""), jstr_or(claim, "metadata.name", ""));
    for (struct object *o; (o = informer_by_index(s->pods, s->pods_by_claim, key, &cursor));) {
        json_t *pod = object_json(o);
        if (accepts(pod))
            return pod;
        json_decref(pod);
    }
    return NULL;
}

void storage_enqueue_claim_of(struct controller *c, struct object *volume)
{
    _cleanup_json_ json_t *doc = object_json(volume);
    const json_t *ref = jget(doc, "spec.claimRef");
    if (ref)
        controller_enqueue(c, jstr_or(ref, "namespace", ""), jstr_or(ref, "name", ""));
}

static void enqueue(void *arg, const char *ns, const char *claim)
{
    controller_enqueue(arg, ns, claim);
}

void storage_enqueue_claims_of(struct controller *c, struct object *pod)
{
    each_claim(pod, enqueue, c);
}
