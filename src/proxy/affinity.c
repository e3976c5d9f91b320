/* See affinity.h. An element of the list is [{"elem": {"val": {"concat": [client, address, protocol, port]}, …}},
 * {"concat": [endpoint, port]}]; without attributes (timeout) "elem" and "val" are left out. */
#include "proxy/affinity.h"

#include <stdlib.h>

#include "base/str.h"
#include "json/json.h"

/* "tcp" or 6, as nft likes. */
static bool read_protocol(const json_t *j, enum svc_protocol *ret)
{
    static const int numbers[PROTO_N] = {[PROTO_TCP] = 6, [PROTO_UDP] = 17, [PROTO_SCTP] = 132};
    for (int p = 0; p < PROTO_N; p++) {
        if (json_is_string(j) ? streq(json_string_value(j), svc_protocol_name(p))
                              : json_integer_value(j) == numbers[p]) {
            *ret = (enum svc_protocol)p;
            return true;
        }
    }
    return false;
}

static bool read_address(const json_t *j, struct ip *ret)
{
    return json_is_string(j) && ip_parse(json_string_value(j), ret);
}

struct affinity {
    struct ip client, front, endpoint;
    enum svc_protocol protocol;
    uint16_t port, endpoint_port;
};

static bool read_affinity(const json_t *pair, struct affinity *ret)
{
    const json_t *left = json_array_get(pair, 0), *key = jget(left, "elem.val.concat"),
                 *data = jget(json_array_get(pair, 1), "concat");
    if (!key)
        key = jget(left, "concat");
    ret->port = (uint16_t)json_integer_value(json_array_get(key, 3));
    ret->endpoint_port = (uint16_t)json_integer_value(json_array_get(data, 1));
    return read_address(json_array_get(key, 0), &ret->client) && read_address(json_array_get(key, 1), &ret->front) &&
           read_protocol(json_array_get(key, 2), &ret->protocol) &&
           read_address(json_array_get(data, 0), &ret->endpoint);
}

static void render_stale(const struct affinity *a, struct buf *out)
{
    static const int numbers[PROTO_N] = {[PROTO_TCP] = 6, [PROTO_UDP] = 17, [PROTO_SCTP] = 132};
    char client[IP_TEXT_SIZE], front[IP_TEXT_SIZE];
    buf_addf(out, "%s%s . %s . %d . %u", out->len ? ", " : "", ip_format(&a->client, client),
             ip_format(&a->front, front), numbers[a->protocol], a->port);
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
            if (recheck_stale(l, &a.front, a.protocol, a.port, &a.endpoint, a.endpoint_port))
                render_stale(&a, &stale);
        }
    }
    if (stale.len)
        buf_addf(out, "delete element %s " TABLE " affinity { %s }\n", family == AF_INET6 ? "ip6" : "ip", stale.data);
    buf_done(&stale);
}
