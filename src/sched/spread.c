/* See spread.h. */
#include "sched/spread.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/labels.h"
#include "kinds/taints.h"
#include "sched/affinity.h"

/* Scores are whole numbers; this keeps the fractions of their weights. */
#define SCORE_UNIT 1000.0

static const struct spread_rule defaults[] = {
    {.key = "kubernetes.io/hostname", .max_skew = 3},
    {.key = "topology.kubernetes.io/zone", .max_skew = 5},
};

/* --- which pods count --- */

struct counting {
    const struct sched_pod *pod;
    const json_t *selectors;
    unsigned char *known; /* of each group of pods: 0, or 1 + whether the rule at hand counts them */
};

static bool is_sibling(const struct counting *c, const struct sched_pod *other)
{
    if (c->pod->owner)
        return other->owner && json_equal(c->pod->owner, other->owner);
    for (size_t i = 0; i < json_array_size(c->selectors); i++)
        if (map_selector_matches(json_array_get(c->selectors, i), other->labels))
            return true;
    return false;
}

static bool counts_group(const struct counting *c, const struct spread_rule *r, const struct sched_pod *other)
{
    if (!json_equal(c->pod->ns, other->ns))
        return false;
    return r->selector ? label_selector_matches(r->selector, other->labels) : is_sibling(c, other);
}

static bool counts(const struct counting *c, const struct spread_rule *r, const struct sched_pod *other)
{
    unsigned char *known = &c->known[other->group];
    if (!*known)
        *known = 1 + counts_group(c, r, other);
    return *known == 2 && !other->deleting;
}

/* --- the rules --- */

static void add_rule(struct spread *s, const json_t *constraint, const struct sched_pod *p)
{
    struct spread_rule *r = &s->rules[s->n++];
    *r = (struct spread_rule){
        .key = jstr_or(constraint, "topologyKey", ""),
        .selector =
            selector_with_keys(jget(constraint, "labelSelector"), jget(constraint, "matchLabelKeys"), p->labels, false),
        .max_skew = jint(constraint, "maxSkew", 1),
        .min_domains = jint(constraint, "minDomains", 1),
        .heeds_affinity = streq(jstr_or(constraint, "nodeAffinityPolicy", "Honor"), "Honor"),
        .heeds_taints = streq(jstr_or(constraint, "nodeTaintsPolicy", "Ignore"), "Honor"),
    };
    if (!r->selector) /* a missing one matches nothing */
        r->selector = json_pack("{s:[{s:s, s:s}]}", "matchExpressions", "key", "", "operator", "Exists");
    r->counts_itself = label_selector_matches(r->selector, p->labels);
}

static void make_rules(struct spread *s, const struct sched_pod *p, const json_t *selectors, bool hard)
{
    const json_t *constraints = json_object_get(p->spec, "topologySpreadConstraints");
    size_t n = json_array_size(constraints), i;
    json_t *one;
    s->by_default = !n && !hard && (p->owner || json_array_size(selectors));
    s->rules = n || s->by_default ? xcalloc(n + ARRAY_LEN(defaults), sizeof(*s->rules)) : NULL;
    json_array_foreach((json_t *)constraints, i, one)
        if (streq(jstr_or(one, "whenUnsatisfiable", ""), "DoNotSchedule") == hard)
            add_rule(s, one, p);
    for (i = 0; s->by_default && i < ARRAY_LEN(defaults); i++)
        s->rules[s->n++] = defaults[i];
}

/* --- counting --- */

bool spread_has_labels(const struct spread *s, const struct sched_node *n)
{
    for (size_t i = 0; i < s->n; i++)
        if (!json_object_get(n->labels, s->rules[i].key))
            return false;
    return true;
}

static bool tolerates_taints(const struct sched_pod *p, const struct sched_node *n)
{
    size_t i;
    json_t *taint;
    json_array_foreach(n->taints, i, taint)
        if (!streq(jstr_or(taint, "effect", ""), "PreferNoSchedule") &&
            !taint_is_tolerated(taint, json_object_get(p->spec, "tolerations")))
            return false;
    return true;
}

/* Whether the rule looks at this node. */
static bool includes(const struct spread *s, const struct spread_rule *r, const struct sched_pod *p,
                     const struct sched_node *n)
{
    return (s->by_default || spread_has_labels(s, n)) &&
           (!r->heeds_affinity || !p->picks_nodes || node_is_required(p, n)) &&
           (!r->heeds_taints || tolerates_taints(p, n));
}

static void count_node(const struct counting *c, struct spread_rule *r, const struct sched_node *n)
{
    const char *value = json_string_value(json_object_get(n->labels, r->key));
    intptr_t sum = 0;
    if (!value)
        return;
    for (size_t i = 0; i < n->n_pods; i++)
        sum += counts(c, r, n->pods[i]);
    intptr_t before = (intptr_t)map_get(&r->counts, value);
    map_put(&r->counts, value, (void *)((before ? before : 1) + sum));
}

static void find_least(struct spread_rule *r)
{
    r->least = INT64_MAX;
    for (struct map_entry *e = NULL; (e = map_next(&r->counts, e));)
        r->least = (intptr_t)e->value - 1 < r->least ? (intptr_t)e->value - 1 : r->least;
    if (!r->counts.len || (int64_t)r->counts.len < r->min_domains)
        r->least = 0;
}

void spread_count(struct spread *s, const struct sched_pod *p, const json_t *selectors, const struct cluster *cluster,
                  bool hard)
{
    _cleanup_free_ unsigned char *known = xcalloc(cluster->groups_end + 1, 1);
    const struct counting c = {p, selectors, known};
    make_rules(s, p, selectors, hard);
    for (size_t i = 0; i < s->n; i++) {
        struct map_entry *cursor = NULL;
        memset(known, 0, cluster->groups_end);
        for (struct sched_node *n; (n = cluster_next_node(cluster, &cursor));)
            if (includes(s, &s->rules[i], p, n))
                count_node(&c, &s->rules[i], n);
        find_least(&s->rules[i]);
        s->rules[i].weight = log((double)s->rules[i].counts.len + 2);
    }
}

void spread_done(struct spread *s)
{
    for (size_t i = 0; i < s->n; i++) {
        json_decref(s->rules[i].selector);
        map_done(&s->rules[i].counts);
    }
    free(s->rules);
    *s = (struct spread){0};
}

/* --- asking --- */

static int64_t pods_in_domain(const struct spread_rule *r, const struct sched_node *n)
{
    const char *value = json_string_value(json_object_get(n->labels, r->key));
    intptr_t counted = value ? (intptr_t)map_get(&r->counts, value) : 0;
    return counted ? counted - 1 : 0;
}

bool spread_holds(const struct spread *s, const struct sched_node *n)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct spread_rule *r = &s->rules[i];
        if (pods_in_domain(r, n) + r->counts_itself - r->least > r->max_skew)
            return false;
    }
    return true;
}

int64_t spread_score(const struct spread *s, const struct sched_node *n)
{
    double sum = 0;
    if (!s->by_default && !spread_has_labels(s, n))
        return SCORE_WORST;
    for (size_t i = 0; i < s->n; i++) {
        const struct spread_rule *r = &s->rules[i];
        if (json_object_get(n->labels, r->key))
            sum += (double)pods_in_domain(r, n) * r->weight + (double)(r->max_skew - 1);
    }
    return llround(sum * SCORE_UNIT);
}
