/* See wire.h. */
#include "dns/wire.h"

#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/packet/wire.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_SIZE 255

uint16_t wire_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t wire_u32(const uint8_t *p)
{
    return (uint32_t)wire_u16(p) << 16 | wire_u16(p + 2);
}

void wire_put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

size_t wire_question_end(const uint8_t *message, size_t len)
{
    if (len < WIRE_HEADER_SIZE || knot_wire_get_qdcount(message) != 1)
        return 0;
    size_t at = WIRE_HEADER_SIZE;
    while (at < len && message[at] != 0) {
        if (message[at] > 63) /* a pointer: nothing in front of the question to point to */
            return 0;
        at += 1u + message[at];
    }
    if (at - WIRE_HEADER_SIZE + 1 > NAME_MAX_SIZE || at + 1 + 4 > len)
        return 0;
    return at + 1 + 4;
}

bool wire_same_question(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    size_t end = wire_question_end(a, a_len);
    if (!end || end != wire_question_end(b, b_len))
        return false;
    for (size_t i = WIRE_HEADER_SIZE; i < end; i++) {
        uint8_t x = a[i], y = b[i];
        x |= (uint8_t)((x >= 'A' && x <= 'Z') << 5); /* length bytes are below 'A' */
        y |= (uint8_t)((y >= 'A' && y <= 'Z') << 5);
        if (x != y)
            return false;
    }
    return true;
}

size_t wire_error(const uint8_t *query, size_t len, unsigned rcode, uint8_t *out)
{
    if (len < WIRE_HEADER_SIZE || knot_wire_get_qr(query))
        return 0;
    size_t end = wire_question_end(query, len);
    size_t size = end ? end : WIRE_HEADER_SIZE;
    memcpy(out, query, size);
    knot_wire_set_qr(out);
    knot_wire_clear_aa(out);
    knot_wire_clear_tc(out);
    knot_wire_set_flags2(out, 0);
    knot_wire_set_ra(out);
    knot_wire_set_rcode(out, (short)rcode);
    knot_wire_set_qdcount(out, end ? 1 : 0);
    knot_wire_set_ancount(out, 0);
    knot_wire_set_nscount(out, 0);
    knot_wire_set_arcount(out, 0);
    return size;
}

/* --- records --- */

struct rr_place {
    uint16_t type;
    size_t ttl, rdata, end; /* offsets */
};

/* Behind the name at `at`, which may end in a pointer (not followed); 0 when it runs out. */
static size_t skip_name(const uint8_t *message, size_t len, size_t at)
{
    while (at < len) {
        uint8_t b = message[at];
        if (b >= 0xc0)
            return at + 2 <= len ? at + 2 : 0;
        if (b > 63)
            return 0;
        at += 1u + b;
        if (b == 0)
            return at;
    }
    return 0;
}

static bool next_rr(const uint8_t *message, size_t len, size_t *at, struct rr_place *ret)
{
    size_t p = skip_name(message, len, *at);
    if (!p || p + 10 > len)
        return false;
    ret->type = wire_u16(&message[p]);
    ret->ttl = p + 4;
    ret->rdata = p + 10;
    ret->end = ret->rdata + wire_u16(&message[p + 8]);
    *at = ret->end;
    return ret->end <= len;
}

static size_t rr_count(const uint8_t *message)
{
    return (size_t)knot_wire_get_ancount(message) + knot_wire_get_nscount(message) + knot_wire_get_arcount(message);
}

bool wire_ttl_offsets(const uint8_t *message, size_t len, uint16_t *offsets, size_t max, size_t *ret_n)
{
    size_t at = wire_question_end(message, len);
    *ret_n = 0;
    if (!at)
        return false;
    for (size_t i = 0, n = rr_count(message); i < n; i++) {
        struct rr_place rr;
        if (!next_rr(message, len, &at, &rr))
            return false;
        if (rr.type == KNOT_RRTYPE_OPT)
            continue;
        if (*ret_n == max)
            return false;
        offsets[(*ret_n)++] = (uint16_t)rr.ttl;
    }
    return true;
}

/* A denial lives as long as its SOA and that one's last number say (RFC 2308); without a SOA it does not live. */
static uint32_t denial_seconds(const uint8_t *message, const struct rr_place *soa)
{
    uint32_t ttl = wire_u32(&message[soa->ttl]), minimum = wire_u32(&message[soa->end - 4]);
    return ttl < minimum ? ttl : minimum;
}

uint32_t wire_cache_seconds(const uint8_t *message, size_t len)
{
    size_t at = wire_question_end(message, len);
    if (!at || knot_wire_get_tc(message))
        return 0;
    unsigned rcode = knot_wire_get_rcode(message);
    size_t answers = knot_wire_get_ancount(message);
    bool denial = rcode == KNOT_RCODE_NXDOMAIN || answers == 0;
    if (rcode != KNOT_RCODE_NOERROR && rcode != KNOT_RCODE_NXDOMAIN)
        return 0;
    uint32_t least = UINT32_MAX;
    bool has_soa = false;
    for (size_t i = 0, n = rr_count(message); i < n; i++) {
        struct rr_place rr;
        if (!next_rr(message, len, &at, &rr))
            return 0;
        if (rr.type == KNOT_RRTYPE_OPT)
            continue;
        uint32_t seconds = wire_u32(&message[rr.ttl]);
        if (denial && rr.type == KNOT_RRTYPE_SOA && rr.end - rr.rdata >= 22) {
            has_soa = true;
            seconds = denial_seconds(message, &rr);
        }
        least = seconds < least ? seconds : least;
    }
    return (denial && !has_soa) || least == UINT32_MAX ? 0 : least;
}
