/* One pod on this node: what is known about it, and the steps that make it true. Loop thread only; what blocks is done
 * by a job (job.h), one at a time for each pod, whose input is its own. */
#pragma once
#include <uv.h>

#include "base/list.h"
#include "node/env.h"
#include "node/status.h"

struct agent;
struct action;
struct probes;
struct record;

/* How far the ending of a container is. */
enum stop_state { STOP_NOT, STOP_HOOK /* preStop runs */, STOP_TERM /* told to end */, STOP_KILL };

struct container {
    struct pod *pod;
    struct container_facts f;
    int pidfd; /* of its first process; -1 while it does not run */
    pid_t pid;
    int stop_signal;
    enum stop_state stop;
    int64_t stop_deadline_ms; /* of the whole ending */
    int64_t not_before_ms;    /* the next attempt */
    int64_t backoff_ms;       /* plan_backoff()'s memory */
    bool seen_gone;           /* its process is gone, but conmon has not said so yet */
    bool pulling, pulled;     /* waits for an image to be pulled; it has just been */
    int64_t pull_began_ms;
    struct probes *probes;     /* while it runs */
    struct action *post_start; /* the hook, while it runs */
};

enum refs_state { REFS_UNKNOWN, REFS_ASKED, REFS_KNOWN };
enum sandbox_state { SANDBOX_NONE, SANDBOX_READY, SANDBOX_LOST /* and to be made anew */, SANDBOX_REMOVED };

/* How far an ending pod has left its Services. */
enum leave_state { LEAVE_NOT, LEAVE_LISTED, LEAVE_ASKED /* whether all rules follow */, LEAVE_LINGERS, LEAVE_DONE };

struct pod {
    struct agent *agent;
    int refcount; /* of what still will call back: jobs, requests */
    bool dead;    /* freed but for that; the agent may be gone */
    char *uid, *ns, *name;
    struct object *object; /* the newest version; the last one when the API has none any more */
    bool gone;             /* the API has none any more */
    bool stopping;
    enum leave_state leaving;
    int64_t leave_deadline_ms; /* of this part of its leaving */
    int64_t stop_grace_ms;     /* for containers whose ending begins now */
    enum sandbox_state sandbox;
    char *ips, *hostname; /* ips: a comma between the families */
    int64_t start_usec;
    char *reason, *message;        /* of a pod that was ended: DeadlineExceeded… */
    bool rejected;                 /* it never began here, and this is all that is reported */
    bool disrupted;                /* the node's fault: condition DisruptionTarget */
    bool disk_limited;             /* pressure.c looks at its directories */
    bool initialized;              /* init containers are through */
    bool finished_before;          /* the API says Succeeded or Failed: nothing is started again */
    struct container **containers; /* init containers first; ephemeral ones last, which come while the pod runs */
    size_t n;
    json_t *refs;     /* env.h and token.h: ConfigMaps, Secrets, tokens, claims and their volumes */
    int refs_missing; /* answers still to come */
    enum refs_state refs_state;
    int64_t refs_read_ms;
    bool refs_again;    /* they changed while they were being read */
    bool refs_watched;  /* those that its volumes show */
    bool volumes_stale; /* refs are being read again for their sake */
    int64_t sandbox_not_before_ms;
    bool job; /* a step is being made */
    uv_timer_t *timer;
    bool patching;    /* a status is on its way */
    json_t *reported; /* the last one sent, and the version of the object it was made for */
    uint64_t reported_rv;
    bool deleting;            /* asked the API to forget the pod */
    bool wiped;               /* nothing of it is left on this node */
    int64_t mount_backoff_ms; /* between attempts to make the sandbox */
};

