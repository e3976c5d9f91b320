/* control: what cleans up: garbage collection, namespaces, silent and lost nodes. */
#include "bench.h"
#include "control/control.h"
#include "control/list.h"
#include "t.h"

static struct bench *cluster(unsigned seed, const struct controller_def *const *defs)
{
    struct bench *b = bench_new(seed);
    b->agent = false;
    for (; *defs; defs++)
        controllers_add(b->cs, *defs);
    controllers_start(b->cs);
    return b;
}

/* --- garbage --- */

static const struct controller_def *const garbage[] = {&garbage_controller, NULL};

static void owned(struct bench *b, const struct kind *k, const char *name, const char *owner_api,
                  const char *owner_kind, const char *owner, const char *owner_uid)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\",\"uid\":\"%s-uid\",\"ownerReferences\":[{"
                  "\"apiVersion\":\"%s\",\"kind\":"
                  "\"%s\",\"name\":\"%s\",\"uid\":\"%s\",\"controller\":true,\"blockOwnerDeletion\":true}]}}",
                  name, name, owner_api, owner_kind, owner, owner_uid);
    fake_set(b->fake, k, text);
}

/* A Deployment, its ReplicaSet, two pods. */
static void family(struct bench *b)
{
    fake_set(b->fake, &kind_deployment, "{\"metadata\":{\"namespace\":\"a\",\"name\":\"web\",\"uid\":\"web-uid\"}}");
    owned(b, &kind_replicaset, "rs", "apps/v1", "Deployment", "web", "web-uid");
    owned(b, &kind_pod, "p1", "apps/v1", "ReplicaSet", "rs", "rs-uid");
    owned(b, &kind_pod, "p2", "apps/v1", "ReplicaSet", "rs", "rs-uid");
    fake_set(b->fake, &kind_pod, "{\"metadata\":{\"namespace\":\"a\",\"name\":\"free\"}}");
    bench_run(b);
}

static void ask_deletion(struct bench *b, const char *policy)
{
    struct fake_task t = {.method = "DELETE"};
    t.body = json_pack("{s:s}", "propagationPolicy", policy);
    _cleanup_json_ json_t *d = fake_json(b->fake, &kind_deployment, "a", "web");
    fake_delete_one(b->fake, &t, &kind_deployment, d);
    json_decref(t.body);
    json_decref(t.answer);
}

TEST(dependents_follow_their_owner)
{
    static const struct {
        const char *policy;
        int sets, pods;
    } cases[] = {{"Background", 0, 1}, {"Foreground", 0, 1}, {"Orphan", 1, 3}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (unsigned seed = 0; seed < 10; seed++) {
            struct bench *b = cluster(seed, garbage);
            family(b);
            T_INT(b->fake->writes, 0);
            ask_deletion(b, cases[i].policy);
            bench_run(b);
            T_INT(fake_count(b->fake, &kind_deployment), 0);
            T_INT(fake_count(b->fake, &kind_replicaset), cases[i].sets);
            T_INT(fake_count(b->fake, &kind_pod), cases[i].pods);
            if (t_this_failed)
                fprintf(stderr, "   %s, seed %u\n", cases[i].policy, seed);
            bench_free(b);
        }
    }
}

static bool deployment_went_first(struct bench *b)
{
    return !fake_count(b->fake, &kind_deployment) && fake_count(b->fake, &kind_pod) > 1;
}

static bool went_first;
static void watch_order(struct bench *b)
{
    went_first |= deployment_went_first(b);
}

TEST(foreground_deletion_waits_for_the_dependents)
{
    struct bench *b = cluster(3, garbage);
    family(b);
    went_first = false;
    ask_deletion(b, "Foreground");
    bench_run_with(b, watch_order, false);
    T_TRUE(!went_first);
    bench_free(b);
}

TEST(an_owner_of_the_same_name_but_another_uid_is_none)
{
    struct bench *b = cluster(4, garbage);
    fake_set(b->fake, &kind_replicaset, "{\"metadata\":{\"namespace\":\"a\",\"name\":\"rs\",\"uid\":\"new\"}}");
    owned(b, &kind_pod, "stale", "apps/v1", "ReplicaSet", "rs", "old");
    owned(b, &kind_pod, "fresh", "apps/v1", "ReplicaSet", "rs", "new");
    owned(b, &kind_pod, "foreign", "example.com/v1", "Thing", "x", "y");
    bench_run(b);
    T_TRUE(!fake_get(b->fake, &kind_pod, "a", "stale"));
    T_TRUE(fake_get(b->fake, &kind_pod, "a", "fresh") && fake_get(b->fake, &kind_pod, "a", "foreign"));
    bench_free(b);
}

