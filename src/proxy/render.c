/* The table `ip c8s` (its twin `ip6 c8s` for the other family). There is no chain per Service: Services are elements of
 * maps, and the chains below are all there ever are. A *front* is what a client connects to: address . protocol . port
 * of a ClusterIP, external address, load balancer's address or, for NodePorts, node address.
 *
 *   svc             front -> goto epN (N endpoints), goto refuse (no endpoints), drop (policy Local, none here)
 *   ep              front . slot -> endpoint . port; slots from 32768 on: the endpoints of this node
 *   external_local  front -> goto localN or drop: externalTrafficPolicy Local
 *   external_cluster  fronts with externalTrafficPolicy Cluster: these hide the client
 *   cluster_ips     ClusterIPs that exist: their unknown ports are refused, unknown addresses are dropped
 *   restricted      fronts with loadBalancerSourceRanges, and
 *   allowed         front . source range
 *   affine          fronts with session affinity -> number of the ServicePort
 *   affine_for      the same fronts -> goto remember_SECONDS
 *   affinity        client . number -> endpoint . port, with a timeout; used by `follow`, filled by remember_SECONDS
 *   host_ports      protocol . port -> pod . port: hostPorts, at any address that is the node's
 *   host_ports_on   front -> pod . port: those with a hostIP
 *
 *   prerouting, output ─► services ─► (external, unless a ClusterIP) ─► follow (affinity) ─► svc ─► epN, refuse, drop
 *                                                                               └► host_port
 *   postrouting ─► remember (affinity), masquerade of what carries the mark
 *
 * `svc` is looked up in one place because every change of a verdict makes the kernel walk the map once for each place.
 *
 * These are nat chains, which see the first packet of a connection only, so that all of it costs nothing afterwards.
 *
 * epN picks one of N slots at random. N goes from 1 to 16 and on in powers of two; in the chain of a power of two an
 * empty slot means another throw, up to six times, then one among the lower half, which is always full. So every
 * endpoint has the same chance to within two per cent. The chains exist from the start because nft 1.0.6 cannot add a
 * rule that uses `ep` once the map is in the kernel ("conflicting protocols specified").
 *
 * Affinity: the first packet leaves postrouting with its endpoint chosen; there it is remembered, and each further
 * connection starts the time anew. All ways to a ServicePort have one number, so that a client finds its endpoint by
 * any of them; ways with policy Local have another, for they must not follow where those of policy Cluster lead.
 *
 * Hairpin: a pod that reaches itself through a Service would get its own address as the source. Pods hang on a link
 * each, so that is the packet that leaves by the link it came in by: marked in `hairpin`, masqueraded like the others.
 *
 * The cluster's DNS address is answered on the node itself and kept out of connection tracking (raw hooks); untracked
 * packets never come to nat chains. */
#include "proxy/render.h"

#include "base/alloc.h"

/* kube-proxy's and every CNI's bit for "masquerade this". */
#define MARK "0x4000"
#define UNMARK "0xffffbfff"

#define TRIES 6

struct words {
    const char *table, *addr, *icmp;
};

static const struct words *words_of(int family)
{
    static const struct words v4 = {"ip", "ipv4_addr", "icmp"}, v6 = {"ip6", "ipv6_addr", "icmpv6"};
    return family == AF_INET6 ? &v6 : &v4;
}

static const char *ip_text(const struct ip *ip)
{
    static char text[IP_TEXT_SIZE];
    return ip_format(ip, text);
}

