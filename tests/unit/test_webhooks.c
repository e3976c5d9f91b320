/* server/webhook_match.h: who is asked, in what words, and what answers mean. */
#include "server/webhook_match.h"

#include <string.h>

#include "base/str.h"
#include "json/json.h"
#include "doc.h"

static const char pod_text[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"namespace\":\"n\","
    "\"labels\":{\"app\":\"web\"}}}";

/* Whether a webhook with this rule and these further members is asked about the creation of a pod. */
static bool asked(const char *rule, const char *more, const char *sub)
{
    _cleanup_free_ char *text = xasprintf("{\"name\":\"a.b.c\",\"matchPolicy\":\"Equivalent\",\"namespaceSelector\":{},"
                                          "\"objectSelector\":{},\"rules\":[%s]}",
                                          rule);
    _cleanup_json_ json_t *webhook = t_doc(text), *extra = t_doc(more), *doc = t_doc(pod_text);
    _cleanup_json_ json_t *ns = t_doc("{\"metadata\":{\"name\":\"n\",\"labels\":{\"team\":\"a\"}}}");
    json_object_update(webhook, extra);
    const struct webhook_question q = {
        .operation = "CREATE", .version = &kind_pod, .ns = "n", .name = "p", .sub = sub, .namespace = ns, .doc = doc};
    return webhook_match(webhook, &q) != NULL;
}

#define RULE(ops, resources)                                                                                           \
    "{\"operations\":[" ops "],\"apiGroups\":[\"\"],\"apiVersions\":[\"v1\"],\"resources\":[" resources                \
    "],\"scope\":\"*\"}"

TEST(rules_choose_requests)
{
    T_TRUE(asked(RULE("\"CREATE\"", "\"pods\""), "{}", ""));
    T_TRUE(asked(RULE("\"*\"", "\"*\""), "{}", ""));
    T_TRUE(!asked(RULE("\"UPDATE\"", "\"pods\""), "{}", ""));
    T_TRUE(!asked(RULE("\"CREATE\"", "\"services\""), "{}", ""));
    T_TRUE(!asked(RULE("\"CREATE\"", "\"pods\""), "{}", "status"));
    T_TRUE(asked(RULE("\"CREATE\"", "\"pods/status\""), "{}", "status"));
    T_TRUE(asked(RULE("\"CREATE\"", "\"*/*\""), "{}", "status") && asked(RULE("\"CREATE\"", "\"*/*\""), "{}", ""));
    T_TRUE(asked(RULE("\"CREATE\"", "\"pods/*\""), "{}", "status"));
    T_TRUE(!asked("{\"operations\":[\"*\"],\"apiGroups\":[\"*\"],\"apiVersions\":[\"*\"],\"resources\":[\"*\"],"
                  "\"scope\":\"Cluster\"}",
                  "{}", ""));
}

TEST(selectors_choose_objects)
{
    static const char rule[] = RULE("\"*\"", "\"pods\"");
    T_TRUE(asked(rule, "{\"objectSelector\":{\"matchLabels\":{\"app\":\"web\"}}}", ""));
    T_TRUE(!asked(rule, "{\"objectSelector\":{\"matchLabels\":{\"app\":\"db\"}}}", ""));
    T_TRUE(asked(rule, "{\"namespaceSelector\":{\"matchLabels\":{\"team\":\"a\"}}}", ""));
    T_TRUE(!asked(rule, "{\"namespaceSelector\":{\"matchLabels\":{\"team\":\"b\"}}}", ""));
}

TEST(another_version_of_the_kind_matches_too)
{
    _cleanup_json_ json_t *webhook = t_doc(
        "{\"matchPolicy\":\"Equivalent\",\"namespaceSelector\":{},\"objectSelector\":{},\"rules\":[{\"operations\":"
        "[\"*\"],\"apiGroups\":[\"networking.k8s.io\"],\"apiVersions\":[\"v1\"],\"resources\":[\"ingresses\"]}]}");
    _cleanup_json_ json_t *doc = t_doc("{\"metadata\":{}}");
    const struct webhook_question q = {
        .operation = "CREATE", .version = &kind_ingress_extensions, .ns = "n", .name = "", .sub = "", .doc = doc};
    T_TRUE(webhook_match(webhook, &q) == &kind_ingress);
    jset_str(webhook, "matchPolicy", "Exact");
    T_TRUE(webhook_match(webhook, &q) == NULL);
}

static json_t *review(const char *version)
{
    static char *groups[] = {"g", NULL};
    static struct user user = {.name = "u", .groups = groups};
    _cleanup_free_ char *text = xasprintf("{\"admissionReviewVersions\":[\"v9\",\"%s\"]}", version);
    _cleanup_json_ json_t *webhook = t_doc(text), *doc = t_doc(pod_text);
    const struct webhook_question q = {
        .operation = "CREATE", .version = &kind_pod, .ns = "n", .name = "p", .sub = "", .doc = doc, .user = &user};
    return webhook_review(webhook, &kind_pod, &q, "U");
}

TEST(a_review_says_it_all)
{
    _cleanup_json_ json_t *r = review("v1beta1");
    T_STR(jstr(r, "apiVersion"), "admission.k8s.io/v1beta1");
    T_STR(jstr(r, "request.uid"), "U");
    T_JSON(jget(r, "request.resource"), "{\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"}");
    T_JSON(jget(r, "request.userInfo"), "{\"username\":\"u\",\"groups\":[\"g\"]}");
    T_STR(jstr(r, "request.object.metadata.name"), "p");
    T_TRUE(jhas(r, "request.oldObject") && !jget(r, "request.oldObject"));
}

static const char *answered(const char *text)
{
    static char said[700];
    struct err err = {0};
    struct webhook_answer a;
    _cleanup_json_ json_t *r = review("v1");
    if (webhook_answer_read("a.b.c", r, text, strlen(text), &a, &err) < 0)
        snprintf(said, sizeof(said), "error: %s", err.msg);
    else if (a.refusal)
        snprintf(said, sizeof(said), "%d: %s", (int)jint(a.refusal, "code", 0), jstr(a.refusal, "message"));
    else
        snprintf(said, sizeof(said), "allowed, %zu changes, %zu warnings", json_array_size(a.patch),
                 json_array_size(a.warnings));
    webhook_answer_done(&a);
    return said;
}

#define ANSWER(response)                                                                                               \
    "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"response\":" response "}"

TEST(answers_are_read)
{
    T_STR(answered(ANSWER("{\"uid\":\"U\",\"allowed\":true,\"warnings\":[\"w\"]}")), "allowed, 0 changes, 1 warnings");
    /* [{"op":"remove","path":"/a"}] */
    T_STR(answered(ANSWER("{\"uid\":\"U\",\"allowed\":true,\"patchType\":\"JSONPatch\",\"patch\":"
                          "\"W3sib3AiOiJyZW1vdmUiLCJwYXRoIjoiL2EifV0=\"}")),
          "allowed, 1 changes, 0 warnings");
    T_STR(answered(ANSWER("{\"uid\":\"U\",\"allowed\":false,\"status\":{\"message\":\"no\",\"code\":403}}")),
          "403: admission webhook \"a.b.c\" denied the request: no");
    T_STR(answered(ANSWER("{\"uid\":\"U\",\"allowed\":false}")),
          "400: admission webhook \"a.b.c\" denied the request without explanation");
    T_STR(answered(ANSWER("{\"uid\":\"V\",\"allowed\":true}")), "error: expected response.uid=\"U\", got \"V\"");
    T_STR(answered(ANSWER("{\"uid\":\"U\",\"allowed\":true,\"patch\":\"W10=\"}")),
          "error: webhook returned response.patch but not response.patchType");
    T_STR(answered("{\"response\":{\"allowed\":true}}"),
          "error: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got , Kind=");
    T_TRUE(str_after(answered("hello"), "error: ") != NULL);
}

int main(void)
{
    RUN(rules_choose_requests);
    RUN(selectors_choose_objects);
    RUN(another_version_of_the_kind_matches_too);
    RUN(a_review_says_it_all);
    RUN(answers_are_read);
    return DONE();
}
