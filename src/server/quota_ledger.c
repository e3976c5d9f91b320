/* See quota_ledger.h. An account lives as long as its quota says the same; a kind is watched from its first account
 * on, and there are few kinds. */
#include "server/quota_ledger.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

struct account {
    struct list link; /* in its page */
    char *quota;      /* its name */
    struct quota_sums *sums;
    uint64_t rv; /* of the store when it was counted */
};

/* The accounts of one kind in one namespace. */
struct page {
    char *ns;
    struct list accounts;
};

struct follower {
    struct list link;
    struct quota_ledger *ledger;
    const struct kind *kind;
    struct store_watch *watch;
};

struct quota_ledger {
    struct store *store;
    struct map pages; /* "PLURAL.GROUP NAMESPACE" */
    struct list followers;
    struct store_watch *quotas;
};

static char *page_key(const struct kind *k, const char *ns)
{
    return xasprintf("%s.%s %s", k->plural, k->group, ns);
}

static struct page *find_page(const struct quota_ledger *l, const struct kind *k, const char *ns)
{
    _cleanup_free_ char *key = page_key(k, ns);
    return map_get(&l->pages, key);
}

static void close_account(struct account *a)
{
    list_remove(&a->link);
    quota_sums_free(a->sums);
    free(a->quota);
    free(a);
}

static void free_page(void *arg)
{
    struct page *p = arg;
    LIST_EACH(it, &p->accounts)
        close_account(container_of(it, struct account, link));
    free(p->ns);
    free(p);
}

/* --- keeping --- */

static void on_object(void *arg, struct object *old, struct object *obj, bool deleted)
{
    const struct follower *f = arg;
    struct page *p = find_page(f->ledger, f->kind, obj->ns);
    if (!p)
        return;
    LIST_EACH(it, &p->accounts) {
        struct account *a = container_of(it, struct account, link);
        if (obj->rv <= a->rv)
            continue;
        quota_sums_subtract(a->sums, old);
        quota_sums_add(a->sums, deleted ? NULL : obj);
    }
}

static void close_unfit(struct page *p, const char *name, const json_t *quota)
{
    LIST_EACH(it, &p->accounts) {
        struct account *a = container_of(it, struct account, link);
        if (streq(a->quota, name) && (!quota || !quota_sums_fit(a->sums, quota)))
            close_account(a);
    }
}

static void on_quota(void *arg, struct object *old, struct object *obj, bool deleted)
{
    struct quota_ledger *l = arg;
    _cleanup_json_ json_t *quota = object_json(obj);
    (void)old;
    for (struct map_entry *e = NULL; (e = map_next(&l->pages, e));) {
        struct page *p = e->value;
        if (!streq(p->ns, obj->ns))
            continue;
        close_unfit(p, obj->name, deleted ? NULL : quota);
        if (list_empty(&p->accounts)) {
            map_del(&l->pages, e->key);
            free_page(p);
        }
    }
}

/* --- counting for the first time --- */

static void follow(struct quota_ledger *l, const struct kind *k)
{
    LIST_EACH(it, &l->followers)
        if (container_of(it, struct follower, link)->kind == k)
            return;
    struct follower *f = NEW(struct follower);
    *f = (struct follower){.ledger = l, .kind = k};
    f->watch = store_watch(l->store, k, 0, on_object, f);
    list_append(&l->followers, &f->link);
}

static bool count(void *arg, struct object *o)
{
    quota_sums_add(arg, o);
    return true;
}

static struct account *open_account(struct quota_ledger *l, const json_t *quota, const struct kind *k)
{
    const char *ns = jstr_or(quota, "metadata.namespace", "");
    struct page *p = find_page(l, k, ns);
    if (!p) {
        _cleanup_free_ char *key = page_key(k, ns);
        p = NEW(struct page);
        p->ns = xstrdup(ns);
        list_init(&p->accounts);
        map_put(&l->pages, key, p);
    }
    follow(l, k);
    struct account *a = NEW(struct account);
    *a = (struct account){.quota = xstrdup(jstr_or(quota, "metadata.name", "")),
                          .sums = quota_sums_new(quota, k),
                          .rv = store_rv(l->store)};
    store_each(l->store, k, ns, NULL, NULL, count, a->sums);
    list_append(&p->accounts, &a->link);
    return a;
}

const struct quota_sums *quota_ledger_sums(struct quota_ledger *l, const json_t *quota, const struct kind *k)
{
    struct page *p = find_page(l, k, jstr_or(quota, "metadata.namespace", ""));
    if (p)
        LIST_EACH(it, &p->accounts) {
            struct account *a = container_of(it, struct account, link);
            if (streq(a->quota, jstr_or(quota, "metadata.name", "")))
                return a->sums;
        }
    return open_account(l, quota, k)->sums;
}

/* --- life --- */

struct quota_ledger *quota_ledger_new(struct store *s)
{
    struct quota_ledger *l = NEW(struct quota_ledger);
    l->store = s;
    list_init(&l->followers);
    l->quotas = store_watch(s, &kind_resourcequota, 0, on_quota, l);
    return l;
}

void quota_ledger_free(struct quota_ledger *l)
{
    if (!l)
        return;
    LIST_EACH(it, &l->followers) {
        struct follower *f = container_of(it, struct follower, link);
        store_watch_stop(f->watch);
        list_remove(it);
        free(f);
    }
    store_watch_stop(l->quotas);
    map_done_with(&l->pages, free_page);
    free(l);
}
