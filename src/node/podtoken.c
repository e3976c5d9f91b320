/* The tokens a pod's volumes want, asked for beside its ConfigMaps and Secrets. */
#include "base/clock.h"
#include "base/str.h"
#include "client/client.h"
#include "node/agent_impl.h"
#include "node/pod.h"
#include "node/token.h"

struct token_call {
    struct pod *pod;
    char *key;
};

static void on_token(void *arg, int code, const json_t *body)
{
    struct token_call *call = arg;
    token_keep(call->pod->refs, call->key, code, body, clock_wall_usec());
    pod_ref_came(call->pod);
    pod_unref(call->pod);
    free(call->key);
    free(call);
}

static void request_token(void *arg, const json_t *source)
{
    struct pod *p = arg;
    struct client *c = p->agent->client;
    _cleanup_free_ char *key = token_key(source);
    if (token_is_fresh(p->refs, key, clock_wall_usec()))
        return;
    _cleanup_json_ json_t *doc = pod_json(p), *body = token_request(doc, source);
    _cleanup_free_ char *path =
        kind_path(&kind_serviceaccount, p->ns, jstr_or(doc, "spec.serviceAccountName", "default"), "token");
    struct token_call *call = NEW(struct token_call);
    *call = (struct token_call){pod_ref(p), TAKE(key)};
    p->refs_missing++;
    c->ops->request(c, "POST", path, "application/json", body, on_token, call);
}

void pod_request_tokens(struct pod *p, const json_t *doc)
{
    tokens_each(doc, request_token, p);
}