struct pod *pod_new(struct agent *a, struct object *o);
void pod_free(struct pod *p);
struct pod *pod_ref(struct pod *p);
void pod_unref(struct pod *p);
/* A newer version; NULL: the API has none any more. */
void pod_set_object(struct pod *p, struct object *o);
/* Ends a pod that nobody has deleted: it becomes Failed, for this reason. */
void pod_end(struct pod *p, int64_t grace_ms, const char *reason, const char *message);
/* The same for reason Evicted; disruption: it is the node that is short. */
void pod_evict(struct pod *p, int64_t grace_ms, const char *message, bool disruption);
/* Whether it may use only so much of the disk; pressure.c. */
bool pod_has_disk_limits(const json_t *doc);
/* Asks for pod_sync() soon. */
void pod_kick(struct pod *p);
void pod_kick_after(struct pod *p, int64_t ms);
/* The parsed object, borrowed until the next change; new reference. */
json_t *pod_json(const struct pod *p);
struct container *pod_container(struct pod *p, const char *name);
struct container *pod_container_by_cid(struct pod *p, const char *cid);
bool pod_host_network(const json_t *doc);
/* One of the answers counted in refs_missing is in. */
void pod_ref_came(struct pod *p);
/* Asks for the tokens that are missing or old; podtoken.c. */
void pod_request_tokens(struct pod *p, const json_t *doc);
/* Asks for the claims of its volumes, and for its RuntimeClass; podclaim.c. */
void pod_request_claims(struct pod *p, const json_t *doc);
/* A ConfigMap or Secret of the pod's namespace is like this now; NULL: there is none. */
void pod_ref_changed(struct pod *p, const char *kind, const char *name, const struct object *obj);
/* True when they are there; otherwise they have been asked for. */
bool pod_has_refs(struct pod *p, const json_t *doc);
/* Contents of volumes follow their objects: has these read again when it is time, and then the volumes written. */
void pod_follow_refs(struct pod *p, const json_t *doc);
void pod_unwatch_refs(struct pod *p);
/* ConfigMaps and Secrets are to be read again before their next use. */
void pod_forget_refs(struct pod *p);
/* leave.c: an ending pod leaves its Services before its containers are told to end. True when it has. */
bool pod_has_left(struct pod *p, const json_t *doc);
void pod_services_changed(struct pod *p);
/* Fills a plan_pod over the caller's array of p->n. */
void pod_plan_view(const struct pod *p, const json_t *doc, struct plan_container *out, struct plan_pod *ret);
struct pod_facts pod_facts_of(const struct pod *p);

/* podrecall.c: takes in what an earlier life of the agent, or of the machine, has left of a pod that is new to us.
 * False: nothing. */
bool pod_recall(struct pod *p, const json_t *doc);
/* What held its namespaces is gone: containers end, and a new sandbox is made if the pod goes on. */
void pod_check_sandbox(struct pod *p);
void pod_sandbox_was_lost(struct pod *p);

/* podstart.c: steps, as jobs. */
void pod_make_sandbox(struct pod *p, const json_t *doc);
void pod_remove_sandbox(struct pod *p, const json_t *doc);
/* Nothing runs in it before the rules for its network are in force. False: the pod is kicked when that may be. */
bool pod_is_guarded(struct pod *p, const json_t *doc);
void pod_start_container(struct pod *p, const json_t *doc, struct container *c);
void pod_refresh_volumes(struct pod *p, const json_t *doc);

/* podpull.c */
/* The container is not running, for this reason; and does not try again before its back-off is over. */
void container_refuse(struct container *c, const char *reason, const char *message);
/* It cannot be started before its image has been pulled, or asked for. */
void pod_need_image(struct container *c, const char *image);
void pod_refuse_image_name(struct container *c, const char *image);
void pod_check_pulls(struct pod *p, const json_t *doc);
void pod_images_changed(struct pod *p); /* what waits for an image need not wait any longer */

/* hooks.c */
/* The container has just been started: its postStart hook, then its probes. */
void container_post_start(struct container *c, const json_t *doc);
void container_post_start_cancel(struct container *c);
/* Begins the preStop hook, after which the container is asked to end; false: it has none, or no time. */
bool container_pre_stop(struct container *c, const json_t *doc);

/* podstop.c */
/* Sends the signal that asks. */
void container_ask_to_end(struct container *c);
/* Begins the ending, or shortens one that has begun. why: the event's message, NULL: the usual. */
void container_stop(struct container *c, const json_t *doc, int64_t grace_ms, const char *why);
/* Sends SIGKILL when it is due; returns after how many ms it wants to be called again, 0: not. */
int64_t container_stop_step(struct container *c);
/* Takes the exit in, with what conmon's file says of it (no file: unknown, 137). */
void container_exited(struct container *c);
/* From here on its facts are of this attempt; how the one before ended becomes its last state. */
void container_attempt(struct container *c, const struct record *r);
/* The attempt is over before its program ran. */
void container_not_started(struct container *c, const struct record *r, const char *message);
/* The same if there is such a file. */
void container_check_exit(struct container *c);

/* podstatus.c: sends the status when it has changed. */
void pod_report(struct pod *p, const json_t *doc);
/* An event about one container, or with c NULL about the pod. */
void pod_event(struct pod *p, const struct container *c, const char *type, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
