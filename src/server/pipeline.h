/* The request's way, common to both doors of the server. A door (front.c for HTTP, local.c in-process) fills in a
 * struct request and calls request_begin(), which authorises it and finds its handler, then request_handle(). The
 * handler ends in exactly one of the request_reply functions, now or when a write is durable; after that the request is
 * gone. */
#pragma once
#include <uv.h>

#include "api/schema.h"
#include "api/status.h"
#include "base/list.h"
#include "base/map.h"
#include "json/json.h"
#include "server/alloc.h"
#include "server/authn.h"
#include "server/negotiate.h"
#include "server/policy.h"
#include "server/request.h"
#include "server/server.h"

struct request;
struct watch;
struct http_exchange;

/* One page of a list: what a door makes a List, a Table or a callback of. */
struct page {
    struct object **objs; /* referenced */
    size_t n;
    uint64_t rv;
    char *continue_token; /* NULL: this was the last page */
    int64_t remaining;    /* objects behind this page; -1: not counted */
};

/* How a door answers. Each ends the request. */
struct door {
    void (*object)(struct request *r, int code, struct object *obj);
    void (*document)(struct request *r, int code, json_t *doc);
    void (*page)(struct request *r, const struct page *page);
    void (*watch)(struct request *r); /* the door subscribes with watch_start() */
    void (*free)(struct request *r);
};

typedef void request_fn(struct request *r);
typedef void reply_fn(struct request *r, struct object *written);

struct request {
    struct list link; /* server->requests */
    struct server *server;
    const struct door *door;
    const struct user *user;
    struct http_exchange *exchange; /* NULL: in-process, or the peer is gone */
    char *method, *path, *query;    /* path and query percent-encoded */

    /* request_begin() fills in: */
    struct request_path what;
    unsigned verb;
    const struct kind *kind;    /* as it is kept; NULL for paths that are no resource */
    const struct kind *rules;   /* whose defaults and rules hold: kind, or version where each has its own schema */
    const struct kind *version; /* as it is asked for and answered: bodies are of this one */
    const struct handler *handler;
    char *fields;   /* fieldSelector of a list or watch, or NULL */
    char *selected; /* the one name that it asks for, or NULL */
    bool dry_run;
    enum field_validation validation;
    bool applied; /* the new version comes from server-side apply: its managedFields are already right */

    /* The door fills in, when handler->takes says so: */
    enum body_type body_type;
    json_t *body;     /* NULL: none was sent */
    json_t *repeated; /* members that it named twice, as in api/schema.h, for whoever decodes it; or NULL */

    /* The handler fills in: */
    json_t *warnings; /* array of texts, or NULL */
    int code;         /* what success is answered with */
    int reviews;      /* how often webhooks have been asked */
    reply_fn *reply;  /* turns the written object into the answer; NULL: it is the answer */

    /* While somebody else converts what it is about (conversion.h): */
    struct waiting *waiting;
    const struct kind *asked_as; /* the version it came in, when that has been left behind for the one kept; or NULL */
};

enum body_use { BODY_NONE, BODY_OBJECT, BODY_PATCH, BODY_OPTIONS };

/* Rows of the table in pipeline.c. */
struct handler {
    const char *subresource; /* "" for the object itself */
    unsigned verbs;
    const struct kind *kind; /* NULL: every kind that lists the verb */
    enum body_use takes;
    bool connects; /* needs an HTTP exchange and answers it itself */
    request_fn *run;
    const struct webhook_type *subject; /* what webhooks are asked about before it runs (subject.h); NULL: nothing */
};

struct server {
    uv_loop_t *loop;
    struct store *store;
    struct server_config config; /* texts are copies */
    struct alloc *alloc;
    struct tokens *tokens;
    struct rbac *rbac;
    struct quota_ledger *quotas;
    struct policies *policies;
    struct aggregator *aggregator; /* who serves what we do not */
    struct http_server *http;
    SSL_CTX *tls, *agent_tls, *proxy_tls; /* ours; to agents, to pods: nobody known, nothing checked, as upstream */
    struct list requests;                 /* begun, not answered */
    struct list submissions;              /* writes on their way to the disk, submit.c */
    int netns_fd;                         /* where it listens, and whence it reaches Services; -1: here; borrowed */
    struct list reviews;                  /* requests that webhooks are asked about, webhooks.c */
    struct list watches;                  /* watch.c */
    struct list gatherings;               /* questions that agents are being asked; metrics.c */
    struct list queue;                    /* what local clients asked for, to be run from the loop; local.c */
    struct list clients;                  /* local clients; local.c */
    uv_idle_t run_queue;
    uv_timer_t watch_timer, expire_timer, aggregator_timer, renew_timer;
    void (*renewed)(void *arg, bool changed); /* server_on_renewed() */
    void *renewed_arg;
    int open_handles;                /* run_queue and the timers: the server is freed with the last */
    struct map in_flight;            /* user -> requests; inflight.c */
    struct map conditions;           /* of webhooks, compiled; webhook_conditions.c */
    struct map documents;            /* texts of OpenAPI, made when first asked for; routes.c */
    struct rules *rules;             /* of the nodes' proxies; rules.c */
    struct frame *frame;             /* the watch event written last, for the watchers still to come; watch_http.c */
    struct store_watch *definitions; /* of custom resources; customresources.c */
    struct store_watch *servicecidrs, *ipaddresses; /* alloc_objects.c */
    struct {
        uint64_t requests[6]; /* by hundreds of the code */
        uint64_t watches_cut; /* too slow */
        size_t watches;
    } counters;
};

