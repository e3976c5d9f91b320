/* Tokens in projected volumes: what is asked for, and how long an answer serves. They are kept among the refs of env.h,
 * as {token, refresh} or, when there never was one, {error}. Pure. */
#pragma once
#include "json/json.h"

/* Calls visit for every serviceAccountToken source of the pod's volumes. */
void tokens_each(const json_t *pod, void (*visit)(void *arg, const json_t *source), void *arg);
/* The member of refs; equal wishes share a token. The caller frees. */
char *token_key(const json_t *source);
/* The TokenRequest, bound to the pod. New reference. */
json_t *token_request(const json_t *pod, const json_t *source);
/* Keeps an answer; a failure leaves an older token in place. body: the TokenRequest or a Status, or NULL. */
void token_keep(json_t *refs, const char *key, int code, const json_t *body, int64_t now_usec);
/* Whether the token kept there still has enough of its life before it. */
bool token_is_fresh(const json_t *refs, const char *key, int64_t now_usec);
/* The token, or NULL with err set. Borrowed. */
const char *token_text(const json_t *refs, const json_t *source, struct err *err);
