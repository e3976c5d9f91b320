/* dns: what is asked and what is answered, from documents to packets and back to text. */
#include <libknot/codes.h>
#include <libknot/descriptor.h>
#include <libknot/packet/pkt.h>
#include <libknot/rrset-dump.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "dns/answer.h"
#include "dns/wire.h"
#include "t.h"

static struct answerer a;
static uint8_t out[WIRE_MAX];
static size_t out_len;

/* --- the cluster that is asked about --- */

static void add_service(const char *ns, const char *name, const char *spec)
{
    json_t *s = json_loads(spec, 0, NULL),
           *doc = json_pack("{s:{s:s,s:s},s:O}", "metadata", "name", name, "namespace", ns, "spec", s);
    T_TRUE(doc);
    model_set_service(a.model, ns, name, doc);
    json_decref(doc);
    json_decref(s);
}

static void add_slice(const char *ns, const char *service, const char *ports, const char *endpoints)
{
    json_t *p = json_loads(ports, 0, NULL), *e = json_loads(endpoints, 0, NULL);
    json_t *doc = json_pack("{s:{s:s,s:s,s:{s:s}},s:s,s:O,s:O}", "metadata", "name", service, "namespace", ns, "labels",
                            "kubernetes.io/service-name", service, "addressType",
                            strstr(endpoints, "fd00") ? "IPv6" : "IPv4", "ports", p, "endpoints", e);
    T_TRUE(doc);
    model_set_slice(a.model, ns, service, doc);
    json_decref(doc);
    json_decref(e);
    json_decref(p);
}

#define ENDPOINT(ip, more) "{\"addresses\":[\"" ip "\"],\"conditions\":{\"ready\":true}" more "}"
#define UNREADY(ip) "{\"addresses\":[\"" ip "\"],\"conditions\":{\"ready\":false}}"
#define HTTP "{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}"

static void setup(void)
{
    struct ips servers;
    struct err err;
    T_TRUE(ips_parse("10.96.0.10,fd00:10:96::a", &servers) && zone_init(&a.zone, "cluster.local", &servers));
    a.settings = settings_new(NULL, &err);
    a.model = model_new();
    a.reverse = reverse_new(a.model);
    model_set_namespace(a.model, "default", true);
    model_set_namespace(a.model, "empty", true);
    add_service("default", "web",
                "{\"type\":\"ClusterIP\",\"clusterIP\":\"10.96.0.20\",\"clusterIPs\":[\"10.96.0.20\"],\"ports\":[" HTTP
                ",{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"}]}");
    add_slice("default", "web", "[{\"name\":\"http\",\"port\":8080,\"protocol\":\"TCP\"}]",
              "[" ENDPOINT("10.244.0.5", "") "," UNREADY("10.244.0.6") "]");
    add_service("default", "dual",
                "{\"type\":\"ClusterIP\",\"clusterIP\":\"10.96.0.21\",\"clusterIPs\":[\"10.96.0.21\",\"fd00::21\"],"
                "\"ipFamilies\":[\"IPv4\",\"IPv6\"],\"ports\":[{\"port\":80,\"protocol\":\"TCP\"}]}");
    add_service("default", "db", "{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],\"ports\":[" HTTP "]}");
    add_slice("default", "db", "[" HTTP "]",
              "[" ENDPOINT("10.244.0.7", ",\"hostname\":\"db-0\"") "," ENDPOINT("10.244.1.8",
                                                                                "") "," UNREADY("10.244.0.9") "]");
    add_service("default", "idle", "{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],\"ports\":[" HTTP "]}");
    add_slice("default", "idle", "[" HTTP "]", "[" UNREADY("10.244.0.10") "]");
    add_service("default", "six", "{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],\"ports\":[" HTTP "]}");
    add_slice("default", "six", "[" HTTP "]", "[" ENDPOINT("fd00::5", "") "]");
    add_service("default", "peers", "{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],\"ports\":[" HTTP "]}");
    add_slice("default", "peers", "[" HTTP ",{\"name\":\"admin\",\"port\":81,\"protocol\":\"TCP\"}]",
              "[" ENDPOINT("10.244.0.30", ",\"hostname\":\"p-0\"") "]");
    add_service("default", "portless", "{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]}");
    add_slice("default", "portless", "[]", "[" ENDPOINT("10.244.0.31", "") "]");
    add_service("default", "zeros", "{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],\"ports\":[" HTTP "]}");
    add_slice("default", "zeros", "[" HTTP "]", "[" ENDPOINT("fd00:1::", "") "]");
    add_service("default", "out", "{\"type\":\"ExternalName\",\"externalName\":\"www.Example.com\"}");
    add_service("default", "alias", "{\"type\":\"ExternalName\",\"externalName\":\"web.default.svc.cluster.local\"}");
    add_service("default", "dangling",
                "{\"type\":\"ExternalName\",\"externalName\":\"none.default.svc.cluster.local\"}");
    add_service("default", "loop", "{\"type\":\"ExternalName\",\"externalName\":\"loop.default.svc.cluster.local\"}");
    add_service("default", "number", "{\"type\":\"ExternalName\",\"externalName\":\"1.2.3.4\"}");
}

