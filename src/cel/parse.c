/* The grammar, by recursive descent; macros become folds here. Depth is bounded, so the walkers may recurse. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "cel/syntax.h"

#define DEPTH_MAX 250 /* cel-go's limit on recursion */

struct parser {
    struct cel_program *p;
    struct cel_lexer lexer;
    struct cel_token token; /* not yet taken */
    unsigned depth;
    struct err *err;
};

static struct cel_node *expression(struct parser *s);
static struct cel_node *unary(struct parser *s);

/* --- errors --- */

int cel_complain(const struct cel_program *p, const char *at, struct err *err, const char *fmt, ...)
{
    char why[400];
    struct buf out = BUF_INIT(4096);
    const char *line = p->text, *newline;
    int number = 1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    for (; (newline = memchr(line, '\n', (size_t)(at - line))); line = newline + 1)
        number++;
    int column = (int)(at - line), length = (int)strcspn(line, "\n");
    buf_addf(&out, "ERROR: <input>:%d:%d: %s", number, column + 1, why);
    if (length <= 200) {
        buf_addf(&out, "\n | %.*s\n | ", length, line);
        for (int i = 0; i < column; i++)
            buf_addc(&out, '.');
        buf_addc(&out, '^');
    }
    err_set(err, 0, "%s", buf_str(&out));
    buf_done(&out);
    return -1;
}

static struct cel_node *fail(struct parser *s, const char *at, const char *why)
{
    cel_complain(s->p, at, s->err, "%s", why);
    return NULL;
}

static struct cel_node *unexpected(struct parser *s)
{
    if (s->token.kind == TOKEN_BAD)
        return fail(s, s->token.s, s->token.why);
    if (s->token.kind == TOKEN_END)
        cel_complain(s->p, s->token.s, s->err, "Syntax error: mismatched input '<EOF>'");
    else
        cel_complain(s->p, s->token.s, s->err, "Syntax error: mismatched input '%.*s'", (int)s->token.len, s->token.s);
    return NULL;
}

/* --- tokens and nodes --- */

static void advance(struct parser *s)
{
    s->token = cel_lex(&s->lexer);
}

static bool is(const struct cel_token *t, const char *word)
{
    return (t->kind == TOKEN_SIGN || t->kind == TOKEN_NAME) && strlen(word) == t->len &&
           memcmp(t->s, word, t->len) == 0;
}

static bool took(struct parser *s, const char *word)
{
    bool there = is(&s->token, word);
    if (there)
        advance(s);
    return there;
}

static bool expect(struct parser *s, const char *word)
{
    if (took(s, word))
        return true;
    unexpected(s);
    return false;
}

static struct cel_node *node(struct parser *s, enum cel_op op, const char *at)
{
    struct cel_node *n = cel_alloc(&s->p->arena, 1, sizeof(*n));
    n->op = op;
    n->at = at;
    n->depth = 1;
    return n;
}

/* Fails when the tree grows too deep. */
static struct cel_node *with_args(struct parser *s, struct cel_node *n, struct cel_node *const *args, size_t n_args)
{
    n->args = cel_alloc(&s->p->arena, n_args, sizeof(*args));
    n->n = n_args;
    for (size_t i = 0; i < n_args; i++) {
        n->args[i] = args[i];
        if (args[i] && args[i]->depth >= n->depth)
            n->depth = args[i]->depth + 1;
    }
    return n->depth > DEPTH_MAX ? fail(s, n->at, "expression recursion limit exceeded: 250") : n;
}

static struct cel_node *call(struct parser *s, const char *name, const char *at, struct cel_node *a, struct cel_node *b)
{
    struct cel_node *n = node(s, OP_CALL, at);
    n->name = name;
    return with_args(s, n, (struct cel_node *[]){a, b}, b ? 2 : 1);
}

static const char *token_text(struct parser *s, const struct cel_token *t)
{
    return cel_alloc_text(&s->p->arena, t->s, t->len);
}

struct args {
    struct cel_node **items;
    size_t n, cap;
};

static void args_add(struct args *a, struct cel_node *n)
{
    if (a->n == a->cap) {
        a->cap = a->cap ? 2 * a->cap : 4;
        a->items = xrealloc(a->items, a->cap * sizeof(*a->items));
    }
    a->items[a->n++] = n;
}

