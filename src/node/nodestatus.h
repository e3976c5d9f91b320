/* What a Node object says about this machine. Pure but for reading the machine. */
#pragma once
#include "json/json.h"
#include "node/agent.h"

struct machine {
    char *os_image, *kernel, *architecture, *machine_id, *boot_id, *system_uuid;
    int64_t milli_cpu, memory_bytes, storage_bytes;
};
void machine_read(struct machine *m, const char *data_dir);
void machine_done(struct machine *m);

struct node_facts {
    const char *name, *ips, *runtime_version;
    const char *const *labels; /* "key=value", or "key-" for one to be taken away; NULL-terminated */
    const char *const *taints; /* "key=value:effect", or "key-"; NULL-terminated */
    const struct machine *machine;
    int port;
    const char *not_ready;               /* why; NULL: it is */
    unsigned pressures;                  /* as in eviction.h */
    const struct agent_network *network; /* NULL: nothing is known; what was said before stays */
    const char *volumes;                 /* where it keeps volumes, for control/localpath.c; NULL: it offers no place */
};
/* The whole object for registration. New reference. */
json_t *node_object(const struct node_facts *f);
/* The merge patch that brings labels, annotations and taints of a known node up to date. New reference. */
json_t *node_refresh(const struct node_facts *f, const json_t *node);
/* .status, with the times of conditions taken from old where they did not change. New reference. */
json_t *node_status(const struct node_facts *f, const json_t *old, int64_t now_usec);
#define NODE_PODS_MAX 110
