/* See eviction.h. */
#include "node/eviction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/quantity.h"
#include "base/str.h"

#define MESSAGE_MAX 8192 /* a sentence for each container */
#define NANO ((quantity_nano)1000000000)

static const struct {
    const char *name;
    enum eviction_resource resource;
    enum node_pressure pressure;
} signals[SIGNAL_N] = {
    [SIGNAL_MEMORY] = {"memory.available", STARVED_MEMORY, PRESSURE_MEMORY},
    [SIGNAL_NODEFS] = {"nodefs.available", STARVED_DISK, PRESSURE_DISK},
    [SIGNAL_NODEFS_INODES] = {"nodefs.inodesFree", STARVED_INODES, PRESSURE_DISK},
    [SIGNAL_IMAGEFS] = {"imagefs.available", STARVED_DISK, PRESSURE_DISK},
    [SIGNAL_IMAGEFS_INODES] = {"imagefs.inodesFree", STARVED_INODES, PRESSURE_DISK},
    [SIGNAL_PID] = {"pid.available", STARVED_PIDS, PRESSURE_PID},
};
static const char *const resource_names[STARVED_N] = {"memory", "ephemeral-storage", "inodes", "pids"};
static const char *const condition_names[PRESSURE_N] = {"MemoryPressure", "DiskPressure", "PIDPressure"};

/* --- thresholds --- */

static bool parse_value(const char *text, struct eviction_threshold *ret)
{
    struct quantity q;
    char *end;
    *ret = (struct eviction_threshold){.set = true};
    if (str_ends_with(text, "%")) {
        ret->share = strtod(text, &end) / 100;
        return end != text && end[1] == '\0' && ret->share >= 0 && ret->share <= 1;
    }
    ret->amount = quantity_parse(text, &q) ? quantity_value(&q) : -1;
    return ret->amount >= 0;
}

static int parse_one(const char *text, struct eviction_thresholds *ret, struct err *err)
{
    for (size_t i = 0; i < SIGNAL_N; i++) {
        const char *rest = str_after(text, signals[i].name);
        if (!rest || *rest != '<')
            continue;
        return parse_value(rest + 1, &ret->of[i])
                   ? 0
                   : err_set(err, 0, "eviction threshold %s: neither a quantity nor a share like 10%%", text);
    }
    return err_set(err, 0, "eviction threshold \"%s\": unknown signal, or no '<' behind it", text);
}

int eviction_parse(const char *text, struct eviction_thresholds *ret, struct err *err)
{
    memset(ret->of, 0, sizeof(ret->of));
    if (!*text)
        return 0;
    _cleanup_free_ char **parts = str_split(text, ',', NULL);
    for (char **part = parts; *part; part++)
        if (parse_one(*part, ret, err) < 0)
            return -1;
    return 0;
}

static int64_t threshold_amount(const struct eviction_threshold *t, const struct eviction_observation *seen)
{
    return t->share > 0 ? (int64_t)((double)seen->capacity * t->share) : t->amount;
}

unsigned eviction_signals(const struct eviction_thresholds *t, const struct eviction_observation seen[SIGNAL_N])
{
    unsigned met = 0;
    for (size_t i = 0; i < SIGNAL_N; i++)
        if (t->of[i].set && seen[i].capacity > 0 && seen[i].available < threshold_amount(&t->of[i], &seen[i]))
            met |= 1U << i;
    return met;
}

enum eviction_signal eviction_first(unsigned met)
{
    enum eviction_signal s = 0;
    while (s < SIGNAL_N && !(met & 1U << s))
        s++;
    return s;
}

enum eviction_resource eviction_resource_of(enum eviction_signal s)
{
    return signals[s].resource;
}

const char *eviction_resource_name(enum eviction_resource r)
{
    return resource_names[r];
}

/* --- conditions --- */

unsigned eviction_conditions(const struct eviction_thresholds *t, struct eviction_memory *m, unsigned met,
                             int64_t now_ms)
{
    unsigned held = 0;
    for (size_t i = 0; i < SIGNAL_N; i++)
        if (met & 1U << i)
            m->seen_ms[signals[i].pressure] = now_ms;
    for (size_t i = 0; i < PRESSURE_N; i++)
        if (m->seen_ms[i] == now_ms || (m->seen_ms[i] && now_ms - m->seen_ms[i] < t->transition_ms))
            held |= 1U << i;
    return held;
}

