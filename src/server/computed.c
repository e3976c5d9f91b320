/* Objects that nobody stores, computed when somebody asks: ComponentStatus and APIService. The parts of the control
 * plane are this process, and so is who serves every group: an answer at all is a good one. */
#include <string.h>

#include "base/str.h"
#include "server/filter.h"
#include "server/pipeline.h"

struct listing {
    const struct request *request;
    struct filter filter;
    struct page *page;
};

/* Takes doc, which has apart from its name no metadata yet. created: RFC 3339, or NULL. */
static void add(struct listing *l, json_t *doc, const char *name, const char *created)
{
    const struct request *r = l->request;
    _cleanup_free_ char *rv = xasprintf("%llu", (unsigned long long)l->page->rv);
    jset_str(doc, "metadata.name", name);
    jset_str(doc, "metadata.resourceVersion", rv);
    jset(doc, "metadata.creationTimestamp", created ? json_string(created) : json_null());
    struct object *o = object_new(r->kind, doc);
    json_decref(doc);
    if ((*r->what.name && !streq(r->what.name, name)) || !filter_matches(&l->filter, o)) {
        object_unref(o);
        return;
    }
    l->page->objs = xrealloc(l->page->objs, (l->page->n + 1) * sizeof(struct object *));
    l->page->objs[l->page->n++] = o;
}

/* --- ComponentStatus --- */

static void list_components(struct listing *l)
{
    static const char *const components[] = {"controller-manager", "etcd-0", "scheduler"};
    for (size_t i = 0; i < ARRAY_LEN(components); i++)
        add(l,
            json_pack("{s:{}, s:[{s:s, s:s, s:s}]}", "metadata", "conditions", "type", "Healthy", "status", "True",
                      "message", "ok"),
            components[i], NULL);
}

/* --- APIService --- */

#define CORE_PRIORITY 18000 /* as upstream's; the others follow in the order of discovery */
#define GROUP_PRIORITY 17900
#define GROUP_PRIORITY_STEP 50
#define CUSTOM_PRIORITY 1000 /* of CustomResourceDefinitions */

static json_t *service_doc(const struct kind *k, int priority, int version_priority, const char *since)
{
    return json_pack("{s:{s:{s:s}}, s:{s:s, s:s, s:i, s:i}, s:{s:[{s:s, s:s, s:s, s:s, s:s}]}}", "metadata", "labels",
                     "kube-aggregator.kubernetes.io/automanaged", *k->group ? "true" : "onstart", "spec", "group",
                     k->group, "version", k->version, "groupPriorityMinimum", priority, "versionPriority",
                     version_priority, "status", "conditions", "type", "Available", "status", "True", "reason", "Local",
                     "message", "Local APIServices are always available", "lastTransitionTime", since);
}

/* One for each group and version; they are as old as the cluster, whose first Namespace tells its age. */
static void list_services(struct listing *l)
{
    struct object *ns = store_latest(l->request->server->store, &kind_namespace, "", "kube-system");
    _cleanup_json_ json_t *first = ns ? object_json(ns) : NULL, *seen = json_object();
    const char *since = jstr_or(first, "metadata.creationTimestamp", "1970-01-01T00:00:00Z");
    int groups = 0;
    for (const struct kind *const *k = all_kinds; *k; k++) {
        _cleanup_free_ char *name = xasprintf("%s.%s", (*k)->version, (*k)->group);
        json_t *versions = json_object_get(seen, (*k)->group);
        if (!versions) {
            json_object_set_new(seen, (*k)->group, versions = json_array());
            groups++;
        }
        if (jfind(versions, "name", name))
            continue;
        json_array_append_new(versions, json_pack("{s:s}", "name", name));
        int priority = !*(*k)->group     ? CORE_PRIORITY
                       : (*k)->stored_as ? CUSTOM_PRIORITY
                                         : GROUP_PRIORITY - GROUP_PRIORITY_STEP * groups;
        add(l, service_doc(*k, priority, 16 - (int)json_array_size(versions), since), name, since);
    }
}

/* --- the answer --- */

static const struct {
    const struct kind *kind;
    void (*list)(struct listing *l);
    const char *warning;
} computed[] = {
    {&kind_componentstatus, list_components, "v1 ComponentStatus is deprecated in v1.19+"},
    {&kind_apiservice, list_services, NULL},
};

static json_t *fill(struct request *r, struct page *page)
{
    struct listing l = {.request = r, .page = page};
    struct err err;
    if (filter_parse(r->kind, r->query, &l.filter, &err) < 0)
        return status_new(STATUS_BAD_REQUEST, "%s", err.msg);
    for (size_t i = 0; i < ARRAY_LEN(computed); i++)
        if (computed[i].kind == r->kind) {
            computed[i].list(&l);
            if (computed[i].warning)
                r->warnings = json_pack("[s]", computed[i].warning);
        }
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
