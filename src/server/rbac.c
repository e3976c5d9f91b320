/* See rbac.h. */
#include "server/rbac.h"

#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "server/account_token.h"

/* A subject of a binding, in the list of all bindings of that subject. */
struct link {
    struct link *next;
    struct binding *binding;
    char *key; /* "User NAME" or "Group NAME" */
};

struct binding {
    char *ns, *name, *role_kind, *role;
    struct link *links;
    size_t n_links;
};

/* A role's rules as of one version. */
struct role {
    uint64_t rv;
    struct policy *policy;
};

struct rbac {
    struct store *store;
    struct map bindings;   /* "ns/name" or "name" -> struct binding */
    struct map by_subject; /* link.key -> first struct link */
    struct map roles;      /* the same keys -> struct role */
    struct store_watch *watches[4];
};

/* --- bindings --- */

/* A ServiceAccount without a namespace is of the binding's. */
static char *subject_key(const json_t *subject, const char *ns)
{
    const char *kind = jstr_or(subject, "kind", ""), *name = jstr_or(subject, "name", "");
    if (streq(kind, "ServiceAccount"))
        return xasprintf("User " ACCOUNT_USER_PREFIX "%s:%s",
                         *jstr_or(subject, "namespace", "") ? jstr(subject, "namespace") : ns, name);
    return xasprintf("%s %s", kind, name);
}

static void link_subject(struct rbac *b, struct link *l)
{
    l->next = map_put(&b->by_subject, l->key, l);
}

static void unlink_subject(struct rbac *b, struct link *l)
{
    struct link *first = map_get(&b->by_subject, l->key);
    if (first == l && l->next) {
        map_put(&b->by_subject, l->key, l->next);
    } else if (first == l) {
        map_del(&b->by_subject, l->key);
    } else {
        while (first->next != l)
            first = first->next;
        first->next = l->next;
    }
}

static void free_binding(void *arg)
{
    struct binding *g = arg;
    for (size_t i = 0; i < g->n_links; i++)
        free(g->links[i].key);
    free(g->links);
    free(g->ns);
    free(g->name);
    free(g->role_kind);
    free(g->role);
    free(g);
}

static void forget_binding(struct rbac *b, const char *key)
{
    struct binding *g = map_del(&b->bindings, key);
    if (!g)
        return;
    for (size_t i = 0; i < g->n_links; i++)
        unlink_subject(b, &g->links[i]);
    free_binding(g);
}

static void remember_binding(struct rbac *b, const char *key, const struct object *o)
{
    _cleanup_json_ json_t *doc = object_json(o);
    const json_t *subjects = jget(doc, "subjects"), *subject;
    struct binding *g = NEW(struct binding);
    *g = (struct binding){.ns = xstrdup(o->ns),
                          .name = xstrdup(o->name),
                          .role_kind = xstrdup(jstr_or(doc, "roleRef.kind", "")),
                          .role = xstrdup(jstr_or(doc, "roleRef.name", "")),
                          .n_links = json_array_size(subjects)};
    g->links = xcalloc(g->n_links + 1, sizeof(*g->links));
    size_t i;
    json_array_foreach(subjects, i, subject) {
        g->links[i] = (struct link){.binding = g, .key = subject_key(subject, o->ns)};
        link_subject(b, &g->links[i]);
    }
    map_put(&b->bindings, key, g);
}

static void on_binding(void *arg, struct object *old, struct object *obj, bool deleted)
{
    (void)old;
    _cleanup_free_ char *key = object_key(obj);
    forget_binding(arg, key);
    if (!deleted)
        remember_binding(arg, key, obj);
}

static bool add_binding(void *arg, struct object *o)
{
    on_binding(arg, NULL, o, false);
    return true;
}

/* --- roles --- */

static void free_role(void *arg)
{
    struct role *r = arg;
    free(r->policy);
    free(r);
}

static void on_role(void *arg, struct object *old, struct object *obj, bool deleted)
{
    struct rbac *b = arg;
    (void)old;
    (void)deleted;
    _cleanup_free_ char *key = object_key(obj);
    struct role *r = map_del(&b->roles, key);
    if (r)
        free_role(r);
}

const struct policy *rbac_role(struct rbac *b, const char *ns, const char *name)
{
    const struct object *o = store_get(b->store, *ns ? &kind_role : &kind_clusterrole, ns, name);
    if (!o)
        return NULL;
    _cleanup_free_ char *key = object_key(o);
    struct role *r = map_get(&b->roles, key);
    if (r && r->rv == o->rv)
        return r->policy;
    _cleanup_json_ json_t *doc = object_json(o);
    if (!r)
        map_put(&b->roles, key, r = NEW(struct role));
    free(r->policy);
    *r = (struct role){o->rv, policy_new(jget(doc, "rules"))};
    return r->policy;
}

