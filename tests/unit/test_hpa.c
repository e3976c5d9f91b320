/* control: how many pods a measured resource asks for (cases as upstream's replica_calculator_test.go has them), how
 * fast that may be followed, and the controller's rounds. */
#include "bench.h"
#include "control/hpametrics.h"
#include "control/hpapace.h"
#include "control/hparatio.h"
#include "control/list.h"
#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "doc.h"

#define SECOND 1000000LL
#define NOW (10000 * SECOND)

/* --- the number --- */

TEST(replicas_follow_usage)
{
    static const struct {
        const char *what;
        int current, percent;
        /* each a pod: usage in thousandths, "-": not measured, "p": pending, "u": not ready, "d": deleted, "y": young
         */
        const char *pods;
        const char *want; /* replicas and per cent, or the message */
    } cases[] = {
        {"as wanted", 3, 50, "500 500 500", "3 50"},
        {"more", 3, 30, "300 500 700", "5 50"},
        {"within the tolerance", 3, 100, "1010 1030 1020", "3 102"},
        {"fewer", 5, 50, "100 300 500 250 250", "3 28"},
        {"unready ones would count nothing on the way up", 3, 30, "300u 500 700", "4 60"},
        {"pending as well", 3, 30, "0p 500 700", "4 60"},
        {"unready ones do not count on the way down", 5, 50, "100 300 500 250u 250u", "2 30"},
        {"missing ones count nothing on the way up", 4, 60, "- 950", "4 95"},
        {"missing ones count fully on the way down", 3, 50, "100 - -", "3 10"},
        {"young ones are not ready for CPU", 2, 50, "1000 1000y", "2 100"},
        {"those that leave are not there", 2, 50, "1000 1000 1000d", "4 100"},
        {"nothing measured", 2, 50, "- -",
         "unable to get metrics for resource cpu: no metrics returned from resource metrics API"},
        {"nobody ready", 2, 50, "100u 100u", "did not receive metrics for targeted pods (pods might be unready)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n;
        _cleanup_free_ char **words = str_split(cases[i].pods, ' ', &n);
        struct hpa_pod pods[8];
        for (size_t k = 0; k < n; k++) {
            char last = words[k][strlen(words[k]) - 1];
            pods[k] = (struct hpa_pod){.name = "p",
                                       .leaving = last == 'd',
                                       .pending = last == 'p',
                                       .has_ready = true,
                                       .ready = last != 'u',
                                       .ready_since = NOW - (last == 'y' ? 1 : 1000) * SECOND,
                                       .started = NOW - (last == 'u' || last == 'y' ? 10 : 1000) * SECOND,
                                       .measured = last != '-' && last != 'p',
                                       .usage = atoi(words[k]),
                                       .measured_at = NOW,
                                       .window = 30 * SECOND,
                                       .request = 1000};
        }
        const struct hpa_target t = {"cpu", true, cases[i].percent};
        struct hpa_proposal p;
        struct err err = {0};
        int result = hpa_propose(pods, n, &t, cases[i].current, NOW, &p, &err);
        _cleanup_free_ char *got =
            result < 0 ? xstrdup(err.msg) : xasprintf("%lld %lld", (long long)p.replicas, (long long)p.utilization);
        if (!streq(got, cases[i].want))
            T_FAIL("%s: %s, want %s", cases[i].what, got, cases[i].want);
    }
}

TEST(averages_need_no_requests)
{
    struct hpa_pod pods[2] = {{.name = "a", .has_ready = true, .ready = true, .measured = true, .usage = 300000},
                              {.name = "b", .has_ready = true, .ready = true, .measured = true, .usage = 500000}};
    const struct hpa_target memory = {"memory", false, 100000}, share = {"memory", true, 50};
    struct hpa_proposal p;
    struct err err;
    T_INT(hpa_propose(pods, 2, &memory, 2, NOW, &p, &err), 0);
    T_INT(p.replicas, 8);
    T_INT(p.average, 400000);
    pods[1].no_request = "c";
    T_INT(hpa_propose(pods, 2, &share, 2, NOW, &p, &err), -1);
    T_STR(err.msg, "missing request for memory in container c of Pod b");
}

/* --- the pace --- */

TEST(policies_and_limits)
{
    static const struct {
        const char *spec;
        int current, proposed, want;
        const char *reason;
    } cases[] = {
        {"{'maxReplicas':100}", 3, 50, 7, "ScaleUpLimit"},   /* four more */
        {"{'maxReplicas':100}", 10, 50, 20, "ScaleUpLimit"}, /* twice as many */
        {"{'maxReplicas':6}", 3, 50, 6, "TooManyReplicas"},
        {"{'maxReplicas':6,'minReplicas':2}", 3, 1, 2, "TooFewReplicas"},
        {"{'maxReplicas':6}", 3, 4, 4, "DesiredWithinRange"},
        {"{'maxReplicas':100,'behavior':{'scaleUp':{'selectPolicy':'Min','policies':[{'type':'Pods','value':4,"
         "'periodSeconds':15},{'type':'Percent','value':10,'periodSeconds':15}]}}}",
         10, 50, 11, "ScaleUpLimit"},
        {"{'maxReplicas':100,'behavior':{'scaleUp':{'selectPolicy':'Disabled'}}}", 10, 50, 10, "ScaleUpLimit"},
        {"{'maxReplicas':100,'behavior':{'scaleDown':{'policies':[{'type':'Pods','value':2,'periodSeconds':60}]}}}", 10,
         1, 8, "ScaleDownLimit"},
        {"{'maxReplicas':100,'behavior':{'scaleDown':{'selectPolicy':'Min','policies':[{'type':'Pods','value':5,"
         "'periodSeconds':60},{'type':'Percent','value':10,'periodSeconds':60}]}}}",
         10, 1, 9, "ScaleDownLimit"},
        {"{'maxReplicas':100,'behavior':{'scaleDown':{'selectPolicy':'Disabled'}}}", 10, 1, 10, "ScaleDownLimit"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct hpa_memory m = {0};
        _cleanup_json_ json_t *spec = t_doc(cases[i].spec);
        struct hpa_pace p = hpa_settle(&m, spec, cases[i].current, cases[i].proposed, 1000000);
        if (p.replicas != cases[i].want || !streq(p.limit_reason, cases[i].reason))
            T_FAIL("%s: %lld, %s", cases[i].spec, (long long)p.replicas, p.limit_reason);
        hpa_memory_done(&m);
    }
}

TEST(a_period_is_shared_by_its_changes)
{
    struct hpa_memory m = {0};
    _cleanup_json_ json_t *spec =
        t_doc("{'maxReplicas':100,'behavior':{'scaleUp':{'policies':[{'type':'Pods','value':4,"
              "'periodSeconds':60}]}}}");
    T_INT(hpa_settle(&m, spec, 1, 50, 0).replicas, 5);
    hpa_remember_change(&m, 1, 5, 0);
    T_INT(hpa_settle(&m, spec, 5, 50, 30000).replicas, 5);
    T_INT(hpa_settle(&m, spec, 5, 50, 61000).replicas, 9);
    hpa_memory_done(&m);
}

TEST(the_way_down_is_held_up)
{
    struct hpa_memory m = {0};
    _cleanup_json_ json_t *spec = t_doc("{'maxReplicas':100}");
    T_INT(hpa_settle(&m, spec, 8, 8, 0).replicas, 8);
    struct hpa_pace p = hpa_settle(&m, spec, 8, 2, 60000);
    T_INT(p.replicas, 8);
    T_STR(p.able_reason, "ScaleDownStabilized");
    p = hpa_settle(&m, spec, 8, 3, 310000);
    T_INT(p.replicas, 3);
    T_STR(p.able_reason, "ReadyForNewScale");
    hpa_memory_done(&m);
}

/* --- metrics of a spec --- */

TEST(the_largest_counts_and_failures_are_named)
{
    _cleanup_json_ json_t *pods = t_doc(
        "[{'metadata':{'name':'a'},'spec':{'containers':[{'name':'c','resources':{'requests':{'cpu':'200m',"
        "'memory':'64Mi'}}}]},'status':{'phase':'Running','startTime':'1970-01-01T00:00:10Z','conditions':[{'type':"
        "'Ready','status':'True','lastTransitionTime':'1970-01-01T00:00:20Z'}]}}]");
    _cleanup_json_ json_t *metrics =
        t_doc("{'a':{'timestamp':'1970-01-01T02:40:00Z','window':'15s','containers':[{'name':'c','usage':{'cpu':'500m',"
              "'memory':'32Mi'}}]}}");
    _cleanup_json_ json_t *spec = t_doc(
        "{'metrics':[{'type':'Resource','resource':{'name':'memory','target':{'type':'AverageValue','averageValue':"
        "'32Mi'}}},{'type':'Resource','resource':{'name':'cpu','target':{'type':'Utilization','averageUtilization':50}}"
        "},{'type':'Pods','pods':{'metric':{'name':'rps'},'target':{'averageValue':'1'}}}]}");
    struct hpa_verdict v;
    json_t *current;
    hpa_judge(spec, pods, metrics, 1, NOW, &v, &current);
    T_INT(v.replicas, 5);
    T_STR(v.name, "cpu resource utilization (percentage of request)");
    T_INT(v.invalid, 1);
    T_STR(v.failed, "FailedGetPodsMetric");
    T_STR(v.first_err.msg,
          "failed to get pods metric value: unable to get metric rps: unable to fetch metrics from custom "
          "metrics API: no custom metrics API (custom.metrics.k8s.io) registered");
    T_JSON(current,
           "[{\"type\":\"Resource\",\"resource\":{\"name\":\"memory\",\"current\":{\"averageValue\":\"32Mi\"}}},"
           "{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"current\":{\"averageValue\":\"500m\","
           "\"averageUtilization\":250}}},{\"type\":\"\"}]");
    json_decref(current);
    _cleanup_json_ json_t *nothing = json_object();
    _cleanup_json_ json_t *cpu = t_doc("{'metrics':[{'type':'Resource','resource':{'name':'cpu','target':{'type':"
                                       "'Utilization','averageUtilization':50}}}]}");
    hpa_judge(cpu, pods, nothing, 1, NOW, &v, &current);
    T_STR(v.first_err.msg,
          "failed to get cpu resource metric value: failed to get cpu utilization: unable to get metrics "
          "for resource cpu: no metrics returned from resource metrics API");
    json_decref(current);
}

/* --- rounds --- */

static void put(struct bench *b, const struct kind *k, const char *text)
{
    _cleanup_json_ json_t *doc = t_doc(text);
    _cleanup_free_ char *json = jprint(doc);
    fake_set(b->fake, k, json);
}

/* A pod that uses five times what it should, and its target; the fake API answers for a scale with the object itself.
 */
static struct bench *loaded_cluster(unsigned seed)
{
    struct bench *b = bench_new(seed);
    controllers_add(b->cs, &autoscaler_controller);
    put(b, &kind_deployment,
        "{'metadata':{'namespace':'a','name':'web'},'spec':{'replicas':1},'status':{'selector':'app=web'}}");
    put(b, &kind_pod,
        "{'metadata':{'namespace':'a','name':'p','labels':{'app':'web'}},'spec':{'containers':[{'name':'c','resources':"
        "{'requests':{'cpu':'200m'}}}]},'status':{'phase':'Running','startTime':'2020-01-01T00:00:10Z','conditions':[{"
        "'type':'Ready','status':'True','lastTransitionTime':'2020-01-01T00:00:20Z'}]}}");
    put(b, &kind_podmetrics,
        "{'metadata':{'namespace':'a','name':'p'},'timestamp':'2027-01-15T08:00:00Z','window':'15s','containers':[{"
        "'name':'c','usage':{'cpu':'500m'}}]}");
    put(b, &kind_autoscaler,
        "{'metadata':{'namespace':'a','name':'web'},'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':"
        "'Deployment','name':'web'},'minReplicas':1,'maxReplicas':3,'metrics':[{'type':'ContainerResource',"
        "'containerResource':{'name':'cpu','container':'c','target':{'type':'Utilization','averageUtilization':50}}}]}"
        "}");
    controllers_start(b->cs);
    return b;
}

static const char *condition_of(const json_t *doc, const char *type)
{
    static char text[64];
    const json_t *c = jfind(jget(doc, "status.conditions"), "type", type);
    snprintf(text, sizeof(text), "%s %s", jstr_or(c, "status", ""), jstr_or(c, "reason", ""));
    return text;
}

static size_t events_of(struct bench *b, const char *reason, const char *message)
{
    size_t n = 0;
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, &kind_event, &cursor));) {
        _cleanup_json_ json_t *e = object_json(o);
        n += streq(jstr_or(e, "reason", ""), reason) && streq(jstr_or(e, "message", ""), message);
    }
    return n;
}

