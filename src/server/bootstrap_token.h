/* Tokens with which nodes join: "ID.SECRET", kept as Secrets of kube-system that whoever adds a node makes (upstream:
 * plugin/pkg/auth/authenticator/token/bootstrap). */
#pragma once
#include "kinds/bootstraptoken.h"
#include "server/authn.h"
#include "store/store.h"

/* system:bootstrap:ID in system:bootstrappers, if the Secret says so at now_usec. NULL with err set: it does not. */
struct user *bootstrap_token_user(const struct store *s, const char *token, int64_t now_usec, struct err *err);
