/* Names and types. What documents are made of may be unknown (dyn) and then fits everywhere; what is known is held
 * against the members there are and the overloads of functions, so that mistakes are told when a rule is written. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "cel/functions.h"
#include "cel/syntax.h"

#define SCOPE_MAX 256 /* variables of macros around an expression; its depth allows no more */

struct checker {
    struct cel_program *p;
    const struct cel_variable *variables;
    struct {
        const char *name;
        const struct cel_type *type;
        unsigned slot;
    } scope[SCOPE_MAX];
    size_t n_scope;
    struct err *err;
};

static const struct cel_type *check(struct checker *c, struct cel_node *n);

static const struct cel_type *plain(enum cel_kind kind)
{
    return &cel_types[kind];
}

static const struct cel_type *composed(struct checker *c, enum cel_kind kind, const struct cel_type *item)
{
    struct cel_type *t = cel_alloc(&c->p->arena, 1, sizeof(*t));
    t->kind = kind;
    t->item = item;
    return t;
}

static const struct cel_type *item_of(const struct cel_type *t)
{
    return t && t->item ? t->item : plain(CEL_DYN);
}

static bool is_any(const struct cel_type *t)
{
    return t->kind == CEL_DYN;
}

/* One type for both: the same, or anything. */
static const struct cel_type *joined(const struct cel_type *a, const struct cel_type *b)
{
    if (!a || a == b || a->kind == CEL_NULL)
        return b;
    return a->kind == b->kind && cel_type_fits(a, b) ? a : b->kind == CEL_NULL ? a : plain(CEL_DYN);
}

/* --- names --- */

static const struct {
    const char *name;
    enum cel_kind kind;
} type_names[] = {
    {"bool", CEL_BOOL},
    {"int", CEL_INT},
    {"uint", CEL_UINT},
    {"double", CEL_DOUBLE},
    {"string", CEL_STRING},
    {"bytes", CEL_BYTES},
    {"list", CEL_LIST},
    {"map", CEL_MAP},
    {"null_type", CEL_NULL},
    {"type", CEL_TYPE},
    {"optional_type", CEL_OPTIONAL},
};

static void become_type(struct cel_node *n, enum cel_kind kind)
{
    n->op = OP_LITERAL;
    n->literal = (struct cel_value){.kind = CEL_TYPE, .type_of = kind};
}

static const struct cel_type *check_name(struct checker *c, struct cel_node *n)
{
    for (size_t i = c->n_scope; i-- > 0;)
        if (streq(c->scope[i].name, n->name)) {
            n->slot = c->scope[i].slot;
            return c->scope[i].type;
        }
    for (unsigned i = 0; i < c->p->n_variables; i++)
        if (streq(c->variables[i].name, n->name)) {
            n->slot = i;
            c->p->mentioned[i] = true;
            return c->variables[i].type;
        }
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
        if (streq(type_names[i].name, n->name)) {
            become_type(n, type_names[i].kind);
            return plain(CEL_TYPE);
        }
    cel_complain(c->p, n->at, c->err, "undeclared reference to '%s' (in container '')", n->name);
    return NULL;
}

/* google.protobuf.Timestamp and Duration: the only names with dots, but for namespaces of functions. */
static bool is_protobuf_type(struct cel_node *n)
{
    const struct cel_node *package = n->args[0], *root = package->op == OP_SELECT ? package->args[0] : NULL;
    if (!root || root->op != OP_NAME || !streq(root->name, "google") || !streq(package->name, "protobuf"))
        return false;
    if (streq(n->name, "Timestamp"))
        become_type(n, CEL_TIMESTAMP);
    else if (streq(n->name, "Duration"))
        become_type(n, CEL_DURATION);
    return n->op == OP_LITERAL;
}

/* --- members --- */

static const struct cel_type *member_type(struct checker *c, const struct cel_node *n, const struct cel_type *of)
{
    char text[CEL_TYPE_TEXT_SIZE];
    const struct cel_member *m;
    switch (of->kind) {
    case CEL_DYN:
        return of;
    case CEL_MAP:
        return item_of(of);
    case CEL_OBJECT:
        m = cel_member(of, n->name, strlen(n->name));
        if (m)
            return m->type;
        cel_complain(c->p, n->at, c->err, "undefined field '%s'", n->name);
        return NULL;
    case CEL_OPTIONAL:
        return member_type(c, n, item_of(of));
    case CEL_AUTHORIZER:
        if (streq(n->name, "requestResource"))
            return plain(CEL_RESOURCE_CHECK);
        __attribute__((fallthrough));
    default:
        cel_complain(c->p, n->at, c->err, "type '%s' does not support field selection", cel_type_text(of, text));
        return NULL;
    }
}

