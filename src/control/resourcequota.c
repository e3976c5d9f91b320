/* status.used of ResourceQuotas: counted anew from what is there whenever something in the namespace changes, so that
 * it can never drift (upstream: pkg/controller/resourcequota). Refusing is the business of admission, which does not
 * look at the status. */
#include "base/alloc.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/podresources.h"
#include "kinds/quota.h"

/* Events are many, and a quota on them would only lose them. */
static bool is_counted(const struct kind *k)
{
    return k->namespaced && !k->stored && !k->is_review && k != &kind_event && k->verbs & V_WATCH;
}

struct quotas {
    struct informer *quotas;
    const struct kind **kinds; /* that are counted; those of definitions join when they come */
    size_t n_kinds;
};

static void enqueue_quotas(struct controller *c, const char *ns)
{
    struct quotas *q = controller_state(c);
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(q->quotas, ns, &cursor));)
        controller_enqueue(c, o->ns, o->name);
}

static void on_change(void *arg, struct object *old, struct object *obj)
{
    enqueue_quotas(arg, (obj ? obj : old)->ns);
}

/* --- counting --- */

/* One resource of spec.hard. */
struct sum {
    const char *resource;
    struct quantity used;
};

static void count_object(struct sum *sums, size_t n, const json_t *quota, const struct object *o)
{
    _cleanup_json_ json_t *doc = quota_reads(o->kind) ? object_json(o) : NULL;
    if (!quota_covers(quota, o->kind, doc))
        return;
    for (size_t i = 0; i < n; i++) {
        struct quantity q = quota_usage(sums[i].resource, o->kind, doc);
        quantity_add(&sums[i].used, &q);
    }
}

static void count_kind(struct controller *c, const struct kind *k, struct sum *sums, size_t n, const json_t *quota,
                       const char *ns)
{
    void *cursor = NULL;
    for (size_t i = 0; i < n; i++)
        if (quota_counts(sums[i].resource, k)) {
            for (struct object *o; (o = informer_next(controller_informer(c, k), ns, &cursor));)
                count_object(sums, n, quota, o);
            return;
        }
}

static json_t *count(struct controller *c, const json_t *quota, const char *ns)
{
    struct quotas *q = controller_state(c);
    json_t *hard = jget(quota, "spec.hard"), *used = json_object(), *limit;
    struct sum *sums = xcalloc(json_object_size(hard) + 1, sizeof(struct sum));
    size_t n = 0;
    const char *resource;
    char text[QUANTITY_TEXT_SIZE];
    json_object_foreach(hard, resource, limit)
        sums[n++].resource = resource;
    for (size_t i = 0; i < q->n_kinds; i++)
        count_kind(c, q->kinds[i], sums, n, quota, ns);
    for (size_t i = 0; i < n; i++)
        json_object_set_new(used, sums[i].resource, json_string(quantity_format_text(&sums[i].used, text)));
    free(sums);
    return used;
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct quotas *q = controller_state(c);
    struct object *o = informer_get(q->quotas, ns, name);
    if (!o)
        return;
    _cleanup_json_ json_t *quota = object_json(o);
    json_t *hard = jget(quota, "spec.hard");
    _cleanup_json_ json_t *status =
        json_pack("{s:o, s:o}", "hard", hard ? json_incref(hard) : json_object(), "used", count(c, quota, ns));
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
        if (*k != &kind_resourcequota)
            informer_on_change(controller_informer(c, *k), on_change, c);
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
    free(q->kinds);
    free(q);
}

static void map_quota(struct controller *c, struct object *quota)
{
    enqueue_quotas(c, quota->ns); /* quotas may count themselves */
    controller_enqueue(c, quota->ns, quota->name);
}

static void map_definition(struct controller *c, struct object *definition)
{
    (void)definition;
    follow(c, controller_state(c));
}

static const struct controller_watch watches[] = {
    {&kind_resourcequota, map_quota}, {&kind_customresourcedefinition, map_definition}, {NULL, NULL}};

const struct controller_def resourcequota_controller = {
    .name = "resourcequota-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
};
