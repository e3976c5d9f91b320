/* Nobody gives away rights that they do not have: a role may be written by those who have all that is in it or may
 * `escalate` it, and bound by those who have all that is in it or may `bind` it. Rules:
 * pkg/registry/rbac/validation/rule.go and pkg/registry/rbac/{clusterrole,rolebinding}/policybased. */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "server/admit.h"
#include "server/authz.h"
#include "server/rbac.h"

#define GROUP "rbac.authorization.k8s.io"
/* An object may hold a megabyte of rules, and verbs, groups and resources of a rule multiply. */
#define MISSING_MAX (32 << 10) /* bytes of what is told */
#define RIGHTS_MAX 100000      /* single rights that are looked at: some 0.1 s */

/* --- which rights are missing --- */

struct missing {
    size_t looked_at;
    struct server *server;
    const struct user *user;
    const char *ns;
    json_t *verbs; /* by the right, printed without its verb: array of verbs */
};

/* "{... Verbs:[" of a right: the key under which its verbs are gathered. */
static char *right_key(const struct action *right)
{
    struct buf key = BUF_INIT(0);
    right_print(&key, right, "");
    char *text = buf_take(&key);
    text[strlen(text) - strlen("]}")] = '\0';
    return text;
}

static bool check_right(void *arg, const struct action *right)
{
    struct missing *m = arg;
    if (++m->looked_at > RIGHTS_MAX)
        return false;
    struct action a = *right;
    a.ns = m->ns;
    if (rbac_allows(m->server->rbac, m->user, &a, NULL, NULL))
        return true;
    _cleanup_free_ char *key = right_key(right);
    json_t *verbs = json_object_get(m->verbs, key);
    if (!verbs)
        json_object_set_new(m->verbs, key, verbs = json_array());
    json_array_append_new(verbs, json_string(right->verb));
    return true;
}

static char *groups_text(const struct user *u)
{
    struct buf out = BUF_INIT(0);
    for (char **g = u->groups; *g; g++)
        buf_addf(&out, "%s\"%s\"", g == u->groups ? "" : " ", *g);
    return out.len ? buf_take(&out) : xstrdup("");
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The rights, one a line, sorted. */
static char *print_missing(const json_t *verbs)
{
    const char **keys = xcalloc(json_object_size(verbs) + 1, sizeof(*keys)), *key;
    struct buf out = BUF_INIT(MISSING_MAX);
    size_t n = 0, i;
    json_t *list, *verb;
    json_object_foreach((json_t *)verbs, key, list)
        keys[n++] = key;
    qsort(keys, n, sizeof(*keys), compare_texts);
    for (size_t k = 0; k < n; k++) {
        buf_addf(&out, "\n%s", keys[k]);
        json_array_foreach(json_object_get(verbs, keys[k]), i, verb)
            buf_addf(&out, "%s\"%s\"", i ? " " : "", json_string_value(verb));
        buf_adds(&out, "]}");
    }
    free(keys);
    return buf_take(&out);
}

/* NULL: the user has all of it in the namespace ("": everywhere). */
static json_t *check_rights(const struct admission *x, const char *ns, const struct policy *p)
{
    struct missing m = {.server = x->server, .user = x->user, .ns = ns, .verbs = json_object()};
    json_t *status = NULL;
    for (size_t i = 0; i < p->n; i++)
        rule_each_right(&p->rules[i], check_right, &m);
    if (m.looked_at > RIGHTS_MAX) {
        status = admission_forbidden(
            x, "more than %d single rights: only who may escalate or bind roles can write that", RIGHTS_MAX);
    } else if (json_object_size(m.verbs)) {
        _cleanup_free_ char *groups = groups_text(x->user), *list = print_missing(m.verbs);
        status = admission_forbidden(x,
                                     "user \"%s\" (groups=[%s]) is attempting to "
                                     "grant RBAC permissions not currently held:%s",
                                     x->user->name, groups, list);
    }
    json_decref(m.verbs);
    return status;
}

/* --- who need not have them --- */

static bool may(const struct admission *x, const char *verb, bool cluster_role, const char *ns, const char *name)
{
    const struct action a = {.verb = verb,
                             .is_resource = true,
                             .group = GROUP,
                             .resource = cluster_role ? "clusterroles" : "roles",
                             .subresource = "",
                             .ns = ns,
                             .name = name,
                             .fields = "",
                             .path = ""};
    return authorized(x->server, x->user, &a, NULL);
}

static bool same(const json_t *doc, const json_t *old, const char *path)
{
    const json_t *a = jget(doc, path), *b = jget(old, path);
    return a && b ? json_equal(a, b) : (!a && !b);
}

/* --- the plug-ins --- */

/* Whose rules will be others' needs everything. */
static json_t *check_aggregation(const struct admission *x)
{
    _cleanup_json_ json_t *everything = json_pack("[{s:[s], s:[s], s:[s]}, {s:[s], s:[s]}]", "verbs", "*", "apiGroups",
                                                  "*", "resources", "*", "verbs", "*", "nonResourceURLs", "*");
    _cleanup_free_ struct policy *p = policy_new(everything);
    json_t *status = check_rights(x, "", p);
    json_decref(status);
    return status ? admission_forbidden(x, "must have cluster-admin privileges "
                                           "to use the aggregationRule")
                  : NULL;
}

json_t *admit_role(const struct admission *x)
{
    const json_t *doc = x->doc, *old = x->old;
    bool cluster = x->kind == &kind_clusterrole;
    const char *name = jstr_or(doc, "metadata.name", "");
    bool same_sources = same(doc, old, "aggregationRule");
    if ((old && same(doc, old, "rules") && same_sources) || may(x, "escalate", cluster, admission_namespace(x), name))
        return NULL;
    if (cluster && (jget(doc, "aggregationRule") || jget(old, "aggregationRule"))) {
        json_t *status = check_aggregation(x);
        if (status)
            return status;
    }
    _cleanup_free_ struct policy *p = policy_new(jget(doc, "rules"));
    return check_rights(x, admission_namespace(x), p);
}

json_t *admit_binding(const struct admission *x)
{
    const json_t *doc = x->doc, *old = x->old;
    const char *ns = admission_namespace(x), *role = jstr_or(doc, "roleRef.name", "");
    bool cluster_role = streq(jstr_or(doc, "roleRef.kind", ""), "ClusterRole");
    if ((old && same(doc, old, "roleRef") && same(doc, old, "subjects")) || may(x, "bind", cluster_role, ns, role))
        return NULL;
    const struct policy *p = rbac_role(x->server->rbac, cluster_role ? "" : ns, role);
    return p ? check_rights(x, ns, p) : not_found_status(cluster_role ? &kind_clusterrole : &kind_role, role);
}
