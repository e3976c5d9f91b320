/* service: what a person is told about Services that answer and that do not. */
#include "base/alloc.h"
#include "base/str.h"
#include "service/why.h"
#include "doc.h"

#define SERVICE(spec) "[{'metadata':{'name':'web','namespace':'d'},'spec':" spec "}]"
#define CLUSTER_IP "{'clusterIP':'10.96.0.9','selector':{'app':'web'},'ports':[{'port':80}]}"
#define POD(name, more, status)                                                                                        \
    "{'metadata':{'name':'" name "','labels':{'app':'web'}" more                                                       \
    "},'spec':{'containers':[{'name':'c','readinessProbe':{}}]},'status':{" status "}}"
#define READY "'conditions':[{'type':'Ready','status':'True'}]"
#define SLICE(endpoints)                                                                                               \
    "[{'metadata':{'name':'s','labels':{'kubernetes.io/"                                                               \
    "service-name':'web'}},'addressType':'IPv4','endpoints':[" endpoints "],'ports':[{'port':8080}]}]"
#define ENDPOINT "{'addresses':['10.244.0.2'],'nodeName':'n1','targetRef':{'kind':'Pod','name':'a'}}"
#define NAME "web.d.svc.cluster.local "

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

static const struct {
    const char *services, *pods, *slices;
    int n_bad;
    const char *said;
} cases[] = {
    {"[]", "[]", "[]", 1, "  NO    there is no Service web in namespace d\n"},
    {"[{'metadata':{'name':'web','namespace':'e'}}]", "[]", "[]", 1,
     "  NO    there is no Service web in namespace d, but one in e\n"},
    {SERVICE(CLUSTER_IP), "[" POD("a", "", READY) "," POD("b", "", "'containerStatuses':[{'name':'c'}]") "]",
     SLICE(ENDPOINT), 0,
     "  ok    " NAME "leads to 10.96.0.9\n"
     "  ok    selector app=web matches 2 pods, 1 of them ready\n"
     "  note  pod b is not ready: c: its readiness probe fails\n"
     "  ok    port 80/tcp: 1 of 1 endpoints take traffic\n"},
    {SERVICE(CLUSTER_IP), "[]", SLICE(""), 2,
     "  ok    " NAME "leads to 10.96.0.9\n"
     "  NO    selector app=web matches no pod in namespace d\n"
     "  NO    port 80/tcp has no endpoint that takes traffic: clients are refused\n"},
    {SERVICE(CLUSTER_IP),
     "[" POD("a", "", "'containerStatuses':[{'name':'c','state':{'waiting':{'reason':'ImagePullBackOff'}}}]") "," POD(
         "b", "",
         "'conditions':[{'type':'PodScheduled','status':'False','message':'0/1 nodes are available'}]") "," POD("c",
                                                                                                                ",'"
                                                                                                                "deleti"
                                                                                                                "onTime"
                                                                                                                "stamp'"
                                                                                                                ":'x'",
                                                                                                                "") "," POD("e",
                                                                                                                            "",
                                                                                                                            "'phase':'Failed'") "]",
     SLICE(""), 2,
     "  ok    " NAME "leads to 10.96.0.9\n"
     "  NO    selector app=web matches 4 pods, and none of them is ready\n"
     "  note  pod a is not ready: c: ImagePullBackOff\n"
     "  note  pod b is not ready: 0/1 nodes are available\n"
     "  note  pod c is being deleted\n"
     "  note  pod e has ended (Failed)\n"
     "  NO    port 80/tcp has no endpoint that takes traffic: clients are refused\n"},
    {SERVICE("{'clusterIP':'10.96.0.9','selector':{'app':'web'},'ports':[{'port':80,'targetPort':'http'}]}"),
     "[" POD("a", "", READY) "]", SLICE(""), 2,
     "  ok    " NAME "leads to 10.96.0.9\n"
     "  ok    selector app=web matches 1 pod, 1 of them ready\n"
     "  NO    target port \"http\" is no container port's name in pod a\n"
     "  NO    port 80/tcp has no endpoint that takes traffic: clients are refused\n"},
    {SERVICE("{'type':'ExternalName','externalName':'x.example'}"), "[]", "[]", 0,
     "  note  " NAME "is another name for x.example: DNS says so, and nothing else of the cluster has a part in it\n"},
    {SERVICE("{'type':'LoadBalancer','clusterIP':'10.96.0.9','ports':[]}"), "[]", "[]", 1,
     "  ok    " NAME "leads to 10.96.0.9\n"
     "  NO    it has no EXTERNAL-IP yet; its Events say why (kubectl describe service)\n"
     "  note  it has no selector: its endpoints are what somebody has written\n"
     "  note  it has no ports\n"},
};

TEST(what_a_person_would_find)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF_INIT(1 << 16);
        _cleanup_json_ json_t *services = t_doc(cases[i].services), *pods = t_doc(cases[i].pods);
        _cleanup_json_ json_t *slices = t_doc(cases[i].slices);
        const struct why w = {
            .ns = "d", .name = "web", .services = services, .slices = slices, .pods = pods, .domain = "cluster.local"};
        T_INT(why_explain(&w, &out), cases[i].n_bad);
        T_STR(buf_str(&out), cases[i].said);
        buf_done(&out);
    }
}

TEST(what_nodes_say)
{
    struct buf out = BUF_INIT(1 << 16);
    _cleanup_json_ json_t *services = t_doc(SERVICE("{'clusterIP':'10.96.0.9','internalTrafficPolicy':'Local',"
                                                    "'selector':{'app':'web'},'ports':[{'port':80}]}"));
    _cleanup_json_ json_t *pods = t_doc("[" POD("a", "", READY) "]"), *slices = t_doc(SLICE(ENDPOINT));
    _cleanup_json_ json_t *nodes =
        t_doc("[{'metadata':{'name':'n1'},'status':{" READY "}},{'metadata':{'name':'n2'},'status':{}}]");
    const struct why w = {.ns = "d",
                          .name = "web",
                          .services = services,
                          .slices = slices,
                          .pods = pods,
                          .nodes = nodes,
                          .domain = "cluster.local",
                          .has_rule = rule_on_n1,
                          .listens = nobody};
    T_INT(why_explain(&w, &out), 2);
    T_STR(buf_str(&out),
          "  ok    " NAME "leads to 10.96.0.9\n"
          "  ok    selector app=web matches 1 pod, 1 of them ready\n"
          "  ok    port 80/tcp: 1 of 1 endpoints take traffic\n"
          "  NO    nobody listens on 10.244.0.2 port 8080 (a), seen from its node\n"
          "  note  node n2 is not Ready\n"
          "  NO    node n2 has not all rules for it\n"
          "  note  from pods on node n2 it is silent: internalTrafficPolicy Local, and no endpoint there\n"
          "  ok    1 node has the rules for it\n");
    buf_done(&out);
}

int main(void)
{
    RUN(what_a_person_would_find);
    RUN(what_nodes_say);
    return DONE();
}
