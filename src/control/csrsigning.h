/* The controller that signs; it needs the CA, so it is started with it. */
#pragma once
#include "client/controller.h"

struct csr_authority {
    const char *cert, *key; /* paths of PEM files */
};
extern const struct controller_def csrsigning_controller; /* its config is a struct csr_authority */
