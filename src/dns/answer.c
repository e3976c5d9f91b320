/* See answer.h. */
#include "dns/answer.h"

#include <libknot/descriptor.h>
#include <libknot/errcode.h>
#include <libknot/packet/pkt.h>
#include <string.h>

#include "base/alloc.h"
#include "dns/arena.h"
#include "dns/records.h"
#include "dns/wire.h"

#define CHAIN_MAX 8 /* CNAMEs of ours one after the other: more is a loop */
#define UDP_MIN 512 /* what every client takes (RFC 1035) */
#define UDP_EDNS_OFFER 1232

/* One answer in the making. */
struct reply {
    const struct answerer *a;
    knot_mm_t mm;
    knot_pkt_t *query, *pkt;
    knot_rrset_t opt; /* ours, when the query had one */
    bool full;        /* the rest does not fit */

    knot_section_t section;    /* being filled */
    const knot_dname_t *owner; /* what is being looked up: the question's name or where a CNAME led */
    uint16_t owner_hint;
    unsigned found;              /* records of the last name */
    bool cname;                  /* one of them is a CNAME, */
    knot_dname_storage_t target; /* to this */
};

static bool parse(knot_pkt_t **ret, const uint8_t *message, size_t len, knot_mm_t *mm)
{
    if (!wire_question_end(message, len))
        return false;
    *ret = knot_pkt_new((void *)message, (uint16_t)len, mm); /* not written to: KEEPWIRE */
    return knot_pkt_parse(*ret, KNOT_PF_KEEPWIRE) == KNOT_EOK;
}

static size_t size_limit(const knot_pkt_t *query, bool tcp)
{
    if (tcp)
        return WIRE_MAX;
    size_t offered = query->opt_rr ? knot_edns_get_payload(query->opt_rr) : 0;
    return offered < UDP_MIN ? UDP_MIN : offered > ANSWER_UDP_MAX ? ANSWER_UDP_MAX : offered;
}

static void begin_reply(struct reply *r, bool tcp, uint8_t *out)
{
    r->pkt = knot_pkt_new(out, (uint16_t)size_limit(r->query, tcp), &r->mm);
    knot_pkt_init_response(r->pkt, r->query);
    knot_wire_set_ra(r->pkt->wire);
    if (r->query->opt_rr) {
        knot_edns_init(&r->opt, UDP_EDNS_OFFER, 0, 0, &r->mm);
        knot_pkt_reserve(r->pkt, (uint16_t)knot_edns_wire_size(&r->opt));
    }
}

static size_t end_reply(struct reply *r, unsigned rcode)
{
    knot_wire_set_rcode(r->pkt->wire, (short)(rcode & 0xf));
    if (r->query->opt_rr) {
        knot_pkt_reclaim(r->pkt, (uint16_t)knot_edns_wire_size(&r->opt));
        knot_edns_set_ext_rcode(&r->opt, (uint8_t)(rcode >> 4));
        knot_pkt_begin(r->pkt, KNOT_ADDITIONAL);
        knot_pkt_put(r->pkt, KNOT_COMPR_HINT_NONE, &r->opt, KNOT_PF_NOTRUNC);
    }
    return r->pkt->size;
}

/* One record at a time, so that a client that cannot take all still gets as many as fit (with TC set). */
static void put(struct reply *r, uint16_t hint, const knot_dname_t *owner, const struct record *rec)
{
    knot_rrset_t rr;
    if (r->full)
        return;
    knot_rrset_init(&rr, (knot_dname_t *)owner, rec->type, KNOT_CLASS_IN, rec->ttl);
    knot_rrset_add_rdata(&rr, rec->rdata, rec->len, &r->mm);
    uint16_t flags = r->section == KNOT_ADDITIONAL ? KNOT_PF_NOTRUNC : 0;
    r->full = knot_pkt_put(r->pkt, hint, &rr, flags) != KNOT_EOK;
}

static void on_record(void *arg, knot_section_t section, const struct record *rec)
{
    struct reply *r = arg;
    if (section != r->section)
        return;
    r->found++;
    put(r, rec->owner ? KNOT_COMPR_HINT_NONE : r->owner_hint, rec->owner ? rec->owner : r->owner, rec);
    if (rec->type == KNOT_RRTYPE_CNAME) {
        r->cname = true;
        memcpy(r->target, rec->rdata, rec->len);
    }
}

