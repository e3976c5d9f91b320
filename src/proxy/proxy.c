/* See proxy.h. What changed in the model within one turn of the loop becomes one transaction; it runs on a worker
 * thread while the next changes gather. After a failure the kernel's state is unknown, so the next attempt writes
 * everything. */
#include "proxy/proxy.h"

#define LOG_AREA "proxy"
#include "base/alloc.h"
#include "base/log.h"
#include "nft/guard.h"
#include "proxy/health.h"
#include "proxy/kernel.h"

#define RETRY_MS_FIRST 100
#define RETRY_MS_MAX 30000
#define REPAIR_MS 100 /* who changes our table does it in several steps; all is written again after them */

/* What goes to the worker and comes back. */
struct job {
    uv_work_t work;
    struct proxy *proxy;
    struct buf commands;
    int *seconds; /* of chains that want the rule of affinity */
    size_t n_seconds;
    struct rechecks rechecks;
    bool full, interfered;
    uint64_t revision; /* of the model it was made from */
    int result, stale_result;
    struct err err;
};

struct proxy {
    uv_timer_t timer; /* 0 ms after a change, longer after a failure */
    char *node_name;
    struct site site;
    struct ip *port_ips; /* of site */
    struct kernel *kernel;
    struct guard *guard;
    struct guard_watch watch;
    struct ruleset *rules;
    struct model *model;
    struct model_reader *reader;
    struct health *health;
    struct job *job;      /* in flight; at most one */
    struct rechecks owed; /* of jobs that failed */
    bool need_full;
    void (*applied)(void *arg, uint64_t revision);
    void *applied_arg;
    struct turn own_turn; /* when nobody else writes in the namespace */
    struct turn_ticket ticket;
    bool closing, timer_closed;
    uint64_t retry_ms; /* 0: all is well */
};

static void start_job(struct proxy *p);

static void on_timer(uv_timer_t *t)
{
    start_job(t->data);
}

static void on_turn(void *arg)
{
    struct proxy *p = arg;
    uv_timer_start(&p->timer, on_timer, 0, 0);
}

static void on_model_changed(void *arg)
{
    struct proxy *p = arg;
    if (!p->job && !uv_is_active((uv_handle_t *)&p->timer))
        uv_timer_start(&p->timer, on_timer, 0, 0);
}

static void visit(void *arg, const char *ns, const char *name, const struct svc *svc)
{
    struct proxy *p = arg;
    ruleset_set(p->rules, ns, name, svc);
    health_set(p->health, ns, name, svc);
}

static void destroy_when_idle(struct proxy *p)
{
    if (!p->closing || p->job || !p->timer_closed)
        return;
    guard_unref(p->guard);
    rechecks_done(&p->owed);
    ruleset_free(p->rules);
    kernel_free(p->kernel);
    map_done(&p->site.avoid);
    free(p->port_ips);
    free(p->node_name);
    free(p);
}

static void job_free(struct job *j)
{
    buf_done(&j->commands);
    rechecks_done(&j->rechecks);
    free(j->seconds);
    free(j);
}

/* Clients stay where they were. Nothing is remembered before that: the rules that do come later. */
static int replace_table(struct job *j, struct kernel *k)
{
    struct kernel_affinities *saved = kernel_save_affinities(k);
    int result = kernel_run(k, buf_str(&j->commands), &j->err);
    if (saved && result == 0)
        j->stale_result = kernel_restore_affinities(k, saved, &j->err);
    kernel_affinities_free(saved);
    return result < 0 ? result : kernel_follow(k, &j->err);
}

static void run_job(uv_work_t *work)
{
    struct job *j = work->data;
    struct kernel *k = j->proxy->kernel;
    unsigned before = kernel_transactions(k);
    guard_begin(j->proxy->guard);
    j->result = j->full ? replace_table(j, k) : j->commands.len ? kernel_run(k, buf_str(&j->commands), &j->err) : 0;
    for (size_t i = 0; i < j->n_seconds && j->result == 0; i++)
        j->result = kernel_remember(k, j->seconds[i], &j->err);
    if (j->result == 0 && !rechecks_empty(&j->rechecks))
        j->stale_result = kernel_clear_stale(k, &j->rechecks, &j->err);
    j->interfered = guard_end(j->proxy->guard, kernel_transactions(k) - before);
}

