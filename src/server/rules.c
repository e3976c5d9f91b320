/* See rules.h. PUT nodes/NAME/rules?revision=N: what the rules of this node follow; GET of the same: answered as soon
 * as those of all nodes follow it. The one resource that upstream does not have: there a pod may get SIGTERM while
 * other nodes still send it connections. */
#include "server/rules.h"

#include "base/clock.h"
#include "server/pipeline.h"

/* A wait is a request held; agents give up on theirs after seconds, whatever becomes of it here. */
#define RULES_WAITING_MAX 10000

struct rules {
    struct map nodes;    /* name -> struct node_rules */
    struct list waiting; /* in no order */
    size_t n_waiting;
};

struct node_rules {
    uint64_t revision;
    int64_t heard_ms;
};

struct waiting {
    struct list link;
    struct request *request;
    uint64_t revision;
};

struct rules *rules_new(void)
{
    struct rules *r = NEW(struct rules);
    list_init(&r->waiting);
    return r;
}

static void forget(struct rules *r, struct waiting *w)
{
    list_remove(&w->link);
    r->n_waiting--;
    free(w);
}

void rules_free(struct rules *r)
{
    LIST_EACH(it, &r->waiting)
        forget(r, container_of(it, struct waiting, link));
    map_done_with(&r->nodes, free);
    free(r);
}

void rules_set(struct rules *r, const char *node, uint64_t revision, int64_t now_ms)
{
    struct node_rules *n = map_get(&r->nodes, node);
    if (!n)
        map_put(&r->nodes, node, n = NEW(struct node_rules));
    *n = (struct node_rules){revision, now_ms}; /* less than before: the proxy begins anew */
}

bool rules_follow(const struct rules *r, uint64_t revision, int64_t now_ms)
{
    for (struct map_entry *e = NULL; (e = map_next(&r->nodes, e));) {
        const struct node_rules *n = e->value;
        if (n->revision < revision && now_ms - n->heard_ms < RULES_SILENT_MS)
            return false;
    }
    return true;
}

/* --- the handlers --- */

static void reply_success(struct request *r)
{
    request_reply_document(r, 200,
                           json_pack("{s:s, s:s, s:{}, s:s, s:i}", "kind", "Status", "apiVersion", "v1", "metadata",
                                     "status", "Success", "code", 200));
}

/* False: answered. */
static bool read_revision(struct request *r, uint64_t *ret)
{
    int64_t revision;
    bool good = query_int(r->query, "revision", 1, INT64_MAX, 0, &revision) && revision > 0;
    *ret = (uint64_t)revision;
    if (!good)
        request_reply_status(r, status_new(STATUS_BAD_REQUEST, "revision: a positive number is required"));
    return good;
}

static void answer_waiting(struct rules *rules)
{
    LIST_EACH(it, &rules->waiting) {
        struct waiting *w = container_of(it, struct waiting, link);
        if (!rules_follow(rules, w->revision, clock_mono_ms()))
            continue;
        struct request *r = w->request;
        forget(rules, w);
        reply_success(r);
    }
}

void handle_put_rules(struct request *r)
{
    struct rules *rules = r->server->rules;
    uint64_t revision;
    if (!read_revision(r, &revision))
        return;
    rules_set(rules, r->what.name, revision, clock_mono_ms());
    reply_success(r);
    answer_waiting(rules);
}

void handle_await_rules(struct request *r)
{
    struct rules *rules = r->server->rules;
    uint64_t revision;
    if (!read_revision(r, &revision))
        return;
    if (rules_follow(rules, revision, clock_mono_ms())) {
        reply_success(r);
        return;
    }
    if (rules->n_waiting >= RULES_WAITING_MAX) {
        request_reply_status(r, status_new(STATUS_TOO_MANY_REQUESTS, "too many requests, please try again later"));
        return;
    }
    struct waiting *w = NEW(struct waiting);
    *w = (struct waiting){.request = r, .revision = revision};
    list_append(&rules->waiting, &w->link);
    rules->n_waiting++;
}