static void render_sets(const struct words *w, struct buf *b)
{
    const char *a = w->addr, *ip = w->table;
    buf_addf(b, "  map svc { type %s . inet_proto . inet_service : verdict; }\n", a);
    buf_addf(
        b, "  map ep { typeof %s daddr . meta l4proto . th dport . numgen random mod 65536 : %s daddr . th dport; }\n",
        ip, ip);
    buf_addf(b, "  map external_local { type %s . inet_proto . inet_service : verdict; }\n", a);
    buf_addf(b, "  set external_cluster { type %s . inet_proto . inet_service; }\n", a);
    buf_addf(b, "  set cluster_ips { type %s; }\n", a);
    buf_addf(b, "  set restricted { type %s . inet_proto . inet_service; }\n", a);
    buf_addf(b, "  set allowed { type %s . inet_proto . inet_service . %s; flags interval; }\n", a, a);
    buf_addf(b, "  map affine { type %s . inet_proto . inet_service : mark; }\n", a);
    buf_addf(b, "  map affine_for { type %s . inet_proto . inet_service : verdict; }\n", a);
    /* The size bounds what clients can make the kernel remember: 65,536 of them, some 15 MB. */
    buf_addf(b,
             "  map affinity { type %s . mark : %s . inet_service; "
             "flags dynamic,timeout; size 65536; timeout 3h; }\n",
             a, a);
    buf_addf(b, "  map host_ports { type inet_proto . inet_service : %s . inet_service; }\n", a);
    buf_addf(b, "  map host_ports_on { type %s . inet_proto . inet_service : %s . inet_service; }\n", a, a);
}

static void throw_dice(const struct words *w, size_t mod, size_t offset, struct buf *b)
{
    buf_addf(b, "    dnat %s to %s daddr . meta l4proto . th dport . numgen random mod %zu", w->table, w->table, mod);
    if (offset)
        buf_addf(b, " offset %zu", offset);
    buf_adds(b, " map @ep\n");
}

static void render_slot_chains(const struct words *w, const char *name, size_t offset, struct buf *b)
{
    for (size_t n = 1; n <= SLOTS_MAX; n = n < SLOTS_EXACT ? n + 1 : n * 2) {
        buf_addf(b, "  chain %s%zu {\n", name, n);
        for (int i = 0; i < (n > SLOTS_EXACT ? TRIES : 1); i++)
            throw_dice(w, n, offset, b);
        if (n > SLOTS_EXACT)
            throw_dice(w, n / 2, offset, b);
        buf_adds(b, "  }\n");
    }
}

#define FRONT "%s daddr . meta l4proto . th dport"
#define SET_MARK "meta mark set meta mark | " MARK
#define CLEAR_MARK "meta mark set meta mark & " UNMARK

static void render_services(const struct site *site, const struct words *w, struct buf *b)
{
    const char *ip = w->table;
    char pods[CIDR_TEXT_SIZE], services[CIDR_TEXT_SIZE];
    cidr_format(&site->pods, pods);
    cidr_format(&site->services, services);

    buf_addf(b, "  chain refuse {\n    reject with %s port-unreachable\n  }\n", w->icmp);
    buf_addf(b, "  chain unknown {\n    %s daddr @cluster_ips goto refuse\n    drop\n  }\n", ip);

    buf_adds(b, "  chain " FOLLOW_CHAIN " {\n  }\n");
    buf_addf(b, "  chain outside {\n    jump " FOLLOW_CHAIN "\n    " FRONT " vmap @external_local\n  }\n", ip);

    buf_adds(b, "  chain external {\n");
    buf_addf(b, "    " FRONT " @restricted " FRONT " . %s saddr != @allowed drop\n", ip, ip, ip);
    buf_addf(b, "    " FRONT " @external_cluster " SET_MARK "\n", ip);
    buf_addf(b, "    %s saddr != %s fib saddr type != local jump outside\n  }\n", ip, pods);

    buf_adds(b, "  chain host_port {\n");
    buf_addf(b, "    dnat %s to " FRONT " map @host_ports_on\n", ip, ip);
    buf_addf(b, "    dnat %s to meta l4proto . th dport map @host_ports\n  }\n", ip);

    buf_adds(b, "  chain services {\n");
    buf_addf(b, "    %s daddr != %s jump external\n", ip, services);
    buf_addf(b, "    %s daddr %s %s saddr != %s " SET_MARK "\n", ip, services, ip, pods);
    buf_adds(b, "    jump " FOLLOW_CHAIN "\n");
    buf_addf(b, "    " FRONT " vmap @svc\n", ip);
    buf_addf(b, "    %s daddr %s goto unknown\n", ip, services);
    buf_adds(b, "    fib daddr type local jump host_port\n  }\n");
}

