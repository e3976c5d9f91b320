/* Measures every few seconds what containers and machine use, and serves the last figures like a kubelet does
 * (/stats/summary, of which we give what metrics are made of; /metrics/resource). The measuring is a job; a series
 * belongs to a container's id and goes with it. */
#define LOG_AREA "node"
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/pod.h"
#include "node/usage.h"

/* Shorter than upstream's 15 s, so that a pod is in `kubectl top` soon; a round costs some 0.1 ms a container. */
#define ROUND_MS 5000

struct measure {
    char cid[CID_SIZE];
    char path[CGROUP_PATH_SIZE];
    int64_t started_usec;
    struct usage usage;
    bool found;
};

struct stats {
    struct agent *agent;
    uv_timer_t *timer;
    struct map series; /* cid -> struct usage_series, allocated */
    struct usage_series machine;
};

struct stats_round {
    struct agent *agent;
    struct measure *list;
    size_t n;
    struct usage machine;
    bool machine_found;
    int64_t at_usec;
};

/* --- a round --- */

static size_t count_containers(const struct agent *a)
{
    size_t n = 0;
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));)
        n += ((struct pod *)e->value)->n;
    return n;
}

static void collect(const struct agent *a, struct stats_round *round)
{
    round->list = xcalloc(count_containers(a) + 1, sizeof(*round->list));
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));) {
        const struct pod *p = e->value;
        for (size_t i = 0; i < p->n; i++) {
            const struct container_facts *f = &p->containers[i]->f;
            if (f->state != CONTAINER_RUNNING)
                continue;
            struct measure *m = &round->list[round->n++];
            m->started_usec = f->started_usec;
            memcpy(m->cid, f->cid, sizeof(m->cid));
            cgroup_path(m->path, a->name, p->uid, f->cid);
        }
    }
}

static void measure_work(void *arg)
{
    struct stats_round *round = arg;
    for (size_t i = 0; i < round->n; i++)
        round->list[i].found = usage_read_group(&round->agent->cgroups, round->list[i].path, &round->list[i].usage);
    round->machine_found = usage_read_machine(&round->machine);
    round->at_usec = clock_wall_usec();
}

/* Moves the series of what still runs into a new map; the others go. */
static void take_in(struct stats *s, const struct stats_round *round)
{
    struct map kept = {0};
    for (size_t i = 0; i < round->n; i++) {
        const struct measure *m = &round->list[i];
        struct usage_series *series = m->found ? map_del(&s->series, m->cid) : NULL;
        if (!m->found)
            continue;
        series = series ? series : NEW(struct usage_series);
        usage_add(series, &m->usage, round->at_usec, m->started_usec);
        free(map_put(&kept, m->cid, series));
    }
    map_done_with(&s->series, free);
    s->series = kept;
    if (round->machine_found)
        usage_add(&s->machine, &round->machine, round->at_usec, 0);
}

static void on_timer(uv_timer_t *t);

static void measure_done(void *arg)
{
    struct stats_round *round = arg;
    struct stats *s = round->agent->stats; /* NULL: the agent is closing */
    if (s) {
        take_in(s, round);
        uv_timer_start(s->timer, on_timer, ROUND_MS, 0);
    }
    free(round->list);
    free(round);
}

static void on_timer(uv_timer_t *t)
{
    struct stats *s = t->data;
    struct stats_round *round = NEW(struct stats_round);
    round->agent = s->agent;
    collect(s->agent, round);
    agent_job(s->agent, measure_work, measure_done, round);
}

int64_t stats_memory_bytes(const struct agent *a, const char *cid)
{
    const struct usage_series *s = map_get(&a->stats->series, cid);
    return s ? s->last.memory_bytes : 0;
}

/* --- serving --- */

/* Members cpu and memory; without a rate yet, only what is known. */
static void set_figures(json_t *o, const struct usage_series *s)
{
    char time[TIME_TEXT_SIZE];
    time_format(s->last_usec, time);
    json_t *cpu = json_pack("{ss, sI}", "time", time, "usageCoreNanoSeconds", (json_int_t)s->last.cpu_usec * 1000);
    if (s->window_usec) {
        json_object_set_new(cpu, "usageNanoCores", json_integer(s->nano_cores));
        json_object_set_new(cpu, "windowMilliseconds", json_integer(s->window_usec / 1000));
    }
    json_object_set_new(o, "cpu", cpu);
    json_object_set_new(o, "memory",
                        json_pack("{ss, sI}", "time", time, "workingSetBytes", (json_int_t)s->last.memory_bytes));
}

