/* server: who asks, and what they may. */
#include "server/authz.h"

#include "server/admit.h"
#include "server/pipeline.h"
#include "server_world.h"

#define RBAC "/apis/rbac.authorization.k8s.io/v1"
#define ROLES RBAC "/namespaces/default/roles"
#define ROLE_BINDINGS RBAC "/namespaces/default/rolebindings"
#define BOUND(kind, name) "{\"kind\":\"" kind "\",\"name\":\"" name "\"}"

/* "allowed", or the message of the 403. The caller frees. */
static char *ask(const struct user *u, const char *method, const char *target)
{
    struct request r = {.server = world.server, .user = u};
    size_t len = strcspn(target, "?");
    r.method = xstrdup(method);
    r.path = xstrndup(target, len);
    r.query = xstrdup(target[len] ? target + len + 1 : "");
    json_t *status = request_begin(&r);
    bool forbidden = jint(status, "code", 0) == 403;
    char *said = xstrdup(forbidden ? jstr(status, "message") : "allowed");
    json_decref(status);
    list_remove(&r.link);
    request_path_done(&r.what);
    free(r.method);
    free(r.path);
    free(r.query);
    free(r.fields);
    free(r.selected);
    return said;
}

static void check(const char *name, const char *const *groups, const char *method, const char *target, const char *want)
{
    struct user *u = user_new(name, groups);
    _cleanup_free_ char *got = ask(u, method, target);
    T_STR(got, want);
    user_free(u);
}

static const char *const masters[] = {"system:masters", NULL}, *const nodes[] = {"system:nodes", NULL};
static const char *const accounts[] = {"system:serviceaccounts", "system:serviceaccounts:default", NULL};
#define ACCOUNT "system:serviceaccount:default:a"

TEST(everybody_has_little)
{
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"first\"}}"), 201); /* the default roles are durable before this is */
    check("admin", masters, "DELETE", PODS, "allowed");
    check("admin", masters, "GET", "/metrics", "allowed");
    check("x", NULL, "GET", "/apis", "allowed");
    check("x", NULL, "GET", "/openapi/v3/api/v1", "allowed");
    check("x", NULL, "GET", "/metrics", "forbidden: User \"x\" cannot get path \"/metrics\"");
    check("x", NULL, "POST", "/version", "forbidden: User \"x\" cannot post path \"/version\"");
    check("x", NULL, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "allowed");
    check("x", NULL, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "allowed");
    check("x", NULL, "GET", "/openid/v1/jwks", "forbidden: User \"x\" cannot get path \"/openid/v1/jwks\"");
    check(ACCOUNT, accounts, "GET", "/openid/v1/jwks", "allowed");
    check(ACCOUNT, accounts, "GET", PODS,
          "pods is forbidden: User \"" ACCOUNT "\" cannot list resource \"pods\" in API group \"\" in the namespace "
          "\"default\"");
    check("x", NULL, "GET", "/api/v1/nodes",
          "nodes is forbidden: User \"x\" cannot list resource \"nodes\" in API group \"\" at the cluster scope");
    check("x", NULL, "POST", PODS "/p/exec",
          "pods \"p\" is forbidden: User \"x\" cannot create resource \"pods/exec\" in API group \"\" in the namespace "
          "\"default\"");
    check("x", NULL, "PATCH", DEPLOYMENTS "/d",
          "deployments.apps \"d\" is forbidden: User \"x\" cannot patch resource \"deployments\" in API group "
          "\"apps\" in the namespace \"default\"");
    struct user *anonymous = user_from_cert(NULL);
    _cleanup_free_ char *health = ask(anonymous, "GET", "/healthz"), *version = ask(anonymous, "GET", "/version");
    _cleanup_free_ char *api = ask(anonymous, "GET", "/api");
    T_STR(health, "allowed");
    T_STR(version, "allowed");
    T_STR(api, "forbidden: User \"system:anonymous\" cannot get path \"/api\"");
    user_free(anonymous);
}

