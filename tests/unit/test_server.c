/* server: objects over HTTPS, from the first write to a restart. */
#include "base/str.h"
#include "server/jwt.h"
#include "base/file.h"
#include "server/renew.h"
#include "server_world.h"

#define TOKEN(rv, start) "{\"v\":\"meta.k8s.io/v1\",\"rv\":" #rv ",\"start\":\"" start "\"}"

/* --- the tests --- */

TEST(a_cluster_has_its_own_objects)
{
    /* Durable before anybody asks, so that rights are known: reads see nothing else. */
    T_INT(get("/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin"), 200);
    T_INT(get("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:node-proxier"), 200);
    T_INT(get("/api/v1/namespaces"), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 4);
    T_INT(get(SERVICES "/kubernetes"), 200);
    T_STR(text("spec.clusterIP"), "10.96.0.1");
    T_INT(get("/api/v1/namespaces/default/endpoints/kubernetes"), 200);
    T_STR(jstr(json_array_get(jget(json_array_get(jget(answer.doc, "subsets"), 0), "addresses"), 0), "ip"), ADDRESS);
    T_INT(get("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns"), 200);
    T_INT(get("/api/v1/namespaces/kube-system/services/kube-dns"), 200);
    T_STR(text("spec.clusterIP"), "10.96.0.10");
}

TEST(one_object_through_its_life)
{
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"life\"},\"data\":{\"a\":\"1\"}}"), 201);
    T_STR(text("kind"), "ConfigMap");
    T_STR(text("apiVersion"), "v1");
    T_STR(text("metadata.namespace"), "default");
    T_TRUE(strlen(jstr_or(answer.doc, "metadata.uid", "")) == 36);
    T_TRUE(text("metadata.creationTimestamp") != NULL);
    _cleanup_free_ char *rv1 = xstrdup(jstr_or(answer.doc, "metadata.resourceVersion", ""));
    _cleanup_free_ char *uid = xstrdup(jstr_or(answer.doc, "metadata.uid", ""));

    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"life\"}}"), 409);
    T_STR(text("reason"), "AlreadyExists");
    T_STR(text("message"), "configmaps \"life\" already exists");

    T_INT(put(MAPS "/life", "{\"metadata\":{\"name\":\"life\"},\"data\":{\"a\":\"1\"}}"), 200);
    T_STR(text("metadata.resourceVersion"), rv1); /* nothing changed, nothing written */
    T_INT(put(MAPS "/life", "{\"metadata\":{\"name\":\"life\"},\"data\":{\"a\":\"2\"}}"), 200);
    T_TRUE(!streq(jstr_or(answer.doc, "metadata.resourceVersion", ""), rv1));
    T_STR(text("metadata.uid"), uid);

    _cleanup_free_ char *stale =
        xasprintf("{\"metadata\":{\"name\":\"life\",\"resourceVersion\":\"%s\"},\"data\":{\"a\":\"3\"}}", rv1);
    T_INT(put(MAPS "/life", stale), 409);
    T_STR(text("reason"), "Conflict");
    T_STR(text("message"),
          "Operation cannot be fulfilled on configmaps \"life\": the object has been modified; please apply "
          "your changes to the latest version and try again");

    T_INT(merge(MAPS "/life", "{\"data\":{\"a\":null,\"b\":\"4\"}}"), 200);
    T_JSON(jget(answer.doc, "data"), "{\"b\":\"4\"}");
    T_INT(ask_as(world.admin, "PATCH", MAPS "/life", NULL, "application/json-patch+json",
                 "[{\"op\":\"add\",\"path\":\"/data/c\",\"value\":\"5\"}]"),
          200);
    T_JSON(jget(answer.doc, "data"), "{\"b\":\"4\",\"c\":\"5\"}");

    T_INT(delete (MAPS "/life", "{\"preconditions\":{\"uid\":\"other\"}}"), 409);
    T_INT(delete (MAPS "/life", NULL), 200);
    T_STR(text("kind"), "Status");
    T_STR(text("status"), "Success");
    T_STR(text("details.kind"), "configmaps");
    T_STR(text("details.uid"), uid);
    T_INT(get(MAPS "/life"), 404);
    T_STR(text("message"), "configmaps \"life\" not found");
}

TEST(names_are_made_from_generateName)
{
    T_INT(post(MAPS, "{\"metadata\":{\"generateName\":\"made-\"}}"), 201);
    T_TRUE(str_after(jstr_or(answer.doc, "metadata.name", ""), "made-") != NULL);
    T_INT(strlen(jstr_or(answer.doc, "metadata.name", "")), strlen("made-") + 5);
}

TEST(a_dry_run_writes_nothing)
{
    T_INT(post(MAPS "?dryRun=All", "{\"metadata\":{\"name\":\"dry\"}}"), 201);
    T_STR(text("metadata.name"), "dry");
    T_INT(get(MAPS "/dry"), 404);
    T_INT(post(MAPS "?dryRun=Some", "{\"metadata\":{\"name\":\"dry\"}}"), 400);
}