static void teardown(void)
{
    reverse_free(a.reverse);
    model_free(a.model);
    settings_unref(a.settings);
}

/* --- packets --- */

enum { EDNS = 1, TCP = 2, OTHER_VERSION = 4, CHAOS = 8 };

static size_t make_query(const char *name, uint16_t type, int flags, uint16_t payload, uint8_t *query, size_t size)
{
    knot_dname_storage_t qname;
    if (!knot_dname_from_str(qname, name, sizeof(qname)))
        return 0;
    knot_pkt_t *pkt = knot_pkt_new(query, (uint16_t)size, NULL);
    knot_pkt_clear(pkt);
    knot_wire_set_id(pkt->wire, 1200); /* divisible by small numbers: answers begin with the first endpoint */
    knot_wire_set_rd(pkt->wire);
    knot_pkt_put_question(pkt, qname, flags & CHAOS ? 3 : KNOT_CLASS_IN, type);
    if (flags & (EDNS | OTHER_VERSION)) {
        knot_rrset_t opt;
        knot_edns_init(&opt, payload ? payload : 1232, 0, flags & OTHER_VERSION ? 1 : 0, NULL);
        knot_pkt_begin(pkt, KNOT_ADDITIONAL);
        knot_pkt_put(pkt, KNOT_COMPR_HINT_NONE, &opt, 0);
        knot_rrset_clear(&opt, NULL);
    }
    size_t len = pkt->size;
    knot_pkt_free(pkt);
    return len;
}

static void add_rr(struct buf *b, const knot_rrset_t *rr, size_t data_size)
{
    char owner[300], type[32], data[600];
    knot_dname_to_str(owner, rr->owner, sizeof(owner));
    knot_rrtype_to_string(rr->type, type, sizeof(type));
    (void)data_size;
    knot_rrset_txt_dump_data(rr, 0, data, sizeof(data), &KNOT_DUMP_STYLE_DEFAULT);
    buf_addf(b, "\n%s %u %s %s", owner, rr->ttl, type, data);
}

/* "NOERROR aa tc" and a line a record, sections divided by "--"; OPT as "edns". */
static char *packet_text(const uint8_t *wire, size_t len)
{
    struct buf b = BUF_INIT(1 << 20);
    knot_pkt_t *pkt = knot_pkt_new((void *)wire, (uint16_t)len, NULL);
    if (knot_pkt_parse(pkt, KNOT_PF_KEEPWIRE | KNOT_PF_NOCANON) != KNOT_EOK) {
        knot_pkt_free(pkt);
        return xstrdup("(broken)");
    }
    buf_adds(&b, knot_pkt_ext_rcode_name(pkt));
    buf_adds(&b, knot_wire_get_aa(wire) ? " aa" : "");
    buf_adds(&b, knot_wire_get_tc(wire) ? " tc" : "");
    buf_adds(&b, knot_wire_get_ra(wire) ? "" : " (no ra)");
    buf_adds(&b, pkt->opt_rr ? " edns" : "");
    for (knot_section_t s = KNOT_ANSWER; s <= KNOT_ADDITIONAL; s++) {
        const knot_pktsection_t *section = knot_pkt_section(pkt, s);
        bool begun = false;
        for (uint16_t i = 0; i < section->count; i++) {
            const knot_rrset_t *rr = knot_pkt_rr(section, i);
            if (rr->type == KNOT_RRTYPE_OPT)
                continue;
            if (!begun && s != KNOT_ANSWER)
                buf_adds(&b, "\n--");
            begun = true;
            add_rr(&b, rr, 0);
        }
    }
    knot_pkt_free(pkt);
    return buf_take(&b);
}

static char *ask_flags(const char *name, uint16_t type, int flags, uint16_t payload)
{
    uint8_t query[512];
    size_t len = make_query(name, type, flags, payload, query, sizeof(query));
    switch (answer_query(&a, query, len, flags & TCP, out, &out_len)) {
    case ANSWER_DROP:
        return xstrdup("drop");
    case ANSWER_FORWARD:
        return xstrdup("forward");
    case ANSWER_CHASE:
        return xstrdup("chase");
    default:
        return packet_text(out, out_len);
    }
}

