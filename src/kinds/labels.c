/* See labels.h. */
#include "kinds/labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"

static bool pair_matches(const json_t *labels, const char *key, const json_t *want)
{
    const char *have = json_string_value(json_object_get(labels, key));
    return have && json_is_string(want) && streq(have, json_string_value(want));
}

static bool pairs_match(const json_t *selector, const json_t *labels)
{
    const char *key;
    json_t *want;
    json_object_foreach((json_t *)selector, key, want) {
        if (!pair_matches(labels, key, want))
            return false;
    }
    return true;
}

bool map_selector_matches(const json_t *selector, const json_t *labels)
{
    return json_object_size(selector) > 0 && pairs_match(selector, labels);
}

static bool among(const json_t *values, const char *have)
{
    size_t i;
    json_t *value;
    json_array_foreach(values, i, value) {
        if (json_is_string(value) && streq(json_string_value(value), have))
            return true;
    }
    return false;
}

static bool requirement_matches(const json_t *requirement, const json_t *labels)
{
    const char *key = jstr(requirement, "key"), *op = jstr_or(requirement, "operator", "");
    const char *have = key ? json_string_value(json_object_get(labels, key)) : NULL;
    const json_t *values = jget(requirement, "values");
    if (!key)
        return false;
    if (streq(op, "In"))
        return have && among(values, have);
    if (streq(op, "NotIn"))
        return !have || !among(values, have);
    if (streq(op, "Exists"))
        return have;
    return streq(op, "DoesNotExist") && !have;
}

bool label_selector_matches(const json_t *selector, const json_t *labels)
{
    if (!json_is_object(selector) || !pairs_match(jget(selector, "matchLabels"), labels))
        return false;
    size_t i;
    json_t *requirement;
    json_array_foreach(jget(selector, "matchExpressions"), i, requirement) {
        if (!requirement_matches(requirement, labels))
            return false;
    }
    return true;
}

/* --- as text --- */

struct term {
    const char *key;
    char *text;
};

struct terms {
    struct term *items;
    size_t n;
};

static void add_term(struct terms *t, const char *key, char *text_new)
{
    t->items = xrealloc(t->items, (t->n + 1) * sizeof(*t->items));
    t->items[t->n++] = (struct term){key, text_new};
}

static void add_pairs(struct terms *t, const json_t *pairs)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)pairs, key, value)
        add_term(t, key, xasprintf("%s=%s", key, str_or(json_string_value(value), "")));
}

static int compare_values(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "a,b,c", sorted; the caller frees. */
static char *sorted_values(const json_t *values)
{
    size_t n = json_array_size(values), i;
    _cleanup_free_ const char **sorted = xcalloc(n + 1, sizeof(*sorted));
    struct buf text = BUF_INIT(0);
    for (i = 0; i < n; i++)
        sorted[i] = str_or(json_string_value(json_array_get(values, i)), "");
    qsort(sorted, n, sizeof(*sorted), compare_values);
    for (i = 0; i < n; i++)
        buf_addf(&text, "%s%s", i > 0 ? "," : "", sorted[i]);
    return buf_take(&text) ?: xstrdup("");
}

static void add_requirement(struct terms *t, const json_t *requirement)
{
    const char *key = jstr_or(requirement, "key", ""), *op = jstr_or(requirement, "operator", "");
    _cleanup_free_ char *values = sorted_values(jget(requirement, "values"));
    if (streq(op, "In"))
        add_term(t, key, xasprintf("%s in (%s)", key, values));
    else if (streq(op, "NotIn"))
        add_term(t, key, xasprintf("%s notin (%s)", key, values));
    else if (streq(op, "Exists"))
        add_term(t, key, xstrdup(key));
    else
        add_term(t, key, xasprintf("!%s", key));
}

static int compare_terms(const void *a, const void *b)
{
    return strcmp(((const struct term *)a)->key, ((const struct term *)b)->key);
}

/* Takes the terms apart. */
static char *join(struct terms *t)
{
    struct buf text = BUF_INIT(0);
    if (t->n > 0)
        qsort(t->items, t->n, sizeof(*t->items), compare_terms);
    for (size_t i = 0; i < t->n; i++) {
        buf_addf(&text, "%s%s", i > 0 ? "," : "", t->items[i].text);
        free(t->items[i].text);
    }
    free(t->items);
    return buf_take(&text) ?: xstrdup("");
}

char *map_selector_text(const json_t *selector)
{
    struct terms t = {0};
    add_pairs(&t, selector);
    return join(&t);
}

char *label_selector_text(const json_t *selector)
{
    struct terms t = {0};
    size_t i;
    json_t *requirement;
    add_pairs(&t, jget(selector, "matchLabels"));
    json_array_foreach(jget(selector, "matchExpressions"), i, requirement)
        add_requirement(&t, requirement);
    return join(&t);
}
