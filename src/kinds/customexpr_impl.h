/* The compiled rules of a schema: a tree beside it that has only those places where there are rules, or below. */
#pragma once
#include "kinds/customexpr.h"

struct custom_rule {
    const json_t *json; /* part of the schema */
    struct cel_program *rule, *message;
    bool transition, optional_old; /* mentions oldSelf; which may be missing */
};
struct custom_place {
    const json_t *schema;
    const struct cel_type *type;
    struct custom_rule *rules;
    size_t n_rules;
    const char **names; /* of the members below that have rules */
    struct custom_place **members;
    size_t n_members;
    struct custom_place *items, *others; /* of a list; of a map */
};
struct custom_expressions {
    struct cel_arena arena;
    struct custom_place *root;
};

enum { VARIABLE_SELF, VARIABLE_OLD_SELF, VARIABLES };
