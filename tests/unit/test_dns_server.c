/* dns: the whole server over sockets: UDP in bursts, TCP in pieces, forwarding (to a second server of ours), and in a
 * namespace with an address of its own. */
#include <errno.h>
#include <fcntl.h>
#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/dname.h>
#include <libknot/packet/wire.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/netns.h"
#include "base/rand.h"
#include "dns/dns.h"
#include "dns/metrics.h"
#include "dns/wire.h"
#include "t.h"

static uv_loop_t loop;
static struct model *inner_model, *outer_model;
static struct dns *inner, *outer;       /* the cluster's, and the one outside that it asks */
static char inner_ip[16], outer_ip[16]; /* random ones of the loopback network: nobody else uses them */
static struct err err;

static void add_service(struct model *m, const char *name, const char *spec)
{
    json_t *doc = json_pack("{s:{s:s,s:s},s:o}", "metadata", "name", name, "namespace", "default", "spec",
                            json_loads(spec, 0, NULL));
    model_set_service(m, "default", name, doc);
    json_decref(doc);
}

static void add_large_service(struct model *m, int n)
{
    struct buf b = BUF_INIT(1 << 20);
    add_service(m, "large", "{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]}");
    buf_adds(&b,
             "{\"metadata\":{\"name\":\"large\",\"namespace\":\"default\",\"labels\":{\"kubernetes.io/service-name\":"
             "\"large\"}},\"addressType\":\"IPv4\",\"ports\":[],\"endpoints\":[");
    for (int i = 0; i < n; i++)
        buf_addf(&b, "%s{\"addresses\":[\"10.1.%d.%d\"],\"conditions\":{\"ready\":true}}", i ? "," : "", i / 250,
                 i % 250 + 1);
    buf_adds(&b, "]}");
    json_t *doc = json_loads(buf_str(&b), 0, NULL);
    model_set_slice(m, "default", "large", doc);
    json_decref(doc);
    buf_done(&b);
}

#define PORT 5353

static void random_loopback(char out[16])
{
    snprintf(out, 16, "127.%u.%u.%u", 1 + rand_below(250), rand_below(250), 1 + rand_below(250));
}

static struct dns *start(struct model *m, const char *domain, const char *ip, const char *upstream_ip)
{
    static struct {
        char text[32];
        const char *list[2];
    } upstreams[2]; /* outlive the servers that borrow them */
    bool is_inner = m == inner_model;
    snprintf(upstreams[is_inner].text, sizeof(upstreams[is_inner].text), "%s#%d", upstream_ip, PORT);
    upstreams[is_inner].list[0] = upstreams[is_inner].text;
    const struct dns_config config = {.netns_fd = -1,
                                      .ips = ip,
                                      .domain = domain,
                                      .port = PORT,
                                      .metrics_port = DNS_METRICS_PORT,
                                      .upstream_netns_fd = -1,
                                      .upstreams = upstreams[is_inner].list};
    struct dns *d = dns_new(&loop, m, &config, &err);
    if (!d) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    return d;
}

static void setup_with(const char *(*upstream_of_outer)(void))
{
    uv_loop_init(&loop);
    inner_model = model_new();
    outer_model = model_new();
    model_set_namespace(inner_model, "default", true);
    add_service(inner_model, "web", "{\"clusterIP\":\"10.96.0.20\",\"clusterIPs\":[\"10.96.0.20\"]}");
    add_service(inner_model, "out", "{\"type\":\"ExternalName\",\"externalName\":\"www.default.svc.outside.test\"}");
    add_large_service(inner_model, 1000);
    add_service(outer_model, "www", "{\"clusterIP\":\"192.0.2.7\",\"clusterIPs\":[\"192.0.2.7\"]}");
    add_large_service(outer_model, 1000);
    random_loopback(inner_ip);
    random_loopback(outer_ip);
    outer = start(outer_model, "outside.test", outer_ip, upstream_of_outer());
    inner = start(inner_model, "cluster.local", inner_ip, outer_ip);
}

static const char *nobody(void)
{
    return "127.0.0.0";
}

static const char *ourselves(void)
{
    return inner_ip;
}

static void setup(void)
{
    setup_with(nobody);
}

