/* control: Endpoints and EndpointSlices, from pods and mirrored. */
#include "bench.h"
#include "control/list.h"
#include "control/slices.h"
#include "t.h"

/* --- the pure part: slices --- */

static json_t *slices; /* the model of what the API holds */
static int writes;

static void apply_change(void *arg, const json_t *old, const json_t *to)
{
    (void)arg;
    static int serial;
    writes++;
    for (size_t i = 0; old && i < json_array_size(slices); i++) {
        if (json_array_get(slices, i) != old)
            continue;
        if (to)
            json_array_set(slices, i, (json_t *)to);
        else
            json_array_remove(slices, i);
        return;
    }
    json_t *made = json_deep_copy(to);
    _cleanup_free_ char *name = xasprintf("slice-%d", serial++);
    jset_str(made, "metadata.name", name);
    json_array_append_new(slices, made);
}

static json_t *endpoint(int n, bool ready)
{
    char uid[16], ip[16];
    snprintf(uid, sizeof(uid), "u%d", n);
    snprintf(ip, sizeof(ip), "10.0.%d.%d", (n / 250) & 255, n % 250);
    return json_pack("{s:[s], s:{s:s}, s:{s:b}}", "addresses", ip, "targetRef", "uid", uid, "conditions", "ready",
                     ready);
}

static json_t *group_of(int port)
{
    return json_pack("{s:[{s:i}], s:[]}", "ports", "port", port, "endpoints");
}

/* Runs the plan over a copy of the list, because the changes edit it. */
static int plan(const json_t *groups, size_t max)
{
    _cleanup_json_ json_t *existing = json_copy(slices);
    _cleanup_json_ json_t *blank = json_pack("{s:{s:{s:s}}}", "metadata", "labels", "a", "b");
    writes = 0;
    slices_plan(existing, groups, blank, max, false, apply_change, NULL);
    return writes;
}

/* Every pair of ports and endpoint, as sorted text: what readers of all slices see. */
static json_t *seen_in(const json_t *list)
{
    json_t *seen = json_object(), *item, *e;
    size_t i, k;
    json_array_foreach((json_t *)list, i, item) {
        json_array_foreach(json_object_get(item, "endpoints"), k, e) {
            _cleanup_json_ json_t *pair = json_pack("[O, O]", json_object_get(item, "ports"), e);
            _cleanup_free_ char *text = jprint_sorted(pair);
            json_object_set_new(seen, text, json_integer(jint(json_object_get(seen, text), "", 0) + 1));
        }
    }
    return seen;
}

TEST(incremental_changes_give_what_a_full_computation_gives)
{
    srand(21);
    slices = json_array();
    bool there[2][40] = {{0}}, ready[2][40] = {{0}};
    for (int step = 0; step < 3000; step++) {
        int changes = 1 + rand() % 3;
        while (changes--) {
            int g = rand() % 2, n = rand() % 40;
            if (rand() % 3)
                there[g][n] = !there[g][n];
            else
                ready[g][n] = !ready[g][n];
        }
        _cleanup_json_ json_t *groups = json_array();
        int total = 0;
        for (int g = 0; g < 2; g++) {
            json_t *group = group_of(80 + g);
            for (int n = 0; n < 40; n++)
                if (there[g][n])
                    json_array_append_new(json_object_get(group, "endpoints"), endpoint(n, ready[g][n]));
            total += (int)json_array_size(json_object_get(group, "endpoints"));
            if (json_array_size(json_object_get(group, "endpoints")))
                json_array_append(groups, group);
            json_decref(group);
        }
        int n_writes = plan(groups, 7);
        _cleanup_json_ json_t *got = seen_in(slices), *want = seen_in(groups);
        T_TRUE(json_equal(got, want));
        T_TRUE(n_writes <= 7);
        T_TRUE(json_array_size(slices) >= 1);
        size_t i;
        json_t *slice;
        json_array_foreach(slices, i, slice) {
            size_t n = json_array_size(json_object_get(slice, "endpoints"));
            T_TRUE(n <= 7 && (n > 0 || (total == 0 && json_array_size(slices) == 1)));
        }
        T_INT(plan(groups, 7), 0); /* and then there is nothing more to do */
        if (t_this_failed)
            break;
    }
    json_decref(slices);
}

