/* The LimitRanges of a namespace: what containers that say nothing get, and what nobody may exceed (upstream: admission
 * plug-in LimitRanger). Objects that exist are not looked at again. */
#include <stdio.h>

#include "base/buf.h"
#include "base/str.h"
#include "kinds/podresources.h"
#include "server/admit.h"

#define ANNOTATION "kubernetes.io/limit-ranger"
#define TEXT_MAX 65536

static bool gather(void *arg, struct object *o)
{
    json_t *doc = object_json(o);
    json_array_extend(arg, jget(doc, "spec.limits"));
    json_decref(doc);
    return true;
}

/* All items of all LimitRanges of the namespace. New reference; NULL when there are none. */
static json_t *items_of(const struct admission *a)
{
    const char *ns = admission_namespace(a);
    if (!store_count(a->server->store, &kind_limitrange, ns))
        return NULL;
    json_t *items = json_array();
    store_each(a->server->store, &kind_limitrange, ns, NULL, NULL, gather, items);
    return items;
}

static bool is_type(const json_t *item, const char *type)
{
    return streq(jstr_or(item, "type", ""), type);
}

/* --- what is given --- */

/* Adds what is missing on one side; says in b what: "cpu, memory limit for container web". */
static void fill(json_t *container, const char *side, const json_t *defaults, const char *noun, const char *what,
                 struct buf *b)
{
    struct buf names = BUF_INIT(TEXT_MAX);
    const char *resource;
    json_t *amount;
    json_object_foreach((json_t *)defaults, resource, amount) {
        json_t *resources = jget(container, "resources");
        if (json_object_get(jget(resources, side), resource))
            continue;
        if (!resources)
            jset(container, "resources", resources = json_object());
        if (!jget(resources, side))
            jset(resources, side, json_object());
        json_object_set(jget(resources, side), resource, amount);
        buf_addf(&names, "%s%s", names.len ? ", " : "", resource);
    }
    if (names.len)
        buf_addf(b, "%s%s %s for %s %s", b->len ? "; " : "", buf_str(&names), noun, what,
                 jstr_or(container, "name", ""));
    buf_done(&names);
}

static void fill_all(json_t *containers, const json_t *requests, const json_t *limits, const char *what, struct buf *b)
{
    size_t i;
    json_t *container;
    json_array_foreach(containers, i, container) {
        fill(container, "requests", requests, "request", what, b);
        fill(container, "limits", limits, "limit", what, b);
    }
}

/* In the order of names, as they are told; of several LimitRanges the last one counts. */
static json_t *defaults_of(const json_t *items, const char *member)
{
    json_t *all = json_object(), *item;
    size_t i;
    json_array_foreach((json_t *)items, i, item)
        if (is_type(item, "Container") && jget(item, member))
            json_object_update(all, jget(item, member));
    _cleanup_free_ char *text = jprint_sorted(all);
    json_decref(all);
    return json_loads(text, 0, NULL);
}

json_t *admit_limit_defaults(const struct admission *a)
{
    _cleanup_json_ json_t *items = a->old ? NULL : items_of(a);
    if (!items)
        return NULL;
    _cleanup_json_ json_t *requests = defaults_of(items, "defaultRequest"), *limits = defaults_of(items, "default");
    struct buf told = BUF_INIT(TEXT_MAX);
    fill_all(jget(a->doc, "spec.containers"), requests, limits, "container", &told);
    fill_all(jget(a->doc, "spec.initContainers"), requests, limits, "init container", &told);
    if (told.len && !jget(a->doc, "metadata.annotations"))
        jset(a->doc, "metadata.annotations", json_object());
    if (told.len)
        json_object_set_new(jget(a->doc, "metadata.annotations"), ANNOTATION,
                            json_sprintf("LimitRanger plugin set: %s", buf_str(&told)));
    buf_done(&told);
    return NULL;
}

/* --- what is refused --- */

/* One object that an item limits: what it asks for and what it may use of one resource. */
struct stated {
    bool has_request, has_limit;
    struct quantity request, limit;
};

struct complaints {
    struct buf text; /* joined as upstream's error aggregates */
    int n;
};

static void complain(struct complaints *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct complaints *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_adds(&c->text, c->n++ ? ", " : "");
    buf_addv(&c->text, fmt, ap);
    va_end(ap);
}