static json_t *pod_summary(const struct stats *s, const struct pod *p)
{
    json_t *containers = json_array();
    for (size_t i = 0; i < p->n; i++) {
        const struct container_facts *f = &p->containers[i]->f;
        const struct usage_series *series = map_get(&s->series, f->cid);
        if (f->state != CONTAINER_RUNNING)
            continue;
        json_t *c = json_pack("{ss}", "name", f->name);
        if (series)
            set_figures(c, series);
        json_array_append_new(containers, c);
    }
    return json_pack("{s{ss, ss, ss}, so}", "podRef", "name", p->name, "namespace", p->ns, "uid", p->uid, "containers",
                     containers);
}

void stats_serve_summary(struct agent *a, struct http_exchange *x)
{
    json_t *node = json_pack("{ss}", "nodeName", a->name), *pods = json_array();
    if (a->stats->machine.last_usec)
        set_figures(node, &a->stats->machine);
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));)
        json_array_append_new(pods, pod_summary(a->stats, e->value));
    _cleanup_json_ json_t *summary = json_pack("{so, so}", "node", node, "pods", pods);
    _cleanup_free_ char *text = jprint(summary);
    http_reply(x, 200, "application/json", text, strlen(text));
}

static const struct gauge {
    const char *name, *help, *type;
    bool cpu;
} gauges[] = {
    {"cpu_usage_seconds_total", "CPU time used, in seconds.", "counter", true},
    {"memory_working_set_bytes", "Memory that could not be taken back at once.", "gauge", false},
};

static void add_value(struct buf *out, const struct gauge *g, const struct usage_series *s)
{
    if (g->cpu)
        buf_addf(out, " %.6f", (double)s->last.cpu_usec / 1e6);
    else
        buf_addf(out, " %lld", (long long)s->last.memory_bytes);
    buf_addf(out, " %lld\n", (long long)s->last_usec / 1000);
}

static void add_containers(struct buf *out, const struct agent *a, const struct gauge *g)
{
    buf_addf(out, "# HELP container_%s %s\n# TYPE container_%s %s\n", g->name, g->help, g->name, g->type);
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));) {
        const struct pod *p = e->value;
        for (size_t i = 0; i < p->n; i++) {
            const struct container_facts *f = &p->containers[i]->f;
            const struct usage_series *s = map_get(&a->stats->series, f->cid);
            if (!s || f->state != CONTAINER_RUNNING)
                continue;
            buf_addf(out, "container_%s{container=\"%s\",namespace=\"%s\",pod=\"%s\"}", g->name, f->name, p->ns,
                     p->name);
            add_value(out, g, s);
        }
    }
}

void stats_serve_resource(struct agent *a, struct http_exchange *x)
{
    struct buf out = BUF_INIT(0);
    for (size_t i = 0; i < ARRAY_LEN(gauges); i++) {
        const struct gauge *g = &gauges[i];
        add_containers(&out, a, g);
        buf_addf(&out, "# HELP node_%s %s\n# TYPE node_%s %s\nnode_%s", g->name, g->help, g->name, g->type, g->name);
        add_value(&out, g, &a->stats->machine);
    }
    http_reply(x, 200, "text/plain; version=0.0.4", out.data, out.len);
    buf_done(&out);
}

/* --- life --- */

struct stats *stats_new(struct agent *a)
{
    struct stats *s = NEW(struct stats);
    s->agent = a;
    s->timer = timer_make(a->loop, s);
    uv_timer_start(s->timer, on_timer, 0, 0);
    return s;
}

void stats_free(struct stats *s)
{
    if (!s)
        return;
    s->agent->stats = NULL;
    handle_free((uv_handle_t *)s->timer);
    map_done_with(&s->series, free);
    free(s);
}