TEST(one_living_owner_is_enough)
{
    struct bench *b = cluster(5, garbage);
    fake_set(b->fake, &kind_configmap, "{\"metadata\":{\"namespace\":\"a\",\"name\":\"here\",\"uid\":\"1\"}}");
    fake_set(b->fake, &kind_pod,
             "{\"metadata\":{\"namespace\":\"a\",\"name\":\"p\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":"
             "\"ConfigMap\","
             "\"name\":\"here\",\"uid\":\"1\"},{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"gone\",\"uid\":"
             "\"2\"}]}}");
    bench_run(b);
    _cleanup_json_ json_t *p = fake_json(b->fake, &kind_pod, "a", "p");
    T_INT(json_array_size(jget(p, "metadata.ownerReferences")), 1);
    fake_delete(b->fake, &kind_configmap, "a", "here");
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_pod), 0);
    bench_free(b);
}

/* --- namespaces --- */

static const struct controller_def *const namespaces[] = {&namespace_controller, &serviceaccount_controller, NULL};

static void check_condition(struct bench *b, const char *type, const char *reason, const char *message)
{
    _cleanup_json_ json_t *ns = fake_json(b->fake, &kind_namespace, "", "a");
    const json_t *c = jfind(jget(ns, "status.conditions"), "type", type);
    T_STR(jstr(c, "reason"), reason);
    T_STR(jstr(c, "message"), message);
}

TEST(what_holds_a_namespace_is_told)
{
    struct bench *b = cluster(1, namespaces);
    fake_set(b->fake, &kind_namespace, "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"finalizers\":[\"kubernetes\"]}}");
    fake_set(b->fake, &kind_configmap,
             "{\"metadata\":{\"namespace\":\"a\",\"name\":\"c\",\"finalizers\":[\"example.com/hold\"]}}");
    fake_set(b->fake, &kind_configmap,
             "{\"metadata\":{\"namespace\":\"a\",\"name\":\"d\",\"finalizers\":[\"example.com/hold\"]}}");
    bench_run(b);
    struct fake_task t = {.method = "DELETE"};
    _cleanup_json_ json_t *ns = fake_json(b->fake, &kind_namespace, "", "a");
    fake_delete_one(b->fake, &t, &kind_namespace, ns);
    json_decref(t.answer);
    bench_run(b);
    check_condition(b, "NamespaceContentRemaining", "SomeResourcesRemain",
                    "Some resources are remaining: configmaps. has 2 resource instances");
    check_condition(b, "NamespaceFinalizersRemaining", "SomeFinalizersRemain",
                    "Some content in the namespace has finalizers remaining: example.com/hold in 2 resource instances");
    check_condition(b, "NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered",
                    "All resources successfully discovered");
    bench_free(b);
}

TEST(a_namespace_ends_when_it_is_empty)
{
    for (unsigned seed = 0; seed < 10; seed++) {
        struct bench *b = cluster(seed, namespaces);
        fake_set(b->fake, &kind_namespace,
                 "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"finalizers\":[\"kubernetes\"]}}");
        fake_set(b->fake, &kind_namespace,
                 "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"finalizers\":[\"kubernetes\"]}}");
        fake_set(b->fake, &kind_pod,
                 "{\"metadata\":{\"namespace\":\"a\",\"name\":\"p\"},\"spec\":{\"nodeName\":\"n1\"}}");
        fake_set(b->fake, &kind_configmap, "{\"metadata\":{\"namespace\":\"a\",\"name\":\"c\"}}");
        fake_set(b->fake, &kind_event, "{\"metadata\":{\"namespace\":\"a\",\"name\":\"e\"}}");
        fake_set(b->fake, &kind_configmap, "{\"metadata\":{\"namespace\":\"b\",\"name\":\"c\"}}");
        bench_run(b);
        T_TRUE(fake_get(b->fake, &kind_serviceaccount, "a", "default") != NULL);
        struct fake_task t = {.method = "DELETE"};
        _cleanup_json_ json_t *ns = fake_json(b->fake, &kind_namespace, "", "a");
        fake_delete_one(b->fake, &t, &kind_namespace, ns);
        json_decref(t.answer);
        bench_run(b);
        T_TRUE(fake_get(b->fake, &kind_configmap, "a", "c") != NULL); /* the pod is still going */
        check_condition(b, "NamespaceContentRemaining", "SomeResourcesRemain",
                        "Some resources are remaining: pods. has 1 resource instances");
        check_condition(b, "NamespaceDeletionContentFailure", "ContentDeleted",
                        "All content successfully deleted, may be waiting on finalization");
        fake_delete(b->fake, &kind_pod, "a", "p");
        for (int i = 0; i < 3; i++) {
            bench_run(b);
            bench_now += 1000000;
            controllers_tick(b->cs);
        }
        bench_run(b);
        T_TRUE(!fake_get(b->fake, &kind_namespace, "", "a"));
        T_INT(fake_count(b->fake, &kind_configmap), 1);
        T_INT(fake_count(b->fake, &kind_event), 0);
        T_INT(fake_count(b->fake, &kind_serviceaccount), 1);
        T_TRUE(fake_get(b->fake, &kind_namespace, "", "b") != NULL);
        bench_free(b);
    }
}

