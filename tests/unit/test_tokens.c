/* server: tokens of ServiceAccounts, from the request to what they open; and what pods get of them. */
#include "server_world.h"

#define ACCOUNTS "/api/v1/namespaces/default/serviceaccounts"
#define TOKEN ACCOUNTS "/default/token"

/* --- helpers --- */

/* Asks with this token and without a certificate. */
static int get_with(const char *token, const char *target)
{
    _cleanup_free_ char *header = xasprintf("Bearer %s", token);
    bearer_header = header;
    int code = ask_as(world.anonymous, "GET", target, NULL, NULL, NULL);
    bearer_header = NULL;
    return code;
}

static char *new_token(const char *account, const char *spec)
{
    _cleanup_free_ char *path = xasprintf(ACCOUNTS "/%s/token", account), *body = xasprintf("{\"spec\":%s}", spec);
    T_INT(post(path, body), 201);
    return xstrdup(text("status.token") ? text("status.token") : "");
}

static void make_account(const char *name)
{
    _cleanup_free_ char *body = xasprintf("{\"metadata\":{\"name\":\"%s\"}}", name);
    T_INT(post(ACCOUNTS, body), 201);
}

/* Returns its uid. */
static char *make_pod(const char *name, const char *more)
{
    _cleanup_free_ char *body = xasprintf("{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s\"containers\":[{\"name\":\"c\","
                                          "\"image\":\"i\"}]}}",
                                          name, more);
    T_INT(post(PODS, body), 201);
    return xstrdup(text("metadata.uid") ? text("metadata.uid") : "");
}

/* --- tokens --- */

TEST(a_token_is_its_account)
{
    _cleanup_free_ char *token = new_token("default", "{}");
    T_STR(text("kind"), "TokenRequest");
    T_STR(text("apiVersion"), "authentication.k8s.io/v1");
    T_STR(text("metadata.name"), "default");
    T_INT(jint(answer.doc, "spec.expirationSeconds", 0), 3600);
    T_STR(json_string_value(json_array_get(jget(answer.doc, "spec.audiences"), 0)),
          "https://kubernetes.default.svc.cluster.local");
    T_TRUE(text("status.expirationTimestamp") != NULL);
    T_INT(get_with(token, "/version"), 200);
    T_INT(get_with(token, "/apis"), 200);
    T_INT(get_with(token, PODS), 403);
    T_STR(text("message"), "pods is forbidden: User \"system:serviceaccount:default:default\" cannot list resource "
                           "\"pods\" in API group \"\" in the namespace \"default\"");
    T_INT(get_with(token, "/.well-known/openid-configuration"), 200);
    T_STR(text("issuer"), "https://kubernetes.default.svc.cluster.local");
    T_STR(text("jwks_uri"), "https://" ADDRESS ":6443/openid/v1/jwks");
    T_INT(get_with(token, "/openid/v1/jwks"), 200);
    T_STR(jstr(json_array_get(jget(answer.doc, "keys"), 0), "alg"), "ES256");
}

TEST(a_bad_token_is_nobody)
{
    static const char *const bad[] = {"x", "a.b.c", "e30.e30.e30"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        T_INT(get_with(bad[i], "/version"), 401);
        T_STR(text("reason"), "Unauthorized");
        T_STR(text("message"), "Unauthorized");
    }
    _cleanup_free_ char *for_others = new_token("default", "{\"audiences\":[\"vault\"]}");
    T_INT(get_with(for_others, "/version"), 401);
    T_INT(get_with("", "/version"), 200); /* as anonymous */
    bearer_header = "Basic YTpi";
    T_INT(ask_as(world.anonymous, "GET", "/api", NULL, NULL, NULL), 403);
    bearer_header = "Bearer x"; /* a certificate goes first */
    T_INT(get("/api"), 200);
    bearer_header = NULL;
}

TEST(a_token_dies_with_its_account)
{
    make_account("mortal");
    _cleanup_free_ char *token = new_token("mortal", "{}");
    T_INT(get_with(token, "/version"), 200);
    T_INT(delete (ACCOUNTS "/mortal", NULL), 200);
    T_INT(get_with(token, "/version"), 401);
    make_account("mortal"); /* another one */
    T_INT(get_with(token, "/version"), 401);
}

TEST(a_token_dies_with_its_pod)
{
    _cleanup_free_ char *uid = make_pod("owner", "");
    _cleanup_free_ char *spec = xasprintf(
        "{\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"name\":\"owner\",\"uid\":\"%s\"}}", uid);
    _cleanup_free_ char *token = new_token("default", spec);
    T_INT(get_with(token, "/version"), 200);
    T_INT(delete (PODS "/owner", "{\"gracePeriodSeconds\":0}"), 200);
    T_INT(get_with(token, "/version"), 401);
}

