/* See follow.h. */
#include "dns/follow.h"

#define LOG_AREA "dns"
#include "base/alloc.h"
#include "base/log.h"
#include "client/events.h"
#include "client/informer.h"
#include "kinds/kind.h"

#define ONLY_OURS "fieldSelector=metadata.namespace%3Dkube-system%2Cmetadata.name%3Dc8s-dns"

struct dns_follow {
    struct informer *informer;
    struct events *events;
    dns_apply_fn *apply;
    void *arg;
};

static void on_change(void *arg, struct object *old, struct object *obj)
{
    struct dns_follow *f = arg;
    struct err err;
    _cleanup_json_ json_t *doc = obj ? object_json(obj) : NULL;
    (void)old;
    struct settings *s = settings_new(jget(doc, "data"), &err);
    if (!s) {
        log_warn("ConfigMap kube-system/c8s-dns: %s; DNS stays as it was", err.msg);
        events_send(f->events, doc, NULL, "Warning", "InvalidConfiguration", "DNS stays as it was: %s", err.msg);
        return;
    }
    f->apply(f->arg, s);
    settings_unref(s);
    log_info("DNS configured %s", obj ? "by ConfigMap kube-system/c8s-dns" : "as usual: there is no ConfigMap");
}

struct dns_follow *dns_follow_new(struct client *c, dns_apply_fn *apply, void *arg)
{
    struct dns_follow *f = NEW(struct dns_follow);
    *f = (struct dns_follow){.informer = informer_new(c, &kind_configmap, ONLY_OURS),
                             .events = events_new(c, "c8s-dns", NULL),
                             .apply = apply,
                             .arg = arg};
    informer_on_change(f->informer, on_change, f);
    informer_start(f->informer);
    return f;
}

void dns_follow_free(struct dns_follow *f)
{
    if (!f)
        return;
    informer_free(f->informer);
    events_free(f->events);
    free(f);
}
