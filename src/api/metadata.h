/* ObjectMeta's rules: what is the same for every kind and needs more than a row. */
#pragma once
#include "api/status.h"
#include "kinds/kind.h"

/* old NULL on create. Labels and annotations are the table's rows. */
void metadata_validate(const struct kind *k, const json_t *doc, const json_t *old, struct status_causes *causes);
