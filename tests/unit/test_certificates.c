/* CertificateSigningRequests on a real server with the controllers of certificates: who gets one, and who does not. */
#include "control/csrsigning.h"
#include "control/list.h"
#include "cert/jws.h"
#include "cert/request.h"
#include "server_world.h"

#define CSRS "/apis/certificates.k8s.io/v1/certificatesigningrequests"

static struct controllers *controllers;
static struct client *manager;

static void start_controllers(void)
{
    static const char *const groups[] = {"system:authenticated", NULL};
    static struct csr_authority authority;
    authority = (struct csr_authority){world.pki.ca_cert, world.pki.ca_key, CSR_SECONDS_DEFAULT};
    manager = server_local_client(world.server, "system:kube-controller-manager", groups);
    controllers = controllers_new(manager);
    controllers_add(controllers, &csrapproving_controller);
    controllers_add(controllers, &csrcleaner_controller);
    controllers_add(controllers, &tokencleaner_controller);
    controllers_add(controllers, &bootstrapsigner_controller);
    controllers_add_with(controllers, &csrsigning_controller, &authority);
    controllers_start(controllers);
}

/* The document of a request for this subject; `names` is NULL-terminated or NULL. */
static json_t *request(const char *name, const char *signer, const char *auth, const struct cert_spec *spec)
{
    EVP_PKEY *key = key_make();
    _cleanup_free_ char *pem = cert_request_make(key, spec), *coded = base64_encode(pem, strlen(pem));
    EVP_PKEY_free(key);
    return json_pack("{s:{s:s}, s:{s:s, s:s, s:[s, s]}}", "metadata", "name", name, "spec", "request", coded,
                     "signerName", signer, "usages", "digital signature", auth);
}

static void on_asked(void *arg, int code, const json_t *body)
{
    (void)body;
    T_INT(code, 201);
    *(bool *)arg = true;
}

static void ask(const char *user, const char *group, json_t *csr_new)
{
    const char *const groups[] = {group, NULL};
    bool done = false;
    struct client *c = server_local_client(world.server, user, groups);
    client_create(c, &kind_certificatesigningrequest, NULL, csr_new, on_asked, &done);
    run_until(&done);
    client_free(c);
    json_decref(csr_new);
}

/* Waits until the member is there. */
static void wait_for(const char *name, const char *path)
{
    _cleanup_free_ char *target = xasprintf(CSRS "/%s", name);
    int64_t limit = clock_mono_ms() + TIME_LIMIT_MS;
    do
        get(target);
    while (!jget(answer.doc, path) && clock_mono_ms() < limit);
    T_TRUE(jget(answer.doc, path) != NULL);
}

static const struct cert_spec node_client = {.common_name = "system:node:n1", .organization = "system:nodes"};

TEST(who_joins_gets_a_client_certificate)
{
    ask("system:bootstrap:abcdef", "system:bootstrappers",
        request("join", "kubernetes.io/kube-apiserver-client-kubelet", "client auth", &node_client));
    wait_for("join", "status.certificate");
    const json_t *approved = json_array_get(jget(answer.doc, "status.conditions"), 0);
    T_STR(jstr(approved, "message"), "Auto approving kubelet client certificate after SubjectAccessReview.");
    T_TRUE(jstr(approved, "lastTransitionTime") != NULL);
    T_STR(text("spec.username"), "system:bootstrap:abcdef");
    T_JSON(jget(answer.doc, "spec.groups"), "[\"system:bootstrappers\",\"system:authenticated\"]");
}

TEST(a_node_renews_its_own)
{
    ask("system:node:n1", "system:nodes",
        request("renew", "kubernetes.io/kube-apiserver-client-kubelet", "client auth", &node_client));
    wait_for("renew", "status.certificate");
    T_STR(jstr(json_array_get(jget(answer.doc, "status.conditions"), 0), "message"),
          "Auto approving self kubelet client certificate after SubjectAccessReview.");
}

