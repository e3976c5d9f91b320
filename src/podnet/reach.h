/* Whether packets come through the tunnel to and from one other node, and if not, what keeps them. Each node sends the
 * others a round of four packets every few seconds, each of another kind; which of them arrive tells firewalls, wrong
 * checksums and too small an MTU apart. What a node has heard it tells in its own packets, so that both know both
 * directions. Pure; times are milliseconds of a clock that never goes back. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reach_kind {
    REACH_BARE,   /* beside the tunnel, from node to node */
    REACH_PLAIN,  /* in the tunnel, small, without a checksum of its own */
    REACH_SUMMED, /* the same with one */
    REACH_FULL,   /* as large as packets in the tunnel may be */
    REACH_KINDS,
};
enum reach_state { REACH_UNKNOWN, REACH_ARRIVES, REACH_MISSING };

#define REACH_ROUNDS 4 /* heard without a kind: it is missing. More than a full queue loses by chance */
#define REACH_SILENT_MS                                                                                                \
    60000                    /* of a node that the API calls Ready: longer than it takes to notice a dead one (40 s)   \
                              */
#define REACH_PACKET_SIZE 20 /* at least; large ones are filled up */

/* What is in a packet. */
struct reach_note {
    enum reach_kind kind;
    uint32_t life, round;                /* of the sender: a number for its life, and of the round in it */
    enum reach_state heard[REACH_KINDS]; /* what it has heard from the receiver */
    bool corrupt;                        /* packets with wrong checksums have come meanwhile */
};
void reach_write(const struct reach_note *n, unsigned char out[REACH_PACKET_SIZE]);
bool reach_read(const void *data, size_t size, struct reach_note *ret);

struct reach {
    bool ready;        /* the API says that it lives */
    uint64_t quiet_ms; /* since when it is Ready and not heard */
    bool heard;        /* anything, and then: */
    uint32_t life, round;
    struct {
        bool ever;
        unsigned since; /* rounds */
    } kinds[REACH_KINDS];
    bool corrupt;                       /* packets with wrong checksums came here while some were missing */
    enum reach_state told[REACH_KINDS]; /* of ours, by its own word */
    bool told_corrupt;
};
void reach_set_ready(struct reach *r, bool ready, uint64_t now);
void reach_heard(struct reach *r, const struct reach_note *n, uint64_t now);
/* For the packets of the next round: what to tell it. */
struct reach_note reach_tell(const struct reach *r, uint64_t now);
/* The tunnel's packets are awaited in vain: whether they came with wrong checksums is worth a look. */
bool reach_is_missing(const struct reach *r, uint64_t now);

enum reach_fault {
    REACH_NOT_KNOWN, /* (yet), or the node is not there at all */
    REACH_WELL,
    REACH_BLOCKED,   /* nothing comes through the tunnel */
    REACH_CORRUPT,   /* with wrong checksums */
    REACH_TOO_LARGE, /* all but large packets */
};
enum reach_fault reach_in(const struct reach *r, uint64_t now); /* from there to here */
enum reach_fault reach_out(const struct reach *r);
