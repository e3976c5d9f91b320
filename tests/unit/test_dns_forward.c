/* dns: asking other servers, over loopback against servers that answer, lie, cut short, keep silent or send everything
 * back; and remembering what they said. */
#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/dname.h>
#include <libknot/packet/wire.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "base/str.h"
#include "dns/cache.h"
#include "dns/forward.h"
#include "dns/upstream.h"
#include "dns/wire.h"
#include "t.h"

enum { LIMIT = 300 };
enum mode { ANSWERS, SILENT, FAILS, LIES_FIRST, CUTS, LOOPS };

/* A server of one address, UDP and TCP on the same port. */
struct fake {
    uv_udp_t udp;
    uv_tcp_t tcp;
    char text[64];
    enum mode mode;
    int n_queries, n_tcp; /* probes not counted */
    int last_port, n_ports;
    int last_id, n_ids;
};

static uv_loop_t loop;
static struct forward *f;
static struct fake fakes[2];
static char buffer[70000];

/* --- messages --- */

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

/* The question back with one address of this TTL. */
static size_t make_reply(const uint8_t *query, size_t len, uint32_t ttl, uint8_t *reply)
{
    static const uint8_t rr[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 7};
    memmove(reply, query, len);
    knot_wire_set_qr(reply);
    knot_wire_set_ancount(reply, 1);
    memcpy(reply + len, rr, sizeof(rr));
    wire_put_u32(reply + len + 6, ttl);
    return len + sizeof(rr);
}

static size_t make_denial(const uint8_t *query, size_t len, uint32_t ttl, uint32_t minimum, uint8_t *reply)
{
    uint8_t soa[] = {0, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22, 0, 0, 0, 0, 0, 0,
                     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0};
    memmove(reply, query, len);
    knot_wire_set_qr(reply);
    knot_wire_set_rcode(reply, KNOT_RCODE_NXDOMAIN);
    knot_wire_set_nscount(reply, 1);
    memcpy(reply + len, soa, sizeof(soa));
    wire_put_u32(reply + len + 5, ttl);
    wire_put_u32(reply + len + 29, minimum);
    return len + sizeof(soa);
}

/* --- the fake servers --- */

static void on_alloc(uv_handle_t *h, size_t n, uv_buf_t *buf)
{
    (void)h;
    (void)n;
    *buf = uv_buf_init(buffer, sizeof(buffer));
}

static void send_udp(struct fake *s, const uint8_t *reply, size_t len, const struct sockaddr *to)
{
    uv_buf_t buf = uv_buf_init((char *)reply, (unsigned)len);
    T_INT(uv_udp_try_send(&s->udp, &buf, 1, to), len);
}