#define NEGATIVE "\n--\ncluster.local. 0 SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 0"
#define NODATA "NOERROR aa" NEGATIVE
#define NXDOMAIN "NXDOMAIN aa" NEGATIVE

#define IP6                                                                                                            \
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa." /* fd00::XX, the last two nibbles wanting  \
                                                                             */

enum {
    A = KNOT_RRTYPE_A,
    AAAA = KNOT_RRTYPE_AAAA,
    SRV = KNOT_RRTYPE_SRV,
    PTR = KNOT_RRTYPE_PTR,
    TXT = KNOT_RRTYPE_TXT
};

TEST(names_and_what_they_hold)
{
    static const struct {
        const char *name;
        uint16_t type;
        const char *want;
    } cases[] = {
        /* Services with an address */
        {"web.default.svc.cluster.local.", A, "NOERROR aa\nweb.default.svc.cluster.local. 5 A 10.96.0.20"},
        {"web.default.svc.cluster.local.", AAAA, NODATA},
        {"web.default.svc.cluster.local.", KNOT_RRTYPE_MX, NODATA},
        {"web.default.svc.cluster.local.", KNOT_RRTYPE_HTTPS, NODATA},
        {"dual.default.svc.cluster.local.", A, "NOERROR aa\ndual.default.svc.cluster.local. 5 A 10.96.0.21"},
        {"dual.default.svc.cluster.local.", AAAA, "NOERROR aa\ndual.default.svc.cluster.local. 5 AAAA fd00::21"},
        {"none.default.svc.cluster.local.", A, NXDOMAIN},
        {"web.other.svc.cluster.local.", A, NXDOMAIN},
        {"10-244-0-5.web.default.svc.cluster.local.", A,
         "NOERROR aa\n10-244-0-5.web.default.svc.cluster.local. 5 A 10.244.0.5"},
        {"10-244-0-6.web.default.svc.cluster.local.", A, NXDOMAIN}, /* not ready */
        {"x.y.z.web.default.svc.cluster.local.", A, NXDOMAIN},
        /* headless */
        {"db.default.svc.cluster.local.", A,
         "NOERROR aa\ndb.default.svc.cluster.local. 5 A 10.244.0.7\ndb.default.svc.cluster.local. 5 A 10.244.1.8"},
        {"db.default.svc.cluster.local.", AAAA, NODATA},
        {"db-0.db.default.svc.cluster.local.", A, "NOERROR aa\ndb-0.db.default.svc.cluster.local. 5 A 10.244.0.7"},
        {"10-244-0-7.db.default.svc.cluster.local.", A, NXDOMAIN}, /* has a hostname */
        {"10-244-1-8.db.default.svc.cluster.local.", A,
         "NOERROR aa\n10-244-1-8.db.default.svc.cluster.local. 5 A 10.244.1.8"},
        {"10-244-1-8.db.default.svc.cluster.local.", AAAA, NODATA},
        {"idle.default.svc.cluster.local.", A, NXDOMAIN}, /* nobody ready: the specification */
        {"six.default.svc.cluster.local.", AAAA, "NOERROR aa\nsix.default.svc.cluster.local. 5 AAAA fd00::5"},
        {"fd00--5.six.default.svc.cluster.local.", AAAA,
         "NOERROR aa\nfd00--5.six.default.svc.cluster.local. 5 AAAA fd00::5"},
        {"fd00-1--0.zeros.default.svc.cluster.local.", AAAA, /* no label ends with a dash */
         "NOERROR aa\nfd00-1--0.zeros.default.svc.cluster.local. 5 AAAA fd00:1::"},
        {"fd00-1--.zeros.default.svc.cluster.local.", AAAA, NXDOMAIN},
        {"fd00-1--0.default.pod.cluster.local.", AAAA,
         "NOERROR aa\nfd00-1--0.default.pod.cluster.local. 5 AAAA fd00:1::"},
        /* SRV */
        {"_http._tcp.web.default.svc.cluster.local.", SRV,
         "NOERROR aa\n_http._tcp.web.default.svc.cluster.local. 5 SRV 0 100 80 web.default.svc.cluster.local.\n--\n"
         "web.default.svc.cluster.local. 5 A 10.96.0.20"},
        {"_dns._udp.web.default.svc.cluster.local.", SRV,
         "NOERROR aa\n_dns._udp.web.default.svc.cluster.local. 5 SRV 0 100 53 web.default.svc.cluster.local.\n--\n"
         "web.default.svc.cluster.local. 5 A 10.96.0.20"},
        {"_http._tcp.db.default.svc.cluster.local.", SRV,
         "NOERROR aa\n_http._tcp.db.default.svc.cluster.local. 5 SRV 0 50 80 db-0.db.default.svc.cluster.local.\n"
         "_http._tcp.db.default.svc.cluster.local. 5 SRV 0 50 80 10-244-1-8.db.default.svc.cluster.local.\n--\n"
         "db-0.db.default.svc.cluster.local. 5 A 10.244.0.7\n10-244-1-8.db.default.svc.cluster.local. 5 A 10.244.1.8"},
        {"_http._tcp.web.default.svc.cluster.local.", A, NODATA},
        {"_tcp.web.default.svc.cluster.local.", SRV, NODATA}, /* something is below it */
        {"_http._udp.web.default.svc.cluster.local.", SRV, NXDOMAIN},
        {"_none._tcp.web.default.svc.cluster.local.", SRV, NXDOMAIN},
        {"_sctp.web.default.svc.cluster.local.", SRV, NXDOMAIN},
        {"http.tcp.web.default.svc.cluster.local.", SRV, /* CoreDNS takes it with underscores or without */
         "NOERROR aa\nhttp.tcp.web.default.svc.cluster.local. 5 SRV 0 100 80 web.default.svc.cluster.local.\n--\n"
         "web.default.svc.cluster.local. 5 A 10.96.0.20"},
        {"web.default.svc.cluster.local.", SRV, /* all ports: each address once */
         "NOERROR aa\nweb.default.svc.cluster.local. 5 SRV 0 50 80 web.default.svc.cluster.local.\n"
         "web.default.svc.cluster.local. 5 SRV 0 50 53 web.default.svc.cluster.local.\n--\n"
         "web.default.svc.cluster.local. 5 A 10.96.0.20"},
        {"dual.default.svc.cluster.local.", SRV, /* nameless ones, too */
         "NOERROR aa\ndual.default.svc.cluster.local. 5 SRV 0 100 80 dual.default.svc.cluster.local.\n--\n"
         "dual.default.svc.cluster.local. 5 A 10.96.0.21\ndual.default.svc.cluster.local. 5 AAAA fd00::21"},
        {"db.default.svc.cluster.local.", SRV,
         "NOERROR aa\ndb.default.svc.cluster.local. 5 SRV 0 50 80 db-0.db.default.svc.cluster.local.\n"
         "db.default.svc.cluster.local. 5 SRV 0 50 80 10-244-1-8.db.default.svc.cluster.local.\n--\n"
         "db-0.db.default.svc.cluster.local. 5 A 10.244.0.7\n10-244-1-8.db.default.svc.cluster.local. 5 A 10.244.1.8"},
        {"db-0.db.default.svc.cluster.local.", SRV,
         "NOERROR aa\ndb-0.db.default.svc.cluster.local. 5 SRV 0 100 80 db-0.db.default.svc.cluster.local.\n--\n"
         "db-0.db.default.svc.cluster.local. 5 A 10.244.0.7"},
        {"peers.default.svc.cluster.local.", SRV,
         "NOERROR aa\npeers.default.svc.cluster.local. 5 SRV 0 50 80 p-0.peers.default.svc.cluster.local.\n"
         "peers.default.svc.cluster.local. 5 SRV 0 50 81 p-0.peers.default.svc.cluster.local.\n--\n"
         "p-0.peers.default.svc.cluster.local. 5 A 10.244.0.30"},
        {"portless.default.svc.cluster.local.", SRV, NODATA},
        {"idle.default.svc.cluster.local.", SRV, NXDOMAIN},
        {"none.db.default.svc.cluster.local.", SRV, NXDOMAIN},
        {"out.default.svc.cluster.local.", SRV, "chase"},
        {"_http._tcp.idle.default.svc.cluster.local.", SRV, NXDOMAIN},
        {"_http._tcp.out.default.svc.cluster.local.", SRV, NXDOMAIN},
        {"_._tcp.dual.default.svc.cluster.local.", SRV, NXDOMAIN}, /* nameless ports have no SRV */
        /* ExternalName */
        {"out.default.svc.cluster.local.", KNOT_RRTYPE_CNAME,
         "NOERROR aa\nout.default.svc.cluster.local. 5 CNAME www.Example.com."},
        {"out.default.svc.cluster.local.", A, "chase"},
        {"alias.default.svc.cluster.local.", A,
         "NOERROR aa\nalias.default.svc.cluster.local. 5 CNAME web.default.svc.cluster.local.\n"
         "web.default.svc.cluster.local. 5 A 10.96.0.20"},
        {"alias.default.svc.cluster.local.", AAAA,
         "NOERROR aa\nalias.default.svc.cluster.local. 5 CNAME web.default.svc.cluster.local." NEGATIVE},
        {"dangling.default.svc.cluster.local.", A,
         "NXDOMAIN aa\ndangling.default.svc.cluster.local. 5 CNAME none.default.svc.cluster.local." NEGATIVE},
        {"number.default.svc.cluster.local.", A, NXDOMAIN},
        /* pods by address */
        {"10-244-0-99.default.pod.cluster.local.", A,
         "NOERROR aa\n10-244-0-99.default.pod.cluster.local. 5 A 10.244.0.99"},
        {"10-244-0-99.default.pod.cluster.local.", AAAA, NODATA},
        {"fd00--9.default.pod.cluster.local.", AAAA, "NOERROR aa\nfd00--9.default.pod.cluster.local. 5 AAAA fd00::9"},
        {"10-244-0-99.other.pod.cluster.local.", A, NXDOMAIN},
        {"10-244-0-256.default.pod.cluster.local.", A, NXDOMAIN},
        {"web.default.pod.cluster.local.", A, NXDOMAIN},
        {"x.10-244-0-99.default.pod.cluster.local.", A, NXDOMAIN},
        /* what lies between */
        {"cluster.local.", A, NODATA},
        {"svc.cluster.local.", A, NODATA},
        {"pod.cluster.local.", A, NODATA},
        {"default.svc.cluster.local.", A, NODATA},
        {"empty.svc.cluster.local.", A, NODATA},
        {"empty.pod.cluster.local.", A, NODATA},
        {"other.svc.cluster.local.", A, NXDOMAIN},
        {"other.cluster.local.", A, NXDOMAIN},
        {"cluster.local.", KNOT_RRTYPE_SOA,
         "NOERROR aa\ncluster.local. 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 0"},
        {"cluster.local.", KNOT_RRTYPE_NS, "NOERROR aa\ncluster.local. 5 NS ns.dns.cluster.local."},
        {"ns.dns.cluster.local.", A, "NOERROR aa\nns.dns.cluster.local. 5 A 10.96.0.10"},
        {"ns.dns.cluster.local.", AAAA, "NOERROR aa\nns.dns.cluster.local. 5 AAAA fd00:10:96::a"},
        {"dns-version.cluster.local.", TXT, "NOERROR aa\ndns-version.cluster.local. 28800 TXT \"1.1.0\""},
        {"dns-version.cluster.local.", A, NODATA},
        /* addresses to names */
        {"20.0.96.10.in-addr.arpa.", PTR, "NOERROR aa\n20.0.96.10.in-addr.arpa. 5 PTR web.default.svc.cluster.local."},
        {"20.0.96.10.in-addr.arpa.", A, NODATA},
        {"7.0.244.10.in-addr.arpa.", PTR,
         "NOERROR aa\n7.0.244.10.in-addr.arpa. 5 PTR db-0.db.default.svc.cluster.local."},
        {"5.0.244.10.in-addr.arpa.", PTR,
         "NOERROR aa\n5.0.244.10.in-addr.arpa. 5 PTR 10-244-0-5.web.default.svc.cluster.local."},
        {"9.0.244.10.in-addr.arpa.", PTR, "forward"}, /* not ready */
        {"1.2.3.4.in-addr.arpa.", PTR, "forward"},
        {"3.4.in-addr.arpa.", PTR, "forward"},
        {"256.2.3.4.in-addr.arpa.", PTR, "forward"},
        {"1.2." IP6, PTR, "NOERROR aa\n1.2." IP6 " 5 PTR dual.default.svc.cluster.local."},
        {"5.0." IP6, PTR, "NOERROR aa\n5.0." IP6 " 5 PTR fd00--5.six.default.svc.cluster.local."},
        {"6.0." IP6, PTR, "forward"},
        {"0.5.0." IP6, PTR, "forward"},
        {"50." IP6, PTR, "forward"},
        {"g.0." IP6, PTR, "forward"},
        /* the search path's misses stay here, the rest goes out */
        {"www.example.com.default.svc.cluster.local.", A, NXDOMAIN},
        {"www.example.com.svc.cluster.local.", A, NXDOMAIN},
        {"www.example.com.cluster.local.", A, NXDOMAIN},
        {"www.example.com.", A, "forward"},
        {"notcluster.local.", A, "forward"},
        {"local.", A, "forward"},
        {".", KNOT_RRTYPE_NS, "forward"},
        /* letters' case is the client's */
        {"WeB.DeFault.sVC.cLUster.LOCAL.", A, "NOERROR aa\nWeB.DeFault.sVC.cLUster.LOCAL. 5 A 10.96.0.20"},
        /* labels that are no object's name */
        {"web/x.default.svc.cluster.local.", A, NXDOMAIN},
        {"web\\.default.svc.cluster.local.", A, NXDOMAIN},
        {"\\000.default.svc.cluster.local.", A, NXDOMAIN},
        {"*.default.svc.cluster.local.", A, NXDOMAIN},
    };
    setup();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *got = ask_flags(cases[i].name, cases[i].type, 0, 0);
        if (!streq(got, cases[i].want))
            T_FAIL("%s, type %u:\n--- got\n%s\n--- want\n%s", cases[i].name, cases[i].type, got, cases[i].want);
    }
    teardown();
}

