/* service: what a person is told about Services that answer and that do not. */
#include "base/alloc.h"
#include "base/str.h"
#include "service/why.h"
#include "doc.h"

#define SERVICE(spec) "[{'metadata':{'name':'web','namespace':'d'},'spec':" spec "}]"
#define CLUSTER_IP "{'clusterIP':'10.96.0.9','selector':{'app':'web'},'ports':[{'port':80}]}"
#define TARGET(port) "{'clusterIP':'10.96.0.9','selector':{'app':'web'},'ports':[{'port':80,'targetPort':" port "}]}"
#define POD_OF(name, more, spec, status)                                                                               \
    "{'metadata':{'name':'" name "','labels':{'app':'web'}" more "},'spec':{" spec "},'status':{" status "}}"
#define PROBE "'readinessProbe':{'httpGet':{'path':'/up','port':8080}}"
#define POD(name, more, status) POD_OF(name, more, "'nodeName':'n1','containers':[{'name':'c'," PROBE "}]", status)
#define POD_WITH(name, container, status) POD_OF(name, "", "'containers':[{'name':'c'," container "}]", status)
#define READY "'conditions':[{'type':'Ready','status':'True'}]"
#define CONTAINER(more) "'containerStatuses':[{'name':'c'," more "}]"
#define SLICE(endpoints) SLICE_WITH(endpoints, "'port':8080")
#define SLICE_WITH(endpoints, port)                                                                                    \
    "[{'metadata':{'name':'s','labels':{'kubernetes.io/"                                                               \
    "service-name':'web'}},'addressType':'IPv4','endpoints':[" endpoints "],'ports':[{" port "}]}]"
#define ENDPOINT "{'addresses':['10.244.0.2'],'nodeName':'n1','targetRef':{'kind':'Pod','name':'a'}}"
#define NAME "web.d.svc.cluster.local "
#define LEADS "  ok    " NAME "leads to 10.96.0.9\n"
#define REFUSED "  NO    port 80/tcp has no endpoint that takes traffic: clients are refused\n"
#define NONE_OF(n) "  NO    selector app=web matches " n ", and none of them is ready\n"
#define ALIAS(target)                                                                                                  \
    "  note  " NAME "is another name for " target ": DNS says so, and nothing else of the cluster has a part in it\n"

struct why_case {
    const char *services, *pods, *slices;
    int n_bad;
    const char *said;
};

static const char events[] =
    "[{'type':'Warning','reason':'Unhealthy','message':'Readiness probe failed: code 503','lastTimestamp':"
    "'2026-01-01T00:00:02Z','involvedObject':{'kind':'Pod','name':'b'}},"
    "{'type':'Warning','reason':'Unhealthy','message':'older','lastTimestamp':'2026-01-01T00:00:01Z',"
    "'involvedObject':{'kind':'Pod','name':'b'}},"
    "{'type':'Warning','reason':'SyncLoadBalancerFailed','message':'no address is\\u001b[2J free','involvedObject':{"
    "'kind':'Service','name':'web'}},"
    "{'type':'Normal','reason':'Unhealthy','message':'no warning','involvedObject':{'kind':'Pod','name':'b'}}]";

static void explain_all(const struct why_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct buf out = BUF_INIT(1 << 16), first = BUF_INIT(1 << 16);
        _cleanup_json_ json_t *services = t_doc(cases[i].services), *pods = t_doc(cases[i].pods);
        _cleanup_json_ json_t *slices = t_doc(cases[i].slices), *all_events = t_doc(events);
        const struct why w = {.ns = "d",
                              .name = "web",
                              .services = services,
                              .slices = slices,
                              .pods = pods,
                              .events = all_events,
                              .domain = "cluster.local"};
        T_INT(why_explain(&w, &out, &first), cases[i].n_bad);
        T_STR(buf_str(&out), cases[i].said);
        T_TRUE(!cases[i].n_bad == !first.len && (!first.len || strstr(strstr(out.data, "  NO    "), first.data)));
        buf_done(&out);
        buf_done(&first);
    }
}