static void on_query(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
    struct fake *s = udp->data;
    uint8_t *query = (uint8_t *)buf->base, reply[1000];
    (void)flags;
    if (n <= 0)
        return;
    bool probe = query[12] == 16;
    if (s->mode == LOOPS)
        T_TRUE(forward_is_probe(f, query, (size_t)n) == probe);
    if (!probe) {
        int port = ntohs(((const struct sockaddr_in *)from)->sin_port), id = knot_wire_get_id(query);
        s->n_queries++;
        s->n_ports += port != s->last_port;
        s->last_port = port;
        s->n_ids += id != s->last_id;
        s->last_id = id;
    }
    if (probe || s->mode == SILENT || s->mode == LOOPS)
        return;
    size_t len = make_reply(query, (size_t)n, 60, reply);
    if (s->mode == LIES_FIRST) {
        uint16_t id = knot_wire_get_id(reply);
        knot_wire_set_id(reply, id ^ 1);
        send_udp(s, reply, len, from); /* another id */
        knot_wire_set_id(reply, id);
        reply[13] ^= 3;
        send_udp(s, reply, len, from); /* another name */
        reply[13] ^= 3;
        knot_wire_clear_qr(reply);
        send_udp(s, reply, len, from); /* not an answer */
        send_udp(s, reply, 11, from);
        knot_wire_set_qr(reply);
    } else if (s->mode == FAILS) {
        len = wire_error(query, (size_t)n, KNOT_RCODE_SERVFAIL, reply);
    } else if (s->mode == CUTS) {
        knot_wire_set_tc(reply);
    }
    send_udp(s, reply, len, from);
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_tcp_read(uv_stream_t *c, ssize_t n, const uv_buf_t *buf)
{
    uint8_t reply[1000] = {0};
    if (n < 0) {
        uv_close((uv_handle_t *)c, on_closed);
        return;
    }
    size_t len = make_reply((uint8_t *)buf->base + 2, (size_t)n - 2, 60, reply + 2);
    reply[1] = (uint8_t)len;
    for (size_t i = 0; i < len + 2; i++) { /* byte by byte: a stream has no messages */
        uv_buf_t byte = uv_buf_init((char *)&reply[i], 1);
        T_INT(uv_try_write(c, &byte, 1), 1);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct fake *s = listener->data;
    uv_tcp_t *c = NEW(uv_tcp_t);
    T_INT(status, 0);
    s->n_tcp++;
    uv_tcp_init(&loop, c);
    c->data = c;
    uv_accept(listener, (uv_stream_t *)c);
    uv_read_start((uv_stream_t *)c, on_alloc, on_tcp_read);
}

static void fake_start(struct fake *s, enum mode mode)
{
    struct sockaddr_in addr;
    int size = sizeof(addr);
    *s = (struct fake){.mode = mode, .last_id = -1};
    char ip[16]; /* a random one of the loopback network: the port is free for TCP too */
    snprintf(ip, sizeof(ip), "127.%u.%u.%u", 1 + rand_below(250), rand_below(250), 1 + rand_below(250));
    uv_ip4_addr(ip, 0, &addr);
    uv_udp_init(&loop, &s->udp);
    uv_udp_bind(&s->udp, (const struct sockaddr *)&addr, 0);
    uv_udp_getsockname(&s->udp, (struct sockaddr *)&addr, &size);
    uv_udp_recv_start(&s->udp, on_alloc, on_query);
    uv_tcp_init(&loop, &s->tcp);
    uv_tcp_bind(&s->tcp, (const struct sockaddr *)&addr, 0);
    uv_listen((uv_stream_t *)&s->tcp, 8, on_connection);
    s->udp.data = s->tcp.data = s;
    snprintf(s->text, sizeof(s->text), "%s#%d", ip, ntohs(addr.sin_port));
}

/* --- the asking side --- */

struct outcome {
    int n, silent;
    uint8_t reply[1000];
    size_t len;
};

static void on_done(void *arg, const uint8_t *reply, size_t len)
{
    struct outcome *o = arg;
    o->n++;
    o->silent += !reply;
    o->len = len;
    if (reply)
        memcpy(o->reply, reply, len);
}

/* Where somebody is silent a try is short; elsewhere so long that none ends for want of time. */
static void start(enum mode first, enum mode second)
{
    bool waits = first == SILENT || first == LOOPS;
    uv_loop_init(&loop);
    fake_start(&fakes[0], first);
    fake_start(&fakes[1], second);
    const char *const list[] = {fakes[0].text, fakes[1].text, NULL};
    const struct forward_config config = {
        .netns_fd = -1, .upstreams = list, .try_ms = waits ? 200 : 20000, .open_max = LIMIT};
    f = forward_new(&loop, &config);
}

static void stop(void)
{
    forward_free(f);
    for (int i = 0; i < 2; i++) {
        uv_close((uv_handle_t *)&fakes[i].udp, NULL);
        uv_close((uv_handle_t *)&fakes[i].tcp, NULL);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
}

static struct outcome ask(const char *name, uint16_t id, bool tcp)
{
    struct outcome o = {0};
    uint8_t query[300];
    size_t len = make_query(name, id, query);
    T_TRUE(forward_ask(f, query, len, tcp, on_done, &o));
    T_INT(o.n, 0);
    while (!o.n)
        uv_run(&loop, UV_RUN_ONCE);
    if (o.len) {
        T_INT(knot_wire_get_id(o.reply), id);
        T_TRUE(memcmp(o.reply + 12, query + 12, len - 12) == 0);
    }
    return o;
}

TEST(an_answer_comes_back_for_the_client_s_id)
{
    start(ANSWERS, ANSWERS);
    for (uint16_t i = 0; i < 20; i++) {
        struct outcome o = ask("wWw.Example.com.", 1000 + i, false);
        T_INT(knot_wire_get_ancount(o.reply), 1);
    }
    T_INT(fakes[0].n_queries, 20);
    T_INT(fakes[1].n_queries, 0);
    T_TRUE(fakes[0].n_ports > 10 && fakes[0].n_ids > 10); /* not to be guessed */
    stop();
}

TEST(a_silent_server_is_left_for_the_next)
{
    start(SILENT, ANSWERS);
    struct outcome o = ask("a.example.", 1, false);
    T_INT(knot_wire_get_ancount(o.reply), 1);
    T_INT(fakes[0].n_queries, 1);
    ask("b.example.", 2, false); /* and not asked first again */
    T_INT(fakes[0].n_queries, 1);
    T_INT(fakes[1].n_queries, 2);
    stop();
}

TEST(a_failing_server_is_left_for_the_next)
{
    start(FAILS, ANSWERS);
    struct outcome o = ask("a.example.", 1, false);
    T_INT(knot_wire_get_ancount(o.reply), 1);
    T_INT(fakes[0].n_queries, 1);
    stop();
}

TEST(all_failing_is_told_as_it_is)
{
    start(FAILS, FAILS);
    struct outcome o = ask("a.example.", 1, false);
    T_INT(knot_wire_get_rcode(o.reply), KNOT_RCODE_SERVFAIL);
    stop();
}

TEST(all_silent_ends_with_nothing)
{
    start(SILENT, SILENT);
    struct outcome o = ask("a.example.", 1, false);
    T_INT(o.silent, 1);
    T_INT(fakes[0].n_queries + fakes[1].n_queries, 3);
    stop();
}

TEST(nobody_there_is_noticed_at_once)
{
    start(ANSWERS, ANSWERS);
    uv_close((uv_handle_t *)&fakes[0].udp, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    uint64_t before = uv_hrtime();
    struct outcome o = ask("a.example.", 1, false);
    T_INT(knot_wire_get_ancount(o.reply), 1);
    T_TRUE(uv_hrtime() - before < 10000000000); /* sooner than the time of a try */
    T_INT(fakes[1].n_queries, 1);
    uv_udp_init(&loop, &fakes[0].udp);
    stop();
}

TEST(forged_answers_are_ignored)
{
    start(LIES_FIRST, SILENT);
    struct outcome o = ask("a.example.", 1, false);
    T_INT(knot_wire_get_ancount(o.reply), 1);
    T_INT(fakes[0].n_queries, 1);
    stop();
}

TEST(a_cut_answer_is_fetched_over_tcp_for_tcp_clients)
{
    start(CUTS, SILENT);
    struct outcome o = ask("a.example.", 1, false);
    T_TRUE(knot_wire_get_tc(o.reply)); /* the client comes back over TCP itself */
    T_INT(fakes[0].n_tcp, 0);
    o = ask("a.example.", 2, true);
    T_TRUE(!knot_wire_get_tc(o.reply));
    T_INT(knot_wire_get_ancount(o.reply), 1);
    T_INT(fakes[0].n_tcp, 1);
    stop();
}

TEST(a_server_that_asks_us_back_is_found)
{
    struct outcome o = {0};
    uint8_t query[300];
    start(LOOPS, ANSWERS);
    struct outcome first = ask("a.example.", 1, false);
    T_INT(knot_wire_get_ancount(first.reply), 1);
    int asked = fakes[0].n_queries;
    ask("b.example.", 2, false);
    T_INT(fakes[0].n_queries, asked);
    stop();

    start(LOOPS, LOOPS);
    first = ask("a.example.", 1, false);
    T_INT(first.silent, 1);
    T_TRUE(!forward_ask(f, query, make_query("b.example.", 2, query), false, on_done, &o));
    T_TRUE(!forward_is_probe(f, query, make_query("0123456789abcdef.c8s-probe.", 2, query)));
    stop();
}

TEST(questions_are_limited_and_none_is_lost)
{
    static struct outcome o[LIMIT + 1];
    uint8_t query[300];
    int accepted = 0;
    start(SILENT, SILENT);
    size_t len = make_query("a.example.", 1, query);
    for (int i = 0; i <= LIMIT; i++)
        accepted += forward_ask(f, query, len, false, on_done, &o[i]);
    T_TRUE(accepted <= LIMIT && accepted > LIMIT - 4); /* the probes count too */
    stop();
    for (int i = 0; i < accepted; i++)
        T_TRUE(o[i].n == 1 && o[i].silent == 1);
}

TEST(no_server_no_question)
{
    uint8_t query[300];
    struct outcome o = {0};
    const char *const none[] = {"10.96.0.10", "not an address", NULL};
    struct forward_config config = {.netns_fd = -1, .upstreams = none, .try_ms = 60, .open_max = LIMIT};
    ips_parse("10.96.0.10", &config.own);
    uv_loop_init(&loop);
    f = forward_new(&loop, &config);
    T_TRUE(!forward_ask(f, query, make_query("a.example.", 1, query), false, on_done, &o));
    forward_free(f);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

/* --- where servers come from --- */

TEST(resolv_conf_is_read_as_resolvers_do)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"nameserver 192.0.2.1\n", "192.0.2.1 "},
        {"# comment\nsearch a b\nnameserver\t192.0.2.1  # why\nnameserver ::1\r\noptions x\nnameserver 192.0.2.3",
         "192.0.2.1 ::1 192.0.2.3 "},
        {"nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n",
         "1.1.1.1 2.2.2.2 3.3.3.3 "},
        {"nameserver 10.96.0.10\nnameserver 192.0.2.1\nnameserver fd00:10:96::a\nnameserver fd00:10:96::b\n",
         "192.0.2.1 fd00:10:96::b "},
        {"nameserver\nnameservers 192.0.2.1\n nameserver 192.0.2.2\n;nameserver 192.0.2.3\nnameserver 300.1.1.1\n", ""},
        {"nameserver fe80::1%lo\nnameserver fe80::1%none0\nnameserver 1.1.1.1%lo\n", "fe80::1%lo "},
    };
    struct ips own;
    ips_parse("10.96.0.10,fd00:10:96::a", &own);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct upstream list[UPSTREAMS_MAX];
        char got[200] = "";
        size_t n = upstreams_from_resolv_conf(cases[i].text, &own, list);
        for (size_t k = 0; k < n; k++)
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ", list[k].text);
        T_STR(got, cases[i].want);
    }
    struct upstream u;
    T_TRUE(upstream_parse("127.0.0.1#5353", &u) && ((struct sockaddr_in *)&u.addr)->sin_port == htons(5353));
    T_TRUE(upstream_parse("::1", &u) && ((struct sockaddr_in6 *)&u.addr)->sin6_port == htons(53));
    T_TRUE(upstream_parse("127.0.0.1:5353", &u) && ((struct sockaddr_in *)&u.addr)->sin_port == htons(5353));
    T_TRUE(upstream_parse("[fd00::1]:5353", &u) && ((struct sockaddr_in6 *)&u.addr)->sin6_port == htons(5353));
    T_TRUE(!upstream_parse("127.0.0.1:", &u) && !upstream_parse("[fd00::1]", &u) && !upstream_parse("[fd00::1]:0", &u));
    T_TRUE(!upstream_parse("127.0.0.1#0", &u) && !upstream_parse("127.0.0.1#", &u) && !upstream_parse("", &u));
}

/* --- memory --- */

static bool cached(struct cache *c, const char *name, int64_t now_ms, uint32_t *ret_ttl)
{
    uint8_t query[300], out[CACHE_REPLY_MAX];
    size_t len = make_query(name, 77, query), out_len;
    if (!cache_get(c, query, len, now_ms, out, &out_len))
        return false;
    T_INT(knot_wire_get_id(out), 77);
    T_TRUE(memcmp(out + 12, query + 12, len - 12) == 0);
    *ret_ttl = wire_u32(out + len + (knot_wire_get_ancount(out) ? 6 : 5));
    return true;
}

TEST(answers_live_as_long_as_they_say)
{
    static const struct {
        const char *name;
        bool denial;
        uint32_t ttl, minimum;
        int seconds; /* it lives */
    } cases[] = {
        {"ten.example.", false, 10, 0, 10},   {"long.example.", false, 3600, 0, 30}, {"zero.example.", false, 0, 0, 0},
        {"no.example.", true, 20, 5, 5},      {"no2.example.", true, 5, 20, 5},      {"no3.example.", true, 900, 0, 0},
        {"no4.example.", true, 900, 900, 30},
    };
    struct cache *c = cache_new(30);
    uint8_t query[300], reply[400];
    uint32_t ttl = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = make_query(cases[i].name, 1, query);
        size_t n = cases[i].denial ? make_denial(query, len, cases[i].ttl, cases[i].minimum, reply)
                                   : make_reply(query, len, cases[i].ttl, reply);
        cache_put(c, query, len, reply, n, 1000000);
        T_TRUE(cached(c, cases[i].name, 1000000, &ttl) == (cases[i].seconds > 0));
        if (!cases[i].seconds)
            continue;
        T_INT(ttl, cases[i].ttl);
        T_TRUE(cached(c, cases[i].name, 1000000 + cases[i].seconds * 1000 - 1, &ttl));
        T_INT(ttl, cases[i].ttl - (uint32_t)cases[i].seconds + 1);
        T_TRUE(!cached(c, cases[i].name, 1000000 + cases[i].seconds * 1000, &ttl));
    }
    cache_free(c);
}

