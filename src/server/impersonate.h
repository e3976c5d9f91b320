/* Acting as somebody else: the Impersonate- headers (kubectl --as, --as-group, --as-uid). */
#pragma once
#include "server/authn.h"

struct server;
struct http_exchange;

/* *who, who sent the request, becomes who is to be acted as, if there is somebody and it is allowed. NULL: go on;
 * otherwise the Status to answer. */
json_t *impersonate(struct server *s, const struct http_exchange *x, struct user **who);