TEST(what_a_person_would_find)
{
    static const struct why_case cases[] = {
        {"[]", "[]", "[]", 1, "  NO    there is no Service web in namespace d\n"},
        {"[{'metadata':{'name':'web','namespace':'e'}}]", "[]", "[]", 1,
         "  NO    there is no Service web in namespace d, but one in e\n"},
        {SERVICE(CLUSTER_IP), "[" POD("a", "", READY) "," POD("b", "", CONTAINER("'ready':false")) "]", SLICE(ENDPOINT),
         0,
         LEADS
         "  ok    selector app=web matches 2 pods, 1 of them ready\n"
         "  note  pod b is not ready: c: its readiness probe fails: GET /up on port 8080 (Readiness probe failed: "
         "code 503)\n"
         "  ok    port 80/tcp: 1 of 1 endpoints take traffic\n"},
        {SERVICE(CLUSTER_IP), "[]", SLICE(""), 2,
         LEADS "  NO    selector app=web matches no pod in namespace d\n"
               "  note  there are no pods in namespace d at all\n" REFUSED},
        {SERVICE("{'clusterIP':'10.96.0.9','selector':{'app':'wep','tier':'x'},'ports':[{'port':80}]}"),
         "[" POD("a", "", READY) "," POD("b", "", READY) "]", SLICE(""), 2,
         LEADS "  NO    selector app=wep,tier=x matches no pod in namespace d\n"
               "  note  labels of pods there: app=web\n"
               "  note  no pod there has a label \"tier\"\n" REFUSED},
        {SERVICE(CLUSTER_IP), "[" POD("a", ",'deletionTimestamp':'x'", "") "," POD("b", "", "'phase':'Failed'") "]",
         SLICE(""), 2,
         LEADS NONE_OF("2 pods") "  note  pod a is being deleted\n  note  pod b has ended (Failed)\n" REFUSED},
        {SERVICE("{'type':'LoadBalancer','clusterIP':'10.96.0.9','ports':[]}"), "[]", "[]", 1,
         LEADS "  NO    it has no EXTERNAL-IP yet: no address is [2J free\n"
               "  note  it has no selector: its endpoints are what somebody has written\n"
               "  note  it has no ports\n"},
        {SERVICE("{'clusterIP':'10.96.0.9','ports':[{'name':'http','port':80}]}"), "[]",
         SLICE_WITH(ENDPOINT, "'name':'web','port':8080"), 1,
         LEADS "  note  it has no selector: its endpoints are what somebody has written\n" REFUSED
               "  note  EndpointSlice s names its port \"web\", the Service \"http\": only equal names meet\n"},
        {SERVICE("{'clusterIP':'10.96.0.9','ports':[{'port':80}]}"), "[]",
         SLICE_WITH(ENDPOINT, "'protocol':'UDP','port':8080"), 1,
         LEADS "  note  it has no selector: its endpoints are what somebody has written\n" REFUSED
               "  note  EndpointSlice s has that port as UDP\n"},
    };
    explain_all(cases, ARRAY_LEN(cases));
}

/* The state of the one pod that is not ready, and what is said of it. */
static const struct {
    const char *pod, *said;
} unready[] = {
    {POD("a", "", CONTAINER("'state':{'waiting':{'reason':'ImagePullBackOff','message':'no such image'}}")),
     "c: ImagePullBackOff (no such image)"},
    {POD("a", "",
         CONTAINER("'restartCount':4,'state':{'waiting':{'reason':'CrashLoopBackOff'}},'lastState':{'terminated':{"
                   "'exitCode':3}}")),
     "c: CrashLoopBackOff: it ended with code 3, restarted 4 times so far"},
    {POD("a", "", CONTAINER("'state':{'terminated':{'reason':'Error','exitCode':1}}")), "c: Error, code 1"},
    {POD("a", "", "'conditions':[{'type':'PodScheduled','status':'False','message':'0/1 nodes are available'}]"),
     "0/1 nodes are available"},
    {POD_WITH("a", "'image':'x'", CONTAINER("'state':{'running':{}}")), "c: it is starting"},
    {POD_WITH("a", "'startupProbe':{'tcpSocket':{'port':'http'}}," PROBE, CONTAINER("'started':false")),
     "c: its startup probe fails: a connection on port http"},
    {POD_WITH("a", "'readinessProbe':{'exec':{'command':['cat','/x']}}", CONTAINER("'started':true")),
     "c: its readiness probe fails: the command cat"},
    {POD_OF("a", "", "'initContainers':[{'name':'i'}]",
            "'initContainerStatuses':[{'name':'i','state':{'running':{}}}]"),
     "init container i: it has not ended yet, and the others wait for it"},
    {POD_OF("a", "", "'readinessGates':[{'conditionType':'x/y'}]",
            "'initContainerStatuses':[{'name':'i','state':{'terminated':{'exitCode':0}}}]"),
     "its readiness gate x/y is not True"},
    {POD("a", "", ""), "its node does not say that it runs"},
    {POD_OF("a", "", "'containers':[]", ""), "it has no node yet"},
};

