/* server/apply.c and manager.c: server-side apply over HTTPS, and who is told to own what. */
#include "server_world.h"

#define APPLY "application/apply-patch+yaml"
#define DEPLOYMENTS "/apis/apps/v1/namespaces/default/deployments"

static int apply(const char *target, const char *body)
{
    return ask_as(world.admin, "PATCH", target, NULL, APPLY, body);
}

/* The entry of a manager, of the last answer. */
static const json_t *entry(const char *manager)
{
    return jfind(jget(answer.doc, "metadata.managedFields"), "manager", manager);
}

static char *revision(void)
{
    return xstrdup(jstr_or(answer.doc, "metadata.resourceVersion", ""));
}

#define MAP(name, data) "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name "}\ndata: {" data "}\n"
#define WEB(spec)                                                                                                      \
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"},\"spec\":{" spec              \
    "\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},"      \
    "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"

TEST(applying_creates_then_changes_then_nothing)
{
    T_INT(apply(MAPS "/one?fieldManager=me", MAP("one", "a: '1', b: '2'")), 201);
    T_STR(text("data.a"), "1");
    T_STR(jstr(entry("me"), "operation"), "Apply");
    T_JSON(jget(entry("me"), "fieldsV1"), "{\"f:data\":{\"f:a\":{},\"f:b\":{}}}");
    _cleanup_free_ char *first = revision();
    T_INT(apply(MAPS "/one?fieldManager=me", MAP("one", "a: '1', b: '2'")), 200);
    T_STR(text("metadata.resourceVersion"), first);
    T_INT(apply(MAPS "/one?fieldManager=me", MAP("one", "a: '3'")), 200);
    T_JSON(jget(answer.doc, "data"), "{\"a\":\"3\"}");
    T_TRUE(!streq(first, text("metadata.resourceVersion")));
}

TEST(what_only_looks_new_changes_nothing)
{
    static const char *const secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\ntype: Opaque\n";
    T_INT(apply("/api/v1/namespaces/default/secrets/s?fieldManager=me", secret), 201);
    T_STR(text("data.a"), "Yg==");
    _cleanup_free_ char *first = revision();
    T_INT(apply("/api/v1/namespaces/default/secrets/s?fieldManager=me", secret), 200);
    T_STR(text("metadata.resourceVersion"), first);
}

TEST(a_dry_run_says_what_would_be)
{
    T_INT(apply(MAPS "/dry?fieldManager=me&dryRun=All", MAP("dry", "a: '1'")), 201);
    T_TRUE(entry("me") != NULL);
    T_INT(get(MAPS "/dry"), 404);
}

TEST(defaults_belong_to_nobody)
{
    T_INT(apply(DEPLOYMENTS "/web?fieldManager=me", WEB("\"replicas\":3,")), 201);
    T_INT(jint(answer.doc, "spec.progressDeadlineSeconds", 0), 600);
    T_JSON(
        jget(entry("me"), "fieldsV1"),
        "{\"f:spec\":{\"f:replicas\":{},\"f:selector\":{},\"f:template\":{\"f:metadata\":{\"f:labels\":{\"f:app\":{}}},"
        "\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"c\\\"}\":{\".\":{},\"f:name\":{},\"f:image\":{}}}}}}}");
    _cleanup_free_ char *first = revision();
    T_INT(apply(DEPLOYMENTS "/web?fieldManager=me", WEB("\"replicas\":3,")), 200);
    T_STR(text("metadata.resourceVersion"), first);
}

