/* What the controllers of certificates share: requests taken apart, and what each signer of ours signs. */
#pragma once
#include <jansson.h>

#include "cert/request.h"

#define CSR_NODE_PREFIX "system:node:"

/* NULL when it cannot be read. */
struct cert_request *csr_request(const json_t *csr);
/* Whether it is what its signer signs: subject, names, usages. Signers that are not ours: −1 as well. */
int csr_check(const json_t *csr, const struct cert_request *r, struct err *err);
