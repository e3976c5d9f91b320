/* The way to the API for everything that is not the server: controllers, scheduler, agents. One interface, several
 * transports (in-process and HTTPS); a reader cannot tell which it has. All callbacks run on the loop and never before
 * the call that asked for them has returned. Loop thread only. */
#pragma once
#include <jansson.h>
#include <stdint.h>
#include <uv.h>

#include "kinds/object.h"

struct client;

/* code: HTTP status (200, 201, 404, 409 …), or 0 when no answer came (connection lost; body NULL then). body: the
 * object or the Status, borrowed for the call. */
typedef void client_done_fn(void *arg, int code, const json_t *body);

enum client_event { CLIENT_ADDED, CLIENT_MODIFIED, CLIENT_DELETED, CLIENT_BOOKMARK, CLIENT_EVENT_N };

/* One watch. `event`: obj is borrowed (take a reference to keep it); for BOOKMARK only rv counts and obj is NULL.
 * `ended`: called once, after which the watch is gone; code 410 means list again. Not called after client_watch_stop().
 */
struct client_watch_handler {
    void (*event)(void *arg, enum client_event type, struct object *obj, uint64_t rv);
    void (*ended)(void *arg, int code);
};
struct client_watch;

/* One page of a list that is complete: objects borrowed; rv is the list's. code as above, then n is 0. */
typedef void client_list_fn(void *arg, int code, struct object *const *objs, size_t n, uint64_t rv);

/* What a transport implements; also the fake in tests. */
struct client_ops {
    void (*request)(struct client *c, const char *method, const char *path, const char *content_type,
                    const json_t *body, client_done_fn *done, void *arg);
    void (*list)(struct client *c, const struct kind *k, const char *path_and_query, client_list_fn *done, void *arg);
    struct client_watch *(*watch)(struct client *c, const struct kind *k, const char *path_and_query,
                                  const struct client_watch_handler *h, void *arg);
    void (*watch_stop)(struct client_watch *w);
    void (*free)(struct client *c);
};
struct client {
    const struct client_ops *ops;
    uv_loop_t *loop;
};

/* NULL is fine. What is still on its way is answered now, with code 0; what it asks for in turn is not done. */
void client_free(struct client *c);

#define PATCH_MERGE "application/merge-patch+json"
#define PATCH_STRATEGIC "application/strategic-merge-patch+json"

/* Convenience over ops->request. done may be NULL. Bodies are borrowed. ns is NULL or "" for cluster-scoped kinds. sub:
 * the subresource or NULL. */
void client_get(struct client *c, const struct kind *k, const char *ns, const char *name, client_done_fn *done,
                void *arg);
void client_create(struct client *c, const struct kind *k, const char *ns, const json_t *obj, client_done_fn *done,
                   void *arg);
void client_update(struct client *c, const struct kind *k, const char *sub, const json_t *obj, client_done_fn *done,
                   void *arg);
void client_patch(struct client *c, const struct kind *k, const char *ns, const char *name, const char *sub,
                  const char *patch_type, const json_t *patch, client_done_fn *done, void *arg);
/* options: DeleteOptions or NULL. */
void client_delete(struct client *c, const struct kind *k, const char *ns, const char *name, const json_t *options,
                   client_done_fn *done, void *arg);
