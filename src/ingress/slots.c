/* See slots.h. */
#include "ingress/slots.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define SLOTS_MIN 4

static void free_row(void *arg)
{
    struct slot_row *row = arg;
    free(row->slots);
    free(row);
}

void slots_done(struct slots *s)
{
    map_done_with(&s->rows, free_row);
    *s = (struct slots){0};
}

void slots_keep(struct slots *s, const struct map *backends)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->rows, e));)
        if (!map_get(backends, e->key))
            free_row(map_del(&s->rows, e->key));
}

const struct slot_row *slots_get(const struct slots *s, const char *backend)
{
    return map_get(&s->rows, backend);
}

/* Twice as many until they suffice. */
static bool make_room(struct slot_row *row, size_t n)
{
    size_t wanted = row->n ? row->n : SLOTS_MIN;
    while (wanted < n)
        wanted *= 2;
    if (wanted == row->n)
        return true;
    row->slots = xrealloc(row->slots, wanted * sizeof(*row->slots));
    memset(row->slots + row->n, 0, (wanted - row->n) * sizeof(*row->slots));
    row->n = wanted;
    return false;
}

static bool is_at(const struct slot *slot, const struct svc_endpoint *e)
{
    return slot->ip.family && slot->port == e->port && ip_equal(&slot->ip, &e->ip);
}

static void leave(struct slot_row *row, const char *backend, const struct svc_port *port, const size_t *usable,
                  size_t n, struct buf *commands)
{
    for (size_t i = 0; i < row->n; i++) {
        bool stays = !row->slots[i].ip.family;
        for (size_t j = 0; j < n && !stays; j++)
            stays = is_at(&row->slots[i], &port->endpoints[usable[j]]);
        if (stays)
            continue;
        row->slots[i] = (struct slot){0};
        buf_addf(commands, "set server %s/s%zu state maint\n", backend, i);
    }
}

static void enter(struct slot_row *row, const char *backend, const struct svc_endpoint *e, struct buf *commands)
{
    struct slot *free_slot = NULL;
    char ip[IP_TEXT_SIZE];
    for (size_t i = 0; i < row->n; i++) {
        if (is_at(&row->slots[i], e))
            return;
        if (!free_slot && !row->slots[i].ip.family)
            free_slot = &row->slots[i];
    }
    *free_slot = (struct slot){e->ip, e->port};
    size_t i = (size_t)(free_slot - row->slots);
    buf_addf(commands, "set server %s/s%zu addr %s port %d\nset server %s/s%zu state ready\n", backend, i,
             ip_format(&e->ip, ip), e->port, backend, i);
}

bool slots_update(struct slots *s, const char *backend, const struct svc_port *port, struct buf *commands)
{
    struct slot_row *row = map_get(&s->rows, backend);
    size_t all = port ? port->n_endpoints : 0;
    _cleanup_free_ size_t *usable = xcalloc(all + 1, sizeof(*usable));
    /* Of one family, IPv4 before IPv6: a pod with an address of each is one server. */
    int family = all ? port->endpoints[0].ip.family : 0;
    size_t n = all ? svc_usable_endpoints_of(port, family, false, "", usable) : 0;
    if (!row)
        map_put(&s->rows, backend, row = NEW(struct slot_row));
    bool same_shape = make_room(row, n);
    leave(row, backend, port, usable, n, commands);
    for (size_t i = 0; i < n; i++)
        enter(row, backend, &port->endpoints[usable[i]], commands);
    return same_shape;
}
