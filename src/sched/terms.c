/* See terms.h. */
#include "sched/terms.h"

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/labels.h"

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

json_t *selector_with_keys(const json_t *selector, const json_t *keys, const json_t *labels, bool unlike)
{
    size_t i;
    json_t *key;
    if (!selector)
        return NULL;
    json_t *result = json_deep_copy(selector), *expressions = jget(result, "matchExpressions");
    if (json_array_size(keys) && !expressions)
        jset(result, "matchExpressions", expressions = json_array());
    json_array_foreach((json_t *)keys, i, key) {
        json_t *value = json_object_get(labels, str_or(json_string_value(key), ""));
        if (value)
            json_array_append_new(expressions, json_pack("{s:O, s:s, s:[O]}", "key", key, "operator",
                                                         unlike ? "NotIn" : "In", "values", value));
    }
    return result;
}

static void add(struct pod_terms *to, const json_t *term, const json_t *ns, const json_t *labels, int weight)
{
    struct pod_term *t = &to->all[to->n++];
    const json_t *selector_of_namespaces = jget(term, "namespaceSelector");
    _cleanup_json_ json_t *alike =
        selector_with_keys(jget(term, "labelSelector"), jget(term, "matchLabelKeys"), labels, false);
    *t = (struct pod_term){.selector = selector_with_keys(alike, jget(term, "mismatchLabelKeys"), labels, true),
                           .key = jstr_or(term, "topologyKey", ""),
                           .weight = weight};
    if (json_array_size(jget(term, "namespaces")))
        t->namespaces = json_deep_copy(jget(term, "namespaces"));
    else if (!selector_of_namespaces)
        t->namespaces = json_pack("[O]", ns);
    t->namespace_selector = json_deep_copy(selector_of_namespaces);
}

static void add_required(struct pod_terms *to, const json_t *list, const json_t *ns, const json_t *labels)
{
    size_t i;
    json_t *term;
    json_array_foreach((json_t *)list, i, term)
        add(to, term, ns, labels, 0);
}

static void add_preferred(struct pod_terms *to, const json_t *list, const json_t *ns, const json_t *labels, int sign)
{
    size_t i;
    json_t *preference;
    json_array_foreach((json_t *)list, i, preference)
        add(to, jget(preference, "podAffinityTerm"), ns, labels, sign * (int)jint(preference, "weight", 0));
}

void terms_parse(struct pod_terms ret[TERMS_N], const json_t *affinity, const json_t *ns, const json_t *labels)
{
    const json_t *near = jget(affinity, "podAffinity"), *away = jget(affinity, "podAntiAffinity");
    const json_t *required[] = {jget(near, REQUIRED), jget(away, REQUIRED)};
    const json_t *preferred[] = {jget(near, PREFERRED), jget(away, PREFERRED)};
    size_t n[TERMS_N] = {json_array_size(required[0]), json_array_size(required[1]),
                         json_array_size(preferred[0]) + json_array_size(preferred[1])};
    for (int i = 0; i < TERMS_N; i++)
        ret[i] = (struct pod_terms){n[i] ? xcalloc(n[i], sizeof(struct pod_term)) : NULL, 0};
    add_required(&ret[TERMS_NEAR], required[0], ns, labels);
    add_required(&ret[TERMS_AWAY], required[1], ns, labels);
    add_preferred(&ret[TERMS_PREFERRED], preferred[0], ns, labels, 1);
    add_preferred(&ret[TERMS_PREFERRED], preferred[1], ns, labels, -1);
}

void terms_done(struct pod_terms terms[TERMS_N])
{
    for (int i = 0; i < TERMS_N; i++) {
        for (size_t k = 0; k < terms[i].n; k++) {
            json_decref(terms[i].all[k].selector);
            json_decref(terms[i].all[k].namespaces);
            json_decref(terms[i].all[k].namespace_selector);
        }
        free(terms[i].all);
        terms[i] = (struct pod_terms){0};
    }
}

static bool means_namespace(const struct pod_term *t, const json_t *ns, const struct map *namespaces)
{
    size_t i;
    json_t *listed;
    json_array_foreach(t->namespaces, i, listed)
        if (json_equal(listed, ns))
            return true;
    const json_t *labels = t->namespace_selector ? map_get(namespaces, json_string_value(ns)) : NULL;
    return labels && label_selector_matches(t->namespace_selector, labels);
}

bool term_means(const struct pod_term *t, const json_t *ns, const json_t *labels, const struct map *namespaces)
{
    return means_namespace(t, ns, namespaces) && label_selector_matches(t->selector, labels);
}
