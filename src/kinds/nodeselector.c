/* See nodeselector.h. */
#include "kinds/nodeselector.h"

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

static bool is_among(const json_t *values, const char *value)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if (streq(str_or(json_string_value(json_array_get(values, i)), ""), value))
            return true;
    return false;
}

static bool compares(const json_t *values, const char *value, bool greater)
{
    int64_t a, b;
    const char *limit = json_string_value(json_array_get(values, 0));
    if (!value || !limit || !str_to_i64(value, INT64_MIN, INT64_MAX, &a) ||
        !str_to_i64(limit, INT64_MIN, INT64_MAX, &b))
        return false;
    return greater ? a > b : a < b;
}

/* value NULL: the node has no such label. */
static bool requirement_matches(const json_t *r, const char *value)
{
    const char *op = jstr_or(r, "operator", "");
    const json_t *values = json_object_get(r, "values");
    if (streq(op, "In"))
        return value && is_among(values, value);
    if (streq(op, "NotIn"))
        return !value || !is_among(values, value);
    if (streq(op, "Exists"))
        return value;
    if (streq(op, "DoesNotExist"))
        return !value;
    if (streq(op, "Gt") || streq(op, "Lt"))
        return compares(values, value, streq(op, "Gt"));
    return false;
}

bool node_term_matches(const json_t *term, const char *node, const json_t *labels)
{
    const json_t *expressions = jget(term, "matchExpressions"), *fields = jget(term, "matchFields");
    if (!json_array_size(expressions) && !json_array_size(fields))
        return false;
    for (size_t i = 0; i < json_array_size(expressions); i++) {
        const json_t *r = json_array_get(expressions, i);
        if (!requirement_matches(r, json_string_value(json_object_get(labels, jstr_or(r, "key", "")))))
            return false;
    }
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const json_t *r = json_array_get(fields, i);
        if (!streq(jstr_or(r, "key", ""), "metadata.name") || !requirement_matches(r, node))
            return false;
    }
    return true;
}

static bool has_labels(const json_t *labels, const json_t *selector)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)selector, key, value)
        if (!json_equal(value, json_object_get(labels, key)))
            return false;
    return true;
}

bool node_is_selected(const json_t *pod_spec, const char *node, const json_t *labels)
{
    if (!has_labels(labels, jget(pod_spec, "nodeSelector")))
        return false;
    const json_t *required = jget(pod_spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    if (!required)
        return true;
    const json_t *terms = jget(required, "nodeSelectorTerms");
    for (size_t i = 0; i < json_array_size(terms); i++)
        if (node_term_matches(json_array_get(terms, i), node, labels))
            return true;
    return false;
}