TEST(what_keeps_a_pod_from_being_ready)
{
    for (size_t i = 0; i < ARRAY_LEN(unready); i++) {
        _cleanup_free_ char *pods = xasprintf("[%s]", unready[i].pod),
                            *said = xasprintf(LEADS NONE_OF("1 pod") "  note  pod a is not ready: %s\n" REFUSED,
                                              unready[i].said);
        explain_all(&(struct why_case){SERVICE(CLUSTER_IP), pods, SLICE(""), 2, said}, 1);
    }
}

/* targetPort, the ports of the pod's containers, and what is said of them. */
static const struct {
    const char *services, *container, *said;
    int n_bad;
} targets[] = {
    {SERVICE(TARGET("8080")), "'ports':[{'containerPort':8080}]", "", 0},
    {SERVICE(TARGET("8080")), "'image':'x'", "", 0}, /* ports need not be declared */
    {SERVICE(TARGET("8080")), "'ports':[{'containerPort':8080,'protocol':'UDP'}]",
     "  note  port 8080 is UDP in pod a, and TCP in the Service\n", 0},
    {SERVICE(TARGET("'http'")), "'ports':[{'name':'http','containerPort':8080}]", "", 0},
    {SERVICE(TARGET("'http'")), "'ports':[{'name':'web','containerPort':8080}]",
     "  NO    target port \"http\" is no container port's name in pod a\n", 1},
    {SERVICE(TARGET("'http'")), "'ports':[{'name':'http','containerPort':53,'protocol':'UDP'}]",
     "  NO    target port \"http\" is UDP in pod a, and TCP in the Service\n", 1},
};

TEST(target_ports)
{
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        _cleanup_free_ char *pods = xasprintf("[" POD_WITH("a", "%s", READY) "]", targets[i].container),
                            *said = xasprintf(LEADS "  ok    selector app=web matches 1 pod, 1 of them ready\n%s"
                                                    "  ok    port 80/tcp: 1 of 1 endpoints take traffic\n",
                                              targets[i].said);
        explain_all(&(struct why_case){targets[i].services, pods, SLICE(ENDPOINT), targets[i].n_bad, said}, 1);
    }
}

#define EXTERNAL(name, target)                                                                                         \
    "{'metadata':{'name':'" name "','namespace':'d'},'spec':{'type':'ExternalName','externalName':'" target "'}}"

TEST(aliases)
{
    static const struct why_case cases[] = {
        {"[" EXTERNAL("web", "x.example") "]", "[]", "[]", 0, ALIAS("x.example")},
        {"[" EXTERNAL("web", "b.d.svc.cluster.local.") "," EXTERNAL("b", "x.example") "]", "[]", "[]", 0,
         ALIAS("b.d.svc.cluster.local.")},
        {"[" EXTERNAL("web", "b.d.svc.cluster.local") "," EXTERNAL("b", "web.d.svc.Cluster.local") "]", "[]", "[]", 1,
         ALIAS(
             "b.d.svc.cluster.local") "  NO    the names lead in a circle, or too far: no resolver follows them to the "
                                      "end\n"},
        {"[" EXTERNAL("web", "b.e.svc.cluster.local") "]", "[]", "[]", 1,
         ALIAS("b.e.svc.cluster.local") "  NO    b.e.svc.cluster.local (of Service web) would be a Service of this "
                                        "cluster, and there is none\n"},
        {"[" EXTERNAL("web", "192.0.2.1") "]", "[]", "[]", 1,
         ALIAS("192.0.2.1") "  NO    externalName 192.0.2.1 is taken for a name, although it looks like an address: "
                            "nobody resolves it\n"},
    };
    explain_all(cases, ARRAY_LEN(cases));
}

/* --- with nodes that can be asked --- */