static const struct cel_type *check_select(struct checker *c, struct cel_node *n)
{
    if (n->op == OP_SELECT && is_protobuf_type(n))
        return plain(CEL_TYPE);
    const struct cel_type *of = check(c, n->args[0]), *member = of ? member_type(c, n, of) : NULL;
    if (!member || n->op == OP_HAS)
        return member ? plain(CEL_BOOL) : NULL;
    bool optional = n->optional || of->kind == CEL_OPTIONAL;
    return optional ? composed(c, CEL_OPTIONAL, member) : member;
}

static const struct cel_type *no_overload(struct checker *c, const struct cel_node *n, const char *name, bool member)
{
    struct buf text = BUF_INIT(300);
    char one[CEL_TYPE_TEXT_SIZE];
    for (size_t i = 0; i < n->n; i++) {
        buf_adds(&text, cel_type_text(n->args[i]->type, one));
        buf_adds(&text, i == 0 && member ? ".(" : i + 1 < n->n ? ", " : "");
    }
    cel_complain(c->p, n->at, c->err, "found no matching overload for '%s' applied to '%s%s)'", name, member ? "" : "(",
                 buf_str(&text));
    buf_done(&text);
    return NULL;
}

static const struct cel_type *check_index(struct checker *c, struct cel_node *n)
{
    const struct cel_type *of = check(c, n->args[0]), *index = of ? check(c, n->args[1]) : NULL;
    if (!index)
        return NULL;
    bool optional = n->optional || of->kind == CEL_OPTIONAL;
    if (of->kind == CEL_OPTIONAL)
        of = item_of(of);
    bool fits = is_any(of) || (of->kind == CEL_LIST && cel_type_fits(plain(CEL_INT), index)) ||
                (of->kind == CEL_MAP && cel_type_fits(of->key, index));
    if (!fits)
        return no_overload(c, n, "_[_]", false);
    return optional ? composed(c, CEL_OPTIONAL, item_of(of)) : item_of(of);
}

/* --- calls --- */

static bool unify(const struct cel_type **bound, const struct cel_type *t)
{
    bool fits = !*bound || cel_type_fits(*bound, t);
    *bound = fits ? joined(*bound, t) : *bound;
    return fits;
}

static bool argument_fits(char letter, const struct cel_type *t, const struct cel_type **bound)
{
    if (letter == '*')
        return true;
    if (letter == 'A')
        return unify(bound, t);
    if (is_any(t))
        return true;
    switch (letter) {
    case 'E':
        return t->kind == CEL_LIST && unify(bound, item_of(t));
    case 'O':
        return t->kind == CEL_OPTIONAL && unify(bound, item_of(t));
    case 'N':
        return t->kind == CEL_INT || t->kind == CEL_UINT || t->kind == CEL_DOUBLE;
    case 'S':
        return cel_type_fits(&cel_type_strings, t);
    case 'm':
        return t->kind == CEL_MAP || t->kind == CEL_OBJECT;
    default:
        return t->kind == cel_letter_kind(letter);
    }
}

static bool overload_fits(const struct cel_function *f, const struct cel_node *n, const struct cel_type **bound)
{
    *bound = NULL;
    for (size_t i = 0; i < n->n; i++)
        if (!argument_fits(f->signature[i], n->args[i]->type, bound))
            return false;
    return true;
}

static const struct cel_type *result_of(struct checker *c, const struct cel_function *f, const struct cel_type *bound)
{
    const char *result = strchr(f->signature, ':') + 1;
    bound = bound ? bound : plain(CEL_DYN);
    if (result[0] == 'O' && result[1])
        return composed(c, CEL_OPTIONAL, result[1] == 'S' ? &cel_type_strings : plain(cel_letter_kind(result[1])));
    switch (*result) {
    case 'A':
        return bound;
    case 'E':
        return composed(c, CEL_LIST, bound);
    case 'O':
        return composed(c, CEL_OPTIONAL, bound);
    case 'S':
        return &cel_type_strings;
    default:
        return plain(cel_letter_kind(*result));
    }
}

static bool is_called(const struct cel_function *f, const char *name, bool member)
{
    return member ? f->name[0] == '.' && streq(f->name + 1, name) : streq(f->name, name);
}

