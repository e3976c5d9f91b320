/* node: config.json of a container. tests/golden/node_*.json hold whole documents; C8S_GOLDEN=write renews them. */
#include <stdlib.h>

#include "node/env.h"
#include "base/str.h"
#include "node/spec.h"
#include "doc.h"

static const char image_text[] = "{\"config\": {\"Entrypoint\": [\"/entry\"], \"Cmd\": [\"serve\", \"all\"], \"Env\": "
                                 "[\"PATH=/bin\", \"A=image\"], \"WorkingDir\": \"/srv\", \"User\": \"web\"}}";

struct world {
    json_t *pod, *image, *env;
    struct user user;
    struct spec_input in;
};

static void world_init(struct world *w, const char *container, const char *pod_spec)
{
    *w = (struct world){.pod = t_doc("{\"metadata\": {\"name\": \"p\", \"namespace\": \"ns\", \"uid\": \"u-1\"}}"),
                        .image = t_doc(image_text),
                        .env = t_doc("{\"A\": \"pod\", \"WHO\": \"world\"}")};
    json_t *spec = t_doc(pod_spec);
    json_object_set_new(spec, "containers", json_pack("[o]", t_doc(container)));
    json_object_set_new(w->pod, "spec", spec);
    w->in = (struct spec_input){
        .pod = w->pod,
        .container = json_array_get(json_object_get(spec, "containers"), 0),
        .image_config = w->image,
        .env = w->env,
        .user = &w->user,
        .rootfs = "/rootfs",
        .hostname = "p",
        .net_path = "/run/u/net",
        .ipc_path = "/run/u/ipc",
        .uts_path = "/run/u/uts",
        .cgroup_path = "/c8s/n1/u-1/cid",
        .limits = true,
        .device_rules = true,
        .oom_score_adj = 999,
        .oom_score_adj_min = -1000,
    };
}

static void world_done(struct world *w)
{
    json_decref(w->pod);
    json_decref(w->image);
    json_decref(w->env);
}

static void compare_golden(const char *path, const json_t *got)
{
    if (getenv("C8S_GOLDEN") && got)
        json_dump_file(got, path, JSON_INDENT(2));
    json_t *want = json_load_file(path, 0, NULL);
    if (!want || !got || !json_equal((json_t *)got, want)) {
        char *text = got ? json_dumps(got, JSON_INDENT(2)) : NULL;
        T_FAIL("%s differs (C8S_GOLDEN=write renews it):\n%s", path, text ? text : "(null)");
        free(text);
    }
    json_decref(want);
}

