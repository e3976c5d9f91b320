/* service/ipalloc: never the same number twice, and the band at the bottom stays free as long as it can. */
#include "base/alloc.h"
#include "service/ipalloc.h"
#include "t.h"

TEST(bands_are_as_large_as_upstream_s)
{
    static const struct {
        uint32_t size, ip, port;
    } cases[] = {{1, 16, 16}, {254, 16, 16}, {512, 32, 16}, {2768, 173, 86}, {4096, 256, 128}, {1048574, 256, 128}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        T_INT(ip_static_band(cases[i].size), cases[i].ip);
        T_INT(port_static_band(cases[i].size), cases[i].port);
    }
}

TEST(all_numbers_come_once_the_band_last)
{
    static const struct {
        uint32_t size, band;
    } cases[] = {{1, 16}, {16, 16}, {17, 16}, {64, 16}, {65, 1}, {100, 0}, {128, 64}, {254, 16}, {2768, 86}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct numalloc *a = numalloc_new(cases[i].size, cases[i].band);
        bool seen[2768] = {0};
        uint32_t n;
        for (uint32_t k = 0; k < cases[i].size; k++) {
            T_TRUE(numalloc_next(a, &n));
            T_TRUE(n < cases[i].size && !seen[n]);
            seen[n] = true;
            if (cases[i].band < cases[i].size)
                T_TRUE((n < cases[i].band) == (k >= cases[i].size - cases[i].band));
        }
        T_TRUE(!numalloc_next(a, &n));
        T_INT(numalloc_used(a), cases[i].size);
        numalloc_free(a);
    }
}

TEST(behaves_like_a_naive_set)
{
    enum { SIZE = 200, BAND = 30 };
    struct numalloc *a = numalloc_new(SIZE, BAND);
    bool there[SIZE] = {0};
    uint32_t used = 0, used_above = 0;
    srand(5);
    for (int step = 0; step < 50000; step++) {
        uint32_t n = (uint32_t)rand() % (SIZE + 5);
        switch (rand() % 3) {
        case 0:
            T_TRUE(numalloc_take(a, n) == (n < SIZE && !there[n]));
            break;
        case 1:
            numalloc_release(a, n);
            if (n < SIZE && there[n]) {
                there[n] = false;
                used--;
                used_above -= n >= BAND;
            }
            continue;
        default:
            T_TRUE(numalloc_next(a, &n) == (used < SIZE));
            if (used == SIZE)
                continue;
            T_TRUE(n < SIZE && !there[n]);
            T_TRUE((n < BAND) == (used_above == SIZE - BAND));
        }
        if (n < SIZE && !there[n]) {
            there[n] = true;
            used++;
            used_above += n >= BAND;
        }
        T_INT(numalloc_used(a), used);
        T_TRUE(n >= SIZE || numalloc_has(a, n));
    }
    T_TRUE(!numalloc_has(a, SIZE));
    numalloc_free(a);
}

/* So that a freed address is not given to the next Service at once: clients may still hold it. */
TEST(numbers_are_spread)
{
    struct numalloc *a = numalloc_new(1 << 20, 256);
    uint32_t first, n, same = 0;
    T_TRUE(numalloc_next(a, &first));
    for (int i = 0; i < 20; i++) {
        numalloc_release(a, first);
        T_TRUE(numalloc_next(a, &n));
        same += n == first;
        first = n;
    }
    T_TRUE(same < 3);
    numalloc_free(a);
}

int main(void)
{
    RUN(bands_are_as_large_as_upstream_s);
    RUN(all_numbers_come_once_the_band_last);
    RUN(behaves_like_a_naive_set);
    RUN(numbers_are_spread);
    return DONE();
}
