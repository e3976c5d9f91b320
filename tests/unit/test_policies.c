/* ValidatingAdmissionPolicies over a whole server: what they refuse, by which words, with which parameters. */
#include "base/str.h"
#include "kinds/admissionexpr.h"
#include "server_world.h"

#define GROUP "/apis/admissionregistration.k8s.io/v1"
#define POLICIES GROUP "/validatingadmissionpolicies"
#define BINDINGS GROUP "/validatingadmissionpolicybindings"
#define CONFIGMAPS "/api/v1/namespaces/default/configmaps"

#define ABOUT_MAPS                                                                                                     \
    "\"matchConstraints\":{\"resourceRules\":[{\"operations\":[\"CREATE\",\"UPDATE\",\"DELETE\"],\"apiGroups\":["      \
    "\"\"],"                                                                                                           \
    "\"apiVersions\":[\"v1\"],\"resources\":[\"configmaps\"]}]}"

/* About ConfigMaps, unless the spec says something else. */
static int policy(const char *name, const char *spec)
{
    bool own = strstr(spec, "matchConstraints") != NULL;
    _cleanup_free_ char *body = xasprintf("{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s%s%s}}", name,
                                          own ? "" : ABOUT_MAPS, own ? "" : ",", spec);
    return post(POLICIES, body);
}

static int binding(const char *name, const char *more)
{
    _cleanup_free_ char *body =
        xasprintf("{\"metadata\":{\"name\":\"%s-b\"},\"spec\":{\"policyName\":\"%s\",%s}}", name, name, more);
    return post(BINDINGS, body);
}

static void forget(const char *name)
{
    _cleanup_free_ char *p = xasprintf(POLICIES "/%s", name), *b = xasprintf(BINDINGS "/%s-b", name);
    T_INT(delete (p, NULL), 200);
    T_INT(delete (b, NULL), 200);
}

static int map(const char *name, const char *data)
{
    _cleanup_free_ char *body = xasprintf("{\"metadata\":{\"name\":\"%s\"},\"data\":{%s}}", name, data);
    return post(CONFIGMAPS, body);
}

#define DENY "\"validationActions\":[\"Deny\"]"

TEST(what_is_not_true_is_refused)
{
    T_INT(policy("few",
                 "\"validations\":[{\"expression\":\"request.operation == 'DELETE' || size(object.?data.orValue({"
                 "})) <= 2\"}]"),
          201);
    T_INT(map("before", "\"a\":\"1\",\"b\":\"2\",\"c\":\"3\""), 201); /* nothing is bound */
    T_INT(binding("few", DENY), 201);
    T_INT(map("many", "\"a\":\"1\",\"b\":\"2\",\"c\":\"3\""), 422);
    T_STR(text("message"),
          "configmaps \"many\" is forbidden: ValidatingAdmissionPolicy 'few' with binding 'few-b' denied request: "
          "failed expression: request.operation == 'DELETE' || size(object.?data.orValue({})) <= 2");
    T_STR(text("reason"), "Invalid");
    T_INT(map("some", "\"a\":\"1\""), 201);
    T_INT(merge(CONFIGMAPS "/some", "{\"data\":{\"b\":\"2\",\"c\":\"3\"}}"), 422);
    T_INT(merge(CONFIGMAPS "/some", "{\"data\":{\"b\":\"2\"}}"), 200);
    T_INT(delete (CONFIGMAPS "/before", NULL), 200);
    forget("few");
    T_INT(map("many", "\"a\":\"1\",\"b\":\"2\",\"c\":\"3\""), 201);
}

TEST(messages_reasons_variables_and_conditions)
{
    T_INT(policy("v", "\"matchConditions\":[{\"name\":\"not-mine\",\"expression\":\"request.name != 'mine'\"}],"
                      "\"variables\":[{\"name\":\"n\",\"expression\":\"size(object.data)\"},"
                      "{\"name\":\"twice\",\"expression\":\"variables.n * 2\"}],"
                      "\"validations\":[{\"expression\":\"variables.twice < 4\",\"reason\":\"Forbidden\","
                      "\"messageExpression\":\"'twice is ' + string(variables.twice)\"}]"),
          201);
    T_INT(binding("v", DENY), 201);
    T_INT(map("x", "\"a\":\"1\",\"b\":\"2\""), 403);
    T_TRUE(strstr(text("message"), "denied request: twice is 4"));
    T_INT(map("mine", "\"a\":\"1\",\"b\":\"2\""), 201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"y\"}}"), 422);
    T_TRUE(strstr(text("message"), "expression 'variables.twice < 4' resulted in error: no such key: data"));
    T_INT(merge(POLICIES "/v", "{\"spec\":{\"failurePolicy\":\"Ignore\"}}"), 200);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"y\"}}"), 201);
    T_INT(merge(BINDINGS "/v-b", "{\"spec\":{\"validationActions\":[\"Warn\"]}}"), 200);
    T_INT(map("x", "\"a\":\"1\",\"b\":\"2\""), 201);
    T_STR(answer.warning,
          "299 - \"Validation failed for ValidatingAdmissionPolicy 'v' with binding 'v-b': twice is 4\"");
    forget("v");
}

