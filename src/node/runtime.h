/* Containers through conmon and an OCI runtime: conmon stays as the container's parent, writes its log and, when it
 * ends, a file with the exit code; so containers live on without us. Blocking, any thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "node/cgroup.h"
#include "node/paths.h"
#include "node/spawn.h"

/* A program that makes containers out of bundles. */
struct oci_runtime {
    const char *name; /* what RuntimeClasses call their handler: "crun" or "runc" */
    char *path;
    char *root;           /* where it keeps its state */
    bool private_cgroup2; /* crun refuses a hybrid cgroup mount: it runs where cgroup2 alone is mounted */
};
#define OCI_RUNTIMES_MAX 2

struct runtime {
    struct oci_runtime oci[OCI_RUNTIMES_MAX]; /* n of them are installed; the first is for pods that name none */
    size_t n;
    char *conmon;
    char *version; /* of the first: "crun://1.8.1" */
    const struct node_paths *paths;
    const struct cgroups *cgroups;
    char *conmon_procs; /* cgroup that monitors go to; NULL: they stay in ours */
};

#define CID_SIZE 65 /* 64 hexadecimal digits */
void cid_make(char out[CID_SIZE]);

/* Finds conmon, and crun or runc or both. */
int runtime_init(struct runtime *rt, const struct node_paths *paths, const struct cgroups *g, const char *node,
                 struct err *err);
void runtime_done(struct runtime *rt);

/* Which of them a handler is; "" for the first. NULL with err set in containerd's words when there is none. */
const struct oci_runtime *runtime_find(const struct runtime *rt, const char *handler, struct err *err);

struct runtime_container {
    const struct oci_runtime *oci;
    const char *cid, *name;
    const char *bundle; /* holds config.json; conmon keeps its files there */
    const char *log_path;
    bool tty, stdin_open;
    bool stdin_once; /* its input ends with the first client that was attached */
};
/* Starts conmon, which creates the container; it does not run yet. */
int runtime_create(const struct runtime *rt, const struct runtime_container *c, pid_t *ret_pid, struct err *err);
int runtime_start(const struct runtime *rt, const char *cid, struct err *err);
/* Kills what is left and forgets the container; one that is unknown is fine. */
void runtime_delete(const struct runtime *rt, const char *cid);

/* Exit code and time out of conmon's file; false while there is none. */
bool runtime_read_exit(const struct runtime *rt, const char *cid, int *ret_code, int64_t *ret_finished_usec);
/* Is the parent of this first process of a container conmon? */
bool runtime_is_monitored(pid_t pid);
/* Was the container ended by the kernel for its memory limit? */
bool runtime_oom_killed(const char *bundle);

/* A command inside a container, from a process description in a file (OCI "process"). Fills argv (up to 20) and the
 * rest of *s but the descriptors; log: file for what the runtime itself has to say; console: path
 * of the socket that receives the terminal, or NULL. */
#define RUNTIME_EXEC_ARGS 20
void runtime_exec_spawn(const struct runtime *rt, const char *cid, const char *process_json, const char *pidfile,
                        const char *log, const char *console, const char *argv[RUNTIME_EXEC_ARGS], struct spawn *s);

/* Start time of a process in clock ticks since boot, which with its pid names it for ever; 0 when it is gone. */
uint64_t process_start_time(pid_t pid);
