/* See nearness.h. */
#include "sched/nearness.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

#define PAIR_SIZE 512 /* a label's key and value: 317 and 63 bytes at most */
/* What a placed pod's required affinity counts for one that it would like near (upstream: hardPodAffinityWeight). */
#define REQUIRED_WEIGHT 1

/* The node's pair, or NULL when it has no such label. */
static const char *pair_of(const struct sched_node *n, const char *key, char out[PAIR_SIZE])
{
    const char *value = json_string_value(json_object_get(n->labels, key));
    if (!value)
        return NULL;
    snprintf(out, PAIR_SIZE, "%s\n%s", key, value);
    return out;
}

static intptr_t number_of(const struct map *m, const struct sched_node *n, const char *key)
{
    char text[PAIR_SIZE];
    const char *pair = pair_of(n, key, text);
    return pair ? (intptr_t)map_get(m, pair) : 0;
}

static void add(struct map *m, const struct sched_node *n, const char *key, intptr_t number)
{
    char text[PAIR_SIZE];
    const char *pair = n ? pair_of(n, key, text) : NULL;
    if (pair && number)
        map_put(m, pair, (void *)((intptr_t)map_get(m, pair) + number));
}

static const struct sched_node *node_of(const struct cluster *cluster, const struct sched_pod *placed)
{
    const struct sched_node *n = map_get(&cluster->nodes, placed->node);
    return n && n->known ? n : NULL;
}

static bool means(const struct pod_term *t, const struct sched_pod *p, const struct cluster *cluster)
{
    return term_means(t, p->ns, p->labels, &cluster->namespaces);
}

static bool all_mean(const struct pod_terms *terms, const struct sched_pod *p, const struct cluster *cluster)
{
    for (size_t i = 0; i < terms->n; i++)
        if (!means(&terms->all[i], p, cluster))
            return false;
    return terms->n > 0;
}

/* Which terms of a pod mean the pods of each group; asked once. */
struct answers {
    struct answer {
        bool known, any;
        bool all;   /* all of the required ones do */
        bool *each; /* of the others */
    } * groups;
    size_t n;
};

static struct answers answers_new(const struct cluster *cluster)
{
    return (struct answers){xcalloc(cluster->groups_end + 1, sizeof(struct answer)), cluster->groups_end};
}

static void answers_done(struct answers *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->groups[i].each);
    free(a->groups);
}

static const struct answer *ask(struct answers *a, const struct pod_terms *all, const struct pod_terms *each,
                                const struct sched_pod *other, const struct cluster *cluster)
{
    struct answer *known = &a->groups[other->group];
    if (known->known)
        return known;
    bool near = all && all_mean(all, other, cluster);
    *known = (struct answer){.known = true, .any = near, .all = near, .each = xcalloc(each->n + 1, sizeof(bool))};
    for (size_t i = 0; i < each->n; i++) {
        known->each[i] = means(&each->all[i], other, cluster);
        known->any |= known->each[i];
    }
    return known;
}

static void count_one(struct nearness *c, const struct sched_pod *p, const struct sched_pod *other,
                      const struct answer *a, const struct cluster *cluster)
{
    const struct pod_terms *near = &p->terms[TERMS_NEAR], *away = &p->terms[TERMS_AWAY];
    const struct sched_node *n = node_of(cluster, other);
    for (size_t i = 0; i < near->n && a->all; i++)
        add(&c->near, n, near->all[i].key, 1);
    for (size_t i = 0; i < away->n; i++)
        if (a->each[i])
            add(&c->away, n, away->all[i].key, 1);
}

