/* See cache.h. */
#include "dns/cache.h"

#include <libknot/descriptor.h>
#include <libknot/packet/wire.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "dns/wire.h"

struct entry {
    struct list link; /* oldest first */
    char *key;
    int64_t stored_ms, expires_ms;
    size_t len;
    uint8_t reply[];
};

struct cache {
    struct map by_key;
    struct list entries;
    unsigned seconds;
};

#define NAME_MAX_SIZE 255
/* Question and flags in hexadecimal. */
#define KEY_SIZE (2 * (NAME_MAX_SIZE + 4 + 1) + 1)
/* More records than this in CACHE_REPLY_MAX bytes would be empty ones. */
#define RECORDS_MAX 130
#define OPT_SIZE 11 /* bytes of an OPT record without options */

struct cache *cache_new(unsigned seconds)
{
    struct cache *c = NEW(struct cache);
    c->seconds = seconds;
    list_init(&c->entries);
    return c;
}

static void drop(struct cache *c, struct entry *e)
{
    map_del(&c->by_key, e->key);
    list_remove(&e->link);
    free(e->key);
    free(e);
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    LIST_EACH(it, &c->entries) {
        drop(c, container_of(it, struct entry, link));
    }
    map_done(&c->by_key);
    free(c);
}

/* What an answer depends on besides the question: recursion, checking, and whether EDNS and DNSSEC were asked for.
 * Queries with options (cookies, client subnets) are between that client and that server: no key. */
static bool query_flags(const uint8_t *query, size_t len, size_t question_end, uint8_t *ret)
{
    *ret = (uint8_t)((knot_wire_get_rd(query) ? 1 : 0) | (knot_wire_get_cd(query) ? 2 : 0));
    if (question_end == len)
        return true;
    const uint8_t *opt = &query[question_end];
    if (len - question_end != OPT_SIZE || opt[0] != 0 || wire_u16(&opt[1]) != KNOT_RRTYPE_OPT)
        return false;
    *ret |= (uint8_t)(4 | (opt[7] & 0x80 ? 8 : 0));
    return true;
}

static bool make_key(const uint8_t *query, size_t len, char key[KEY_SIZE])
{
    uint8_t bytes[KEY_SIZE / 2];
    size_t end = wire_question_end(query, len);
    if (!end || !query_flags(query, len, end, &bytes[0]))
        return false;
    size_t n = end - WIRE_HEADER_SIZE;
    for (size_t i = 0; i < n; i++) {
        uint8_t b = query[WIRE_HEADER_SIZE + i];
        bytes[1 + i] = b >= 'A' && b <= 'Z' ? b | 0x20 : b;
    }
    str_hex(bytes, 1 + n, key);
    return true;
}

/* Subtracts the seconds the answer has been lying here. */
static bool age(uint8_t *reply, size_t len, uint32_t seconds)
{
    uint16_t offsets[RECORDS_MAX];
    size_t n;
    if (!wire_ttl_offsets(reply, len, offsets, RECORDS_MAX, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        uint32_t ttl = wire_u32(&reply[offsets[i]]);
        wire_put_u32(&reply[offsets[i]], ttl > seconds ? ttl - seconds : 0);
    }
    return true;
}

bool cache_get(struct cache *c, const uint8_t *query, size_t len, int64_t now_ms, uint8_t *out, size_t *ret_len)
{
    char key[KEY_SIZE];
    if (!make_key(query, len, key))
        return false;
    struct entry *e = map_get(&c->by_key, key);
    if (!e)
        return false;
    if (now_ms >= e->expires_ms) {
        drop(c, e);
        return false;
    }
    memcpy(out, e->reply, e->len);
    knot_wire_set_id(out, knot_wire_get_id(query));
    memcpy(out + WIRE_HEADER_SIZE, query + WIRE_HEADER_SIZE, wire_question_end(query, len) - WIRE_HEADER_SIZE);
    *ret_len = e->len;
    return age(out, e->len, (uint32_t)((now_ms - e->stored_ms) / 1000));
}

void cache_put(struct cache *c, const uint8_t *query, size_t len, const uint8_t *reply, size_t reply_len,
               int64_t now_ms)
{
    char key[KEY_SIZE];
    uint16_t offsets[RECORDS_MAX];
    size_t n;
    uint32_t seconds = wire_cache_seconds(reply, reply_len);
    if (seconds > c->seconds)
        seconds = c->seconds;
    if (!seconds || reply_len > CACHE_REPLY_MAX || !wire_same_question(query, len, reply, reply_len) ||
        !wire_ttl_offsets(reply, reply_len, offsets, RECORDS_MAX, &n) || !make_key(query, len, key))
        return;
    struct entry *old = map_get(&c->by_key, key);
    if (old)
        drop(c, old);
    else if (c->by_key.len >= CACHE_ENTRIES_MAX)
        drop(c, container_of(c->entries.next, struct entry, link));
    struct entry *e = xmalloc(sizeof(*e) + reply_len);
    *e = (struct entry){
        .key = xstrdup(key), .stored_ms = now_ms, .expires_ms = now_ms + (int64_t)seconds * 1000, .len = reply_len};
    memcpy(e->reply, reply, reply_len);
    map_put(&c->by_key, e->key, e);
    list_append(&c->entries, &e->link);
}