TEST(scaling_takes_the_number_over)
{
    T_INT(merge(DEPLOYMENTS "/web/scale?fieldManager=scaler", "{\"spec\":{\"replicas\":5}}"), 200);
    T_INT(get(DEPLOYMENTS "/web"), 200);
    T_STR(jstr(entry("scaler"), "subresource"), "scale");
    T_JSON(jget(entry("scaler"), "fieldsV1"), "{\"f:spec\":{\"f:replicas\":{}}}");
    T_INT(apply(DEPLOYMENTS "/web?fieldManager=me", WEB("\"replicas\":3,")), 409);
    T_STR(text("reason"), "Conflict");
    T_STR(text("message"),
          "Apply failed with 1 conflict: conflict with \"scaler\" with subresource \"scale\" using apps/v1: "
          ".spec.replicas");
    T_JSON(jget(answer.doc, "details.causes"), "[{\"reason\":\"FieldManagerConflict\",\"field\":\".spec.replicas\","
                                               "\"message\":\"conflict with \\\"scaler\\\" with "
                                               "subresource \\\"scale\\\" using apps/v1\"}]");
    T_INT(apply(DEPLOYMENTS "/web?fieldManager=me", WEB("")), 200);
    T_INT(jint(answer.doc, "spec.replicas", 0), 5); /* the scaler's */
    T_INT(apply(DEPLOYMENTS "/web?fieldManager=me&force=true", WEB("\"replicas\":3,")), 200);
    T_INT(jint(answer.doc, "spec.replicas", 0), 3);
    T_TRUE(!entry("scaler"));
    T_INT(apply(DEPLOYMENTS "/web/scale?fieldManager=other&force=true",
                "{\"apiVersion\":\"autoscaling/"
                "v1\",\"kind\":\"Scale\",\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":4}}"),
          200);
    T_STR(text("kind"), "Scale");
    T_INT(jint(answer.doc, "spec.replicas", 0), 4);
    T_INT(apply(DEPLOYMENTS "/web?fieldManager=me", WEB("")), 200);
    T_INT(jint(answer.doc, "spec.replicas", 0), 4);
}

TEST(the_status_has_its_own_door)
{
    static const char *const status =
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\",\"labels\":{\"x\":\"y\"}},"
        "\"spec\":{\"replicas\":9},\"status\":{\"conditions\":[{\"type\":\"Fine\",\"status\":\"True\"}]}}";
    T_INT(apply(DEPLOYMENTS "/web/status?fieldManager=watcher", status), 200);
    T_INT(jint(answer.doc, "spec.replicas", 0), 4);
    T_STR(jstr(jfind(jget(answer.doc, "status.conditions"), "type", "Fine"), "status"), "True");
    T_STR(jstr(entry("watcher"), "subresource"), "status");
    T_JSON(jget(entry("watcher"), "fieldsV1"),
           "{\"f:status\":{\"f:conditions\":{\"k:{\\\"type\\\":\\\"Fine\\\"}\":{\".\":{},"
           "\"f:type\":{},\"f:status\":{}}}}}");
    _cleanup_free_ char *first = revision();
    T_INT(apply(DEPLOYMENTS "/web/status?fieldManager=watcher", status), 200);
    T_STR(text("metadata.resourceVersion"), first);
    T_INT(apply(DEPLOYMENTS "/none/status?fieldManager=watcher", status), 400); /* another name */
}

#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define TABS "/apis/example.org/v1/namespaces/default/tabs"

/* Lists of a schema merge by the keys that it names; conflicts are told by owner as everywhere. */
TEST(custom_resources_are_applied)
{
    T_INT(
        post(
            CRDS,
            "{\"metadata\":{\"name\":\"tabs.example.org\"},\"spec\":{\"group\":\"example.org\",\"scope\":"
            "\"Namespaced\","
            "\"names\":{\"plural\":\"tabs\",\"kind\":\"Tab\"},\"versions\":[{\"name\":\"v1\",\"served\":true,"
            "\"storage\":"
            "true,\"subresources\":{\"status\":{}},\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":"
            "{\"spec\":{\"type\":\"object\",\"properties\":{\"count\":{\"type\":\"integer\"},\"list\":{\"type\":"
            "\"array\","
            "\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-list-map-keys\":[\"k\"],\"items\":{\"type\":\"object\","
            "\"required\":[\"k\"],\"properties\":{\"k\":{\"type\":\"string\"},\"v\":{\"type\":\"string\"}}}}}},"
            "\"status\":{\"type\":\"object\",\"properties\":{\"done\":{\"type\":\"boolean\"}}}}}}}]}}"),
        201);
#define TAB(rest) "apiVersion: example.org/v1\nkind: Tab\nmetadata: {name: t}\n" rest "\n"
    T_INT(apply(TABS "/t?fieldManager=me", TAB("spec: {count: 1, list: [{k: a, v: x}]}")), 201);
    _cleanup_free_ char *first = revision();
    T_INT(apply(TABS "/t?fieldManager=me", TAB("spec: {count: 1, list: [{k: a, v: x}]}")), 200);
    T_STR(text("metadata.resourceVersion"), first);
    T_INT(apply(TABS "/t?fieldManager=other", TAB("spec: {list: [{k: b, v: z}]}")), 200);
    T_INT((int)json_array_size(jget(answer.doc, "spec.list")), 2);
    T_INT(apply(TABS "/t?fieldManager=other", TAB("spec: {count: 2}")), 409);
    T_STR(text("message"), "Apply failed with 1 conflict: conflict with \"me\": .spec.count");
    T_INT(apply(TABS "/t?fieldManager=me", TAB("spec: {count: 1}")), 200);
    T_JSON(jget(answer.doc, "spec"), "{\"count\":1,\"list\":[{\"k\":\"b\",\"v\":\"z\"}]}");
    T_INT(apply(TABS "/t/status?fieldManager=watcher", TAB("spec: {count: 9}\nstatus: {done: true}")), 200);
    T_STR(jstr(entry("watcher"), "subresource"), "status");
    T_JSON(jget(answer.doc, "status"), "{\"done\":true}");
    T_INT((int)jint(answer.doc, "spec.count", 0), 1);
}