/* --- asking --- */

static void tell_missing(json_t *errors, const struct binding *g)
{
    if (errors)
        json_array_append_new(errors, json_sprintf("%s.rbac.authorization.k8s.io \"%s\" not found",
                                                   streq(g->role_kind, "Role") ? "role" : "clusterrole", g->role));
}

static bool visit_binding(struct rbac *b, const struct link *l, rbac_visit_fn *visit, void *arg, json_t *errors)
{
    const struct binding *g = l->binding;
    const struct policy *p = rbac_role(b, streq(g->role_kind, "Role") ? g->ns : "", g->role);
    if (!p)
        tell_missing(errors, g);
    for (size_t i = 0; p && i < p->n; i++) {
        const char *blank = strchr(l->key, ' ');
        bool is_group = str_after(l->key, "Group ") != NULL;
        const struct rbac_grant grant = {.rule = &p->rules[i],
                                         .binding_ns = g->ns,
                                         .binding = g->name,
                                         .role_kind = g->role_kind,
                                         .role = g->role,
                                         .subject_kind = is_group ? "Group" : "User",
                                         .subject = blank + 1};
        if (!visit(arg, &grant))
            return false;
    }
    return true;
}

static bool visit_subject(struct rbac *b, const char *kind, const char *name, const char *ns, rbac_visit_fn *visit,
                          void *arg, json_t *errors)
{
    _cleanup_free_ char *key = xasprintf("%s %s", kind, name);
    for (const struct link *l = map_get(&b->by_subject, key); l; l = l->next)
        if ((!*l->binding->ns || streq(l->binding->ns, ns)) && !visit_binding(b, l, visit, arg, errors))
            return false;
    return true;
}

void rbac_each(struct rbac *b, const struct user *u, const char *ns, rbac_visit_fn *visit, void *arg, json_t *errors)
{
    bool goes_on = visit_subject(b, "User", u->name, ns, visit, arg, errors);
    for (char **group = u->groups; *group && goes_on; group++)
        goes_on = visit_subject(b, "Group", *group, ns, visit, arg, errors);
}

struct question {
    const struct action *action;
    char *reason;
};

static bool try_rule(void *arg, const struct rbac_grant *g)
{
    struct question *q = arg;
    if ((*g->binding_ns && !q->action->is_resource) || !rule_allows(g->rule, q->action))
        return true;
    bool cluster = !*g->binding_ns;
    q->reason = xasprintf("RBAC: allowed by %s \"%s%s%s\" of %s \"%s\" to %s \"%s\"",
                          cluster ? "ClusterRoleBinding" : "RoleBinding", g->binding, cluster ? "" : "/", g->binding_ns,
                          g->role_kind, g->role, g->subject_kind, g->subject);
    return false;
}

bool rbac_allows(struct rbac *b, const struct user *u, const struct action *a, char **ret_reason, json_t *errors)
{
    struct question q = {.action = a};
    rbac_each(b, u, a->is_resource ? a->ns : "", try_rule, &q, errors);
    bool allowed = q.reason != NULL;
    if (ret_reason)
        *ret_reason = TAKE(q.reason);
    free(q.reason);
    return allowed;
}

/* --- life --- */

struct rbac *rbac_new(struct store *s)
{
    static const struct {
        const struct kind *kind;
        store_event_fn *on_change;
    } followed[] = {{&kind_rolebinding, on_binding},
                    {&kind_clusterrolebinding, on_binding},
                    {&kind_role, on_role},
                    {&kind_clusterrole, on_role}};
    struct rbac *b = NEW(struct rbac);
    b->store = s;
    store_each(s, &kind_rolebinding, NULL, NULL, NULL, add_binding, b);
    store_each(s, &kind_clusterrolebinding, "", NULL, NULL, add_binding, b);
    for (size_t i = 0; i < ARRAY_LEN(followed); i++)
        b->watches[i] = store_watch(s, followed[i].kind, 0, followed[i].on_change, b);
    return b;
}

void rbac_free(struct rbac *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < ARRAY_LEN(b->watches); i++)
        store_watch_stop(b->watches[i]);
    map_done(&b->by_subject);
    map_done_with(&b->bindings, free_binding);
    map_done_with(&b->roles, free_role);
    free(b);
}
