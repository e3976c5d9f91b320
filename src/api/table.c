/* See table.h. */
#include "api/table.h"

#include <stdio.h>

#include "api/customcell.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"

/* What `kubectl get` asks for only when somebody wants to know: one sentence a column. */
static const struct {
    const char *column, *text;
} descriptions[] = {
    {"Name", "Name, unique among the objects of its kind and namespace."},
    {"Age", "Time since the object was created."},
    {"Ready", "How many are ready, of how many that are wanted."},
    {"Status", "What the object is doing, in one word."},
    {"Restarts", "How often containers were started again, and when last."},
    {"IP", "Address of the pod."},
    {"Node", "Node the pod runs on."},
    {"Up-to-date", "Pods made from the present template."},
    {"Available", "Pods that have been ready for long enough."},
    {"Desired", "Pods that are wanted."},
    {"Current", "Pods there are."},
    {"Containers", "Names of the containers in the template."},
    {"Images", "Images of the containers in the template."},
    {"Selector", "Labels of the pods that belong to the object."},
    {"Type", "Which kind of the object this is."},
    {"Cluster-IP", "Virtual address inside the cluster."},
    {"External-IP", "Addresses outside of the cluster."},
    {"Port(s)", "Ports with their node ports and protocols."},
    {"Endpoints", "Addresses and ports that serve."},
    {"Roles", "Roles from the node's labels."},
    {"Version", "Version of the agent."},
    {"Internal-IP", "Address inside the cluster."},
    {"Data", "How many keys there are."},
    {"Holder", "Who holds the lease."},
};

static const char *description(const char *column)
{
    for (size_t i = 0; i < ARRAY_LEN(descriptions); i++)
        if (streq(descriptions[i].column, column))
            return descriptions[i].text;
    return "One property of the object.";
}

static json_t *column_definitions(const struct kind *k)
{
    json_t *list = json_array();
    for (const struct column *c = k->columns; c && c->name; c++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:i}", "name", c->name, "type", c->type, "format",
                                              str_or(c->format, ""), "description",
                                              c->doc ? c->doc : description(c->name), "priority", c->priority));
    return list;
}

static char *meta_version(const char *version, char out[API_VERSION_SIZE])
{
    snprintf(out, API_VERSION_SIZE, "meta.k8s.io/%s", version);
    return out;
}

json_t *partial_metadata(const json_t *doc, const char *version)
{
    char api_version[API_VERSION_SIZE];
    json_t *meta = json_object_get(doc, "metadata");
    return json_pack("{s:s, s:s, s:o}", "kind", "PartialObjectMetadata", "apiVersion",
                     meta_version(version, api_version), "metadata", meta ? json_incref(meta) : json_object());
}

static json_t *row(const struct kind *k, const char *version, const json_t *doc, enum include_object include,
                   int64_t now_usec)
{
    json_t *cells = json_array();
    for (const struct column *c = k->columns; c && c->name; c++)
        json_array_append_new(cells, c->cell ? c->cell(doc, now_usec) : custom_cell(c, doc, now_usec));
    json_t *r = json_pack("{s:o}", "cells", cells);
    if (include == INCLUDE_METADATA)
        json_object_set_new(r, "object", partial_metadata(doc, version));
    else if (include == INCLUDE_OBJECT)
        json_object_set(r, "object", (json_t *)doc);
    return r;
}

json_t *table_new(const struct kind *k, const char *version, struct object *const *objs, size_t n,
                  const json_t *list_meta, enum include_object include, bool with_columns)
{
    char api_version[API_VERSION_SIZE];
    int64_t now_usec = clock_wall_usec();
    json_t *rows = json_array();
    for (size_t i = 0; i < n; i++) {
        _cleanup_json_ json_t *doc = object_json(objs[i]);
        json_array_append_new(rows, row(k, version, doc, include, now_usec));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "kind", "Table", "apiVersion", meta_version(version, api_version),
                     "metadata", list_meta ? json_deep_copy(list_meta) : json_object(), "columnDefinitions",
                     with_columns ? column_definitions(k) : json_null(), "rows", rows);
}
