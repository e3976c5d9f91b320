/* What others serve, in the documents in which clients look for it. Groups of others stand behind ours, the preferred
 * ones first; a version of theirs takes the place of ours with that name. */
#include "server/aggregator_impl.h"

#include <string.h>

#include "base/str.h"

static json_t *find_named(json_t *list, const char *path_of_name, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        if (streq(jstr_or(item, path_of_name, ""), name))
            return item;
    return NULL;
}

/* --- APIGroupList, APIGroup --- */

static json_t *version_doc(const struct remote *r)
{
    _cleanup_free_ char *group_version = xasprintf("%s/%s", r->group, r->version);
    return json_pack("{s:s, s:s}", "groupVersion", group_version, "version", r->version);
}

static void add_version(json_t *group, const struct remote *r)
{
    json_t *versions = jget(group, "versions");
    if (!jfind(versions, "version", r->version))
        json_array_append_new(versions, version_doc(r));
}

static json_t *group_doc(const struct remote *r)
{
    json_t *version = version_doc(r);
    return json_pack("{s:s, s:[O], s:o}", "name", r->group, "versions", version, "preferredVersion", version);
}

json_t *aggregator_add_groups(const struct server *s, json_t *doc)
{
    json_t *groups = jget(doc, "groups");
    LIST_EACH(it, &s->aggregator->remotes) {
        const struct remote *r = container_of(it, struct remote, link);
        json_t *group = find_named(groups, "name", r->group);
        if (group)
            add_version(group, r);
        else
            json_array_append_new(groups, group_doc(r));
    }
    return doc;
}

json_t *aggregator_add_group(const struct server *s, const char *group, json_t *doc)
{
    LIST_EACH(it, &s->aggregator->remotes) {
        const struct remote *r = container_of(it, struct remote, link);
        if (!streq(r->group, group))
            continue;
        if (doc) {
            add_version(doc, r);
        } else {
            doc = group_doc(r);
            jset_str(doc, "kind", "APIGroup");
            jset_str(doc, "apiVersion", "v1");
        }
    }
    return doc;
}

/* --- everything in one document: from the list of the one form to the other --- */

static json_t *response_kind(const struct remote *r, const json_t *resource)
{
    const char *group = jstr_or(resource, "group", ""), *version = jstr_or(resource, "version", "");
    return json_pack("{s:s, s:s, s:s}", "group", *version ? group : r->group, "version",
                     *version ? version : r->version, "kind", jstr_or(resource, "kind", ""));
}

static void copy_lists(json_t *to, const json_t *from)
{
    static const char *const lists[] = {"verbs", "shortNames", "categories"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (json_is_array(jget(from, lists[i])))
            jset(to, lists[i], json_incref(jget(from, lists[i])));
}

static json_t *resource_doc(const struct remote *r, const json_t *resource)
{
    json_t *doc =
        json_pack("{s:s, s:o, s:s, s:s}", "resource", jstr_or(resource, "name", ""), "responseKind",
                  response_kind(r, resource), "scope", jbool(resource, "namespaced", false) ? "Namespaced" : "Cluster",
                  "singularResource", jstr_or(resource, "singularName", ""));
    copy_lists(doc, resource);
    return doc;
}

static void add_subresource(const struct remote *r, json_t *of, const char *name, const json_t *resource)
{
    json_t *subresources = jget(of, "subresources");
    if (!subresources)
        jset(of, "subresources", subresources = json_array());
    json_t *doc = json_pack("{s:s, s:o}", "subresource", name, "responseKind", response_kind(r, resource));
    copy_lists(doc, resource);
    json_array_append_new(subresources, doc);
}

static json_t *resource_docs(const struct remote *r)
{
    json_t *docs = json_array(), *resource;
    size_t i;
    json_array_foreach(jget(r->resources, "resources"), i, resource)
        if (!strchr(jstr_or(resource, "name", "/"), '/'))
            json_array_append_new(docs, resource_doc(r, resource));
    json_array_foreach(jget(r->resources, "resources"), i, resource) {
        const char *name = jstr_or(resource, "name", ""), *slash = strchr(name, '/');
        _cleanup_free_ char *parent = slash ? xstrndup(name, (size_t)(slash - name)) : NULL;
        json_t *of = parent ? find_named(docs, "resource", parent) : NULL;
        if (of)
            add_subresource(r, of, slash + 1, resource);
    }
    return docs;
}

static void put_version(json_t *versions, json_t *version_new)
{
    size_t i;
    json_t *ours;
    json_array_foreach(versions, i, ours)
        if (streq(jstr_or(ours, "version", ""), jstr_or(version_new, "version", ""))) {
            json_array_set_new(versions, i, version_new);
            return;
        }
    json_array_append_new(versions, version_new);
}

json_t *aggregator_add_discovery(const struct server *s, json_t *doc)
{
    json_t *items = jget(doc, "items");
    LIST_EACH(it, &s->aggregator->remotes) {
        const struct remote *r = container_of(it, struct remote, link);
        json_t *group = find_named(items, "metadata.name", r->group);
        if (!group) {
            group = json_pack("{s:{s:s, s:n}, s:[]}", "metadata", "name", r->group, "creationTimestamp", "versions");
            json_array_append_new(items, group);
        }
        json_t *version = json_pack("{s:s, s:o, s:s}", "version", r->version, "resources", resource_docs(r),
                                    "freshness", r->is_available ? "Current" : "Stale");
        put_version(jget(group, "versions"), version);
    }
    return doc;
}

/* --- OpenAPI --- */

/* Without a hash in the address: what they say may change, and is asked for each time. */
json_t *aggregator_add_openapi(const struct server *s, json_t *doc)
{
    LIST_EACH(it, &s->aggregator->remotes) {
        const struct remote *r = container_of(it, struct remote, link);
        _cleanup_free_ char *path = xasprintf("apis/%s/%s", r->group, r->version);
        _cleanup_free_ char *url = xasprintf("/openapi/v3/%s", path);
        json_object_set_new(jget(doc, "paths"), path, json_pack("{s:s}", "serverRelativeURL", url));
    }
    return doc;
}
