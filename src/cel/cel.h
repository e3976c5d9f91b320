/* The Common Expression Language as Kubernetes 1.32 speaks it: rules of custom resources, admission policies,
 * conditions of webhooks. A text is compiled once (syntax, names, types) and evaluated often, over JSON documents.
 * Pure: what an expression may ask of the world are the variables it is given. Every evaluation has a budget, so nobody
 * stalls us. */
#pragma once
#include "base/err.h"
#include "cel/value.h"

/* The budgets of apiserver's pkg/apis/cel/config.go. A unit is one step of the evaluation, or some bytes gone through;
 * a million of them take some tens of milliseconds. */
#define CEL_CALL_COST_MAX 1000000              /* one expression, once */
#define CEL_COST_MAX 10000000                  /* all rules of one object, all validations of one policy */
#define CEL_CONDITIONS_COST_MAX (10000000 / 4) /* all match conditions of one webhook or policy */
#define CEL_TEXT_MAX 100000                    /* characters of an expression, cel-go's limit */
#define CEL_MEMORY_MAX (64 << 20) /* bytes an evaluation may take: beyond what the budgets let sane ones need */
#define CEL_COST_EXCEEDED "operation cancelled: actual cost limit exceeded"

struct cel_variable {
    const char *name; /* NULL ends the list */
    const struct cel_type *type;
};

struct cel_program;
/* NULL: err says what is wrong, as cel-go does ("ERROR: <input>:1:6: undefined field 'foo'"). The variables' types must
 * live as long as the program. */
struct cel_program *cel_compile(const char *text, const struct cel_variable *variables, struct err *err);
void cel_free(struct cel_program *p);                                /* NULL is fine */
const struct cel_type *cel_result_type(const struct cel_program *p); /* CEL_DYN: known at run time only */
bool cel_mentions(const struct cel_program *p, unsigned variable);   /* whether the expression uses it; by position */

/* What expressions may be asked about who may do what (authorizer.group("apps")…). */
typedef bool cel_allowed_fn(void *arg, const struct cel_access *access, const char **ret_reason);

/* One evaluation, or several that share memory and budget. Values live until cel_run_done(). */
struct cel_run {
    struct cel_arena arena;
    int64_t budget; /* what is left for all; below 0: exceeded */
    int64_t left;   /* for the expression that runs */
    cel_allowed_fn *allowed;
    void *allowed_arg;
};
void cel_run_init(struct cel_run *run, int64_t budget);
void cel_run_done(struct cel_run *run);
/* One value for each declared variable. Errors are values (CEL_ERROR). */
struct cel_value cel_eval(const struct cel_program *p, const struct cel_value *variables, struct cel_run *run);
