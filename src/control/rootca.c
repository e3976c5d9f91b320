/* Every namespace has a ConfigMap kube-root-ca.crt: by it pods know the API server. server/bootstrap.c publishes the CA
 * in kube-system; here it is handed on. */
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

#define NAME "kube-root-ca.crt"
#define SOURCE_NS "kube-system"
#define SOURCE_NAME "extension-apiserver-authentication"

static json_t *published_ca(struct controller *c)
{
    struct object *o = informer_get(controller_informer(c, &kind_configmap), SOURCE_NS, SOURCE_NAME);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    const json_t *pem = json_object_get(jget(doc, "data"), "client-ca-file");
    return pem ? json_pack("{s:O}", "ca.crt", pem) : NULL;
}

static json_t *new_map(const char *ns, json_t *data)
{
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:O}", "apiVersion", "v1", "kind", "ConfigMap", "metadata",
                     "name", NAME, "namespace", ns, "annotations", "kubernetes.io/description",
                     "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints "
                     "such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across "
                     "distributions of Kubernetes clusters.",
                     "data", data);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    (void)ns;
    struct object *space = informer_get(controller_informer(c, &kind_namespace), "", name);
    struct object *o = informer_get(controller_informer(c, &kind_configmap), name, NAME);
    _cleanup_json_ json_t *space_doc = space ? object_json(space) : NULL, *data = published_ca(c);
    if (!space_doc || is_deleting(space_doc) || !data)
        return;
    if (!o) {
        _cleanup_json_ json_t *map = new_map(name, data);
        controller_create(c, &kind_configmap, name, map);
        return;
    }
    _cleanup_json_ json_t *doc = object_json(o), *wanted = json_deep_copy(doc);
    json_object_set(wanted, "data", data);
    patch_difference(c, &kind_configmap, doc, wanted, NULL, false);
}

static void map_config(struct controller *c, struct object *o)
{
    if (streq(o->name, NAME))
        controller_enqueue(c, "", o->ns);
    if (!streq(o->name, SOURCE_NAME) || !streq(o->ns, SOURCE_NS))
        return;
    void *cursor = NULL;
    struct informer *namespaces = controller_informer(c, &kind_namespace);
    for (struct object *space; (space = informer_next(namespaces, NULL, &cursor));)
        controller_enqueue(c, "", space->name);
}

static const struct controller_watch watches[] = {{&kind_namespace, NULL}, {&kind_configmap, map_config}, {NULL, NULL}};

const struct controller_def rootca_controller = {
    .name = "root-ca-certificate-publisher-controller",
    .watches = watches,
    .reconcile = reconcile,
};
