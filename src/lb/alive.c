/* See alive.h. */
#include "lb/alive.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

/* --- heartbeats --- */

static const unsigned char magic[] = {'c', '8', 's', 'b', 'e', 'a', 't', 1}; /* the last one is the version */

static void put32(unsigned char *at, uint32_t n)
{
    n = htonl(n);
    memcpy(at, &n, sizeof(n));
}

static uint32_t get32(const unsigned char *at)
{
    uint32_t n;
    memcpy(&n, at, sizeof(n));
    return ntohl(n);
}

void beat_write(const struct beat *b, unsigned char out[BEAT_SIZE])
{
    memcpy(out, magic, sizeof(magic));
    put32(out + 8, b->age);
    put32(out + 12, b->yours);
}

bool beat_read(const void *data, size_t size, struct beat *ret)
{
    const unsigned char *bytes = data;
    if (size != BEAT_SIZE || memcmp(bytes, magic, sizeof(magic)) != 0)
        return false;
    *ret = (struct beat){get32(bytes + 8), get32(bytes + 12)};
    return true;
}

/* --- nodes --- */

struct peer {
    enum { UNHEARD, PRESUMED, HEARD, LOST } state; /* presumed: to be heard soon */
    bool serves, settled, deaf;                    /* deaf: says it does not hear us */
    uint64_t heard_at, since;                      /* our clock; since: when it came */
};

struct alive {
    struct map peers;
    uint64_t since, ticked_at;
    bool settled;
};

struct alive *alive_new(uint64_t now)
{
    struct alive *a = NEW(struct alive);
    *a = (struct alive){.since = now, .ticked_at = now, .settled = true};
    return a;
}

void alive_free(struct alive *a)
{
    if (!a)
        return;
    map_done_with(&a->peers, free);
    free(a);
}

void alive_put(struct alive *a, const char *node, bool serves)
{
    struct peer *p = map_get(&a->peers, node);
    if (!p) {
        p = NEW(struct peer);
        *p = (struct peer){.settled = true};
        map_put(&a->peers, node, p);
    }
    p->serves = serves;
}

void alive_remove(struct alive *a, const char *node)
{
    free(map_del(&a->peers, node));
}

static bool is_there(const struct peer *p)
{
    return p->state == PRESUMED || p->state == HEARD;
}

/* Alone though there are several others: it is we who are cut off. */
static bool is_cut_off(const struct alive *a)
{
    size_t serving = 0;
    for (struct map_entry *e = NULL; (e = map_next(&a->peers, e));) {
        const struct peer *p = e->value;
        if (p->state != LOST)
            return false;
        serving += p->serves;
    }
    return serving > 1;
}

/* When the one came who has been there longest. */
static uint64_t find_oldest(const struct alive *a)
{
    uint64_t oldest = a->since;
    for (struct map_entry *e = NULL; (e = map_next(&a->peers, e));) {
        const struct peer *p = e->value;
        if (is_there(p) && p->serves && p->since < oldest)
            oldest = p->since;
    }
    return oldest;
}

/* Long enough, or not much shorter than anybody else. */
static bool is_settled(uint64_t since, uint64_t oldest, uint64_t now)
{
    return since + ALIVE_HOLD_MS <= now || since <= oldest + ALIVE_HOLD_MS;
}

static int judge(struct alive *a, uint64_t now)
{
    uint64_t oldest = find_oldest(a);
    bool settled = is_settled(a->since, oldest, now), changed = settled != a->settled;
    a->settled = settled;
    for (struct map_entry *e = NULL; (e = map_next(&a->peers, e));) {
        struct peer *p = e->value;
        settled = p->state == UNHEARD || (p->state != LOST && is_settled(p->since, oldest, now));
        changed |= settled != p->settled;
        p->settled = settled;
    }
    return changed ? ALIVE_NODES : 0;
}

static uint64_t ago(uint64_t now, uint32_t ms)
{
    return ms < now ? now - ms : 0;
}

int alive_heard(struct alive *a, const char *node, const struct beat *b, uint64_t now)
{
    struct peer *p = map_get(&a->peers, node);
    if (!p)
        return 0;
    bool deaf = b->yours == BEAT_UNHEARD, was_lost = p->state == LOST;
    int news = was_lost ? ALIVE_NODES | ALIVE_DOUBT : deaf != p->deaf ? ALIVE_DOUBT : 0;
    uint64_t since = ago(now, b->age);
    p->since = p->state == HEARD && p->since < since ? p->since : since;
    p->state = HEARD;
    p->heard_at = now;
    p->deaf = deaf;
    if (!deaf && ago(now, b->yours) < a->since)
        a->since = ago(now, b->yours);
    return news | judge(a, now);
}

int alive_tick(struct alive *a, uint64_t now)
{
    uint64_t gap = now - a->ticked_at, slept = gap > 2 * ALIVE_BEAT_MS ? gap - ALIVE_BEAT_MS : 0;
    int news = 0;
    a->ticked_at = now;
    for (struct map_entry *e = NULL; (e = map_next(&a->peers, e));) {
        struct peer *p = e->value;
        p->heard_at += slept;
        if (!is_there(p) || now - p->heard_at <= ALIVE_LOST_MS)
            continue;
        p->state = LOST;
        news = ALIVE_NODES;
    }
    if (is_cut_off(a))
        a->since = now;
    return news | judge(a, now);
}

void alive_return(struct alive *a, uint64_t now)
{
    a->since = a->ticked_at = now;
    for (struct map_entry *e = NULL; (e = map_next(&a->peers, e));) {
        struct peer *p = e->value;
        p->state = PRESUMED;
        p->heard_at = now;
        p->since = 0;
        p->deaf = false;
    }
    (void)judge(a, now);
}

/* --- asking --- */

static uint32_t age(uint64_t since, uint64_t now)
{
    return now - since < BEAT_UNHEARD ? (uint32_t)(now - since) : BEAT_UNHEARD - 1;
}

struct beat alive_beat(const struct alive *a, const char *node, uint64_t now)
{
    const struct peer *p = map_get(&a->peers, node);
    return (struct beat){age(a->since, now), p && p->state == HEARD ? age(p->since, now) : BEAT_UNHEARD};
}

bool alive_lost(const struct alive *a, const char *node)
{
    const struct peer *p = map_get(&a->peers, node);
    return p && p->state == LOST;
}

bool alive_settled(const struct alive *a, const char *node)
{
    const struct peer *p = node ? map_get(&a->peers, node) : NULL;
    return p ? p->settled : a->settled;
}