TEST(what_the_owner_sets_holds)
{
    static const struct {
        const char *name;
        uint16_t type;
        const char *want;
    } cases[] = {
        {"web.default.svc.cluster.local.", A, "NOERROR aa\nweb.default.svc.cluster.local. 60 A 10.96.0.20"},
        {"none.default.svc.cluster.local.", A, NXDOMAIN},
        {"Legacy.example.", A, "NOERROR aa\nLegacy.example. 60 A 192.0.2.1\nLegacy.example. 60 A 192.0.2.2"},
        {"legacy.example.", AAAA, "NOERROR aa"}, /* known, and nothing of this type: others are not asked */
        {"www.example.com.", A, "NOERROR aa\nwww.example.com. 60 A 192.0.2.2"},
        {"out.default.svc.cluster.local.", A,
         "NOERROR aa\nout.default.svc.cluster.local. 60 CNAME www.Example.com.\nwww.Example.com. 60 A 192.0.2.2"},
        {"2.2.0.192.in-addr.arpa.", PTR,
         "NOERROR aa\n2.2.0.192.in-addr.arpa. 60 PTR legacy.example.\n2.2.0.192.in-addr.arpa. 60 PTR www.example.com."},
        {"2.2.0.192.in-addr.arpa.", A, "NOERROR aa" NEGATIVE},
        {"dns-version.cluster.local.", TXT, "NOERROR aa\ndns-version.cluster.local. 28800 TXT \"1.1.0\""},
        {"example.", A, "forward"},
        {"web.default.svc.cluster.local.", AAAA, NODATA}, /* the cluster's own names come first */
    };
    struct err err;
    setup();
    settings_unref(a.settings);
    json_t *data = json_pack("{s:s, s:s}", "ttl", "60", "hosts",
                             "192.0.2.1 legacy.example\n192.0.2.2 legacy.example www.example.com\n"
                             "fd00::1 web.default.svc.cluster.local");
    a.settings = settings_new(data, &err);
    json_decref(data);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *got = ask_flags(cases[i].name, cases[i].type, 0, 0);
        T_STR(got, cases[i].want);
    }
    teardown();
}

