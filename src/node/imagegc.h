/* Which images go when the disk fills up (upstream: pkg/kubelet/images/image_gc_manager.go, with its defaults). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_GC_HIGH_PERCENT 85                   /* used: from here on images are deleted, */
#define IMAGE_GC_LOW_PERCENT 80                    /* until it is no more than this */
#define IMAGE_GC_AGE_USEC (120 * INT64_C(1000000)) /* what was used or pulled since may be about to be used */

struct gc_image {
    const char *reference;
    int64_t size, used_usec; /* wall clock, when it was last used */
    bool kept;               /* in use, or could not be had again */
    bool doomed;             /* out */
};
/* How many bytes are to go; 0: the disk is not so full. Pure. */
int64_t image_gc_excess(int64_t used_bytes, int64_t capacity_bytes);
/* Marks images until they have so many bytes, the ones longest unused first; returns how many bytes they have. Sorts
 * the array. Pure. */
int64_t image_gc_choose(struct gc_image *images, size_t n, int64_t excess_bytes, int64_t now_usec);
