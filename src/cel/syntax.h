/* From text to a tree, and what the checker adds to it. */
#pragma once
#include "cel/cel.h"

/* --- tokens --- */

enum cel_token_kind {
    TOKEN_END,
    TOKEN_BAD,
    TOKEN_NAME,
    TOKEN_NUMBER, /* literal: int, uint, double */
    TOKEN_TEXT,   /* literal: string, bytes */
    TOKEN_SIGN,   /* operators and brackets */
};
struct cel_token {
    enum cel_token_kind kind;
    const char *s;
    size_t len;
    struct cel_value literal;
    const char *why; /* TOKEN_BAD */
};
struct cel_lexer {
    const char *text, *at;
    struct cel_arena *arena;
};
struct cel_token cel_lex(struct cel_lexer *l);
/* The value of a string or bytes literal, quotes and prefixes included; false: bad escapes. */
bool cel_unquote(const char *s, size_t len, struct cel_value *ret, struct cel_arena *a);

/* --- the tree --- */

enum cel_op {
    OP_LITERAL,
    OP_NAME,
    OP_SELECT, /* args[0].name */
    OP_HAS,    /* has(args[0].name) */
    OP_INDEX,
    OP_CALL, /* of a function or operator; `member`: args[0] is what it is called on */
    OP_AND,  /* any number of args */
    OP_OR,
    OP_CHOICE, /* ?: */
    OP_LIST,
    OP_MAP,  /* args: key, value, key, value… */
    OP_FOLD, /* a macro: range, filter or NULL, body */
};

enum cel_fold {
    FOLD_ALL,
    FOLD_EXISTS,
    FOLD_ONE,
    FOLD_FILTER,
    FOLD_MAP,
    FOLD_TRANSFORM_LIST,
    FOLD_TRANSFORM_MAP,
    FOLD_OPTIONAL
};

struct cel_node {
    enum cel_op op;
    enum cel_fold fold;
    bool member;
    bool optional;        /* a.?b, a[?b], and what is selected from those */
    bool *optional_items; /* of list and map literals: [?a], {?k: v}; or NULL */
    const char *at;       /* in the text */
    unsigned depth;
    const char *name;   /* of names, members, functions, the fold's variable */
    const char *second; /* the fold's second variable, or NULL */
    struct cel_node **args;
    size_t n;
    struct cel_value literal;
    /* by the checker: */
    const struct cel_type *type;
    unsigned slot; /* of names and the fold's (first) variable */
    const struct cel_function **candidates;
    size_t n_candidates;
};

struct cel_program {
    struct cel_arena arena;
    char *text;
    struct cel_node *root;
    unsigned n_variables, n_slots;
    bool *mentioned; /* by variable */
};

/* Both return -1 with the error set. */
int cel_parse(struct cel_program *p, struct err *err);
int cel_check(struct cel_program *p, const struct cel_variable *variables, struct err *err);
/* "ERROR: <input>:1:6: WHY" with the line and a pointer into it. */
int cel_complain(const struct cel_program *p, const char *at, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
