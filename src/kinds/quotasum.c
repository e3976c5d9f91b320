/* See quotasum.h. */
#include "kinds/quotasum.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/podresources.h"

struct sum {
    const char *resource; /* the quota's */
    struct quantity used;
};

struct quota_sums {
    json_t *quota;
    struct sum *sums;
    size_t n;
};

struct quota_sums *quota_sums_new(const json_t *quota, const struct kind *k)
{
    const char *resource;
    json_t *limit, *hard = jget(quota, "spec.hard");
    struct quota_sums *s = NEW(struct quota_sums);
    s->quota = json_incref((json_t *)quota);
    s->sums = xcalloc(json_object_size(hard) + 1, sizeof(struct sum));
    json_object_foreach(hard, resource, limit)
        if (!k || quota_counts(resource, k))
            s->sums[s->n++].resource = resource;
    return s;
}

void quota_sums_free(void *sums)
{
    struct quota_sums *s = sums;
    if (!s)
        return;
    json_decref(s->quota);
    free(s->sums);
    free(s);
}

bool quota_sums_fit(const struct quota_sums *s, const json_t *quota)
{
    return json_equal(jget(s->quota, "spec"), jget(quota, "spec"));
}

static bool counts(const struct quota_sums *s, const struct kind *k)
{
    for (size_t i = 0; i < s->n; i++)
        if (quota_counts(s->sums[i].resource, k))
            return true;
    return false;
}

static void change(struct quota_sums *s, const struct object *o, int sign)
{
    if (!o || !counts(s, o->kind))
        return;
    _cleanup_json_ json_t *doc = quota_reads(o->kind) ? object_json(o) : NULL;
    if (!quota_covers(s->quota, o->kind, doc))
        return;
    for (size_t i = 0; i < s->n; i++) {
        struct quantity q = quota_usage(s->sums[i].resource, o->kind, doc);
        q.nano *= sign;
        quantity_add(&s->sums[i].used, &q);
    }
}

void quota_sums_add(struct quota_sums *s, const struct object *o)
{
    change(s, o, 1);
}

void quota_sums_subtract(struct quota_sums *s, const struct object *o)
{
    change(s, o, -1);
}

struct quantity quota_sums_of(const struct quota_sums *s, const char *resource)
{
    for (size_t i = 0; i < s->n; i++)
        if (streq(s->sums[i].resource, resource))
            return s->sums[i].used;
    return (struct quantity){0};
}

json_t *quota_sums_used(const struct quota_sums *s)
{
    char text[QUANTITY_TEXT_SIZE];
    json_t *used = json_object();
    for (size_t i = 0; i < s->n; i++)
        json_object_set_new(used, s->sums[i].resource, json_string(quantity_format_text(&s->sums[i].used, text)));
    return used;
}
