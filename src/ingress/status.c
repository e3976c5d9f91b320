/* See status.h. */
#include "ingress/status.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

/* Every node's. */
static json_t *addresses(const struct ingress_status *s)
{
    json_t *list = json_array();
    for (size_t n = 0; n < s->n_nodes; n++)
        json_array_append_new(list, json_pack("{s:s}", "ip", s->nodes[n].ip));
    return list;
}

static bool has_addresses(const struct ingress_status *s, const json_t *doc)
{
    const json_t *list = jget(doc, "status.loadBalancer.ingress");
    size_t n = 0;
    while (n < s->n_nodes && streq(jstr_or(json_array_get(list, n), "ip", ""), s->nodes[n].ip))
        n++;
    return n == s->n_nodes && json_array_size(list) == n;
}

void ingress_status_publish(struct ingress_status *s, const json_t *doc, bool served)
{
    const char *ns = jstr_or(doc, "metadata.namespace", ""), *name = jstr_or(doc, "metadata.name", "");
    const char *rv = jstr_or(doc, "metadata.resourceVersion", "");
    _cleanup_free_ char *key = make_object_key(ns, name);
    if (has_addresses(s, doc) == served || streq_or_null(map_get(&s->published, key), rv))
        return;
    free(map_put(&s->published, key, xstrdup(rv)));
    _cleanup_json_ json_t *patch =
        json_pack("{s:{s:{s:o}}}", "status", "loadBalancer", "ingress", served ? addresses(s) : json_null());
    client_patch(s->client, &kind_ingress, ns, name, "status", PATCH_MERGE, patch, NULL, NULL);
}

void ingress_status_done(struct ingress_status *s)
{
    map_done_with(&s->published, free);
}