/* Expressions with commas between, up to the closing sign. */
static int arguments(struct parser *s, const char *close, struct args *ret)
{
    if (took(s, close))
        return 0;
    do {
        struct cel_node *n = expression(s);
        if (!n)
            return -1;
        args_add(ret, n);
    } while (took(s, ","));
    return expect(s, close) ? 0 : -1;
}

/* --- macros --- */

static const struct macro {
    const char *name;
    size_t args, variables;
    enum cel_fold fold;
    bool filtered; /* the middle argument decides which items count */
} macros[] = {
    {"all", 2, 1, FOLD_ALL, false},
    {"all", 3, 2, FOLD_ALL, false},
    {"exists", 2, 1, FOLD_EXISTS, false},
    {"exists", 3, 2, FOLD_EXISTS, false},
    {"exists_one", 2, 1, FOLD_ONE, false},
    {"existsOne", 3, 2, FOLD_ONE, false},
    {"filter", 2, 1, FOLD_FILTER, false},
    {"map", 2, 1, FOLD_MAP, false},
    {"map", 3, 1, FOLD_MAP, true},
    {"transformList", 3, 2, FOLD_TRANSFORM_LIST, false},
    {"transformList", 4, 2, FOLD_TRANSFORM_LIST, true},
    {"transformMap", 3, 2, FOLD_TRANSFORM_MAP, false},
    {"transformMap", 4, 2, FOLD_TRANSFORM_MAP, true},
    {"optMap", 2, 1, FOLD_OPTIONAL, false},
    {"optFlatMap", 2, 1, FOLD_OPTIONAL, true},
};

static const struct macro *find_macro(const char *name, size_t args)
{
    for (size_t i = 0; i < ARRAY_LEN(macros); i++)
        if (streq(macros[i].name, name) && macros[i].args == args)
            return &macros[i];
    return NULL;
}

static struct cel_node *fold(struct parser *s, const struct macro *m, struct cel_node *range, const struct args *a,
                             const char *at)
{
    struct cel_node *n = node(s, OP_FOLD, at), *filter = NULL;
    for (size_t i = 0; i < m->variables; i++)
        if (a->items[i]->op != OP_NAME)
            return fail(s, a->items[i]->at, "argument must be a simple name");
    n->fold = m->fold;
    n->name = a->items[0]->name;
    n->second = m->variables == 2 ? a->items[1]->name : NULL;
    n->optional = m->fold == FOLD_OPTIONAL && m->filtered; /* the body makes the optional itself */
    if (m->filtered && m->fold != FOLD_OPTIONAL)
        filter = a->items[m->variables];
    return with_args(s, n, (struct cel_node *[]){range, filter, a->items[a->n - 1]}, 3);
}

static struct cel_node *has(struct parser *s, const struct args *a, const char *at)
{
    if (a->n != 1 || a->items[0]->op != OP_SELECT)
        return fail(s, at, "invalid argument to has() macro");
    a->items[0]->op = OP_HAS;
    return a->items[0];
}

/* --- primary expressions --- */

static struct cel_node *called(struct parser *s, const char *name, struct cel_node *target, const char *at)
{
    struct args a = {0};
    struct cel_node *n = NULL;
    if (arguments(s, ")", &a) == 0) {
        const struct macro *m = target ? find_macro(name, a.n) : NULL;
        if (m) {
            n = fold(s, m, target, &a, at);
        } else if (!target && streq(name, "has")) {
            n = has(s, &a, at);
        } else {
            struct args all = {0};
            if (target)
                args_add(&all, target);
            for (size_t i = 0; i < a.n; i++)
                args_add(&all, a.items[i]);
            n = node(s, OP_CALL, at);
            n->name = name;
            n->member = target != NULL;
            n = with_args(s, n, all.items, all.n);
            free(all.items);
        }
    }
    free(a.items);
    return n;
}

static void mark_optional(struct parser *s, struct cel_node *n, size_t items, size_t i)
{
    if (!n->optional_items)
        n->optional_items = cel_alloc(&s->p->arena, items, sizeof(bool));
    n->optional_items[i] = true;
}

