/* See customresources.h. The store tells of a definition before the request that wrote it is answered, so that whoever
 * has been told of it can use it. */
#include "server/customresources.h"

#include "base/str.h"
#include "kinds/custom.h"
#include "server/aggregator.h"
#include "server/watch.h"

/* Each is in the OpenAPI documents that every kubectl fetches, and in all_kinds that many walk. */
#define DEFINITIONS_MAX 500

/* What a definition makes of its kinds; all else may change without anybody noticing. */
static bool says_the_same(const json_t *a, const json_t *b)
{
    static const char *const paths[] = {"spec", "status.acceptedNames"};
    const json_t *was = jfind(jget(a, "status.conditions"), "type", "Established");
    const json_t *is = jfind(jget(b, "status.conditions"), "type", "Established");
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const json_t *x = jget(a, paths[i]), *y = jget(b, paths[i]);
        if (x != y && !(x && y && json_equal(x, y)))
            return false;
    }
    return streq(jstr_or(was, "status", ""), jstr_or(is, "status", ""));
}

static void on_change(void *arg, struct object *old, struct object *obj, bool deleted)
{
    struct server *s = arg;
    _cleanup_json_ json_t *doc = object_json(obj), *before = old ? object_json(old) : NULL;
    if (!deleted && before && says_the_same(before, doc))
        return;
    const struct kind *k = deleted ? custom_undefine(doc) : custom_define(doc);
    documents_forget(s);
    aggregator_sync(s);
    if (k && old)
        watches_end(s, k);
}

static bool define(void *arg, struct object *o)
{
    (void)arg;
    _cleanup_json_ json_t *doc = object_json(o);
    custom_define(doc);
    return true;
}

void customresources_init(struct server *s)
{
    store_each(s->store, &kind_customresourcedefinition, "", NULL, NULL, define, NULL);
    s->definitions = store_watch(s->store, &kind_customresourcedefinition, 0, on_change, s);
}

static bool undefine(void *arg, struct object *o)
{
    (void)arg;
    _cleanup_json_ json_t *doc = object_json(o);
    custom_undefine(doc);
    return true;
}

void customresources_done(struct server *s)
{
    store_watch_stop(TAKE(s->definitions));
    store_each(s->store, &kind_customresourcedefinition, "", NULL, NULL, undefine, NULL);
}

json_t *customresources_check_create(const struct request *r)
{
    char resource[RESOURCE_TEXT_SIZE];
    const struct kind *k = r->kind;
    if (k == &kind_customresourcedefinition && store_count(r->server->store, k, NULL) >= DEFINITIONS_MAX)
        return status_for(STATUS_FORBIDDEN, k->group, k->plural, jstr_or(r->body, "metadata.name", ""),
                          "%s \"%s\" is forbidden: there are %d already", resource_text(k, resource),
                          jstr_or(r->body, "metadata.name", ""), DEFINITIONS_MAX);
    if (!k->stored_as)
        return NULL;
    const struct object *o =
        store_latest(r->server->store, &kind_customresourcedefinition, "", resource_text(k, resource));
    _cleanup_json_ json_t *crd = o ? object_json(o) : NULL;
    if (crd && jget(crd, "metadata.deletionTimestamp"))
        return status_new(STATUS_METHOD_NOT_ALLOWED,
                          "create not allowed while custom resource definition is terminating");
    return NULL;
}
