/* See trouble.h. */
#include "podnet/trouble.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define SHOWN_MAX 3 /* peers: the others say the same of themselves */

/* By what is worse. Between the two halves: "from a to b", or "between a and b". */
static const struct {
    enum reach_fault fault;
    const char *reason, *before, *after;
} faults[] = {
    {REACH_BLOCKED, "TunnelBlocked", "UDP 8472", "does not arrive: a firewall?"},
    {REACH_CORRUPT, "TunnelChecksumsWrong", "packets in the tunnel",
     "arrive with wrong checksums: does a network card make them? (ethtool -K DEVICE tx off)"},
    {REACH_TOO_LARGE, "TunnelMTUTooSmall", "large packets in the tunnel",
     "do not arrive, small ones do: does a link on the way take less than the nodes' own?"},
};
enum { N_FAULTS = sizeof(faults) / sizeof(faults[0]) };

/* The place in that table; N_FAULTS: none. */
static size_t rank(enum reach_fault f)
{
    size_t i = 0;
    while (i < N_FAULTS && faults[i].fault != f)
        i++;
    return i;
}

static bool is_judged(const struct trouble_peer *p)
{
    return p->ready && p->tunnelled;
}

static bool is_bad(const struct trouble_peer *p)
{
    return is_judged(p) && (rank(p->in) < N_FAULTS || rank(p->out) < N_FAULTS);
}

/* Pods there do not reach ours, or the other way round; large packets alone are no reason to keep pods away. */
static bool is_beyond(const struct trouble_peer *p)
{
    return is_judged(p) && (rank(p->in) < rank(REACH_TOO_LARGE) || rank(p->out) < rank(REACH_TOO_LARGE));
}

static bool is_older(const struct trouble_peer *p, const struct trouble_peer *than)
{
    int order = strcmp(p->created, than->created);
    return order < 0 || (order == 0 && strcmp(p->name, than->name) < 0);
}

/* Of two parts of a cluster that do not reach each other the smaller one had better get no more pods, and of two equal
 * ones that without the oldest node. */
static bool is_cut_off(const struct trouble_peer *own, const struct trouble_peer *peers, size_t n)
{
    size_t n_ours = 1, n_all = 1;
    const struct trouble_peer *oldest = own;
    for (size_t i = 0; i < n; i++) {
        if (!peers[i].ready)
            continue;
        n_all++;
        n_ours += !is_beyond(&peers[i]);
        if (is_older(&peers[i], oldest))
            oldest = &peers[i];
    }
    return 2 * n_ours < n_all || (2 * n_ours == n_all && is_beyond(oldest));
}

static void add_fault(struct buf *text, enum reach_fault f, const char *link, const char *a, const char *and,
                      const char *b)
{
    size_t i = rank(f);
    if (i < N_FAULTS)
        buf_addf(text, "%s%s %s %s %s %s %s", text->len ? "; " : "", faults[i].before, link, a, and, b,
                 faults[i].after);
}

static void add_peer(struct buf *text, const char *own, const struct trouble_peer *p)
{
    if (p->in == p->out) {
        add_fault(text, p->in, "between", own, "and", p->name);
        return;
    }
    add_fault(text, p->out, "from", own, "to", p->name);
    add_fault(text, p->in, "from", p->name, "to", own);
}

/* Returns how many peers are in trouble, and where in the table the worst of it is. */
static size_t gather(const struct trouble_peer *own, const struct trouble_peer *peers, size_t n, struct buf *text,
                     size_t *ret_worst)
{
    size_t n_bad = 0;
    *ret_worst = N_FAULTS;
    for (size_t i = 0; i < n; i++) {
        const struct trouble_peer *p = &peers[i];
        if (!is_bad(p))
            continue;
        if (n_bad++ < SHOWN_MAX)
            add_peer(text, own->name, p);
        size_t worse = rank(p->in) < rank(p->out) ? rank(p->in) : rank(p->out);
        *ret_worst = worse < *ret_worst ? worse : *ret_worst;
    }
    if (n_bad > SHOWN_MAX)
        buf_addf(text, "; and so on, with %zu nodes in all", n_bad);
    return n_bad;
}

static bool all_known(const struct trouble_peer *peers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_judged(&peers[i]) && (peers[i].in == REACH_NOT_KNOWN || peers[i].out == REACH_NOT_KNOWN))
            return false;
    return true;
}

bool trouble_describe(const struct trouble_peer *own, const struct trouble_peer *peers, size_t n, struct trouble *ret)
{
    struct buf text = BUF_INIT(TROUBLE_TEXT_SIZE - 1);
    size_t worst, n_bad = gather(own, peers, n, &text, &worst);
    *ret = (struct trouble){.reason = "TunnelWorks", .message = "packets of every size come through the tunnel"};
    if (n_bad) {
        ret->cut_off = is_cut_off(own, peers, n);
        ret->reason = faults[worst].reason;
        snprintf(ret->message, sizeof(ret->message), "%s", buf_str(&text));
    }
    buf_done(&text);
    return n_bad || all_known(peers, n);
}
