/* What the files of the aggregator share. */
#pragma once
#include "server/aggregator.h"

struct http_call;

/* A group and version behind a Service. */
struct remote {
    struct list link; /* aggregator->remotes, the preferred ones first */
    struct aggregator *of;
    char *name, *group, *version;
    int64_t group_priority, version_priority;
    char *service_ns, *service;
    char *server_name; /* whose certificate it must have; NULL: anybody's */
    int port;
    SSL_CTX *tls;
    struct err no_tls; /* why it is NULL */

    bool is_available;
    json_t *resources;          /* APIResourceList, as it said last; or NULL */
    int64_t due_ms, give_up_ms; /* the next look, the end of the one that is going on; monotonic */
    struct http_call *call;     /* which asks for the list; or NULL */
    int code;
    struct buf answer;
};

struct aggregator {
    struct server *server;
    struct client *client;
    struct map by_name; /* "VERSION.GROUP" -> struct remote */
    struct list remotes;
    struct store_watch *api_services, *services, *endpoints;
};

struct remote *aggregator_find(const struct server *s, const char *path);
/* Where it is reached now; -1 with the error set. */
int remote_address(const struct remote *r, char ret_ip[], struct err *err);

/* aggregator_check.c: is it there, and what does it serve? */
void remote_check_tick(struct remote *r); /* when it is due */
void remote_check_stop(struct remote *r);

/* aggregator_relay.c: who asks, as headers; NULL: a name that cannot be one. The last has no name; the caller frees
 * them, and json_decref()s what they borrow from. */
struct http_header *identity_headers(const struct user *u, json_t **ret_texts);
