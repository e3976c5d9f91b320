/* See netpol.h. What changed within one turn of the loop becomes one transaction; it runs on a worker thread while the
 * next changes gather. After a failure the kernel's state is unknown, so the next attempt writes everything. As long as
 * there is nothing to write, there is no context of nftables, and nobody listens for the table. */
#define LOG_AREA "netpol"
#include "netpol/netpol.h"

#include <fcntl.h>
#include <linux/netfilter.h>

#include "base/alloc.h"
#include "base/log.h"
#include "netpol/enforcement.h"
#include "netpol/words.h"
#include "nft/context.h"
#include "nft/guard.h"

#define RETRY_MS_FIRST 100
#define RETRY_MS_MAX 30000

/* What goes to the worker and comes back. */
struct job {
    uv_work_t work;
    struct netpol *netpol;
    struct buf commands;
    unsigned take; /* of the rule set */
    bool full, interfered;
    int result;
    struct err err;
};

struct netpol {
    uv_timer_t timer; /* 0 ms after a change, longer after a failure */
    struct netpol_config config;
    char *node_name;
    int netns_fd;
    struct netpol_feed *feed;
    struct netpol_reader reader;
    struct enforcement *rules;
    struct nft_context *nft; /* NULL: there is nothing to write */
    struct guard *guard;
    struct guard_watch watch; /* while there is a table */
    struct turn own_turn;
    struct turn_ticket ticket;
    struct job *job;  /* in flight; at most one */
    unsigned applied; /* the last take that the kernel has */
    bool changed;     /* since the last take */
    bool rewrite;     /* the kernel's state is not known */
    bool asked;       /* somebody waits for `guarded` */
    bool closing, timer_closed;
    uint64_t retry_ms; /* 0: all is well */
};

static void start_job(struct netpol *n);

static void on_timer(uv_timer_t *t)
{
    start_job(t->data);
}

static void schedule(struct netpol *n)
{
    n->changed = true;
    if (!n->job && !uv_is_active((uv_handle_t *)&n->timer))
        uv_timer_start(&n->timer, on_timer, 0, 0);
}

static void on_turn(void *arg)
{
    struct netpol *n = arg;
    uv_timer_start(&n->timer, on_timer, 0, 0);
}

static void destroy_when_idle(struct netpol *n)
{
    if (!n->closing || n->job || !n->timer_closed)
        return;
    guard_unref(n->guard);
    nft_context_free(n->nft);
    enforcement_free(n->rules);
    if (n->netns_fd >= 0)
        close(n->netns_fd);
    free(n->node_name);
    free(n);
}

static void tell_guarded(struct netpol *n)
{
    if (!n->asked || !n->config.guarded)
        return;
    n->asked = false;
    n->config.guarded(n->config.arg);
}

/* --- writing --- */

static void on_touched(void *arg)
{
    struct netpol *n = arg;
    if (n->closing || !enforcement_has_table(n->rules))
        return;
    if (!n->rewrite)
        log_warn("node %s: somebody else changed table %s; all rules are written again", n->node_name, TABLE_NAME);
    n->rewrite = true;
    schedule(n);
}

static int open_kernel(struct netpol *n, struct err *err)
{
    if (n->nft)
        return 0;
    n->nft = nft_context_new(n->netns_fd, err);
    if (!n->nft)
        return -1;
    guard_watch(n->guard, &n->watch);
    return 0;
}

static void close_kernel(struct netpol *n)
{
    if (!n->nft)
        return;
    guard_unwatch(&n->watch);
    nft_context_free(TAKE(n->nft));
}

static void run_job(uv_work_t *work)
{
    struct job *j = work->data;
    struct netpol *n = j->netpol;
    guard_begin(n->guard);
    j->result = nft_context_run(n->nft, buf_str(&j->commands), &j->err);
    j->interfered = guard_end(n->guard, j->result == 0);
}

static void back_off(struct netpol *n, const struct err *why)
{
    n->rewrite = true;
    n->retry_ms = !n->retry_ms ? RETRY_MS_FIRST : n->retry_ms * 2 > RETRY_MS_MAX ? RETRY_MS_MAX : n->retry_ms * 2;
    log_error("node %s: policies not applied, all are written again in %llu ms: %s", n->node_name,
              (unsigned long long)n->retry_ms, why->msg);
    uv_timer_start(&n->timer, on_timer, n->retry_ms, 0);
}

static void job_free(struct job *j)
{
    buf_done(&j->commands);
    free(j);
}

static void take_in(struct netpol *n, const struct job *j)
{
    if (n->retry_ms)
        log_info("node %s: policies applied again", n->node_name);
    n->retry_ms = 0;
    n->applied = j->take;
    if (j->interfered) /* not twice in a row for somebody who goes on */
        guard_suspect(n->guard, j->full ? &n->watch : NULL);
    if (!enforcement_has_table(n->rules))
        close_kernel(n);
    if (n->changed)
        schedule(n);
    tell_guarded(n);
}

static void job_done(uv_work_t *work, int status)
{
    struct job *j = work->data;
    struct netpol *n = j->netpol;
    (void)status;
    n->job = NULL;
    turn_end(&n->ticket);
    if (n->closing)
        destroy_when_idle(n);
    else if (j->result < 0)
        back_off(n, &j->err);
    else
        take_in(n, j);
    job_free(j);
}

