/* ingress: what a person is told about the Ingresses that lead to a Service. */
#include "ingress/explain.h"
#include "base/buf.h"
#include "base/str.h"
#include "doc.h"

#define SERVICE "{'metadata':{'name':'web','namespace':'d'},'spec':{'ports':[{'name':'http','port':80}]}}"
#define CLASSES                                                                                                        \
    "[{'metadata':{'name':'own'},'spec':{'controller':'c8s.io/haproxy'}},{'metadata':{'name':'nginx'},'spec':{"        \
    "'controller':'k8s.io/ingress-nginx'}}]"
#define INGRESS(more, port) INGRESS_TO("web", more, port)
#define INGRESS_TO(service, more, port)                                                                                \
    "[{'metadata':{'name':'i','namespace':'d'},'spec':{'rules':[{'host':'a.test','http':{'paths':[{'path':'/x',"       \
    "'pathType':'Prefix','backend':{'service':{'name':'" service "','port':{" port "}}}}]}}]" more                     \
    "},'status':{'loadBalancer':{'ingress':[{'ip':'192.0.2.1'}]}}}]"

static const struct {
    const char *ingresses, *said;
} cases[] = {
    {"[]", ""},
    {INGRESS_TO("other", "", "'number':80"), ""},
    {INGRESS("", "'number':80"), "ok Ingress i: a.test/x leads here\n"},
    {INGRESS(",'ingressClassName':'own'", "'name':'http'"), "ok Ingress i: a.test/x leads here\n"},
    {INGRESS("", "'number':8080"), "NO Ingress i: a.test/x leads to port 8080, which the Service does not have\n"},
    {INGRESS("", "'name':'web'"), "NO Ingress i: a.test/x leads to port \"web\", which the Service does not have\n"},
    {INGRESS(",'ingressClassName':'gone'", "'number':80"),
     "ok Ingress i: a.test/x leads here\nNO Ingress i: there is no IngressClass gone, so nobody serves it\n"},
    {INGRESS(",'ingressClassName':'nginx'", "'number':80"),
     "ok Ingress i: a.test/x leads here\n"
     "note Ingress i: IngressClass nginx leaves it to another program (k8s.io/ingress-nginx)\n"},
    {INGRESS(",'tls':[{'hosts':['a.test'],'secretName':'gone'}]", "'number':80"),
     "ok Ingress i: a.test/x leads here\n"
     "NO Ingress i: Secret \"gone\": there is none of type kubernetes.io/tls; the default certificate is used\n"},
    {"[{'metadata':{'name':'i','namespace':'d'},'spec':{'defaultBackend':{'service':{'name':'web','port':{'number':80}}"
     "}}}]",
     "ok Ingress i: what no other rule is for leads here\nNO Ingress i has no address yet: it is not served so far\n"},
};

TEST(what_a_person_would_find)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF_INIT(1 << 16);
        _cleanup_json_ json_t *service = t_doc(SERVICE), *classes = t_doc(CLASSES), *secrets = json_array();
        _cleanup_json_ json_t *ingresses = t_doc(cases[i].ingresses);
        const struct ingress_question q = {service, ingresses, classes, secrets};
        _cleanup_json_ json_t *findings = ingress_explain(&q);
        size_t k;
        json_t *finding;
        json_array_foreach(findings, k, finding)
            buf_addf(&out, "%s %s\n", jstr(finding, "level"), jstr(finding, "text"));
        T_STR(buf_str(&out), cases[i].said);
        buf_done(&out);
    }
}

int main(void)
{
    RUN(what_a_person_would_find);
    return DONE();
}
