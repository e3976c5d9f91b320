/* See places.h. */
#include "ingress/places.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/node.h"

#define SERVES "ingress.c8s.io/serves" /* annotation of a Node */

static bool says_so(const json_t *node)
{
    return streq_or_null(json_string_value(json_object_get(jget(node, "metadata.annotations"), SERVES)), "true");
}

static int by_name(const void *a, const void *b)
{
    struct object *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void add_addresses(json_t *list, const json_t *node)
{
    size_t i;
    json_t *address;
    if (!says_so(node) || !node_takes_traffic(node))
        return;
    json_array_foreach(jget(node, "status.addresses"), i, address)
        if (streq(jstr_or(address, "type", ""), "InternalIP"))
            json_array_append_new(list, json_pack("{s:s}", "ip", jstr_or(address, "address", "")));
}

json_t *places_list(const struct ingress_node *own, size_t n_own, const struct informer *nodes)
{
    json_t *list = json_array();
    _cleanup_free_ struct object **all = xcalloc(informer_count(nodes) + 1, sizeof(struct object *));
    void *cursor = NULL;
    size_t n = 0;
    for (size_t i = 0; i < n_own; i++)
        json_array_append_new(list, json_pack("{s:s}", "ip", own[i].ip));
    while ((all[n] = informer_next(nodes, NULL, &cursor)))
        n++;
    qsort(all, n, sizeof(struct object *), by_name);
    for (size_t i = 0; i < n; i++) {
        _cleanup_json_ json_t *node = object_json(all[i]);
        add_addresses(list, node);
    }
    return list;
}

bool places_say(struct client *c, const struct informer *nodes, const char *node, bool serves)
{
    struct object *o = informer_get(nodes, "", node);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    if (!doc || says_so(doc) == serves)
        return doc != NULL;
    _cleanup_json_ json_t *patch =
        json_pack("{s:{s:{s:o}}}", "metadata", "annotations", SERVES, serves ? json_string("true") : json_null());
    client_patch(c, &kind_node, NULL, node, NULL, PATCH_MERGE, patch, NULL, NULL);
    return false;
}
