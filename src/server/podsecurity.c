/* See podsecurity.h. Rules and words: k8s.io/pod-security-admission policy, the version of its day. Windows is left out
 * but for host processes. */
#include "server/podsecurity.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"

#define TEXT_MAX 65536

/* --- collecting offenders --- */

/* Names and bad values, each once: `"a", "b"`. */
struct names {
    struct buf text;
    int n;
};
#define NAMES_INIT                                                                                                     \
    {                                                                                                                  \
        .text = BUF_INIT(TEXT_MAX)                                                                                     \
    }

static void names_add(struct names *l, const char *name)
{
    _cleanup_free_ char *quoted = xasprintf("\"%s\"", name);
    if (l->n && strstr(buf_str(&l->text), quoted))
        return;
    buf_addf(&l->text, "%s%s", l->n++ ? ", " : "", quoted);
}

static void names_done(struct names *l)
{
    buf_done(&l->text);
}

/* The containers, init containers first, that a test finds guilty; bad values gather in `values`. */
typedef bool guilty_fn(const json_t *container, struct names *values);

static void find_containers(const json_t *spec, guilty_fn *guilty, struct names *found, struct names *values)
{
    static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
    size_t i;
    json_t *c;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        json_array_foreach(jget(spec, lists[l]), i, c)
            if (guilty(c, values))
                names_add(found, jstr_or(c, "name", ""));
}

/* `container "a"`, `containers "a", "b"`. */
static char *containers_text(const struct names *l)
{
    return xasprintf("container%s %s", l->n > 1 ? "s" : "", buf_str((struct buf *)&l->text));
}

/* `pod`, `container "a"` or both; NULL: nobody. */
static char *setters(bool pod, const struct names *l)
{
    _cleanup_free_ char *containers = l->n ? containers_text(l) : NULL;
    if (!pod && !containers)
        return NULL;
    return xasprintf("%s%s%s", pod ? "pod" : "", pod && containers ? " and " : "", containers ? containers : "");
}

static bool one_of(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (streq(list[i], s))
            return true;
    return false;
}

/* --- tests of one container --- */

static bool is_privileged(const json_t *c, struct names *values)
{
    (void)values;
    return jbool(c, "securityContext.privileged", false);
}

static bool has_host_port(const json_t *c, struct names *values)
{
    size_t i;
    json_t *port;
    bool any = false;
    json_array_foreach(jget(c, "ports"), i, port)
        if (jint(port, "hostPort", 0)) {
            buf_addf(&values->text, "%s%lld", values->n++ ? ", " : "", (long long)jint(port, "hostPort", 0));
            any = true;
        }
    return any;
}

static bool adds_beyond(const json_t *c, const char *const *allowed, size_t n, struct names *values)
{
    size_t i;
    json_t *cap;
    bool any = false;
    json_array_foreach(jget(c, "securityContext.capabilities.add"), i, cap)
        if (!one_of(str_or(json_string_value(cap), ""), allowed, n)) {
            names_add(values, str_or(json_string_value(cap), ""));
            any = true;
        }
    return any;
}

static bool adds_beyond_default(const json_t *c, struct names *values)
{
    static const char *const allowed[] = {"AUDIT_WRITE", "CHOWN",  "DAC_OVERRIDE",     "FOWNER",  "FSETID",
                                          "KILL",        "MKNOD",  "NET_BIND_SERVICE", "SETFCAP", "SETGID",
                                          "SETPCAP",     "SETUID", "SYS_CHROOT"};
    return adds_beyond(c, allowed, ARRAY_LEN(allowed), values);
}

static bool adds_beyond_bind(const json_t *c, struct names *values)
{
    static const char *const allowed[] = {"NET_BIND_SERVICE"};
    return adds_beyond(c, allowed, 1, values);
}

static bool keeps_capabilities(const json_t *c, struct names *values)
{
    size_t i;
    json_t *cap;
    (void)values;
    json_array_foreach(jget(c, "securityContext.capabilities.drop"), i, cap)
        if (streq(str_or(json_string_value(cap), ""), "ALL"))
            return false;
    return true;
}

