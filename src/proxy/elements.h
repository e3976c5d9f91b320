/* The elements of the table's sets and maps that a plan comes to, as text, and what must change between two such lists.
 * Pure; the sets themselves are described in render.c. */
#pragma once
#include "base/buf.h"
#include "proxy/plan.h"

enum table_set {
    SET_SVC,
    SET_EP,
    SET_EXTERNAL_LOCAL,
    SET_EXTERNAL_CLUSTER,
    SET_CLUSTER_IPS,
    SET_RESTRICTED,
    SET_ALLOWED,
    SET_AFFINE,
    SET_AFFINE_FOR,
    SET_HOST_PORTS,
    SET_HOST_PORTS_ON,
    SET_N
};
extern const char *const set_names[SET_N];

/* Local slots follow the cluster-wide ones of the same front in the same map, from here on. */
#define LOCAL_SLOTS_AT 32768
_Static_assert(SLOTS_MAX <= LOCAL_SLOTS_AT, "the two kinds of slots must not meet");

/* The chain for that many endpoints: exact up to SLOTS_EXACT, then powers of two (see render.c). */
#define SLOTS_EXACT 16
size_t slots_chain(size_t n);

/* Session affinity's chains, of one rule each (affinity_rules.h); a front's number says for how many seconds. */
#define FOLLOW_CHAIN "follow"
#define REMEMBER_CHAIN "remember_%d"

struct element {
    enum table_set set;
    size_t key, value; /* offsets in the text; the value is what follows the key: comment and data */
};
struct elements {
    struct buf text;
    struct element *list;
    size_t n, cap;
};
/* Sorted by set and key. plan NULL: none. */
void elements_of(const struct site *site, const struct plan *plan, struct elements *ret);
void elements_done(struct elements *e);

/* A front or its address as the sets spell it: "10.96.0.1 . 6 . 80". */
#define FRONT_TEXT_SIZE (IP_TEXT_SIZE + 24)
char *front_text(const struct plan *plan, const struct front *f, char out[FRONT_TEXT_SIZE]);

/* What a transaction deletes and adds, by set, as it stands between the braces. */
struct change {
    struct buf del[SET_N], add[SET_N];
};
void change_add(struct change *c, const struct elements *before, const struct elements *after);
bool change_empty(const struct change *c);
void change_clear(struct change *c);
void change_done(struct change *c);