TEST(a_node_serves_under_its_own_addresses)
{
    static const char *const own[] = {"n1", "10.0.0.1", NULL}, *const others[] = {"n1", "10.0.0.2", NULL};
    struct cert_spec spec = node_client;
    T_INT(post("/api/v1/nodes", "{\"metadata\":{\"name\":\"n1\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\","
                                "\"address\":\"10.0.0.1\"}]}}"),
          201);
    spec.names = others;
    ask("system:node:n1", "system:nodes", request("greedy", "kubernetes.io/kubelet-serving", "server auth", &spec));
    spec.names = own;
    ask("system:node:n1", "system:nodes", request("serve", "kubernetes.io/kubelet-serving", "server auth", &spec));
    wait_for("serve", "status.certificate");
    T_INT(get(CSRS "/greedy"), 200);
    T_TRUE(!jget(answer.doc, "status.conditions"));
}

TEST(others_wait_for_somebody)
{
    const struct cert_spec jane = {.common_name = "jane", .organization = "dev"};
    json_t *csr = request("jane", "kubernetes.io/kube-apiserver-client", "client auth", &jane);
    ask("jane", "dev", csr);
    T_INT(get(CSRS "/jane"), 200);
    T_TRUE(!jget(answer.doc, "status"));
    json_t *doc = json_deep_copy(answer.doc);
    jset(doc, "status",
         json_pack("{s:[{s:s, s:s, s:s}]}", "conditions", "type", "Approved", "status", "True", "reason", "ByMe"));
    _cleanup_free_ char *approved = jprint(doc);
    json_decref(doc);
    T_INT(put(CSRS "/jane/status", approved), 200); /* but the verdict is not said there */
    T_TRUE(!jget(answer.doc, "status.conditions"));
    T_INT(get(CSRS "/jane"), 200);
    T_INT(put(CSRS "/jane/approval", approved), 200);
    wait_for("jane", "status.certificate");
    T_INT(merge(CSRS "/jane/approval", "{\"status\":{\"conditions\":null}}"), 422);
    T_TRUE(strstr(text("message"), "updates may not remove a condition of type \"Approved\"") != NULL);
    T_INT(merge(CSRS "/jane/status", "{\"status\":{\"certificate\":\"LQ==\"}}"), 422);
    T_INT(merge(CSRS "/jane", "{\"spec\":{\"username\":\"root\"}}"), 200);
    T_STR(text("spec.username"), "jane");
}

