/* Regular expressions: matches() of the standard, find() and findAll() of Kubernetes. */
#include <string.h>

#include "base/pattern.h"
#include "cel/functions.h"

/* As upstream counts: the text by the pattern, both divided by what makes a step of them. */
static bool charge_match(struct cel_run *run, const struct cel_value *a)
{
    int64_t text = 1 + (int64_t)a[0].text.len / 10, pattern = 1 + (int64_t)a[1].text.len / 4;
    return text < CEL_CALL_COST_MAX && pattern < CEL_CALL_COST_MAX && cel_charge(run, text * pattern);
}

/* NULL with the error set. */
static const char *pattern_of(struct cel_run *run, struct cel_value v, struct cel_value *error)
{
    char why[PATTERN_WHY_SIZE];
    const char *pattern = cel_c_text(run, v);
    if (pattern_valid(pattern, why))
        return pattern;
    *error = cel_errorf(&run->arena, "error parsing regexp: %s", why);
    return NULL;
}

static struct cel_value matches(struct cel_run *run, const struct cel_value *a)
{
    struct cel_value error;
    if (!charge_match(run, a))
        return cel_exhausted();
    const char *pattern = pattern_of(run, a[1], &error);
    return pattern ? cel_bool(pattern_found(pattern, a[0].text.s, a[0].text.len)) : error;
}

static struct cel_value find(struct cel_run *run, const struct cel_value *a)
{
    struct cel_value error;
    size_t from, to;
    if (!charge_match(run, a))
        return cel_exhausted();
    const char *pattern = pattern_of(run, a[1], &error);
    if (!pattern)
        return error;
    if (!pattern_find(pattern, a[0].text.s, a[0].text.len, 0, &from, &to))
        return cel_string("");
    return cel_text(CEL_STRING, a[0].text.s + from, to - from);
}

/* The next match behind *at, which moves on; false: there is none. */
static bool next_match(struct cel_value text, const char *pattern, size_t *at, struct cel_value *ret)
{
    size_t from, to, len = text.text.len;
    if (*at > len || !pattern_find(pattern, text.text.s, len, *at, &from, &to))
        return false;
    *ret = cel_text(CEL_STRING, text.text.s + from, to - from);
    *at = to > from ? to : to + 1;
    while (*at < len && ((unsigned char)text.text.s[*at] & 0xC0) == 0x80)
        ++*at;
    return true;
}

static struct cel_value find_some(struct cel_run *run, const struct cel_value *a, int64_t limit)
{
    struct cel_value error, match;
    size_t at = 0, cap = 0;
    struct cel_list *found = cel_list_new(&run->arena, 0);
    if (!charge_match(run, a))
        return cel_exhausted();
    const char *pattern = pattern_of(run, a[1], &error);
    if (!pattern)
        return error;
    while (limit-- != 0 && next_match(a[0], pattern, &at, &match)) {
        if (!charge_match(run, a)) /* each search may go through all of it */
            return cel_exhausted();
        if (found->n == cap) {
            struct cel_list *more = cel_list_new(&run->arena, cap = 2 * cap + 4);
            more->n = found->n;
            memcpy(more->items, found->items, found->n * sizeof(match));
            found = more;
        }
        found->items[found->n++] = match;
    }
    return cel_list(found);
}

static struct cel_value find_all(struct cel_run *run, const struct cel_value *a)
{
    return find_some(run, a, -1);
}

static struct cel_value find_limited(struct cel_run *run, const struct cel_value *a)
{
    return find_some(run, a, a[2].integer);
}

const struct cel_function cel_regex_functions[] = {
    {"matches", "ss:b", matches},   {".matches", "ss:b", matches},       {".find", "ss:s", find},
    {".findAll", "ss:S", find_all}, {".findAll", "ssi:S", find_limited}, {0},
};