/* All overloads that can be meant; the type is theirs if they agree. */
static const struct cel_type *choose(struct checker *c, struct cel_node *n, const char *name, bool member, bool *known)
{
    const struct cel_function *found[32];
    const struct cel_type *result = NULL, *bound;
    for (const struct cel_function *const *table = cel_function_tables; *table; table++)
        for (const struct cel_function *f = *table; f->name; f++) {
            if (!is_called(f, name, member))
                continue;
            *known = true;
            if (cel_arity(f) != n->n || n->n_candidates == ARRAY_LEN(found) || !overload_fits(f, n, &bound))
                continue;
            found[n->n_candidates++] = f;
            const struct cel_type *t = result_of(c, f, bound);
            result = !result || (result->kind == t->kind && cel_type_fits(result, t)) ? t : plain(CEL_DYN);
        }
    n->candidates = cel_alloc(&c->p->arena, n->n_candidates, sizeof(*found));
    memcpy(n->candidates, found, n->n_candidates * sizeof(*found));
    return result;
}

/* optional.of(x), ip.isCanonical(x): the name before the dot belongs to the function. */
static bool take_namespace(struct checker *c, struct cel_node *n, char *name, size_t size)
{
    static const char *const namespaces[] = {"optional", "sets", "ip", "strings", "format"};
    if (!n->member || n->args[0]->op != OP_NAME)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
        if (streq(n->args[0]->name, namespaces[i])) {
            bool is_variable = false;
            for (unsigned v = 0; v < c->p->n_variables; v++)
                is_variable |= streq(c->variables[v].name, namespaces[i]);
            for (size_t s = 0; s < c->n_scope; s++)
                is_variable |= streq(c->scope[s].name, namespaces[i]);
            snprintf(name, size, "%s.%s", namespaces[i], n->name);
            return !is_variable;
        }
    return false;
}

static const struct cel_type *check_call(struct checker *c, struct cel_node *n)
{
    char qualified[100];
    const char *name = n->name;
    bool known = false;
    if (take_namespace(c, n, qualified, sizeof(qualified))) {
        name = qualified;
        n->member = false;
        n->args++;
        n->n--;
    }
    for (size_t i = 0; i < n->n; i++)
        if (!check(c, n->args[i]))
            return NULL;
    const struct cel_type *type = choose(c, n, name, n->member, &known);
    if (type)
        return type;
    if (known || n->n > CEL_ARGS_MAX)
        return no_overload(c, n, name, n->member);
    cel_complain(c->p, n->at, c->err, "undeclared reference to '%s' (in container '')", name);
    return NULL;
}

/* --- the rest --- */

static const struct cel_type *check_junction(struct checker *c, struct cel_node *n)
{
    for (size_t i = 0; i < n->n; i++) {
        if (!check(c, n->args[i]))
            return NULL;
        if (!cel_type_fits(plain(CEL_BOOL), n->args[i]->type)) {
            char text[CEL_TYPE_TEXT_SIZE];
            cel_complain(c->p, n->args[i]->at, c->err, "expected type 'bool' but found '%s'",
                         cel_type_text(n->args[i]->type, text));
            return NULL;
        }
    }
    return plain(CEL_BOOL);
}

static const struct cel_type *check_choice(struct checker *c, struct cel_node *n)
{
    for (size_t i = 0; i < n->n; i++)
        if (!check(c, n->args[i]))
            return NULL;
    const struct cel_type *yes = n->args[1]->type, *no = n->args[2]->type;
    if (!cel_type_fits(plain(CEL_BOOL), n->args[0]->type) || !cel_type_fits(yes, no))
        return no_overload(c, n, "_?_:_", false);
    return joined(yes, no);
}

static const struct cel_type *check_literal_list(struct checker *c, struct cel_node *n)
{
    const struct cel_type *item = NULL;
    for (size_t i = 0; i < n->n; i++) {
        const struct cel_type *t = check(c, n->args[i]);
        if (!t)
            return NULL;
        item = joined(item, n->optional_items && n->optional_items[i] ? item_of(t) : t);
    }
    return composed(c, CEL_LIST, item);
}

static const struct cel_type *check_literal_map(struct checker *c, struct cel_node *n)
{
    struct cel_type *map = cel_alloc(&c->p->arena, 1, sizeof(*map));
    map->kind = CEL_MAP;
    for (size_t i = 0; i < n->n; i += 2) {
        const struct cel_type *key = check(c, n->args[i]), *value = key ? check(c, n->args[i + 1]) : NULL;
        if (!value)
            return NULL;
        map->key = joined(map->key, key);
        map->item = joined(map->item, n->optional_items && n->optional_items[i] ? item_of(value) : value);
    }
    return map;
}