TEST(a_round_scales_and_says_so)
{
    for (unsigned seed = 0; seed < 4; seed++) {
        struct bench *b = loaded_cluster(seed);
        bench_run(b);
        _cleanup_json_ json_t *web = fake_json(b->fake, &kind_deployment, "a", "web");
        _cleanup_json_ json_t *hpa = fake_json(b->fake, &kind_autoscaler, "a", "web");
        T_INT(jint(web, "spec.replicas", 0), 3);
        T_INT(jint(hpa, "status.currentReplicas", 0), 1);
        T_INT(jint(hpa, "status.desiredReplicas", 0), 3);
        T_TRUE(jstr(hpa, "status.lastScaleTime") != NULL);
        T_STR(condition_of(hpa, "AbleToScale"), "True SucceededRescale");
        T_STR(condition_of(hpa, "ScalingActive"), "True ValidMetricFound");
        T_STR(condition_of(hpa, "ScalingLimited"), "True TooManyReplicas");
        T_INT(events_of(b, "SuccessfulRescale",
                        "New size: 3; reason: cpu container resource utilization (percentage of request) above target"),
              1);
        bench_free(b);
    }
}

/* The target goes when its scale has been read. */
static void take_the_target_away(struct bench *b)
{
    LIST_EACH(it, &b->fake->tasks) {
        const struct fake_task *t = container_of(it, struct fake_task, link);
        if (t->applied && strstr(t->path, "/web/scale") && fake_get(b->fake, &kind_deployment, "a", "web"))
            fake_delete(b->fake, &kind_deployment, "a", "web");
    }
}

TEST(a_target_that_does_not_let_itself_be_scaled)
{
    for (unsigned seed = 0; seed < 4; seed++) {
        struct bench *b = loaded_cluster(seed);
        bench_run_with(b, take_the_target_away, false);
        _cleanup_json_ json_t *hpa = fake_json(b->fake, &kind_autoscaler, "a", "web");
        T_STR(condition_of(hpa, "AbleToScale"), "False FailedUpdateScale");
        T_TRUE(!jget(hpa, "status.lastScaleTime") && !jget(hpa, "status.desiredReplicas"));
        T_INT(events_of(b, "SuccessfulRescale", ""), 0);
        T_INT(events_of(b, "FailedRescale",
                        "New size: 3; reason: cpu container resource utilization (percentage of request) above target; "
                        "error: not found"),
              1);
        bench_free(b);
    }
}

int main(void)
{
    RUN(replicas_follow_usage);
    RUN(averages_need_no_requests);
    RUN(policies_and_limits);
    RUN(a_period_is_shared_by_its_changes);
    RUN(the_way_down_is_held_up);
    RUN(the_largest_counts_and_failures_are_named);
    RUN(a_round_scales_and_says_so);
    RUN(a_target_that_does_not_let_itself_be_scaled);
    return DONE();
}
