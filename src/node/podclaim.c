/* Other objects that a pod depends on, asked for beside its ConfigMaps and Secrets: the claims that its volumes name,
 * the volumes bound to them, its RuntimeClass. */
#include "base/str.h"
#include "client/client.h"
#include "kinds/binding.h"
#include "kinds/kind.h"
#include "node/agent_impl.h"
#include "node/claim.h"
#include "node/pod.h"

struct claim_call {
    struct pod *pod;
    char *key;
};

static void request(struct pod *p, const struct kind *k, const char *ns, const char *name);

static void on_answer(void *arg, int code, const json_t *body)
{
    struct claim_call *call = arg;
    struct pod *p = call->pod;
    const char *volume = code == 200 ? jstr(body, "spec.volumeName") : NULL;
    if (code == 200)
        json_object_set_new(p->refs, call->key, json_deep_copy(body));
    else if (code == 404)
        json_object_del(p->refs, call->key);
    if (volume && claim_is_bound(body) && !p->dead)
        request(p, &kind_persistentvolume, NULL, volume);
    pod_ref_came(p);
    pod_unref(p);
    free(call->key);
    free(call);
}

static void request(struct pod *p, const struct kind *k, const char *ns, const char *name)
{
    struct claim_call *call = NEW(struct claim_call);
    *call = (struct claim_call){pod_ref(p), xasprintf("%s/%s", k->singular, name)};
    p->refs_missing++;
    client_get(p->agent->client, k, ns, name, on_answer, call);
}

static void request_claim(void *arg, const char *name)
{
    struct pod *p = arg;
    request(p, &kind_persistentvolumeclaim, p->ns, name);
}

void pod_request_claims(struct pod *p, const json_t *doc)
{
    const char *class = jstr_or(doc, "spec.runtimeClassName", "");
    claims_each(doc, request_claim, p);
    if (*class)
        request(p, &kind_runtimeclass, NULL, class);
}
