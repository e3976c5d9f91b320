/* See ledger.h. */
#include "control/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control/meta.h"
#include "control/revision.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/labels.h"

void ledger_start(struct ledger_store *s, struct controller *c)
{
    s->revisions = controller_informer(c, &kind_controllerrevision);
    s->by_owner = informer_add_index(s->revisions, by_controller);
}

void ledger_map(struct controller *c, struct object *revision, const struct kind *owner)
{
    _cleanup_json_ json_t *doc = object_json(revision);
    const json_t *ref = controller_ref(doc);
    if (ref && streq(jstr_or(ref, "kind", ""), owner->kind))
        controller_enqueue(c, revision->ns, jstr_or(ref, "name", ""));
}

const char *ledger_hash(const json_t *revision)
{
    return str_or(json_string_value(json_object_get(jget(revision, "metadata.labels"), REVISION_HASH_LABEL)), "");
}

static void add(struct ledger *h, json_t *item_new)
{
    h->items = xrealloc(h->items, (h->n + 1) * sizeof(json_t *));
    h->items[h->n++] = item_new;
}

static int by_revision(const void *pa, const void *pb)
{
    const json_t *a = *(json_t *const *)pa, *b = *(json_t *const *)pb;
    int64_t ra = jint(a, "revision", 0), rb = jint(b, "revision", 0);
    if (ra != rb)
        return ra < rb ? -1 : 1;
    return strcmp(jstr_or(a, "metadata.name", ""), jstr_or(b, "metadata.name", ""));
}

static void collect(struct ledger *h, const struct ledger_store *s, struct controller *c, const json_t *owner)
{
    void *cursor = NULL;
    const char *uid = jstr_or(owner, "metadata.uid", ""), *ns = jstr_or(owner, "metadata.namespace", "");
    for (struct object *o; (o = informer_by_index(s->revisions, s->by_owner, uid, &cursor));)
        add(h, object_json(o));
    _cleanup_free_ char *orphans = xasprintf("%s%s", ORPHANS_OF, ns);
    cursor = NULL;
    for (struct object *o; (o = informer_by_index(s->revisions, s->by_owner, orphans, &cursor));) {
        json_t *doc = object_json(o);
        if (!is_deleting(doc) && label_selector_matches(jget(owner, "spec.selector"), jget(doc, "metadata.labels"))) {
            _cleanup_json_ json_t *ref = controller_ref_new(owner);
            patch_owner_in(c, &kind_controllerrevision, doc, ref);
            add(h, doc);
        } else {
            json_decref(doc);
        }
    }
    if (h->n)
        qsort(h->items, h->n, sizeof(json_t *), by_revision);
}

/* What `kubectl rollout undo` applies as a strategic merge patch. */
static json_t *data_of(const json_t *owner)
{
    json_t *template = json_deep_copy(jget(owner, "spec.template"));
    template = template ? template : json_object();
    json_object_set_new(template, "$patch", json_string("replace"));
    return json_pack("{s:{s:o}}", "spec", "template", template);
}

static void renumber(const struct ledger *h, struct controller *c, const json_t *item)
{
    int64_t highest = jint(h->items[h->n - 1], "revision", 0);
    if (jint(item, "revision", 0) == highest && item == h->items[h->n - 1])
        return;
    _cleanup_json_ json_t *to = json_deep_copy(item);
    jset_int(to, "revision", highest + 1);
    patch_difference(c, &kind_controllerrevision, item, to, NULL, false);
}

static void create(const struct ledger *h, const struct ledger_store *s, struct controller *c, const json_t *owner,
                   const json_t *data, json_t *status)
{
    char hash[TEMPLATE_HASH_SIZE];
    const char *ns = jstr_or(owner, "metadata.namespace", "");
    int64_t collisions = jint(status, "collisionCount", 0);
    template_hash(jget(owner, "spec.template"), collisions, hash);
    _cleanup_free_ char *name = xasprintf("%s-%s", jstr_or(owner, "metadata.name", ""), hash);
    if (informer_get(s->revisions, ns, name)) {
        jset_int(status, "collisionCount", collisions + 1);
        return;
    }
    json_t *labels = json_deep_copy(jget(owner, "spec.template.metadata.labels"));
    labels = labels ? labels : json_object();
    json_object_set_new(labels, REVISION_HASH_LABEL, json_string(hash));
    _cleanup_json_ json_t *doc = json_pack(
        "{s:s, s:s, s:{s:s, s:s, s:o, s:[o]}, s:O, s:I}", "apiVersion", "apps/v1", "kind", "ControllerRevision",
        "metadata", "name", name, "namespace", ns, "labels", labels, "ownerReferences", controller_ref_new(owner),
        "data", data, "revision", h->n ? (json_int_t)jint(h->items[h->n - 1], "revision", 0) + 1 : (json_int_t)1);
    controller_create(c, &kind_controllerrevision, ns, doc);
}

void ledger_sync(struct ledger *h, const struct ledger_store *s, struct controller *c, const json_t *owner,
                 json_t *status)
{
    *h = (struct ledger){0};
    collect(h, s, c, owner);
    _cleanup_json_ json_t *data = data_of(owner);
    for (size_t i = h->n; i-- > 0 && !h->update;)
        if (json_equal(jget(h->items[i], "data"), data))
            h->update = h->items[i];
    if (h->update)
        renumber(h, c, h->update);
    else
        create(h, s, c, owner, data, status);
}

const json_t *ledger_named(const struct ledger *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++)
        if (streq(jstr_or(h->items[i], "metadata.name", ""), name))
            return h->items[i];
    return NULL;
}

void ledger_trim(const struct ledger *h, struct controller *c, const json_t *owner,
                 bool (*is_live)(void *arg, const json_t *revision), void *arg)
{
    int64_t limit = jint(owner, "spec.revisionHistoryLimit", 10), old = 0;
    for (size_t i = 0; i < h->n; i++)
        old += h->items[i] != h->update && !is_live(arg, h->items[i]);
    for (size_t i = 0; i < h->n && old > limit; i++)
        if (h->items[i] != h->update && !is_live(arg, h->items[i])) {
            delete_exactly(c, &kind_controllerrevision, jstr_or(owner, "metadata.namespace", ""),
                           jstr_or(h->items[i], "metadata.name", ""), jstr_or(h->items[i], "metadata.uid", ""), NULL,
                           -1);
            old--;
        }
}

void ledger_done(struct ledger *h)
{
    for (size_t i = 0; i < h->n; i++)
        json_decref(h->items[i]);
    free(h->items);
    *h = (struct ledger){0};
}