char *eviction_condition_names(unsigned pressures)
{
    struct buf text = BUF_INIT(MESSAGE_MAX);
    for (size_t i = 0; i < PRESSURE_N; i++)
        if (pressures & 1U << i)
            buf_addf(&text, "%s%s", text.len ? " " : "[", condition_names[i]);
    buf_adds(&text, "]");
    return buf_take(&text);
}

/* --- who goes --- */

struct standing {
    int64_t used, request;
};

static struct standing standing_of(const struct eviction_pod *p, enum eviction_resource r)
{
    struct standing s = {.used = p->shared[r]};
    for (size_t i = 0; i < p->n_containers; i++) {
        s.used += p->containers[i].used[r];
        s.request += p->containers[i].request[r];
    }
    return s;
}

static int descending(int64_t a, int64_t b)
{
    return a > b ? -1 : a < b;
}

static int compare(const void *a, const void *b, void *arg)
{
    const struct eviction_pod *x = a, *y = b;
    enum eviction_resource r = *(const enum eviction_resource *)arg;
    struct standing of_x = standing_of(x, r), of_y = standing_of(y, r);
    int exceeds = r == STARVED_PIDS ? 0 : (of_y.used > of_y.request) - (of_x.used > of_x.request);
    if (exceeds)
        return exceeds;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return descending(of_x.used - of_x.request, of_y.used - of_y.request);
}

void eviction_rank(struct eviction_pod *pods, size_t n, enum eviction_resource r)
{
    if (n > 1)
        qsort_r(pods, n, sizeof(*pods), compare, &r);
}

/* --- sentences --- */

static char *amount_text(int64_t amount, char out[QUANTITY_TEXT_SIZE])
{
    struct quantity q = {.nano = amount * NANO, .format = QUANTITY_BINARY_SI};
    return quantity_format_text(&q, out);
}

char *eviction_message(const struct eviction_pod *p, enum eviction_signal s, const struct eviction_thresholds *t,
                       const struct eviction_observation seen[SIGNAL_N])
{
    enum eviction_resource r = signals[s].resource;
    const char *name = resource_names[r];
    char one[QUANTITY_TEXT_SIZE], other[QUANTITY_TEXT_SIZE];
    struct buf text = BUF_INIT(MESSAGE_MAX);
    buf_addf(&text, "The node was low on resource: %s. Threshold quantity: %s, available: %s. ", name,
             amount_text(threshold_amount(&t->of[s], &seen[s]), one), amount_text(seen[s].available, other));
    for (size_t i = 0; (r == STARVED_MEMORY || r == STARVED_DISK) && i < p->n_containers; i++) {
        const struct eviction_container *c = &p->containers[i];
        if (c->used[r] > c->request[r])
            buf_addf(&text, "Container %s was using %s, request is %s, has larger consumption of %s. ", c->name,
                     amount_text(c->used[r], one), amount_text(c->request[r], other), name);
    }
    return buf_take(&text);
}

/* --- what a pod may use itself --- */

static char *over_volume_limit(const struct eviction_pod *p)
{
    for (size_t i = 0; i < p->n_volumes; i++) {
        const struct eviction_volume *v = &p->volumes[i];
        if (v->limit > 0 && v->used > v->limit)
            return xasprintf("Usage of EmptyDir volume \"%s\" exceeds the limit \"%s\". ", v->name, v->limit_text);
    }
    return NULL;
}

static char *over_pod_limit(const struct eviction_pod *p)
{
    int64_t limit = 0;
    char text[QUANTITY_TEXT_SIZE];
    for (size_t i = 0; i < p->n_containers; i++)
        limit += p->containers[i].disk_limit;
    if (limit == 0 || standing_of(p, STARVED_DISK).used <= limit)
        return NULL;
    return xasprintf("Pod ephemeral local storage usage exceeds the total limit of containers %s. ",
                     amount_text(limit, text));
}

static char *over_container_limit(const struct eviction_pod *p)
{
    for (size_t i = 0; i < p->n_containers; i++) {
        const struct eviction_container *c = &p->containers[i];
        if (c->disk_limit > 0 && c->used[STARVED_DISK] > c->disk_limit)
            return xasprintf("Container %s exceeded its local ephemeral storage limit \"%s\". ", c->name,
                             c->disk_limit_text);
    }
    return NULL;
}

char *eviction_over_limit(const struct eviction_pod *p)
{
    char *(*const checks[])(const struct eviction_pod *) = {over_volume_limit, over_pod_limit, over_container_limit};
    char *message = NULL;
    for (size_t i = 0; !message && i < ARRAY_LEN(checks); i++)
        message = checks[i](p);
    return message;
}
