/* The rules of session affinity, in the kernel's own instructions, because nft 1.0.6 cannot say them: those that
 * send a client to the endpoint it had, one a protocol, and the one that remembers it for so many seconds. Both find
 * out first which ServicePort a front is a way to, so that a client has one endpoint whatever way it takes. Pure. */
#pragma once
#include <stddef.h>

/* The message of a transaction that appends the rules to their chain, with room in `out` for it; returns its length.
 * The last one is answered (NLM_F_ACK) under that number. */
#define AFFINITY_MESSAGE_SIZE 4096
#define AFFINITY_SEQUENCE 1
size_t affinity_follow_message(int family, char out[AFFINITY_MESSAGE_SIZE]);
size_t affinity_remember_message(int family, int seconds, char out[AFFINITY_MESSAGE_SIZE]);
