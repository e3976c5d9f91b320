/* Signs what a machine that joins reads first, once for each bootstrap token: who holds one can tell the cluster's CA
 * from somebody else's (upstream: pkg/controller/bootstrap/bootstrapsigner.go). */
#include "base/str.h"
#include "cert/jws.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/bootstraptoken.h"
#include "kinds/kind.h"

#define NS "kube-public"
#define NAME "cluster-info"
#define SIGNED "kubeconfig" /* the member that is signed */
#define SIGNATURE "jws-kubeconfig-"

static void drop_signatures(json_t *data)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(data, next, key, value) if (str_after(key, SIGNATURE)) json_object_del(data, key);
}

static void sign(struct controller *c, json_t *data, struct object *o, const char *text)
{
    _cleanup_json_ json_t *secret = object_json(o);
    struct bootstrap_token t;
    if (bootstrap_token_read(&t, secret) && t.for_signing && !bootstrap_token_expired(&t, controller_now_usec(c))) {
        _cleanup_free_ char *key = xasprintf(SIGNATURE "%s", t.id), *jws = jws_sign(text, t.id, t.secret);
        json_object_set_new(data, key, json_string(jws));
    }
    bootstrap_token_done(&t);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct object *o = informer_get(controller_informer(c, &kind_configmap), ns, name);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL, *wanted = json_deep_copy(doc);
    json_t *data = jget(wanted, "data");
    const char *text = json_string_value(json_object_get(data, SIGNED));
    void *cursor = NULL;
    if (!text || is_deleting(doc))
        return;
    drop_signatures(data);
    struct informer *secrets = controller_informer(c, &kind_secret);
    for (struct object *s; (s = informer_next(secrets, BOOTSTRAP_TOKEN_NS, &cursor));)
        if (str_after(s->name, BOOTSTRAP_TOKEN_PREFIX))
            sign(c, data, s, text);
    patch_difference(c, &kind_configmap, doc, wanted, NULL, false);
}

static void map_secret(struct controller *c, struct object *o)
{
    if (streq(o->ns, BOOTSTRAP_TOKEN_NS) && str_after(o->name, BOOTSTRAP_TOKEN_PREFIX))
        controller_enqueue(c, NS, NAME);
}

static void map_config(struct controller *c, struct object *o)
{
    if (streq(o->ns, NS) && streq(o->name, NAME))
        controller_enqueue(c, NS, NAME);
}

static const struct controller_watch watches[] = {
    {&kind_configmap, map_config}, {&kind_secret, map_secret}, {NULL, NULL}};

const struct controller_def bootstrapsigner_controller = {
    .name = "bootstrap-signer-controller",
    .watches = watches,
    .reconcile = reconcile,
};