static void on_touched(void *arg)
{
    struct proxy *p = arg;
    if (p->closing)
        return;
    if (!p->need_full)
        log_warn("node %s: somebody else changed table %s; all rules are written again", p->node_name, TABLE);
    p->need_full = true;
    if (!p->job && !p->retry_ms)
        uv_timer_start(&p->timer, on_timer, REPAIR_MS, 0);
}

static void back_off(struct proxy *p, struct job *j)
{
    p->need_full = true;
    rechecks_move(&p->owed, &j->rechecks);
    p->retry_ms = !p->retry_ms ? RETRY_MS_FIRST : p->retry_ms * 2 > RETRY_MS_MAX ? RETRY_MS_MAX : p->retry_ms * 2;
    log_error("node %s: rules not applied, all are written again in %llu ms: %s", p->node_name,
              (unsigned long long)p->retry_ms, j->err.msg);
    uv_timer_start(&p->timer, on_timer, p->retry_ms, 0);
}

static void tell_applied(struct proxy *p, uint64_t revision)
{
    if (p->applied && revision)
        p->applied(p->applied_arg, revision);
}

static void job_done(uv_work_t *work, int status)
{
    struct job *j = work->data;
    struct proxy *p = j->proxy;
    (void)status;
    p->job = NULL;
    turn_end(&p->ticket);
    if (p->closing) {
        destroy_when_idle(p);
    } else if (j->result < 0) {
        back_off(p, j);
    } else {
        if (j->stale_result < 0)
            log_warn("node %s: %s", p->node_name, j->err.msg);
        if (p->retry_ms)
            log_info("node %s: rules applied again", p->node_name);
        p->retry_ms = 0;
        tell_applied(p, j->revision);
        if (j->interfered) /* not twice in a row for somebody who goes on */
            guard_suspect(p->guard, j->full ? &p->watch : NULL);
        on_model_changed(p); /* whatever came meanwhile; an empty turn costs nothing */
    }
    job_free(j);
}

/* Returns false when there is nothing to do. */
static bool fill_job(struct proxy *p, struct job *j)
{
    p->site.node_zone = model_zone_of(p->model, p->node_name); /* the model may have freed the one of last time */
    model_take(p->reader, visit, p);
    j->revision = model_revision(p->model);
    j->full = p->need_full;
    p->need_full = false;
    bool any = true;
    if (j->full) {
        ruleset_full(p->rules, &j->commands, &j->rechecks);
        rechecks_move(&j->rechecks, &p->owed);
    } else {
        any = ruleset_take(p->rules, &j->commands, &j->rechecks);
    }
    j->n_seconds = ruleset_take_seconds(p->rules, &j->seconds);
    return any;
}

static void start_job(struct proxy *p)
{
    if (!turn_take(&p->ticket))
        return;
    struct job *j = NEW(struct job);
    j->proxy = p;
    j->work.data = j;
    bool wanted = fill_job(p, j);
    if (!wanted || uv_queue_work(p->timer.loop, &j->work, run_job, job_done) < 0) {
        p->need_full |= j->full;
        if (!wanted)
            tell_applied(p, j->revision);
        job_free(j);
        turn_end(&p->ticket);
        return;
    }
    p->job = j;
}

void proxy_avoid(struct proxy *p, const char *node, bool avoid)
{
    if (avoid)
        map_put(&p->site.avoid, node, p);
    else
        map_del(&p->site.avoid, node);
    model_touch_node(p->reader, node);
}

void proxy_set_pod(struct proxy *p, const char *ns, const char *name, const json_t *doc)
{
    ruleset_set_pod(p->rules, ns, name, doc);
    on_model_changed(p);
}

bool proxy_settled(const struct proxy *p)
{
    return !p->job && list_empty(&p->ticket.link) && !p->need_full && !uv_is_active((const uv_handle_t *)&p->timer);
}

static void keep_port_ips(struct proxy *p, const struct ip *ips, size_t n)
{
    free(p->port_ips);
    p->port_ips = xcalloc(n + 1, sizeof(*p->port_ips));
    for (size_t i = 0; i < n; i++)
        p->port_ips[i] = ips[i];
    p->site.port_ips = p->port_ips;
    p->site.n_port_ips = n;
}