TEST(edns_and_refusals)
{
    static const struct {
        const char *name;
        uint16_t type;
        int flags;
        const char *want;
    } cases[] = {
        {"web.default.svc.cluster.local.", A, EDNS, "NOERROR aa edns\nweb.default.svc.cluster.local. 5 A 10.96.0.20"},
        {"none.default.svc.cluster.local.", A, EDNS, "NXDOMAIN aa edns" NEGATIVE},
        {"web.default.svc.cluster.local.", A, OTHER_VERSION, "BADVERS edns"},
        {"web.default.svc.cluster.local.", A, CHAOS, "REFUSED"},
        {"www.example.com.", A, CHAOS, "REFUSED"},
        {"cluster.local.", KNOT_RRTYPE_AXFR, TCP, "REFUSED"},
        {"cluster.local.", KNOT_RRTYPE_IXFR, 0, "REFUSED"},
    };
    setup();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *got = ask_flags(cases[i].name, cases[i].type, cases[i].flags, 0);
        T_STR(got, cases[i].want);
    }
    teardown();
}

TEST(what_is_no_query)
{
    uint8_t query[512];
    setup();
    size_t len = make_query("web.default.svc.cluster.local.", A, 0, 0, query, sizeof(query));
    T_INT(answer_query(&a, query, 11, false, out, &out_len), ANSWER_DROP);

    T_INT(answer_query(&a, query, len - 1, false, out, &out_len), ANSWER_SEND); /* cut off */
    _cleanup_free_ char *cut = packet_text(out, out_len);
    T_STR(cut, "FORMERR");
    T_INT(wire_u16(out), 1200);

    query[len] = 0; /* one byte too many */
    T_INT(answer_query(&a, query, len + 1, false, out, &out_len), ANSWER_SEND);
    T_INT(knot_wire_get_rcode(out), KNOT_RCODE_FORMERR);

    knot_wire_set_opcode(query, KNOT_OPCODE_UPDATE);
    T_INT(answer_query(&a, query, len, false, out, &out_len), ANSWER_SEND);
    T_INT(knot_wire_get_rcode(out), KNOT_RCODE_NOTIMPL);
    knot_wire_set_opcode(query, KNOT_OPCODE_QUERY);

    knot_wire_set_qr(query); /* an answer: answering answers makes loops */
    T_INT(answer_query(&a, query, len, false, out, &out_len), ANSWER_DROP);
    teardown();
}

