/* See choose.h. */
#include "lb/choose.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"

/* FNV alone hardly mixes what comes last into the high bits (the finaliser is MurmurHash3's). */
static uint64_t weight(const struct ip *ip, const char *node)
{
    char address[IP_TEXT_SIZE];
    _cleanup_free_ char *text = xasprintf("%s %s", ip_format(ip, address), node);
    uint64_t h = hash_bytes(text, strlen(text));
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return h ^ (h >> 33);
}

const char *lb_choose(const struct ip *ip, const char *const *nodes, size_t n)
{
    const char *best = NULL;
    uint64_t best_weight = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t w = weight(ip, nodes[i]);
        if (!best || w > best_weight || (w == best_weight && strcmp(nodes[i], best) < 0)) {
            best = nodes[i];
            best_weight = w;
        }
    }
    return best;
}
