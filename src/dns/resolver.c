/* See resolver.h. */
#include "dns/resolver.h"

#include <libknot/consts.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "dns/cache.h"
#include "dns/wire.h"

struct resolver {
    struct answerer answerer;
    struct forward *forward;
    struct cache *cache;
};

/* A client's query while others are being asked. */
struct errand {
    struct resolver *r;
    bool tcp, chase; /* chase: what is asked is the name behind our CNAME */
    resolver_done_fn *done;
    void *arg;
    size_t len;
    uint8_t query[];
};

struct resolver *resolver_new(uv_loop_t *loop, const struct zone *zone, struct model *m,
                              const struct forward_config *config)
{
    struct resolver *r = NEW(struct resolver);
    r->answerer = (struct answerer){.zone = *zone, .model = m, .reverse = reverse_new(m)};
    r->forward = forward_new(loop, config);
    r->cache = cache_new();
    return r;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    forward_free(r->forward);
    cache_free(r->cache);
    reverse_free(r->answerer.reverse);
    free(r);
}

void resolver_set_partial(struct resolver *r, bool partial)
{
    r->answerer.partial = partial;
}

bool resolver_answer(struct resolver *r, const uint8_t *query, size_t len, bool tcp, uint8_t *out, size_t *ret_len)
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
    if (forward_is_probe(r->forward, query, len)) {
        *ret_len = wire_error(query, len, KNOT_RCODE_SERVFAIL, out);
        return true;
    }
    if (!cache_get(r->cache, query, len, clock_mono_ms(), out, ret_len))
        return false;
    *ret_len = answer_fit(query, len, tcp, out, *ret_len);
    return true;
}

static void finish(struct errand *e, const uint8_t *answer, size_t len)
{
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
        cache_put(e->r->cache, e->query, e->len, reply, reply_len, clock_mono_ms());
        memcpy(out, reply, reply_len);
        len = answer_fit(e->query, e->len, e->tcp, out, reply_len);
    }
    finish(e, out, len);
}

void resolver_ask(struct resolver *r, const uint8_t *query, size_t len, bool tcp, resolver_done_fn *done, void *arg)
{
    uint8_t out[WIRE_MAX];
    size_t out_len;
    struct errand *e = xmalloc(sizeof(*e) + len);
    *e = (struct errand){.r = r, .tcp = tcp, .done = done, .arg = arg, .len = len};
    memcpy(e->query, query, len);
    enum answer_verdict verdict = answer_query(&r->answerer, query, len, tcp, out, &out_len);
    e->chase = verdict == ANSWER_CHASE;
    bool asked = e->chase ? forward_ask(r->forward, out, out_len, tcp, on_reply, e)
                          : forward_ask(r->forward, query, len, tcp, on_reply, e);
    if (!asked)
        on_reply(e, NULL, 0);
}