static enum lookup_result look_up(struct reply *r, const knot_dname_t *name, knot_section_t section)
{
    const struct lookup l = {
        .zone = &r->a->zone,
        .model = r->a->model,
        .reverse = r->a->reverse,
        .hosts = r->a->settings->hosts,
        .ttl = r->a->settings->ttl,
        .qtype = knot_pkt_qtype(r->query),
        .rotate = knot_wire_get_id(r->query->wire), /* random, as far as clients do what they should */
        .emit = on_record,
        .arg = r,
    };
    r->section = section;
    r->found = 0;
    r->cname = false;
    return lookup_run(&l, name);
}

/* Fills the answer section, along our own CNAMEs. Returns what the last name was: FOREIGN leaves it in r->owner. */
static enum lookup_result fill_answer(struct reply *r)
{
    knot_dname_storage_t name;
    enum lookup_result result = LOOKUP_NXDOMAIN;
    knot_pkt_begin(r->pkt, KNOT_ANSWER);
    r->owner = knot_pkt_wire_qname(r->query);
    r->owner_hint = KNOT_COMPR_HINT_QNAME;
    knot_dname_copy_lower(name, r->owner);
    for (int i = 0; i < CHAIN_MAX; i++) {
        result = look_up(r, name, KNOT_ANSWER);
        if (!r->cname || knot_pkt_qtype(r->query) == KNOT_RRTYPE_CNAME)
            return result;
        r->owner = knot_dname_copy(r->target, &r->mm); /* lives as long as the packet */
        r->owner_hint = KNOT_COMPR_HINT_NONE;
        knot_dname_copy_lower(name, r->owner);
    }
    return LOOKUP_EXISTS; /* a loop: the chain so far, as any resolver would leave it */
}

static void put_soa(struct reply *r)
{
    struct record soa;
    knot_dname_storage_t name;
    size_t n;
    knot_dname_copy_lower(name, r->owner);
    if (knot_dname_in_bailiwick(name, r->a->zone.origin) < 0 && hosts_addresses(r->a->settings->hosts, name, &n))
        return; /* lies in a zone that we do not know */
    record_soa(&r->a->zone, &soa);
    knot_pkt_begin(r->pkt, KNOT_AUTHORITY);
    r->section = KNOT_AUTHORITY;
    put(r, KNOT_COMPR_HINT_NONE, soa.owner, &soa);
}

static size_t finish_local(struct reply *r, enum lookup_result result)
{
    bool denied = result == LOOKUP_NXDOMAIN || !r->found;
    if (r->a->partial && denied)
        return end_reply(r, KNOT_RCODE_SERVFAIL);
    knot_wire_set_aa(r->pkt->wire);
    if (denied) {
        put_soa(r);
    } else if (knot_pkt_qtype(r->query) == KNOT_RRTYPE_SRV) {
        knot_dname_storage_t name;
        knot_dname_copy_lower(name, r->owner);
        knot_pkt_begin(r->pkt, KNOT_ADDITIONAL);
        look_up(r, name, KNOT_ADDITIONAL);
    }
    return end_reply(r, result == LOOKUP_NXDOMAIN ? KNOT_RCODE_NXDOMAIN : KNOT_RCODE_NOERROR);
}

/* The query for the foreign name at the end of a chain of ours. */
static size_t chase_query(struct reply *r, uint8_t *out)
{
    uint16_t id = knot_wire_get_id(r->query->wire);
    knot_pkt_t *pkt = knot_pkt_new(out, UDP_MIN, &r->mm);
    knot_pkt_clear(pkt);
    knot_wire_set_id(pkt->wire, id);
    knot_wire_set_rd(pkt->wire);
    knot_pkt_put_question(pkt, r->owner, KNOT_CLASS_IN, knot_pkt_qtype(r->query));
    knot_rrset_t opt;
    knot_edns_init(&opt, UDP_EDNS_OFFER, 0, 0, &r->mm);
    knot_pkt_begin(pkt, KNOT_ADDITIONAL);
    knot_pkt_put(pkt, KNOT_COMPR_HINT_NONE, &opt, 0);
    return pkt->size;
}