TEST(a_token_dies_with_its_secret)
{
#define KEPT "/api/v1/namespaces/default/secrets"
    T_INT(post(KEPT, "{\"metadata\":{\"name\":\"owner\"}}"), 201);
    _cleanup_free_ char *token =
        new_token("default", "{\"boundObjectRef\":{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"name\":\"owner\"}}");
    T_INT(get_with(token, "/version"), 200);
    T_INT(delete (KEPT "/owner", NULL), 200);
    T_INT(get_with(token, "/version"), 401);
    T_INT(post(KEPT, "{\"metadata\":{\"name\":\"owner\"}}"), 201); /* another one */
    T_INT(get_with(token, "/version"), 401);
}

TEST(requests_that_are_refused)
{
    make_account("refused");
    _cleanup_free_ char *uid = make_pod("target", "");
    static const struct {
        const char *account, *spec;
        int code;
        const char *message;
    } cases[] = {
        {"nobody", "{}", 404, "serviceaccounts \"nobody\" not found"},
        {"default", "{\"expirationSeconds\":599}", 422,
         "TokenRequest.authentication.k8s.io \"default\" is invalid: spec.expirationSeconds: Invalid value: 599: may "
         "not specify a duration less than 10 minutes"},
        {"default", "{\"expirationSeconds\":4294967297}", 422,
         "TokenRequest.authentication.k8s.io \"default\" is invalid: spec.expirationSeconds: Invalid value: "
         "4294967297: may not specify a duration larger than 2^32 seconds"},
        {"default", "{\"boundObjectRef\":{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"name\":\"x\"}}", 400,
         "cannot bind token to object of type v1, Kind=ConfigMap"},
        {"default", "{\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"name\":\"x\"}}", 404,
         "pods \"x\" not found"},
        {"default", "{\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"name\":\"target\",\"uid\":\"u\"}}",
         409,
         "Operation cannot be fulfilled on Pod \"target\": the UID in the bound object reference (u) does not match "
         "the "
         "UID in record. The object might have been deleted and then recreated"},
        {"refused", "{\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"name\":\"target\"}}", 400,
         "cannot bind token for serviceaccount \"refused\" to pod running with different serviceaccount name."},
        {"default", "{\"audiences\":\"x\"}", 400, NULL},
        {"default", "[]", 400, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *path = xasprintf(ACCOUNTS "/%s/token", cases[i].account);
        _cleanup_free_ char *body = xasprintf("{\"spec\":%s}", cases[i].spec);
        T_INT(post(path, body), cases[i].code);
        if (cases[i].message)
            T_STR(text("message"), cases[i].message);
    }
    T_INT(get(TOKEN), 405);
    T_INT(post(TOKEN, "{\"kind\":\"Pod\"}"), 400);
    T_INT(delete (PODS "/target", "{\"gracePeriodSeconds\":0}"), 200);
}

TEST(reviews_say_who)
{
#define REVIEWS "/apis/authentication.k8s.io/v1/"
    _cleanup_free_ char *token = new_token("default", "{\"audiences\":[\"vault\",\"other\"]}");
    _cleanup_free_ char *good = xasprintf("{\"spec\":{\"token\":\"%s\",\"audiences\":[\"vault\"]}}", token);
    _cleanup_free_ char *wrong = xasprintf("{\"spec\":{\"token\":\"%s\"}}", token);
    T_INT(post(REVIEWS "tokenreviews", good), 201);
    T_TRUE(jbool(answer.doc, "status.authenticated", false));
    T_STR(text("status.user.username"), "system:serviceaccount:default:default");
    T_JSON(jget(answer.doc, "status.audiences"), "[\"vault\"]");
    T_JSON(jget(answer.doc, "status.user.groups"),
           "[\"system:serviceaccounts\",\"system:serviceaccounts:default\",\"system:authenticated\"]");
    T_INT(post(REVIEWS "tokenreviews", wrong), 201);
    T_TRUE(!jhas(answer.doc, "status.authenticated"));
    T_STR(text("status.error"), "the token is not meant for this audience");
    T_INT(post(REVIEWS "tokenreviews", "{}"), 400);
    T_INT(post(REVIEWS "selfsubjectreviews", "{}"), 201);
    T_STR(text("status.userInfo.username"), "kubernetes-admin");
    T_INT(get(REVIEWS "tokenreviews"), 405);
    T_INT(ask_as(world.anonymous, "POST", REVIEWS "selfsubjectreviews", NULL, "application/json", "{}"), 403);
}

/* --- nodes --- */

struct question {
    int code;
    char message[400];
    bool done;
};

static void on_answer(void *arg, int code, const json_t *body)
{
    struct question *q = arg;
    q->code = code;
    snprintf(q->message, sizeof(q->message), "%s", jstr_or(body, "message", ""));
    q->done = true;
}

static void check_node(struct client *node, const char *ref, int code, const char *message)
{
    struct question q = {0};
    _cleanup_free_ char *text_of = xasprintf("{\"spec\":{%s}}", ref);
    _cleanup_json_ json_t *body = json_loads(text_of, 0, NULL);
    node->ops->request(node, "POST", TOKEN, "application/json", body, on_answer, &q);
    run_until(&q.done);
    T_INT(q.code, code);
    T_STR(q.message, message);
}

TEST(a_node_acts_for_its_own_pods)
{
    static const char *const nodes[] = {"system:nodes", NULL};
    struct client *here = server_local_client(world.server, "system:node:here", nodes);
    struct client *there = server_local_client(world.server, "system:node:there", nodes);
    _cleanup_free_ char *uid = make_pod("placed", "\"nodeName\":\"here\",");
    _cleanup_free_ char *ref = xasprintf(
        "\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"name\":\"placed\",\"uid\":\"%s\"}", uid);
    check_node(here, ref, 201, "");
    check_node(
        there, ref, 403,
        "serviceaccounts \"default\" is forbidden: User \"system:node:there\" cannot create resource "
        "\"serviceaccounts/token\" in API group \"\" in the namespace \"default\": no relationship found between "
        "node 'there' and this object");
    check_node(here, "", 403, "serviceaccounts \"default\" is forbidden: node requested token not bound to a pod");
    check_node(here, "\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"name\":\"placed\"}", 403,
               "serviceaccounts \"default\" is forbidden: node requested token with a pod binding without a uid");
    client_free(here);
    client_free(there);
    T_INT(delete (PODS "/placed", "{\"gracePeriodSeconds\":0}"), 200);
}

/* --- pods --- */

static const json_t *first(const char *path)
{
    return json_array_get(jget(answer.doc, path), 0);
}

TEST(a_pod_gets_its_accounts_token)
{
    T_INT(post(PODS,
               "{\"metadata\":{\"name\":\"full\"},\"spec\":{\"initContainers\":[{\"name\":\"i\",\"image\":\"i\"}],"
               "\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"own\",\"image\":\"i\","
               "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":"
               "\"/var/run/secrets/kubernetes.io/serviceaccount\"}]}],\"volumes\":[{\"name\":\"v\"}]}}"),
          201);
    T_STR(text("spec.serviceAccountName"), "default");
    T_STR(text("spec.serviceAccount"), "default");
    const json_t *volume = json_array_get(jget(answer.doc, "spec.volumes"), 1);
    const char *name = jstr_or(volume, "name", "");
    T_TRUE(str_after(name, "kube-api-access-") && strlen(name) == strlen("kube-api-access-") + 5);
    T_JSON(
        jget(volume, "projected"),
        "{\"defaultMode\":420,\"sources\":[{\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}},"
        "{\"configMap\":{\"items\":[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}],\"name\":\"kube-root-ca.crt\"}},"
        "{\"downwardAPI\":{\"items\":[{\"fieldRef\":{\"apiVersion\":\"v1\",\"fieldPath\":\"metadata.namespace\"},"
        "\"path\":\"namespace\"}]}}]}");
    static const char *const lists[] = {"spec.initContainers", "spec.containers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const json_t *mount = json_array_get(jget(first(lists[i]), "volumeMounts"), 0);
        T_STR(jstr(mount, "name"), name);
        T_STR(jstr(mount, "mountPath"), "/var/run/secrets/kubernetes.io/serviceaccount");
        T_TRUE(jbool(mount, "readOnly", false));
    }
    const json_t *own = json_array_get(jget(answer.doc, "spec.containers"), 1);
    T_INT(json_array_size(jget(own, "volumeMounts")), 1);
}

TEST(who_says_no_gets_none)
{
    static const struct {
        const char *account; /* automountServiceAccountToken of each; NULL: not said */
        const char *pod;
        bool mounted;
    } cases[] = {
        {NULL, NULL, true},   {NULL, "false", false},  {"false", NULL, false},
        {"true", NULL, true}, {"false", "true", true}, {"true", "false", false},
    };
    make_account("says");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *change =
            xasprintf("{\"automountServiceAccountToken\":%s}", cases[i].account ? cases[i].account : "null");
        _cleanup_free_ char *name = xasprintf("says-%zu", i);
        _cleanup_free_ char *more = xasprintf("\"automountServiceAccountToken\":%s,\"serviceAccountName\":\"says\",",
                                              cases[i].pod ? cases[i].pod : "null");
        T_INT(merge(ACCOUNTS "/says", change), 200);
        _cleanup_free_ char *uid = make_pod(name, more);
        T_INT(json_array_size(jget(answer.doc, "spec.volumes")), cases[i].mounted);
        T_INT(json_array_size(jget(first("spec.containers"), "volumeMounts")), cases[i].mounted);
    }
}

