/* See reach.h. */
#include "podnet/reach.h"

#include <arpa/inet.h>
#include <string.h>

/* --- packets --- */

static const unsigned char magic[] = {'c', '8', 's', 'w', 'a', 'y', 's', 1}; /* the last one is the version */
enum { AT_KIND = 8, AT_HEARD, AT_CORRUPT, AT_ZERO, AT_LIFE, AT_ROUND = 16 };

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

void reach_write(const struct reach_note *n, unsigned char out[REACH_PACKET_SIZE])
{
    memset(out, 0, REACH_PACKET_SIZE);
    memcpy(out, magic, sizeof(magic));
    out[AT_KIND] = (unsigned char)n->kind;
    for (unsigned k = 0; k < REACH_KINDS; k++)
        out[AT_HEARD] |= (unsigned char)(n->heard[k] << 2 * k);
    out[AT_CORRUPT] = n->corrupt;
    put32(out + AT_LIFE, n->life);
    put32(out + AT_ROUND, n->round);
}

bool reach_read(const void *data, size_t size, struct reach_note *ret)
{
    const unsigned char *in = data;
    if (size < REACH_PACKET_SIZE || memcmp(in, magic, sizeof(magic)) != 0 || in[AT_KIND] >= REACH_KINDS ||
        in[AT_CORRUPT] > 1 || in[AT_ZERO])
        return false;
    *ret = (struct reach_note){.kind = (enum reach_kind)in[AT_KIND],
                               .life = get32(in + AT_LIFE),
                               .round = get32(in + AT_ROUND),
                               .corrupt = in[AT_CORRUPT]};
    for (unsigned k = 0; k < REACH_KINDS; k++) {
        ret->heard[k] = (enum reach_state)(in[AT_HEARD] >> 2 * k & 3);
        if (ret->heard[k] > REACH_MISSING)
            return false;
    }
    return true;
}

/* --- what is heard --- */

void reach_set_ready(struct reach *r, bool ready, uint64_t now)
{
    if (ready && !r->ready)
        r->quiet_ms = now;
    r->ready = ready;
}

/* Who begins a new life counts its rounds anew. */
static void begin_life(struct reach *r, uint32_t life)
{
    memset(r->kinds, 0, sizeof(r->kinds));
    r->heard = true;
    r->life = life;
    r->round = 0;
    r->corrupt = false;
}

void reach_heard(struct reach *r, const struct reach_note *n, uint64_t now)
{
    if (!r->heard || r->life != n->life)
        begin_life(r, n->life);
    if (n->round > r->round) { /* however many went by unheard: one alone proves nothing */
        r->round = n->round;
        for (int k = 0; k < REACH_KINDS; k++)
            r->kinds[k].since++;
    }
    r->kinds[n->kind].ever = true;
    r->kinds[n->kind].since = 0;
    if (n->kind == REACH_SUMMED)
        r->corrupt = false;
    r->quiet_ms = now;
    memcpy(r->told, n->heard, sizeof(r->told));
    r->told_corrupt = n->corrupt;
}

static enum reach_state state_of(const struct reach *r, enum reach_kind k, uint64_t now)
{
    if (r->ready && now - r->quiet_ms >= REACH_SILENT_MS)
        return REACH_MISSING;
    if (r->kinds[k].since >= REACH_ROUNDS)
        return REACH_MISSING;
    return r->kinds[k].ever ? REACH_ARRIVES : REACH_UNKNOWN;
}

struct reach_note reach_tell(const struct reach *r, uint64_t now)
{
    struct reach_note n = {.corrupt = r->corrupt};
    for (int k = 0; k < REACH_KINDS; k++)
        n.heard[k] = state_of(r, (enum reach_kind)k, now);
    return n;
}

bool reach_is_missing(const struct reach *r, uint64_t now)
{
    return r->ready && state_of(r, REACH_SUMMED, now) == REACH_MISSING;
}

/* --- what follows --- */

static enum reach_fault judge(const enum reach_state heard[REACH_KINDS], bool corrupt)
{
    switch (heard[REACH_SUMMED]) {
    case REACH_ARRIVES:
        return heard[REACH_FULL] == REACH_MISSING ? REACH_TOO_LARGE : REACH_WELL;
    case REACH_MISSING:
        return corrupt || heard[REACH_PLAIN] == REACH_ARRIVES ? REACH_CORRUPT : REACH_BLOCKED;
    default:
        return REACH_NOT_KNOWN;
    }
}

enum reach_fault reach_in(const struct reach *r, uint64_t now)
{
    const struct reach_note n = reach_tell(r, now);
    return r->ready ? judge(n.heard, n.corrupt) : REACH_NOT_KNOWN;
}

enum reach_fault reach_out(const struct reach *r)
{
    return r->ready ? judge(r->told, r->told_corrupt) : REACH_NOT_KNOWN;
}
