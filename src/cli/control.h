/* The control socket of a running cluster: one line asks, one line answers ("ok", or what is wrong). Root alone may use
 * it (0600): it is for `c8s node`, not an API. */
#pragma once
#include <uv.h>

#include "base/err.h"

struct cluster;
struct control;
/* May be refused; the cluster runs all the same. */
struct control *control_listen(uv_loop_t *loop, struct cluster *c, struct err *err);
void control_close(struct control *c); /* NULL is fine */

/* The other end: asks and waits. */
int control_ask(const char *line, struct err *err);
