/* `c8s server --no-agent`: Ingresses are served by other machines alone, but it is the server that tells where, and
 * what cannot be done for them. */
#pragma once
#include "cli/controlplane.h"

struct teller;
struct teller *teller_new(uv_loop_t *loop, struct controlplane *plane, const struct addresses *addresses);
void teller_free(struct teller *t); /* NULL is fine; before the control plane's clients */