TEST(errors_have_code_reason_and_words)
{
    static const struct {
        const char *method, *target, *content_type, *body;
        int code;
        const char *reason, *message;
    } cases[] = {
        {"GET", "/api/v1/namespaces/default/nothings", NULL, NULL, 404, "NotFound",
         "the server could not find the requested resource"},
        {"GET", "/nothing", NULL, NULL, 404, "NotFound", "the server could not find the requested resource"},
        {"GET", DEPLOYMENTS "/x", NULL, NULL, 404, "NotFound", "deployments.apps \"x\" not found"},
        {"GET", "/api/v1/namespaces/default/nodes", NULL, NULL, 404, "NotFound",
         "the server could not find the requested resource"},
        {"PUT", MAPS, "application/json", "{}", 405, "MethodNotAllowed",
         "the server does not allow this method on the requested resource"},
        {"POST", MAPS "/x", "application/json", "{}", 405, "MethodNotAllowed",
         "the server does not allow this method on the requested resource"},
        {"POST", MAPS, "application/json", "{\"metadata\":", 400, "BadRequest", NULL},
        {"POST", MAPS, "application/cbor", "k8s", 415, "UnsupportedMediaType",
         "the body of the request was in an unknown format - accepted media types include: application/json, "
         "application/yaml, application/vnd.kubernetes.protobuf"},
        {"PATCH", MAPS "/x", "application/toml-patch", "{}", 415, "UnsupportedMediaType",
         "the body of the request was in an unknown format - accepted media types include: "
         "application/json-patch+json, "
         "application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"},
        {"POST", "/api/v1/namespaces/nowhere/configmaps", "application/json", "{\"metadata\":{\"name\":\"x\"}}", 404,
         "NotFound", "namespaces \"nowhere\" not found"},
        {"POST", MAPS, "application/json",
         "{\"apiVersion\":\"v2\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}}", 400, "BadRequest",
         "the API version in the data (v2) does not match the expected API version (v1)"},
        {"POST", MAPS, "application/json", "{\"metadata\":{\"name\":\"x\",\"namespace\":\"other\"}}", 400, "BadRequest",
         "the namespace of the provided object does not match the namespace sent on the request"},
        {"PUT", SERVICES "/kubernetes", "application/json", "{\"metadata\":{\"name\":\"other\"}}", 400, "BadRequest",
         "the name of the object (other) does not match the name on the URL (kubernetes)"},
        {"POST", MAPS, "application/json", "{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"5\"}}", 400,
         "BadRequest", "resourceVersion should not be set on objects to be created"},
        {"POST", MAPS, "application/json", "{}", 422, "Invalid",
         "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required"},
        {"POST", MAPS "?fieldValidation=Strict", "application/json", "{\"metadata\":{\"name\":\"x\"},\"dota\":{}}", 400,
         "BadRequest",
         "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"dota\""},
        {"GET", PODS "?fieldSelector=spec.nothing%3Dx", NULL, NULL, 400, "BadRequest",
         "field label not supported: spec.nothing"},
        {"GET", PODS "?limit=many", NULL, NULL, 400, "BadRequest", NULL},
        {"GET", PODS "?continue=nonsense", NULL, NULL, 400, "BadRequest",
         "invalid continue token: continue key is not valid: unable to read the token"},
        {"GET", PODS "?continue=e30", NULL, NULL, 400, "BadRequest",
         "invalid continue token: continue key is not valid: server does not recognize this encoded version"},
        {"GET", PODS "?resourceVersion=999999999", NULL, NULL, 504, "Timeout", NULL},
        {"GET", PODS "?resourceVersion=999999999&resourceVersionMatch=Exact", NULL, NULL, 504, "Timeout", NULL},
        {"GET", PODS "?watch=1&resourceVersion=999999999", NULL, NULL, 504, "Timeout", NULL},
        {"GET", PODS "?resourceVersion=x", NULL, NULL, 400, "BadRequest",
         "resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax"},
        {"GET", PODS "?resourceVersionMatch=Exact", NULL, NULL, 422, "Invalid",
         "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden "
         "unless resourceVersion is provided"},
        {"GET", PODS "?resourceVersionMatch=Exact&resourceVersion=0", NULL, NULL, 422, "Invalid",
         "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is "
         "forbidden for resourceVersion \"0\""},
        {"GET", PODS "?resourceVersionMatch=Newest&resourceVersion=1", NULL, NULL, 422, "Invalid",
         "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Unsupported value: \"Newest\": supported "
         "values: \"Exact\", \"NotOlderThan\", \"\""},
        {"GET", PODS "?resourceVersionMatch=Exact&continue=x&resourceVersion=1", NULL, NULL, 422, "Invalid",
         "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden "
         "when continue is provided"},
        {"GET", PODS "?sendInitialEvents=true", NULL, NULL, 422, "Invalid",
         "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for "
         "list"},
        {"GET", PODS "?watch=1&resourceVersionMatch=NotOlderThan", NULL, NULL, 422, "Invalid",
         "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden "
         "for watch unless sendInitialEvents is provided"},
        {"GET", PODS "?watch=1&sendInitialEvents=true", NULL, NULL, 422, "Invalid",
         "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting "
         "resourceVersionMatch to NotOlderThan"},
        {"DELETE", "/api/v1/namespaces/default", NULL, NULL, 403, "Forbidden",
         "namespaces \"default\" is forbidden: this namespace may not be deleted"},
        {"GET", PODS "/x/log", NULL, NULL, 404, "NotFound", "pods \"x\" not found"},
        {"POST", "/api/v1/namespaces/default/serviceaccounts/nobody/token", "application/json", "{}", 404, "NotFound",
         "serviceaccounts \"nobody\" not found"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int code = ask_as(world.admin, cases[i].method, cases[i].target, NULL, cases[i].content_type, cases[i].body);
        if (code != cases[i].code)
            T_FAIL("%s %s: got %d: %s", cases[i].method, cases[i].target, code, buf_str(&answer.body));
        T_STR(text("reason"), cases[i].reason);
        T_INT(jint(answer.doc, "code", 0), cases[i].code);
        if (cases[i].message)
            T_STR(text("message"), cases[i].message);
    }
    T_INT(ask_as(world.admin, "GET", MAPS, "text/html", NULL, NULL), 406);
    T_STR(text("reason"), "NotAcceptable");
    static const char review[] = "{\"spec\":{\"resourceAttributes\":{\"verb\":\"get\",\"resource\":\"pods\"}}}";
    static const char reviews[] = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    static const char table[] = "application/json;as=Table;v=v1;g=meta.k8s.io",
                      or_json[] = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    T_INT(ask_as(world.admin, "POST", reviews, table, "application/json", review), 406);
    T_INT(ask_as(world.admin, "POST", reviews, or_json, "application/json", review), 201);
}

TEST(bodies_that_are_no_objects)
{
    T_INT(post(MAPS, ""), 400);
    T_TRUE(str_after(text("message"), "the object provided is unrecognized (must be of type ConfigMap): couldn't get "
                                      "version/kind; json parse error: ") != NULL);
    T_TRUE(str_ends_with(text("message"), "(<empty>)"));
    T_INT(post(MAPS, "hello"), 400);
    T_TRUE(str_ends_with(text("message"), "(68656c6c6f)"));
    T_INT(post(MAPS, "[]"), 400);
    char *large = xmalloc(2 << 20);
    memset(large, 'x', 2 << 20);
    memcpy(large, "{\"metadata\":{\"name\":\"large\",\"annotations\":{\"a\":\"", 46);
    strcpy(large + (2 << 20) - 5, "\"}}}");
    T_TRUE(post(MAPS, large) >= 400);
    free(large);
    T_INT(get(MAPS "/large"), 404);
}

TEST(unknown_fields_are_warned_of)
{
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"warned\"},\"dota\":{\"a\":\"1\"}}"), 201);
    T_STR(answer.warning, "299 - \"unknown field \\\"dota\\\"\"");
    T_TRUE(!jhas(answer.doc, "dota"));
}