TEST(parameters)
{
    T_INT(policy("p", "\"paramKind\":{\"apiVersion\":\"v1\",\"kind\":\"Secret\"},"
                      "\"matchConditions\":[{\"name\":\"c\",\"expression\":\"request.operation == 'CREATE'\"}],"
                      "\"validations\":[{\"expression\":\"size(object.data) <= int(params.metadata.labels.max)\"}]"),
          201);
    T_INT(binding("p", "\"paramRef\":{\"name\":\"limit\",\"parameterNotFoundAction\":\"Deny\"}," DENY), 201);
    T_INT(map("p1", "\"a\":\"1\""), 422);
    T_TRUE(strstr(text("message"),
                  "denied request: failed to configure binding: no params found for policy binding with "
                  "`Deny` parameterNotFoundAction"));
    T_INT(post("/api/v1/namespaces/default/secrets",
               "{\"metadata\":{\"name\":\"limit\",\"labels\":{\"max\":\"1\",\"is\":\"it\"}}}"),
          201);
    T_INT(map("p1", "\"a\":\"1\""), 201);
    T_INT(map("p2", "\"a\":\"1\",\"b\":\"2\""), 422);
    T_INT(merge(BINDINGS "/p-b",
                "{\"spec\":{\"paramRef\":{\"name\":null,\"selector\":{\"matchLabels\":{\"is\":\"it\"}},"
                "\"namespace\":\"default\"}}}"),
          200);
    T_INT(map("p2", "\"a\":\"1\",\"b\":\"2\""), 422);
    T_INT(merge(BINDINGS "/p-b", "{\"spec\":{\"paramRef\":{\"selector\":{\"matchLabels\":{\"is\":\"not\"}},"
                                 "\"parameterNotFoundAction\":\"Allow\"}}}"),
          200);
    T_INT(map("p2", "\"a\":\"1\",\"b\":\"2\""), 201);
    forget("p");
}

TEST(selectors_and_authorizer)
{
    T_INT(policy("a",
                 "\"validations\":[{\"expression\":\"authorizer.group('').resource('secrets').namespace('default')."
                 "check('delete').allowed() && namespaceObject.metadata.name == 'default'\"},"
                 "{\"expression\":\"!authorizer.serviceAccount('default', 'nobody').group('').resource('pods').check("
                 "'get').allowed()\"},{\"expression\":\"false\",\"message\":\"never\"}]"),
          201);
    T_INT(binding("a",
                  "\"matchResources\":{\"objectSelector\":{\"matchLabels\":{\"mark\":\"yes\"}},"
                  "\"excludeResourceRules\":[{\"operations\":[\"*\"],\"apiGroups\":[\"\"],\"apiVersions\":[\"v1\"],"
                  "\"resources\":[\"configmaps\"],\"resourceNames\":[\"free\"]}]}," DENY),
          201);
    T_INT(map("a1", ""), 201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"free\",\"labels\":{\"mark\":\"yes\"}}}"), 201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"a2\",\"labels\":{\"mark\":\"yes\"}}}"), 422);
    T_TRUE(strstr(text("message"), "denied request: never"));
    forget("a");
}

/* What is scaled, bound, evicted or connected to is shown as what was sent. */
TEST(subresources)
{
    static const char pod[] =
        "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}";
    T_INT(post("/api/v1/namespaces/default/pods", pod), 201);
    T_INT(post("/apis/apps/v1/namespaces/default/deployments",
               "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":0,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},"
               "\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\","
               "\"image\":\"i\"}]}}}}"),
          201);
    T_INT(policy("s", "\"matchConstraints\":{\"resourceRules\":[{\"operations\":[\"*\"],\"apiGroups\":[\"*\"],"
                      "\"apiVersions\":[\"*\"],\"resources\":[\"*/scale\",\"pods/exec\",\"pods/eviction\"]}]},"
                      "\"validations\":[{\"expression\":\"object.kind == 'Scale' && object.spec.replicas < 5\","
                      "\"messageExpression\":\"request.operation + ' ' + object.kind + ' ' + request.subResource\"}]"),
          201);
    T_INT(binding("s", DENY), 201);
    T_INT(put("/apis/apps/v1/namespaces/default/deployments/d/scale", "{\"spec\":{\"replicas\":4}}"), 200);
    T_INT(put("/apis/apps/v1/namespaces/default/deployments/d/scale", "{\"spec\":{\"replicas\":6}}"), 422);
    T_TRUE(strstr(text("message"), "denied request: UPDATE Scale scale"));
    T_INT(get("/api/v1/namespaces/default/pods/p/exec?command=ls&stdout=true"), 422);
    T_TRUE(strstr(text("message"), "denied request: CONNECT PodExecOptions exec"));
    T_INT(post("/api/v1/namespaces/default/pods/p/eviction", "{\"metadata\":{\"name\":\"p\"}}"), 422);
    T_TRUE(strstr(text("message"), "denied request: CREATE Eviction eviction"));
    forget("s");
}

