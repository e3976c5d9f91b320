/* server: who asks, and what they may. */
#include "base/alloc.h"
#include "json/json.h"
#include "server/authz.h"
#include "t.h"

static const char *const masters[] = {"system:masters", NULL}, *const nodes[] = {"system:nodes", NULL};
static const char *const accounts[] = {"system:serviceaccounts", NULL};

/* "allowed", or the message of the 403. The caller frees. */
static char *ask(const struct user *u, const char *method, const char *path, bool watch)
{
    struct request_path what;
    T_TRUE(request_path_parse(path, &what));
    unsigned verb = request_verb(method, *what.name, watch);
    char *answer = xstrdup("allowed");
    if (!authorized(u, verb, &what, path)) {
        _cleanup_json_ json_t *status = forbidden_status(u, verb, method, &what, path);
        T_INT(jint(status, "code", 0), 403);
        free(answer);
        answer = xstrdup(jstr(status, "message"));
    }
    request_path_done(&what);
    return answer;
}

TEST(rules_decide)
{
    struct user *admin = user_new("kubernetes-admin", masters), *node = user_new("system:node:n1", nodes);
    struct user *manager = user_new("system:kube-controller-manager", NULL), *anonymous = user_from_cert(NULL);
    struct user *nobody = user_new("x", NULL), *account = user_new("system:serviceaccount:default:default", accounts);
    const struct {
        const struct user *user;
        const char *method, *path;
        const char *want;
    } cases[] = {
        {admin, "DELETE", "/api/v1/namespaces/default/pods", "allowed"},
        {admin, "GET", "/metrics", "allowed"},
        {manager, "POST", "/apis/apps/v1/namespaces/default/replicasets", "allowed"},
        {node, "GET", "/api/v1/pods", "allowed"},
        {node, "PATCH", "/api/v1/namespaces/default/pods/p/status", "allowed"},
        {node, "PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1", "allowed"},
        {node, "DELETE", "/api/v1/namespaces/default/pods/p", "allowed"},
        {node, "PUT", "/api/v1/namespaces/default/secrets/s",
         "secrets \"s\" is forbidden: User \"system:node:n1\" cannot update resource \"secrets\" in API group \"\" in "
         "the "
         "namespace \"default\""},
        {node, "PATCH", "/apis/apps/v1/namespaces/default/deployments/d",
         "deployments.apps \"d\" is forbidden: User \"system:node:n1\" cannot patch resource \"deployments\" in API "
         "group "
         "\"apps\" in the namespace \"default\""},
        {nobody, "GET", "/api/v1/namespaces/default/pods",
         "pods is forbidden: User \"x\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""},
        {nobody, "GET", "/api/v1/nodes",
         "nodes is forbidden: User \"x\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"},
        {nobody, "POST", "/api/v1/namespaces/default/pods/p/exec",
         "pods \"p\" is forbidden: User \"x\" cannot create resource \"pods/exec\" in API group \"\" in the namespace "
         "\"default\""},
        {nobody, "GET", "/apis", "allowed"},
        {nobody, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "allowed"},
        {nobody, "POST", "/apis/authentication.k8s.io/v1/tokenreviews",
         "tokenreviews.authentication.k8s.io is forbidden: User \"x\" cannot create resource \"tokenreviews\" in API "
         "group \"authentication.k8s.io\" at the cluster scope"},
        {nobody, "GET", "/openid/v1/jwks", "forbidden: User \"x\" cannot get path \"/openid/v1/jwks\""},
        {account, "GET", "/openid/v1/jwks", "allowed"},
        {account, "POST", "/api/v1/namespaces/default/serviceaccounts/default/token",
         "serviceaccounts \"default\" is forbidden: User \"system:serviceaccount:default:default\" cannot create "
         "resource \"serviceaccounts/token\" in API group \"\" in the namespace \"default\""},
        {node, "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", "allowed"},
        {nobody, "GET", "/openapi/v3/api/v1", "allowed"},
        {nobody, "GET", "/metrics", "forbidden: User \"x\" cannot get path \"/metrics\""},
        {anonymous, "GET", "/healthz", "allowed"},
        {anonymous, "GET", "/version", "allowed"},
        {anonymous, "GET", "/api", "forbidden: User \"system:anonymous\" cannot get path \"/api\""},
        {anonymous, "GET", "/api/v1/namespaces/default/pods",
         "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" in the "
         "namespace "
         "\"default\""},
        {anonymous, "POST", "/healthz", "forbidden: User \"system:anonymous\" cannot post path \"/healthz\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *got = ask(cases[i].user, cases[i].method, cases[i].path, false);
        T_STR(got, cases[i].want);
    }
    user_free(admin);
    user_free(node);
    user_free(manager);
    user_free(anonymous);
    user_free(nobody);
    user_free(account);
}

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
    RUN(rules_decide);
    RUN(the_certificate_names_user_and_groups);
    RUN(without_a_name_one_is_anonymous);
    return DONE();
}