#define JOBS "/apis/batch/v1/namespaces/default/jobs"
#define JOB                                                                                                            \
    "{\"apiVersion\":\"batch/"                                                                                         \
    "v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"j\"},\"spec\":{\"suspend\":true,\"template\":{\"spec\":"           \
    "{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"

/* The labels by which a Job knows its pods are nobody's, also when who made it client-side goes on server-side. */
TEST(what_the_server_puts_in_stays)
{
    T_INT(post(JOBS "?fieldManager=kubectl-client-side-apply", JOB), 201);
    json_t *entries = json_deep_copy(jget(answer.doc, "metadata.managedFields"));
    jset_str(json_array_get(entries, 0), "manager", "kubectl");
    jset_str(json_array_get(entries, 0), "operation", "Apply");
    _cleanup_json_ json_t *patch = json_pack("{s:{s:o}}", "metadata", "managedFields", entries);
    _cleanup_free_ char *body = jprint(patch);
    T_INT(merge(JOBS "/j", body), 200);
    T_INT(apply(JOBS "/j?fieldManager=kubectl", JOB), 200);
    T_STR(jstr(jget(answer.doc, "spec.template.metadata.labels"), "job-name"), "j");
}

TEST(ephemeral_containers_are_applied)
{
    static const char *const debugger =
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"ephemeralContainers\":"
        "[{\"name\":\"debugger\",\"image\":\"i\"}]}}";
    T_INT(post("/api/v1/namespaces/default/pods",
               "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"),
          201);
    T_INT(apply("/api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=me", debugger), 200);
    T_STR(jstr(json_array_get(jget(answer.doc, "spec.ephemeralContainers"), 0), "name"), "debugger");
    T_STR(jstr(entry("me"), "subresource"), "ephemeralcontainers");
    _cleanup_free_ char *first = revision();
    T_INT(apply("/api/v1/namespaces/default/pods/p/ephemeralcontainers?fieldManager=me", debugger), 200);
    T_STR(text("metadata.resourceVersion"), first);
}

