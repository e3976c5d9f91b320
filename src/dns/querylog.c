/* See querylog.h. */
#include "dns/querylog.h"

#include <libknot/codes.h>
#include <libknot/libknot.h>
#include <netinet/in.h>
#include <string.h>

#include "base/buf.h"
#include "base/ip.h"
#include "dns/wire.h"

#define UDP_USUAL 512       /* bytes of an answer that a client takes which says nothing of it */
#define LINE_MAX_BYTES 2048 /* a name may be 1,000 characters long with its escapes */

static void add_client(struct buf *b, const struct sockaddr *from)
{
    bool v4 = from->sa_family == AF_INET;
    struct ip ip = {.family = from->sa_family};
    char text[IP_TEXT_SIZE];
    if (v4)
        ip.v4 = ((const struct sockaddr_in *)from)->sin_addr;
    else
        ip.v6 = ((const struct sockaddr_in6 *)from)->sin6_addr;
    unsigned port = v4 ? ((const struct sockaddr_in *)from)->sin_port : ((const struct sockaddr_in6 *)from)->sin6_port;
    buf_addf(b, v4 ? "%s:%u" : "[%s]:%u", ip_format(&ip, text), ntohs((uint16_t)port));
}

static void add_question(struct buf *b, const knot_pkt_t *query, size_t len, bool tcp)
{
    char name[KNOT_DNAME_TXT_MAXLEN + 1], type[32], class[32];
    knot_dname_to_str(name, knot_pkt_qname(query), sizeof(name));
    knot_rrtype_to_string(knot_pkt_qtype(query), type, sizeof(type));
    knot_rrclass_to_string(knot_pkt_qclass(query), class, sizeof(class));
    buf_addf(b, " - %u \"%s %s %s %s %zu %s %u\"", knot_wire_get_id(query->wire), type, class, name,
             tcp ? "tcp" : "udp", len, knot_pkt_has_dnssec(query) ? "true" : "false",
             query->opt_rr ? knot_edns_get_payload(query->opt_rr)
             : tcp         ? WIRE_MAX
                           : UDP_USUAL);
}

static void add_answer(struct buf *b, const uint8_t *answer, size_t len)
{
    const struct {
        const char *name;
        bool set;
    } flags[] = {{"qr", knot_wire_get_qr(answer)}, {"aa", knot_wire_get_aa(answer)}, {"tc", knot_wire_get_tc(answer)},
                 {"rd", knot_wire_get_rd(answer)}, {"ra", knot_wire_get_ra(answer)}, {"ad", knot_wire_get_ad(answer)}};
    const knot_lookup_t *rcode = knot_lookup_by_id(knot_rcode_names, knot_wire_get_rcode(answer));
    const char *before = " ";
    buf_addf(b, " %s", rcode ? rcode->name : "?");
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (!flags[i].set)
            continue;
        buf_addf(b, "%s%s", before, flags[i].name);
        before = ",";
    }
    buf_addf(b, " %zu", len);
}

char *querylog_line(const struct sockaddr *from, const uint8_t *query, size_t len, bool tcp, const uint8_t *answer,
                    size_t answer_len, int64_t usec)
{
    struct buf b = BUF_INIT(LINE_MAX_BYTES);
    knot_pkt_t *parsed = knot_pkt_new((void *)query, (uint16_t)len, NULL);
    if (parsed && knot_pkt_parse(parsed, 0) == KNOT_EOK && knot_pkt_qname(parsed) && answer_len >= WIRE_HEADER_SIZE) {
        add_client(&b, from);
        add_question(&b, parsed, len, tcp);
        add_answer(&b, answer, answer_len);
        buf_addf(&b, " %.9fs", (double)usec / 1e6);
    }
    knot_pkt_free(parsed);
    return b.len ? buf_take(&b) : NULL;
}
