/* One question to a webhook, over HTTPS, answered or given up within its timeout. */
#pragma once
#include "server/pipeline.h"

struct webhook_call;
/* err NULL: body is what came back with code 200; borrowed. */
typedef void webhook_call_fn(void *arg, const char *body, size_t len, const struct err *err);
/* webhook and review are borrowed. Never calls back before it has returned. */
struct webhook_call *webhook_call_start(struct server *s, const json_t *webhook, const json_t *review,
                                        webhook_call_fn *done, void *arg);
void webhook_call_cancel(struct webhook_call *c); /* no callback follows */
