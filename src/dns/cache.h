/* A small memory of other servers' answers, each for as long as its TTL says. Never of our own names: those are
 * answered from the model. Time comes from the caller. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
/* seconds: nothing is kept for longer, whatever its TTL was, so that a change outside is seen that soon. */
struct cache *cache_new(unsigned seconds);
void cache_free(struct cache *c);
/* The answer with the query's id and spelling and the TTLs that are left; out: CACHE_REPLY_MAX bytes. */
bool cache_get(struct cache *c, const uint8_t *query, size_t len, int64_t now_ms, uint8_t *out, size_t *ret_len);
void cache_put(struct cache *c, const uint8_t *query, size_t len, const uint8_t *reply, size_t reply_len,
               int64_t now_ms);

#define CACHE_REPLY_MAX 1500   /* bytes: larger answers are rare and may be asked for again */
#define CACHE_ENTRIES_MAX 2000 /* at most 3 MB */
