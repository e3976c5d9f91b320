/* node: the pure texts: logs, files in /etc, environment, downward API, users. */
#include "base/buf.h"
#include "node/command.h"
#include "node/crilog.h"
#include "node/env.h"
#include "node/files.h"
#include "node/grpc.h"
#include "node/user.h"
#include "doc.h"

/* --- logs --- */

#define L1 "2026-11-20T10:00:00.000000001+00:00 stdout F one\n"
#define L2 "2026-11-20T10:00:01.5Z stderr P tw\n"
#define L3 "2026-11-20T10:00:01.6Z stderr F o\n"
#define L4 "2026-11-20T10:00:02Z stdout F \n"
#define L5 "2026-11-20T10:00:03Z stdout F three\n"
static const char log_text[] = L1 L2 L3 L4 L5;

static char *read_log(const char *text, size_t step, struct crilog_options o)
{
    struct buf out = BUF_INIT(65536);
    struct crilog_reader r;
    crilog_init(&r, &o);
    for (size_t at = 0, len = strlen(text); at < len; at += step)
        crilog_feed(&r, text + at, len - at < step ? len - at : step, &out);
    crilog_done(&r);
    return out.data ? buf_take(&out) : xstrdup("");
}

TEST(logs_are_the_same_in_any_pieces)
{
    for (size_t step = 1; step <= sizeof(log_text); step++) {
        char *got = read_log(log_text, step, (struct crilog_options){.limit_bytes = -1});
        T_STR(got, "one\ntwo\n\nthree\n");
        free(got);
    }
}

