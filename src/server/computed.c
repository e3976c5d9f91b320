/* Objects that nobody stores, computed when somebody asks: ComponentStatus. The parts of the control plane are this
 * process: an answer at all is a good one. */
#include <string.h>

#include "base/str.h"
#include "server/filter.h"
#include "server/pipeline.h"

struct listing {
    const struct request *request;
    struct filter filter;
    struct page *page;
};

static void add(struct listing *l, const char *name)
{
    const struct request *r = l->request;
    _cleanup_free_ char *rv = xasprintf("%llu", (unsigned long long)l->page->rv);
    _cleanup_json_ json_t *doc =
        json_pack("{s:{s:s, s:s, s:n}, s:[{s:s, s:s, s:s}]}", "metadata", "name", name, "resourceVersion", rv,
                  "creationTimestamp", "conditions", "type", "Healthy", "status", "True", "message", "ok");
    struct object *o = object_new(r->kind, doc);
    if ((*r->what.name && !streq(r->what.name, name)) || !filter_matches(&l->filter, o)) {
        object_unref(o);
        return;
    }
    l->page->objs = xrealloc(l->page->objs, (l->page->n + 1) * sizeof(struct object *));
    l->page->objs[l->page->n++] = o;
}

static json_t *fill(struct request *r, struct page *page)
{
    static const char *const components[] = {"controller-manager", "etcd-0", "scheduler"};
    struct listing l = {.request = r, .page = page};
    struct err err;
    if (filter_parse(r->kind, r->query, &l.filter, &err) < 0)
        return status_new(STATUS_BAD_REQUEST, "%s", err.msg);
    for (size_t i = 0; i < ARRAY_LEN(components); i++)
        add(&l, components[i]);
    r->warnings = json_pack("[s]", "v1 ComponentStatus is deprecated in v1.19+");
    filter_done(&l.filter);
    return page->n || r->verb == V_LIST ? NULL : not_found_status(r->kind, r->what.name);
}

void handle_computed(struct request *r)
{
    struct page page = {.rv = store_rv(r->server->store), .remaining = -1};
    json_t *status = fill(r, &page);
    if (status)
        request_reply_status(r, status);
    else if (r->verb == V_LIST)
        request_reply_page(r, &page);
    else
        request_reply_object(r, 200, page.objs[0]);
    page_done(&page);
}
