/* See acknowledge.h. */
#include "service/acknowledge.h"

#include "base/alloc.h"
#include "kinds/kind.h"

struct acknowledger {
    struct client *client;
    char *node;
    uint64_t newest, told; /* 0: nothing yet */
    bool asking, closing, timer_closed;
    uv_timer_t timer;
};

static void request(struct client *c, const char *method, const char *node, uint64_t revision, client_done_fn *done,
                    void *arg)
{
    _cleanup_free_ char *base = kind_path(&kind_node, NULL, node, "rules");
    _cleanup_free_ char *path = xasprintf("%s?revision=%llu", base, (unsigned long long)revision);
    c->ops->request(c, method, path, NULL, NULL, done, arg);
}

static void destroy_when_idle(struct acknowledger *a)
{
    if (!a->timer_closed || a->asking)
        return;
    free(a->node);
    free(a);
}

static void tell(struct acknowledger *a);

static void on_told(void *arg, int code, const json_t *body)
{
    struct acknowledger *a = arg;
    (void)code, (void)body; /* one that got lost is told again with the timer */
    a->asking = false;
    if (a->closing)
        destroy_when_idle(a);
    else if (a->newest > a->told)
        tell(a);
}

static void tell(struct acknowledger *a)
{
    if (a->asking)
        return;
    a->asking = true;
    a->told = a->newest;
    request(a->client, "PUT", a->node, a->newest, on_told, a);
}

static void on_timer(uv_timer_t *t)
{
    struct acknowledger *a = t->data;
    if (a->newest)
        tell(a);
}

struct acknowledger *acknowledger_new(struct client *c, const char *node)
{
    struct acknowledger *a = NEW(struct acknowledger);
    a->client = c;
    a->node = xstrdup(node);
    uv_timer_init(c->loop, &a->timer);
    a->timer.data = a;
    uv_timer_start(&a->timer, on_timer, ACKNOWLEDGE_MS, ACKNOWLEDGE_MS);
    return a;
}

static void on_timer_closed(uv_handle_t *h)
{
    struct acknowledger *a = h->data;
    a->timer_closed = true;
    destroy_when_idle(a);
}

void acknowledger_free(struct acknowledger *a)
{
    if (!a || a->closing)
        return;
    a->closing = true;
    uv_close((uv_handle_t *)&a->timer, on_timer_closed);
}

void acknowledge(struct acknowledger *a, uint64_t revision)
{
    if (!a || revision <= a->newest)
        return;
    a->newest = revision;
    tell(a);
}

void acknowledge_await(struct client *c, const char *node, uint64_t revision, client_done_fn *done, void *arg)
{
    request(c, "GET", node, revision, done, arg);
}