TEST(one_change_is_one_write)
{
    slices = json_array();
    _cleanup_json_ json_t *group = group_of(80);
    _cleanup_json_ json_t *groups = json_pack("[O]", group);
    json_t *endpoints = json_object_get(group, "endpoints");
    for (int n = 0; n < 250; n++)
        json_array_append_new(endpoints, endpoint(n, true));
    T_INT(plan(groups, 100), 3);
    T_INT(json_array_size(slices), 3);
    json_array_set_new(endpoints, 17, endpoint(17, false));
    T_INT(plan(groups, 100), 1);
    json_array_append_new(endpoints, endpoint(300, true));
    T_INT(plan(groups, 100), 1);
    json_array_remove(endpoints, 120);
    T_INT(plan(groups, 100), 1);
    json_array_clear(endpoints);
    T_INT(plan(groups, 100), 3); /* one becomes the empty one, two go */
    T_INT(json_array_size(slices), 1);
    json_decref(slices);
}

/* --- the controllers --- */

static struct bench *cluster(unsigned seed)
{
    struct bench *b = bench_new(seed);
    b->agent = false;
    controllers_add(b->cs, &endpoints_controller);
    controllers_add(b->cs, &endpointslice_controller);
    controllers_add(b->cs, &endpointslicemirroring_controller);
    controllers_start(b->cs);
    return b;
}

static void pod(struct bench *b, const char *name, const char *labels, const char *ip, const char *more_spec,
                const char *more_meta, bool ready)
{
    _cleanup_free_ char *text = xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\",\"uid\":\"%s-uid\","
                                          "\"labels\":%s%s},\"spec\":{\"nodeName\":\"n1\"%s},"
                                          "\"status\":{\"phase\":\"Running\",\"podIP\":\"%s\",\"podIPs\":[{\"ip\":\"%"
                                          "s\"}],\"conditions\":[{\"type\":\"Ready\","
                                          "\"status\":\"%s\"}]}}",
                                          name, name, labels, more_meta, more_spec, ip, ip, ready ? "True" : "False");
    fake_set(b->fake, &kind_pod, text);
}

static void service(struct bench *b, const char *name, const char *spec)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\",\"labels\":{\"l\":\"%s\"}},\"spec\":%s}", name, name, spec);
    fake_set(b->fake, &kind_service, text);
}

#define WEB                                                                                                            \
    "{\"selector\":{\"app\":\"web\"},\"clusterIP\":\"10.96.0.5\",\"ports\":[{\"port\":80,\"targetPort\":8080,"         \
    "\"protocol\":\"TCP\"}]}"

/* The only slice; NULL (and a failure) when there is not exactly one. */
static json_t *only_slice(struct bench *b)
{
    struct map_entry *cursor = NULL;
    T_INT(fake_count(b->fake, &kind_endpointslice), 1);
    struct object *o = fake_next(b->fake, &kind_endpointslice, &cursor);
    return o ? object_json(o) : NULL;
}

