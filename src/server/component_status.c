/* GET componentstatuses: the parts of the control plane. They are this process, so an answer at all is a good one. */
#include "base/str.h"
#include "server/filter.h"
#include "server/pipeline.h"

static const char *const components[] = {"controller-manager", "etcd-0", "scheduler"};

static struct object *component_new(const char *name, uint64_t rv)
{
    _cleanup_json_ json_t *doc =
        json_pack("{s:{s:s, s:n, s:o}, s:[{s:s, s:s, s:s}]}", "metadata", "name", name, "creationTimestamp",
                  "resourceVersion", json_sprintf("%llu", (unsigned long long)rv), "conditions", "type", "Healthy",
                  "status", "True", "message", "ok");
    return object_new(&kind_componentstatus, doc);
}

static json_t *fill(const struct request *r, struct page *page)
{
    struct filter f = {0};
    struct err err;
    if (filter_parse(r->kind, r->query, &f, &err) < 0)
        return status_new(STATUS_BAD_REQUEST, "%s", err.msg);
    page->objs = xcalloc(ARRAY_LEN(components), sizeof(struct object *));
    for (size_t i = 0; i < ARRAY_LEN(components); i++) {
        struct object *o = component_new(components[i], page->rv);
        if ((!*r->what.name || streq(r->what.name, o->name)) && filter_matches(&f, o))
            page->objs[page->n++] = object_ref(o);
        object_unref(o);
    }
    filter_done(&f);
    return page->n || r->verb == V_LIST ? NULL : not_found_status(r->kind, r->what.name);
}

void handle_component_status(struct request *r)
{
    struct page page = {.rv = store_rv(r->server->store), .remaining = -1};
    json_t *status = fill(r, &page);
    r->warnings = json_pack("[s]", "v1 ComponentStatus is deprecated in v1.19+");
    if (status)
        request_reply_status(r, status);
    else if (r->verb == V_LIST)
        request_reply_page(r, &page);
    else
        request_reply_object(r, 200, page.objs[0]);
    page_done(&page);
}
