/* Bootstrap tokens that have expired go (upstream: pkg/controller/bootstrap/tokencleaner.go). */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

#define TOKEN_TYPE "bootstrap.kubernetes.io/token"

/* False: it stays for ever. */
static bool expires(const json_t *secret, int64_t *ret_usec)
{
    const char *coded = jstr(secret, "data.expiration");
    size_t len = 0;
    if (!streq(jstr_or(secret, "type", ""), TOKEN_TYPE) || !coded)
        return false;
    _cleanup_free_ char *bytes = base64_decode(coded, strlen(coded), &len);
    _cleanup_free_ char *text = bytes ? xstrndup(bytes, len) : NULL;
    return text && time_parse(text, ret_usec);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct object *o = informer_get(controller_informer(c, &kind_secret), ns, name);
    _cleanup_json_ json_t *secret = o ? object_json(o) : NULL;
    int64_t due, now = controller_now_usec(c);
    if (!secret || is_deleting(secret) || !expires(secret, &due))
        return;
    if (due <= now)
        delete_exactly(c, &kind_secret, ns, name, o->uid, NULL, 0);
    else
        controller_enqueue_after(c, ns, name, (due - now) / 1000 + 1);
}

static void map_secret(struct controller *c, struct object *o)
{
    if (streq(o->ns, "kube-system") && str_after(o->name, "bootstrap-token-"))
        controller_enqueue(c, o->ns, o->name);
}

static const struct controller_watch watches[] = {{&kind_secret, map_secret}, {NULL, NULL}};

const struct controller_def tokencleaner_controller = {
    .name = "token-cleaner-controller",
    .watches = watches,
    .reconcile = reconcile,
};
