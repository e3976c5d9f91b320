/* Which nodes are there, by the heartbeats they send each other, and which of them may announce addresses. Pure; times
 * are milliseconds of a clock that never goes back.
 *
 * A node that was heard and falls silent is lost. One that was never heard is left to the API's word: perhaps something
 * in between keeps heartbeats away. Who is back may announce again when it has been there for a while, so that one that
 * comes and goes does not take addresses along each time. For all to judge alike, every node says how long it has been
 * there, and tells the others how long it has heard them: by that, one whose program was only restarted, which nobody
 * has missed, goes on as before. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALIVE_BEAT_MS 200  /* between heartbeats */
#define ALIVE_LOST_MS 600  /* of silence: two heartbeats may be missed */
#define ALIVE_HOLD_MS 3000 /* until a node that is back may announce, unless all are as new */

/* What is in a heartbeat. */
struct beat {
    uint32_t age;   /* how long the sender has been there, ms */
    uint32_t yours; /* how long it has heard the receiver without a gap, or BEAT_UNHEARD */
};
#define BEAT_UNHEARD UINT32_MAX
#define BEAT_SIZE 16
void beat_write(const struct beat *b, unsigned char out[BEAT_SIZE]);
bool beat_read(const void *data, size_t size, struct beat *ret);

struct alive;
struct alive *alive_new(uint64_t now);
void alive_free(struct alive *a); /* NULL is fine */
/* Another node, and whether the API says that it serves. */
void alive_put(struct alive *a, const char *node, bool serves);
void alive_remove(struct alive *a, const char *node);

/* What a call may have changed. */
enum {
    ALIVE_NODES = 1, /* who is lost, or who may announce */
    ALIVE_DOUBT = 2, /* somebody else may have announced what is ours: the neighbours must be told anew */
};
int alive_heard(struct alive *a, const char *node, const struct beat *b, uint64_t now);
int alive_tick(struct alive *a, uint64_t now); /* every ALIVE_BEAT_MS; time in which it was not called does not count */
/* After having been away, knowingly: the others are there and have been for long, until the contrary shows. */
void alive_return(struct alive *a, uint64_t now);

/* What to tell a node now. */
struct beat alive_beat(const struct alive *a, const char *node, uint64_t now);
bool alive_lost(const struct alive *a, const char *node);
bool alive_settled(const struct alive *a, const char *node); /* may announce, if it serves; NULL: we */
