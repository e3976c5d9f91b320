/* See jsonpath.h. The text itself is walked, step by step, depth first; nothing is compiled. */
#include "json/jsonpath.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "json/json.h"

#define NAME_MAX_BYTES 254

enum step_type { STEP_END, STEP_NAME, STEP_INDEX, STEP_ALL, STEP_SLICE, STEP_FILTER, STEP_WRONG };

struct step {
    enum step_type type;
    char name[NAME_MAX_BYTES + 1];
    long from, to;                   /* INDEX and SLICE */
    const char *filter, *op, *value; /* of the filter: where "@…", the operator and the literal begin */
    size_t filter_len, op_len, value_len;
};

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " ");
}

/* --- reading a step --- */

/* A bare name: up to the next '.', '[' or '}'; a backslash takes the next byte as it is. */
static const char *read_name(const char *s, struct step *ret)
{
    size_t n = 0;
    for (; *s && !strchr(".[}", *s); s++) {
        if (*s == '\\' && s[1])
            s++;
        if (n == NAME_MAX_BYTES)
            return NULL;
        ret->name[n++] = *s;
    }
    ret->name[n] = '\0';
    ret->type = n == 1 && *ret->name == '*' ? STEP_ALL : STEP_NAME;
    return n ? s : NULL;
}

static const char *read_quoted(const char *s, struct step *ret)
{
    char quote = *s++;
    size_t n = 0;
    for (; *s && *s != quote; s++) {
        if (*s == '\\' && s[1])
            s++;
        if (n == NAME_MAX_BYTES)
            return NULL;
        ret->name[n++] = *s;
    }
    ret->name[n] = '\0';
    ret->type = STEP_NAME;
    return *s ? s + 1 : NULL;
}

/* A number of the list's items, possibly from the end. NULL when there is none. */
static const char *read_number(const char *s, long *ret)
{
    char text[12];
    int64_t n;
    size_t len = strspn(s, "-0123456789");
    if (len >= sizeof(text))
        return NULL;
    memcpy(text, s, len);
    text[len] = '\0';
    if (!str_to_i64(text, INT32_MIN, INT32_MAX, &n))
        return NULL;
    *ret = n;
    return s + len;
}

static const char *read_numbers(const char *s, struct step *ret)
{
    ret->type = STEP_INDEX;
    if (*s != ':')
        s = read_number(s, &ret->from);
    if (!s || *s != ':')
        return s;
    ret->type = STEP_SLICE;
    ret->to = LONG_MAX;
    return s[1] == ']' ? s + 1 : read_number(s + 1, &ret->to);
}

/* "?(@.a.b=="x")", or without an operator: the member is there. */
static const char *read_filter(const char *s, struct step *ret)
{
    static const char *const operators[] = {"==", "!=", "<=", ">=", "<", ">"};
    s = skip_blanks(s + 2);
    if (*s != '@')
        return NULL;
    ret->type = STEP_FILTER;
    ret->filter = s + 1;
    ret->filter_len = strcspn(s + 1, "=!<>)");
    s += 1 + ret->filter_len;
    while (ret->filter_len && ret->filter[ret->filter_len - 1] == ' ')
        ret->filter_len--;
    if (*s == ')')
        return s + 1;
    for (size_t i = 0; i < ARRAY_LEN(operators) && !ret->op; i++)
        if (str_after(s, operators[i])) {
            ret->op = operators[i];
            ret->op_len = strlen(operators[i]);
        }
    if (!ret->op)
        return NULL;
    s = skip_blanks(s + ret->op_len);
    ret->value = s;
    if (*s == '"' || *s == '\'') {
        const char *close = strchr(s + 1, *s);
        ret->value_len = close ? (size_t)(close + 1 - s) : 0;
    } else {
        ret->value_len = strcspn(s, " )");
    }
    s = skip_blanks(s + ret->value_len);
    return ret->value_len && *s == ')' ? s + 1 : NULL;
}

static const char *read_brackets(const char *s, struct step *ret)
{
    s = skip_blanks(s + 1);
    if (*s == '\'' || *s == '"')
        s = read_quoted(s, ret);
    else if (*s == '*')
        ret->type = STEP_ALL, s++;
    else if (s[0] == '?' && s[1] == '(')
        s = read_filter(s, ret);
    else
        s = read_numbers(s, ret);
    s = s ? skip_blanks(s) : NULL;
    return s && *s == ']' ? s + 1 : NULL;
}

