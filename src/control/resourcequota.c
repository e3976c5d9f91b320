/* status.used of ResourceQuotas: counted when a quota is first seen or says something new, then kept by what changes
 * (upstream: pkg/controller/resourcequota). Refusing is the business of admission, which does not
 * look at the status. */
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/quotasum.h"

/* Events are many, and a quota on them would only lose them. */
static bool is_counted(const struct kind *k)
{
    return k->namespaced && !k->stored && !k->is_review && k != &kind_event && k->verbs & V_WATCH;
}

struct quotas {
    struct informer *quotas;
    const struct kind **kinds; /* that are counted; those of definitions join when they come */
    size_t n_kinds;
    struct map sums; /* "ns/name" of a quota -> struct quota_sums */
};

static void on_change(void *arg, struct object *old, struct object *obj)
{
    struct controller *c = arg;
    struct quotas *q = controller_state(c);
    const char *ns = (obj ? obj : old)->ns;
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(q->quotas, ns, &cursor));) {
        _cleanup_free_ char *key = object_key(o);
        struct quota_sums *sums = map_get(&q->sums, key);
        if (sums) {
            quota_sums_subtract(sums, old);
            quota_sums_add(sums, obj);
        }
        controller_enqueue(c, o->ns, o->name);
    }
}

/* --- counting --- */

static void count_kind(struct controller *c, const struct kind *k, struct quota_sums *sums, const char *ns)
{
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(controller_informer(c, k), ns, &cursor));)
        quota_sums_add(sums, o);
}

/* From then on kept by on_change. */
static struct quota_sums *counted(struct controller *c, const json_t *quota, const char *ns, const char *name)
{
    struct quotas *q = controller_state(c);
    _cleanup_free_ char *key = make_object_key(ns, name);
    struct quota_sums *sums = map_get(&q->sums, key);
    if (sums && quota_sums_fit(sums, quota))
        return sums;
    sums = quota_sums_new(quota, NULL);
    for (size_t i = 0; i < q->n_kinds; i++)
        count_kind(c, q->kinds[i], sums, ns);
    quota_sums_free(map_put(&q->sums, key, sums));
    return sums;
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct quotas *q = controller_state(c);
    struct object *o = informer_get(q->quotas, ns, name);
    if (!o) {
        _cleanup_free_ char *key = make_object_key(ns, name);
        quota_sums_free(map_del(&q->sums, key));
        return;
    }
    _cleanup_json_ json_t *quota = object_json(o);
    json_t *hard = jget(quota, "spec.hard");
    _cleanup_json_ json_t *status = json_pack("{s:o, s:o}", "hard", hard ? json_incref(hard) : json_object(), "used",
                                              quota_sums_used(counted(c, quota, ns, name)));
    patch_status(c, &kind_resourcequota, quota, status);
}

static bool is_followed(const struct quotas *q, const struct kind *k)
{
    for (size_t i = 0; i < q->n_kinds; i++)
        if (q->kinds[i] == k)
            return true;
    return false;
}

/* Kinds that definitions have made are counted from then on, also while they are gone: their struct stays. */
static void follow(struct controller *c, struct quotas *q)
{
    for (const struct kind *const *k = all_kinds; *k; k++) {
        if (!is_counted(*k) || is_followed(q, *k))
            continue;
        q->kinds = xrealloc(q->kinds, (q->n_kinds + 1) * sizeof(struct kind *));
        q->kinds[q->n_kinds++] = *k;
        informer_on_change(controller_informer(c, *k), on_change, c); /* quotas may count themselves */
    }
}

static void *start(struct controller *c)
{
    struct quotas *q = NEW(struct quotas);
    q->quotas = controller_informer(c, &kind_resourcequota);
    follow(c, q);
    return q;
}

static void stop(void *state)
{
    struct quotas *q = state;
    map_done_with(&q->sums, quota_sums_free);
    free(q->kinds);
    free(q);
}

static void map_definition(struct controller *c, struct object *definition)
{
    (void)definition;
    follow(c, controller_state(c));
}

static const struct controller_watch watches[] = {
    {&kind_resourcequota, NULL}, {&kind_customresourcedefinition, map_definition}, {NULL, NULL}};

const struct controller_def resourcequota_controller = {
    .name = "resourcequota-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
};
