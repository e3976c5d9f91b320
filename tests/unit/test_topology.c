/* control: how endpoints are shared out among zones. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "control/topology.h"
#include "json/json.h"
#include "t.h"

/* "a4 b2": nodes in these zones with so many CPUs; '-' a zone without a name, '!' behind it: not Ready, '^': of the
 * control plane. */
static json_t *nodes_of(const char *text)
{
    json_t *nodes = json_array();
    for (const char *at = text; *at; at += strcspn(at, " "), at += *at == ' ') {
        char zone[2] = {at[0], '\0'}, cpu[2] = {at[1], '\0'};
        json_t *node =
            json_pack("{s:{s:{}}, s:{s:{s:s}, s:[{s:s, s:s}]}}", "metadata", "labels", "status", "allocatable", "cpu",
                      cpu, "conditions", "type", "Ready", "status", at[2] == '!' ? "False" : "True");
        json_t *labels = jget(node, "metadata.labels");
        if (*zone != '-')
            json_object_set_new(labels, "topology.kubernetes.io/zone", json_string(zone));
        if (at[2] == '^')
            json_object_set_new(labels, "node-role.kubernetes.io/control-plane", json_string(""));
        json_array_append_new(nodes, node);
    }
    return nodes;
}

/* A letter an endpoint: its zone; in capitals: not ready. */
static json_t *endpoints_of(const char *text)
{
    json_t *endpoints = json_array();
    for (size_t i = 0; text[i]; i++) {
        char zone[2] = {(char)(text[i] | 0x20), '\0'}, ip[32];
        snprintf(ip, sizeof(ip), "10.0.0.%zu", 100 + i);
        json_t *e = json_pack("{s:[s], s:{s:b}}", "addresses", ip, "conditions", "ready", text[i] >= 'a');
        if (text[i] != '-')
            jset_str(e, "zone", zone);
        else
            jset_bool(e, "conditions.ready", true);
        json_array_append_new(endpoints, e);
    }
    return endpoints;
}

static const struct {
    const char *nodes, *endpoints, *hints; /* '.': none */
} cases[] = {
    {"a4 b4", "ab", "ab"},
    {"a4 b4", "aabb", "aabb"},
    {"a4 b4", "aaaa", "aabb"},   /* one zone shares with the other */
    {"a4 b4", "aAbbb", "a.bba"}, /* only ready ones count */
    {"a4 b4 c4", "aaabbbccc", "aaabbbccc"},
    {"a4 b4 c4", "aaaaaa", "aabcbc"},
    {"a6 b2", "aaaabbbb", "aaaaabbb"}, /* by CPUs */
    {"a4 b4", "a", "."},               /* fewer than zones */
    {"a4 b4", "aaa", "..."},           /* two of three cannot be halved without overload */
    {"a4 b4", "a-", ".."},             /* an endpoint in no zone */
    {"a4 b4", "ac", ".."},             /* or in one without nodes */
    {"a4", "aa", ".."},
    {"a4 -4", "aa", ".."},
    {"a4 b0", "ab", ".."},
    {"a4 b4!", "ab", ".."},
    {"a4 b4 c4^", "ab", "ab"},
    {"a4 b4 -4^", "ab", "ab"},
};

TEST(zones_get_their_share)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct topology_zone zones[TOPOLOGY_ZONES_MAX];
        struct buf got = BUF_INIT(1000);
        size_t k;
        json_t *e;
        _cleanup_json_ json_t *nodes = nodes_of(cases[i].nodes), *endpoints = endpoints_of(cases[i].endpoints);
        topology_hint(endpoints, zones, topology_zones(nodes, zones));
        json_array_foreach(endpoints, k, e)
            buf_adds(&got, jstr_or(json_array_get(jget(e, "hints.forZones"), 0), "name", "."));
        if (!streq(buf_str(&got), cases[i].hints))
            T_FAIL("nodes %s, endpoints %s: %s, not %s", cases[i].nodes, cases[i].endpoints, buf_str(&got),
                   cases[i].hints);
        buf_done(&got);
    }
}

int main(void)
{
    RUN(zones_get_their_share);
    return DONE();
}