/* member: "min" or "max"; wrong: the sign of what is over the line. */
static void check_bound(struct complaints *c, const char *bound, const char *type, const char *resource,
                        const struct quantity *q, const struct stated *s)
{
    char line[QUANTITY_TEXT_SIZE], text[QUANTITY_TEXT_SIZE];
    bool is_min = streq(bound, "minimum"), only_requests = streq(type, "PersistentVolumeClaim");
    int sign = is_min ? -1 : 1;
    bool needs_request = is_min || only_requests;
    quantity_format_text(q, line);
    if (needs_request ? !s->has_request : !s->has_limit)
        complain(c, "%s %s usage per %s is %s.  No %s is specified", bound, resource, type, line,
                 needs_request ? "request" : "limit");
    else if (needs_request && (s->request.nano - q->nano) * sign > 0)
        complain(c, "%s %s usage per %s is %s, but request is %s", bound, resource, type, line,
                 quantity_format_text(&s->request, text));
    else if (s->has_limit && (s->limit.nano - q->nano) * sign > 0)
        complain(c, "%s %s usage per %s is %s, but limit is %s", bound, resource, type, line,
                 quantity_format_text(&s->limit, text));
    else if (s->has_request && (s->request.nano - q->nano) * sign > 0)
        complain(c, "%s %s usage per %s is %s, but request is %s", bound, resource, type, line,
                 quantity_format_text(&s->request, text));
}

static void check_ratio(struct complaints *c, const char *type, const char *resource, const struct quantity *q,
                        const struct stated *s)
{
    char line[QUANTITY_TEXT_SIZE];
    quantity_format_text(q, line);
    double allowed = (double)q->nano / 1e9;
    if (!s->has_request || s->request.nano == 0)
        complain(c, "%s max limit to request ratio per %s is %s, but no request is specified or request is 0", resource,
                 type, line);
    else if (!s->has_limit || s->limit.nano == 0)
        complain(c, "%s max limit to request ratio per %s is %s, but no limit is specified or limit is 0", resource,
                 type, line);
    else if ((double)s->limit.nano / (double)s->request.nano > allowed)
        complain(c, "%s max limit to request ratio per %s is %s, but provided ratio is %f", resource, type, line,
                 (double)s->limit.nano / (double)s->request.nano);
}

/* Reads what an object says of a resource. */
typedef void state_fn(const json_t *o, const char *resource, struct stated *ret);

static void state_resources(const json_t *o, const char *resource, struct stated *ret)
{
    ret->has_request = resource_amount(jget(o, "resources.requests"), resource, &ret->request);
    ret->has_limit = resource_amount(jget(o, "resources.limits"), resource, &ret->limit);
}

static void state_pod(const json_t *o, const char *resource, struct stated *ret)
{
    ret->has_request = pod_resource(o, "requests", resource, &ret->request);
    ret->has_limit = pod_resource(o, "limits", resource, &ret->limit);
}

static void check_item(struct complaints *c, const json_t *item, const json_t *o, state_fn *state)
{
    static const char *const members[] = {"min", "max", "maxLimitRequestRatio"};
    const char *type = jstr_or(item, "type", ""), *resource;
    json_t *amount;
    for (size_t m = 0; m < ARRAY_LEN(members); m++)
        json_object_foreach(jget(item, members[m]), resource, amount) {
            struct stated s;
            struct quantity q;
            if (!quantity_parse(str_or(json_string_value(amount), ""), &q))
                continue;
            state(o, resource, &s);
            if (m == 2)
                check_ratio(c, type, resource, &q, &s);
            else
                check_bound(c, m == 0 ? "minimum" : "maximum", type, resource, &q, &s);
        }
}

static void check_containers(struct complaints *c, const json_t *item, const json_t *containers)
{
    size_t i;
    json_t *container;
    json_array_foreach((json_t *)containers, i, container)
        check_item(c, item, container, state_resources);
}

json_t *admit_limits(const struct admission *a)
{
    _cleanup_json_ json_t *items = a->old ? NULL : items_of(a);
    struct complaints c = {.text = BUF_INIT(TEXT_MAX)};
    size_t i;
    json_t *item, *refusal = NULL;
    json_array_foreach(items, i, item) {
        if (a->kind != &kind_pod && is_type(item, "PersistentVolumeClaim"))
            check_item(&c, item, jget(a->doc, "spec"), state_resources);
        if (a->kind == &kind_pod && is_type(item, "Container")) {
            check_containers(&c, item, jget(a->doc, "spec.containers"));
            check_containers(&c, item, jget(a->doc, "spec.initContainers"));
        }
        if (a->kind == &kind_pod && is_type(item, "Pod"))
            check_item(&c, item, a->doc, state_pod);
    }
    if (c.n)
        refusal = admission_forbidden(a, c.n > 1 ? "[%s]" : "%s", buf_str(&c.text));
    buf_done(&c.text);
    return refusal;
}