TEST(roles_give_rights_as_long_as_they_are_bound)
{
    static const char *const team[] = {"team", NULL};
    T_INT(post(ROLES, "{\"metadata\":{\"name\":\"r\"},\"rules\":[{\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\"],"
                      "\"resources\":[\"pods\",\"pods/log\"]},{\"verbs\":[\"list\",\"watch\",\"update\"],\"apiGroups\":"
                      "[\"\"],\"resources\":[\"configmaps\"],\"resourceNames\":[\"one\"]}]}"),
          201);
    T_INT(post(ROLE_BINDINGS,
               "{\"metadata\":{\"name\":\"b\"},\"roleRef\":" BOUND("Role", "r") ",\"subjects\":[" BOUND(
                   "User",
                   "u") "," BOUND("Group",
                                  "team") ",{\"kind\":\"ServiceAccount\",\"name\":\"a\",\"namespace\":\"default\"},"
                                          "{\"kind\":\"ServiceAccount\",\"name\":\"near\"}]}"),
          201);
    check("u", NULL, "GET", PODS, "allowed");
    check("system:serviceaccount:default:near", accounts, "GET", PODS, "allowed");
    check("u", NULL, "GET", PODS "/p/log", "allowed");
    check("other", team, "GET", PODS "/p", "allowed");
    check(ACCOUNT, accounts, "GET", PODS, "allowed");
    check("u", NULL, "GET", "/api/v1/namespaces/kube-system/pods",
          "pods is forbidden: User \"u\" cannot list resource \"pods\" in API group \"\" in the namespace "
          "\"kube-system\"");
    check("u", NULL, "PUT", MAPS "/one", "allowed");
    check("u", NULL, "GET", MAPS "?fieldSelector=metadata.name%3Done&watch=1", "allowed");
    check("u", NULL, "GET", MAPS "?fieldSelector=metadata.name%3Dtwo",
          "configmaps \"two\" is forbidden: User \"u\" cannot list resource \"configmaps\" in API group \"\" in the "
          "namespace \"default\"");
    T_INT(put(ROLES "/r", "{\"metadata\":{\"name\":\"r\"}}"), 200);
    check("u", NULL, "GET", PODS,
          "pods is forbidden: User \"u\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"");
    T_INT(delete (ROLES "/r", NULL), 200);
    check("u", NULL, "GET", PODS,
          "pods is forbidden: User \"u\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\": "
          "RBAC: role.rbac.authorization.k8s.io \"r\" not found");
    T_INT(delete (ROLE_BINDINGS "/b", NULL), 200);
    check("u", NULL, "GET", PODS,
          "pods is forbidden: User \"u\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"");
}

#define UNRELATED ": no relationship found between node 'n1' and this object"

#define SECRETS "/api/v1/namespaces/default/secrets"
#define INGRESSES "/apis/networking.k8s.io/v1/namespaces/default/ingresses"

TEST(a_node_sees_what_its_pods_need)
{
    static const struct {
        const char *method, *target, *want;
    } cases[] = {
        {"GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", "allowed"},
        {"GET", "/api/v1/pods",
         "pods is forbidden: User \"system:node:n1\" cannot list resource \"pods\" in API group \"\" at the cluster "
         "scope" UNRELATED},
        {"PATCH", PODS "/mine/status", "allowed"},
        {"DELETE", PODS "/mine", "allowed"},
        {"DELETE", PODS "/gone", "allowed"},
        {"PATCH", PODS "/theirs/status",
         "pods \"theirs\" is forbidden: User \"system:node:n1\" cannot patch resource \"pods/status\" in API group "
         "\"\" "
         "in the namespace \"default\"" UNRELATED},
        {"GET", "/api/v1/namespaces/default/secrets/env", "allowed"},
        {"GET", "/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dvolume&watch=1", "allowed"},
        {"GET", MAPS "/projected", "allowed"},
        {"GET", "/api/v1/namespaces/kube-system/configmaps/c8s-dns", "allowed"},
        {"GET", "/api/v1/namespaces/kube-system/configmaps/coredns", "allowed"},
        {"GET", "/api/v1/configmaps?fieldSelector=metadata.namespace%3Dkube-system%2Cmetadata.name%3Dc8s-dns&watch=1",
         "allowed"},
        {"PUT", "/api/v1/namespaces/kube-system/configmaps/c8s-dns",
         "configmaps \"c8s-dns\" is forbidden: User \"system:node:n1\" cannot update resource \"configmaps\" in API "
         "group "
         "\"\" in the namespace \"kube-system\""},
        {"GET", "/api/v1/namespaces/kube-system/configmaps/other",
         "configmaps \"other\" is forbidden: User \"system:node:n1\" cannot get resource \"configmaps\" in API group "
         "\"\" "
         "in the namespace \"kube-system\"" UNRELATED},
        {"GET", "/api/v1/namespaces/kube-system/secrets/c8s-dns",
         "secrets \"c8s-dns\" is forbidden: User \"system:node:n1\" cannot get resource \"secrets\" in API group \"\" "
         "in "
         "the namespace \"kube-system\"" UNRELATED},
        {"GET", "/api/v1/configmaps?fieldSelector=metadata.namespace%3Dkube-system",
         "configmaps is forbidden: User \"system:node:n1\" cannot list resource \"configmaps\" in API group \"\" at "
         "the "
         "cluster scope" UNRELATED},
        {"GET", "/api/v1/namespaces/default/secrets/projected",
         "secrets \"projected\" is forbidden: User \"system:node:n1\" cannot get resource \"secrets\" in API group "
         "\"\" in "
         "the namespace \"default\"" UNRELATED},
        {"GET", "/api/v1/namespaces/default/secrets/other",
         "secrets \"other\" is forbidden: User \"system:node:n1\" cannot get resource \"secrets\" in API group \"\" in "
         "the "
         "namespace \"default\"" UNRELATED},
        {"PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1", "allowed"},
        {"PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n2",
         "leases.coordination.k8s.io \"n2\" is forbidden: User \"system:node:n1\" cannot update resource \"leases\" in "
         "API "
         "group \"coordination.k8s.io\" in the namespace \"kube-node-lease\"" UNRELATED},
        {"PATCH", "/api/v1/nodes/n1/status", "allowed"},
        {"PUT", "/api/v1/nodes/n1/rules?revision=1", "allowed"},
        {"PUT", "/api/v1/nodes/n2/rules?revision=1",
         "nodes \"n2\" is forbidden: User \"system:node:n1\" cannot update resource \"nodes/rules\" in API group \"\" "
         "at the cluster scope" UNRELATED},
        {"PATCH", "/api/v1/nodes/n2/status",
         "nodes \"n2\" is forbidden: User \"system:node:n1\" cannot patch resource \"nodes/status\" in API group \"\" "
         "at "
         "the cluster scope" UNRELATED},
        {"PATCH", DEPLOYMENTS "/d",
         "deployments.apps \"d\" is forbidden: User \"system:node:n1\" cannot patch resource \"deployments\" in API "
         "group "
         "\"apps\" in the namespace \"default\""},
        {"GET", "/apis/discovery.k8s.io/v1/endpointslices", "allowed"},
        {"GET", "/apis/networking.k8s.io/v1/ingresses?watch=1", "allowed"},
        {"GET", SECRETS "?watch=1&fieldSelector=metadata.name%3Dshown%2Ctype%3Dkubernetes.io%2Ftls", "allowed"},
        {"GET", SECRETS "?fieldSelector=metadata.name%3Dhidden%2Ctype%3Dkubernetes.io%2Ftls",
         "secrets is forbidden: User \"system:node:n1\" cannot list resource \"secrets\" in API group \"\" in the "
         "namespace \"default\"" UNRELATED},
        {"GET", SECRETS "?fieldSelector=metadata.name%3Dshown",
         "secrets \"shown\" is forbidden: User \"system:node:n1\" cannot list resource \"secrets\" in API group \"\" "
         "in the namespace \"default\"" UNRELATED},
        {"GET", SECRETS "/shown",
         "secrets \"shown\" is forbidden: User \"system:node:n1\" cannot get resource \"secrets\" in API group \"\" "
         "in the namespace \"default\"" UNRELATED},
        {"GET", "/api/v1/secrets?fieldSelector=metadata.name%3Dshown%2Ctype%3Dkubernetes.io%2Ftls",
         "secrets is forbidden: User \"system:node:n1\" cannot list resource \"secrets\" in API group \"\" at the "
         "cluster scope" UNRELATED},
    };
    T_INT(post(INGRESSES,
               "{\"metadata\":{\"name\":\"hidden\"},\"spec\":{\"defaultBackend\":{\"service\":{\"name\":\"s\","
               "\"port\":{\"number\":80}}},\"tls\":[{\"secretName\":\"shown\"}]}}"),
          201);
    T_INT(post(PODS,
               "{\"metadata\":{\"name\":\"mine\"},\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"c\","
               "\"image\":\"i\",\"env\":[{\"name\":\"A\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"env\",\"key\":"
               "\"k\"}}}]}],\"volumes\":[{\"name\":\"v\",\"secret\":{\"secretName\":\"volume\"}},{\"name\":\"p\","
               "\"projected\":{\"sources\":[{\"configMap\":{\"name\":\"projected\"}}]}}]}}"),
          201);
    T_INT(post(PODS,
               "{\"metadata\":{\"name\":\"theirs\"},\"spec\":{\"nodeName\":\"n2\",\"containers\":[{\"name\":\"c\","
               "\"image\":\"i\",\"envFrom\":[{\"secretRef\":{\"name\":\"other\"}}]}]}}"),
          201);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check("system:node:n1", nodes, cases[i].method, cases[i].target, cases[i].want);
    T_INT(post("/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
               "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"podSelector\":{}}}"),
          201);
    check("system:node:n1", nodes, "GET", "/apis/networking.k8s.io/v1/networkpolicies?watch=1", "allowed");
    check("system:node:n1", nodes, "GET", "/api/v1/pods?watch=1", "allowed"); /* to enforce it */
}

/* --- reviews --- */

#define REVIEWS "/apis/authorization.k8s.io/v1"

TEST(reviews_answer_as_the_server_would)
{
    T_INT(post(RBAC "/clusterrolebindings",
               "{\"metadata\":{\"name\":\"see\"},\"roleRef\":" BOUND(
                   "ClusterRole", "system:monitoring") ",\"subjects\":[" BOUND("User", "seer") "]}"),
          201);
    T_INT(post(REVIEWS "/selfsubjectaccessreviews",
               "{\"spec\":{\"resourceAttributes\":{\"verb\":\"escalate\",\"resource\":\"pods\"}}}"),
          201);
    T_JSON(jget(answer.doc, "status"), "{\"allowed\":true}");
    T_INT(post(REVIEWS "/subjectaccessreviews",
               "{\"spec\":{\"user\":\"seer\",\"nonResourceAttributes\":{\"verb\":\"get\",\"path\":\"/metrics\"}}}"),
          201);
    T_JSON(jget(answer.doc, "status"),
           "{\"allowed\":true,\"reason\":\"RBAC: allowed by ClusterRoleBinding \\\"see\\\" of ClusterRole "
           "\\\"system:monitoring\\\" to User \\\"seer\\\"\"}");
    T_INT(post(REVIEWS "/namespaces/default/localsubjectaccessreviews",
               "{\"spec\":{\"groups\":[\"g\"],\"resourceAttributes\":{\"verb\":\"get\",\"resource\":\"pods\","
               "\"namespace\":\"default\"}}}"),
          201);
    T_JSON(jget(answer.doc, "status"), "{\"allowed\":false}");
    T_INT(post(REVIEWS "/subjectaccessreviews", "{\"spec\":{}}"), 422);
    T_STR(text("message"),
          "SubjectAccessReview.authorization.k8s.io \"\" is invalid: [spec.resourceAttributes: Invalid value: null: "
          "exactly one of nonResourceAttributes or resourceAttributes must be specified, spec.user: Invalid value: "
          "\"\": at least one of user or group must be specified]");
    T_INT(post(REVIEWS "/selfsubjectrulesreviews", "{\"spec\":{\"namespace\":\"default\"}}"), 201);
    T_JSON(json_array_get(jget(answer.doc, "status.resourceRules"), 0),
           "{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}");
    T_INT(jbool(answer.doc, "status.incomplete", true), false);
    T_INT(post(REVIEWS "/selfsubjectrulesreviews", "{\"spec\":{}}"), 400);
}

/* --- acting as somebody, giving rights away, nodes --- */

static int ask_acting(const char *header, const char *value, const char *method, const char *target, const char *body)
{
    extra_header = (struct http_header){header, value};
    int code = ask_as(world.admin, method, target, NULL, "application/json", body);
    extra_header = (struct http_header){0};
    return code;
}

TEST(one_may_act_as_somebody)
{
    T_INT(ask_acting("Impersonate-User", "jane", "GET", PODS, NULL), 403);
    T_STR(text("message"), "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the "
                           "namespace \"default\"");
    T_INT(ask_acting("Impersonate-User", "system:serviceaccount:default:a", "POST",
                     "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}"),
          201);
    T_JSON(jget(answer.doc, "status.userInfo"),
           "{\"username\":\"system:serviceaccount:default:a\",\"groups\":[\"system:serviceaccounts\","
           "\"system:serviceaccounts:default\",\"system:authenticated\"]}");
    T_INT(ask_acting("Impersonate-Group", "team", "GET", PODS, NULL), 500);
    extra_header = (struct http_header){"Impersonate-User", "jane"};
    T_INT(ask_as(world.anonymous, "GET", "/version", NULL, NULL, NULL), 403);
    extra_header = (struct http_header){0};
    T_STR(text("message"), "users \"jane\" is forbidden: User \"system:anonymous\" cannot impersonate resource "
                           "\"users\" in API group \"\" at the cluster scope");
}

#define RULE(verbs, resources) "\"rules\":[{\"verbs\":[" verbs "],\"apiGroups\":[\"\"],\"resources\":[" resources "]}]"

TEST(nobody_gives_away_what_they_lack)
{
    T_INT(post(ROLES, "{\"metadata\":{\"name\":\"maker\"},\"rules\":[{\"verbs\":[\"*\"],\"apiGroups\":["
                      "\"rbac.authorization.k8s.io\"],\"resources\":[\"roles\",\"rolebindings\"],\"resourceNames\":[]},"
                      "{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]}"),
          201);
    T_INT(post(ROLES,
               "{\"metadata\":{\"name\":\"writer\"},\"rules\":[{\"verbs\":[\"create\",\"update\"],\"apiGroups\":["
               "\"rbac.authorization.k8s.io\"],\"resources\":[\"roles\",\"rolebindings\"]},"
               "{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]}"),
          201);
    T_INT(post(ROLE_BINDINGS, "{\"metadata\":{\"name\":\"w\"},\"roleRef\":" BOUND(
                                  "Role", "writer") ",\"subjects\":[" BOUND("User", "wendy") "]}"),
          201);
    const struct {
        const char *method, *path, *body;
        int code;
        const char *message;
    } cases[] = {
        {"POST", ROLES, "{\"metadata\":{\"name\":\"less\"}," RULE("\"get\"", "\"pods\"") "}", 201, NULL},
        {"POST", ROLES, "{\"metadata\":{\"name\":\"more\"}," RULE("\"get\",\"list\"", "\"pods\",\"secrets\"") "}", 403,
         "roles.rbac.authorization.k8s.io \"more\" is forbidden: user \"wendy\" (groups=[\"system:authenticated\"]) is "
         "attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], "
         "Verbs:[\"list\"]}\n{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}"},
        {"PUT", ROLES "/maker", "{\"metadata\":{\"name\":\"maker\"}," RULE("\"*\"", "\"*\"") "}", 403, NULL},
        {"POST", ROLE_BINDINGS, "{\"metadata\":{\"name\":\"b\"},\"roleRef\":" BOUND("Role", "less") ",\"subjects\":[]}",
         201, NULL},
        {"POST", ROLE_BINDINGS,
         "{\"metadata\":{\"name\":\"c\"},\"roleRef\":" BOUND("ClusterRole", "cluster-admin") ",\"subjects\":[]}", 403,
         NULL},
        {"POST", ROLE_BINDINGS,
         "{\"metadata\":{\"name\":\"d\"},\"roleRef\":" BOUND("Role", "nowhere") ",\"subjects\":[]}", 404,
         "roles.rbac.authorization.k8s.io \"nowhere\" not found"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        T_INT(ask_acting("Impersonate-User", "wendy", cases[i].method, cases[i].path, cases[i].body), cases[i].code);
        if (cases[i].message)
            T_STR(text("message"), cases[i].message);
    }
}

TEST(a_node_changes_only_itself)
{
    struct user *node = user_new("system:node:n1", nodes);
    _cleanup_json_ json_t *other = json_pack("{s:{s:s}}", "metadata", "name", "n2");
    _cleanup_json_ json_t *self = json_pack("{s:{s:s, s:{s:s, s:s}}}", "metadata", "name", "n1", "labels",
                                            "kubernetes.io/hostname", "n1", "node-restriction.kubernetes.io/a", "b");
    _cleanup_json_ json_t *tainted = json_deep_copy(self);
    jset(tainted, "spec", json_pack("{s:[{s:s}]}", "taints", "key", "k"));
    const struct {
        admit_fn *run;
        const struct kind *kind;
        json_t *doc;
        const json_t *old;
        const char *message;
    } cases[] = {
        {admit_node, &kind_node, other, NULL,
         "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\""},
        {admit_node, &kind_node, self, NULL,
         "nodes \"n1\" is forbidden: is not allowed to set the following labels: node-restriction.kubernetes.io/a"},
        {admit_node, &kind_node, self, self, NULL},
        {admit_node, &kind_node, self, tainted,
         "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify taints"},
        {admit_node_lease, &kind_lease, other, NULL,
         "leases.coordination.k8s.io \"n2\" is forbidden: can only access node lease with the same name as the "
         "requesting node"},
        {admit_node_pod, &kind_pod, self, other, "pods \"n1\" is forbidden: cannot update labels through pod status"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct admission a = {
            .server = world.server, .kind = cases[i].kind, .doc = cases[i].doc, .old = cases[i].old, .user = node};
        _cleanup_json_ json_t *status = cases[i].run(&a);
        T_STR(jstr_or(status, "message", "fine"), cases[i].message ? cases[i].message : "fine");
    }
    user_free(node);
}

/* --- certificates --- */

static void add_entry(X509_NAME *name, const char *field, const char *value)
{
    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0);
}

TEST(the_certificate_names_user_and_groups)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);
    add_entry(subject, "O", "system:nodes");
    add_entry(subject, "O", "other");
    add_entry(subject, "CN", "system:node:n1");
    struct user *u = user_from_cert(cert);
    T_STR(u->name, "system:node:n1");
    T_TRUE(user_in_group(u, "system:nodes") && user_in_group(u, "other") && user_in_group(u, "system:authenticated"));
    T_TRUE(!user_in_group(u, "system:masters"));
    user_free(u);
    X509_free(cert);
}

TEST(without_a_name_one_is_anonymous)
{
    X509 *cert = X509_new();
    add_entry(X509_get_subject_name(cert), "O", "system:masters");
    struct user *u = user_from_cert(cert);
    T_STR(u->name, "system:anonymous");
    T_TRUE(!user_in_group(u, "system:masters") && !user_in_group(u, "system:authenticated"));
    T_TRUE(user_in_group(u, "system:unauthenticated"));
    user_free(u);
    X509_free(cert);
}

int main(void)
{
    make_world();
    RUN(everybody_has_little);
    RUN(roles_give_rights_as_long_as_they_are_bound);
    RUN(a_node_sees_what_its_pods_need);
    RUN(reviews_answer_as_the_server_would);
    RUN(one_may_act_as_somebody);
    RUN(nobody_gives_away_what_they_lack);
    RUN(a_node_changes_only_itself);
    RUN(the_certificate_names_user_and_groups);
    RUN(without_a_name_one_is_anonymous);
    end_world();
    return DONE();
}
