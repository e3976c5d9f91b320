/* Bootstrap tokens that have expired go (upstream: pkg/controller/bootstrap/tokencleaner.go). */
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/bootstraptoken.h"
#include "kinds/kind.h"

static void clean(struct controller *c, const struct object *o, const json_t *secret)
{
    struct bootstrap_token t;
    int64_t now = controller_now_usec(c);
    (void)bootstrap_token_read(&t, secret); /* it may be damaged, but it says when it ends */
    if (bootstrap_token_expired(&t, now))
        delete_exactly(c, &kind_secret, o->ns, o->name, o->uid, NULL, 0);
    else if (t.expires)
        controller_enqueue_after(c, o->ns, o->name, (t.end_usec - now) / 1000 + 1);
    bootstrap_token_done(&t);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct object *o = informer_get(controller_informer(c, &kind_secret), ns, name);
    _cleanup_json_ json_t *secret = o ? object_json(o) : NULL;
    if (secret && !is_deleting(secret) && streq(jstr_or(secret, "type", ""), BOOTSTRAP_TOKEN_TYPE))
        clean(c, o, secret);
}

static void map_secret(struct controller *c, struct object *o)
{
    if (streq(o->ns, BOOTSTRAP_TOKEN_NS) && str_after(o->name, BOOTSTRAP_TOKEN_PREFIX))
        controller_enqueue(c, o->ns, o->name);
}

static const struct controller_watch watches[] = {{&kind_secret, map_secret}, {NULL, NULL}};

const struct controller_def tokencleaner_controller = {
    .name = "token-cleaner-controller",
    .watches = watches,
    .reconcile = reconcile,
};
