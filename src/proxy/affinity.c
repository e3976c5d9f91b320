/* See affinity.h. An element of the list is [{"elem": {"val": {"concat": [client, number]}, …}}, {"concat": [endpoint,
 * port]}]; without attributes (timeout) "elem" and "val" are left out. */
#include "proxy/affinity.h"

#include <stdlib.h>

#include "json/json.h"

struct affinity {
    struct ip client;
    uint32_t number;
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
