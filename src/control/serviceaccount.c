/* Every namespace has a ServiceAccount named default. */
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    (void)ns;
    struct object *o = informer_get(controller_informer(c, &kind_namespace), "", name);
    if (!o || informer_get(controller_informer(c, &kind_serviceaccount), name, "default"))
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    if (is_deleting(doc))
        return;
    _cleanup_json_ json_t *account = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "ServiceAccount",
                                               "metadata", "name", "default", "namespace", name);
    controller_create(c, &kind_serviceaccount, name, account);
}

static void map_account(struct controller *c, struct object *account)
{
    if (streq(account->name, "default"))
        controller_enqueue(c, "", account->ns);
}

static const struct controller_watch watches[] = {
    {&kind_namespace, NULL}, {&kind_serviceaccount, map_account}, {NULL, NULL}};

const struct controller_def serviceaccount_controller = {
    .name = "service-account-controller",
    .watches = watches,
    .reconcile = reconcile,
};
