/* No more than the ResourceQuotas of a namespace allow (upstream: admission plug-in ResourceQuota). What is used is
 * counted in the same step of the loop in which the write is decided, writes on their way included, so that concurrent
 * requests cannot pass together what only one may; the status of the quota, which the controller keeps, is not looked
 * at. */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "kinds/podresources.h"
#include "kinds/quotasum.h"
#include "server/admit.h"
#include "server/quota_ledger.h"

#define TEXT_MAX 65536

/* One resource of one quota that the object would take more of. */
struct charge {
    const char *resource, *limit; /* borrowed from the quota */
    struct quantity hard, used, more;
};

struct bill {
    const struct admission *a;
    const json_t *quota;
    struct charge *charges; /* sorted by resource, as they are told */
    size_t n;
};

static struct quantity wanted(const struct bill *b, const char *resource)
{
    const struct admission *a = b->a;
    struct quantity q = quota_usage(resource, a->kind, a->doc);
    if (a->old && quota_covers(b->quota, a->kind, a->old))
        q.nano -= quota_usage(resource, a->kind, a->old).nano;
    return q;
}

static int by_resource(const void *a, const void *b)
{
    return strcmp(((const struct charge *)a)->resource, ((const struct charge *)b)->resource);
}

static void gather_charges(struct bill *b)
{
    const char *resource;
    json_t *limit;
    json_t *hard = jget(b->quota, "spec.hard");
    b->charges = xcalloc(json_object_size(hard) + 1, sizeof(struct charge));
    json_object_foreach(hard, resource, limit) {
        struct charge c = {.resource = resource, .limit = str_or(json_string_value(limit), "")};
        c.more = wanted(b, resource);
        if (c.more.nano > 0 && quantity_parse(c.limit, &c.hard))
            b->charges[b->n++] = c;
    }
    qsort(b->charges, b->n, sizeof(struct charge), by_resource);
}

/* --- what is used --- */

/* A write on its way to the disk counts as if it were there. */
static void count_pending(void *arg, const struct object *durable, const struct object *latest)
{
    struct quota_sums *pending = arg;
    quota_sums_subtract(pending, durable);
    quota_sums_add(pending, latest);
}

static void count(struct bill *b)
{
    struct server *s = b->a->server;
    const char *ns = admission_namespace(b->a);
    const struct quota_sums *durable = quota_ledger_sums(s->quotas, b->quota, b->a->kind);
    struct quota_sums *pending = quota_sums_new(b->quota, b->a->kind);
    store_each_pending(s->store, b->a->kind, ns, count_pending, pending);
    for (size_t i = 0; i < b->n; i++) {
        struct charge *c = &b->charges[i];
        const struct quantity more = quota_sums_of(pending, c->resource);
        c->used = quota_sums_of(durable, c->resource);
        quantity_add(&c->used, &more);
    }
    quota_sums_free(pending);
}

/* --- refusing --- */

static void list_amount(struct buf *b, const struct charge *c, const struct quantity *q)
{
    char text[QUANTITY_TEXT_SIZE];
    buf_addf(b, "%s%s=%s", b->len ? "," : "", c->resource, quantity_format_text(q, text));
}

static json_t *settle(const struct bill *b)
{
    struct buf more = BUF_INIT(TEXT_MAX), used = BUF_INIT(TEXT_MAX), limited = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < b->n; i++) {
        const struct charge *c = &b->charges[i];
        if (c->used.nano + c->more.nano <= c->hard.nano)
            continue;
        list_amount(&more, c, &c->more);
        list_amount(&used, c, &c->used);
        list_amount(&limited, c, &c->hard);
    }
    json_t *refusal = NULL;
    if (more.len)
        refusal = admission_forbidden(b->a, "exceeded quota: %s, requested: %s, used: %s, limited: %s",
                                      jstr_or(b->quota, "metadata.name", ""), buf_str(&more), buf_str(&used),
                                      buf_str(&limited));
    buf_done(&more);
    buf_done(&used);
    buf_done(&limited);
    return refusal;
}

static json_t *check_quota(const struct admission *a, const json_t *quota)
{
    if (!quota_covers(quota, a->kind, a->doc))
        return NULL;
    _cleanup_free_ char *unstated = a->kind == &kind_pod ? quota_unstated(quota, a->doc) : NULL;
    if (unstated)
        return admission_forbidden(a, "failed quota: %s: must specify %s", jstr_or(quota, "metadata.name", ""),
                                   unstated);
    struct bill b = {.a = a, .quota = quota};
    gather_charges(&b);
    if (b.n)
        count(&b);
    json_t *refusal = settle(&b);
    free(b.charges);
    return refusal;
}

static bool gather_quota(void *arg, struct object *o)
{
    json_array_append_new(arg, object_json(o));
    return true;
}

/* Objects that exist pay only for what can grow in them. */
static bool pays(const struct admission *a)
{
    return !a->old || (a->part == UPDATE_MAIN && a->kind != &kind_pod);
}

json_t *admit_quota(const struct admission *a)
{
    const char *ns = admission_namespace(a);
    if (!a->kind->namespaced || !pays(a) || !store_count(a->server->store, &kind_resourcequota, ns))
        return NULL;
    _cleanup_json_ json_t *quotas = json_array();
    store_each(a->server->store, &kind_resourcequota, ns, NULL, NULL, gather_quota, quotas);
    json_t *refusal = NULL, *quota;
    size_t i;
    json_array_foreach(quotas, i, quota)
        if (!refusal)
            refusal = check_quota(a, quota);
    return refusal;
}