static bool has_port_ips(const struct proxy *p, const struct ip *ips, size_t n)
{
    bool same = n == p->site.n_port_ips;
    for (size_t i = 0; same && i < n; i++)
        same = ip_equal(&p->port_ips[i], &ips[i]);
    return same;
}

void proxy_set_port_ips(struct proxy *p, const struct ip *ips, size_t n)
{
    if (has_port_ips(p, ips, n))
        return;
    keep_port_ips(p, ips, n);
    health_set_ips(p->health, p->site.port_ips, n);
    model_touch_all(p->reader);
}

static int parse_config(struct proxy *p, const struct proxy_config *c, struct err *err)
{
    struct site *s = &p->site;
    if (!ip_parse(c->node_ip, &s->node_ip))
        return err_set(err, 0, "proxy: bad node address %s", c->node_ip);
    if (!cidr_parse(c->cluster_cidr, &s->pods))
        return err_set(err, 0, "proxy: bad pod range %s", c->cluster_cidr);
    if (!cidr_parse(c->service_cidr, &s->services))
        return err_set(err, 0, "proxy: bad Service range %s", c->service_cidr);
    if (c->dns_ip && *c->dns_ip && !ip_parse(c->dns_ip, &s->dns))
        return err_set(err, 0, "proxy: bad DNS address %s", c->dns_ip);
    p->node_name = xstrdup(c->node_name);
    s->family = s->node_ip.family;
    s->node_name = p->node_name;
    keep_port_ips(p, c->port_ips ? c->port_ips : &s->node_ip, c->port_ips ? c->n_port_ips : 1);
    return 0;
}

bool proxy_healthy(const struct proxy *p)
{
    return !p->retry_ms;
}

static bool rules_are_applied(void *arg)
{
    return proxy_healthy(arg);
}

struct proxy *proxy_new(uv_loop_t *loop, struct model *m, const struct proxy_config *config, struct err *err)
{
    struct proxy *p = NEW(struct proxy);
    if (parse_config(p, config, err) < 0 || !(p->kernel = kernel_new(config->netns_fd, p->site.family, err)) ||
        !(p->guard = config->guard ? guard_ref(config->guard) : guard_new(loop, config->netns_fd, err))) {
        kernel_free(p->kernel);
        free(p->port_ips);
        free(p->node_name);
        free(p);
        return NULL;
    }
    /* NFPROTO_IPV4 and _IPV6 are the same numbers. */
    p->watch = (struct guard_watch){.family = p->site.family, .table = TABLE, .touched = on_touched, .arg = p};
    guard_watch(p->guard, &p->watch);
    p->rules = ruleset_new(&p->site);
    const struct health_config health = {.netns_fd = config->netns_fd,
                                         .node_name = p->node_name,
                                         .family = p->site.family,
                                         .ips = p->site.port_ips,
                                         .n_ips = p->site.n_port_ips,
                                         .proxy_is_healthy = rules_are_applied,
                                         .arg = p};
    p->health = health_new(loop, &health);
    p->applied = config->applied;
    p->applied_arg = config->applied_arg;
    p->model = m;
    p->reader = model_reader_new(m, on_model_changed, p);
    p->need_full = true;
    turn_init(&p->own_turn);
    turn_join(&p->ticket, config->turn ? config->turn : &p->own_turn, on_turn, p);
    uv_timer_init(loop, &p->timer);
    p->timer.data = p;
    uv_timer_start(&p->timer, on_timer, 0, 0);
    return p;
}

static void on_timer_closed(uv_handle_t *h)
{
    struct proxy *p = h->data;
    p->timer_closed = true;
    destroy_when_idle(p);
}

void proxy_free(struct proxy *p)
{
    if (!p)
        return;
    p->closing = true;
    turn_end(&p->ticket);
    guard_unwatch(&p->watch);
    model_reader_free(p->reader);
    health_free(p->health);
    uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}

void proxy_teardown(int netns_fd)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        struct err err;
        struct kernel *k = kernel_new(netns_fd, families[i], &err);
        struct buf commands = BUF_INIT(0);
        render_teardown(families[i], &commands);
        if (!k || kernel_run(k, buf_str(&commands), &err) < 0)
            log_warn("rules not removed: %s", err.msg);
        kernel_free(k);
        buf_done(&commands);
    }
}
