/* See labels.h. */
#include "kinds/labels.h"

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
    json_object_foreach((json_t *)selector, key, want)
    {
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
    json_array_foreach(values, i, value)
    {
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
    json_array_foreach(jget(selector, "matchExpressions"), i, requirement)
    {
        if (!requirement_matches(requirement, labels))
            return false;
    }
    return true;
}