static const struct controller_def *const cas[] = {&rootca_controller, NULL};

static const char *root_ca(struct bench *b, const char *ns)
{
    static char text[64];
    _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_configmap, ns, "kube-root-ca.crt");
    snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(jget(doc, "data"), "ca.crt")));
    return text;
}

static void publish(struct bench *b, const char *ca)
{
    _cleanup_free_ char *text = xasprintf("{\"metadata\":{\"namespace\":\"kube-system\",\"name\":"
                                          "\"extension-apiserver-authentication\"},\"data\":{\"client-ca-file\":"
                                          "\"%s\"}}",
                                          ca);
    fake_set(b->fake, &kind_configmap, text);
}

TEST(every_namespace_has_the_ca)
{
    for (unsigned seed = 0; seed < 10; seed++) {
        struct bench *b = cluster(seed, cas);
        fake_set(b->fake, &kind_namespace, "{\"metadata\":{\"name\":\"a\"}}");
        fake_set(b->fake, &kind_namespace, "{\"metadata\":{\"name\":\"b\"}}");
        bench_run(b);
        T_INT(fake_count(b->fake, &kind_configmap), 0); /* not known yet */
        publish(b, "one");
        bench_run(b);
        T_STR(root_ca(b, "a"), "one");
        T_STR(root_ca(b, "b"), "one");
        fake_set(b->fake, &kind_configmap,
                 "{\"metadata\":{\"namespace\":\"a\",\"name\":\"kube-root-ca.crt\"},\"data\":{\"ca.crt\":"
                 "\"forged\"}}");
        fake_delete(b->fake, &kind_configmap, "b", "kube-root-ca.crt");
        bench_run(b);
        T_STR(root_ca(b, "a"), "one");
        T_STR(root_ca(b, "b"), "one");
        publish(b, "two");
        bench_run(b);
        T_STR(root_ca(b, "a"), "two");
        T_STR(root_ca(b, "b"), "two");
        bench_free(b);
    }
}

/* --- nodes --- */

static const struct controller_def *const nodes[] = {&nodelifecycle_controller, &tainteviction_controller,
                                                     &podgc_controller, NULL};

static void node(struct bench *b, const char *name)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"metadata\":{\"name\":\"%s\"},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
        name);
    fake_set(b->fake, &kind_node, text);
}

static void renew(struct bench *b, const char *name)
{
    char now[TIME_TEXT_SIZE];
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"kube-node-lease\",\"name\":\"%s\"},\"spec\":{\"renewTime\":\"%s\"}}",
                  name, time_format_micro(bench_now, now));
    fake_set(b->fake, &kind_lease, text);
}

static void pass(struct bench *b, int seconds)
{
    bench_now += seconds * 1000000LL;
    controllers_tick(b->cs);
    bench_run(b);
}

static bool tainted(struct bench *b, const char *name, const char *key)
{
    _cleanup_json_ json_t *n = fake_json(b->fake, &kind_node, "", name);
    return jfind(jget(n, "spec.taints"), "key", key) != NULL;
}

#define TOLERATIONS                                                                                                    \
    "[{\"key\":\"node.kubernetes.io/"                                                                                  \
    "unreachable\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300},"                       \
    "{\"key\":\"node.kubernetes.io/"                                                                                   \
    "not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}]"

static void pod_on(struct bench *b, const char *name, const char *node_name, const char *tolerations)
{
    _cleanup_free_ char *text = xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\"},\"spec\":{\"nodeName\":"
                                          "\"%s\",\"tolerations\":%s},\"status\":{\"phase\":"
                                          "\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
                                          name, node_name, tolerations);
    fake_set(b->fake, &kind_pod, text);
}

static bool is_going(struct bench *b, const char *pod)
{
    _cleanup_json_ json_t *p = fake_json(b->fake, &kind_pod, "a", pod);
    return !p || jget(p, "metadata.deletionTimestamp");
}

