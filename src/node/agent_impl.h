/* The agent from inside: what its files share. */
#pragma once
#include <uv.h>

#include "base/list.h"
#include "base/map.h"
#include "client/events.h"
#include "client/informer.h"
#include "http/http.h"
#include "kinds/kind.h"
#include "node/agent.h"
#include "node/cgroup.h"
#include "node/fieldref.h"
#include "node/paths.h"
#include "node/runtime.h"
#include "podnet/podnet.h"

struct pod;
struct pulls;
struct nodestatus;
struct localpath;
struct stats;
struct pressure;
struct shutdown;

struct agent {
    uv_loop_t *loop;
    struct client *client;
    char *name, *ips, *cluster_dns, *cluster_domain, *api_host;
    int api_port, port, netns_fd, pod_mtu;
    char **labels, **taints; /* NULL-terminated */
    struct model *model;
    struct model_reader *services; /* leave.c */
    struct node_paths paths;
    struct cgroups cgroups;
    struct runtime rt;
    int64_t milli_cpu, memory_bytes, storage_bytes; /* of the machine */
    int oom_score_adj_min;                          /* lower ones are refused to us */
    bool apparmor;
    struct podnet *podnet;                       /* NULL until the node has its pod range */
    bool (*guarded)(void *arg, const char *uid); /* as in agent.h */
    void *guarded_arg;
    struct informer *pod_informer, *node_informer;
    struct events *events;
    struct pulls *pulls;
    struct nodestatus *nodestatus;
    struct localpath *localpath; /* NULL: the agent is being freed */
    struct stats *stats;
    struct pressure *pressure; /* NULL: the agent is being freed */
    struct shutdown_grace shutdown_grace;
    struct shutdown *shutdown; /* NULL: the node is to go on */
    struct http_server *server;
    SSL_CTX *tls;
    struct map pods;       /* uid -> struct pod */
    struct map refwatches; /* refwatch.c */
    bool synced;           /* the first list of pods is in: pods that are not in it are orphans */
    uv_fs_event_t *exit_watch;
    uv_timer_t *sweep, *collect;
    bool rotating;         /* logs are being looked at */
    struct list followers; /* logs.c: readers of logs */
    int jobs;              /* running on the worker pool; the agent is freed after the last */
    bool closing;
};

/* Runs work on the pool, then done on the loop. Both get arg. Jobs touch nothing of the agent but paths, cgroups and
 * rt. */
void agent_job(struct agent *a, void (*work)(void *arg), void (*done)(void *arg), void *arg);
/* A timer or other handle that closes and frees itself. */
void handle_free(uv_handle_t *h);
uv_timer_t *timer_make(uv_loop_t *loop, void *data);
/* Every pod looks again at what it needs. */
void agent_kick_all(struct agent *a);
void agent_images_changed(struct agent *a);

/* pull.c: images that are not there are pulled one at a time; after a failure an image rests 10 s, doubling to 5 min.
 */
enum pull_state { PULL_IDLE, PULL_RUNNING, PULL_FAILED /* and resting */ };
struct pulls *pulls_new(struct agent *a);
void pulls_free(struct pulls *p);
/* What is pulled: with other credentials it is another pull. Both borrowed. */
struct pull_what {
    const char *ref;
    const json_t *docker_config; /* NULL: none */
};
/* PULL_IDLE: never tried, or may be tried again. ret_message: of the last failure, or NULL. */
enum pull_state pulls_state(struct pulls *p, const struct pull_what *what, const char **ret_message,
                            int64_t *ret_retry_ms);
/* Starts, or queues, pulling. All pods are kicked when it is through. */
void pulls_start(struct pulls *p, const struct pull_what *what);

/* nodestatus.c: the Node object and its Lease. */
struct nodestatus *nodestatus_new(struct agent *a);
void nodestatus_free(struct nodestatus *n);
void nodestatus_changed(struct nodestatus *n); /* readiness may have changed: write now */
/* What the API has; others say that a silent node is not Ready, and the node itself that it is back. */
void nodestatus_seen(struct nodestatus *n, const json_t *node);
/* An event about the node. */
void nodestatus_event(const struct agent *a, const char *type, const char *reason, const char *text);

/* refwatch.c: while somebody holds it, a ConfigMap or Secret is watched and its changes told to the pods of its
 * namespace (pod_ref_changed()). kind: as in env.h. */
void refwatch_hold(struct agent *a, const char *kind, const char *ns, const char *name);
void refwatch_release(struct agent *a, const char *kind, const char *ns, const char *name);

/* stats.c: what containers and the machine use. */
struct stats *stats_new(struct agent *a);
void stats_free(struct stats *s);
/* The working set of a running container; 0: not measured yet. */
int64_t stats_memory_bytes(const struct agent *a, const char *cid);
void stats_serve_summary(struct agent *a, struct http_exchange *x);
void stats_serve_resource(struct agent *a, struct http_exchange *x);

/* pressure.c: looks at what the node has left, and evicts. */
struct pressure *pressure_new(struct agent *a, const struct eviction_thresholds *t);
void pressure_free(struct pressure *p);
/* The conditions of the node, a mask as in eviction.h. */
unsigned pressure_held(const struct agent *a);

void shutdown_free(struct shutdown *s); /* shutdown.c */

/* kubelet_api.c */
int kubelet_api_start(struct agent *a, const struct agent_config *config, struct err *err);
/* imagegc.c: deletes images that nobody uses when the disk is nearly full. */
void images_collect(struct agent *a);
/* Deletes as much as there is of it, up to so many bytes. Blocking, any thread. */
void images_free(const struct node_paths *paths, int64_t excess_bytes);
/* logrotate.c: puts aside logs that have grown too large. */
void logs_rotate(struct agent *a);
/* logs.c, exec.c, attach.c, portforward.c: they answer the exchange. */
void logs_wake(struct agent *a); /* some container has ended: nothing more may come */
void logfiles_serve(struct agent *a, struct http_exchange *x);
void logs_serve(struct agent *a, struct http_exchange *x, struct pod *p, const char *container);
void exec_serve(struct agent *a, struct http_exchange *x, struct pod *p, const char *container);
void attach_serve(struct agent *a, struct http_exchange *x, struct pod *p, const char *container);
void forward_serve(struct agent *a, struct http_exchange *x, struct pod *p);

/* teardown.c: takes away everything of one pod but, unless `data` is set, its volumes and logs. Blocking, any thread.
 */
void pod_wipe(const struct runtime *rt, const char *node, const char *uid, bool data);