TEST(what_may_not_be_remembered)
{
    struct cache *c = cache_new(30);
    uint8_t query[300], other[300], reply[400];
    uint32_t ttl;
    size_t len = make_query("a.example.", 1, query), n = make_reply(query, len, 60, reply);
    knot_wire_set_tc(reply);
    cache_put(c, query, len, reply, n, 0);
    T_TRUE(!cached(c, "a.example.", 0, &ttl)); /* cut */
    knot_wire_clear_tc(reply);
    knot_wire_set_rcode(reply, KNOT_RCODE_SERVFAIL);
    cache_put(c, query, len, reply, n, 0);
    T_TRUE(!cached(c, "a.example.", 0, &ttl));
    knot_wire_set_rcode(reply, KNOT_RCODE_NOERROR);
    cache_put(c, query, len, reply, n - 1, 0);
    T_TRUE(!cached(c, "a.example.", 0, &ttl)); /* broken */
    cache_put(c, other, make_query("b.example.", 1, other), reply, n, 0);
    T_TRUE(!cached(c, "b.example.", 0, &ttl) && !cached(c, "a.example.", 0, &ttl)); /* another's answer */
    cache_put(c, query, len, reply, n, 0);
    T_TRUE(cached(c, "a.example.", 0, &ttl));
    T_TRUE(cached(c, "A.eXample.", 0, &ttl)); /* spelled as it was asked */
    knot_wire_set_cd(query);
    uint8_t out[CACHE_REPLY_MAX];
    T_TRUE(!cache_get(c, query, len, 0, out, &n)); /* another kind of question */
    cache_free(c);
}