static enum why_answer rule_on_n1(void *arg, const char *node, const struct ip *ip, enum svc_protocol p, uint16_t port)
{
    (void)arg;
    T_TRUE(ip->family == AF_INET && p == PROTO_TCP && port == 80);
    return streq(node, "n1") ? WHY_YES : WHY_NO;
}

static enum why_answer nobody(void *arg, const char *node, const struct ip *ip, uint16_t port)
{
    (void)arg;
    (void)ip;
    T_INT(port, 8080);
    return streq(node, "n1") ? WHY_NO : WHY_UNKNOWN;
}

TEST(what_nodes_say)
{
    struct buf out = BUF_INIT(1 << 16), first = BUF_INIT(1 << 16);
    _cleanup_json_ json_t *services = t_doc(SERVICE("{'clusterIP':'10.96.0.9','internalTrafficPolicy':'Local',"
                                                    "'selector':{'app':'web'},'ports':[{'port':80}]}"));
    _cleanup_json_ json_t *pods = t_doc("[" POD_WITH("a", "'ports':[{'containerPort':80}]", READY) "]"),
                          *slices = t_doc(SLICE(ENDPOINT));
    _cleanup_json_ json_t *findings = t_doc("[{'level':'note','text':'somebody else knows more'}]");
    _cleanup_json_ json_t *nodes =
        t_doc("[{'metadata':{'name':'n1'},'status':{" READY "}},{'metadata':{'name':'n2'},'status':{}}]");
    const struct why w = {.ns = "d",
                          .name = "web",
                          .services = services,
                          .slices = slices,
                          .pods = pods,
                          .nodes = nodes,
                          .findings = findings,
                          .domain = "cluster.local",
                          .has_rule = rule_on_n1,
                          .listens = nobody};
    T_INT(why_explain(&w, &out, &first), 2);
    T_STR(buf_str(&first), "nobody listens on 10.244.0.2 port 8080 (a), seen from its node");
    T_STR(buf_str(&out),
          LEADS "  ok    selector app=web matches 1 pod, 1 of them ready\n"
                "  ok    port 80/tcp: 1 of 1 endpoints take traffic\n"
                "  NO    nobody listens on 10.244.0.2 port 8080 (a), seen from its node\n"
                "  note  ports of its containers: 80/TCP; is targetPort one of them?\n"
                "  note  node n2 is not Ready\n"
                "  NO    node n2 has not all rules for it\n"
                "  note  from pods on node n2 it is silent: internalTrafficPolicy Local, and no endpoint there\n"
                "  ok    1 node has the rules for it\n"
                "  note  somebody else knows more\n");
    buf_done(&out);
    buf_done(&first);
}

/* Of the nodes whose tunnel is in trouble only those matter behind which an endpoint lies. */
TEST(what_the_tunnel_says)
{
#define NODE(name, reason)                                                                                             \
    "{'metadata':{'name':'" name "'},'status':{'conditions':[{'type':'Ready','status':'True'},"                        \
    "{'type':'NetworkUnavailable','status':'False','reason':'" reason "','message':'said of " name "'}]}}"
    struct buf out = BUF_INIT(1 << 16), first = BUF_INIT(1 << 16);
    _cleanup_json_ json_t *services = t_doc(SERVICE(CLUSTER_IP)), *pods = t_doc("[" POD("a", "", READY) "]");
    _cleanup_json_ json_t *slices = t_doc(SLICE(ENDPOINT)), *well = t_doc("[" NODE("n1", "TunnelWorks") "]");
    _cleanup_json_ json_t *bad = t_doc("[" NODE("n1", "TunnelBlocked") "," NODE("n2", "TunnelBlocked") "]");
    struct why w = {.ns = "d",
                    .name = "web",
                    .services = services,
                    .slices = slices,
                    .pods = pods,
                    .nodes = well,
                    .domain = "cluster.local"};
    T_INT(why_explain(&w, &out, &first), 0);
    w.nodes = bad;
    buf_clear(&out);
    T_INT(why_explain(&w, &out, &first), 1);
    T_TRUE(strstr(buf_str(&out), "  NO    endpoints on node n1 are not reached from everywhere: said of n1\n"));
    buf_done(&out);
    buf_done(&first);
}

int main(void)
{
    RUN(what_a_person_would_find);
    RUN(what_keeps_a_pod_from_being_ready);
    RUN(target_ports);
    RUN(aliases);
    RUN(what_nodes_say);
    RUN(what_the_tunnel_says);
    return DONE();
}