TEST(of_members_named_twice_the_last_counts)
{
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"twice\"},\"data\":{\"a\":\"1\",\"a\":\"2\"}}"), 201);
    T_STR(answer.warning, "299 - \"duplicate field \\\"data.a\\\"\"");
    T_STR(jstr(answer.doc, "data.a"), "2");
    T_INT(post(MAPS "?fieldValidation=Strict", "{\"metadata\":{\"name\":\"strict\",\"name\":\"strict\"}}"), 400);
    T_STR(jstr(answer.doc, "message"), "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: "
                                       "strict decoding error: duplicate field \"metadata.name\"");
}

/* In the order of the text; a member that is unknown is not also a duplicate. YAML says it in its own words, first. */
TEST(strict_complaints_come_together)
{
    T_INT(post(MAPS "?fieldValidation=Strict", "{\"metadata\":{\"name\":\"s\",\"dup\":1,\"dup\":2,\"labels\":{\"a\":"
                                               "\"b\",\"a\":\"c\"}},\"dota\":{},\"data\":{},"
                                               "\"data\":{}}"),
          400);
    T_STR(jstr(answer.doc, "message"),
          "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field "
          "\"metadata.dup\", duplicate field \"metadata.labels.a\", unknown field \"dota\", duplicate field \"data\"");
    static const char yaml[] = "metadata:\n  name: yy\ndota: 1\ndata:\n  a: b\n  a: c\n";
    T_INT(ask_as(world.admin, "POST", MAPS "?fieldValidation=Strict", NULL, "application/yaml", yaml), 400);
    T_STR(
        jstr(answer.doc, "message"),
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal errors:\n"
        "  line 6: key \"a\" already set in map, unknown field \"dota\"");
    T_INT(ask_as(world.admin, "POST", MAPS "?fieldValidation=Ignore", NULL, "application/yaml", yaml), 201);
    T_STR(jstr(answer.doc, "data.a"), "c");
    T_STR(answer.warning, "");
    T_INT(ask_as(world.admin, "PATCH", MAPS "/yy?fieldManager=m&force=true", NULL, "application/apply-patch+yaml",
                 "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: b\n  a: d\n"),
          200);
    T_STR(answer.warning, "299 - \"line 5: key \\\"a\\\" already set in map\"");
    T_INT(ask_as(world.admin, "PATCH", MAPS "/yy?fieldManager=m&fieldValidation=Strict", NULL,
                 "application/apply-patch+yaml", "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: b\n  a: d\n"),
          400);
    T_STR(jstr(answer.doc, "message"), "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal "
                                       "errors:\n  line 5: key \"a\" already set in map");
}