TEST(memory_is_limited)
{
    struct cache *c = cache_new(30);
    uint8_t query[300], reply[400];
    uint32_t ttl;
    for (int i = 0; i <= CACHE_ENTRIES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%d.example.", i);
        size_t len = make_query(name, 1, query);
        cache_put(c, query, len, reply, make_reply(query, len, 60, reply), 0);
    }
    T_TRUE(!cached(c, "n0.example.", 0, &ttl)); /* the oldest made room */
    T_TRUE(cached(c, "n1.example.", 0, &ttl) && cached(c, "n2000.example.", 0, &ttl));
    cache_free(c);
}

int main(void)
{
    RUN(an_answer_comes_back_for_the_client_s_id);
    RUN(a_silent_server_is_left_for_the_next);
    RUN(a_failing_server_is_left_for_the_next);
    RUN(all_failing_is_told_as_it_is);
    RUN(all_silent_ends_with_nothing);
    RUN(nobody_there_is_noticed_at_once);
    RUN(forged_answers_are_ignored);
    RUN(a_cut_answer_is_fetched_over_tcp_for_tcp_clients);
    RUN(a_server_that_asks_us_back_is_found);
    RUN(questions_are_limited_and_none_is_lost);
    RUN(no_server_no_question);
    RUN(resolv_conf_is_read_as_resolvers_do);
    RUN(answers_live_as_long_as_they_say);
    RUN(what_may_not_be_remembered);
    RUN(memory_is_limited);
    return DONE();
}
