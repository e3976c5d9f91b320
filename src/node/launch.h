/* From a pod's container to a running process: image, file system, mounts, environment, config.json, conmon. One
 * blocking function over an input of its own, for a worker thread. */
#pragma once
#include "node/fieldref.h"
#include "node/record.h"

enum launch_result {
    LAUNCH_RUNNING,
    LAUNCH_NO_IMAGE,     /* not in the store, or the registry is to be asked first */
    LAUNCH_BAD_IMAGE,    /* no reference at all: InvalidImageName */
    LAUNCH_CONFIG_ERROR, /* the pod asks for what is not there: CreateContainerConfigError */
    LAUNCH_ERROR,        /* CreateContainerError */
    LAUNCH_START_ERROR,  /* all is there, but the runtime cannot start the program: an attempt, over at once */
    LAUNCH_RESULT_N
};

struct launch {
    const struct runtime *rt;
    const char *node, *cluster_dns, *cluster_domain;
    int oom_score_adj_min;
    char *uid, *container, *hostname, *pod_ips;
    int attempt;
    pid_t target_pid;              /* in the container that spec.targetContainerName names; 0: it does not run */
    bool just_pulled;              /* an image whose pull policy is Always need not be asked for again */
    json_t *pod, *refs, *services; /* its own copies */
    struct pod_facts facts;
    /* out */
    enum launch_result result;
    struct record record;
    int pidfd;
    struct err err;
};

void launch_run(struct launch *l);
void launch_done(struct launch *l);

/* What makes the pod's containers, by its RuntimeClass. NULL with err set. */
const struct oci_runtime *launch_runtime(const struct runtime *rt, const json_t *pod, const json_t *refs,
                                         struct err *err);
/* The container's own directory: upper layer, termination log. The caller frees. */
char *launch_dir(const struct node_paths *paths, const char *uid, const char *container, int attempt);
char *launch_log_path(const struct node_paths *paths, const char *uid, const char *container, int attempt);
/* Deletes a log and what was put aside of it; logrotate.c. */
void log_remove(const char *log);
/* After it has ended: forgets the runtime's state and the file system; record, exit code and log stay. */
void launch_clean(const struct runtime *rt, const char *node, const char *uid, const char *container, int attempt,
                  const char *cid);