TEST(methods_that_are_not_allowed)
{
    T_INT(ask_as(world.admin, "HEAD", MAPS, NULL, NULL, NULL), 405);
    T_INT(ask_as(world.admin, "HEAD", "/api/v1/namespaces/default", NULL, NULL, NULL), 405);
    T_INT(ask_as(world.admin, "HEAD", "/healthz", NULL, NULL, NULL), 200);
    T_INT(delete ("/api/v1/namespaces", NULL), 405);
    T_INT(put(MAPS, "{}"), 405);
    T_INT(get("/apis/authorization.k8s.io/v1/subjectaccessreviews"), 405);
    T_STR(text("message"), "the server does not allow this method on the requested resource");
    T_STR(text("reason"), "MethodNotAllowed");
}

TEST(yaml_is_read_too)
{
    T_INT(ask_as(world.admin, "POST", MAPS, NULL, "application/yaml",
                 "metadata:\n  name: from-yaml\ndata:\n  a: \"1\"\n"),
          201);
    T_STR(text("data.a"), "1");
}

TEST(anonymous_may_look_at_little)
{
    T_INT(ask_as(world.anonymous, "GET", "/healthz", NULL, NULL, NULL), 200);
    T_STR(buf_str(&answer.body), "ok");
    T_INT(ask_as(world.anonymous, "GET", "/version", NULL, NULL, NULL), 200);
    T_STR(text("major"), "1");
    T_INT(ask_as(world.anonymous, "GET", PODS, NULL, NULL, NULL), 403);
    T_STR(text("message"),
          "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" in the "
          "namespace \"default\"");
}

TEST(lists_come_in_pages)
{
    char body[200], target[600];
    for (int i = 0; i < 5; i++) {
        snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"page-%d\",\"labels\":{\"odd\":\"%d\"}}}", i, i % 2);
        T_INT(post("/api/v1/namespaces/kube-node-lease/configmaps", body), 201);
    }
    T_INT(get("/api/v1/namespaces/kube-node-lease/configmaps?limit=2"), 200);
    T_STR(text("kind"), "ConfigMapList");
    T_INT(json_array_size(jget(answer.doc, "items")), 2);
    T_INT(jint(answer.doc, "metadata.remainingItemCount", -1), 3);
    _cleanup_free_ char *rv = xstrdup(jstr_or(answer.doc, "metadata.resourceVersion", ""));
    size_t seen = 2;
    while (text("metadata.continue")) {
        snprintf(target, sizeof(target), "/api/v1/namespaces/kube-node-lease/configmaps?limit=2&continue=%s",
                 text("metadata.continue"));
        int gone = delete ("/api/v1/namespaces/kube-node-lease/configmaps/page-4", NULL);
        T_INT(gone, seen == 2 ? 200 : 404);
        T_INT(get(target), 200);
        T_STR(text("metadata.resourceVersion"), rv);
        seen += json_array_size(jget(answer.doc, "items"));
    }
    T_INT(seen, 5); /* what the first page's revision held, though the last of them is gone meanwhile */
    T_INT(post("/api/v1/namespaces/kube-node-lease/configmaps", body), 201);
    snprintf(target, sizeof(target), "/api/v1/namespaces/kube-node-lease/configmaps?limit=1&resourceVersion=%s", rv);
    T_INT(get(target), 200);
    T_STR(text("metadata.resourceVersion"), rv); /* a limit makes it that revision exactly */
    snprintf(target, sizeof(target), "/api/v1/namespaces/kube-node-lease/configmaps?resourceVersion=%s", rv);
    T_INT(get(target), 200);
    T_TRUE(!streq(text("metadata.resourceVersion"), rv)); /* not older than it */
    snprintf(target, sizeof(target),
             "/api/v1/namespaces/kube-node-lease/configmaps?resourceVersionMatch=Exact&resourceVersion=%s", rv);
    T_INT(get(target), 200);
    T_STR(text("metadata.resourceVersion"), rv);
    T_INT(get("/api/v1/namespaces/kube-node-lease/configmaps?labelSelector=odd%3D1"), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 2);
    T_INT(get("/api/v1/configmaps?fieldSelector=metadata.name%3Dpage-3"), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 1);
    T_INT(delete ("/api/v1/namespaces/kube-node-lease/configmaps?labelSelector=odd%3D1", NULL), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 2);
    T_INT(get("/api/v1/namespaces/kube-node-lease/configmaps"), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 3);
}

