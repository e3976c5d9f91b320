/* Regular expressions: matches() of the standard, find() and findAll() of Kubernetes. */
#include <string.h>

#include "base/pattern.h"
#include "cel/functions.h"

#define PATTERN_COST 20   /* compiling one that is not remembered, setting a match up */
#define STEPS_PER_COST 20 /* our matcher may backtrack where upstream's cannot: what is paid for is the limit */
#define STEPS_ALWAYS 1000

/* As upstream counts: the text by the pattern, both divided by what makes a step of them. 0: more than there is. */
static int64_t charge_match(struct cel_run *run, const struct cel_value *a)
{
    int64_t text = 1 + (int64_t)a[0].text.len / 10, pattern = 1 + (int64_t)a[1].text.len / 4;
    if (text >= CEL_CALL_COST_MAX || pattern >= CEL_CALL_COST_MAX)
        return cel_charge(run, CEL_CALL_COST_MAX + 1), 0;
    return cel_charge(run, PATTERN_COST + text * pattern) ? PATTERN_COST + text * pattern : 0;
}

/* One search, from byte `from` on: *ret is what was found (true), or an error unless it is null. */
static bool search(struct cel_run *run, const struct cel_value *a, const char *pattern, size_t from, size_t *ret_end,
                   struct cel_value *ret)
{
    size_t start;
    int64_t cost = charge_match(run, a);
    *ret = cost ? cel_null() : cel_exhausted();
    if (!cost)
        return false;
    int found = pattern_find(pattern, a[0].text.s, a[0].text.len, from,
                             STEPS_ALWAYS + (uint32_t)(STEPS_PER_COST * cost), &start, ret_end);
    if (found > 0)
        *ret = cel_text(CEL_STRING, a[0].text.s + start, *ret_end - start);
    else if (found < 0)
        *ret = cel_error("regular expression takes too many steps");
    return found > 0;
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
    struct cel_value found;
    size_t end;
    const char *pattern = pattern_of(run, a[1], &found);
    if (!pattern)
        return found;
    bool there = search(run, a, pattern, 0, &end, &found);
    return found.kind == CEL_ERROR ? found : cel_bool(there);
}

static struct cel_value find(struct cel_run *run, const struct cel_value *a)
{
    struct cel_value found;
    size_t end;
    const char *pattern = pattern_of(run, a[1], &found);
    if (!pattern || search(run, a, pattern, 0, &end, &found) || found.kind == CEL_ERROR)
        return found;
    return cel_string("");
}

/* Where to go on behind a match: never at the same place. */
static size_t behind(struct cel_value text, struct cel_value match, size_t end)
{
    end += match.text.len == 0;
    while (end < text.text.len && ((unsigned char)text.text.s[end] & 0xC0) == 0x80)
        end++;
    return end;
}

static struct cel_value find_some(struct cel_run *run, const struct cel_value *a, int64_t limit)
{
    struct cel_value match = cel_null();
    size_t at = 0, end, cap = 0;
    struct cel_list *found = cel_list_new(&run->arena, 0);
    const char *pattern = pattern_of(run, a[1], &match);
    while (pattern && limit-- != 0 && at <= a[0].text.len && search(run, a, pattern, at, &end, &match)) {
        if (found->n == cap) {
            struct cel_list *more = cel_list_new(&run->arena, cap = 2 * cap + 4);
            more->n = found->n;
            memcpy(more->items, found->items, found->n * sizeof(match));
            found = more;
        }
        found->items[found->n++] = match;
        at = behind(a[0], match, end);
    }
    return match.kind == CEL_ERROR ? match : cel_list(found);
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