TEST(a_silent_node_is_noticed_and_its_pods_leave)
{
    struct bench *b = cluster(6, nodes);
    node(b, "n1");
    node(b, "n2");
    pod_on(b, "usual", "n1", TOLERATIONS);
    pod_on(b, "for-good", "n1", "[{\"operator\":\"Exists\"}]");
    pod_on(b, "impatient", "n1", "[]");
    pod_on(b, "elsewhere", "n2", TOLERATIONS);
    for (int i = 0; i < 6; i++) {
        renew(b, "n1");
        renew(b, "n2");
        pass(b, 10);
    }
    T_TRUE(!tainted(b, "n1", "node.kubernetes.io/unreachable") && !is_going(b, "impatient"));
    for (int i = 0; i < 5; i++) {
        renew(b, "n2");
        pass(b, 10);
    }
    _cleanup_json_ json_t *n1 = fake_json(b->fake, &kind_node, "", "n1");
    const json_t *ready = jfind(jget(n1, "status.conditions"), "type", "Ready");
    T_STR(jstr(ready, "status"), "Unknown");
    T_STR(jstr(ready, "message"), "Kubelet stopped posting node status.");
    T_INT(json_array_size(jget(n1, "spec.taints")), 2);
    T_TRUE(!tainted(b, "n2", "node.kubernetes.io/unreachable"));
    _cleanup_json_ json_t *usual = fake_json(b->fake, &kind_pod, "a", "usual");
    T_TRUE(!bench_pod_is_ready(usual));
    T_TRUE(is_going(b, "impatient") && !is_going(b, "usual"));
    for (int i = 0; i < 31; i++) {
        renew(b, "n2");
        pass(b, 10);
    }
    T_TRUE(is_going(b, "usual") && !is_going(b, "for-good") && !is_going(b, "elsewhere"));
    renew(b, "n1");
    bench_run(b);
    fake_edit(b->fake, &kind_node, "", "n1",
              "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}");
    bench_run(b);
    T_TRUE(!tainted(b, "n1", "node.kubernetes.io/unreachable"));
    bench_free(b);
}

TEST(a_cordoned_node_is_tainted)
{
    struct bench *b = cluster(7, nodes);
    node(b, "n1");
    fake_edit(b->fake, &kind_node, "", "n1",
              "{\"spec\":{\"unschedulable\":true,\"taints\":[{\"key\":\"mine\",\"effect\":\"NoSchedule\"}]}}");
    bench_run(b);
    T_TRUE(tainted(b, "n1", "node.kubernetes.io/unschedulable") && tainted(b, "n1", "mine"));
    fake_edit(b->fake, &kind_node, "", "n1", "{\"spec\":{\"unschedulable\":null}}");
    bench_run(b);
    T_TRUE(!tainted(b, "n1", "node.kubernetes.io/unschedulable") && tainted(b, "n1", "mine"));
    bench_free(b);
}

TEST(pods_of_a_lost_node_go_after_the_quarantine)
{
    struct bench *b = cluster(8, nodes);
    node(b, "n1");
    node(b, "n2");
    pod_on(b, "lost", "n1", "[]");
    pod_on(b, "back", "n2", "[]");
    bench_run(b);
    fake_delete(b->fake, &kind_node, "", "n1");
    fake_delete(b->fake, &kind_node, "", "n2");
    bench_run(b);
    pass(b, 20);
    T_TRUE(!is_going(b, "lost"));
    node(b, "n2");
    bench_run(b);
    pass(b, 25);
    T_TRUE(!fake_get(b->fake, &kind_pod, "a", "lost"));
    T_TRUE(!is_going(b, "back"));
    bench_free(b);
}

TEST(all_controllers_start_and_stop)
{
    struct bench *b = cluster(9, all_controllers);
    bench_run(b);
    bench_free(b);
}

int main(void)
{
    RUN(dependents_follow_their_owner);
    RUN(foreground_deletion_waits_for_the_dependents);
    RUN(an_owner_of_the_same_name_but_another_uid_is_none);
    RUN(one_living_owner_is_enough);
    RUN(what_holds_a_namespace_is_told);
    RUN(a_namespace_ends_when_it_is_empty);
    RUN(every_namespace_has_the_ca);
    RUN(a_silent_node_is_noticed_and_its_pods_leave);
    RUN(a_cordoned_node_is_tainted);
    RUN(pods_of_a_lost_node_go_after_the_quarantine);
    RUN(all_controllers_start_and_stop);
    return DONE();
}
