/* Makes the default roles and bindings, and mends them at every start as upstream does: what is missing in them comes
 * back, what somebody added stays, and the annotation autoupdate "false" means hands off. */
#include "server/rbac_bootstrap.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "server/rbac_defaults.h"

#define GROUP "rbac.authorization.k8s.io"
#define AUTOUPDATE "rbac.authorization.kubernetes.io/autoupdate"
#define AGGREGATE_TO GROUP "/aggregate-to-"

/* --- the documents --- */

static json_t *words(const char *text)
{
    json_t *list = json_array();
    while (text && *text) {
        size_t n = strcspn(text, " ");
        bool core = n == 4 && memcmp(text, "core", n) == 0;
        json_array_append_new(list, core ? json_string("") : json_stringn(text, n));
        text += n + (text[n] == ' ');
    }
    return list;
}

static json_t *rule_document(const struct default_rule *r)
{
    json_t *rule = json_pack("{s:o}", "verbs", words(r->verbs));
    if (r->paths) {
        jset(rule, "nonResourceURLs", words(r->paths));
        return rule;
    }
    jset(rule, "apiGroups", words(r->groups));
    jset(rule, "resources", words(r->resources));
    if (r->names)
        jset(rule, "resourceNames", words(r->names));
    return rule;
}

static json_t *metadata(const char *ns, const char *name)
{
    json_t *meta = json_pack("{s:s, s:{s:s}, s:{s:s}}", "name", name, "labels", "kubernetes.io/bootstrapping",
                             "rbac-defaults", "annotations", AUTOUPDATE, "true");
    if (ns)
        jset_str(meta, "namespace", ns);
    return meta;
}

static void add_labels(json_t *doc, const struct default_label *l)
{
    if (l->aggregate) {
        _cleanup_free_ char *key = xasprintf(AGGREGATE_TO "%s", l->aggregate);
        json_object_set_new(jget(doc, "metadata.labels"), key, json_string("true"));
    }
    if (l->collects) {
        _cleanup_free_ char *key = xasprintf(AGGREGATE_TO "%s", l->collects);
        jset(doc, "aggregationRule", json_pack("{s:[{s:{s:s}}]}", "clusterRoleSelectors", "matchLabels", key, "true"));
    }
}

/* The role that begins at row *at; *at goes behind it. */
static json_t *next_role(size_t *at)
{
    const struct default_rule *first = &default_rules[*at];
    json_t *rules = json_array();
    json_t *doc = json_pack("{s:o, s:o}", "metadata", metadata(first->ns, first->role), "rules", rules);
    for (; *at < n_default_rules && streq(default_rules[*at].role, first->role); ++*at)
        if (default_rules[*at].verbs)
            json_array_append_new(rules, rule_document(&default_rules[*at]));
    for (size_t i = 0; i < n_default_labels && !first->ns; i++)
        if (streq(default_labels[i].role, first->role))
            add_labels(doc, &default_labels[i]);
    return doc;
}

static json_t *subject_document(const struct default_binding *b)
{
    if (streq(b->kind, "ServiceAccount"))
        return json_pack("{s:s, s:s, s:s}", "kind", b->kind, "name", b->subject, "namespace", "kube-system");
    return json_pack("{s:s, s:s, s:s}", "kind", b->kind, "apiGroup", GROUP, "name", b->subject);
}

static json_t *next_binding(size_t *at)
{
    const struct default_binding *first = &default_bindings[*at];
    json_t *subjects = json_array();
    json_t *doc = json_pack("{s:o, s:o, s:{s:s, s:s, s:s}}", "metadata", metadata(first->ns, first->name), "subjects",
                            subjects, "roleRef", "apiGroup", GROUP, "kind", first->ns ? "Role" : "ClusterRole", "name",
                            first->role ? first->role : first->name);
    for (; *at < n_default_bindings && streq(default_bindings[*at].name, first->name); ++*at)
        if (default_bindings[*at].subject)
            json_array_append_new(subjects, subject_document(&default_bindings[*at]));
    return doc;
}

