/* The one rule of a chain remember_N: client and front, as the connection began, are kept with the endpoint for so many
 * seconds. Pure. */
#pragma once
#include <stddef.h>

/* The message of a transaction that adds it to the chain, with room in `out` for it; returns its length. The rule is
 * answered (NLM_F_ACK) under that number. */
#define REMEMBER_MESSAGE_SIZE 2048
#define REMEMBER_SEQUENCE 1
size_t remember_message(int family, int seconds, char out[REMEMBER_MESSAGE_SIZE]);