/* List and map literals: entries with commas between, one more comma may follow the last. */
static struct cel_node *literal(struct parser *s, enum cel_op op, const char *close)
{
    struct cel_node *n = node(s, op, s->token.s);
    struct args a = {0};
    struct args optional = {0}; /* positions, by the nodes there */
    bool fine = true;
    advance(s);
    while (fine && !is(&s->token, close)) {
        bool may_miss = took(s, "?");
        struct cel_node *item = expression(s);
        fine = item != NULL;
        args_add(&a, item);
        if (may_miss)
            args_add(&optional, item);
        if (fine && op == OP_MAP) {
            struct cel_node *value = expect(s, ":") ? expression(s) : NULL;
            fine = value != NULL;
            args_add(&a, value);
        }
        if (fine && !took(s, ","))
            break;
    }
    fine = fine && expect(s, close);
    for (size_t i = 0, o = 0; fine && i < a.n && o < optional.n; i++)
        if (a.items[i] == optional.items[o]) {
            mark_optional(s, n, a.n, i);
            o++;
        }
    n = fine ? with_args(s, n, a.items, a.n) : NULL;
    free(a.items);
    free(optional.items);
    return n;
}

static struct cel_node *constant(struct parser *s, struct cel_value v, const char *at)
{
    struct cel_node *n = node(s, OP_LITERAL, at);
    if (v.kind == CEL_INT && v.natural > INT64_MAX)
        return fail(s, at, "invalid int literal");
    n->literal = v;
    advance(s);
    return n;
}

static bool is_reserved(const struct cel_token *t)
{
    static const char *const words[] = {"as",        "break",  "const",  "continue", "else",  "for",
                                        "function",  "if",     "import", "let",      "loop",  "package",
                                        "namespace", "return", "var",    "void",     "while", "in"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (is(t, words[i]))
            return true;
    return false;
}

static struct cel_node *named(struct parser *s)
{
    struct cel_token t = s->token;
    if (is(&t, "true") || is(&t, "false"))
        return constant(s, cel_bool(is(&t, "true")), t.s);
    if (is(&t, "null"))
        return constant(s, cel_null(), t.s);
    if (is_reserved(&t)) {
        cel_complain(s->p, t.s, s->err, "reserved identifier: %.*s", (int)t.len, t.s);
        return NULL;
    }
    const char *name = token_text(s, &t);
    advance(s);
    if (took(s, "("))
        return called(s, name, NULL, t.s);
    struct cel_node *n = node(s, OP_NAME, t.s);
    n->name = name;
    return n;
}

static struct cel_node *primary(struct parser *s)
{
    struct cel_token t = s->token;
    if (t.kind == TOKEN_NUMBER || t.kind == TOKEN_TEXT)
        return constant(s, t.literal, t.s);
    if (took(s, "(")) {
        struct cel_node *n = expression(s);
        return n && expect(s, ")") ? n : NULL;
    }
    if (is(&t, "["))
        return literal(s, OP_LIST, "]");
    if (is(&t, "{"))
        return literal(s, OP_MAP, "}");
    took(s, "."); /* a name from the root: there is no other place */
    return s->token.kind == TOKEN_NAME ? named(s) : unexpected(s);
}

static struct cel_node *selected(struct parser *s, struct cel_node *of, const char *at)
{
    bool optional = took(s, "?");
    struct cel_token t = s->token;
    if (t.kind != TOKEN_NAME)
        return unexpected(s);
    const char *name = token_text(s, &t);
    advance(s);
    if (!optional && took(s, "("))
        return called(s, name, of, at);
    struct cel_node *n = node(s, OP_SELECT, at);
    n->name = name;
    n->optional = optional;
    return with_args(s, n, &of, 1);
}

static struct cel_node *indexed(struct parser *s, struct cel_node *of, const char *at)
{
    bool optional = took(s, "?");
    struct cel_node *index = expression(s);
    if (!index || !expect(s, "]"))
        return NULL;
    struct cel_node *n = node(s, OP_INDEX, at);
    n->optional = optional;
    return with_args(s, n, (struct cel_node *[]){of, index}, 2);
}

static struct cel_node *member(struct parser *s)
{
    struct cel_node *n = primary(s);
    while (n) {
        const char *at = s->token.s;
        if (took(s, "."))
            n = selected(s, n, at);
        else if (took(s, "["))
            n = indexed(s, n, at);
        else
            break;
    }
    return n;
}

/* --- operators --- */

static struct cel_node *negative_literal(struct parser *s, const char *at)
{
    struct cel_value v = s->token.literal;
    struct cel_node *n = node(s, OP_LITERAL, at);
    if (v.kind == CEL_INT && v.natural > (uint64_t)INT64_MAX + 1)
        return fail(s, at, "invalid int literal");
    n->literal = v.kind == CEL_DOUBLE ? cel_double(-v.real) : cel_int((int64_t)(0 - v.natural));
    s->token = (struct cel_token){.kind = TOKEN_SIGN, .s = at};
    return n;
}

static struct cel_node *negated(struct parser *s, const char *name)
{
    const char *at = s->token.s;
    advance(s);
    bool literal_follows = s->token.kind == TOKEN_NUMBER && s->token.literal.kind != CEL_UINT;
    if (literal_follows && streq(name, "-_")) {
        struct cel_node *n = negative_literal(s, at);
        advance(s);
        for (const char *dot = s->token.s; n && (took(s, ".") || is(&s->token, "[")); dot = s->token.s)
            n = is(&s->token, "[") ? (advance(s), indexed(s, n, dot)) : selected(s, n, dot);
        return n;
    }
    struct cel_node *n = unary(s);
    return n ? call(s, name, at, n, NULL) : NULL;
}

static struct cel_node *unary(struct parser *s)
{
    struct cel_node *n = NULL;
    if (++s->depth > DEPTH_MAX)
        n = fail(s, s->token.s, "expression recursion limit exceeded: 250");
    else if (is(&s->token, "!"))
        n = negated(s, "!_");
    else if (is(&s->token, "-"))
        n = negated(s, "-_");
    else
        n = member(s);
    s->depth--;
    return n;
}

static const struct {
    const char *sign, *name;
    int level;
} operators[] = {
    {"==", "_==_", 1}, {"!=", "_!=_", 1}, {"<", "_<_", 1}, {"<=", "_<=_", 1}, {">", "_>_", 1}, {">=", "_>=_", 1},
    {"in", "@in", 1},  {"+", "_+_", 2},   {"-", "_-_", 2}, {"*", "_*_", 3},   {"/", "_/_", 3}, {"%", "_%_", 3},
};

static const char *operator_at(struct parser *s, int level)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (operators[i].level == level && is(&s->token, operators[i].sign))
            return operators[i].name;
    return NULL;
}

