/* The frame every controller runs in: keys, a queue without duplicates, back-off, and writes that are awaited. A
 * controller is a table: which kinds it watches, how a changed object maps to keys, and a reconcile function which
 * looks at the local copies (informers), decides, and writes. Rules:
 *   - reconcile(key) is called for one key at a time, and not again before every write it started has been answered and
 *     seen back in the informers (this is what upstream's "expectations" are for);
 *   - it may be called at any time, for keys that no longer exist, and must be idempotent;
 *   - a write that fails puts the key back with back-off (5 ms doubling to 60 s); 404 on delete and 409 are not
 * failures worth a word, others are logged once. */
#pragma once
#include "client/informer.h"

struct controllers; /* all that share one client: informers and the event recorder are common */
struct controller;  /* one running controller */

/* Maps one side of a change (old and new are mapped each) to keys by calling controller_enqueue(). */
typedef void controller_map_fn(struct controller *c, struct object *obj);

struct controller_watch {
    const struct kind *kind;
    controller_map_fn *map; /* NULL: the object's own key */
};

/* One request that a key has made. */
struct controller_call {
    const char *method; /* "POST", "DELETE"… */
    const struct kind *kind;
    const char *ns, *name, *sub; /* name is NULL for a creation and for a collection; sub may be NULL */
};

struct controller_def {
    const char *name;                       /* also the source of its Events */
    const struct controller_watch *watches; /* ends with a NULL kind */
    /* ns is "" for cluster-scoped keys. */
    void (*reconcile)(struct controller *c, const char *ns, const char *name);
    void *(*start)(
        struct controller *c); /* optional: makes the state behind controller_state(); declare indexes here */
    void (*stop)(void *state);
    /* Optional: sees every answer to a request of this key, before the frame draws its conclusions; may make further
     * requests for the key. code and body as in client.h. */
    void (*answered)(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body);
};

struct controllers *controllers_new(struct client *client);
/* For tests, before anything is added: time comes from here, and delays end only in controllers_tick(). */
void controllers_set_clock(struct controllers *cs, int64_t (*now_usec)(void));
void controllers_tick(struct controllers *cs);
void controllers_add(struct controllers *cs, const struct controller_def *def);
/* config: what this one needs beside the API; borrowed. */
void controllers_add_with(struct controllers *cs, const struct controller_def *def, void *config);
/* Starts the informers; reconciling begins when all are synced. */
void controllers_start(struct controllers *cs);
void controllers_free(struct controllers *cs);       /* its memory goes when the loop has run once more; NULL is fine */
bool controllers_idle(const struct controllers *cs); /* nothing to do but what is delayed */
struct informer *controllers_informer(struct controllers *cs, const struct kind *k); /* made on first use */

/* For use in reconcile and map. */
void *controller_state(struct controller *c);
void *controller_config(struct controller *c); /* also in start; NULL without one */
struct client *controller_client(struct controller *c);
struct informer *controller_informer(struct controller *c, const struct kind *k);
/* Watches one more kind from now on, one made at run time; what is there already is mapped now. Reconciling does not
 * wait for its first list. */
void controller_watch_more(struct controller *c, const struct kind *k, controller_map_fn *map);
void controller_enqueue(struct controller *c, const char *ns, const char *name);
void controller_enqueue_after(struct controller *c, const char *ns, const char *name, int64_t ms);
/* Awaited writes on behalf of the key being reconciled; same arguments as client.h. Bodies are borrowed. */
void controller_create(struct controller *c, const struct kind *k, const char *ns, const json_t *obj);
void controller_update(struct controller *c, const struct kind *k, const char *sub, const json_t *obj);
void controller_patch(struct controller *c, const struct kind *k, const char *ns, const char *name, const char *sub,
                      const char *patch_type, const json_t *patch);
void controller_delete(struct controller *c, const struct kind *k, const char *ns, const char *name,
                       const json_t *options);
/* The rest of the API, awaited likewise: bindings, finalize. name NULL: the collection. */
void controller_request(struct controller *c, const char *method, const struct kind *k, const char *ns,
                        const char *name, const char *sub, const json_t *body);
/* An awaited read past the local copies, for the few who must not err; the answer goes to `answered`. name NULL: the
 * first member of the collection ("?limit=1"). */
void controller_get(struct controller *c, const struct kind *k, const char *ns, const char *name);
int64_t controller_now_usec(const struct controller *c); /* wall clock */
int64_t controller_mono_ms(const struct controller *c);  /* for durations */
/* A core/v1 Event about obj, by this controller; repeated ones are counted, not multiplied. type: "Normal" or
 * "Warning". */
void controller_event(struct controller *c, const json_t *obj, const char *type, const char *reason, const char *fmt,
                      ...) __attribute__((format(printf, 5, 6)));
