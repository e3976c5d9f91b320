/* See affinity.h. */
#include "sched/affinity.h"

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

/* All requirements of a term; a term without any matches nothing. */
static bool term_matches(const json_t *term, const struct sched_node *n)
{
    const json_t *expressions = jget(term, "matchExpressions"), *fields = jget(term, "matchFields");
    if (!json_array_size(expressions) && !json_array_size(fields))
        return false;
    for (size_t i = 0; i < json_array_size(expressions); i++) {
        const json_t *r = json_array_get(expressions, i);
        if (!requirement_matches(r, json_string_value(json_object_get(n->labels, jstr_or(r, "key", "")))))
            return false;
    }
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const json_t *r = json_array_get(fields, i);
        if (!streq(jstr_or(r, "key", ""), "metadata.name") || !requirement_matches(r, n->name))
            return false;
    }
    return true;
}

static bool selector_matches_node(const json_t *selector, const struct sched_node *n)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)selector, key, value)
        if (!json_equal(value, json_object_get(n->labels, key)))
            return false;
    return true;
}

bool node_is_required(const struct sched_pod *p, const struct sched_node *n)
{
    if (!selector_matches_node(json_object_get(p->spec, "nodeSelector"), n))
        return false;
    const json_t *required = jget(p->spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    if (!required)
        return true;
    const json_t *terms = jget(required, "nodeSelectorTerms");
    for (size_t i = 0; i < json_array_size(terms); i++)
        if (term_matches(json_array_get(terms, i), n))
            return true;
    return false;
}

int64_t node_preference(const struct sched_pod *p, const struct sched_node *n)
{
    const json_t *preferred = jget(p->spec, "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution");
    int64_t sum = 0;
    for (size_t i = 0; i < json_array_size(preferred); i++) {
        const json_t *one = json_array_get(preferred, i);
        if (term_matches(jget(one, "preference"), n))
            sum += jint(one, "weight", 0);
    }
    return sum;
}
