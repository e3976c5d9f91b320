/* Expressions of admission: what they may name, compiled and told when they cannot be. Conditions of webhooks have the
 * first four variables; policies have all. Upstream: apiserver pkg/admission/plugin/cel. */
#pragma once
#include "api/status.h"
#include "cel/cel.h"

enum {
    ADMISSION_OBJECT,
    ADMISSION_OLD_OBJECT,
    ADMISSION_REQUEST,
    ADMISSION_AUTHORIZER,
    ADMISSION_CONDITION_VARIABLES,
    ADMISSION_PARAMS = ADMISSION_CONDITION_VARIABLES, /* conditions of policies have them as well */
    ADMISSION_NAMESPACE,
    ADMISSION_VARIABLES, /* those the policy itself defines */
    ADMISSION_ALL,
};
extern const struct cel_type *const admission_request_type;
#define ADMISSION_CONDITIONS_MAX 64 /* as upstream */

/* An expression that is a part of a document, under its name there (conditions, variables) or its key. */
struct admission_expression {
    const char *name, *text;
    struct cel_program *program; /* NULL: it does not compile */
};
struct admission_expressions {
    struct admission_expression *items;
    size_t n;
};
/* matchConditions of a webhook: complains under `path` about what is wrong with them. */
void admission_conditions_compile(const json_t *list, const char *path, struct admission_expressions *ret,
                                  struct status_causes *causes);
void admission_expressions_done(struct admission_expressions *x);

struct admission_policy {
    struct cel_arena arena;
    json_t *doc; /* of a ValidatingAdmissionPolicy */
    struct admission_expressions conditions, variables, validations, messages, annotations;
};
/* Complains about what is wrong with it; what could be compiled is there nevertheless. */
struct admission_policy *admission_policy_compile(const json_t *doc, struct status_causes *causes);
void admission_policy_free(struct admission_policy *p); /* NULL is fine */
/* What is wrong with its validations for objects of the kinds that its rules name, as status.typeChecking has it: an
 * array of {fieldRef, warning}. New reference. */
#define ADMISSION_TYPES_MAX 10 /* kinds, as upstream */
json_t *admission_policy_warnings(const json_t *doc);