static void add_large_service(int n)
{
    struct buf b = BUF_INIT(1 << 20);
    add_service("default", "large", "{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],\"ports\":[" HTTP "]}");
    buf_addc(&b, '[');
    for (int i = 0; i < n; i++)
        buf_addf(&b, "%s{\"addresses\":[\"10.1.%d.%d\"],\"conditions\":{\"ready\":true}}", i ? "," : "", i / 250,
                 i % 250 + 1);
    buf_addc(&b, ']');
    add_slice("default", "large", "[" HTTP "]", buf_str(&b));
    buf_done(&b);
}

TEST(too_much_is_cut_and_says_so)
{
    static const struct {
        int flags;
        uint16_t payload;
        bool tc;
        int answers; /* (limit - header and question - OPT) / 16 */
    } cases[] = {
        {0, 0, true, 28},        {EDNS, 512, true, 28},   {EDNS, 100, true, 28}, {EDNS, 1232, true, 73},
        {EDNS, 4096, true, 252}, {EDNS, 9000, true, 252}, {TCP, 0, false, 2000}, {TCP | EDNS, 512, false, 2000},
    };
    setup();
    add_large_service(2000);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        free(ask_flags("large.default.svc.cluster.local.", A, cases[i].flags, cases[i].payload));
        T_INT(knot_wire_get_tc(out) != 0, cases[i].tc);
        T_INT(knot_wire_get_ancount(out), cases[i].answers);
        T_INT(knot_wire_get_arcount(out), cases[i].flags & EDNS ? 1 : 0);
    }
    _cleanup_free_ char *text = ask_flags("_http._tcp.large.default.svc.cluster.local.", SRV, TCP, 0);
    T_TRUE(!streq(text, "(broken)"));
    teardown();
}

