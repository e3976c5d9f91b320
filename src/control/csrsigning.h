/* The controller that signs; it needs the CA, so it is started with it. */
#pragma once
#include "client/controller.h"

#define CSR_SECONDS_DEFAULT (365 * 86400) /* as upstream's --cluster-signing-duration */

struct csr_authority {
    const char *cert, *key; /* paths of PEM files */
    int64_t seconds;        /* for which it signs at most */
};
extern const struct controller_def csrsigning_controller; /* its config is a struct csr_authority */