TEST(what_cannot_be_applied_is_refused)
{
    static const struct {
        const char *target, *body;
        int code;
        const char *message;
    } rows[] = {
        {MAPS "/bad", MAP("bad", "a: '1'"), 422,
         "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"},
        {MAPS "/bad?fieldManager=me", "kind: ConfigMap\nmetadata: {name: bad}\n", 400,
         "Object 'apiVersion' is missing in '{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"bad\"}}'"},
        {MAPS "/bad?fieldManager=me", MAP("other", ""), 400,
         "the name of the object (other) does not match the name on the URL (bad)"},
        {MAPS "/bad?fieldManager=me", "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"datum\":{}}", 500,
         "failed to create typed patch object (default/bad; v1, Kind=ConfigMap): .datum: field not declared in schema"},
        {MAPS "/bad?fieldManager=me",
         "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"managedFields\":[{\"manager\":\"me\"}]}}", 400,
         "metadata.managedFields must be nil"},
        {MAPS "/bad?fieldManager=me", "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"uid\":\"1\"}}",
         409,
         "Operation cannot be fulfilled on configmaps \"bad\": uid mismatch: the provided object specified uid 1, and "
         "no "
         "existing object was found"},
        {"/api/v1/namespaces/none/configmaps/bad?fieldManager=me", MAP("bad", ""), 404,
         "namespaces \"none\" not found"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        T_INT(apply(rows[i].target, rows[i].body), rows[i].code);
        T_STR(text("message"), rows[i].message);
    }
    T_INT(apply(MAPS "/bad?fieldManager=me", "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"datum\":{}}"), 500);
    T_TRUE(!text("reason"));
    T_INT(merge(MAPS "/one?force=true", "{}"), 422);
    T_STR(text("message"),
          "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch");
}

TEST(ordinary_writes_are_tracked)
{
    T_INT(post(MAPS "?fieldManager=maker", "{\"metadata\":{\"name\":\"two\"},\"data\":{\"a\":\"1\"}}"), 201);
    T_STR(jstr(entry("maker"), "operation"), "Update");
    T_JSON(jget(entry("maker"), "fieldsV1"), "{\"f:data\":{\".\":{},\"f:a\":{}}}");
    T_INT(merge(MAPS "/two", "{\"data\":{\"b\":\"1\"}}"), 200);
    T_JSON(jget(entry("unknown"), "fieldsV1"), "{\"f:data\":{\"f:b\":{}}}");
    T_INT(ask_as(world.admin, "PATCH", MAPS "/two", NULL, "application/json-patch+json",
                 "[{\"op\":\"replace\",\"path\":\"/metadata/managedFields\",\"value\":[{}]}]"),
          200);
    T_TRUE(!jget(answer.doc, "metadata.managedFields"));
    T_INT(merge(MAPS "/two", "{\"data\":{\"b\":\"2\"}}"), 200);
    T_TRUE(!jget(answer.doc, "metadata.managedFields"));
}

static void on_written(void *arg, int code, const json_t *body)
{
    (void)body;
    T_TRUE(code == 200 || code == 201);
    *(bool *)arg = true;
}

/* What controllers and agents make is not tracked until somebody applies; what is tracked, they are tracked in. */
TEST(parts_of_the_cluster_pay_only_where_somebody_looks)
{
    bool done = false;
    _cleanup_json_ json_t *map =
        json_pack("{s:{s:s, s:s}, s:{s:s}}", "metadata", "name", "three", "namespace", "default", "data", "a", "1");
    client_create(world.client, &kind_configmap, "default", map, on_written, &done);
    run_until(&done);
    T_INT(get(MAPS "/three"), 200);
    T_TRUE(!jget(answer.doc, "metadata.managedFields"));
    T_INT(apply(MAPS "/three?fieldManager=me", MAP("three", "b: '1'")), 200);
    T_JSON(jget(entry("before-first-apply"), "fieldsV1"), "{\"f:data\":{\".\":{},\"f:a\":{}}}");
    done = false;
    _cleanup_json_ json_t *patch = json_pack("{s:{s:s}}", "data", "c", "1");
    client_patch(world.client, &kind_configmap, "default", "three", NULL, PATCH_MERGE, patch, on_written, &done);
    run_until(&done);
    T_INT(get(MAPS "/three"), 200);
    T_JSON(jget(entry("tester"), "fieldsV1"), "{\"f:data\":{\"f:c\":{}}}");
}

TEST(the_world_ends)
{
    end_world();
}

int main(void)
{
    make_world();
    RUN(applying_creates_then_changes_then_nothing);
    RUN(what_only_looks_new_changes_nothing);
    RUN(a_dry_run_says_what_would_be);
    RUN(defaults_belong_to_nobody);
    RUN(scaling_takes_the_number_over);
    RUN(the_status_has_its_own_door);
    RUN(custom_resources_are_applied);
    RUN(what_the_server_puts_in_stays);
    RUN(ephemeral_containers_are_applied);
    RUN(what_cannot_be_applied_is_refused);
    RUN(ordinary_writes_are_tracked);
    RUN(parts_of_the_cluster_pay_only_where_somebody_looks);
    RUN(the_world_ends);
    return DONE();
}
