/* What is wrong with a node's tunnel, in words, from what was found out about each of its peers. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "podnet/reach.h"

struct trouble_peer {
    const char *name, *created; /* RFC 3339 */
    bool ready;                 /* others are not judged */
    bool tunnelled;             /* else it is on a link of ours, where nothing is tried */
    enum reach_fault in, out;   /* from there to here, and from here to there */
};
#define TROUBLE_TEXT_SIZE 1024 /* three peers, both ways */
struct trouble {
    bool cut_off;       /* fewer nodes are within reach than beyond: pods had better go to others */
    const char *reason; /* one word, as conditions have it */
    char message[TROUBLE_TEXT_SIZE];
};
/* own: its name and age. False: nothing is wrong, but not all is known yet. */
bool trouble_describe(const struct trouble_peer *own, const struct trouble_peer *peers, size_t n, struct trouble *ret);