TEST(endpoints_take_turns_at_the_front)
{
    uint8_t query[512];
    int first[2] = {0};
    setup();
    add_service("default", "pair", "{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"],\"ports\":[" HTTP "]}");
    add_slice("default", "pair", "[" HTTP "]", "[" ENDPOINT("10.244.0.7", "") "," ENDPOINT("10.244.0.8", "") "]");
    size_t len = make_query("pair.default.svc.cluster.local.", A, 0, 0, query, sizeof(query));
    for (uint16_t id = 0; id < 10; id++) {
        knot_wire_set_id(query, id);
        T_INT(answer_query(&a, query, len, false, out, &out_len), ANSWER_SEND);
        first[out[out_len - 1] == 8]++; /* the last byte is the last address' */
    }
    T_INT(first[0], 5);
    T_INT(first[1], 5);
    teardown();
}

TEST(answers_follow_the_model_at_once)
{
    setup();
    _cleanup_free_ char *before = ask_flags("new.default.svc.cluster.local.", A, 0, 0);
    T_STR(before, NXDOMAIN);
    free(ask_flags("7.0.244.10.in-addr.arpa.", PTR, 0, 0)); /* the reverse names have been looked at before */
    add_service("default", "new",
                "{\"clusterIP\":\"10.96.0.99\",\"clusterIPs\":[\"10.96.0.99\"],\"ports\":[" HTTP "]}");
    add_slice("default", "new", "[" HTTP "]", "[" ENDPOINT("10.244.0.7", "") "," ENDPOINT("10.244.0.77", "") "]");
    _cleanup_free_ char *after = ask_flags("new.default.svc.cluster.local.", A, 0, 0);
    T_STR(after, "NOERROR aa\nnew.default.svc.cluster.local. 5 A 10.96.0.99");
    _cleanup_free_ char *both = ask_flags("7.0.244.10.in-addr.arpa.", PTR, 0, 0);
    T_STR(both, "NOERROR aa\n7.0.244.10.in-addr.arpa. 5 PTR db-0.db.default.svc.cluster.local.\n"
                "7.0.244.10.in-addr.arpa. 5 PTR 10-244-0-7.new.default.svc.cluster.local.");
    model_set_service(a.model, "default", "db", NULL);
    model_set_slice(a.model, "default", "db", NULL);
    _cleanup_free_ char *one = ask_flags("7.0.244.10.in-addr.arpa.", PTR, 0, 0);
    T_STR(one, "NOERROR aa\n7.0.244.10.in-addr.arpa. 5 PTR 10-244-0-7.new.default.svc.cluster.local.");
    _cleanup_free_ char *gone = ask_flags("db.default.svc.cluster.local.", A, 0, 0);
    T_STR(gone, NXDOMAIN);
    teardown();
}

