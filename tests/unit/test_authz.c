/* server: who asks, and what they may. */
#include "server/authz.h"

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
                                  "team") ",{\"kind\":\"ServiceAccount\",\"name\":\"a\",\"namespace\":\"default\"}]}"),
          201);
    check("u", NULL, "GET", PODS, "allowed");
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
        {"PATCH", "/api/v1/nodes/n2/status",
         "nodes \"n2\" is forbidden: User \"system:node:n1\" cannot patch resource \"nodes/status\" in API group \"\" "
         "at "
         "the cluster scope" UNRELATED},
        {"PATCH", DEPLOYMENTS "/d",
         "deployments.apps \"d\" is forbidden: User \"system:node:n1\" cannot patch resource \"deployments\" in API "
         "group "
         "\"apps\" in the namespace \"default\""},
        {"GET", "/apis/discovery.k8s.io/v1/endpointslices", "allowed"},
    };
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
    RUN(the_certificate_names_user_and_groups);
    RUN(without_a_name_one_is_anonymous);
    end_world();
    return DONE();
}
