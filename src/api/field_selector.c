/* Field selectors: `metadata.name=x,spec.nodeName!=y`, where a backslash escapes ',', '=' and itself. */
#include <stdio.h>

#include "api/selector.h"
#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

struct term {
    const struct field_label *label;
    char *value;
    bool negated;
};

struct field_selector {
    struct term *terms;
    size_t n;
};

/* Every kind has these two. */
static const struct field_label common_labels[] = {{"metadata.name", "metadata.name", ""},
                                                   {"metadata.namespace", "metadata.namespace", ""}};

static const struct field_label *find_label(const struct kind *k, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(common_labels); i++)
        if (streq(common_labels[i].label, name))
            return &common_labels[i];
    for (const struct field_label *l = k->field_labels; l && l->label; l++)
        if (streq(l->label, name))
            return l;
    return NULL;
}

/* The length up to the first unescaped `stop`. */
static size_t escaped_span(const char *s, char stop)
{
    size_t n = 0;
    while (s[n] && s[n] != stop)
        n += s[n] == '\\' && s[n + 1] ? 2 : 1;
    return n;
}

/* In place. */
static int unescape(char *s, struct err *err)
{
    char *to = s;
    for (const char *p = s; *p; p++) {
        if (*p == '=')
            return err_set(err, 0, "invalid field selector: unescaped character in value: %c", *p);
        if (*p == '\\' && !strchr(",=\\", *++p))
            return err_set(err, 0, "invalid field selector: invalid escape sequence: \\%c", *p);
        if (!*p)
            return err_set(err, 0, "invalid field selector: invalid escape sequence: \\");
        *to++ = *p;
    }
    *to = '\0';
    return 0;
}

static int parse_term(const struct kind *k, const char *selector, char *text, struct term *t, struct err *err)
{
    char *op = text + strcspn(text, "=!");
    size_t op_len = str_after(op, "!=") || str_after(op, "==") ? 2 : *op == '=' ? 1 : 0;
    if (!op_len)
        return err_set(err, 0, "invalid selector: '%s'; can't understand '%s'", selector, text);
    t->negated = *op == '!';
    t->value = xstrdup(op + op_len);
    *op = '\0';
    if (unescape(t->value, err) < 0)
        return -1;
    t->label = find_label(k, text);
    if (t->label)
        return 0;
    if (k->field_labels)
        return err_set(err, 0, "field label not supported: %s", text);
    return err_set(err, 0, "\"%s\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
                   text);
}

static int parse_terms(const struct kind *k, const char *text, struct field_selector *s, struct err *err)
{
    for (const char *p = text; *p;) {
        size_t n = escaped_span(p, ',');
        if (n) {
            _cleanup_free_ char *one = xstrndup(p, n);
            s->terms = xrealloc(s->terms, (s->n + 1) * sizeof(*s->terms));
            s->terms[s->n] = (struct term){0};
            if (parse_term(k, text, one, &s->terms[s->n++], err) < 0)
                return -1;
        }
        p += n + (p[n] == ',');
    }
    return 0;
}

struct field_selector *field_selector_parse(const struct kind *k, const char *text, struct err *err)
{
    struct field_selector *s = NEW(struct field_selector);
    if (parse_terms(k, text, s, err) == 0)
        return s;
    field_selector_free(s);
    return NULL;
}

void field_selector_free(struct field_selector *s)
{
    for (size_t i = 0; s && i < s->n; i++)
        free(s->terms[i].value);
    if (s)
        free(s->terms);
    free(s);
}

static bool term_matches(const struct term *t, const json_t *obj)
{
    const json_t *v = jget(obj, t->label->path);
    char number[32];
    const char *text = str_or(t->label->otherwise, "");
    if (json_is_string(v)) {
        text = json_string_value(v);
    } else if (json_is_boolean(v)) {
        text = json_is_true(v) ? "true" : "false";
    } else if (json_is_integer(v)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
        text = number;
    }
    return streq(text, t->value) != t->negated;
}

bool field_selector_matches(const struct field_selector *s, const json_t *obj)
{
    for (size_t i = 0; i < s->n; i++)
        if (!term_matches(&s->terms[i], obj))
            return false;
    return true;
}
