/* What the handlers of reviews have in common. */
#pragma once
#include "server/write.h"

/* The body, checked against its kind's table. NULL: fine; otherwise the Status to answer. */
json_t *review_decode(struct request *r);
/* Answers with the question and its status. */
void review_reply(struct request *r, json_t *answer_new);
