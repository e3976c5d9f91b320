/* Rules for what a pod wishes of its node and its neighbours (validateAffinity in pkg/apis/core/validation). */
#include <stdio.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

static void check_requirement(const json_t *r, const char *path, size_t i, struct status_causes *c)
{
    const char *op = jstr_or(r, "operator", "");
    size_t n = json_array_size(jget(r, "values"));
    if ((streq(op, "In") || streq(op, "NotIn")) && n == 0)
        rule_broken(c, CAUSE_REQUIRED, NULL, "must be specified when `operator` is 'In' or 'NotIn'", "%s[%zu].values",
                    path, i);
    if ((streq(op, "Exists") || streq(op, "DoesNotExist")) && n > 0)
        rule_broken(c, CAUSE_FORBIDDEN, NULL, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                    "%s[%zu].values", path, i);
    if ((streq(op, "Gt") || streq(op, "Lt")) && n != 1)
        rule_broken(c, CAUSE_REQUIRED, NULL, "must be specified single value when `operator` is 'Lt' or 'Gt'",
                    "%s[%zu].values", path, i);
}

static void check_node_term(const json_t *term, const char *path, struct status_causes *c)
{
    static const char *const lists[] = {"matchExpressions", "matchFields"};
    char list_path[RULE_PATH_SIZE];
    size_t i;
    json_t *requirement;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        snprintf(list_path, sizeof(list_path), "%s.%s", path, lists[l]);
        json_array_foreach(jget(term, lists[l]), i, requirement)
            check_requirement(requirement, list_path, i, c);
    }
}

static void check_pod_term(const json_t *term, const char *path, struct status_causes *c)
{
    static const char *const selectors[] = {"labelSelector", "namespaceSelector"};
    char selector_path[RULE_PATH_SIZE];
    for (size_t s = 0; s < ARRAY_LEN(selectors); s++) {
        snprintf(selector_path, sizeof(selector_path), "%s.%s", path, selectors[s]);
        rule_label_selector(c, jget(term, selectors[s]), selector_path);
    }
}

/* All terms of a list; `inner` is where in an item the term is (".preference"), "" for the item itself. */
static void check_terms(const json_t *terms, const char *path, const char *list, const char *inner,
                        void (*check)(const json_t *, const char *, struct status_causes *), struct status_causes *c)
{
    char term_path[RULE_PATH_SIZE];
    size_t i;
    json_t *item;
    json_array_foreach(terms, i, item) {
        snprintf(term_path, sizeof(term_path), "%s.%s[%zu]%s", path, list, i, inner);
        check(*inner ? jget(item, inner + 1) : item, term_path, c);
    }
}

void pod_affinity_validate(const json_t *affinity, const char *path, struct status_causes *causes)
{
    static const char *const among_pods[] = {"podAffinity", "podAntiAffinity"};
    char side[RULE_PATH_SIZE / 2]; /* the rest is for what is below */
    const json_t *nodes = jget(affinity, "nodeAffinity");
    snprintf(side, sizeof(side), "%s.nodeAffinity", path);
    check_terms(jget(nodes, REQUIRED ".nodeSelectorTerms"), side, REQUIRED ".nodeSelectorTerms", "", check_node_term,
                causes);
    check_terms(jget(nodes, PREFERRED), side, PREFERRED, ".preference", check_node_term, causes);
    for (size_t i = 0; i < ARRAY_LEN(among_pods); i++) {
        const json_t *pods = jget(affinity, among_pods[i]);
        snprintf(side, sizeof(side), "%s.%s", path, among_pods[i]);
        check_terms(jget(pods, REQUIRED), side, REQUIRED, "", check_pod_term, causes);
        check_terms(jget(pods, PREFERRED), side, PREFERRED, ".podAffinityTerm", check_pod_term, causes);
    }
}
