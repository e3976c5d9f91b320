/* See reverse.h. */
#include "dns/reverse.h"

#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"

struct key_list {
    char **keys; /* owned */
    size_t n, cap;
};

struct reverse {
    struct model *model;
    struct model_reader *reader;
    struct map by_ip;      /* address text -> key_list of "ns/name" */
    struct map by_service; /* "ns/name" -> key_list of address texts */
};

static void list_add(struct key_list *l, const char *key)
{
    for (size_t i = 0; i < l->n; i++)
        if (streq(l->keys[i], key))
            return;
    if (l->n == l->cap)
        l->keys = xrealloc(l->keys, (l->cap = l->cap ? l->cap * 2 : 2) * sizeof(char *));
    l->keys[l->n++] = xstrdup(key);
}

static void list_del(struct key_list *l, const char *key)
{
    for (size_t i = 0; i < l->n; i++) {
        if (!streq(l->keys[i], key))
            continue;
        free(l->keys[i]);
        memmove(&l->keys[i], &l->keys[i + 1], (l->n - i - 1) * sizeof(char *)); /* their order is the answers' */
        l->n--;
        return;
    }
}

static void list_free(void *list)
{
    struct key_list *l = list;
    if (!l)
        return;
    for (size_t i = 0; i < l->n; i++)
        free(l->keys[i]);
    free(l->keys);
    free(l);
}

static void map_add(struct map *m, const char *key, const char *member)
{
    struct key_list *l = map_get(m, key);
    if (!l)
        map_put(m, key, l = NEW(struct key_list));
    list_add(l, member);
}

static void forget(struct reverse *r, const char *service)
{
    struct key_list *ips = map_del(&r->by_service, service);
    for (size_t i = 0; ips && i < ips->n; i++) {
        struct key_list *services = map_get(&r->by_ip, ips->keys[i]);
        list_del(services, service);
        if (!services->n)
            list_free(map_del(&r->by_ip, ips->keys[i]));
    }
    list_free(ips);
}

static void learn(struct reverse *r, const char *service, const struct svc_endpoint *endpoints, size_t n)
{
    char text[IP_TEXT_SIZE];
    for (size_t i = 0; i < n; i++) {
        map_add(&r->by_ip, ip_format(&endpoints[i].ip, text), service);
        map_add(&r->by_service, service, text);
    }
}

static void on_service(void *arg, const char *ns, const char *name, const struct svc *svc)
{
    struct reverse *r = arg;
    _cleanup_free_ char *service = xasprintf("%s/%s", ns, name);
    forget(r, service);
    if (!svc)
        return;
    learn(r, service, svc->addresses, svc->n_addresses);
    for (size_t i = 0; i < svc->n_ports; i++)
        learn(r, service, svc->ports[i].endpoints, svc->ports[i].n_endpoints);
}

static void on_changed(void *arg)
{
    (void)arg; /* the next question takes what changed */
}

struct reverse *reverse_new(struct model *m)
{
    struct reverse *r = NEW(struct reverse);
    r->model = m;
    r->reader = model_reader_new(m, on_changed, r);
    return r;
}

void reverse_free(struct reverse *r)
{
    if (!r)
        return;
    model_reader_free(r->reader);
    map_done_with(&r->by_ip, list_free);
    map_done_with(&r->by_service, list_free);
    free(r);
}

void reverse_each(struct reverse *r, const struct ip *ip, void (*visit)(void *arg, const struct svc *svc), void *arg)
{
    char text[IP_TEXT_SIZE];
    model_take(r->reader, on_service, r);
    const struct key_list *services = map_get(&r->by_ip, ip_format(ip, text));
    for (size_t i = 0; services && i < services->n; i++) {
        _cleanup_free_ char *ns = xstrdup(services->keys[i]);
        char *slash = strchr(ns, '/');
        *slash = '\0';
        const struct svc *svc = model_get(r->model, ns, slash + 1);
        if (svc)
            visit(arg, svc);
    }
}
