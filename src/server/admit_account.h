/* What a new pod gets of its ServiceAccount. */
#pragma once
#include <jansson.h>

#include "store/store.h"

/* Changes the pod. NULL, or the Status that says why it may not be. */
json_t *admit_account(const struct store *store, json_t *pod);