TEST(pods_become_endpoints)
{
    struct bench *b = cluster(1);
    fake_set(b->fake, &kind_node,
             "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"topology.kubernetes.io/zone\":\"z\"}}}");
    pod(b, "one", "{\"app\":\"web\"}", "10.244.0.2", ",\"hostname\":\"h\",\"subdomain\":\"web\"", "", true);
    pod(b, "two", "{\"app\":\"web\"}", "10.244.0.3", "", "", false);
    pod(b, "no", "{\"app\":\"db\"}", "10.244.0.4", "", "", true);
    bench_run(b);
    service(b, "web", WEB);
    bench_run(b);
    _cleanup_json_ json_t *ep = fake_json(b->fake, &kind_endpoints, "a", "web");
    T_JSON(
        jget(ep, "subsets"),
        "[{\"ports\":[{\"port\":8080,\"protocol\":\"TCP\"}],\"addresses\":[{\"ip\":\"10.244.0.2\",\"hostname\":\"h\","
        "\"nodeName\":\"n1\",\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"a\",\"name\":\"one\",\"uid\":\"one-uid\"}}"
        "],"
        "\"notReadyAddresses\":[{\"ip\":\"10.244.0.3\",\"nodeName\":\"n1\",\"targetRef\":{\"kind\":\"Pod\","
        "\"namespace\":"
        "\"a\",\"name\":\"two\",\"uid\":\"two-uid\"}}]}]");
    T_STR(jstr(ep, "metadata.labels.l"), "web");
    _cleanup_json_ json_t *slice = only_slice(b);
    T_JSON(jget(slice, "ports"), "[{\"name\":\"\",\"port\":8080,\"protocol\":\"TCP\"}]");
    T_INT(json_array_size(jget(slice, "endpoints")), 2);
    const json_t *labels = jget(slice, "metadata.labels");
    T_STR(json_string_value(json_object_get(labels, "kubernetes.io/service-name")), "web");
    T_STR(json_string_value(json_object_get(labels, "endpointslice.kubernetes.io/managed-by")),
          "endpointslice-controller.k8s.io");
    T_STR(jstr(json_array_get(jget(slice, "metadata.ownerReferences"), 0), "kind"), "Service");
    for (size_t i = 0; i < 2; i++) {
        const json_t *e = json_array_get(jget(slice, "endpoints"), i);
        if (streq(jstr(e, "targetRef.name"), "one"))
            T_JSON(e, "{\"addresses\":[\"10.244.0.2\"],\"conditions\":{\"ready\":true,\"serving\":true,\"terminating\":"
                      "false},"
                      "\"hostname\":\"h\",\"nodeName\":\"n1\",\"zone\":\"z\",\"targetRef\":{\"kind\":\"Pod\","
                      "\"namespace\":\"a\","
                      "\"name\":\"one\",\"uid\":\"one-uid\"}}");
    }
    unsigned before = b->fake->writes;
    fake_edit(b->fake, &kind_pod, "a", "two", "{\"metadata\":{\"annotations\":{\"x\":\"y\"}}}");
    bench_run(b);
    T_INT(b->fake->writes, before); /* of no concern */
    fake_edit(b->fake, &kind_pod, "a", "two",
              "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}");
    bench_run(b);
    T_INT(b->fake->writes, before + 2); /* one Endpoints, one slice */
    fake_edit(b->fake, &kind_pod, "a", "one", "{\"metadata\":{\"labels\":{\"app\":\"other\"}}}");
    bench_run(b);
    _cleanup_json_ json_t *left = only_slice(b);
    T_INT(json_array_size(jget(left, "endpoints")), 1);
    fake_delete(b->fake, &kind_service, "a", "web");
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_endpoints), 0);
    bench_free(b);
}