TEST(policies_that_cannot_be)
{
    T_INT(policy("w", "\"validations\":[{\"expression\":\"object.x ==\"}]"), 422);
    T_TRUE(strstr(text("message"),
                  "spec.validations[0].expression: Invalid value: \"object.x ==\": compilation failed: "
                  "ERROR: <input>:1:12: Syntax error"));
    T_INT(policy("w", "\"validations\":[{\"expression\":\"params.x == 1\"}]"), 422);
    T_TRUE(strstr(text("message"), "undeclared reference to 'params'"));
    T_INT(policy("w", "\"validations\":[{\"expression\":\"variables.x == 1\"}]"), 422);
    T_TRUE(strstr(text("message"), "undefined field 'x'"));
    T_INT(policy("w", "\"validations\":[{\"expression\":\"1\"}]"), 422);
    T_TRUE(strstr(text("message"), "must evaluate to bool"));
    T_INT(policy("w", "\"failurePolicy\":\"Fail\""), 422);
    T_TRUE(strstr(text("message"), "validations or auditAnnotations must contain at least one item"));
    T_INT(binding("w", "\"validationActions\":[\"Deny\",\"Warn\"]"), 422);
    T_TRUE(strstr(text("message"), "must not contain both Deny and Warn"));
    T_INT(binding("w", "\"paramRef\":{\"parameterNotFoundAction\":\"Deny\"}," DENY), 422);
    T_TRUE(strstr(text("message"), "one of name or selector must be specified"));
}

static void T_WARNINGS(const char *validations, const char *wanted)
{
    _cleanup_free_ char *text =
        xasprintf("{\"spec\":{\"matchConstraints\":{\"resourceRules\":[{\"apiGroups\":[\"apps\"],\"apiVersions\":["
                  "\"v1\"],\"resources\":[\"deployments\",\"*\",\"deployments/scale\"]}]},\"variables\":[{\"name\":"
                  "\"n\",\"expression\":\"object.spec.replicas\"}],\"validations\":%s}}",
                  validations);
    _cleanup_json_ json_t *doc = json_loads(text, 0, NULL), *warnings = admission_policy_warnings(doc);
    T_JSON(warnings, wanted);
}

/* What is written down as status.typeChecking. */
TEST(expressions_are_held_against_the_kinds_they_are_about)
{
    T_WARNINGS("[{\"expression\":\"object.spec.replicas > 1 && object.metadata.namespace != 'x' && variables.n > 0 && "
               "object.metadata.labels['a'] == 'b' && object.spec.template.spec.containers.all(c, c.image != '')\"}]",
               "[]");
    T_WARNINGS("[{\"expression\":\"object.spec.replicas > '1'\",\"messageExpression\":\"'got ' + "
               "object.spec.replicas\"},{\"expression\":\"variables.n == 'x'\"},{\"expression\":"
               "\"object.spec.nothing == 1\"}]",
               "[{\"fieldRef\":\"spec.validations[0].expression\",\"warning\":\"apps/v1, Kind=Deployment: ERROR: "
               "<input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\\n"
               " | object.spec.replicas > '1'\\n | .....................^\"},"
               "{\"fieldRef\":\"spec.validations[1].expression\",\"warning\":\"apps/v1, Kind=Deployment: ERROR: "
               "<input>:1:13: found no matching overload for '_==_' applied to '(int, string)'\\n"
               " | variables.n == 'x'\\n | ............^\"},"
               "{\"fieldRef\":\"spec.validations[2].expression\",\"warning\":\"apps/v1, Kind=Deployment: ERROR: "
               "<input>:1:12: undefined field 'nothing'\\n | object.spec.nothing == 1\\n | ...........^\"},"
               "{\"fieldRef\":\"spec.validations[0].messageExpression\",\"warning\":\"apps/v1, Kind=Deployment: "
               "ERROR: <input>:1:8: found no matching overload for '_+_' applied to '(string, int)'\\n"
               " | 'got ' + object.spec.replicas\\n | .......^\"}]");
}

int main(void)
{
    make_world();
    RUN(what_is_not_true_is_refused);
    RUN(messages_reasons_variables_and_conditions);
    RUN(parameters);
    RUN(selectors_and_authorizer);
    RUN(subresources);
    RUN(policies_that_cannot_be);
    RUN(expressions_are_held_against_the_kinds_they_are_about);
    end_world();
    return DONE();
}
