/* What the token of a ServiceAccount says: claims as upstream's (KEP-1205), made and read. Pure. */
#pragma once
#include "json/json.h"

struct account_token {
    const char *ns, *name, *uid;     /* the ServiceAccount */
    const char *pod, *pod_uid;       /* that it is bound to, or NULL */
    const char *secret, *secret_uid; /* that it is bound to instead, or NULL */
    const char *node, *node_uid;     /* where that pod runs, or NULL */
    const char *id;                  /* of this token */
    int64_t issued, expires;         /* seconds since 1970 */
    const json_t *audiences;         /* array of texts */
};

#define ACCOUNT_USER_PREFIX "system:serviceaccount:"

/* New reference. */
json_t *account_claims(const struct account_token *t, const char *issuer);
/* Fills in what the claims say, borrowed from them, if this issuer made them and they hold at `now`. */
int account_claims_read(struct account_token *ret, const json_t *claims, const char *issuer, int64_t now,
                        struct err *err);
/* Whether one of the token's audiences is among these (array of texts; NULL: the issuer's own). Those that are go into
 * fitting, an array; it may be NULL. */
bool account_audience_fits(const struct account_token *t, const json_t *audiences, const char *issuer, json_t *fitting);
