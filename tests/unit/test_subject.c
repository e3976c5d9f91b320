/* server/subject.h: the options of connections, between a query and a document. */
#include "server/subject.h"

#include "base/alloc.h"
#include "json/json.h"
#include "t.h"

static bool reads(const struct webhook_type *type, const char *query, const char *path, const char *expected)
{
    struct err err;
    _cleanup_json_ json_t *doc = connect_options(type, query, path), *want = jparse(expected, strlen(expected), &err);
    return json_equal(doc, want);
}

TEST(options_of_a_connection)
{
    T_TRUE(reads(&subject_exec, "command=ls&command=-l%20x&container=c&stdin=true&stdout=1&tty=false", "",
                 "{\"kind\":\"PodExecOptions\",\"apiVersion\":\"v1\",\"command\":[\"ls\",\"-l x\"],\"container\":\"c\","
                 "\"stdin\":true,\"stdout\":true}"));
    T_TRUE(reads(&subject_attach, "stderr=true&command=no", "",
                 "{\"kind\":\"PodAttachOptions\",\"apiVersion\":\"v1\",\"stderr\":true}"));
    T_TRUE(reads(&subject_portforward, "ports=80&ports=x&ports=81", "",
                 "{\"kind\":\"PodPortForwardOptions\",\"apiVersion\":\"v1\",\"ports\":[80,81]}"));
    T_TRUE(reads(&subject_node_proxy, "a=b", "/x y",
                 "{\"kind\":\"NodeProxyOptions\",\"apiVersion\":\"v1\",\"path\":\"/x y\"}"));
    T_TRUE(reads(&subject_pod_proxy, "", "", "{\"kind\":\"PodProxyOptions\",\"apiVersion\":\"v1\"}"));
}

static bool writes(const struct webhook_type *type, const char *query, const char *options, const char *expected)
{
    struct err err;
    _cleanup_json_ json_t *doc = jparse(options, strlen(options), &err);
    _cleanup_free_ char *text = connect_query(type, query, doc);
    if (strcmp(text, expected) != 0)
        fprintf(stderr, "%s\n", text);
    return strcmp(text, expected) == 0;
}

TEST(what_webhooks_make_of_them)
{
    T_TRUE(writes(&subject_exec, "command=sh&stdin=true&stdout=true&x=1",
                  "{\"command\":[\"ls\",\"a b\"],\"stdout\":true,\"stdin\":false,\"container\":\"d\"}",
                  "x=1&stdout=true&container=d&command=ls&command=a%20b"));
    T_TRUE(writes(&subject_portforward, "", "{\"ports\":[80,81]}", "ports=80&ports=81"));
    T_TRUE(writes(&subject_service_proxy, "a=b", "{\"path\":\"/elsewhere\"}", "a=b"));
}

int main(void)
{
    RUN(options_of_a_connection);
    RUN(what_webhooks_make_of_them);
    return DONE();
}
