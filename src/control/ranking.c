/* See ranking.h. Ages are compared by their order of magnitude, so that who goes among pods of about one age is not
 * decided by who happened to start first. */
#include "control/ranking.h"

#include <stdlib.h>
#include <string.h>

#define BEFORE (-1)

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int magnitude(int64_t since_usec, int64_t now_usec)
{
    int64_t age_usec = now_usec - since_usec;
    return age_usec > 0 ? 63 - __builtin_clzll((uint64_t)age_usec) : -1;
}

/* Younger first. An unknown time is the youngest. */
static int compare_ages(const struct ranked_pod *a, const struct ranked_pod *b, int64_t a_usec, int64_t b_usec,
                        int64_t now_usec)
{
    if (a_usec == b_usec)
        return 0;
    if (!a_usec || !b_usec)
        return a_usec ? -BEFORE : BEFORE;
    int diff = compare(magnitude(a_usec, now_usec), magnitude(b_usec, now_usec));
    return diff ? diff : strcmp(a->uid, b->uid);
}

static int compare_pods(const void *pa, const void *pb, void *now)
{
    const struct ranked_pod *a = pa, *b = pb;
    const struct pod_state *as = a->state, *bs = b->state;
    int64_t now_usec = *(int64_t *)now;
    bool a_placed = *pod_node(as), b_placed = *pod_node(bs);
    int r;
    if ((r = compare(a_placed, b_placed)) || (r = compare(as->phase, bs->phase)) ||
        (r = compare(as->ready, bs->ready)) || (r = compare(as->cost, bs->cost)) ||
        (r = compare(b->doubled_up, a->doubled_up)))
        return r;
    if (as->ready && (r = compare_ages(a, b, as->ready_usec, bs->ready_usec, now_usec)))
        return r;
    if ((r = compare(bs->restarts, as->restarts)))
        return r;
    if ((r = compare_ages(a, b, as->created_usec, bs->created_usec, now_usec)))
        return r;
    return strcmp(a->uid, b->uid);
}

void rank_for_deletion(struct ranked_pod *pods, size_t n, int64_t now_usec)
{
    if (n)
        qsort_r(pods, n, sizeof(*pods), compare_pods, &now_usec);
}
