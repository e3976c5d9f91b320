/* Rules that ConfigMaps and Secrets share. */
#pragma once
#include "kinds/rules.h"

/* A member that holds data; a list of them ends with a NULL name. */
struct data_member {
    const char *name;
    bool is_base64;
};

/* All values together: at most 1 MiB. */
void rule_data_size(const json_t *obj, const struct data_member *members, const char *path,
                    struct status_causes *causes);
/* Once `immutable` is true, it stays so and the data stays what it is. */
void rule_data_immutable(const json_t *obj, const json_t *old, const struct data_member *members,
                         struct status_causes *causes);
