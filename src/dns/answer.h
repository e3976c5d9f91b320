/* From the bytes of a query to the bytes of its answer, without I/O: what is ours is answered from the model, the rest
 * is left to forward.h. Names keep the letters' case they were asked in. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/reverse.h"
#include "dns/settings.h"
#include "dns/zone.h"
#include "service/model.h"

struct answerer {
    struct zone zone;
    struct model *model;
    struct reverse *reverse;
    struct settings *settings;
    bool partial; /* the model is still being filled: "no such name" is no answer yet */
};

/* Largest answer over UDP, if the client takes that much (EDNS); without EDNS it is 512 bytes. The way to a pod does
 * not leave the machine, so fragments cannot get lost on it. */
#define ANSWER_UDP_MAX 4096

enum answer_verdict {
    ANSWER_DROP,    /* no query: say nothing */
    ANSWER_SEND,    /* `out` is the answer */
    ANSWER_FORWARD, /* the query is for another server, as it stands */
    ANSWER_CHASE,   /* ours leads to a foreign name: `out` is the query for that, and answer_join() makes the answer */
};

/* out: WIRE_MAX bytes. tcp: no limit of size but that. */
enum answer_verdict answer_query(const struct answerer *a, const uint8_t *query, size_t len, bool tcp, uint8_t *out,
                                 size_t *ret_len);
/* The whole answer to `query` (an ANSWER_CHASE): our part, then what `reply` (NULL: nothing came) says. */
size_t answer_join(const struct answerer *a, const uint8_t *query, size_t len, const uint8_t *reply, size_t reply_len,
                   bool tcp, uint8_t *out);
/* Cuts a foreign reply that is too long for this client to its question, with TC. Returns the new size. */
size_t answer_fit(const uint8_t *query, size_t len, bool tcp, uint8_t *reply, size_t reply_len);
