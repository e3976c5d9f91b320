/* Label selectors as text: apimachinery's grammar and error texts (labels.Parse).
 *     selector    = [ requirement { "," requirement } ]
 *     requirement = [ "!" ] key | key ( "=" | "==" | "!=" | "<" | ">" ) value | key ( "in" | "notin" ) "(" values ")"
 */
#include "api/selector.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"

enum token {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_NOT,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA,
    TOKEN_EQ,
    TOKEN_EQ_EQ,
    TOKEN_NE,
    TOKEN_GT,
    TOKEN_LT,
};

enum op { OP_EXISTS, OP_NOT_EXISTS, OP_IN, OP_NOT_IN, OP_GT, OP_LT };

struct requirement {
    char *key;
    enum op op;
    char **values;
    size_t n_values;
    int64_t number; /* OP_GT, OP_LT */
};

struct selector {
    struct requirement *reqs;
    size_t n;
};

struct parser {
    const char *at;
    enum token token; /* the next one, not consumed */
    char *text;       /* of it */
    struct err *err;
};

/* Longest first. */
static const struct {
    const char *text;
    enum token token;
} symbols[] = {{"==", TOKEN_EQ_EQ}, {"!=", TOKEN_NE},   {"=", TOKEN_EQ}, {"!", TOKEN_NOT}, {"(", TOKEN_OPEN},
               {")", TOKEN_CLOSE},  {",", TOKEN_COMMA}, {">", TOKEN_GT}, {"<", TOKEN_LT}};

static bool is_symbol(char c)
{
    return c && strchr("=!(),><", c);
}

static bool is_blank(char c)
{
    return c && strchr(" \t\r\n", c);
}

/* The length of the token at p->at, whose kind goes into p->token. */
static size_t measure(struct parser *p)
{
    p->token = TOKEN_END;
    if (!*p->at)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++)
        if (str_after(p->at, symbols[i].text)) {
            p->token = symbols[i].token;
            return strlen(symbols[i].text);
        }
    p->token = TOKEN_WORD;
    size_t len = 0;
    while (p->at[len] && !is_symbol(p->at[len]) && !is_blank(p->at[len]))
        len++;
    return len;
}

static void advance(struct parser *p)
{
    while (is_blank(*p->at))
        p->at++;
    size_t len = measure(p);
    free(p->text);
    p->text = xstrndup(p->at, len);
    p->at += len;
}

static int unexpected(struct parser *p, const char *expected)
{
    return err_set(p->err, 0, "found '%s', expected: %s", p->text, expected);
}

static void add_value(struct requirement *r, const char *value)
{
    for (size_t i = 0; i < r->n_values; i++)
        if (streq(r->values[i], value))
            return;
    r->values = xrealloc(r->values, (r->n_values + 1) * sizeof(*r->values));
    r->values[r->n_values++] = xstrdup(value);
}

/* Behind the "(": words between commas, an empty one where a word is missing. "()" is the caller's error. */
static int parse_values(struct parser *p, struct requirement *r)
{
    if (p->token != TOKEN_OPEN)
        return err_set(p->err, 0, "found '%s' expected: '('", p->text);
    advance(p);
    bool want_word = false;
    while (p->token != TOKEN_CLOSE) {
        if (p->token == TOKEN_WORD) {
            add_value(r, p->text);
            advance(p);
            if (p->token != TOKEN_COMMA && p->token != TOKEN_CLOSE)
                return unexpected(p, "',' or ')'");
            want_word = false;
        } else if (p->token == TOKEN_COMMA) {
            if (want_word || r->n_values == 0)
                add_value(r, "");
            want_word = true;
            advance(p);
        } else {
            return unexpected(p, r->n_values ? "',', or identifier" : "',', ')' or identifier");
        }
    }
    if (want_word)
        add_value(r, "");
    advance(p);
    return 0;
}

static int parse_exact_value(struct parser *p, struct requirement *r)
{
    if (p->token == TOKEN_END || p->token == TOKEN_COMMA) {
        add_value(r, "");
        return 0;
    }
    if (p->token != TOKEN_WORD)
        return unexpected(p, "identifier");
    add_value(r, p->text);
    advance(p);
    return 0;
}

static int parse_operator_and_values(struct parser *p, struct requirement *r)
{
    enum token t = p->token;
    bool is_set = t == TOKEN_WORD && (streq(p->text, "in") || streq(p->text, "notin"));
    if (!is_set && t != TOKEN_EQ && t != TOKEN_EQ_EQ && t != TOKEN_NE && t != TOKEN_GT && t != TOKEN_LT)
        return unexpected(p, "in, notin, =, ==, !=, gt, lt");
    if (is_set)
        r->op = streq(p->text, "in") ? OP_IN : OP_NOT_IN;
    else
        r->op = t == TOKEN_NE ? OP_NOT_IN : t == TOKEN_GT ? OP_GT : t == TOKEN_LT ? OP_LT : OP_IN;
    advance(p);
    return is_set ? parse_values(p, r) : parse_exact_value(p, r);
}