TEST(traffic_is_kept_near_by_hints)
{
    static const struct {
        const char *wish, *want;
    } cases[] = {{"PreferClose", "{\"forZones\":[{\"name\":\"z\"}]}"},
                 {"PreferSameZone", "{\"forZones\":[{\"name\":\"z\"}]}"},
                 {"PreferSameNode", "{\"forZones\":[{\"name\":\"z\"}],\"forNodes\":[{\"name\":\"n1\"}]}"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench *b = cluster(1);
        fake_set(b->fake, &kind_node,
                 "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"topology.kubernetes.io/zone\":\"z\"}}}");
        pod(b, "one", "{\"app\":\"web\"}", "10.244.0.2", "", "", true);
        service(b, "web", WEB);
        _cleanup_free_ char *patch = xasprintf("{\"spec\":{\"trafficDistribution\":\"%s\"}}", cases[i].wish);
        fake_edit(b->fake, &kind_service, "a", "web", patch);
        bench_run(b);
        _cleanup_json_ json_t *near = only_slice(b);
        T_JSON(jget(json_array_get(jget(near, "endpoints"), 0), "hints"), cases[i].want);
        fake_edit(b->fake, &kind_pod, "a", "one",
                  "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}");
        bench_run(b);
        _cleanup_json_ json_t *unready = only_slice(b);
        T_TRUE(!jget(json_array_get(jget(unready, "endpoints"), 0), "hints"));
        fake_edit(b->fake, &kind_pod, "a", "one",
                  "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}");
        fake_edit(b->fake, &kind_service, "a", "web", "{\"spec\":{\"trafficDistribution\":null}}");
        bench_run(b);
        _cleanup_json_ json_t *anywhere = only_slice(b);
        T_TRUE(!jget(json_array_get(jget(anywhere, "endpoints"), 0), "hints"));
        bench_free(b);
    }
}

TEST(conditions_follow_readiness_and_deletion)
{
    static const struct {
        const char *what, *spec, *meta;
        bool ready;
        const char *want; /* NULL: not in the Endpoints' ready addresses; else conditions of the slice */
        bool in_endpoints;
    } cases[] = {
        {"ready", WEB, "", true, "{\"ready\":true,\"serving\":true,\"terminating\":false}", true},
        {"unready", WEB, "", false, "{\"ready\":false,\"serving\":false,\"terminating\":false}", false},
        {"terminating", WEB, ",\"deletionTimestamp\":\"2026-11-20T10:00:00Z\"", true,
         "{\"ready\":false,\"serving\":true,\"terminating\":true}", false},
        {"published anyway",
         "{\"selector\":{\"app\":\"web\"},\"clusterIP\":\"None\",\"publishNotReadyAddresses\":true,\"ports\":[{"
         "\"port\":80}]}",
         ",\"deletionTimestamp\":\"2026-11-20T10:00:00Z\"", false,
         "{\"ready\":true,\"serving\":false,\"terminating\":true}", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench *b = cluster(2);
        service(b, "web", cases[i].spec);
        pod(b, "one", "{\"app\":\"web\"}", "10.244.0.2", "", cases[i].meta, cases[i].ready);
        bench_run(b);
        _cleanup_json_ json_t *slice = only_slice(b), *ep = fake_json(b->fake, &kind_endpoints, "a", "web");
        T_JSON(jget(json_array_get(jget(slice, "endpoints"), 0), "conditions"), cases[i].want);
        T_INT(json_array_size(jget(json_array_get(jget(ep, "subsets"), 0), "addresses")), cases[i].in_endpoints);
        bench_free(b);
    }
}

TEST(a_selector_that_matches_nothing_has_an_empty_slice)
{
    struct bench *b = cluster(3);
    service(b, "web", "{\"selector\":{\"app\":\"web\"},\"clusterIP\":\"None\",\"ports\":[{\"port\":80}]}");
    bench_run(b);
    _cleanup_json_ json_t *slice = only_slice(b), *ep = fake_json(b->fake, &kind_endpoints, "a", "web");
    T_JSON(jget(slice, "endpoints"), "[]");
    T_STR(jstr(slice, "addressType"), "IPv4");
    T_STR(json_string_value(json_object_get(jget(slice, "metadata.labels"), "service.kubernetes.io/headless")), "");
    T_TRUE(ep && !jget(ep, "subsets"));
    pod(b, "one", "{\"app\":\"web\"}", "10.244.0.2", "", "", true);
    bench_run(b);
    _cleanup_json_ json_t *filled = only_slice(b);
    T_INT(json_array_size(jget(filled, "endpoints")), 1);
    fake_edit(b->fake, &kind_pod, "a", "one", "{\"status\":{\"phase\":\"Succeeded\"}}");
    bench_run(b);
    _cleanup_json_ json_t *emptied = only_slice(b);
    T_JSON(jget(emptied, "endpoints"), "[]");
    bench_free(b);
}

TEST(named_ports_are_looked_up_pod_by_pod)
{
    struct bench *b = cluster(4);
    pod(b, "one", "{\"app\":\"web\"}", "10.244.0.2",
        ",\"containers\":[{\"ports\":[{\"name\":\"http\",\"containerPort\":8080}]}]", "", true);
    pod(b, "two", "{\"app\":\"web\"}", "10.244.0.3",
        ",\"containers\":[{\"ports\":[{\"name\":\"http\",\"containerPort\":9090}]}]", "", true);
    pod(b, "none", "{\"app\":\"web\"}", "10.244.0.4",
        ",\"containers\":[{\"ports\":[{\"name\":\"http\",\"containerPort\":53,\"protocol\":\"UDP\"}]}]", "", true);
    service(b, "web",
            "{\"selector\":{\"app\":\"web\"},\"clusterIP\":\"10.96.0.5\",\"ports\":[{\"port\":80,\"targetPort\":"
            "\"http\"}]}");
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_endpointslice), 3); /* 8080, 9090, and the one without the port */
    _cleanup_json_ json_t *ep = fake_json(b->fake, &kind_endpoints, "a", "web");
    T_INT(json_array_size(jget(ep, "subsets")), 2);
    bench_free(b);
}

static void many_pods(struct bench *b, int n, int n_unready)
{
    service(b, "web", WEB);
    for (int i = 0; i < n; i++) {
        char name[16], ip[24];
        snprintf(name, sizeof(name), "p%d", i);
        snprintf(ip, sizeof(ip), "10.244.%d.%d", i / 200, i % 200 + 2);
        pod(b, name, "{\"app\":\"web\"}", ip, "", "", i >= n_unready);
    }
    bench_run(b);
}

