/* Tells when a network namespace gets or loses an address. */
#pragma once
#include <uv.h>

#include "base/err.h"

struct addrwatch;
/* `changed` is called from the loop, once for all that came together. netns_fd: -1 here; borrowed for this call. */
struct addrwatch *addrwatch_new(uv_loop_t *loop, int netns_fd, void (*changed)(void *arg), void *arg, struct err *err);
void addrwatch_free(struct addrwatch *w); /* the memory goes when the loop runs on; NULL is fine */