/* Authorises, finds kind and handler. NULL: go on; otherwise the Status to answer. Requests that are no resource come
 * back with handler NULL. */
json_t *request_begin(struct request *r);
void request_handle(struct request *r);
/* What it wants to do; borrowed from it. */
struct action request_action(const struct request *r);

/* The answers. obj and page are borrowed, doc and status are taken. */
void request_reply_object(struct request *r, int code, struct object *obj);
void request_reply_document(struct request *r, int code, json_t *doc);
void request_reply_status(struct request *r, json_t *status);
void request_reply_page(struct request *r, const struct page *page);
void request_free(struct request *r); /* for doors: without an answer */
void page_done(struct page *p);

/* `pods "x" not found` and relatives, for the request's object. New references. */
json_t *not_found_status(const struct kind *k, const char *name);
json_t *conflict_status(const struct kind *k, const char *name, const char *why);
/* The plural with its group: "deployments.apps". Returns out. */
#define RESOURCE_TEXT_SIZE 256
char *resource_text(const struct kind *k, char out[RESOURCE_TEXT_SIZE]);

/* The object named by the request, writes on their way included; NULL after having answered 404. Borrowed. */
struct object *request_latest(struct request *r);

/* The handlers, one file each. */
request_fn handle_get, handle_list, handle_watch;                       /* read.c */
request_fn handle_computed;                                             /* computed.c */
request_fn handle_create;                                               /* create.c */
request_fn handle_update, handle_update_status, handle_finalize;        /* update.c */
request_fn handle_update_ephemeral;                                     /* update.c */
request_fn handle_patch, handle_patch_status, handle_patch_ephemeral;   /* patch.c */
request_fn handle_update_approval, handle_patch_approval;               /* update.c, patch.c */
request_fn handle_delete;                                               /* delete.c */
request_fn handle_delete_collection;                                    /* delete_collection.c */
request_fn handle_evict;                                                /* evict.c */
request_fn handle_get_scale, handle_update_scale, handle_patch_scale;   /* scale.c */
request_fn handle_bind;                                                 /* bind.c */
request_fn handle_token_review, handle_self_review;                     /* reviews.c */
request_fn handle_access_review, handle_rules_review;                   /* access_reviews.c */
request_fn handle_token_request;                                        /* token_request.c */
request_fn handle_put_rules, handle_await_rules;                        /* rules.c */
request_fn handle_log, handle_exec, handle_attach, handle_port_forward; /* agent_proxy.c */
request_fn handle_metrics;                                              /* metrics.c */
request_fn handle_proxy_pod, handle_proxy_service, handle_proxy_node;   /* proxy.c */
void metrics_orphan(struct server *s); /* the server goes: the agents' answers are for nobody */
/* What follows the subresource in the path of such a request, percent-encoded: "" or "/…". proxy.c */
const char *proxy_path(const struct request *r);
/* Whether the body of such a request is passed on as it comes. An http_streams_fn; proxy.c */
bool proxy_streams(void *server, const char *target);

/* Paths that are no resource: /version, /healthz, discovery, OpenAPI. Answers the exchange and frees the request.
 * routes.c */
void serve_route(struct request *r);
void documents_forget(struct server *s); /* what they say has changed */

/* For handlers that answer their exchange themselves: the request is gone, the exchange is the caller's. */
struct http_exchange *request_take_exchange(struct request *r);

/* --- the doors and the parts of struct server they keep --- */
void serve_exchange(void *arg, struct http_exchange *x); /* http_handler_fn; front.c */
void local_init(struct server *s);                       /* local.c */
void local_done(struct server *s);
/* Makes what every cluster has by itself; bootstrap.c. */
int bootstrap(struct server *s, struct err *err);
