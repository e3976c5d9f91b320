/* The tokens of ServiceAccounts in this cluster: issued, and recognised as long as what they stand for exists. */
#pragma once
#include "server/account_token.h"
#include "server/authn.h"

struct server;
struct http_exchange;
struct tokens;

/* key_path NULL: a key that lives as long as this does. */
struct tokens *tokens_new(const char *key_path, const char *cluster_domain, struct err *err);
void tokens_free(struct tokens *t);
const char *tokens_issuer(const struct tokens *t);
/* JSON Web Key Set, for others who want to check tokens. New reference. */
json_t *tokens_public_keys(const struct tokens *t);
/* The caller frees. */
char *tokens_issue(const struct tokens *t, const struct account_token *what);

/* Who the bearer is; audiences and fitting as in account_audience_fits(). NULL with err set: the token is not to be
 * trusted. */
struct user *tokens_user(struct server *s, const char *token, size_t len, const json_t *audiences, json_t *fitting,
                         struct err *err);

/* Who sends this request: the certificate's owner, else the bearer of the token, else system:anonymous. NULL: a token
 * was shown that is no good. */
struct user *authenticate(struct server *s, const struct http_exchange *x);
