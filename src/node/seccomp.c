/* See seccomp.h. RuntimeDefault refuses what Docker's documentation names as the significant calls that its default
 * profile blocks (docs.docker.com/engine/security/seccomp): what reaches beyond the container or into parts of the
 * kernel that few programs need. A capability that is meant for such calls allows them. */
#include "node/seccomp.h"

#include <errno.h>
#include <sched.h>

#include "base/str.h"

static const struct refusal {
    const char *capability; /* with it they are allowed; NULL: never */
    const char *calls;
} refusals[] = {
    {NULL, "_sysctl add_key get_kernel_syms io_uring_enter io_uring_register io_uring_setup keyctl kexec_file_load "
           "kexec_load move_pages nfsservctl pivot_root query_module request_key sysfs userfaultfd uselib ustat vm86 "
           "vm86old vmsplice"},
    {"CAP_BPF", "bpf"},
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    {"CAP_PERFMON", "perf_event_open"},
    {"CAP_SYS_ADMIN", "fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount name_to_handle_at "
                      "open_tree quotactl quotactl_fd setdomainname sethostname setns swapoff swapon umount umount2 "
                      "unshare"},
    {"CAP_SYS_BOOT", "reboot"},
    {"CAP_SYS_MODULE", "create_module delete_module finit_module init_module"},
    {"CAP_SYS_NICE", "mbind set_mempolicy set_mempolicy_home_node"},
    {"CAP_SYS_PACCT", "acct"},
    {"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"},
    {"CAP_SYS_RAWIO", "ioperm iopl"},
    {"CAP_SYS_TIME", "clock_adjtime clock_settime clock_settime64 settimeofday stime"},
    {"CAP_SYS_TTY_CONFIG", "vhangup"},
    {"CAP_SYSLOG", "syslog"},
};

/* Flags of clone() that make namespaces. clone3() hides them from us and is told to be missing, so that libc falls back
 * on clone(). */
static const unsigned long namespace_flags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                                CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

static bool holds(const json_t *held, const char *capability)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)held, i, one)
        if (streq(str_or(json_string_value(one), ""), capability))
            return true;
    return false;
}

static json_t *refuse(const char *calls, int error)
{
    json_t *names = json_array();
    _cleanup_free_ char **words = str_split(calls, ' ', NULL);
    for (char **w = words; *w; w++)
        json_array_append_new(names, json_string(*w));
    return json_pack("{so, ss, si}", "names", names, "action", "SCMP_ACT_ERRNO", "errnoRet", error);
}

static void refuse_namespaces(json_t *rules)
{
    for (size_t i = 0; i < ARRAY_LEN(namespace_flags); i++) {
        json_t *rule = refuse("clone", EPERM);
        json_object_set_new(rule, "args",
                            json_pack("[{si, sI, sI, ss}]", "index", 0, "value", (json_int_t)namespace_flags[i],
                                      "valueTwo", (json_int_t)namespace_flags[i], "op", "SCMP_CMP_MASKED_EQ"));
        json_array_append_new(rules, rule);
    }
    json_array_append_new(rules, refuse("clone3", ENOSYS));
}

/* A file may say more than a runtime knows. */
static json_t *copy_known(const json_t *local)
{
    static const char *const known[] = {"defaultAction", "defaultErrnoRet",  "architectures", "flags",
                                        "listenerPath",  "listenerMetadata", "syscalls"};
    json_t *copy = json_object();
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (json_object_get(local, known[i]))
            json_object_set_new(copy, known[i], json_deep_copy(json_object_get(local, known[i])));
    return copy;
}

json_t *seccomp_build(const json_t *profile, const json_t *held, const json_t *local)
{
#if defined(__x86_64__)
    static const char architectures[] = "[\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\", \"SCMP_ARCH_X32\"]";
#else
    static const char architectures[] = "[\"SCMP_ARCH_AARCH64\", \"SCMP_ARCH_ARM\"]";
#endif
    if (streq(jstr_or(profile, "type", ""), "Localhost"))
        return copy_known(local);
    if (!streq(jstr_or(profile, "type", ""), "RuntimeDefault"))
        return NULL;
    json_t *rules = json_array();
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (!refusals[i].capability || !holds(held, refusals[i].capability))
            json_array_append_new(rules, refuse(refusals[i].calls, EPERM));
    if (!holds(held, "CAP_SYS_ADMIN"))
        refuse_namespaces(rules);
    return json_pack("{ss, so, so}", "defaultAction", "SCMP_ACT_ALLOW", "architectures",
                     json_loads(architectures, 0, NULL), "syscalls", rules);
}
