/* See recheck.h. */
#include "proxy/recheck.h"

#include <stdlib.h>

#include "base/alloc.h"

static int compare_targets(const void *pa, const void *pb)
{
    const struct target *a = pa, *b = pb;
    int by_ip = ip_compare(&a->ip, &b->ip);
    return by_ip ? by_ip : (int)a->port - (int)b->port;
}

static int compare_rechecks(const void *pa, const void *pb)
{
    const struct recheck_key *a = &((const struct recheck *)pa)->key, *b = &((const struct recheck *)pb)->key;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    int by_ip = ip_compare(&a->ip, &b->ip);
    if (by_ip)
        return by_ip;
    return a->protocol != b->protocol ? (int)a->protocol - (int)b->protocol : (int)a->port - (int)b->port;
}

void recheck_add(struct recheck_list *l, const struct recheck_key *key, struct target *targets, size_t n_targets)
{
    l->list = xrealloc(l->list, (l->n + 1) * sizeof(*l->list));
    l->list[l->n++] = (struct recheck){*key, targets, n_targets};
}

void recheck_sort(struct recheck_list *l)
{
    if (l->n)
        qsort(l->list, l->n, sizeof(*l->list), compare_rechecks);
    for (size_t i = 0; i < l->n; i++)
        qsort(l->list[i].targets, l->list[i].n_targets, sizeof(struct target), compare_targets);
}

bool recheck_stale(const struct recheck_list *l, const struct recheck_key *key, const struct target *endpoint)
{
    const struct recheck wanted = {.key = *key}, *found;
    if (!l->n || !(found = bsearch(&wanted, l->list, l->n, sizeof(wanted), compare_rechecks)))
        return false;
    return !found->n_targets ||
           !bsearch(endpoint, found->targets, found->n_targets, sizeof(*endpoint), compare_targets);
}

bool rechecks_empty(const struct rechecks *r)
{
    return !r->flows.n && !r->affinities.n;
}

static void list_move(struct recheck_list *to, struct recheck_list *from)
{
    to->list = xrealloc(to->list, (to->n + from->n + 1) * sizeof(*to->list));
    for (size_t i = 0; i < from->n; i++)
        to->list[to->n++] = from->list[i];
    free(from->list);
    *from = (struct recheck_list){0};
}

void rechecks_move(struct rechecks *to, struct rechecks *from)
{
    list_move(&to->flows, &from->flows);
    list_move(&to->affinities, &from->affinities);
}

static void list_done(struct recheck_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->list[i].targets);
    free(l->list);
}

void rechecks_done(struct rechecks *r)
{
    list_done(&r->flows);
    list_done(&r->affinities);
    *r = (struct rechecks){0};
}
