/* The ControllerRevisions of DaemonSets and StatefulSets: one for each template that the owner has had, for telling old
 * pods from new ones and for going back (upstream: pkg/controller/history). */
#pragma once
#include "client/controller.h"

#define REVISION_HASH_LABEL "controller-revision-hash"

struct ledger_store {
    struct informer *revisions;
    int by_owner;
};
void ledger_start(struct ledger_store *s, struct controller *c);
/* Enqueues the revision's owner, if that is of this kind. */
void ledger_map(struct controller *c, struct object *revision, const struct kind *owner);

struct ledger {
    json_t **items; /* by rising revision */
    size_t n;
    const json_t *update; /* of the owner's present template: borrowed from items. NULL: it is being made */
};
/* Looks up the revisions, makes or renumbers that of the present template. A name that is taken is counted in
 * status.collisionCount. The owner must not be deleted. */
void ledger_sync(struct ledger *h, const struct ledger_store *s, struct controller *c, const json_t *owner,
                 json_t *status);
const json_t *ledger_named(const struct ledger *h, const char *name); /* NULL when there is none */
const char *ledger_hash(const json_t *revision);                      /* "" when it has none */
/* Deletes the oldest beyond the owner's revisionHistoryLimit for which is_live says no. */
void ledger_trim(const struct ledger *h, struct controller *c, const json_t *owner,
                 bool (*is_live)(void *arg, const json_t *revision), void *arg);
void ledger_done(struct ledger *h);
