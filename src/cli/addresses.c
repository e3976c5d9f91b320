/* See addresses.h. The IPv6 ranges are spelled like the IPv4 ones, and pods and Services have those that kubeadm's and
 * kind's documents use: who looks at an address sees what it is. */
#include "cli/addresses.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define FIRST_NODE 10

static const struct family {
    const char *name;
    int family;
    const char *network, *host, *node, *pods, *services, *lb_pool, *api, *dns;
} families[] = {
    {"IPv4", AF_INET, "172.28.128.0/24", "172.28.128.1", "172.28.128.%d", "10.244.0.0/16", "10.96.0.0/12",
     "172.28.128.200-172.28.128.250", "10.96.0.1", "10.96.0.10"},
    {"IPv6", AF_INET6, "fd00:172:28:128::/64", "fd00:172:28:128::1", "fd00:172:28:128::%d", "fd00:10:244::/56",
     "fd00:10:96::/112", "fd00:172:28:128::200-fd00:172:28:128::250", "fd00:10:96::1", "fd00:10:96::a"},
};

static const struct family *find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (strlen(families[i].name) == len && memcmp(families[i].name, name, len) == 0)
            return &families[i];
    return NULL;
}

static void append(char list[ADDRESSES_TEXT_SIZE], const char *item)
{
    size_t len = strlen(list);
    snprintf(list + len, ADDRESSES_TEXT_SIZE - len, "%s%s", len ? "," : "", item);
}

static void add(struct addresses *a, const struct family *f)
{
    if (!a->n_families) {
        snprintf(a->api, sizeof(a->api), "%s", f->api);
        snprintf(a->primary_dns, sizeof(a->primary_dns), "%s", f->dns);
    }
    a->families[a->n_families++] = f->family;
    append(a->network, f->network);
    append(a->host, f->host);
    append(a->pods, f->pods);
    append(a->services, f->services);
    append(a->lb_pool, f->lb_pool);
    append(a->dns, f->dns);
}

bool addresses_init(struct addresses *a, const char *names)
{
    *a = (struct addresses){0};
    for (;;) {
        size_t len = strcspn(names, ",");
        const struct family *f = find(names, len);
        if (!f || a->n_families == FAMILIES_MAX || (a->n_families && a->families[0] == f->family))
            return false;
        add(a, f);
        if (!names[len])
            return true;
        names += len + 1;
    }
}

void addresses_node(const struct addresses *a, int n, char out[IPS_TEXT_SIZE])
{
    out[0] = '\0';
    for (int i = 0; i < a->n_families; i++) {
        const struct family *f = &families[a->families[i] == AF_INET6];
        size_t len = strlen(out);
        if (i)
            out[len++] = ',';
        snprintf(out + len, IPS_TEXT_SIZE - len, f->node, FIRST_NODE + n);
    }
}