TEST(golden_documents)
{
    static const struct spec_mount mounts[] = {{"/data/hosts", "/etc/hosts", false, "rprivate"},
                                               {"/data/shm", "/dev/shm", true, "rslave"}};
    static const struct {
        const char *path, *container, *pod_spec;
    } cases[] = {
        {"tests/golden/node_plain.json", "{\"name\": \"c\", \"image\": \"i\"}", "{}"},
        {"tests/golden/node_strict.json",
         "{\"name\": \"c\", \"image\": \"i\", \"command\": [\"run\", \"$(WHO)\"], \"args\": [\"$(A)\", \"$$(A)\"], "
         "\"tty\": true, "
         "\"workingDir\": \"/w\", \"resources\": {\"requests\": {\"cpu\": \"100m\"}, \"limits\": {\"cpu\": \"500m\", "
         "\"memory\": \"64Mi\"}}, \"securityContext\": {\"readOnlyRootFilesystem\": true, "
         "\"allowPrivilegeEscalation\": false, "
         "\"capabilities\": {\"drop\": [\"ALL\"], \"add\": [\"NET_BIND_SERVICE\"]}}}",
         "{\"securityContext\": {\"fsGroup\": 2000, \"supplementalGroups\": [3000], \"sysctls\": [{\"name\": "
         "\"net.ipv4.tcp_syncookies\", \"value\": \"0\"}]}}"},
        {"tests/golden/node_privileged.json",
         "{\"name\": \"c\", \"image\": \"i\", \"args\": [\"x\"], \"securityContext\": {\"privileged\": true}}",
         "{\"hostPID\": true}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world own;
        struct err err;
        world_init(&own, cases[i].container, cases[i].pod_spec);
        own.in.mounts = mounts;
        own.in.n_mounts = 2;
        own.in.host_pid = i == 2;
        json_t *got = spec_build(&own.in, &err);
        compare_golden(cases[i].path, got);
        json_decref(got);
        world_done(&own);
    }
}

TEST(command_and_args_replace_entrypoint_and_cmd)
{
    static const struct {
        const char *container, *want;
    } cases[] = {
        {"{}", "[\"/entry\", \"serve\", \"all\"]"},
        {"{\"args\": [\"x\"]}", "[\"/entry\", \"x\"]"},
        {"{\"command\": [\"y\"]}", "[\"y\"]"},
        {"{\"command\": [\"y\"], \"args\": [\"x\"]}", "[\"y\", \"x\"]"},
        {"{\"command\": [], \"args\": []}", "[\"/entry\", \"serve\", \"all\"]"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world own;
        struct err err;
        world_init(&own, cases[i].container, "{}");
        json_t *got = spec_build(&own.in, &err);
        T_JSON(jget(got, "process.args"), cases[i].want);
        json_decref(got);
        world_done(&own);
    }
}

static bool refuses(const json_t *seccomp, const char *call)
{
    size_t i, n;
    json_t *rule, *name;
    json_array_foreach(jget(seccomp, "syscalls"), i, rule)
        json_array_foreach(jget(rule, "names"), n, name)
            if (streq(json_string_value(name), call))
                return true;
    return false;
}

TEST(the_default_profile_refuses_by_capability)
{
    struct world own;
    struct err err;
    world_init(&own,
               "{\"securityContext\": {\"capabilities\": {\"add\": [\"SYS_TIME\"]}, "
               "\"seccompProfile\": {\"type\": \"RuntimeDefault\"}}}",
               "{}");
    json_t *spec = spec_build(&own.in, &err);
    const json_t *seccomp = jget(spec, "linux.seccomp");
    T_TRUE(refuses(seccomp, "kexec_load") && refuses(seccomp, "mount") && refuses(seccomp, "clone3"));
    T_TRUE(!refuses(seccomp, "clock_settime") && !refuses(seccomp, "read"));
    json_decref(spec);
    world_done(&own);
    world_init(&own,
               "{\"securityContext\": {\"seccompProfile\": {\"type\": \"Localhost\"}, \"appArmorProfile\": {\"type\": "
               "\"Localhost\", \"localhostProfile\": \"mine\"}}}",
               "{}");
    own.in.seccomp_local = json_pack("{ss, ss}", "defaultAction", "SCMP_ACT_LOG", "archMap", "x");
    spec = spec_build(&own.in, &err);
    T_JSON(jget(spec, "linux.seccomp"), "{\"defaultAction\": \"SCMP_ACT_LOG\"}");
    T_STR(jstr(spec, "process.apparmorProfile"), "mine");
    json_decref(spec);
    json_decref((json_t *)own.in.seccomp_local);
    world_done(&own);
    world_init(&own, "{\"securityContext\": {\"seccompProfile\": {\"type\": \"Unconfined\"}}}", "{}");
    spec = spec_build(&own.in, &err);
    T_TRUE(spec && !jget(spec, "linux.seccomp"));
    json_decref(spec);
    world_done(&own);
}

TEST(what_cannot_be_is_said)
{
    struct world own;
    struct err err;
    world_init(&own, "{\"securityContext\": {\"runAsNonRoot\": true}}", "{}");
    T_TRUE(spec_build(&own.in, &err) == NULL);
    T_TRUE(str_after(err.msg, "container has runAsNonRoot and image has non-numeric user (web), cannot verify user is "
                              "non-root (pod: \"") != NULL);
    jset_str(own.image, "config.User", "0");
    T_TRUE(spec_build(&own.in, &err) == NULL);
    T_TRUE(str_after(err.msg, "container has runAsNonRoot and image will run as root (pod: \"") != NULL);
    _cleanup_json_ json_t *zero = json_pack("{s{sb, si}}", "securityContext", "runAsNonRoot", 1, "runAsUser", 0);
    const json_t *before = own.in.container;
    own.in.container = zero;
    T_TRUE(spec_build(&own.in, &err) == NULL);
    T_TRUE(str_after(err.msg, "container's runAsUser breaks non-root policy (pod: \"") != NULL);
    own.in.container = before;
    own.user.uid = 5;
    json_t *ok = spec_build(&own.in, &err);
    T_TRUE(ok != NULL);
    json_decref(ok);
    world_done(&own);
    world_init(&own, "{}", "{}");
    json_object_clear(own.image);
    T_TRUE(spec_build(&own.in, &err) == NULL);
    T_STR(err.msg, "no command specified");
    world_done(&own);
}

TEST(no_device_rules_no_device_nodes)
{
    struct world own;
    struct err err;
    world_init(&own, "{}", "{}");
    own.in.device_rules = false;
    json_t *got = spec_build(&own.in, &err);
    char *text = json_dumps(got, 0);
    T_TRUE(strstr(text, "CAP_CHOWN") && !strstr(text, "CAP_MKNOD") && !strstr(text, "\"devices\""));
    free(text);
    json_decref(got);
    world_done(&own);
}

TEST(user_comes_from_pod_or_image)
{
    static const struct {
        const char *container, *pod_spec, *want;
    } cases[] = {
        {"{}", "{}", "web"},
        {"{}", "{\"securityContext\": {\"runAsUser\": 7}}", "7"},
        {"{\"securityContext\": {\"runAsUser\": 8}}", "{\"securityContext\": {\"runAsUser\": 7, \"runAsGroup\": 9}}",
         "8:9"},
        {"{\"securityContext\": {\"runAsGroup\": 9}}", "{}", "web:9"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world own;
        world_init(&own, cases[i].container, cases[i].pod_spec);
        char *got = spec_user(own.in.pod, own.in.container, own.in.image_config);
        T_STR(got, cases[i].want);
        free(got);
        world_done(&own);
    }
}

TEST(an_exec_is_the_container_with_other_arguments)
{
    static const char *const args[] = {"ls", "-l", NULL};
    struct world own;
    struct err err;
    world_init(&own, "{}", "{}");
    json_t *spec = spec_build(&own.in, &err), *got = spec_exec_process(spec, args, true);
    T_JSON(jget(got, "args"), "[\"ls\", \"-l\"]");
    T_TRUE(json_is_true(jget(got, "terminal")) && !jhas(got, "oomScoreAdj"));
    T_JSON(jget(got, "env"), "[\"PATH=/bin\", \"A=pod\", \"WHO=world\", \"HOSTNAME=p\", \"HOME=/\", \"TERM=xterm\"]");
    T_JSON(jget(spec, "process.args"), "[\"/entry\", \"serve\", \"all\"]");
    json_decref(got);
    json_decref(spec);
    world_done(&own);
}

TEST(quality_of_service)
{
    static const struct {
        const char *resources, *qos;
        int oom;
    } cases[] = {
        {"{}", "BestEffort", 1000},
        {"{\"requests\": {\"memory\": \"512Mi\"}}", "Burstable", 500},
        {"{\"requests\": {\"cpu\": \"1\"}}", "Burstable", 999},
        {"{\"requests\": {\"memory\": \"1Gi\"}}", "Burstable", 3},
        {"{\"limits\": {\"cpu\": \"1\", \"memory\": \"1Gi\"}}", "Guaranteed", -997},
        {"{\"limits\": {\"cpu\": \"1\", \"memory\": \"1Gi\"}, \"requests\": {\"cpu\": \"1\", \"memory\": \"1024Mi\"}}",
         "Guaranteed", -997},
        {"{\"limits\": {\"cpu\": \"1\"}}", "Burstable", 999},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world own;
        world_init(&own, "{}", "{}");
        json_object_set_new((json_t *)own.in.container, "resources", t_doc(cases[i].resources));
        T_STR(spec_qos_class(own.pod), cases[i].qos);
        T_INT(spec_oom_score_adj(own.pod, own.in.container, 1 << 30), cases[i].oom);
        world_done(&own);
    }
}

int main(void)
{
    RUN(golden_documents);
    RUN(command_and_args_replace_entrypoint_and_cmd);
    RUN(the_default_profile_refuses_by_capability);
    RUN(what_cannot_be_is_said);
    RUN(no_device_rules_no_device_nodes);
    RUN(user_comes_from_pod_or_image);
    RUN(an_exec_is_the_container_with_other_arguments);
    RUN(quality_of_service);
    return DONE();
}