TEST(the_account_must_exist)
{
    T_INT(post(PODS, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"serviceAccountName\":\"ghost\",\"containers\":[{"
                     "\"name\":\"c\",\"image\":\"i\"}]}}"),
          403);
    T_STR(text("message"), "pods \"p\" is forbidden: error looking up service account default/ghost: serviceaccount "
                           "\"ghost\" not found");
    T_INT(merge(ACCOUNTS "/default", "{\"imagePullSecrets\":[{\"name\":\"registry\"}]}"), 200);
    _cleanup_free_ char *uid = make_pod("pulls", "");
    T_STR(jstr(first("spec.imagePullSecrets"), "name"), "registry");
}

/* --- tokens with which nodes join --- */

#define SECRETS "/api/v1/namespaces/kube-system/secrets"
#define JOIN_SECRET(id, more)                                                                                          \
    "{\"metadata\":{\"name\":\"bootstrap-token-" id "\"},\"type\":\"bootstrap.kubernetes.io/token\",\"stringData\":{"  \
    "\"token-id\":\"" id "\",\"token-secret\":\"0123456789abcdef\"," more "}}"
#define FOR_JOINING "\"usage-bootstrap-authentication\":\"true\""

TEST(newcomers_come_with_a_token)
{
    static const struct {
        const char *token, *more; /* more NULL: no Secret */
        int code;
    } cases[] = {
        {"aaaaaa.0123456789abcdef", FOR_JOINING, 403}, /* known, and may do nothing with pods */
        {"bbbbbb.0123456789abcdef", "\"usage-bootstrap-signing\":\"true\"", 401},
        {"cccccc.0123456789abcdef", FOR_JOINING ",\"expiration\":\"2020-01-01T00:00:00Z\"", 401},
        {"dddddd.0123456789abcdef", FOR_JOINING ",\"expiration\":\"soon\"", 401},
        {"eeeeee.0123456789abcdef", FOR_JOINING ",\"expiration\":\"2099-01-01T00:00:00Z\"", 403},
        {"ffffff.0123456789abcdef", FOR_JOINING ",\"auth-extra-groups\":\"system:masters\"", 401},
        {"aaaaaa.0123456789abcdee", NULL, 401},
        {"gggggg.0123456789abcdef", NULL, 401},
        {"AAAAAA.0123456789abcdef", NULL, 401},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *id = xstrndup(cases[i].token, 6);
        _cleanup_free_ char *body = cases[i].more ? xasprintf(JOIN_SECRET("%s", "%s"), id, id, cases[i].more) : NULL;
        if (body)
            T_INT(post(SECRETS, body), 201);
        T_INT(get_with(cases[i].token, PODS), cases[i].code);
    }
    T_INT(put(SECRETS "/bootstrap-token-aaaaaa",
              JOIN_SECRET("aaaaaa",
                          FOR_JOINING ",\"auth-extra-groups\":\"system:bootstrappers:a,system:bootstrappers:b-c\"")),
          200);
    T_INT(post(REVIEWS "tokenreviews", "{\"spec\":{\"token\":\"aaaaaa.0123456789abcdef\"}}"), 201);
    T_JSON(jget(answer.doc, "status.user"),
           "{\"username\":\"system:bootstrap:aaaaaa\",\"groups\":[\"system:bootstrappers\",\"system:bootstrappers:a\","
           "\"system:bootstrappers:b-c\",\"system:authenticated\"]}");
}

int main(void)
{
    make_world();
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"first\"}}"), 201); /* the default roles are durable before this is */
    RUN(a_token_is_its_account);
    RUN(a_bad_token_is_nobody);
    RUN(a_token_dies_with_its_account);
    RUN(a_token_dies_with_its_pod);
    RUN(a_token_dies_with_its_secret);
    RUN(requests_that_are_refused);
    RUN(reviews_say_who);
    RUN(a_node_acts_for_its_own_pods);
    RUN(a_pod_gets_its_accounts_token);
    RUN(who_says_no_gets_none);
    RUN(the_account_must_exist);
    RUN(newcomers_come_with_a_token);
    end_world();
    return DONE();
}
