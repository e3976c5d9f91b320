/* See resolver.h. */
#include "dns/resolver.h"

#include <libknot/consts.h>
#include <string.h>

#define LOG_AREA "dns"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/map.h"
#include "dns/cache.h"
#include "dns/querylog.h"
#include "dns/wire.h"

/* What a few misbehaving pods can make us hold. */
#define OPEN_MAX 512
#define OPEN_STUB_MAX 64
#define OPEN_CLIENT_MAX 128 /* of one address: a pod that asks without end leaves room for the others of its node */

/* The servers that settings lead to: everybody's, and one set for each of the settings' stubs, in their order. */
struct servers {
    struct forward *others, **stubs;
    size_t n_stubs;
};

struct resolver {
    uv_loop_t *loop;
    struct answerer answerer;
    struct forward_config config;
    struct servers now, before; /* before: only for the questions that were on their way at the last change */
    struct cache *cache;
    unsigned generation; /* of settings */
    struct map clients;  /* address as text -> struct dns_client, of those that wait for an answer */
    struct metrics metrics;
};

struct dns_client {
    unsigned n_open;
};

/* A client's query while others are being asked. */
struct errand {
    struct resolver *r;
    struct sockaddr_storage from;
    char client[IP_TEXT_SIZE];
    int64_t since; /* wall clock, microseconds; while queries are logged */
    unsigned generation;
    bool tcp, chase; /* chase: what is asked is the name behind our CNAME */
    resolver_done_fn *done;
    void *arg;
    size_t len;
    uint8_t query[];
};

static struct servers servers_new(const struct resolver *r, const struct settings *s)
{
    struct servers v = {.n_stubs = s->n_stubs};
    struct forward_config config = r->config;
    config.open_max = OPEN_MAX;
    if (s->upstreams[0])
        config.upstreams = (const char *const *)s->upstreams;
    v.others = forward_new(r->loop, &config);
    v.stubs = xcalloc(s->n_stubs + 1, sizeof(struct forward *));
    config.open_max = OPEN_STUB_MAX;
    for (size_t i = 0; i < s->n_stubs; i++) {
        config.upstreams = (const char *const *)s->stubs[i].servers;
        v.stubs[i] = forward_new(r->loop, &config);
    }
    return v;
}

static void servers_done(struct servers *v)
{
    for (size_t i = 0; i < v->n_stubs; i++)
        forward_free(v->stubs[i]);
    free(TAKE(v->stubs));
    v->n_stubs = 0;
    forward_free(TAKE(v->others));
}

/* Whom the question of this query is for. */
static struct forward *servers_for(const struct resolver *r, const uint8_t *query)
{
    const struct settings *s = r->answerer.settings;
    knot_dname_storage_t name;
    knot_dname_copy_lower(name, query + WIRE_HEADER_SIZE);
    const struct stub *stub = settings_stub(s, name);
    return stub ? r->now.stubs[stub - s->stubs] : r->now.others;
}

static bool is_probe(const struct servers *v, const uint8_t *query, size_t len)
{
    bool found = forward_is_probe(v->others, query, len);
    for (size_t i = 0; i < v->n_stubs && !found; i++)
        found = forward_is_probe(v->stubs[i], query, len);
    return found;
}

struct resolver *resolver_new(uv_loop_t *loop, const struct zone *zone, struct model *m,
                              const struct forward_config *config)
{
    struct resolver *r = NEW(struct resolver);
    struct err ignored;
    struct settings *usual = settings_new(NULL, &ignored);
    r->loop = loop;
    r->config = *config;
    r->answerer = (struct answerer){.zone = *zone, .model = m, .reverse = reverse_new(m)};
    resolver_set(r, usual);
    settings_unref(usual);
    return r;
}

void resolver_set(struct resolver *r, struct settings *s)
{
    settings_ref(s);
    settings_unref(r->answerer.settings);
    r->answerer.settings = s;
    servers_done(&r->before);
    r->before = r->now;
    r->now = servers_new(r, s);
    cache_free(r->cache);
    r->cache = cache_new(s->cache_seconds);
    r->generation++;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    servers_done(&r->before);
    servers_done(&r->now);
    cache_free(r->cache);
    map_done_with(&r->clients, free);
    reverse_free(r->answerer.reverse);
    settings_unref(r->answerer.settings);
    free(r);
}

void resolver_set_partial(struct resolver *r, bool partial)
{
    r->answerer.partial = partial;
}