/* Everything that decides about pods must be known before anything replaces the rules of an earlier life. */
static bool may_write(const struct netpol *n)
{
    enum netpol_known known = netpol_feed_known(n->feed);
    return known == KNOWN_NONE || known == KNOWN_ALL;
}

static void start_job(struct netpol *n)
{
    struct err err;
    if (!may_write(n)) {
        turn_end(&n->ticket);
        return;
    }
    if (!turn_take(&n->ticket))
        return;
    struct job *j = NEW(struct job);
    j->netpol = n;
    j->work.data = j;
    j->full = n->rewrite;
    if (n->rewrite)
        enforcement_forget(n->rules);
    enforcement_take(n->rules, &j->commands);
    j->take = enforcement_takes(n->rules);
    n->rewrite = n->changed = false;
    if (j->commands.len && open_kernel(n, &err) == 0) {
        n->job = j;
        uv_queue_work(n->timer.loop, &j->work, run_job, job_done);
        return;
    }
    turn_end(&n->ticket);
    if (j->commands.len)
        back_off(n, &err);
    else
        take_in(n, j);
    job_free(j);
}

/* --- what the feed tells --- */

static void on_policy(void *arg, const char *ns, const char *name, struct object *obj)
{
    struct netpol *n = arg;
    enforcement_set_policy(n->rules, ns, name, obj);
    schedule(n);
}

static void on_pod(void *arg, const char *ns, const char *name, struct object *obj)
{
    struct netpol *n = arg;
    enforcement_set_pod(n->rules, ns, name, obj);
    schedule(n);
}

static void on_namespace(void *arg, const char *ns, const char *name, struct object *obj)
{
    struct netpol *n = arg;
    enforcement_set_namespace(n->rules, name, obj);
    (void)ns;
    schedule(n);
}

static void on_known(void *arg)
{
    struct netpol *n = arg;
    if (netpol_feed_known(n->feed) == KNOWN_NONE)
        enforcement_clear(n->rules);
    schedule(n);
}

/* --- life --- */

static void site_of(const struct netpol_config *c, struct enforcement_site *ret)
{
    *ret = (struct enforcement_site){0};
    cidrs_parse(c->cluster_cidr, &ret->pods);
    if (c->dns_ips && !ips_parse(c->dns_ips, &ret->dns))
        ret->dns.n = 0;
}

struct netpol *netpol_new(struct netpol_feed *f, const struct netpol_config *config, uv_loop_t *loop, struct err *err)
{
    struct enforcement_site site;
    site_of(config, &site);
    if (!site.pods.n)
        return (void)err_set(err, 0, "policies: bad range of pods %s", config->cluster_cidr), NULL;
    struct guard *guard = config->guard ? guard_ref(config->guard) : guard_new(loop, config->netns_fd, err);
    if (!guard)
        return NULL;
    struct netpol *n = NEW(struct netpol);
    n->config = *config;
    site.node_name = n->node_name = xstrdup(config->node_name);
    n->netns_fd = config->netns_fd < 0 ? -1 : fcntl(config->netns_fd, F_DUPFD_CLOEXEC, 3);
    n->feed = f;
    n->rules = enforcement_new(&site);
    n->guard = guard;
    n->watch = (struct guard_watch){.family = NFPROTO_INET, .table = TABLE_NAME, .touched = on_touched, .arg = n};
    n->rewrite = nft_has_table(n->netns_fd, NFPROTO_INET, TABLE_NAME); /* of an earlier life */
    turn_init(&n->own_turn);
    turn_join(&n->ticket, config->turn ? config->turn : &n->own_turn, on_turn, n);
    uv_timer_init(loop, &n->timer);
    n->timer.data = n;
    n->reader = (struct netpol_reader){
        .policy = on_policy, .pod = on_pod, .namespace = on_namespace, .known = on_known, .arg = n};
    netpol_feed_join(f, &n->reader);
    schedule(n);
    return n;
}

static void on_timer_closed(uv_handle_t *h)
{
    struct netpol *n = h->data;
    n->timer_closed = true;
    destroy_when_idle(n);
}

void netpol_free(struct netpol *n)
{
    if (!n)
        return;
    n->closing = true;
    turn_end(&n->ticket);
    guard_unwatch(&n->watch);
    netpol_feed_leave(&n->reader);
    uv_close((uv_handle_t *)&n->timer, on_timer_closed);
}

bool netpol_settled(const struct netpol *n)
{
    return may_write(n) && !n->job && !n->changed && !n->rewrite;
}

bool netpol_guards(struct netpol *n, const char *uid)
{
    enum netpol_known known = netpol_feed_known(n->feed);
    unsigned written_in = known == KNOWN_ALL ? enforcement_written_in(n->rules, uid) : 0;
    if (known == KNOWN_NONE || (written_in && written_in <= n->applied))
        return true;
    n->asked = true;
    return false;
}

void netpol_teardown(int netns_fd)
{
    struct err err;
    struct nft_context *c = nft_context_new(netns_fd, &err);
    if (!c || nft_context_run(c, "add table " TABLE "\ndelete table " TABLE "\n", &err) < 0)
        log_warn("policies not removed: %s", err.msg);
    nft_context_free(c);
}
