/* See ipalloc.h. */
#include "service/ipalloc.h"

#include "base/alloc.h"
#include "base/rand.h"

struct numalloc {
    uint32_t size, band;
    uint32_t used, used_in_band;
    uint64_t words[]; /* a bit a number, set: taken; bits past the size stay set */
};

#define WORD_BITS 64

static bool bit(const struct numalloc *a, uint32_t n)
{
    return a->words[n / WORD_BITS] >> (n % WORD_BITS) & 1;
}

struct numalloc *numalloc_new(uint32_t size, uint32_t band)
{
    size_t n_words = ((size_t)size + WORD_BITS - 1) / WORD_BITS;
    struct numalloc *a = xcalloc(1, sizeof(*a) + n_words * sizeof(a->words[0]));
    a->size = size;
    a->band = band < size ? band : size;
    if (size % WORD_BITS)
        a->words[n_words - 1] = ~(uint64_t)0 << (size % WORD_BITS);
    return a;
}

void numalloc_free(struct numalloc *a)
{
    free(a);
}

bool numalloc_has(const struct numalloc *a, uint32_t n)
{
    return n < a->size && bit(a, n);
}

bool numalloc_take(struct numalloc *a, uint32_t n)
{
    if (n >= a->size || bit(a, n))
        return false;
    a->words[n / WORD_BITS] |= (uint64_t)1 << (n % WORD_BITS);
    a->used++;
    a->used_in_band += n < a->band;
    return true;
}

void numalloc_release(struct numalloc *a, uint32_t n)
{
    if (!numalloc_has(a, n))
        return;
    a->words[n / WORD_BITS] &= ~((uint64_t)1 << (n % WORD_BITS));
    a->used--;
    a->used_in_band -= n < a->band;
}

uint32_t numalloc_used(const struct numalloc *a)
{
    return a->used;
}

/* The first free number in [from, end), word by word; `end` when there is none. */
static uint32_t first_free(const struct numalloc *a, uint32_t from, uint32_t end)
{
    while (from < end) {
        uint64_t free_bits = ~a->words[from / WORD_BITS] & (~(uint64_t)0 << (from % WORD_BITS));
        uint32_t base = from - from % WORD_BITS;
        if (free_bits) {
            uint32_t n = base + (uint32_t)__builtin_ctzll(free_bits);
            return n < end ? n : end;
        }
        if (end - base <= WORD_BITS)
            return end;
        from = base + WORD_BITS;
    }
    return end;
}

/* The first free number at or behind a random place in [start, end), round once. The caller knows that there is one. */
static uint32_t random_free(const struct numalloc *a, uint32_t start, uint32_t end)
{
    uint32_t place = start + rand_below(end - start), n = first_free(a, place, end);
    return n < end ? n : first_free(a, start, place);
}

bool numalloc_next(struct numalloc *a, uint32_t *ret)
{
    if (a->used == a->size)
        return false;
    bool above = a->used - a->used_in_band < a->size - a->band;
    *ret = above ? random_free(a, a->band, a->size) : random_free(a, 0, a->band);
    return numalloc_take(a, *ret);
}

static uint32_t clamp(uint32_t n, uint32_t min, uint32_t max)
{
    return n < min ? min : n > max ? max : n;
}

uint32_t ip_static_band(uint32_t size)
{
    return clamp(size / 16, 16, 256);
}

uint32_t port_static_band(uint32_t size)
{
    return clamp(size / 32, 16, 128);
}
