/* See affinity.h. An element of `affinity` is [{"elem": {"val": {"concat": [client, number]}, …}}, {"concat":
 * [endpoint, port]}], one of `affine` [{"concat": [address, protocol, port]}, number]; without attributes (timeout)
 * "elem" and "val" are left out. */
#include "proxy/affinity.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "json/json.h"

struct affinity {
    struct ip client;
    uint32_t number;
    int timeout, expires; /* seconds; 0: not said */
    struct target endpoint;
};

static bool read_address(const json_t *j, struct ip *ret)
{
    return json_is_string(j) && ip_parse(json_string_value(j), ret);
}

static bool read_affinity(const json_t *pair, struct affinity *ret)
{
    const json_t *left = json_array_get(pair, 0), *key = jget(left, "elem.val.concat"),
                 *data = jget(json_array_get(pair, 1), "concat");
    if (!key)
        key = jget(left, "concat");
    ret->timeout = (int)jint(left, "elem.timeout", 0);
    ret->expires = (int)jint(left, "elem.expires", 0);
    ret->number = (uint32_t)json_integer_value(json_array_get(key, 1));
    ret->endpoint.port = (uint16_t)json_integer_value(json_array_get(data, 1));
    return read_address(json_array_get(key, 0), &ret->client) &&
           read_address(json_array_get(data, 0), &ret->endpoint.ip);
}

static void render_stale(const struct affinity *a, struct buf *out)
{
    char client[IP_TEXT_SIZE];
    buf_addf(out, "%s%s . %u", out->len ? ", " : "", ip_format(&a->client, client), a->number);
}

void affinity_render_stale(int family, const json_t *list, const struct recheck_list *l, struct buf *out)
{
    struct buf stale = BUF_INIT(0);
    size_t i, k;
    json_t *item, *pair;
    json_array_foreach(jget(list, "nftables"), i, item) {
        json_array_foreach(jget(item, "map.elem"), k, pair) {
            struct affinity a;
            if (!read_affinity(pair, &a))
                continue;
            if (recheck_stale(l, &(struct recheck_key){.number = a.number}, &a.endpoint))
                render_stale(&a, &stale);
        }
    }
    if (stale.len)
        buf_addf(out, "delete element %s " TABLE " affinity { %s }\n", family == AF_INET6 ? "ip6" : "ip", stale.data);
    buf_done(&stale);
}

/* --- over the end of a table --- */

/* The front as it is printed; the caller frees it. NULL: the element is none of ours. */
static char *read_front(const json_t *pair, uint32_t *number)
{
    const json_t *key = jget(json_array_get(pair, 0), "concat");
    *number = (uint32_t)json_integer_value(json_array_get(pair, 1));
    return key && *number ? jprint(key) : NULL;
}

/* number as text -> what it is now, as the pointer's value: by the fronts that both tables have. */
static void translate(const json_t *before, const json_t *now, struct map *ret)
{
    struct map numbers = {0};
    char text[16];
    uint32_t number;
    size_t i, k;
    json_t *item, *pair;
    json_array_foreach(jget(now, "nftables"), i, item) {
        json_array_foreach(jget(item, "map.elem"), k, pair) {
            _cleanup_free_ char *front = read_front(pair, &number);
            if (front)
                map_put(&numbers, front, (void *)(uintptr_t)number);
        }
    }
    json_array_foreach(jget(before, "nftables"), i, item) {
        json_array_foreach(jget(item, "map.elem"), k, pair) {
            _cleanup_free_ char *front = read_front(pair, &number);
            void *known = front ? map_get(&numbers, front) : NULL;
            snprintf(text, sizeof(text), "%u", number);
            if (known)
                map_put(ret, text, known);
        }
    }
    map_done(&numbers);
}

static void render_kept(const struct affinity *a, uint32_t number, struct buf *out)
{
    char client[IP_TEXT_SIZE], endpoint[IP_TEXT_SIZE];
    buf_addf(out, "%s%s . %u timeout %ds expires %ds : %s . %u", out->len ? ", " : "", ip_format(&a->client, client),
             number, a->timeout, a->expires, ip_format(&a->endpoint.ip, endpoint), a->endpoint.port);
}

void affinity_render_kept(int family, const json_t *affinities, const json_t *fronts_before, const json_t *fronts_now,
                          struct buf *out)
{
    struct map numbers = {0};
    struct buf kept = BUF_INIT(0);
    char text[16];
    size_t i, k;
    json_t *item, *pair;
    translate(fronts_before, fronts_now, &numbers);
    json_array_foreach(jget(affinities, "nftables"), i, item) {
        json_array_foreach(jget(item, "map.elem"), k, pair) {
            struct affinity a = {0};
            bool readable = read_affinity(pair, &a);
            if (!a.timeout) /* nft leaves out what is the map's own */
                a.timeout = (int)jint(item, "map.timeout", 0);
            if (!readable || a.expires <= 0 || a.timeout < a.expires)
                continue;
            snprintf(text, sizeof(text), "%u", a.number);
            uint32_t number = (uint32_t)(uintptr_t)map_get(&numbers, text);
            if (number)
                render_kept(&a, number, &kept);
        }
    }
    if (kept.len)
        buf_addf(out, "add element %s " TABLE " affinity { %s }\n", family == AF_INET6 ? "ip6" : "ip", kept.data);
    buf_done(&kept);
    map_done(&numbers);
}
