/* What one policy, by one of its bindings, says to a request. */
#pragma once
#include "server/expressions.h"
#include "server/pipeline.h"

struct policy_question {
    struct request *r;
    struct webhook_question request;
    const struct kind *as; /* the version the policy is about */
    json_t *refusal;       /* a Status: the first objection that counts */
};
/* Objections and warnings go where they belong. */
void policy_ask(struct policy_question *q, const struct admission_policy *p, const json_t *binding);