/* A revision of before this start of the server is forgotten for certain. */
TEST(a_token_that_is_too_old_comes_back_as_one_that_goes_on_anyhow)
{
    static const char list[] = "/api/v1/namespaces/kube-node-lease/configmaps";
    char target[600];
    _cleanup_free_ char *old =
        base64url_encode(TOKEN(1, "kube-node-lease/page-0"), strlen(TOKEN(1, "kube-node-lease/page-0")));
    snprintf(target, sizeof(target), "%s?resourceVersion=1&resourceVersionMatch=Exact", list);
    T_INT(get(target), 410);
    T_STR(text("reason"), "Expired");
    T_STR(text("message"), "The resourceVersion for the provided list is too old.");
    snprintf(target, sizeof(target), "%s?limit=1&continue=%s", list, old);
    T_INT(get(target), 410);
    T_STR(text("reason"), "Expired");
    T_TRUE(
        str_after(text("message"), "The provided continue parameter is too old to display a consistent list result."));
    snprintf(target, sizeof(target), "%s?limit=1&continue=%s", list, text("metadata.continue"));
    T_INT(get(target), 200);
    T_STR(jstr(json_array_get(jget(answer.doc, "items"), 0), "metadata.name"), "page-2");
}

TEST(tables_and_metadata)
{
    T_INT(ask_as(world.admin, "GET", SERVICES, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", NULL,
                 NULL),
          200);
    T_STR(text("kind"), "Table");
    T_STR(text("apiVersion"), "meta.k8s.io/v1");
    T_TRUE(json_array_size(jget(answer.doc, "columnDefinitions")) > 0);
    T_TRUE(json_array_size(jget(answer.doc, "rows")) > 0);
    T_INT(ask_as(world.admin, "GET", SERVICES "/kubernetes",
                 "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", NULL, NULL),
          200);
    T_STR(text("kind"), "PartialObjectMetadata");
    T_STR(text("metadata.name"), "kubernetes");
    T_TRUE(!jhas(answer.doc, "spec"));
}

TEST(status_and_spec_have_doors_of_their_own)
{
    T_INT(post(DEPLOYMENTS,
               "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{"
               "\"metadata\":{\"labels\":{\"a\":\"b\"}}," POD_SPEC "}},\"status\":{\"replicas\":7}}"),
          201);
    T_TRUE(!jhas(answer.doc, "status.replicas"));
    T_INT(jint(answer.doc, "metadata.generation", 0), 1);
    T_INT(jint(answer.doc, "spec.replicas", 0), 1);
    T_INT(merge(DEPLOYMENTS "/d/status", "{\"status\":{\"replicas\":1},\"spec\":{\"replicas\":9}}"), 200);
    T_INT(jint(answer.doc, "status.replicas", 0), 1);
    T_INT(jint(answer.doc, "spec.replicas", 0), 1);
    T_INT(jint(answer.doc, "metadata.generation", 0), 1);
    T_INT(merge(DEPLOYMENTS "/d", "{\"status\":{\"replicas\":5},\"spec\":{\"replicas\":3}}"), 200);
    T_INT(jint(answer.doc, "status.replicas", 0), 1);
    T_INT(jint(answer.doc, "spec.replicas", 0), 3);
    T_INT(jint(answer.doc, "metadata.generation", 0), 2);
    T_INT(merge(DEPLOYMENTS "/d", "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}"), 200);
    T_INT(jint(answer.doc, "metadata.generation", 0), 2);
}

TEST(scale_is_a_window_on_replicas)
{
    T_INT(get(DEPLOYMENTS "/d/scale"), 200);
    T_STR(text("kind"), "Scale");
    T_STR(text("apiVersion"), "autoscaling/v1");
    T_STR(text("status.selector"), "a=b");
    T_INT(jint(answer.doc, "spec.replicas", 0), 3);
    _cleanup_free_ char *scale = jprint(answer.doc);
    T_INT(merge(DEPLOYMENTS "/d/scale", "{\"spec\":{\"replicas\":2}}"), 200);
    T_STR(text("kind"), "Scale");
    T_INT(jint(answer.doc, "spec.replicas", 0), 2);
    T_INT(put(DEPLOYMENTS "/d/scale", scale), 409);
    T_STR(text("message"),
          "Operation cannot be fulfilled on deployments.apps \"d\": the object has been modified; please apply "
          "your changes to the latest version and try again");
    T_INT(merge(DEPLOYMENTS "/d/scale", "{\"spec\":{\"replicas\":-1}}"), 422);
    T_INT(get(DEPLOYMENTS "/d"), 200);
    T_INT(jint(answer.doc, "spec.replicas", 0), 2);
    T_INT(jint(answer.doc, "metadata.generation", 0), 3);
    T_INT(get(SERVICES "/kubernetes/scale"), 404);
    T_INT(
        ask_as(world.admin, "GET", DEPLOYMENTS "/d/scale", "application/json;as=Table;v=v1;g=meta.k8s.io", NULL, NULL),
        200);
    T_STR(text("kind"), "Table");
    T_INT(json_integer_value(json_array_get(jget(json_array_get(jget(answer.doc, "rows"), 0), "cells"), 1)), 2);
}

