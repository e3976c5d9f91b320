/* One action of a probe or a lifecycle hook: a command in the container, an HTTP request, a TCP connection, a sleep. */
#pragma once
#include <stdbool.h>

#include "json/json.h"

struct action;
struct container;

/* message: output of the command, or why it failed. Not called after action_cancel(). Never before action_run()
 * returns. */
typedef void action_done_fn(void *arg, bool ok, const char *message);
/* handler: has exec, httpGet, tcpSocket, grpc or sleep. The container's pod must outlive the action: hold a reference.
 */
struct action *action_run(struct container *c, const json_t *handler, int timeout_ms, action_done_fn *done, void *arg);
void action_cancel(struct action *a); /* NULL is fine; frees */
