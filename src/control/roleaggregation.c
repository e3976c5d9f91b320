/* ClusterRoles with an aggregationRule: their rules are those of the ClusterRoles that it selects, in the order of
 * names. Upstream: pkg/controller/clusterroleaggregation. */
#include <string.h>

#include "kinds/labels.h"
#include "base/alloc.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

static bool collects(const struct object *o)
{
    return memmem(o->bytes, o->len, "\"aggregationRule\"", strlen("\"aggregationRule\"")) != NULL;
}

/* A look at the bytes, before parsing: a role without the first label of the selector is not meant. */
static bool may_match(const json_t *selector, const struct object *o)
{
    json_t *labels = jget(selector, "matchLabels");
    const char *key = json_object_iter_key(json_object_iter(labels));
    return !key || memmem(o->bytes, o->len, key, strlen(key));
}

static int compare_names(const void *a, const void *b)
{
    const struct object *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* All ClusterRoles by name. The caller frees the list. */
static struct object **all_roles(struct controller *c, size_t *ret_n)
{
    struct informer *roles = controller_informer(c, &kind_clusterrole);
    struct object **list = xcalloc(informer_count(roles) + 1, sizeof(struct object *));
    void *cursor = NULL;
    size_t n = 0;
    for (struct object *o; (o = informer_next(roles, NULL, &cursor));)
        list[n++] = o;
    qsort(list, n, sizeof(*list), compare_names);
    *ret_n = n;
    return list;
}

static void add_rules(json_t *rules, const json_t *role)
{
    size_t i, j;
    json_t *rule, *known;
    json_array_foreach(jget(role, "rules"), i, rule) {
        bool there = false;
        json_array_foreach(rules, j, known)
            there = there || json_equal(known, rule);
        if (!there)
            json_array_append(rules, rule);
    }
}

static void collect(json_t *rules, const json_t *selector, const char *self, struct object *const *roles, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (streq(roles[i]->name, self) || !may_match(selector, roles[i]))
            continue;
        _cleanup_json_ json_t *role = object_json(roles[i]);
        if (label_selector_matches(selector, jget(role, "metadata.labels")))
            add_rules(rules, role);
    }
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    (void)ns;
    struct object *o = informer_get(controller_informer(c, &kind_clusterrole), "", name);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    const json_t *selectors = jget(doc, "aggregationRule.clusterRoleSelectors"), *selector;
    if (!selectors || is_deleting(doc))
        return;
    _cleanup_json_ json_t *wanted = json_deep_copy(doc);
    json_t *rules = json_array();
    size_t i, n;
    struct object **roles = all_roles(c, &n);
    json_array_foreach(selectors, i, selector)
        collect(rules, selector, name, roles, n);
    free(roles);
    json_object_set_new(wanted, "rules", rules);
    patch_difference(c, &kind_clusterrole, doc, wanted, NULL, false);
}

/* Whatever changes may be selected somewhere. */
static void map_role(struct controller *c, struct object *o)
{
    (void)o;
    void *cursor = NULL;
    for (struct object *role; (role = informer_next(controller_informer(c, &kind_clusterrole), NULL, &cursor));)
        if (collects(role))
            controller_enqueue(c, "", role->name);
}

static const struct controller_watch watches[] = {{&kind_clusterrole, map_role}, {NULL, NULL}};

const struct controller_def roleaggregation_controller = {
    .name = "clusterrole-aggregation-controller",
    .watches = watches,
    .reconcile = reconcile,
};