static bool answer_here(struct resolver *r, const uint8_t *query, size_t len, bool tcp, uint8_t *out, size_t *ret_len)
{
    *ret_len = 0;
    switch (answer_query(&r->answerer, query, len, tcp, out, ret_len)) {
    case ANSWER_DROP:
    case ANSWER_SEND:
        return true;
    case ANSWER_CHASE:
        return false;
    case ANSWER_FORWARD:
        break;
    }
    if (is_probe(&r->now, query, len)) {
        r->metrics.loops++;
        *ret_len = wire_error(query, len, KNOT_RCODE_SERVFAIL, out);
        return true;
    }
    if (!cache_get(r->cache, query, len, clock_mono_ms(), out, ret_len))
        return false;
    r->metrics.cache_hits++;
    *ret_len = answer_fit(query, len, tcp, out, *ret_len);
    return true;
}

/* A query and its answer, as far as anybody wants to know. */
static void note(struct resolver *r, const struct sockaddr *from, const uint8_t *query, size_t len, bool tcp,
                 const uint8_t *answer, size_t answer_len, int64_t since)
{
    metrics_count_response(&r->metrics, answer, answer_len);
    if (!r->answerer.settings->log || !since)
        return;
    _cleanup_free_ char *line = querylog_line(from, query, len, tcp, answer, answer_len, clock_wall_usec() - since);
    if (line)
        log_info("%s", line);
}

bool resolver_answer(struct resolver *r, const struct sockaddr *from, const uint8_t *query, size_t len, bool tcp,
                     uint8_t *out, size_t *ret_len)
{
    int64_t since = r->answerer.settings->log ? clock_wall_usec() : 0;
    r->metrics.queries[tcp]++;
    if (!answer_here(r, query, len, tcp, out, ret_len))
        return false;
    note(r, from, query, len, tcp, out, *ret_len, since);
    return true;
}

const struct metrics *resolver_metrics(const struct resolver *r)
{
    return &r->metrics;
}

/* --- who asks --- */

static void client_text(const struct sockaddr *from, char out[IP_TEXT_SIZE])
{
    struct ip ip = {.family = from->sa_family};
    if (ip.family == AF_INET)
        ip.v4 = ((const struct sockaddr_in *)from)->sin_addr;
    else
        ip.v6 = ((const struct sockaddr_in6 *)from)->sin6_addr;
    ip_format(&ip, out);
}

/* false: it has asked enough. */
static bool client_enters(struct resolver *r, const char *text)
{
    struct dns_client *c = map_get(&r->clients, text);
    if (!c)
        map_put(&r->clients, text, c = NEW(struct dns_client));
    c->n_open++;
    return c->n_open <= OPEN_CLIENT_MAX;
}

static void client_leaves(struct resolver *r, const char *text)
{
    struct dns_client *c = map_get(&r->clients, text);
    if (--c->n_open == 0)
        free(map_del(&r->clients, text));
}

static void finish(struct errand *e, const uint8_t *answer, size_t len)
{
    client_leaves(e->r, e->client);
    note(e->r, (struct sockaddr *)&e->from, e->query, e->len, e->tcp, answer, len, e->since);
    e->done(e->arg, answer, len);
    free(e);
}

static void on_reply(void *arg, const uint8_t *reply, size_t reply_len)
{
    struct errand *e = arg;
    uint8_t out[WIRE_MAX];
    size_t len;
    if (e->chase) {
        len = answer_join(&e->r->answerer, e->query, e->len, reply, reply_len, e->tcp, out);
    } else if (!reply) {
        len = wire_error(e->query, e->len, KNOT_RCODE_SERVFAIL, out);
    } else {
        if (e->generation == e->r->generation)
            cache_put(e->r->cache, e->query, e->len, reply, reply_len, clock_mono_ms());
        memcpy(out, reply, reply_len);
        len = answer_fit(e->query, e->len, e->tcp, out, reply_len);
    }
    finish(e, out, len);
}

void resolver_ask(struct resolver *r, const struct sockaddr *from, const uint8_t *query, size_t len, bool tcp,
                  resolver_done_fn *done, void *arg)
{
    uint8_t out[WIRE_MAX];
    size_t out_len;
    struct errand *e = xmalloc(sizeof(*e) + len);
    *e = (struct errand){.r = r, .generation = r->generation, .tcp = tcp, .done = done, .arg = arg, .len = len};
    memcpy(e->query, query, len);
    memcpy(&e->from, from, from->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    e->since = r->answerer.settings->log ? clock_wall_usec() : 0;
    client_text(from, e->client);
    bool may_ask = client_enters(r, e->client);
    r->metrics.forwarded += may_ask;
    r->metrics.refused += !may_ask;
    enum answer_verdict verdict = answer_query(&r->answerer, query, len, tcp, out, &out_len);
    e->chase = verdict == ANSWER_CHASE;
    const uint8_t *asked = e->chase ? out : query;
    size_t asked_len = e->chase ? out_len : len;
    if (!may_ask || !forward_ask(servers_for(r, asked), asked, asked_len, tcp, on_reply, e))
        on_reply(e, NULL, 0);
}