TEST(what_is_not_signed)
{
    const struct cert_spec master = {.common_name = "me", .organization = "system:masters"};
    _cleanup_json_ json_t *csr = request("master", "kubernetes.io/kube-apiserver-client", "client auth", &master);
    _cleanup_free_ char *body = jprint(csr);
    T_INT(post(CSRS, body), 403);
    T_STR(text("message"), "certificatesigningrequests.certificates.k8s.io \"master\" is forbidden: use of "
                           "kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
    T_INT(post(CSRS, "{\"metadata\":{\"name\":\"bad\"},\"spec\":{\"request\":\"bm8=\",\"signerName\":\"a.b/c\","
                     "\"usages\":[\"client auth\"]}}"),
          422);
    T_STR(text("details.causes") ? "" : jstr(json_array_get(jget(answer.doc, "details.causes"), 0), "field"),
          "spec.request");
    jset_str(csr, "spec.signerName", "nodomain");
    jset_int(csr, "spec.expirationSeconds", 5);
    _cleanup_free_ char *odd = jprint(csr);
    T_INT(post(CSRS, odd), 422);
    T_INT(json_array_size(jget(answer.doc, "details.causes")), 2);
}

TEST(a_wrong_subject_is_refused_by_the_signer)
{
    const struct cert_spec spec = {.common_name = "jane", .organization = "system:nodes"};
    ask("jane", "dev", request("wrong", "kubernetes.io/kube-apiserver-client-kubelet", "client auth", &spec));
    T_INT(merge(CSRS "/wrong/approval", "{\"status\":{\"conditions\":[{\"type\":\"Approved\",\"status\":\"True\"}]}}"),
          200);
    int64_t limit = clock_mono_ms() + TIME_LIMIT_MS;
    do
        get(CSRS "/wrong");
    while (json_array_size(jget(answer.doc, "status.conditions")) < 2 && clock_mono_ms() < limit);
    const json_t *failed = json_array_get(jget(answer.doc, "status.conditions"), 1);
    T_STR(jstr(failed, "type"), "Failed");
    T_STR(jstr(failed, "reason"), "SignerValidationFailure");
}

TEST(expired_tokens_go)
{
    /* 2020-01-01T00:00:00Z */
    T_INT(post("/api/v1/namespaces/kube-system/secrets",
               "{\"metadata\":{\"name\":\"bootstrap-token-abcdef\"},\"type\":\"bootstrap.kubernetes.io/token\","
               "\"data\":{\"expiration\":\"MjAyMC0wMS0wMVQwMDowMDowMFo=\"}}"),
          201);
    int64_t limit = clock_mono_ms() + TIME_LIMIT_MS;
    int code;
    do
        code = get("/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef");
    while (code == 200 && clock_mono_ms() < limit);
    T_INT(code, 404);
}

#define TOKENS "/api/v1/namespaces/kube-system/secrets"
#define CLUSTER_INFO "/api/v1/namespaces/kube-public/configmaps/cluster-info"
#define SIGNING_TOKEN(id, usage)                                                                                       \
    "{\"metadata\":{\"name\":\"bootstrap-token-" id "\"},\"type\":\"bootstrap.kubernetes.io/token\",\"stringData\":{"  \
    "\"token-id\":\"" id "\",\"token-secret\":\"0123456789abcdef\",\"usage-bootstrap-signing\":\"" usage "\"}}"

/* Whether it is signed with the token, in the end. */
static bool is_signed(const char *id, bool wanted)
{
    _cleanup_free_ char *key = xasprintf("jws-kubeconfig-%s", id);
    int64_t limit = clock_mono_ms() + TIME_LIMIT_MS;
    const char *signature, *text;
    do {
        get(CLUSTER_INFO);
        text = json_string_value(json_object_get(jget(answer.doc, "data"), "kubeconfig"));
        signature = json_string_value(json_object_get(jget(answer.doc, "data"), key));
    } while ((signature && jws_fits(signature, text, id, "0123456789abcdef")) != wanted && clock_mono_ms() < limit);
    return signature != NULL;
}

TEST(cluster_info_is_signed_with_every_token_for_it)
{
    T_INT(post(TOKENS, SIGNING_TOKEN("bbbbbb", "false")), 201);
    T_INT(post(TOKENS, SIGNING_TOKEN("aaaaaa", "true")), 201);
    T_TRUE(is_signed("aaaaaa", true));
    T_TRUE(!is_signed("bbbbbb", false));
    T_INT(put(TOKENS "/bootstrap-token-bbbbbb", SIGNING_TOKEN("bbbbbb", "true")), 200);
    T_TRUE(is_signed("bbbbbb", true));
    T_INT(merge(CLUSTER_INFO, "{\"data\":{\"kubeconfig\":\"changed\",\"mine\":\"stays\"}}"), 200);
    T_TRUE(is_signed("aaaaaa", true));
    T_INT(delete (TOKENS "/bootstrap-token-aaaaaa", NULL), 200);
    T_TRUE(!is_signed("aaaaaa", false));
    T_STR(text("data.mine"), "stays");
}

TEST(the_world_ends)
{
    controllers_free(controllers);
    client_free(manager);
    end_world();
}

int main(void)
{
    make_world();
    start_controllers();
    RUN(who_joins_gets_a_client_certificate);
    RUN(a_node_renews_its_own);
    RUN(a_node_serves_under_its_own_addresses);
    RUN(others_wait_for_somebody);
    RUN(what_is_not_signed);
    RUN(a_wrong_subject_is_refused_by_the_signer);
    RUN(expired_tokens_go);
    RUN(cluster_info_is_signed_with_every_token_for_it);
    RUN(the_world_ends);
    return DONE();
}