TEST(logs_obey_the_options)
{
    static const int64_t second_line = 1795168801000000; /* 2026-11-20T10:00:01Z */
    static const struct {
        struct crilog_options o;
        const char *want;
    } cases[] = {
        {{.limit_bytes = 5}, "one\nt"},
        {{.limit_bytes = 0}, ""},
        {{.limit_bytes = -1, .since_usec = second_line}, "two\n\nthree\n"},
        {{.limit_bytes = -1, .since_usec = second_line + 1000000}, "\nthree\n"},
        {{.limit_bytes = -1, .timestamps = true},
         "2026-11-20T10:00:00.000000001+00:00 one\n2026-11-20T10:00:01.5Z two\n2026-11-20T10:00:02Z "
         "\n2026-11-20T10:00:03Z three\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *got = read_log(log_text, 7, cases[i].o);
        T_STR(got, cases[i].want);
        free(got);
    }
}

TEST(lines_of_another_format_are_left_out)
{
    char *got = read_log("nonsense\n2026 stdout F a\n2026 stdin F b\n2026 stdout X c\n2026 stdout\n\n2026 stdout F d",
                         3, (struct crilog_options){.limit_bytes = -1});
    T_STR(got, "a\n"); /* the last line has no end yet */
    free(got);
}

TEST(a_tail_counts_lines_not_parts)
{
    static const struct {
        int64_t n;
        const char *want;
        int64_t found;
    } cases[] = {{0, "", 0}, {1, L5, 1}, {2, L4 L5, 2}, {3, L2 L3 L4 L5, 3}, {4, log_text, 4}, {9, log_text, 4}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t found;
        size_t len = strlen(log_text), tail = crilog_tail(log_text, len, cases[i].n, &found);
        T_STR(log_text + len - tail, cases[i].want);
        T_INT(found, cases[i].found);
    }
}

/* --- /etc --- */

TEST(resolv_conf_follows_policy_and_config)
{
    static const char node[] = "# a comment\nnameserver 192.0.2.53\nsearch example.org\noptions ndots:1 rotate\n";
    static const struct {
        const char *spec, *node, *want;
    } cases[] = {
        {"{}", "nameserver 192.0.2.53\n",
         "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"},
        {"{}", node,
         "search default.svc.cluster.local svc.cluster.local cluster.local example.org\nnameserver 10.96.0.10\noptions "
         "ndots:5\n"},
        {"{\"dnsPolicy\": \"Default\"}", node, "search example.org\nnameserver 192.0.2.53\noptions ndots:1 rotate\n"},
        {"{\"hostNetwork\": true}", node, "search example.org\nnameserver 192.0.2.53\noptions ndots:1 rotate\n"},
        {"{\"hostNetwork\": true, \"dnsPolicy\": \"ClusterFirstWithHostNet\"}", "",
         "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"},
        {"{\"dnsPolicy\": \"None\", \"dnsConfig\": {\"nameservers\": [\"1.1.1.1\"], \"searches\": [\"a.b\"], "
         "\"options\": "
         "[{\"name\": \"ndots\", \"value\": \"2\"}, {\"name\": \"edns0\"}]}}",
         node, "search a.b\nnameserver 1.1.1.1\noptions ndots:2 edns0\n"},
        {"{\"dnsConfig\": {\"searches\": [\"cluster.local\", \"x.y\"], \"options\": [{\"name\": \"ndots\", \"value\": "
         "\"1\"}]}}",
         "",
         "search default.svc.cluster.local svc.cluster.local cluster.local x.y\nnameserver 10.96.0.10\noptions "
         "ndots:1\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *pod = t_doc("{\"metadata\": {\"name\": \"p\", \"namespace\": \"default\"}}");
        json_object_set_new(pod, "spec", t_doc(cases[i].spec));
        char *got = files_resolv_conf(pod, "10.96.0.10", "cluster.local", cases[i].node);
        T_STR(got, cases[i].want);
        free(got);
        json_decref(pod);
    }
}

/* The words of the `search` line when the pod asks for n domains of that many letters. */
static size_t count_searches(int n, int letters, size_t *ret_chars)
{
    json_t *pod = t_doc("{\"metadata\":{\"namespace\":\"d\"},\"spec\":{\"dnsPolicy\":\"None\",\"dnsConfig\":{"
                        "\"nameservers\":[\"1.1.1.1\",\"1.1.1.2\",\"1.1.1.3\",\"1.1.1.4\"],\"searches\":[]}}}");
    for (int i = 0; i < n; i++) {
        char *domain = xasprintf("%0*d", letters, i);
        json_array_append_new(jget(pod, "spec.dnsConfig.searches"), json_string(domain));
        free(domain);
    }
    char *got = files_resolv_conf(pod, "10.96.0.10", "cluster.local", "");
    size_t words = 0;
    *ret_chars = strcspn(got, "\n") - strlen("search ");
    for (const char *c = got; *c != '\n'; c++)
        words += *c == ' ';
    T_TRUE(strstr(got, "1.1.1.3") && !strstr(got, "1.1.1.4"));
    free(got);
    json_decref(pod);
    return words;
}

TEST(resolv_conf_is_no_longer_than_the_kubelet_s)
{
    size_t chars;
    T_INT(count_searches(32, 10, &chars), 32);
    T_INT(count_searches(40, 10, &chars), 32);
    T_INT(count_searches(32, 100, &chars), 20); /* 20 * 101 - 1 */
    T_INT(chars, 2019);
}

TEST(hosts_and_hostname)
{
    json_t *pod =
        t_doc("{\"metadata\": {\"name\": \"web-0\", \"namespace\": \"shop\"}, \"spec\": {\"hostname\": \"web\", "
              "\"subdomain\": \"front\", \"hostAliases\": [{\"ip\": \"192.0.2.1\", \"hostnames\": [\"a\", \"b\"]}]}}");
    char *name = files_hostname(pod, "n1"), *got = files_hosts(pod, name, "10.244.0.7", "cluster.local");
    T_STR(name, "web");
    T_TRUE(strstr(got, "\n10.244.0.7\tweb.front.shop.svc.cluster.local\tweb\n") != NULL);
    T_TRUE(strstr(got, "\n# Entries added by HostAliases.\n192.0.2.1\ta\tb\n") != NULL);
    free(name);
    free(got);
    json_object_set_new(json_object_get(pod, "spec"), "hostNetwork", json_true());
    name = files_hostname(pod, "n1");
    T_STR(name, "n1");
    free(name);
    json_decref(pod);
    pod = t_doc("{\"metadata\": {\"name\": \"a123456789-123456789-123456789-123456789-123456789-123456789-1-x\"}, "
                "\"spec\": {}}");
    name = files_hostname(pod, "n1"); /* cut to 63, and no dash at the end */
    T_STR(name, "a123456789-123456789-123456789-123456789-123456789-123456789-1");
    free(name);
    json_decref(pod);
}

/* --- environment --- */

static const char pod_text[] =
    "{\"metadata\": {\"name\": \"p\", \"namespace\": \"ns\", \"uid\": \"u-1\", \"labels\": {\"app\": \"web\", "
    "\"a.b/c\": "
    "\"x\\\"y\"}, \"annotations\": {}}, \"spec\": {\"nodeName\": \"n1\", \"containers\": [{\"name\": \"c\", "
    "\"resources\": "
    "{\"limits\": {\"cpu\": \"1500m\", \"memory\": \"64Mi\"}, \"requests\": {\"cpu\": \"250m\"}}}]}}";
static const struct pod_facts facts = {.pod_ips = "10.244.0.7",
                                       .host_ips = "172.28.128.10",
                                       .node_name = "n1",
                                       .node_milli_cpu = 4000,
                                       .node_memory_bytes = 1 << 30};

/* Runs env_build() for the members of a container; the result as JSON text, or "error: …". The caller frees. */
static char *build(const char *members)
{
    json_t *pod = t_doc(pod_text),
           *container = json_array_get(json_object_get(json_object_get(pod, "spec"), "containers"), 0);
    json_t *more = t_doc(members);
    json_object_update(container, more);
    json_t *services = t_doc("{\"KUBERNETES_SERVICE_HOST\": \"10.96.0.1\", \"OWN\": \"service\"}");
    json_t *refs =
        t_doc("{\"configmap/cm\": {\"kind\": \"ConfigMap\", \"data\": {\"k\": \"v\", \"1bad\": \"x\", \"ok-name\": "
              "\"y\"}}, \"secret/s\": {\"kind\": \"Secret\", \"data\": {\"pw\": \"aHVudGVyMg==\"}}}");
    struct env_input in = {pod, container, &facts, services, refs};
    struct err err;
    json_t *env = env_build(&in, &err);
    char *text = env ? json_dumps(env, JSON_COMPACT) : xasprintf("error: %s", err.msg);
    json_decref(env);
    json_decref(services);
    json_decref(refs);
    json_decref(more);
    json_decref(pod);
    return text;
}

#define SERVICES ",\"KUBERNETES_SERVICE_HOST\":\"10.96.0.1\",\"OWN\":\"service\"}"

TEST(environment_is_as_asked_for)
{
    static const struct {
        const char *members, *want;
    } cases[] = {
        {"{}", "{\"KUBERNETES_SERVICE_HOST\":\"10.96.0.1\",\"OWN\":\"service\"}"},
        {"{\"env\": [{\"name\": \"A\", \"value\": \"1\"}, {\"name\": \"B\", \"value\": \"$(A) $$(A) $(NO) $(OWN) $x "
         "$(A\"}]}",
         "{\"A\":\"1\",\"B\":\"1 $(A) $(NO) service $x $(A\"" SERVICES},
        {"{\"env\": [{\"name\": \"OWN\", \"value\": \"mine\"}]}",
         "{\"OWN\":\"mine\",\"KUBERNETES_SERVICE_HOST\":\"10.96.0.1\"}"},
        {"{\"envFrom\": [{\"prefix\": \"P_\", \"configMapRef\": {\"name\": \"cm\"}}, {\"secretRef\": {\"name\": "
         "\"s\"}}]}",
         "{\"P_k\":\"v\",\"P_1bad\":\"x\",\"P_ok-name\":\"y\",\"pw\":\"hunter2\"" SERVICES},
        {"{\"envFrom\": [{\"configMapRef\": {\"name\": \"cm\"}}]}", "{\"k\":\"v\",\"ok-name\":\"y\"" SERVICES},
        {"{\"env\": [{\"name\": \"A\", \"valueFrom\": {\"fieldRef\": {\"fieldPath\": \"metadata.labels['a.b/c']\"}}}]}",
         "{\"A\":\"x\\\"y\"" SERVICES},
        {"{\"env\": [{\"name\": \"A\", \"valueFrom\": {\"fieldRef\": {\"fieldPath\": \"status.hostIP\"}}}, {\"name\": "
         "\"B\", "
         "\"valueFrom\": {\"fieldRef\": {\"fieldPath\": \"status.podIP\"}}}]}",
         "{\"A\":\"172.28.128.10\",\"B\":\"10.244.0.7\"" SERVICES},
        {"{\"env\": [{\"name\": \"A\", \"valueFrom\": {\"resourceFieldRef\": {\"resource\": \"limits.cpu\"}}}, "
         "{\"name\": "
         "\"B\", \"valueFrom\": {\"resourceFieldRef\": {\"resource\": \"requests.memory\", \"divisor\": \"1Mi\"}}}, "
         "{\"name\": "
         "\"C\", \"valueFrom\": {\"resourceFieldRef\": {\"resource\": \"requests.cpu\", \"divisor\": \"1m\"}}}]}",
         "{\"A\":\"2\",\"B\":\"64\",\"C\":\"250\"" SERVICES},
        {"{\"env\": [{\"name\": \"A\", \"valueFrom\": {\"configMapKeyRef\": {\"name\": \"no\", \"key\": \"k\", "
         "\"optional\": "
         "true}}}]}",
         "{\"KUBERNETES_SERVICE_HOST\":\"10.96.0.1\",\"OWN\":\"service\"}"},
        {"{\"env\": [{\"name\": \"A\", \"valueFrom\": {\"configMapKeyRef\": {\"name\": \"no\", \"key\": \"k\"}}}]}",
         "error: configmap \"no\" not found"},
        {"{\"env\": [{\"name\": \"A\", \"valueFrom\": {\"secretKeyRef\": {\"name\": \"s\", \"key\": \"k\"}}}]}",
         "error: couldn't find key k in Secret ns/s"},
        {"{\"env\": [{\"name\": \"A\", \"valueFrom\": {\"fieldRef\": {\"fieldPath\": \"spec.nope\"}}}]}",
         "error: unsupported fieldPath: spec.nope"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *got = build(cases[i].members);
        T_STR(got, cases[i].want);
        free(got);
    }
}

TEST(labels_fill_a_file)
{
    json_t *pod = t_doc(pod_text);
    struct err err;
    char *got = fieldref_value(pod, &facts, "metadata.labels", true, &err);
    T_STR(got, "a.b/c=\"x\\\"y\"\napp=\"web\"");
    free(got);
    T_TRUE(fieldref_value(pod, &facts, "metadata.labels", false, &err) == NULL);
    json_decref(pod);
}

/* --- users --- */

TEST(users_are_looked_up_in_the_image)
{
    static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:34:w:/var/www:/bin/false";
    static const char group[] = "root:x:0:\nwww:x:34:\nextra:x:50:a,web,b\nstaff:x:60:\n";
    static const struct {
        const char *spec;
        int64_t uid, gid, first_group; /* -1: none */
        const char *home;
    } cases[] = {
        {"", 0, 0, -1, "/root"},   {"web", 33, 34, 50, "/var/www"}, {"33", 33, 34, 50, "/var/www"},
        {"1000", 1000, 0, -1, ""}, {"1000:60", 1000, 60, -1, ""},   {"web:staff", 33, 60, -1, "/var/www"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct user u;
        struct err err;
        T_INT(user_resolve(cases[i].spec, passwd, group, &u, &err), 0);
        T_INT(u.uid, cases[i].uid);
        T_INT(u.gid, cases[i].gid);
        T_INT(u.n_groups ? u.groups[0] : -1, cases[i].first_group);
        T_STR(u.home, cases[i].home);
    }
    struct user u;
    struct err err;
    T_TRUE(user_resolve("nobody", passwd, group, &u, &err) < 0 &&
           user_resolve("web:none", passwd, group, &u, &err) < 0);
}

TEST(a_program_that_does_not_start)
{
#define SAYS "OCI runtime exec failed: exec failed: unable to start container process: "
    static const struct {
        const char *log, *program, *want;
        int code;
    } cases[] = {
        {"", "a", NULL, -1},
        {"{\"msg\":\"executable file `a` not found in $PATH: No such file or directory\",\"level\":\"error\"}\n", "a",
         SAYS "exec: \"a\": executable file not found in $PATH: unknown\n", 127},
        {"{\"msg\":\"executable file `/x/a` not found: No such file or directory\"}\n", "/x/a",
         SAYS "exec: \"/x/a\": stat /x/a: no such file or directory: unknown\n", 127},
        {"{\"msg\":\"open executable: Permission denied\"}", "/etc",
         SAYS "exec: \"/etc\": permission denied: unknown\n", 126},
        {"no JSON", "a", SAYS "no JSON: unknown\n", 126},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int code = -1;
        _cleanup_free_ char *got = exec_complaint(cases[i].log, cases[i].program, &code);
        T_STR(got, cases[i].want);
        T_INT(code, cases[i].code);
    }
}

/* --- gRPC --- */

TEST(health_is_one_number_in_a_message)
{
    static const struct {
        const char *bytes;
        size_t len;
        int status;
    } cases[] = {
        {"\0\0\0\0\2\10\1", 7, 1},       {"\0\0\0\0\0", 5, 0},
        {"\0\0\0\0\4\10\1\10\2", 9, 2},  {"\0\0\0\0\2\10", 6, -1},
        {"\0\0\0\0\2\10\377", 7, -1},    {"\1\0\0\0\2\10\1", 7, -1},
        {"\0\0\0\0\2\20\1", 7, -1},      {"", 0, -1},
        {"\0\0\0\0\3\10\254\2", 8, 300},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        T_INT(grpc_health_status((const unsigned char *)cases[i].bytes, cases[i].len), cases[i].status);
}

int main(void)
{
    RUN(health_is_one_number_in_a_message);
    RUN(a_program_that_does_not_start);
    RUN(logs_are_the_same_in_any_pieces);
    RUN(logs_obey_the_options);
    RUN(lines_of_another_format_are_left_out);
    RUN(a_tail_counts_lines_not_parts);
    RUN(resolv_conf_follows_policy_and_config);
    RUN(resolv_conf_is_no_longer_than_the_kubelet_s);
    RUN(hosts_and_hostname);
    RUN(environment_is_as_asked_for);
    RUN(labels_fill_a_file);
    RUN(users_are_looked_up_in_the_image);
    return DONE();
}
