/* NetworkPolicies: which traffic pods take and make. Rules: pkg/apis/networking/validation/validation.go. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

static const struct field port_fields[] = {
    {"protocol", F_STR, .dflt = "\"TCP\"", .oneof = ONE_OF("SCTP", "TCP", "UDP"), .doc = "TCP, UDP or SCTP."},
    {"port", F_INT_OR_STR, .doc = "Number or name of the port; missing: all."},
    {"endPort", F_INT, .doc = "Last one, when `port` is the first of several."},
    {0},
};

static const struct field block_fields[] = {
    {"cidr", F_STR, REQ, .check = check_cidr, .doc = "Range of addresses."},
    {"except", F_LIST, OPT | ATOMIC, .sub = cidr_item, .doc = "Ranges in it that are not meant."},
    {0},
};

static const struct field peer_fields[] = {
    {"podSelector", F_OBJECT, ATOMIC, .sub = label_selector_fields, .doc = "Labels of the pods."},
    {"namespaceSelector", F_OBJECT, ATOMIC, .sub = label_selector_fields,
     .doc = "Labels of their namespaces; missing: that of the policy."},
    {"ipBlock", F_OBJECT, .sub = block_fields, .doc = "Addresses instead of pods."},
    {0},
};

static const struct field ingress_fields[] = {
    {"ports", F_LIST, OPT | ATOMIC, LIST_OF(port_fields), .doc = "Ports that may be reached; missing: all."},
    {"from", F_LIST, OPT | ATOMIC, LIST_OF(peer_fields), .doc = "Who may reach them; missing: everybody."},
    {0},
};

static const struct field egress_fields[] = {
    {"ports", F_LIST, OPT | ATOMIC, LIST_OF(port_fields), .doc = "Ports that may be reached; missing: all."},
    {"to", F_LIST, OPT | ATOMIC, LIST_OF(peer_fields), .doc = "Whose ports they are; missing: everybody's."},
    {0},
};

static const struct field spec_fields[] = {
    {"podSelector", F_OBJECT, ATOMIC, .sub = label_selector_fields, .dflt = "{}",
     .doc = "Labels of the pods that this is about; empty: all of the namespace."},
    {"ingress", F_LIST, OPT | ATOMIC, LIST_OF(ingress_fields), .doc = "What may come in; nothing, if there is none."},
    {"egress", F_LIST, OPT | ATOMIC, LIST_OF(egress_fields), .doc = "What may go out; nothing, if there is none."},
    {"policyTypes", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Ingress, Egress or both: what this is about."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .dflt = "{}", .doc = "Pods and their traffic."},
    {0},
};

static json_t *cell_selector(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_label_selector(jget(obj, "spec.podSelector"));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Pod-Selector", "string", "", 0, cell_selector},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static void default_more(json_t *obj)
{
    if (json_array_size(jget(obj, "spec.policyTypes")))
        return;
    json_t *types = json_pack("[s]", "Ingress");
    if (json_array_size(jget(obj, "spec.egress")))
        json_array_append_new(types, json_string("Egress"));
    jset(obj, "spec.policyTypes", types);
}

/* --- rules --- */

static void check_port(struct status_causes *c, const json_t *row, const char *at)
{
    const json_t *port = jget(row, "port"), *end = jget(row, "endPort");
    char port_at[RULE_PATH_SIZE];
    snprintf(port_at, sizeof(port_at), "%.300s.port", at);
    if (port)
        rule_port_or_name(c, port, port_at);
    if (!end)
        return;
    int64_t last = json_integer_value(end);
    if (!port)
        rule_broken(c, CAUSE_INVALID, end, "must be specified in conjunction with `port`", "%s.endPort", at);
    else if (json_is_string(port))
        rule_broken(c, CAUSE_INVALID, end, "may not be specified when `port` is non-numeric", "%s.endPort", at);
    else if (last < json_integer_value(port))
        rule_broken(c, CAUSE_INVALID, port, "must be greater than or equal to `port`", "%s.endPort", at);
    else if (last > 65535)
        rule_broken(c, CAUSE_INVALID, end, "must be between 1 and 65535, inclusive", "%s.endPort", at);
}