void nearness_count(struct nearness *c, const struct sched_pod *p, const struct cluster *cluster)
{
    for (struct map_entry *e = NULL; (e = map_next(&cluster->repellers, e));) {
        const struct sched_pod *other = e->value;
        const struct pod_terms *away = &other->terms[TERMS_AWAY];
        for (size_t i = 0; i < away->n; i++)
            if (means(&away->all[i], p, cluster))
                add(&c->repelled, node_of(cluster, other), away->all[i].key, 1);
    }
    if (!p->terms[TERMS_NEAR].n && !p->terms[TERMS_AWAY].n)
        return;
    c->meets_itself = all_mean(&p->terms[TERMS_NEAR], p, cluster);
    struct answers answers = answers_new(cluster);
    for (struct map_entry *e = NULL; (e = map_next(&cluster->pods, e));) {
        const struct answer *a = ask(&answers, &p->terms[TERMS_NEAR], &p->terms[TERMS_AWAY], e->value, cluster);
        if (a->any)
            count_one(c, p, e->value, a, cluster);
    }
    answers_done(&answers);
}

/* What one pod would like of those that are placed. */
static void weigh_all(struct nearness *c, const struct pod_terms *preferred, const struct cluster *cluster)
{
    struct answers answers = answers_new(cluster);
    for (struct map_entry *e = NULL; (e = map_next(&cluster->pods, e));) {
        const struct answer *a = ask(&answers, NULL, preferred, e->value, cluster);
        for (size_t i = 0; i < preferred->n && a->any; i++)
            if (a->each[i])
                add(&c->weights, node_of(cluster, e->value), preferred->all[i].key, preferred->all[i].weight);
    }
    answers_done(&answers);
}

/* What the terms of a placed pod say of one that comes. */
static void weigh(struct nearness *c, const struct pod_terms *terms, const struct sched_pod *meant,
                  const struct sched_node *n, const struct cluster *cluster, int weight)
{
    for (size_t i = 0; i < terms->n; i++)
        if (means(&terms->all[i], meant, cluster))
            add(&c->weights, n, terms->all[i].key, weight ? weight : terms->all[i].weight);
}

void nearness_weigh(struct nearness *c, const struct sched_pod *p, const struct cluster *cluster)
{
    const struct pod_terms *preferred = &p->terms[TERMS_PREFERRED];
    if (preferred->n)
        weigh_all(c, preferred, cluster);
    for (struct map_entry *e = NULL; (e = map_next(&cluster->attracted, e));) {
        const struct sched_pod *other = e->value;
        const struct sched_node *n = node_of(cluster, other);
        weigh(c, &other->terms[TERMS_PREFERRED], p, n, cluster, 0);
        weigh(c, &other->terms[TERMS_NEAR], p, n, cluster, REQUIRED_WEIGHT);
    }
}

void nearness_done(struct nearness *c)
{
    map_done(&c->near);
    map_done(&c->away);
    map_done(&c->repelled);
    map_done(&c->weights);
}

bool is_near(const struct nearness *c, const struct sched_pod *p, const struct sched_node *n)
{
    const struct pod_terms *terms = &p->terms[TERMS_NEAR];
    bool others = true;
    for (size_t i = 0; i < terms->n; i++) {
        if (!json_object_get(n->labels, terms->all[i].key))
            return false;
        others = others && number_of(&c->near, n, terms->all[i].key) > 0;
    }
    return others || (!c->near.len && c->meets_itself);
}

bool is_away(const struct nearness *c, const struct sched_pod *p, const struct sched_node *n)
{
    const struct pod_terms *terms = &p->terms[TERMS_AWAY];
    for (size_t i = 0; i < terms->n; i++)
        if (number_of(&c->away, n, terms->all[i].key) > 0)
            return false;
    return true;
}

bool is_tolerated(const struct nearness *c, const struct sched_node *n)
{
    const char *key;
    json_t *value;
    if (!c->repelled.len)
        return true;
    json_object_foreach(n->labels, key, value)
        if (number_of(&c->repelled, n, key) > 0)
            return false;
    return true;
}

int64_t nearness_score(const struct nearness *c, const struct sched_node *n)
{
    const char *key;
    json_t *value;
    int64_t sum = 0;
    if (c->weights.len)
        json_object_foreach(n->labels, key, value)
            sum += number_of(&c->weights, n, key);
    return sum;
}