TEST(nothing_is_denied_before_the_model_is_full)
{
    setup();
    a.partial = true;
    _cleanup_free_ char *known = ask_flags("web.default.svc.cluster.local.", A, 0, 0);
    T_STR(known, "NOERROR aa\nweb.default.svc.cluster.local. 5 A 10.96.0.20");
    _cleanup_free_ char *unknown = ask_flags("none.default.svc.cluster.local.", A, EDNS, 0);
    T_STR(unknown, "SERVFAIL edns");
    a.partial = false;
    teardown();
}

/* --- with foreign replies --- */

static size_t foreign_reply(const uint8_t *query, size_t len, const char *ip, uint8_t *reply, size_t size,
                            unsigned rcode)
{
    knot_pkt_t *q = knot_pkt_new((void *)query, (uint16_t)len, NULL), *p = knot_pkt_new(reply, (uint16_t)size, NULL);
    knot_pkt_parse(q, 0);
    knot_pkt_init_response(p, q);
    knot_wire_set_rcode(reply, (short)rcode);
    knot_pkt_begin(p, KNOT_ANSWER);
    if (ip) {
        struct ip address;
        ip_parse(ip, &address);
        knot_rrset_t rr;
        knot_dname_t *owner = knot_dname_copy(knot_pkt_qname(q), NULL);
        knot_rrset_init(&rr, owner, A, KNOT_CLASS_IN, 300);
        knot_rrset_add_rdata(&rr, address.bytes, 4, NULL);
        knot_pkt_put(p, KNOT_COMPR_HINT_QNAME, &rr, 0);
        knot_rrset_clear(&rr, NULL);
    }
    size_t n = p->size;
    knot_pkt_free(p);
    knot_pkt_free(q);
    return n;
}

TEST(a_foreign_name_behind_ours_is_joined)
{
    uint8_t query[512], reply[512];
    setup();
    size_t len = make_query("out.default.svc.cluster.local.", A, 0, 0, query, sizeof(query));
    T_INT(answer_query(&a, query, len, false, out, &out_len), ANSWER_CHASE);
    knot_dname_storage_t target;
    knot_dname_from_str(target, "www.example.com.", sizeof(target));
    T_TRUE(knot_dname_is_case_equal(out + WIRE_HEADER_SIZE, target));
    T_TRUE(knot_wire_get_rd(out));

    size_t reply_len = foreign_reply(out, out_len, "192.0.2.7", reply, sizeof(reply), 0);
    out_len = answer_join(&a, query, len, reply, reply_len, false, out);
    _cleanup_free_ char *joined = packet_text(out, out_len);
    T_STR(joined, "NOERROR\nout.default.svc.cluster.local. 5 CNAME www.Example.com.\nwww.Example.com. 300 A 192.0.2.7");
    T_INT(wire_u16(out), 1200);

    T_INT(answer_query(&a, query, len, false, out, &out_len), ANSWER_CHASE);
    reply_len = foreign_reply(out, out_len, NULL, reply, sizeof(reply), KNOT_RCODE_NXDOMAIN);
    out_len = answer_join(&a, query, len, reply, reply_len, false, out);
    _cleanup_free_ char *denied = packet_text(out, out_len);
    T_STR(denied, "NXDOMAIN\nout.default.svc.cluster.local. 5 CNAME www.Example.com.");

    out_len = answer_join(&a, query, len, NULL, 0, false, out);
    _cleanup_free_ char *silent = packet_text(out, out_len);
    T_STR(silent, "SERVFAIL");
    teardown();
}

TEST(foreign_replies_are_cut_to_what_the_client_takes)
{
    uint8_t query[512], reply[2000] = {0};
    size_t len = make_query("www.example.com.", A, EDNS, 1000, query, sizeof(query));
    memcpy(reply, query, len);
    knot_wire_set_qr(reply);
    T_INT(answer_fit(query, len, false, reply, 1000), 1000);
    T_INT(answer_fit(query, len, true, reply, 2000), 2000);
    T_TRUE(!knot_wire_get_tc(reply));
    T_INT(answer_fit(query, len, false, reply, 1001), 12 + 17 + 4);
    T_TRUE(knot_wire_get_tc(reply));
}

int main(void)
{
    RUN(names_and_what_they_hold);
    RUN(what_the_owner_sets_holds);
    RUN(edns_and_refusals);
    RUN(what_is_no_query);
    RUN(too_much_is_cut_and_says_so);
    RUN(endpoints_take_turns_at_the_front);
    RUN(answers_follow_the_model_at_once);
    RUN(nothing_is_denied_before_the_model_is_full);
    RUN(a_foreign_name_behind_ours_is_joined);
    RUN(foreign_replies_are_cut_to_what_the_client_takes);
    return DONE();
}