/* The address and prefix of a CIDR: bytes of the family's length. */
static bool read_cidr(const char *text, uint8_t address[16], size_t *ret_len, int64_t *ret_bits)
{
    _cleanup_free_ char **parts = str_split(text, '/', NULL);
    bool is6 = strchr(text, ':') != NULL;
    *ret_len = is6 ? 16 : 4;
    return parts[1] && inet_pton(is6 ? AF_INET6 : AF_INET, parts[0], address) == 1 &&
           str_to_i64(parts[1], 0, is6 ? 128 : 32, ret_bits);
}

static bool is_strictly_within(const char *inner, const char *outer)
{
    uint8_t in[16], out[16];
    size_t in_len, out_len;
    int64_t in_bits, out_bits;
    if (!read_cidr(inner, in, &in_len, &in_bits) || !read_cidr(outer, out, &out_len, &out_bits))
        return true; /* said elsewhere */
    if (in_len != out_len || in_bits <= out_bits)
        return false;
    for (int64_t bit = 0; bit < out_bits; bit++)
        if ((in[bit / 8] ^ out[bit / 8]) >> (7 - bit % 8) & 1)
            return false;
    return true;
}

static void check_peer(struct status_causes *c, const json_t *peer, const char *at)
{
    const json_t *pods = jget(peer, "podSelector"), *namespaces = jget(peer, "namespaceSelector");
    const json_t *block = jget(peer, "ipBlock"), *except;
    char path[RULE_PATH_SIZE];
    size_t i;
    if (pods) {
        snprintf(path, sizeof(path), "%.300s.podSelector", at);
        rule_label_selector(c, pods, path);
    }
    if (namespaces) {
        snprintf(path, sizeof(path), "%.300s.namespaceSelector", at);
        rule_label_selector(c, namespaces, path);
    }
    json_array_foreach(jget(block, "except"), i, except)
        if (!is_strictly_within(json_string_value(except) ?: "", jstr_or(block, "cidr", "")))
            rule_broken(c, CAUSE_INVALID, except, "must be a strict subset of `cidr`", "%s.ipBlock.except[%zu]", at, i);
    if (block && (pods || namespaces))
        rule_broken(c, CAUSE_FORBIDDEN, NULL, "may not specify both ipBlock and another peer", "%s", at);
    if (!block && !pods && !namespaces)
        rule_broken(c, CAUSE_REQUIRED, NULL, "must specify a peer", "%s", at);
}

static void check_rules(struct status_causes *c, const json_t *spec, const char *direction, const char *peers)
{
    size_t i, j;
    json_t *rule, *row;
    char at[RULE_PATH_SIZE];
    json_array_foreach(jget(spec, direction), i, rule) {
        json_array_foreach(jget(rule, "ports"), j, row) {
            snprintf(at, sizeof(at), "spec.%s[%zu].ports[%zu]", direction, i, j);
            check_port(c, row, at);
        }
        json_array_foreach(jget(rule, peers), j, row) {
            snprintf(at, sizeof(at), "spec.%s[%zu].%s[%zu]", direction, i, peers, j);
            check_peer(c, row, at);
        }
    }
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    const json_t *spec = jget(obj, "spec"), *types = jget(spec, "policyTypes"), *type;
    size_t i;
    rule_label_selector(causes, jget(spec, "podSelector"), "spec.podSelector");
    check_rules(causes, spec, "ingress", "from");
    check_rules(causes, spec, "egress", "to");
    if (json_array_size(types) > 2) {
        rule_broken(causes, CAUSE_INVALID, types, "may not specify more than two policyTypes", "spec.policyTypes");
        return;
    }
    json_array_foreach(types, i, type) {
        const char *text = json_string_value(type) ?: "";
        if (!streq(text, "Ingress") && !streq(text, "Egress"))
            rule_broken_text(causes, CAUSE_NOT_SUPPORTED, text, "supported values: \"Egress\", \"Ingress\"",
                             "spec.policyTypes[%zu]", i);
    }
}

const struct kind kind_networkpolicy = {
    .group = "networking.k8s.io",
    .version = "v1",
    .kind = "NetworkPolicy",
    .plural = "networkpolicies",
    .singular = "networkpolicy",
    .list_kind = "NetworkPolicyList",
    .short_names = (const char *const[]){"netpol", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_generation = true,
    .default_more = default_more,
    .validate = validate,
};