static bool declare(struct checker *c, const char *name, const struct cel_type *type)
{
    if (c->n_scope == SCOPE_MAX)
        return false;
    c->scope[c->n_scope].name = name;
    c->scope[c->n_scope].type = type ? type : plain(CEL_DYN);
    c->scope[c->n_scope].slot = c->p->n_variables + (unsigned)c->n_scope;
    if (++c->n_scope + c->p->n_variables > c->p->n_slots)
        c->p->n_slots = (unsigned)c->n_scope + c->p->n_variables;
    return true;
}

static bool fits_fold(const struct cel_node *n, const struct cel_type *range)
{
    if (is_any(range))
        return true;
    return n->fold == FOLD_OPTIONAL ? range->kind == CEL_OPTIONAL : range->kind == CEL_LIST || range->kind == CEL_MAP;
}

static bool declare_fold(struct checker *c, struct cel_node *n, const struct cel_type *range)
{
    bool list = range->kind == CEL_LIST, map = range->kind == CEL_MAP;
    const struct cel_type *key = map ? range->key : list && n->second ? plain(CEL_INT) : NULL;
    const struct cel_type *first = map || n->second ? key : item_of(range);
    n->slot = c->p->n_variables + (unsigned)c->n_scope;
    return declare(c, n->name, is_any(range) ? NULL : first) && (!n->second || declare(c, n->second, item_of(range)));
}

static const struct cel_type *fold_result(struct checker *c, struct cel_node *n, const struct cel_type *body)
{
    const struct cel_type *range = n->args[0]->type;
    struct cel_type *map;
    switch (n->fold) {
    case FOLD_FILTER:
        return range->kind == CEL_MAP ? composed(c, CEL_LIST, range->key) : composed(c, CEL_LIST, item_of(range));
    case FOLD_MAP:
    case FOLD_TRANSFORM_LIST:
        return composed(c, CEL_LIST, body);
    case FOLD_TRANSFORM_MAP:
        map = (struct cel_type *)composed(c, CEL_MAP, body);
        map->key = range->kind == CEL_MAP ? range->key : range->kind == CEL_LIST ? plain(CEL_INT) : NULL;
        return map;
    case FOLD_OPTIONAL:
        return n->optional ? body : composed(c, CEL_OPTIONAL, body);
    default:
        return plain(CEL_BOOL);
    }
}

static const struct cel_type *check_fold(struct checker *c, struct cel_node *n)
{
    char text[CEL_TYPE_TEXT_SIZE];
    const struct cel_type *range = check(c, n->args[0]), *filter = plain(CEL_BOOL), *body = NULL;
    size_t outside = c->n_scope;
    if (!range)
        return NULL;
    if (!fits_fold(n, range)) {
        cel_complain(c->p, n->args[0]->at, c->err,
                     "expression of type '%s' cannot be range of a comprehension (must be list, map, or dynamic)",
                     cel_type_text(range, text));
        return NULL;
    }
    if (!declare_fold(c, n, range)) {
        cel_complain(c->p, n->at, c->err, "too many variables of macros");
        return NULL;
    }
    if (n->args[1])
        filter = check(c, n->args[1]);
    if (filter)
        body = check(c, n->args[2]);
    c->n_scope = outside;
    if (!body)
        return NULL;
    const struct cel_type *condition = n->fold <= FOLD_FILTER ? body : filter;
    if (!cel_type_fits(plain(CEL_BOOL), condition)) {
        cel_complain(c->p, (n->fold <= FOLD_FILTER ? n->args[2] : n->args[1])->at, c->err,
                     "expected type 'bool' but found '%s'", cel_type_text(condition, text));
        return NULL;
    }
    return fold_result(c, n, body);
}

static const struct cel_type *check(struct checker *c, struct cel_node *n)
{
    static const struct cel_type *(*const checks[])(struct checker *, struct cel_node *) = {
        [OP_NAME] = check_name,       [OP_SELECT] = check_select, [OP_HAS] = check_select,
        [OP_INDEX] = check_index,     [OP_CALL] = check_call,     [OP_AND] = check_junction,
        [OP_OR] = check_junction,     [OP_CHOICE] = check_choice, [OP_LIST] = check_literal_list,
        [OP_MAP] = check_literal_map, [OP_FOLD] = check_fold,
    };
    n->type = n->op == OP_LITERAL ? plain(n->literal.kind) : checks[n->op](c, n);
    return n->type;
}

int cel_check(struct cel_program *p, const struct cel_variable *variables, struct err *err)
{
    struct checker c = {.p = p, .variables = variables, .err = err};
    while (variables[p->n_variables].name)
        p->n_variables++;
    p->n_slots = p->n_variables;
    p->mentioned = cel_alloc(&p->arena, p->n_variables, sizeof(bool));
    return check(&c, p->root) ? 0 : -1;
}
