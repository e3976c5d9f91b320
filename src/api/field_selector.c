/* Field selectors: `metadata.name=x,spec.nodeName!=y`, where a backslash escapes ',', '=' and itself. */
#include "api/selector.h"
#include "base/alloc.h"
#include "base/str.h"

/* Every kind has these two; the others are places in its field_labels. */
enum place { PLACE_NAME = -2, PLACE_NS = -1 };

struct term {
    int place;
    char *value;
    bool negated;
};

struct field_selector {
    struct term *terms;
    size_t n;
};

static bool find_place(const struct kind *k, const char *name, int *ret)
{
    if (streq(name, "metadata.name") || streq(name, "metadata.namespace")) {
        *ret = streq(name, "metadata.name") ? PLACE_NAME : PLACE_NS;
        return true;
    }
    const struct field_label *l = k->field_labels;
    while (l && l->label && !streq(l->label, name))
        l++;
    if (l)
        *ret = (int)(l - k->field_labels);
    return l && l->label;
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
    if (find_place(k, text, &t->place))
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

bool field_selector_matches(const struct field_selector *s, const struct object *o)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct term *t = &s->terms[i];
        const char *text = t->place == PLACE_NAME ? o->name
                           : t->place == PLACE_NS ? o->ns
                                                  : object_field(o, (size_t)t->place);
        if (streq(text, t->value) == t->negated)
            return false;
    }
    return true;
}