TEST(what_is_computed_when_somebody_asks)
{
    T_INT(get("/api/v1/componentstatuses"), 200);
    T_STR(text("kind"), "ComponentStatusList");
    T_INT(json_array_size(jget(answer.doc, "items")), 3);
    T_INT(get("/api/v1/componentstatuses/scheduler"), 200);
    T_JSON(jget(answer.doc, "conditions"), "[{\"type\":\"Healthy\",\"status\":\"True\",\"message\":\"ok\"}]");
    T_INT(get("/api/v1/componentstatuses/nobody"), 404);
    T_INT(post("/api/v1/componentstatuses", "{\"metadata\":{\"name\":\"x\"}}"), 405);
    T_INT(get("/apis/apiregistration.k8s.io/v1/apiservices/v1.apps"), 200);
    T_STR(text("spec.group"), "apps");
    T_STR(jstr(json_array_get(jget(answer.doc, "status.conditions"), 0), "status"), "True");
    T_INT(get("/apis/apiregistration.k8s.io/v1/apiservices/v1."), 200);
    T_STR(text("spec.version"), "v1");
    T_INT(get("/apis/apiregistration.k8s.io/v1/apiservices/v9.apps"), 404);
    T_INT(get("/readyz/etcd"), 200);
    T_INT(get("/readyz/nothing"), 404);
}

TEST(pods_are_bound_once_and_stop_in_their_time)
{
    T_INT(post("/api/v1/nodes",
               "{\"metadata\":{\"name\":\"n1\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":"
               "\"172.31.255.2\"}]}}"),
          201);
    T_STR(text("spec.podCIDR"), "10.244.0.0/24");
    T_TRUE(json_array_size(jget(answer.doc, "status.addresses")) == 1);
    T_INT(post(PODS, "{\"metadata\":{\"name\":\"p\"}," POD_SPEC "}"), 201);
    T_STR(text("status.phase"), "Pending");
    T_STR(text("spec.serviceAccountName"), "default");
    T_INT(json_array_size(jget(answer.doc, "spec.tolerations")), 2);
    T_INT(get(PODS "/p/log"), 400);
    T_STR(text("message"), "pod p does not have a host assigned");
    T_INT(post(PODS "/p/binding", "{\"target\":{\"kind\":\"Node\",\"name\":\"n1\"}}"), 201);
    T_STR(text("status"), "Success");
    T_INT(post(PODS "/p/binding", "{\"target\":{\"kind\":\"Node\",\"name\":\"n2\"}}"), 409);
    T_STR(text("message"),
          "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n1\"");
    T_INT(get(PODS "/p"), 200);
    T_STR(text("spec.nodeName"), "n1");
    T_STR(jstr(jfind(jget(answer.doc, "status.conditions"), "type", "PodScheduled"), "status"), "True");
    T_INT(get(PODS "?fieldSelector=spec.nodeName%3Dn1"), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 1);
    T_INT(get(PODS "/p/log?container=other"), 400);
    T_STR(text("message"), "container other is not valid for pod p");

    T_INT(delete (PODS "/p", NULL), 200);
    T_STR(text("kind"), "Pod");
    T_INT(jint(answer.doc, "metadata.deletionGracePeriodSeconds", 0), 30);
    T_TRUE(text("metadata.deletionTimestamp") != NULL);
    T_INT(delete (PODS "/p", "{\"gracePeriodSeconds\":60}"), 200); /* it can only get shorter */
    T_INT(jint(answer.doc, "metadata.deletionGracePeriodSeconds", 0), 30);
    T_INT(delete (PODS "/p?gracePeriodSeconds=0", NULL), 200);
    T_INT(get(PODS "/p"), 404);

    T_INT(post(PODS, "{\"metadata\":{\"name\":\"unbound\"}," POD_SPEC "}"), 201);
    T_INT(delete (PODS "/unbound", NULL), 200);
    T_INT(get(PODS "/unbound"), 404);
}

