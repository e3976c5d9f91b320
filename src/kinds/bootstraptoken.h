/* Bootstrap tokens, "ID.SECRET", and the Secrets that they are kept in (upstream: cluster-bootstrap). Pure. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOTSTRAP_TOKEN_TYPE "bootstrap.kubernetes.io/token" /* of the Secret */
#define BOOTSTRAP_TOKEN_NS "kube-system"
#define BOOTSTRAP_TOKEN_PREFIX "bootstrap-token-" /* of its name; the id follows */
#define BOOTSTRAP_ID_LEN 6
#define BOOTSTRAP_SECRET_LEN 16

bool bootstrap_token_is(const char *token, size_t len);

/* Texts are NULL where they are missing. */
struct bootstrap_token {
    char *id, *secret, *groups, *description;
    bool for_authentication, for_signing;
    bool expires;
    int64_t end_usec; /* 0: nobody can read when */
};
/* False: it is no such Secret, or its name does not fit. The caller frees by bootstrap_token_done(), also then. */
bool bootstrap_token_read(struct bootstrap_token *ret, const json_t *secret);
void bootstrap_token_done(struct bootstrap_token *t);
bool bootstrap_token_expired(const struct bootstrap_token *t, int64_t now_usec);
