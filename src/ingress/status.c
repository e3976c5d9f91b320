/* See status.h. */
#include "ingress/status.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

bool ingress_status_move(struct ingress_status *s, json_t *places)
{
    bool moved = !s->places || !json_equal(s->places, places);
    json_decref(s->places);
    s->places = places;
    if (moved)
        map_done_with(&s->published, free);
    return moved;
}

/* Somebody else's Ingress keeps what is not ours. */
static bool is_right(const struct ingress_status *s, const json_t *doc, bool served)
{
    const json_t *now = jget(doc, "status.loadBalancer.ingress");
    if (!json_array_size(s->places) || !json_array_size(now))
        return served ? json_array_size(now) == json_array_size(s->places) : true;
    return json_equal(now, s->places) == served;
}

void ingress_status_publish(struct ingress_status *s, const json_t *doc, bool served)
{
    const char *ns = jstr_or(doc, "metadata.namespace", ""), *name = jstr_or(doc, "metadata.name", "");
    const char *rv = jstr_or(doc, "metadata.resourceVersion", "");
    _cleanup_free_ char *key = make_object_key(ns, name);
    if (is_right(s, doc, served) || streq_or_null(map_get(&s->published, key), rv))
        return;
    free(map_put(&s->published, key, xstrdup(rv)));
    bool some = served && json_array_size(s->places);
    _cleanup_json_ json_t *patch =
        json_pack("{s:{s:{s:o}}}", "status", "loadBalancer", "ingress", some ? json_incref(s->places) : json_null());
    client_patch(s->client, &kind_ingress, ns, name, "status", PATCH_MERGE, patch, NULL, NULL);
}

void ingress_status_done(struct ingress_status *s)
{
    json_decref(s->places);
    map_done_with(&s->published, free);
}