static bool unmasks_proc(const json_t *c, struct names *values)
{
    const char *mount = jstr_or(c, "securityContext.procMount", "Default");
    if (streq(mount, "Default"))
        return false;
    names_add(values, mount);
    return true;
}

static bool is_host_process(const json_t *c, struct names *values)
{
    (void)values;
    return jbool(c, "securityContext.windowsOptions.hostProcess", false);
}

static bool may_escalate(const json_t *c, struct names *values)
{
    (void)values;
    return jbool(c, "securityContext.allowPrivilegeEscalation", true);
}

static bool is_unconfined(const json_t *c, struct names *values)
{
    (void)values;
    return streq(jstr_or(c, "securityContext.seccompProfile.type", ""), "Unconfined");
}

static bool has_no_profile(const json_t *c, struct names *values)
{
    (void)values;
    return !jget(c, "securityContext.seccompProfile.type");
}

static bool has_no_app_armor(const json_t *c, struct names *values)
{
    (void)values;
    return streq(jstr_or(c, "securityContext.appArmorProfile.type", ""), "Unconfined");
}

static bool wants_root(const json_t *c, struct names *values)
{
    (void)values;
    return !jbool(c, "securityContext.runAsNonRoot", true);
}

static bool says_nothing_of_root(const json_t *c, struct names *values)
{
    (void)values;
    return !jget(c, "securityContext.runAsNonRoot");
}

static bool is_user_zero(const json_t *c, struct names *values)
{
    (void)values;
    return jint(c, "securityContext.runAsUser", 1) == 0;
}

/* What is bad in SELinux options, as `type "x"; user may not be set`. */
static bool has_bad_selinux(const json_t *c, struct names *values)
{
    static const char *const allowed[] = {"", "container_t", "container_init_t", "container_kvm_t",
                                          "container_engine_t"};
    static const char *const never[] = {"user", "role"};
    const json_t *options = jget(c, "securityContext.seLinuxOptions");
    const char *type = jstr_or(options, "type", "");
    bool bad = !one_of(type, allowed, ARRAY_LEN(allowed));
    if (bad)
        buf_addf(&values->text, "%stype \"%s\"", values->n++ ? "; " : "", type);
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (*jstr_or(options, never[i], "")) {
            buf_addf(&values->text, "%s%s may not be set", values->n++ ? "; " : "", never[i]);
            bad = true;
        }
    return bad;
}

/* --- the checks: each adds what it finds to b, as "reason (detail)" --- */