static int check_values(struct parser *p, struct requirement *r)
{
    char scratch[CHECK_SCRATCH_SIZE];
    if ((r->op == OP_IN || r->op == OP_NOT_IN) && r->n_values == 0)
        return err_set(p->err, 0, "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty");
    if ((r->op == OP_GT || r->op == OP_LT) && !str_to_i64(r->values[0], INT64_MIN, INT64_MAX, &r->number))
        return err_set(p->err, 0,
                       "values[0]: Invalid value: \"%s\": for 'Gt', 'Lt' operators, the value must be an integer",
                       r->values[0]);
    for (size_t i = 0; i < r->n_values; i++) {
        const char *wrong = check_label_value(r->values[i], scratch);
        if (wrong)
            return err_set(p->err, 0, "values[%zu][%s]: Invalid value: \"%s\": %s", i, r->key, r->values[i], wrong);
    }
    return 0;
}

static int parse_requirement(struct parser *p, struct requirement *r)
{
    char scratch[CHECK_SCRATCH_SIZE];
    bool negated = p->token == TOKEN_NOT;
    if (negated)
        advance(p);
    if (p->token != TOKEN_WORD)
        return unexpected(p, "identifier");
    const char *wrong = check_qualified_name(p->text, scratch);
    if (wrong)
        return err_set(p->err, 0, "<nil>: Invalid value: \"%s\": %s", p->text, wrong);
    r->key = xstrdup(p->text);
    r->op = negated ? OP_NOT_EXISTS : OP_EXISTS;
    advance(p);
    if (negated || p->token == TOKEN_END || p->token == TOKEN_COMMA)
        return 0;
    if (parse_operator_and_values(p, r) < 0)
        return -1;
    return check_values(p, r);
}

static int parse_all(struct parser *p, struct selector *s)
{
    while (p->token != TOKEN_END) {
        if (p->token != TOKEN_WORD && p->token != TOKEN_NOT)
            return unexpected(p, s->n ? "identifier after ','" : "!, identifier, or 'end of string'");
        s->reqs = xrealloc(s->reqs, (s->n + 1) * sizeof(*s->reqs));
        s->reqs[s->n] = (struct requirement){0};
        if (parse_requirement(p, &s->reqs[s->n++]) < 0)
            return err_wrap(p->err, "unable to parse requirement");
        if (p->token == TOKEN_END)
            return 0;
        if (p->token != TOKEN_COMMA)
            return unexpected(p, "',' or 'end of string'");
        advance(p);
        if (p->token == TOKEN_END)
            return unexpected(p, "identifier after ','");
    }
    return 0;
}

struct selector *selector_parse(const char *text, struct err *err)
{
    struct selector *s = NEW(struct selector);
    struct parser p = {.at = text, .err = err};
    advance(&p);
    int r = parse_all(&p, s);
    free(p.text);
    if (r == 0)
        return s;
    selector_free(s);
    return NULL;
}

void selector_free(struct selector *s)
{
    for (size_t i = 0; s && i < s->n; i++) {
        for (size_t v = 0; v < s->reqs[i].n_values; v++)
            free(s->reqs[i].values[v]);
        free(s->reqs[i].values);
        free(s->reqs[i].key);
    }
    if (s)
        free(s->reqs);
    free(s);
}

static bool has_value(const struct requirement *r, const char *value)
{
    for (size_t i = 0; i < r->n_values; i++)
        if (streq(r->values[i], value))
            return true;
    return false;
}

static bool requirement_matches(const struct requirement *r, const char *value)
{
    int64_t n;
    switch (r->op) {
    case OP_EXISTS:
        return value != NULL;
    case OP_NOT_EXISTS:
        return value == NULL;
    case OP_IN:
        return value && has_value(r, value);
    case OP_NOT_IN:
        return !value || !has_value(r, value);
    case OP_GT:
        return value && str_to_i64(value, INT64_MIN, INT64_MAX, &n) && n > r->number;
    case OP_LT:
        return value && str_to_i64(value, INT64_MIN, INT64_MAX, &n) && n < r->number;
    }
    return false;
}

bool selector_matches(const struct selector *s, const struct object *o)
{
    for (size_t i = 0; i < s->n; i++)
        if (!requirement_matches(&s->reqs[i], object_label(o, s->reqs[i].key)))
            return false;
    return true;
}
