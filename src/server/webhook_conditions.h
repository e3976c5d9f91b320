/* A webhook's matchConditions: expressions that a request must satisfy for the webhook to be asked. */
#pragma once
#include "server/pipeline.h"
#include "server/webhook_match.h"

/* 1: ask it; 0: do not; -1: that cannot be said, for the reason in err. as: from webhook_match(). */
int webhook_conditions_hold(struct server *s, const json_t *webhook, const struct webhook_question *q,
                            const struct kind *as, struct err *err);
void webhook_conditions_forget(struct server *s); /* what is compiled */