static struct cel_node *binary(struct parser *s, int level)
{
    if (level > 3)
        return unary(s);
    struct cel_node *left = binary(s, level + 1);
    for (const char *name; left && (name = operator_at(s, level));) {
        const char *at = s->token.s;
        advance(s);
        struct cel_node *right = binary(s, level + 1);
        left = right ? call(s, name, at, left, right) : NULL;
    }
    return left;
}

/* a || b || c is one node: long ones must not be deep. */
static struct cel_node *junction(struct parser *s, enum cel_op op)
{
    const char *sign = op == OP_OR ? "||" : "&&", *at = NULL;
    struct args a = {0};
    struct cel_node *n;
    do {
        n = op == OP_OR ? junction(s, OP_AND) : binary(s, 1);
        args_add(&a, n);
        at = at ? at : s->token.s;
    } while (n && took(s, sign));
    if (n && a.n > 1)
        n = with_args(s, node(s, op, at), a.items, a.n);
    free(a.items);
    return n;
}

static struct cel_node *expression(struct parser *s)
{
    struct cel_node *n = NULL, *yes, *no;
    if (++s->depth > DEPTH_MAX)
        n = fail(s, s->token.s, "expression recursion limit exceeded: 250");
    else
        n = junction(s, OP_OR);
    const char *at = s->token.s;
    if (n && took(s, "?")) {
        yes = junction(s, OP_OR);
        no = yes && expect(s, ":") ? expression(s) : NULL;
        n = no ? with_args(s, node(s, OP_CHOICE, at), (struct cel_node *[]){n, yes, no}, 3) : NULL;
    }
    s->depth--;
    return n;
}

int cel_parse(struct cel_program *p, struct err *err)
{
    struct parser s = {.p = p, .lexer = {.text = p->text, .at = p->text, .arena = &p->arena}, .err = err};
    advance(&s);
    p->root = expression(&s);
    if (p->root && s.token.kind != TOKEN_END)
        p->root = unexpected(&s);
    return p->root ? 0 : -1;
}