static void blame(struct buf *b, const char *reason, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void blame(struct buf *b, const char *reason, const char *fmt, ...)
{
    va_list ap;
    buf_addf(b, "%s%s (", b->len ? ", " : "", reason);
    va_start(ap, fmt);
    buf_addv(b, fmt, ap);
    va_end(ap);
    buf_adds(b, ")");
}

/* A check of which a table row says everything: `CONTAINERS <before>[values]<after>`. pod: the same settings of the
 * pod itself count as well. */
struct simple_check {
    const char *reason;
    guilty_fn *guilty;
    const char *before, *after;
    bool with_values, pod;
};

static void check_simple(struct buf *b, const struct simple_check *check, const json_t *spec)
{
    struct names found = NAMES_INIT, values = NAMES_INIT;
    bool pod = check->pod && check->guilty(spec, &values);
    find_containers(spec, check->guilty, &found, &values);
    _cleanup_free_ char *who = setters(pod, &found);
    if (who)
        blame(b, check->reason, "%s %s%s%s", who, check->before, check->with_values ? buf_str(&values.text) : "",
              check->after);
    names_done(&found);
    names_done(&values);
}

static void check_host_namespaces(struct buf *b, const json_t *spec)
{
    static const char *const members[] = {"hostNetwork", "hostPID", "hostIPC"};
    struct buf found = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (jbool(spec, members[i], false))
            buf_addf(&found, "%s%s=true", found.len ? ", " : "", members[i]);
    if (found.len)
        blame(b, "host namespaces", "%s", buf_str(&found));
    buf_done(&found);
}

static void check_host_paths(struct buf *b, const json_t *spec)
{
    struct names found = NAMES_INIT;
    size_t i;
    json_t *v;
    json_array_foreach(jget(spec, "volumes"), i, v)
        if (jget(v, "hostPath"))
            names_add(&found, jstr_or(v, "name", ""));
    if (found.n)
        blame(b, "hostPath volumes", "volume%s %s", found.n > 1 ? "s" : "", buf_str(&found.text));
    names_done(&found);
}

static void check_host_ports(struct buf *b, const json_t *spec)
{
    struct names found = NAMES_INIT, ports = NAMES_INIT;
    find_containers(spec, has_host_port, &found, &ports);
    _cleanup_free_ char *who = setters(false, &found);
    if (who)
        blame(b, "hostPort", "%s use%s hostPort%s %s", who, found.n > 1 ? "" : "s", ports.n > 1 ? "s" : "",
              buf_str(&ports.text));
    names_done(&found);
    names_done(&ports);
}

static void check_sysctls(struct buf *b, const json_t *spec)
{
    static const char *const allowed[] = {"kernel.shm_rmid_forced",
                                          "net.ipv4.ip_local_port_range",
                                          "net.ipv4.tcp_syncookies",
                                          "net.ipv4.ping_group_range",
                                          "net.ipv4.ip_unprivileged_port_start",
                                          "net.ipv4.ip_local_reserved_ports",
                                          "net.ipv4.tcp_keepalive_time",
                                          "net.ipv4.tcp_fin_timeout",
                                          "net.ipv4.tcp_keepalive_intvl",
                                          "net.ipv4.tcp_keepalive_probes",
                                          "net.ipv4.tcp_rmem",
                                          "net.ipv4.tcp_wmem"};
    struct names found = NAMES_INIT;
    size_t i;
    json_t *s;
    json_array_foreach(jget(spec, "securityContext.sysctls"), i, s)
        if (!one_of(jstr_or(s, "name", ""), allowed, ARRAY_LEN(allowed)))
            names_add(&found, jstr_or(s, "name", ""));
    if (found.n)
        blame(b, "forbidden sysctls", "%s", buf_str(&found.text));
    names_done(&found);
}

static void check_capabilities(struct buf *b, const json_t *spec)
{
    struct names keep = NAMES_INIT, add = NAMES_INIT, caps = NAMES_INIT;
    find_containers(spec, keeps_capabilities, &keep, &caps);
    find_containers(spec, adds_beyond_bind, &add, &caps);
    _cleanup_free_ char *keepers = setters(false, &keep), *adders = setters(false, &add);
    if (keepers && adders)
        blame(b, "unrestricted capabilities",
              "%s must set securityContext.capabilities.drop=[\"ALL\"]; %s must not include %s in "
              "securityContext.capabilities.add",
              keepers, adders, buf_str(&caps.text));
    else if (keepers)
        blame(b, "unrestricted capabilities", "%s must set securityContext.capabilities.drop=[\"ALL\"]", keepers);
    else if (adders)
        blame(b, "unrestricted capabilities", "%s must not include %s in securityContext.capabilities.add", adders,
              buf_str(&caps.text));
    names_done(&keep);
    names_done(&add);
    names_done(&caps);
}

static void check_volume_types(struct buf *b, const json_t *spec)
{
    static const char *const allowed[] = {"configMap", "csi",       "downwardAPI",           "emptyDir",
                                          "ephemeral", "projected", "persistentVolumeClaim", "secret",
                                          "image",     "name"};
    struct names found = NAMES_INIT, types = NAMES_INIT;
    size_t i;
    json_t *v, *source;
    const char *type;
    json_array_foreach(jget(spec, "volumes"), i, v)
        json_object_foreach(v, type, source)
            if (!one_of(type, allowed, ARRAY_LEN(allowed))) {
                names_add(&found, jstr_or(v, "name", ""));
                names_add(&types, type);
            }
    if (found.n)
        blame(b, "restricted volume types", "volume%s %s use%s restricted volume type%s %s", found.n > 1 ? "s" : "",
              buf_str(&found.text), found.n > 1 ? "" : "s", types.n > 1 ? "s" : "", buf_str(&types.text));
    names_done(&found);
    names_done(&types);
}

/* What must be said, by the pod or by every container, and what nobody may say. */
static void check_stated(struct buf *b, const json_t *spec, const char *reason, guilty_fn *denies, guilty_fn *silent,
                         const char *denial, const char *demand)
{
    struct names bad = NAMES_INIT, quiet = NAMES_INIT, values = NAMES_INIT;
    bool pod_denies = denies(spec, &values);
    find_containers(spec, denies, &bad, &values);
    if (silent(spec, &values))
        find_containers(spec, silent, &quiet, &values);
    _cleanup_free_ char *who = setters(pod_denies, &bad), *whom = setters(false, &quiet);
    if (who)
        blame(b, reason, "%s must not set %s", who, denial);
    else if (whom)
        blame(b, reason, "pod or %s must set %s", whom, demand);
    names_done(&bad);
    names_done(&quiet);
    names_done(&values);
}

/* --- the levels --- */

static void check_baseline(struct buf *b, const json_t *spec, bool restricted)
{
    static const struct simple_check armor = {"forbidden AppArmor profile",
                                              has_no_app_armor,
                                              "must not set AppArmor profile type to \"Unconfined\"",
                                              "",
                                              false,
                                              true};
    static const struct simple_check capabilities = {"non-default capabilities",
                                                     adds_beyond_default,
                                                     "must not include ",
                                                     " in securityContext.capabilities.add",
                                                     true,
                                                     false};
    static const struct simple_check rest[] = {
        {"privileged", is_privileged, "must not set securityContext.privileged=true", "", false, false},
        {"procMount", unmasks_proc, "must not set securityContext.procMount to ", "", true, false},
        {"seLinuxOptions", has_bad_selinux, "set forbidden securityContext.seLinuxOptions: ", "", true, true},
    };
    static const struct simple_check seccomp = {"seccompProfile",
                                                is_unconfined,
                                                "must not set securityContext.seccompProfile.type to \"Unconfined\"",
                                                "",
                                                false,
                                                true};
    static const struct simple_check host_process = {
        "hostProcess", is_host_process, "must not set securityContext.windowsOptions.hostProcess=true", "", false,
        true};
    check_simple(b, &armor, spec);
    if (!restricted)
        check_simple(b, &capabilities, spec);
    check_host_namespaces(b, spec);
    if (!restricted)
        check_host_paths(b, spec);
    check_host_ports(b, spec);
    for (size_t i = 0; i < ARRAY_LEN(rest); i++)
        check_simple(b, &rest[i], spec);
    if (!restricted)
        check_simple(b, &seccomp, spec);
    check_sysctls(b, spec);
    check_simple(b, &host_process, spec);
}

static void check_restricted(struct buf *b, const json_t *spec)
{
    static const struct simple_check escalation = {"allowPrivilegeEscalation != false",
                                                   may_escalate,
                                                   "must set securityContext.allowPrivilegeEscalation=false",
                                                   "",
                                                   false,
                                                   false};
    static const struct simple_check zero = {"runAsUser=0", is_user_zero, "must not set runAsUser=0", "", false, true};
    check_simple(b, &escalation, spec);
    check_capabilities(b, spec);
    check_volume_types(b, spec);
    check_stated(b, spec, "runAsNonRoot != true", wants_root, says_nothing_of_root,
                 "securityContext.runAsNonRoot=false", "securityContext.runAsNonRoot=true");
    check_simple(b, &zero, spec);
    check_stated(b, spec, "seccompProfile", is_unconfined, has_no_profile,
                 "securityContext.seccompProfile.type to \"Unconfined\"",
                 "securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"");
}

enum pod_security_level pod_security_level(const char *text)
{
    return streq(text, "privileged") ? POD_SECURITY_PRIVILEGED
           : streq(text, "baseline") ? POD_SECURITY_BASELINE
                                     : POD_SECURITY_RESTRICTED;
}

char *pod_security_violations(enum pod_security_level level, const json_t *spec)
{
    struct buf b = BUF_INIT(TEXT_MAX);
    if (level >= POD_SECURITY_BASELINE)
        check_baseline(&b, spec, level == POD_SECURITY_RESTRICTED);
    if (level == POD_SECURITY_RESTRICTED)
        check_restricted(&b, spec);
    char *text = b.len ? xstrdup(buf_str(&b)) : NULL;
    buf_done(&b);
    return text;
}
