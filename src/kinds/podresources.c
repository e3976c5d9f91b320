/* See podresources.h. Upstream: component-helpers resource.PodRequests. */
#include "kinds/podresources.h"

#include "base/str.h"
#include "json/json.h"

bool resource_amount(const json_t *amounts, const char *resource, struct quantity *ret)
{
    const char *text = json_string_value(json_object_get(amounts, resource));
    return text && quantity_parse(text, ret);
}

void quantity_add(struct quantity *sum, const struct quantity *more)
{
    if (sum->nano == 0)
        sum->format = more->format;
    sum->nano += more->nano;
}

static void raise(struct quantity *to, const struct quantity *q)
{
    if (q->nano > to->nano)
        *to = *q;
}

bool pod_resource(const json_t *pod, const char *side, const char *resource, struct quantity *ret)
{
    struct quantity q, sidecars = {0}, peak = {0};
    bool any = false;
    size_t i;
    json_t *container;
    *ret = (struct quantity){0};
    json_array_foreach(jget(pod, "spec.containers"), i, container)
        if (resource_amount(jget(jget(container, "resources"), side), resource, &q)) {
            quantity_add(ret, &q);
            any = true;
        }
    json_array_foreach(jget(pod, "spec.initContainers"), i, container) {
        if (!resource_amount(jget(jget(container, "resources"), side), resource, &q))
            continue;
        any = true;
        quantity_add(&q, &sidecars);
        raise(&peak, &q);
        if (streq(jstr_or(container, "restartPolicy", ""), "Always"))
            sidecars = q;
    }
    quantity_add(ret, &sidecars);
    raise(ret, &peak);
    if (resource_amount(jget(jget(pod, "spec.resources"), side), resource, &q)) {
        *ret = q; /* what is said for the whole pod counts */
        any = true;
    }
    if (any && resource_amount(jget(pod, "spec.overhead"), resource, &q))
        quantity_add(ret, &q);
    return any;
}