static void teardown(void)
{
    dns_free(inner);
    dns_free(outer);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
    model_free(inner_model);
    model_free(outer_model);
}

/* --- a client on the same loop --- */

static size_t make_query(const char *name, uint16_t id, uint8_t *query)
{
    static const uint8_t header[12] = {0, 0, 1, 0, 0, 1};
    memcpy(query, header, sizeof(header));
    knot_wire_set_id(query, id);
    knot_dname_from_str(query + 12, name, 255);
    size_t at = 12 + knot_dname_size(query + 12);
    memcpy(query + at, "\0\1\0\1", 4);
    return at + 4;
}

static int connected(int type, const char *ip, int port)
{
    struct sockaddr_storage addr = {0};
    if (uv_ip4_addr(ip, port, (struct sockaddr_in *)&addr) < 0)
        T_INT(uv_ip6_addr(ip, port, (struct sockaddr_in6 *)&addr), 0);
    int fd = socket(addr.ss_family, type | SOCK_CLOEXEC, 0);
    for (int tries = 0; connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0; tries++) {
        if (tries == 500) {
            T_FAIL("connect to %s: %s", ip, strerror(errno));
            break;
        }
        poll(NULL, 0, 10);
    }
    return fd;
}

/* Runs the loop until `want` bytes, or one packet, are there; 0: the other side has ended. */
static size_t receive(int fd, uint8_t *out, size_t want)
{
    for (;;) {
        ssize_t n = recv(fd, out, want, MSG_DONTWAIT);
        if (n >= 0)
            return (size_t)n;
        if (errno != EAGAIN)
            return 0;
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static size_t ask_udp(const char *name, uint8_t *reply)
{
    uint8_t query[300];
    size_t len = make_query(name, 5, query);
    _cleanup_close_ int fd = connected(SOCK_DGRAM, inner_ip, PORT);
    T_INT(send(fd, query, len, 0), len);
    size_t n = receive(fd, reply, WIRE_MAX);
    T_INT(knot_wire_get_id(reply), 5);
    T_TRUE(wire_same_question(query, len, reply, n));
    return n;
}

static size_t receive_message(int fd, uint8_t *reply)
{
    uint8_t prefix[2];
    size_t got = 0, want;
    for (size_t n = 0; n < 2;) {
        size_t m = receive(fd, prefix + n, 2 - n);
        if (!m)
            return 0;
        n += m;
    }
    want = wire_u16(prefix);
    while (got < want) {
        size_t m = receive(fd, reply + got, want - got);
        if (!m)
            return 0;
        got += m;
    }
    return want;
}

static void send_message(int fd, const char *name, uint16_t id)
{
    uint8_t message[302];
    size_t len = make_query(name, id, message + 2);
    message[0] = 0;
    message[1] = (uint8_t)len;
    T_INT(send(fd, message, len + 2, MSG_NOSIGNAL), len + 2);
}

static const uint8_t *last_address(const uint8_t *reply, size_t len)
{
    return reply + len - 4;
}

TEST(own_and_foreign_names_over_udp)
{
    uint8_t reply[WIRE_MAX];
    setup();
    size_t n = ask_udp("web.default.svc.cluster.local.", reply);
    T_TRUE(memcmp(last_address(reply, n), "\x0a\x60\x00\x14", 4) == 0);
    n = ask_udp("www.default.svc.outside.test.", reply);
    T_TRUE(memcmp(last_address(reply, n), "\xc0\x00\x02\x07", 4) == 0);
    ask_udp("none.default.svc.outside.test.", reply);
    T_INT(knot_wire_get_rcode(reply), KNOT_RCODE_NXDOMAIN);
    n = ask_udp("out.default.svc.cluster.local.", reply); /* a name of ours that leads out */
    T_INT(knot_wire_get_ancount(reply), 2);
    T_TRUE(memcmp(last_address(reply, n), "\xc0\x00\x02\x07", 4) == 0);
    ask_udp("www.example.com.", reply); /* the outer one has nobody to ask */
    T_INT(knot_wire_get_rcode(reply), KNOT_RCODE_SERVFAIL);
    teardown();
}

TEST(what_was_asked_outside_is_remembered)
{
    uint8_t reply[WIRE_MAX];
    setup();
    ask_udp("www.default.svc.outside.test.", reply);
    dns_free(outer);
    outer = NULL;
    size_t n = ask_udp("www.default.svc.outside.test.", reply);
    T_TRUE(memcmp(last_address(reply, n), "\xc0\x00\x02\x07", 4) == 0);
    ask_udp("large.default.svc.outside.test.", reply);
    T_INT(knot_wire_get_rcode(reply), KNOT_RCODE_SERVFAIL); /* gone indeed */
    teardown();
}

static void configure(struct dns *d, const char *key, const char *value)
{
    _cleanup_json_ json_t *data = value ? json_pack("{s:s}", key, value) : NULL;
    struct settings *s = settings_new(data, &err);
    dns_configure(d, s);
    settings_unref(s);
}

TEST(settings_hold_from_the_next_question_on)
{
    static const char name[] = "www.default.svc.outside.test.";
    uint8_t reply[WIRE_MAX];
    char stub[80];
    setup();
    ask_udp(name, reply);
    T_INT(knot_wire_get_rcode(reply), KNOT_RCODE_NOERROR);
    configure(inner, "upstreamNameservers", "127.0.0.0");
    ask_udp(name, reply); /* what was remembered is forgotten, and nobody is there */
    T_INT(knot_wire_get_rcode(reply), KNOT_RCODE_SERVFAIL);
    snprintf(stub, sizeof(stub), "{svc.Outside.test: \"%s:%d\", other.test: 127.0.0.0}", outer_ip, PORT);
    configure(inner, "stubDomains", stub);
    ask_udp(name, reply);
    T_INT(knot_wire_get_rcode(reply), KNOT_RCODE_NOERROR);
    ask_udp("out.default.svc.cluster.local.", reply); /* the way behind a name of ours too */
    T_INT(knot_wire_get_ancount(reply), 2);
    ask_udp("www.other.test.", reply);
    T_INT(knot_wire_get_rcode(reply), KNOT_RCODE_SERVFAIL);
    configure(inner, "hosts", "192.0.2.99 www.default.svc.outside.test");
    size_t n = ask_udp(name, reply);
    T_TRUE(memcmp(last_address(reply, n), "\xc0\x00\x02\x63", 4) == 0);
    configure(inner, NULL, NULL);
    n = ask_udp(name, reply);
    T_TRUE(memcmp(last_address(reply, n), "\xc0\x00\x02\x07", 4) == 0);
    teardown();
}

TEST(a_question_on_its_way_ends_as_it_began)
{
    uint8_t query[300], reply[WIRE_MAX];
    setup();
    _cleanup_close_ int udp = connected(SOCK_DGRAM, inner_ip, PORT);
    T_TRUE(send(udp, query, make_query("www.default.svc.outside.test.", 2, query), 0) > 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    configure(inner, "upstreamNameservers", "127.0.0.0");
    receive(udp, reply, sizeof(reply));
    T_INT(knot_wire_get_rcode(reply), KNOT_RCODE_NOERROR);
    ask_udp("www.default.svc.outside.test.", reply); /* and is not remembered */
    T_INT(knot_wire_get_rcode(reply), KNOT_RCODE_SERVFAIL);
    teardown();
}

TEST(a_burst_is_answered_whole)
{
    enum { N = 100 };
    uint8_t query[300], reply[WIRE_MAX];
    bool seen[N] = {0};
    setup();
    _cleanup_close_ int fd = connected(SOCK_DGRAM, inner_ip, PORT);
    for (uint16_t i = 0; i < N; i++) {
        size_t len = make_query("web.default.svc.cluster.local.", i, query);
        T_INT(send(fd, query, len, 0), len);
    }
    for (int i = 0; i < N; i++) {
        receive(fd, reply, sizeof(reply));
        seen[knot_wire_get_id(reply) % N] = true;
    }
    for (int i = 0; i < N; i++)
        T_TRUE(seen[i]);
    T_INT(send(fd, "x", 1, 0), 1); /* no query: no answer, and the next one gets its own */
    T_INT(send(fd, query, make_query("web.default.svc.cluster.local.", 999, query), 0), 47);
    receive(fd, reply, sizeof(reply));
    T_INT(knot_wire_get_id(reply), 999);
    teardown();
}

/* A socket of its own for each question, so that no answer is mixed up; from: the client's address. */
static int ask_from(const char *from, const char *name)
{
    struct sockaddr_in addr, own;
    uint8_t query[300];
    uv_ip4_addr(inner_ip, PORT, &addr);
    uv_ip4_addr(from, 0, &own);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    T_INT(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
    T_INT(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    T_TRUE(send(fd, query, make_query(name, 9, query), 0) > 0);
    return fd;
}

TEST(one_client_leaves_room_for_others)
{
    enum { N = 140, SHARE = 128 };
    int fds[N + 1], answered = 0;
    uint8_t reply[600];
    char silent_ip[16], upstream[40];
    struct sockaddr_in addr;
    setup();
    random_loopback(silent_ip);
    uv_ip4_addr(silent_ip, PORT, &addr);
    _cleanup_close_ int silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    T_INT(bind(silent, (struct sockaddr *)&addr, sizeof(addr)), 0);
    snprintf(upstream, sizeof(upstream), "%s:%d", silent_ip, PORT);
    configure(inner, "upstreamNameservers", upstream);
    for (int i = 0; i < N; i++) {
        fds[i] = ask_from("127.0.0.1", "a.example.");
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    fds[N] = ask_from("127.0.0.2", "a.example.");
    T_INT(receive(fds[SHARE], reply, sizeof(reply)), 27); /* the loop has come as far as that */
    T_INT(knot_wire_get_rcode(reply), KNOT_RCODE_SERVFAIL);
    for (int i = 0; i < 10; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    for (int i = 0; i <= N; i++) {
        answered += recv(fds[i], reply, sizeof(reply), 0) > 0;
        close(fds[i]);
    }
    T_INT(answered, N - SHARE - 1); /* and not the other client's */
    teardown();
}

TEST(what_is_done_is_counted)
{
    struct metrics m = {
        .queries = {7, 1}, .responses = {[0] = 5, [3] = 3}, .cache_hits = 2, .forwarded = 4, .loops = 6};
    static const char *const wanted[] = {
        "\ncoredns_dns_requests_total{proto=\"udp\"} 7\n", "\ncoredns_dns_responses_total{rcode=\"NXDOMAIN\"} 3\n",
        "\ncoredns_cache_hits_total 2\n", "\ncoredns_forward_requests_total 4\n", "\ncoredns_forward_loops_total 6\n"};
    _cleanup_free_ char *text = metrics_text(&m);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        T_TRUE(strstr(text, wanted[i]));
    T_TRUE(!strstr(text, "SERVFAIL"));
    metrics_count_response(&m, (const uint8_t *)"\0\0\0\003", 4); /* too short for a header */
    T_INT(m.responses[3], 3);
}

/* The server outside asks us what we ask it: nobody's question goes round and round, and somebody can see why. */
TEST(a_loop_is_left_and_told)
{
    static const char get[] = "GET /metrics HTTP/1.1\r\nHost: dns\r\n\r\n";
    uint8_t reply[WIRE_MAX];
    setup_with(ourselves);
    ask_udp("www.example.test.", reply);
    T_INT(knot_wire_get_rcode(reply), KNOT_RCODE_SERVFAIL);
    _cleanup_close_ int fd = connected(SOCK_STREAM, inner_ip, DNS_METRICS_PORT);
    T_INT(send(fd, get, sizeof(get) - 1, 0), sizeof(get) - 1);
    reply[receive(fd, reply, sizeof(reply) - 1)] = '\0';
    const char *count = strstr((char *)reply, "\ncoredns_forward_loops_total ");
    T_TRUE(count && count[strlen("\ncoredns_forward_loops_total ")] != '0');
    teardown();
}

TEST(what_udp_cannot_carry_goes_over_tcp)
{
    uint8_t reply[WIRE_MAX];
    setup();
    ask_udp("large.default.svc.cluster.local.", reply);
    T_TRUE(knot_wire_get_tc(reply));
    ask_udp("large.default.svc.outside.test.", reply);
    T_TRUE(knot_wire_get_tc(reply));
    _cleanup_close_ int fd = connected(SOCK_STREAM, inner_ip, PORT);
    send_message(fd, "large.default.svc.cluster.local.", 1);
    T_TRUE(receive_message(fd, reply) > 16000);
    T_INT(knot_wire_get_ancount(reply), 1000);
    send_message(fd, "large.default.svc.outside.test.", 2); /* fetched over TCP too */
    T_TRUE(receive_message(fd, reply) > 16000);
    T_INT(knot_wire_get_ancount(reply), 1000);
    T_INT(knot_wire_get_id(reply), 2);
    teardown();
}

TEST(tcp_takes_pieces_and_many_at_once)
{
    uint8_t message[302], reply[WIRE_MAX];
    setup();
    _cleanup_close_ int fd = connected(SOCK_STREAM, inner_ip, PORT);
    size_t len = make_query("web.default.svc.cluster.local.", 7, message + 2);
    message[0] = 0;
    message[1] = (uint8_t)len;
    for (size_t i = 0; i < len + 2; i++) {
        T_INT(send(fd, message + i, 1, 0), 1);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    receive_message(fd, reply);
    T_INT(knot_wire_get_id(reply), 7);
    for (uint16_t i = 0; i < 40; i++)
        send_message(fd, i % 2 ? "web.default.svc.cluster.local." : "www.default.svc.outside.test.", i);
    bool seen[40] = {0};
    for (int i = 0; i < 40; i++) {
        T_TRUE(receive_message(fd, reply) > 12);
        seen[knot_wire_get_id(reply) % 40] = true;
    }
    for (int i = 0; i < 40; i++)
        T_TRUE(seen[i]);
    memset(message, 0xff, sizeof(message)); /* a length no query has */
    T_INT(send(fd, message, 10, 0), 10);
    T_INT(receive_message(fd, reply), 0);
    teardown();
}

TEST(ending_in_the_middle)
{
    setup();
    _cleanup_close_ int tcp = connected(SOCK_STREAM, inner_ip, PORT);
    _cleanup_close_ int udp = connected(SOCK_DGRAM, inner_ip, PORT);
    uint8_t query[300];
    send_message(tcp, "www.default.svc.outside.test.", 1);
    T_TRUE(send(udp, query, make_query("large.default.svc.outside.test.", 2, query), 0) > 0);
    for (int i = 0; i < 3; i++)
        uv_run(&loop, UV_RUN_NOWAIT); /* the questions are on their way */
    teardown();
}

TEST(bad_settings_are_told)
{
    static const struct {
        struct dns_config config;
        const char *want;
    } cases[] = {
        {{.netns_fd = -1, .ips = "nowhere", .domain = "cluster.local"}, "\"nowhere\" is no address for DNS"},
        {{.netns_fd = -1, .ips = "127.0.0.1", .domain = "."}, "\".\" is no domain for DNS"},
        {{.netns_fd = -1, .ips = "127.0.0.1", .domain = "a..b"}, "\"a..b\" is no domain for DNS"},
    };
    uv_loop_init(&loop);
    struct model *m = model_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        T_TRUE(!dns_new(&loop, m, &cases[i].config, &err));
        T_STR(err.msg, cases[i].want);
    }
    char ip[16], want[100];
    random_loopback(ip);
    const struct dns_config taken = {.netns_fd = -1, .ips = ip, .domain = "cluster.local", .port = PORT};
    struct dns *d = dns_new(&loop, m, &taken, &err);
    T_TRUE(d && !dns_new(&loop, m, &taken, &err));
    snprintf(want, sizeof(want), "DNS address %s port %d: Address already in use", ip, PORT);
    T_STR(err.msg, want);
    dns_free(d);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    model_free(m);
}

/* --- in a namespace of its own --- */

static int new_netns(void)
{
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET) < 0) {
        close(home);
        return -1;
    }
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), s = socket(AF_INET, SOCK_DGRAM, 0);
    T_INT(ioctl(s, SIOCSIFFLAGS, &lo), 0);
    close(s);
    T_INT(setns(home, CLONE_NEWNET), 0);
    close(home);
    return fd;
}

static bool can_bind(int netns_fd)
{
    NETNS_SCOPE(netns_fd);
    struct sockaddr_in addr;
    struct sockaddr_in6 addr6;
    uv_ip4_addr("10.96.0.10", 0, &addr);
    uv_ip6_addr("fd00:10:96::a", 0, &addr6);
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0), fd6 = socket(AF_INET6, SOCK_DGRAM, 0);
    bool can = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
    T_TRUE(can == (bind(fd6, (struct sockaddr *)&addr6, sizeof(addr6)) == 0));
    return can;
}

/* An IPv6 address may be bound as soon as it is there, but the kernel leads to it a moment later. */
static bool is_led_to(const char *ip)
{
    struct sockaddr_storage addr = {0};
    if (uv_ip4_addr(ip, 53, (struct sockaddr_in *)&addr) < 0)
        uv_ip6_addr(ip, 53, (struct sockaddr_in6 *)&addr);
    _cleanup_close_ int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno != ENETUNREACH;
}

static int connected_in(int netns_fd, int type, const char *ip)
{
    NETNS_SCOPE(netns_fd);
    for (int i = 0; i < 1000 && !is_led_to(ip); i++)
        poll(NULL, 0, 10);
    return connected(type, ip, 53);
}

/* A packet that comes soon; 0: none does. */
static size_t receive_soon(int fd, uint8_t *out, size_t size)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ssize_t n = -1;
    for (int i = 0; n <= 0 && i < 20; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        if (poll(&wait, 1, 10) > 0)
            n = recv(fd, out, size, MSG_DONTWAIT);
    }
    return n > 0 ? (size_t)n : 0;
}

/* Asked as clients ask, again when no answer comes: the kernel makes the route to a new IPv6 address in the background.
 */
static void ask_at(int netns_fd, const char *ip)
{
    static const char name[] = "ns.dns.cluster.local.";
    uint8_t query[300], reply[WIRE_MAX];
    size_t len = make_query(name, 9, query), n = 0;
    for (int tries = 0; !n && tries < 50; tries++) {
        _cleanup_close_ int udp = connected_in(netns_fd, SOCK_DGRAM, ip);
        (void)send(udp, query, len, 0);
        n = receive_soon(udp, reply, sizeof(reply));
    }
    T_TRUE(n > 0 && memcmp(last_address(reply, n), "\x0a\x60\x00\x0a", 4) == 0);
    _cleanup_close_ int tcp = connected_in(netns_fd, SOCK_STREAM, ip);
    send_message(tcp, name, 10);
    n = receive_message(tcp, reply);
    T_TRUE(n > 0 && memcmp(last_address(reply, n), "\x0a\x60\x00\x0a", 4) == 0);
}

TEST(the_addresses_come_and_go_with_the_server)
{
    _cleanup_close_ int netns = new_netns();
    if (netns < 0) {
        T_FAIL("cannot make a network namespace: needs root");
        return;
    }
    struct dns_config config = {
        .netns_fd = netns, .ips = "10.96.0.10,fd00:10:96::a", .domain = "cluster.local", .upstream_netns_fd = -1};
    uv_loop_init(&loop);
    struct model *m = model_new();
    T_TRUE(!can_bind(netns));
    struct dns *d = dns_new(&loop, m, &config, &err);
    T_TRUE(d && can_bind(netns));
    ask_at(netns, "10.96.0.10");
    ask_at(netns, "fd00:10:96::a");
    dns_free(d);
    T_TRUE(!can_bind(netns));
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    model_free(m);
}

int main(void)
{
    RUN(own_and_foreign_names_over_udp);
    RUN(what_was_asked_outside_is_remembered);
    RUN(settings_hold_from_the_next_question_on);
    RUN(a_question_on_its_way_ends_as_it_began);
    RUN(a_burst_is_answered_whole);
    RUN(one_client_leaves_room_for_others);
    RUN(what_is_done_is_counted);
    RUN(a_loop_is_left_and_told);
    RUN(what_udp_cannot_carry_goes_over_tcp);
    RUN(tcp_takes_pieces_and_many_at_once);
    RUN(ending_in_the_middle);
    RUN(bad_settings_are_told);
    RUN(the_addresses_come_and_go_with_the_server);
    return DONE();
}
