/* See apiservices.h. As upstream: whoever deletes one gets it again as long as the group is served. */
#include "server/apiservices.h"

#include "base/str.h"

#define AUTOMANAGED "kube-aggregator.kubernetes.io/automanaged"

#define CORE_PRIORITY 18000 /* as upstream's; the others follow in the order of discovery */
#define GROUP_PRIORITY 17900
#define GROUP_PRIORITY_STEP 50
#define CUSTOM_PRIORITY 1000 /* of CustomResourceDefinitions */
#define VERSION_PRIORITY 16

static char *name_of(const struct kind *k)
{
    return xasprintf("%s.%s", k->version, k->group);
}

static bool is_custom(const struct kind *k)
{
    return k->stored_as || (k->stored && k->stored->stored_as);
}

static json_t *doc_new(const struct kind *k, int group, int version)
{
    _cleanup_free_ char *name = name_of(k);
    int priority = !*k->group     ? CORE_PRIORITY
                   : is_custom(k) ? CUSTOM_PRIORITY
                                  : GROUP_PRIORITY - GROUP_PRIORITY_STEP * group;
    return json_pack("{s:{s:s, s:{s:s}}, s:{s:s, s:s, s:i, s:i}}", "metadata", "name", name, "labels", AUTOMANAGED,
                     is_custom(k) ? "true" : "onstart", "spec", "group", k->group, "version", k->version,
                     "groupPriorityMinimum", priority, "versionPriority",
                     version < VERSION_PRIORITY ? VERSION_PRIORITY - version : 1);
}

json_t *apiservices_served(void)
{
    struct map versions = {0}, names = {0}; /* versions: group -> a number, how many of it there were */
    json_t *list = json_array();
    for (const struct kind *const *k = all_kinds; *k; k++) {
        _cleanup_free_ char *name = name_of(*k);
        if (map_put(&names, name, name))
            continue;
        int *n = map_get(&versions, (*k)->group);
        if (!n)
            map_put(&versions, (*k)->group, n = NEW(int));
        json_array_append_new(list, doc_new(*k, (int)versions.len, (*n)++));
    }
    map_done_with(&versions, free);
    map_done(&names);
    return list;
}

/* --- while the server runs --- */

struct sync {
    struct client *client;
    struct map served; /* names */
};

static bool take_away(void *arg, struct object *o)
{
    struct sync *sync = arg;
    if (map_get(&sync->served, o->name))
        return true;
    _cleanup_json_ json_t *doc = object_json(o);
    if (json_object_get(jget(doc, "metadata.labels"), AUTOMANAGED) && !jget(doc, "spec.service"))
        client_delete(sync->client, &kind_apiservice, NULL, o->name, NULL, NULL, NULL);
    return true;
}

void apiservices_sync(struct server *s, struct client *c)
{
    struct sync sync = {.client = c};
    _cleanup_json_ json_t *served = apiservices_served();
    size_t i;
    json_t *doc;
    json_array_foreach(served, i, doc) {
        const char *name = jstr(doc, "metadata.name");
        map_put(&sync.served, name, doc);
        if (!store_latest(s->store, &kind_apiservice, "", name))
            client_create(c, &kind_apiservice, NULL, doc, NULL, NULL);
    }
    store_each(s->store, &kind_apiservice, "", NULL, NULL, take_away, &sync);
    map_done(&sync.served);
}