/* Returns where the next step begins. */
static const char *read_step(const char *s, struct step *ret)
{
    *ret = (struct step){.type = STEP_END};
    if (!*s || streq(s, "}"))
        return s;
    const char *next = *s == '[' ? read_brackets(s, ret) : *s == '.' ? read_name(s + 1, ret) : NULL;
    if (!next)
        ret->type = STEP_WRONG;
    return next;
}

/* "{.a}", ".a" and "$.a" mean the same. */
static const char *first_step(const char *path)
{
    path += *path == '{';
    path += *path == '$';
    return path;
}

static enum step_type scan(const char *path, bool simple)
{
    struct step step;
    const char *s = first_step(path);
    if (!*s)
        return STEP_WRONG;
    do {
        s = read_step(s, &step);
        if (step.type > STEP_INDEX && simple)
            return STEP_WRONG;
    } while (s && step.type != STEP_END);
    return s ? STEP_END : STEP_WRONG;
}

bool jsonpath_valid(const char *path)
{
    return scan(path, false) == STEP_END;
}

bool jsonpath_is_simple(const char *path)
{
    return scan(path, true) == STEP_END;
}

/* --- walking --- */

static json_t *walk(const json_t *v, const char *s);

static int compare(const json_t *v, const char *literal, size_t len, bool *ret_fits)
{
    char text[NAME_MAX_BYTES + 1];
    bool quoted = *literal == '"' || *literal == '\'';
    snprintf(text, sizeof(text), "%.*s", (int)(quoted ? len - 2 : len), literal + quoted);
    *ret_fits = true;
    if (quoted && json_is_string(v))
        return strcmp(json_string_value(v), text);
    if (!quoted && json_is_boolean(v))
        return !streq(text, json_is_true(v) ? "true" : "false");
    if (!quoted && json_is_number(v)) {
        double a = json_number_value(v), b = strtod(text, NULL);
        return (a > b) - (a < b);
    }
    *ret_fits = false;
    return 1;
}

static bool passes(const json_t *item, const struct step *step)
{
    char path[NAME_MAX_BYTES + 1];
    bool fits;
    if (step->filter_len > NAME_MAX_BYTES)
        return false;
    memcpy(path, step->filter, step->filter_len);
    path[step->filter_len] = '\0';
    const json_t *v = walk(item, path);
    if (!step->op)
        return v != NULL;
    if (!v)
        return false;
    int c = compare(v, step->value, step->value_len, &fits);
    if (!fits)
        return streq(step->op, "!=");
    switch (step->op[0]) {
    case '=':
        return c == 0;
    case '!':
        return c != 0;
    case '<':
        return step->op_len == 2 ? c <= 0 : c < 0;
    default:
        return step->op_len == 2 ? c >= 0 : c > 0;
    }
}

/* The first of the items between the bounds that leads on. */
static json_t *walk_items(const json_t *list, long from, long to, const struct step *step, const char *rest)
{
    long n = (long)json_array_size(list);
    from = from < 0 ? from + n : from;
    to = to < 0 ? to + n : to;
    for (long i = from < 0 ? 0 : from; i < n && i < to; i++) {
        json_t *item = json_array_get(list, (size_t)i);
        json_t *found = step->type == STEP_FILTER && !passes(item, step) ? NULL : walk(item, rest);
        if (found)
            return found;
    }
    return NULL;
}

static json_t *walk_members(const json_t *o, const char *rest)
{
    const char *name;
    json_t *v, *found;
    json_object_foreach((json_t *)o, name, v)
        if ((found = walk(v, rest)))
            return found;
    return NULL;
}

static json_t *walk(const json_t *v, const char *s)
{
    struct step step;
    const char *rest = read_step(s, &step);
    long n = (long)json_array_size(v);
    switch (step.type) {
    case STEP_END:
        return (json_t *)v;
    case STEP_NAME:
        v = json_object_get(v, step.name);
        return v ? walk(v, rest) : NULL;
    case STEP_INDEX:
        step.from += step.from < 0 ? n : 0;
        v = step.from < 0 ? NULL : json_array_get(v, (size_t)step.from);
        return v ? walk(v, rest) : NULL;
    case STEP_ALL:
        return json_is_object(v) ? walk_members(v, rest) : walk_items(v, 0, n, &step, rest);
    case STEP_SLICE:
        return walk_items(v, step.from, step.to, &step, rest);
    case STEP_FILTER:
        return walk_items(v, 0, n, &step, rest);
    default:
        return NULL;
    }
}

json_t *jsonpath_first(const json_t *doc, const char *path)
{
    return walk(doc, first_step(path));
}
