/* Hands out ClusterIPs and NodePorts: a bitmap with a static band at the bottom that dynamic allocation leaves free as
 * long as it can (KEP-3070, KEP-3668). Pure; the server holds one of each and refills them from the Services at start.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "service/model.h"

struct numalloc; /* numbers 0..size-1 */
/* band: the first `band` numbers are only handed out dynamically when the others are gone. */
struct numalloc *numalloc_new(uint32_t size, uint32_t band);
void numalloc_free(struct numalloc *a);
bool numalloc_take(struct numalloc *a, uint32_t n);    /* false: taken already or out of range */
bool numalloc_next(struct numalloc *a, uint32_t *ret); /* random free one; false: all are gone */
void numalloc_release(struct numalloc *a, uint32_t n);
bool numalloc_has(const struct numalloc *a, uint32_t n);
uint32_t numalloc_used(const struct numalloc *a);

/* Sizes of the static bands: min(max(16, size/16), 256) for addresses, min(max(16, size/32), 128) for ports. */
uint32_t ip_static_band(uint32_t size);
uint32_t port_static_band(uint32_t size);
