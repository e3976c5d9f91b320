/* See hparatio.h. */
#include "control/hparatio.h"

#include <math.h>

#include "base/alloc.h"
#include "base/str.h"

/* Upstream's defaults. */
#define TOLERANCE 0.1
#define CPU_INITIALIZATION_USEC (300LL * 1000000) /* a pod that starts uses more than it will */
#define INITIAL_READINESS_USEC (30LL * 1000000)   /* not ready from the start, rather than later */

enum group { G_READY, G_UNREADY, G_MISSING, G_IGNORED };

static bool starts_up(const struct hpa_pod *p, int64_t now_usec)
{
    if (!p->has_ready || !p->started)
        return true;
    if (p->started + CPU_INITIALIZATION_USEC > now_usec)
        return !p->ready || p->measured_at < p->ready_since + p->window;
    return !p->ready && p->started + INITIAL_READINESS_USEC > p->ready_since;
}

static enum group group_of(const struct hpa_pod *p, bool cpu, int64_t now_usec)
{
    if (p->leaving)
        return G_IGNORED;
    if (p->pending)
        return G_UNREADY;
    if (!p->measured)
        return G_MISSING;
    return cpu && starts_up(p, now_usec) ? G_UNREADY : G_READY;
}

struct sums {
    int64_t usage, requests, n;
};

static void add(struct sums *s, const struct hpa_pod *p, int64_t usage)
{
    s->usage += usage;
    s->requests += p->request;
    s->n++;
}

static double ratio_of(const struct sums *s, const struct hpa_target *t)
{
    return t->utilization ? (double)(s->usage * 100 / s->requests) / (double)t->amount
                          : (double)(s->usage / s->n) / (double)t->amount;
}

static bool tolerated(double ratio)
{
    return fabs(1.0 - ratio) <= TOLERANCE;
}

/* What is not known counts so that the change gets smaller: on the way down as if it were all used, up as if none. */
static int64_t assumed(const struct hpa_pod *p, const struct hpa_target *t, double ratio)
{
    if (ratio > 1.0)
        return 0;
    return !t->utilization ? t->amount : p->request * (t->amount > 100 ? t->amount : 100) / 100;
}

static int check(const struct hpa_pod *pods, size_t n, const struct hpa_target *t, struct err *err)
{
    size_t measured = 0;
    for (size_t i = 0; i < n; i++)
        measured += pods[i].measured;
    if (!measured)
        return err_set(err, 0, "unable to get metrics for resource %s: no metrics returned from resource metrics API",
                       t->resource);
    for (size_t i = 0; i < n && t->utilization; i++)
        if (pods[i].no_request)
            return err_set(err, 0, "missing request for %s in container %s of Pod %s", t->resource, pods[i].no_request,
                           pods[i].name);
    return 0;
}

/* With guesses for the others; the current number if that would turn the direction. */
static int64_t guessed(const struct hpa_pod *pods, size_t n, const enum group *groups, const struct hpa_target *t,
                       struct sums sums, double ratio, int64_t current)
{
    for (size_t i = 0; i < n; i++) {
        if (groups[i] == G_MISSING && ratio != 1.0)
            add(&sums, &pods[i], assumed(&pods[i], t, ratio));
        if (groups[i] == G_UNREADY && ratio > 1.0)
            add(&sums, &pods[i], 0);
    }
    double again = ratio_of(&sums, t);
    if (tolerated(again) || (ratio < 1.0 && again > 1.0) || (ratio > 1.0 && again < 1.0))
        return current;
    int64_t replicas = (int64_t)ceil(again * (double)sums.n);
    bool turned = (again < 1.0 && replicas > current) || (again > 1.0 && replicas < current);
    return turned ? current : replicas;
}

int hpa_propose(const struct hpa_pod *pods, size_t n, const struct hpa_target *t, int64_t current, int64_t now_usec,
                struct hpa_proposal *ret, struct err *err)
{
    size_t in[4] = {0};
    struct sums ready = {0};
    if (check(pods, n, t, err) < 0)
        return -1;
    _cleanup_free_ enum group *groups = xcalloc(n + 1, sizeof(*groups));
    for (size_t i = 0; i < n; i++) {
        groups[i] = group_of(&pods[i], streq(t->resource, "cpu"), now_usec);
        in[groups[i]]++;
        if (groups[i] == G_READY)
            add(&ready, &pods[i], pods[i].usage);
    }
    if (!ready.n)
        return err_set(err, 0, "did not receive metrics for targeted pods (pods might be unready)");
    if (t->utilization && !ready.requests)
        return err_set(err, 0, "no metrics returned matched known pods");
    double ratio = ratio_of(&ready, t);
    *ret = (struct hpa_proposal){.average = ready.usage / ready.n,
                                 .utilization = t->utilization ? ready.usage * 100 / ready.requests : 0};
    if (in[G_MISSING] || (in[G_UNREADY] && ratio > 1.0))
        ret->replicas = guessed(pods, n, groups, t, ready, ratio, current);
    else
        ret->replicas = tolerated(ratio) ? current : (int64_t)ceil(ratio * (double)ready.n);
    return 0;
}
