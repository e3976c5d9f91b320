/* service/envvars: what a container finds in its environment. */
#include "base/alloc.h"
#include "json/json.h"
#include "service/envvars.h"
#include "t.h"

static void add(struct model *m, const char *ns, const char *name, const char *text)
{
    _cleanup_json_ json_t *doc = json_loads(text, 0, NULL);
    T_TRUE(doc != NULL);
    model_set_service(m, ns, name, doc);
}

static struct model *cluster(void)
{
    struct model *m = model_new();
    add(m, "default", "kubernetes",
        "{\"spec\":{\"clusterIP\":\"10.96.0.1\",\"ports\":[{\"name\":\"https\",\"port\":443,\"protocol\":\"TCP\"}]}}");
    add(m, "shop", "my-db", "{\"spec\":{\"clusterIP\":\"10.96.0.7\",\"ports\":[{\"port\":53,\"protocol\":\"UDP\"}]}}");
    add(m, "shop", "none", "{\"spec\":{\"clusterIP\":\"None\",\"ports\":[{\"port\":53}]}}");
    add(m, "shop", "elsewhere", "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"x.org\"}}");
    return m;
}

#define KUBERNETES                                                                                                     \
    "\"KUBERNETES_SERVICE_HOST\":\"10.96.0.1\",\"KUBERNETES_SERVICE_PORT\":\"443\","                                   \
    "\"KUBERNETES_SERVICE_PORT_HTTPS\":\"443\",\"KUBERNETES_PORT\":\"tcp://10.96.0.1:443\","                           \
    "\"KUBERNETES_PORT_443_TCP\":\"tcp://10.96.0.1:443\",\"KUBERNETES_PORT_443_TCP_PROTO\":\"tcp\","                   \
    "\"KUBERNETES_PORT_443_TCP_PORT\":\"443\",\"KUBERNETES_PORT_443_TCP_ADDR\":\"10.96.0.1\""
#define MY_DB                                                                                                          \
    "\"MY_DB_SERVICE_HOST\":\"10.96.0.7\",\"MY_DB_SERVICE_PORT\":\"53\",\"MY_DB_PORT\":\"udp://10.96.0.7:53\","        \
    "\"MY_DB_PORT_53_UDP\":\"udp://10.96.0.7:53\",\"MY_DB_PORT_53_UDP_PROTO\":\"udp\","                                \
    "\"MY_DB_PORT_53_UDP_PORT\":\"53\",\"MY_DB_PORT_53_UDP_ADDR\":\"10.96.0.7\""

TEST(own_namespace_and_kubernetes)
{
    struct model *m = cluster();
    static const struct {
        const char *ns;
        bool links;
        const char *want;
    } cases[] = {
        {"shop", true, "{" KUBERNETES "," MY_DB "}"},
        {"shop", false, "{" KUBERNETES "}"},
        {"other", true, "{" KUBERNETES "}"},
        {"default", true, "{" KUBERNETES "}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_json_ json_t *env = service_env(m, cases[i].ns, cases[i].links);
        T_JSON(env, cases[i].want);
    }
    model_free(m);
}

TEST(several_ports_and_ipv6)
{
    struct model *m = model_new();
    add(m, "d", "web",
        "{\"spec\":{\"clusterIP\":\"fd00::1\",\"ports\":[{\"name\":\"http-alt\",\"port\":80},{\"name\":\"b\",\"port\":"
        "81}]}}");
    _cleanup_json_ json_t *env = service_env(m, "d", true);
    T_STR(jstr(env, "WEB_SERVICE_PORT"), "80");
    T_STR(jstr(env, "WEB_SERVICE_PORT_HTTP_ALT"), "80");
    T_STR(jstr(env, "WEB_SERVICE_PORT_B"), "81");
    T_STR(jstr(env, "WEB_PORT"), "tcp://[fd00::1]:80");
    T_STR(jstr(env, "WEB_PORT_81_TCP_ADDR"), "fd00::1");
    model_free(m);
}

TEST(a_namespaces_own_kubernetes_hides_the_clusters)
{
    struct model *m = cluster();
    add(m, "shop", "kubernetes", "{\"spec\":{\"clusterIP\":\"10.96.0.66\",\"ports\":[{\"port\":6443}]}}");
    _cleanup_json_ json_t *own = service_env(m, "shop", true), *without = service_env(m, "shop", false);
    T_STR(jstr(own, "KUBERNETES_SERVICE_HOST"), "10.96.0.66");
    T_STR(jstr(own, "KUBERNETES_SERVICE_PORT_HTTPS"), NULL);
    T_STR(jstr(without, "KUBERNETES_SERVICE_HOST"), "10.96.0.1");
    model_free(m);
}

int main(void)
{
    RUN(own_namespace_and_kubernetes);
    RUN(several_ports_and_ipv6);
    RUN(a_namespaces_own_kubernetes_hides_the_clusters);
    return DONE();
}