TEST(ephemeral_containers_are_only_added)
{
#define EPHEMERAL PODS "/debugged/ephemeralcontainers"
    T_INT(post(PODS, "{\"metadata\":{\"name\":\"debugged\"}," POD_SPEC "}"), 201);
    T_INT(ask_as(world.admin, "PATCH", EPHEMERAL, NULL, PATCH_STRATEGIC,
                 "{\"spec\":{\"ephemeralContainers\":[{\"name\":\"a\",\"image\":\"i\"}],\"nodeName\":\"x\"}}"),
          200);
    T_STR(jstr(json_array_get(jget(answer.doc, "spec.ephemeralContainers"), 0), "imagePullPolicy"), "Always");
    T_STR(text("spec.nodeName"), NULL);
    T_INT(ask_as(
              world.admin, "PATCH", EPHEMERAL, NULL, "application/json-patch+json",
              "[{\"op\":\"add\",\"path\":\"/spec/ephemeralContainers/-\",\"value\":{\"name\":\"b\",\"image\":\"i\"}}]"),
          200);
    T_INT(get(EPHEMERAL), 200);
    T_INT(json_array_size(jget(answer.doc, "spec.ephemeralContainers")), 2);
    T_INT(merge(EPHEMERAL, "{\"spec\":{\"ephemeralContainers\":[]}}"), 422);
    T_INT(put(EPHEMERAL,
              "{\"apiVersion\":\"v1\",\"kind\":\"EphemeralContainers\",\"ephemeralContainers\":[{\"name\":\"d\","
              "\"image\":\"i\"}]}"),
          200); /* as kubectl 1.20 says it */
    T_INT(json_array_size(jget(answer.doc, "spec.ephemeralContainers")), 3);
    T_INT(merge(PODS "/debugged", "{\"spec\":{\"ephemeralContainers\":null}}"), 422);
    T_INT(delete (PODS "/debugged?gracePeriodSeconds=0", NULL), 200);
}

TEST(which_container_must_be_clear)
{
    T_INT(
        post(PODS,
             "{\"metadata\":{\"name\":\"two\"},\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"a\",\"image\":"
             "\"i\"},{\"name\":\"b\",\"image\":\"i\"}],\"initContainers\":[{\"name\":\"z\",\"image\":\"i\"}]}}"),
        201);
    T_INT(get(PODS "/two/log"), 400);
    T_STR(text("message"),
          "a container name must be specified for pod two, choose one of: [a b] or one of the init containers: "
          "[z]");
    T_INT(get(PODS "/two/exec?command=ls"), 400);
    T_INT(delete (PODS "/two?gracePeriodSeconds=0", NULL), 200);
}

TEST(finalizers_hold_an_object)
{
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"held\",\"finalizers\":[\"example.com/hold\"]}}"), 201);
    T_INT(delete (MAPS "/held", NULL), 200);
    T_STR(text("kind"), "ConfigMap");
    T_TRUE(text("metadata.deletionTimestamp") != NULL);
    T_INT(get(MAPS "/held"), 200);
    T_INT(merge(MAPS "/held", "{\"metadata\":{\"finalizers\":null}}"), 200);
    T_INT(get(MAPS "/held"), 404);
    T_INT(delete (DEPLOYMENTS "/d", "{\"propagationPolicy\":\"Foreground\"}"), 200);
    T_JSON(jget(answer.doc, "metadata.finalizers"), "[\"foregroundDeletion\"]");
    T_INT(delete (DEPLOYMENTS "/d", "{\"propagationPolicy\":\"Orphan\"}"), 200);
    T_JSON(jget(answer.doc, "metadata.finalizers"), "[\"orphan\"]");
    T_INT(delete (DEPLOYMENTS "/d", "{\"propagationPolicy\":\"Background\"}"), 200);
    T_INT(get(DEPLOYMENTS "/d"), 404);
}

TEST(namespaces_end_by_their_finalizer)
{
    T_INT(post("/api/v1/namespaces", "{\"metadata\":{\"name\":\"brief\"}}"), 201);
    T_STR(text("status.phase"), "Active");
    T_JSON(jget(answer.doc, "spec.finalizers"), "[\"kubernetes\"]");
    T_STR(json_string_value(json_object_get(jget(answer.doc, "metadata.labels"), "kubernetes.io/metadata.name")),
          "brief");
    T_INT(delete ("/api/v1/namespaces/brief", NULL), 200);
    T_STR(text("status.phase"), "Terminating");
    _cleanup_json_ json_t *ending = json_deep_copy(answer.doc);
    T_INT(post("/api/v1/namespaces/brief/configmaps", "{\"metadata\":{\"name\":\"late\"}}"), 403);
    T_STR(text("message"),
          "configmaps \"late\" is forbidden: unable to create new content in namespace brief because it is "
          "being terminated");
    jset(ending, "spec.finalizers", json_array());
    _cleanup_free_ char *body = jprint(ending);
    T_INT(put("/api/v1/namespaces/brief/finalize", body), 200);
    T_INT(get("/api/v1/namespaces/brief"), 404);
}

TEST(services_get_what_they_need)
{
    T_INT(post(SERVICES,
               "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":"
               "30123}]}}"),
          201);
    _cleanup_free_ char *ip = xstrdup(jstr_or(answer.doc, "spec.clusterIP", ""));
    T_TRUE(str_after(ip, "10.96.") != NULL);
    T_INT(post(SERVICES,
               "{\"metadata\":{\"name\":\"s2\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":"
               "30123}]}}"),
          422);
    T_STR(text("message"),
          "Service \"s2\" is invalid: spec.ports[0].nodePort: Invalid value: 30123: provided port is already "
          "allocated");
    T_INT(put(SERVICES "/s",
              "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80}]}}"),
          200);
    T_STR(text("spec.clusterIP"), ip);
    T_INT(jint(json_array_get(jget(answer.doc, "spec.ports"), 0), "nodePort", 0), 30123);
    T_INT(delete (SERVICES "/s", NULL), 200);
    T_INT(post(SERVICES,
               "{\"metadata\":{\"name\":\"s2\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":"
               "30123}]}}"),
          201);
    T_INT(delete (SERVICES "/s2", NULL), 200);
}