static void render_remembering(const struct words *w, struct buf *b)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp"};
    buf_adds(b, "  chain remember {\n");
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        buf_addf(b,
                 "    meta l4proto %s ct original %s daddr . meta l4proto . ct original proto-dst vmap @affine_for\n",
                 protocols[i], w->table);
    buf_adds(b, "  }\n");
}

void render_remember(const struct site *site, int seconds, struct buf *out)
{
    buf_addf(out, "add chain %s " TABLE " " REMEMBER_CHAIN "\n", words_of(site->family)->table, seconds);
}

static void render_hooks(const struct site *site, const struct words *w, struct buf *b)
{
    buf_adds(
        b,
        "  chain prerouting {\n    type nat hook prerouting priority -100; policy accept;\n    jump services\n  }\n");
    /* The node itself is no pod: whatever it sends to a Service is masqueraded. */
    buf_adds(b, "  chain output {\n    type nat hook output priority -100; policy accept;\n"
                "    " SET_MARK "\n    jump services\n    " CLEAR_MARK "\n  }\n");
    buf_adds(b, "  chain input {\n    type nat hook input priority 100; policy accept;\n"
                "    ct status dnat jump remember\n  }\n");
    buf_adds(b, "  chain postrouting {\n    type nat hook postrouting priority 100; policy accept;\n"
                "    ct status dnat jump remember\n"
                "    meta mark & " MARK " != 0 " CLEAR_MARK " masquerade fully-random\n  }\n");
    buf_addf(b, "  chain hairpin {\n    type filter hook forward priority 0; policy accept;\n"
                "    ct state new ct status dnat fib daddr . iif oif exists " SET_MARK "\n  }\n");
    /* Links of pods with a hostPort let 127.0.0.1 out (podnet_let_localhost_in); nobody comes in by that. */
    if (site->family == AF_INET)
        buf_adds(b, "  chain martians {\n    type filter hook prerouting priority -300; policy accept;\n"
                    "    iif != \"lo\" ip daddr 127.0.0.0/8 drop\n  }\n");
    if (site->dns.family != site->family)
        return;
    buf_addf(b,
             "  chain dns_in {\n    type filter hook prerouting priority -300; policy accept;\n    %s daddr %s "
             "notrack\n  }\n",
             w->table, ip_text(&site->dns));
    buf_addf(b,
             "  chain dns_out {\n    type filter hook output priority -300; policy accept;\n    %s daddr %s notrack\n",
             w->table, ip_text(&site->dns));
    buf_addf(b, "    %s saddr %s notrack\n  }\n", w->table, ip_text(&site->dns));
}

void render_teardown(int family, struct buf *out)
{
    const char *ip = words_of(family)->table;
    buf_addf(out, "add table %s " TABLE "\ndelete table %s " TABLE "\n", ip, ip);
}

void render_table(const struct site *site, struct buf *out)
{
    const struct words *w = words_of(site->family);
    render_teardown(site->family, out);
    buf_addf(out, "table %s " TABLE " {\n", w->table);
    render_sets(w, out);
    render_slot_chains(w, "ep", 0, out);
    render_slot_chains(w, "local", LOCAL_SLOTS_AT, out);
    render_services(site, w, out);
    render_remembering(w, out);
    render_hooks(site, w, out);
    buf_adds(out, "}\n");
}

void render_change(const struct site *site, const struct change *c, struct buf *out)
{
    const char *ip = words_of(site->family)->table;
    for (int s = 0; s < SET_N; s++)
        if (c->del[s].len)
            buf_addf(out, "delete element %s " TABLE " %s { %s }\n", ip, set_names[s], buf_str(&c->del[s]));
    for (int s = 0; s < SET_N; s++)
        if (c->add[s].len)
            buf_addf(out, "add element %s " TABLE " %s { %s }\n", ip, set_names[s], buf_str(&c->add[s]));
}
