/* netpol/explain: what `c8s why` says of policies. */
#include "base/buf.h"
#include "base/str.h"
#include "doc.h"
#include "netpol/explain.h"

#define POD(ns, name, ip, labels)                                                                                      \
    "{'metadata':{'name':'" name "','namespace':'" ns "','uid':'" ns "-" name                                          \
    "','resourceVersion':'1','labels':{" labels "}},'spec':{'nodeName':'n1'},'status':{'phase':'Running','podIP':'" ip \
    "'}}"
#define NAMESPACE(name)                                                                                                \
    "{'metadata':{'name':'" name "','resourceVersion':'1','labels':{'kubernetes.io/metadata.name':'" name "'}}}"
#define POLICY(name, spec) "{'metadata':{'name':'" name "','namespace':'x'},'spec':" spec "}"

/* What is said, a line each: Service web of namespace x, port 80 to 8080 of its pod a. */
static void check(const char *policies, const char *from, const char *want)
{
    _cleanup_json_ json_t *all = t_doc(
        "{'service':{'metadata':{'name':'web','namespace':'x'},'spec':{'clusterIP':'10.96.0.9','ports':[{'port':"
        "80}]}},'slices':[{'metadata':{'name':'web-1','labels':{'kubernetes.io/service-name':'web'}},"
        "'addressType':'IPv4','endpoints':[{'addresses':['10.244.0.3'],'conditions':{'ready':true},'targetRef':{"
        "'kind':'Pod','name':'a','namespace':'x'}}],'ports':[{'port':8080,'protocol':'TCP'}]}],'pods':[" POD(
            "x", "a", "10.244.0.3",
            "'app':'web'") "],'namespaces':[" NAMESPACE("x") "," NAMESPACE("y") "," NAMESPACE("kube-system") "]}");
    _cleanup_free_ char *list = xasprintf("[%s]", policies);
    _cleanup_json_ json_t *policy_docs = t_doc(list), *client = from ? t_doc(from) : NULL;
    const struct netpol_question q = {.service = jget(all, "service"),
                                      .slices = jget(all, "slices"),
                                      .pods = jget(all, "pods"),
                                      .policies = policy_docs,
                                      .namespaces = jget(all, "namespaces"),
                                      .from = client,
                                      .cluster_dns = "10.96.0.10"};
    _cleanup_json_ json_t *findings = netpol_explain(&q);
    struct buf text = BUF_INIT(0);
    size_t i;
    json_t *finding;
    json_array_foreach(findings, i, finding)
        buf_addf(&text, "%s%s: %s", i ? "\n" : "", jstr_or(finding, "level", ""), jstr_or(finding, "text", ""));
    T_STR(buf_str(&text), want);
    buf_done(&text);
}

#define CLIENT POD("x", "client", "10.244.0.5", "'role':'client'")
#define STRANGER POD("y", "stranger", "10.244.0.6", "")
#define WEB "{'podSelector':{'matchLabels':{'app':'web'}}"

TEST(who_a_policy_keeps_away)
{
    check("", CLIENT, "");
    check(POLICY("shut", "{'podSelector':{}}"), NULL,
          "NO: NetworkPolicy shut lets nobody reach port 8080/tcp of pod a");
    check(POLICY("other", "{'podSelector':{'matchLabels':{'app':'db'}}}"), NULL, "");
    check(POLICY("open", WEB ",'ingress':[{}]}"), NULL, "");
    check(POLICY("number", WEB ",'ingress':[{'ports':[{'port':80}]}]}"), NULL, /* the Service's number, not the pod's */
          "NO: NetworkPolicy number lets nobody reach port 8080/tcp of pod a");
    check(POLICY("shut", "{'podSelector':{}}") "," POLICY(
              "some", WEB ",'ingress':[{'from':[{'podSelector':{'matchLabels':{'role':'client'}}}]}]}"),
          NULL,
          "note: NetworkPolicies shut, some let only some reach port 8080/tcp of pod a (--from POD tells whether it is "
          "one of them)");
}

TEST(why_one_pod_does_not_get_through)
{
    static const char some[] = POLICY("some", WEB ",'ingress':[{'from':[{'podSelector':{'matchLabels':{'role':'client'}"
                                                  "}}]}]}");
    check(some, CLIENT, "ok: NetworkPolicies let pod client through");
    check(some, STRANGER, "NO: NetworkPolicy some keeps pod stranger from port 8080/tcp of pod a (ingress there)");
    check(POLICY("quiet", "{'podSelector':{'matchLabels':{'role':'client'}},'policyTypes':['Egress']}"), CLIENT,
          "NO: NetworkPolicy quiet keeps pod client from port 53/udp of the cluster's DNS (its egress)\n"
          "NO: NetworkPolicy quiet keeps pod client from port 8080/tcp of pod a (its egress)");
    check(POLICY("dns", "{'podSelector':{'matchLabels':{'role':'client'}},'policyTypes':['Egress'],'egress':[{'to':[{"
                        "'namespaceSelector':{'matchLabels':{'kubernetes.io/metadata.name':'kube-system'}}}]},{'to':[{"
                        "'podSelector':{}}]}]}"),
          CLIENT, "ok: NetworkPolicies let pod client through");
}

int main(void)
{
    RUN(who_a_policy_keeps_away);
    RUN(why_one_pod_does_not_get_through);
    return DONE();
}