/* --- mending --- */

/* Adds the members of `from` that `to` lacks; true when there were any. */
static bool add_missing(json_t *to, const json_t *from, const char *path)
{
    size_t before = json_object_size(jget(to, path));
    if (!jget(to, path))
        jset(to, path, json_object());
    json_object_update_missing(jget(to, path), jget(from, path));
    return json_object_size(jget(to, path)) != before;
}

static bool has_equal(const json_t *list, const json_t *item)
{
    size_t i;
    const json_t *v;
    json_array_foreach(list, i, v)
        if (json_equal(v, item))
            return true;
    return false;
}

static bool append_missing(json_t *to, const json_t *from, const char *path)
{
    bool changed = false;
    size_t i;
    json_t *item;
    if (!json_is_array(jget(to, path)) && json_array_size(jget(from, path)))
        jset(to, path, json_array());
    json_array_foreach(jget(from, path), i, item)
        if (!has_equal(jget(to, path), item)) {
            json_array_append(jget(to, path), item);
            changed = true;
        }
    return changed;
}

json_t *rbac_mended(const json_t *stored, const json_t *wanted)
{
    const json_t *update = json_object_get(jget(stored, "metadata.annotations"), AUTOUPDATE);
    if (update && streq(str_or(json_string_value(update), ""), "false"))
        return NULL;
    json_t *doc = json_deep_copy(stored);
    bool changed = add_missing(doc, wanted, "metadata.labels");
    changed = add_missing(doc, wanted, "metadata.annotations") || changed;
    if (!jget(wanted, "aggregationRule"))
        changed = append_missing(doc, wanted, "rules") || changed;
    changed = append_missing(doc, wanted, "aggregationRule.clusterRoleSelectors") || changed;
    changed = append_missing(doc, wanted, "subjects") || changed;
    if (changed)
        return doc;
    json_decref(doc);
    return NULL;
}

/* --- writing --- */

static bool holds_member(const struct object *o, const char *key, const json_t *value)
{
    _cleanup_free_ char *text = jprint(value), *member = xasprintf("\"%s\":%s", key, text);
    return memmem(o->bytes, o->len, member, strlen(member)) != NULL;
}

/* Whether everything is there word for word, as at most starts: then nothing need be parsed. */
static bool holds(const struct object *o, const json_t *wanted)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)wanted, key, value)
        if (!streq(key, "metadata") && !holds_member(o, key, value))
            return false;
    return holds_member(o, "labels", jget(wanted, "metadata.labels")) &&
           holds_member(o, "annotations", jget(wanted, "metadata.annotations"));
}

static void ensure(struct server *s, const struct kind *k, json_t *doc_new, rbac_write_fn *write)
{
    _cleanup_json_ json_t *wanted = doc_new;
    const char *ns = jstr_or(wanted, "metadata.namespace", ""), *name = jstr(wanted, "metadata.name");
    struct object *o = store_latest(s->store, k, ns, name);
    if (!o) {
        write(s, k, json_incref(wanted), true);
        return;
    }
    if (holds(o, wanted))
        return;
    _cleanup_json_ json_t *stored = object_json(o);
    if (jget(wanted, "roleRef") && !json_equal(jget(stored, "roleRef"), jget(wanted, "roleRef")))
        return; /* somebody's own binding by that name: it cannot be made ours */
    json_t *mended = rbac_mended(stored, wanted);
    if (mended)
        write(s, k, mended, false);
}

void rbac_bootstrap(struct server *s, rbac_write_fn *write)
{
    for (size_t at = 0; at < n_default_rules;) {
        const struct kind *k = default_rules[at].ns ? &kind_role : &kind_clusterrole;
        ensure(s, k, next_role(&at), write);
    }
    for (size_t at = 0; at < n_default_bindings;) {
        const struct kind *k = default_bindings[at].ns ? &kind_rolebinding : &kind_clusterrolebinding;
        ensure(s, k, next_binding(&at), write);
    }
}