#define OVER_CAPACITY "endpoints.kubernetes.io/over-capacity"

TEST(more_pods_than_endpoints_hold_are_cut_and_it_says_so)
{
    struct bench *b = cluster(5);
    many_pods(b, 1020, 30);
    _cleanup_json_ json_t *cut = fake_json(b->fake, &kind_endpoints, "a", "web");
    const json_t *subset = json_array_get(jget(cut, "subsets"), 0);
    T_INT(json_array_size(jget(subset, "addresses")), 990); /* who is ready comes first */
    T_INT(json_array_size(jget(subset, "notReadyAddresses")), 10);
    T_STR(json_string_value(json_object_get(jget(cut, "metadata.annotations"), OVER_CAPACITY)), "truncated");
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "p%d", i);
        fake_delete(b->fake, &kind_pod, "a", name);
    }
    bench_run(b);
    _cleanup_json_ json_t *whole = fake_json(b->fake, &kind_endpoints, "a", "web");
    T_INT(json_array_size(jget(json_array_get(jget(whole, "subsets"), 0), "addresses")), 990);
    T_TRUE(!json_object_get(jget(whole, "metadata.annotations"), OVER_CAPACITY)); /* a thousand fit */
    bench_free(b);
}

TEST(many_pods_fill_slices_of_a_hundred)
{
    struct bench *b = cluster(5);
    many_pods(b, 250, 0);
    T_INT(fake_count(b->fake, &kind_endpointslice), 3);
    size_t total = 0;
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_endpointslice, &cursor));) {
        _cleanup_json_ json_t *slice = object_json(o);
        size_t n = json_array_size(jget(slice, "endpoints"));
        T_TRUE(n <= 100);
        total += n;
    }
    T_INT(total, 250);
    bench_free(b);
}

TEST(hand_written_endpoints_are_mirrored)
{
    struct bench *b = cluster(6);
    fake_set(b->fake, &kind_endpoints,
             "{\"metadata\":{\"namespace\":\"a\",\"name\":\"ext\"},\"subsets\":[{\"addresses\":[{\"ip\":\"1.1.1.1\"},{"
             "\"ip\":\"2.2.2.2\"}],"
             "\"notReadyAddresses\":[{\"ip\":\"3.3.3.3\"}],\"ports\":[{\"port\":80,\"protocol\":\"TCP\"}]}]}");
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_endpointslice), 0); /* before its Service */
    T_INT(fake_count(b->fake, &kind_endpoints), 1);     /* and left alone */
    service(b, "ext", "{\"clusterIP\":\"10.96.0.6\",\"ports\":[{\"port\":80}]}");
    bench_run(b);
    _cleanup_json_ json_t *slice = only_slice(b);
    T_STR(json_string_value(json_object_get(jget(slice, "metadata.labels"), "endpointslice.kubernetes.io/managed-by")),
          "endpointslicemirroring-controller.k8s.io");
    T_JSON(jget(slice, "ports"), "[{\"name\":\"\",\"port\":80,\"protocol\":\"TCP\"}]");
    T_INT(json_array_size(jget(slice, "endpoints")), 3);
    fake_edit(b->fake, &kind_endpoints, "a", "ext",
              "{\"subsets\":[{\"addresses\":[{\"ip\":\"1.1.1.1\"}],\"ports\":[{\"port\":80,\"protocol\":\"TCP\"}]}]}");
    bench_run(b);
    _cleanup_json_ json_t *less = only_slice(b);
    T_INT(json_array_size(jget(less, "endpoints")), 1);
    fake_edit(b->fake, &kind_endpoints, "a", "ext",
              "{\"metadata\":{\"labels\":{\"endpointslice.kubernetes.io/skip-mirror\":\"true\"}}}");
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_endpointslice), 0);
    bench_free(b);
}

int main(void)
{
    RUN(incremental_changes_give_what_a_full_computation_gives);
    RUN(one_change_is_one_write);
    RUN(pods_become_endpoints);
    RUN(traffic_is_kept_near_by_hints);
    RUN(conditions_follow_readiness_and_deletion);
    RUN(a_selector_that_matches_nothing_has_an_empty_slice);
    RUN(named_ports_are_looked_up_pod_by_pod);
    RUN(many_pods_fill_slices_of_a_hundred);
    RUN(more_pods_than_endpoints_hold_are_cut_and_it_says_so);
    RUN(hand_written_endpoints_are_mirrored);
    return DONE();
}
