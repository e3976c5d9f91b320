/* Functions and operators: tables of signatures, read by the checker (which overloads can be meant) and by the
 * evaluator (which one is). */
#pragma once
#include "cel/cel.h"

#define CEL_ARGS_MAX 8

typedef struct cel_value cel_function_fn(struct cel_run *run, const struct cel_value *args);
/* A signature is a letter for each argument, a colon, and one for the result:
 *   b bool, i int, u uint, d double, s string, y bytes, n null, t timestamp, r duration, T type, N any number,
 *   l list, m map, S list of strings, o optional, q quantity, w URL, p IP, c CIDR, F format,
 *   z authorizer, h path check, g group check, k resource check, D decision;
 *   * anything, A anything but the same everywhere, E list of A, O optional of A; as a result also
 *   OF, OS: optional of that. */
struct cel_function {
    const char *name; /* ".name": called on its first argument; NULL ends a table */
    const char *signature;
    cel_function_fn *call;
};

extern const struct cel_function cel_operator_functions[], cel_convert_functions[], cel_time_functions[],
    cel_text_functions[], cel_list_functions[], cel_kubernetes_functions[], cel_optional_functions[],
    cel_authorizer_functions[], cel_regex_functions[], cel_url_functions[], cel_format_functions[];
extern const struct cel_function *const cel_function_tables[]; /* all of them; NULL ends */

enum cel_kind cel_letter_kind(char letter); /* of the plain ones; CEL_DYN: none of them */
size_t cel_arity(const struct cel_function *f);
bool cel_accepts(const struct cel_function *f, const struct cel_value *args); /* at run time */

/* Uses up so much of the budget. False: there is no more, and the function returns cel_exhausted(). */
bool cel_charge(struct cel_run *run, int64_t cost);
bool cel_charge_text(struct cel_run *run, size_t bytes); /* gone through once */
struct cel_value cel_exhausted(void);
bool cel_run_equal(struct cel_run *run, struct cel_value a, struct cel_value b);

/* A NUL-terminated copy where a C string is wanted. */
char *cel_c_text(struct cel_run *run, struct cel_value v);
struct cel_value cel_copy_text(struct cel_run *run, const char *s, size_t len);

/* Shared between the tables. */
struct cel_value cel_parse_timestamp(struct cel_value text, struct cel_arena *a);
struct cel_value cel_parse_duration(struct cel_value text, struct cel_arena *a);
struct buf;
/* Appends as string() makes of it; false: it is not made into a string. */
bool cel_print(struct buf *out, struct cel_value v);
struct cel_value cel_optional(struct cel_run *run, struct cel_value v);
struct cel_value cel_none(void);
bool cel_is_url(const char *s, size_t len);
struct cel_value cel_format_text(struct cel_run *run, const struct cel_value *a); /* "…".format([…]) */
