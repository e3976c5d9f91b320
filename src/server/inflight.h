/* How many requests of one user are being answered at a time. Requests that go on for long (watches, logs, exec) have
 * left before they are long. */
#pragma once
#include "base/map.h"
#include "server/authn.h"

/* Upstream's --max-requests-inflight, for each user instead of for all: one that floods does not keep others out. What
 * waits here waits for the disk or for a webhook, and holds up to a body of 3 MiB. */
#define INFLIGHT_MAX 400

/* counts: user name -> number. False: too many, and not counted. Members of system:masters are never too many: who
 * repairs a cluster must get through (upstream's `exempt` priority level). */
bool inflight_enter(struct map *counts, const struct user *u);
void inflight_leave(struct map *counts, const struct user *u);