/* Refusals that need no look at the name; NOERROR: go on. */
static unsigned refusal(const knot_pkt_t *query)
{
    uint16_t type = knot_pkt_qtype(query);
    if (query->opt_rr && knot_edns_get_version(query->opt_rr) != 0)
        return KNOT_RCODE_BADVERS;
    if (knot_pkt_qclass(query) != KNOT_CLASS_IN || type == KNOT_RRTYPE_AXFR || type == KNOT_RRTYPE_IXFR)
        return KNOT_RCODE_REFUSED;
    return KNOT_RCODE_NOERROR;
}

enum answer_verdict answer_query(const struct answerer *a, const uint8_t *query, size_t len, bool tcp, uint8_t *out,
                                 size_t *ret_len)
{
    if (len < WIRE_HEADER_SIZE || len > WIRE_MAX || knot_wire_get_qr(query))
        return ANSWER_DROP;
    _cleanup_(arena_done) struct arena arena;
    arena_init(&arena);
    struct reply r = {.a = a, .mm = arena_mm(&arena)};
    bool is_query = knot_wire_get_opcode(query) == KNOT_OPCODE_QUERY;
    if (!is_query || !parse(&r.query, query, len, &r.mm)) {
        *ret_len = wire_error(query, len, is_query ? KNOT_RCODE_FORMERR : KNOT_RCODE_NOTIMPL, out);
        return ANSWER_SEND;
    }
    begin_reply(&r, tcp, out);
    unsigned refused = refusal(r.query);
    enum lookup_result result = refused ? LOOKUP_EXISTS : fill_answer(&r);
    if (result == LOOKUP_FOREIGN) {
        bool direct = knot_wire_get_ancount(out) == 0;
        if (!direct)
            *ret_len = chase_query(&r, out);
        return direct ? ANSWER_FORWARD : ANSWER_CHASE;
    }
    *ret_len = refused ? end_reply(&r, refused) : finish_local(&r, result);
    return ANSWER_SEND;
}

/* --- with another server's reply --- */

static void copy_answers(struct reply *r, const knot_pkt_t *from)
{
    const knot_pktsection_t *section = knot_pkt_section(from, KNOT_ANSWER);
    for (uint16_t i = 0; i < section->count && !r->full; i++)
        r->full = knot_pkt_put(r->pkt, KNOT_COMPR_HINT_NONE, knot_pkt_rr(section, i), 0) != KNOT_EOK;
}

size_t answer_join(const struct answerer *a, const uint8_t *query, size_t len, const uint8_t *reply, size_t reply_len,
                   bool tcp, uint8_t *out)
{
    _cleanup_(arena_done) struct arena arena;
    arena_init(&arena);
    struct reply r = {.a = a, .mm = arena_mm(&arena)};
    knot_pkt_t *foreign = NULL;
    if (!parse(&r.query, query, len, &r.mm))
        return wire_error(query, len, KNOT_RCODE_FORMERR, out);
    begin_reply(&r, tcp, out);
    if (!reply || !parse(&foreign, reply, reply_len, &r.mm))
        return end_reply(&r, KNOT_RCODE_SERVFAIL);
    (void)fill_answer(&r); /* as it is now: it may have changed since, and is then the truth */
    copy_answers(&r, foreign);
    if (knot_wire_get_tc(reply))
        knot_wire_set_tc(r.pkt->wire);
    return end_reply(&r, knot_wire_get_rcode(reply));
}

size_t answer_fit(const uint8_t *query, size_t len, bool tcp, uint8_t *reply, size_t reply_len)
{
    _cleanup_(arena_done) struct arena arena;
    arena_init(&arena);
    knot_mm_t mm = arena_mm(&arena);
    knot_pkt_t *parsed = NULL;
    size_t max = parse(&parsed, query, len, &mm) ? size_limit(parsed, tcp) : UDP_MIN;
    size_t end = wire_question_end(reply, reply_len);
    if (reply_len <= max || !end)
        return reply_len <= max ? reply_len : 0;
    knot_wire_set_tc(reply);
    knot_wire_set_ancount(reply, 0);
    knot_wire_set_nscount(reply, 0);
    knot_wire_set_arcount(reply, 0);
    return end;
}