TEST(what_the_server_says_about_itself)
{
    T_INT(get("/api"), 200);
    T_STR(text("kind"), "APIVersions");
    T_INT(get("/apis"), 200);
    T_STR(text("kind"), "APIGroupList");
    T_INT(get("/apis/apps"), 200);
    T_INT(get("/apis/apps/v1"), 200);
    T_STR(text("kind"), "APIResourceList");
    T_INT(get("/apis/nothing/v1"), 404);
    T_INT(ask_as(world.admin, "GET", "/apis",
                 "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", NULL, NULL),
          200);
    T_STR(text("kind"), "APIGroupDiscoveryList");
    T_INT(get("/openapi/v2"), 200);
    T_STR(text("swagger"), "2.0");
    T_INT(get("/openapi/v3"), 200);
    T_INT(get("/openapi/v3/apis/apps/v1"), 200);
    T_INT(get("/readyz?verbose"), 200);
    T_TRUE(str_ends_with(buf_str(&answer.body), "readyz check passed\n"));
    T_INT(get("/metrics"), 200);
    T_TRUE(strstr(buf_str(&answer.body), "apiserver_storage_objects{resource=\"deployments.apps\"}") != NULL);
}

TEST(a_restart_keeps_everything)
{
    T_INT(post(SERVICES, "{\"metadata\":{\"name\":\"kept\"},\"spec\":{\"ports\":[{\"port\":80}]}}"), 201);
    _cleanup_free_ char *body =
        xasprintf("{\"metadata\":{\"name\":\"thief\"},\"spec\":{\"clusterIP\":\"%s\",\"ports\":[{\"port\":80}]}}",
                  text("spec.clusterIP"));
    stop_server();
    start_server();
    T_INT(get(SERVICES "/kept"), 200);
    T_INT(post(SERVICES, body), 422);
    /* A revision from before is no longer remembered: list again. */
    struct reply stream = {0};
    call(&stream, world.admin, "GET", MAPS "?watch=1&resourceVersion=3", NULL, NULL, NULL);
    _cleanup_json_ json_t *event = next_event(&stream);
    T_STR(jstr(event, "type"), "ERROR");
    T_INT(jint(event, "object.code", 0), 410);
    T_STR(jstr(event, "object.reason"), "Expired");
    T_TRUE(str_after(jstr(event, "object.message"), "too old resource version: 3 (") != NULL);
    run_until(&stream.done);
    buf_done(&stream.body);
}

static void count_renewal(void *arg, bool changed)
{
    *(int *)arg += changed ? 100 : 1;
}

TEST(its_certificates_are_renewed_while_it_runs)
{
    struct err err;
    int seen = 0;
    struct pki *p = &world.pki;
    server_on_renewed(world.server, count_renewal, &seen);
    renew_certificates(world.server);
    T_INT(seen, 1);
    X509 *before = X509_dup(SSL_CTX_get0_certificate(world.server->tls));
    T_INT(file_write_atomic(p->server_cert, "", 0, 0644, &err), 0);
    renew_certificates(world.server);
    T_INT(seen, 101);
    T_TRUE(X509_cmp(before, SSL_CTX_get0_certificate(world.server->tls)) != 0);
    T_INT(get("/api/v1/nodes"), 200);
    X509_free(before);
}

TEST(the_world_ends)
{
    end_world();
}

int main(void)
{
    make_world();
    RUN(a_cluster_has_its_own_objects);
    RUN(one_object_through_its_life);
    RUN(names_are_made_from_generateName);
    RUN(a_dry_run_writes_nothing);
    RUN(errors_have_code_reason_and_words);
    RUN(bodies_that_are_no_objects);
    RUN(unknown_fields_are_warned_of);
    RUN(of_members_named_twice_the_last_counts);
    RUN(strict_complaints_come_together);
    RUN(methods_that_are_not_allowed);
    RUN(yaml_is_read_too);
    RUN(anonymous_may_look_at_little);
    RUN(lists_come_in_pages);
    RUN(tables_and_metadata);
    RUN(status_and_spec_have_doors_of_their_own);
    RUN(scale_is_a_window_on_replicas);
    RUN(what_is_computed_when_somebody_asks);
    RUN(pods_are_bound_once_and_stop_in_their_time);
    RUN(ephemeral_containers_are_only_added);
    RUN(which_container_must_be_clear);
    RUN(finalizers_hold_an_object);
    RUN(namespaces_end_by_their_finalizer);
    RUN(services_get_what_they_need);
    RUN(what_the_server_says_about_itself);
    RUN(a_restart_keeps_everything);
    RUN(a_token_that_is_too_old_comes_back_as_one_that_goes_on_anyhow);
    RUN(its_certificates_are_renewed_while_it_runs);
    RUN(the_world_ends);
    return DONE();
}
