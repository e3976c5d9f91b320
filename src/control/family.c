/* See family.h. */
#include "control/family.h"

#include "base/alloc.h"
#include "base/str.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/labels.h"

void family_start(struct family *f, struct controller *c, const struct kind *kind)
{
    f->kind = kind;
    f->owners = controller_informer(c, kind);
    f->pods = controller_informer(c, &kind_pod);
    f->pods_by_controller = informer_add_index(f->pods, by_controller);
    f->pod_digest = pod_states(f->pods);
}

void family_map_doc(const struct family *f, struct controller *c, const json_t *pod)
{
    const json_t *ref = controller_ref(pod);
    const char *ns = jstr_or(pod, "metadata.namespace", "");
    if (ref) {
        if (streq(jstr_or(ref, "kind", ""), f->kind->kind))
            controller_enqueue(c, ns, jstr_or(ref, "name", ""));
        return;
    }
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(f->owners, ns, &cursor));) {
        _cleanup_json_ json_t *owner = object_json(o);
        if (label_selector_matches(jget(owner, "spec.selector"), jget(pod, "metadata.labels")))
            controller_enqueue(c, o->ns, o->name);
    }
}

void family_map_pod(const struct family *f, struct controller *c, struct object *pod)
{
    _cleanup_json_ json_t *doc = object_json(pod);
    family_map_doc(f, c, doc);
}

const char *member_label(const struct member *m, const char *key)
{
    return json_string_value(json_object_get(json_object_get(m->state->facts, "labels"), key));
}

static struct member *append(struct member *list, size_t *n, struct object *pod, const struct pod_state *state)
{
    if (!(*n & (*n + 1))) /* 0, 1, 3, 7 … members: room for as many again */
        list = xrealloc(list, (2 * *n + 2) * sizeof(*list));
    list[(*n)++] = (struct member){pod, state};
    return list;
}

struct member *family_claim(const struct family *f, struct controller *c, const json_t *owner, may_take_fn *may_take,
                            size_t *ret_n)
{
    const char *ns = jstr_or(owner, "metadata.namespace", ""), *uid = jstr_or(owner, "metadata.uid", "");
    const json_t *selector = jget(owner, "spec.selector");
    struct member *list = NULL;
    void *cursor = NULL;
    *ret_n = 0;
    for (struct object *o; (o = informer_by_index(f->pods, f->pods_by_controller, uid, &cursor));) {
        const struct pod_state *p = informer_digest(f->pods, f->pod_digest, o);
        if (label_selector_matches(selector, json_object_get(p->facts, "labels"))) {
            list = append(list, ret_n, o, p);
        } else if (!is_deleting(owner)) {
            _cleanup_json_ json_t *pod = object_json(o);
            patch_owner_out(c, &kind_pod, pod, uid);
        }
    }
    if (is_deleting(owner))
        return list;
    _cleanup_free_ char *orphans = xasprintf("%s%s", ORPHANS_OF, ns);
    cursor = NULL;
    for (struct object *o; (o = informer_by_index(f->pods, f->pods_by_controller, orphans, &cursor));) {
        const struct pod_state *p = informer_digest(f->pods, f->pod_digest, o);
        if (p->deleting || !label_selector_matches(selector, json_object_get(p->facts, "labels")) ||
            (may_take && !may_take(owner, o)))
            continue;
        _cleanup_json_ json_t *pod = object_json(o), *ref = controller_ref_new(owner);
        patch_owner_in(c, &kind_pod, pod, ref);
        list = append(list, ret_n, o, p);
    }
    return list;
}

static void say(struct controller *c, const json_t *owner, bool created, const char *pod, int code, const json_t *body)
{
    bool ok = code >= 200 && code < 300;
    const char *why = jstr_or(body, "message", "no answer");
    if (ok)
        controller_event(c, owner, "Normal", created ? "SuccessfulCreate" : "SuccessfulDelete", "%s pod: %s",
                         created ? "Created" : "Deleted", pod);
    else if (created && !jfind(jget(body, "details.causes"), "reason", "NamespaceTerminating"))
        controller_event(c, owner, "Warning", "FailedCreate", "Error creating: %s", why);
    else if (!created && code != 404 && code != 409)
        controller_event(c, owner, "Warning", "FailedDelete", "Error deleting: %s", why);
}

void family_answered(const struct family *f, struct controller *c, const char *ns, const char *name,
                     const struct controller_call *call, int code, const json_t *body)
{
    bool created = streq(call->method, "POST");
    struct object *o = informer_get(f->owners, ns, name);
    if (call->kind != &kind_pod || !o || (!created && !streq(call->method, "DELETE")))
        return;
    _cleanup_json_ json_t *owner = object_json(o);
    say(c, owner, created, created ? jstr_or(body, "metadata.name", "") : str_or(call->name, ""), code, body);
}

void family_delete_pod(struct controller *c, const struct object *pod)
{
    delete_exactly(c, &kind_pod, pod->ns, pod->name, pod->uid, NULL, -1);
}

json_t *pod_from_template(const json_t *owner, const json_t *template)
{
    json_t *pod = json_pack("{s:s, s:s, s:{}}", "apiVersion", "v1", "kind", "Pod", "metadata");
    static const char *const inherited[] = {"metadata.labels", "metadata.annotations", "metadata.finalizers", "spec"};
    for (size_t i = 0; i < ARRAY_LEN(inherited); i++)
        if (jget(template, inherited[i]))
            jset(pod, inherited[i], json_deep_copy(jget(template, inherited[i])));
    jset(pod, "metadata.ownerReferences", json_pack("[o]", controller_ref_new(owner)));
    return pod;
}
