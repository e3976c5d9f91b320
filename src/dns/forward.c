/* See forward.h. A question (struct question) lives through several tries (struct attempt), each with a socket of its
 * own. */
#include "dns/forward.h"

#include <errno.h>
#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/packet/wire.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_AREA "dns"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/netns.h"
#include "base/rand.h"
#include "base/str.h"
#include "dns/wire.h"

#define TRIES_MAX 3 /* with 1.5 s each: an answer, if only SERVFAIL, before a client's usual 5 s are over */
#define RESOLV_CONF_MAX 65536
#define RELOAD_MS 2000 /* how often the file's time is looked at, and only when somebody asks */
#define PROBE_LABEL_SIZE 16
#define PROBE_SUFFIX                                                                                                   \
    "\x09"                                                                                                             \
    "c8s-probe" /* labels in wire format; the literal's NUL is the root */

struct server {
    struct upstream upstream;
    char probe[PROBE_LABEL_SIZE + 1]; /* first label of its probe's name */
    bool loops;
};

struct attempt {
    uv_poll_t poll;
    int fd;
    struct question *question; /* NULL: given up, only waits to be closed */
    bool tcp;
    uint8_t *in; /* TCP: length and message, as far as they have come */
    size_t in_len;
};

struct question {
    struct list link; /* in waiting, the next to time out first */
    struct forward *f;
    struct attempt *attempt;
    int64_t deadline_ms;
    unsigned tries, server;
    uint16_t id; /* ours, in this try */
    bool client_tcp;
    forward_done_fn *done;
    void *arg;
    size_t len;
    uint8_t query[];
};

struct forward {
    uv_loop_t *loop;
    int netns_fd;
    struct ips own;
    unsigned try_ms;
    struct server servers[UPSTREAMS_MAX];
    size_t n_servers;
    unsigned current;  /* the one that answered last */
    bool probed;       /* all of them */
    char *resolv_conf; /* NULL: the servers are given */
    int64_t looked_ms;
    struct timespec resolv_mtime;
    struct list waiting;
    size_t n_open, open_max;
    uv_timer_t timer;
};

/* --- servers --- */

static void set_servers(struct forward *f, const struct upstream *list, size_t n)
{
    f->n_servers = n;
    f->current = 0;
    f->probed = false;
    for (size_t i = 0; i < n; i++) {
        uint8_t random[PROBE_LABEL_SIZE / 2];
        f->servers[i] = (struct server){.upstream = list[i]};
        rand_bytes(random, sizeof(random));
        str_hex(random, sizeof(random), f->servers[i].probe);
    }
}

/* Reads resolv.conf when it is another than last time. */
static void follow_resolv_conf(struct forward *f)
{
    struct upstream list[UPSTREAMS_MAX];
    struct stat st;
    struct err ignored;
    int64_t now = clock_mono_ms();
    if (!f->resolv_conf || (f->looked_ms && now - f->looked_ms < RELOAD_MS))
        return;
    f->looked_ms = now;
    if (stat(f->resolv_conf, &st) < 0 || memcmp(&st.st_mtim, &f->resolv_mtime, sizeof(st.st_mtim)) == 0)
        return;
    _cleanup_free_ char *text = file_read(f->resolv_conf, RESOLV_CONF_MAX, NULL, &ignored);
    if (!text)
        return;
    f->resolv_mtime = st.st_mtim;
    set_servers(f, list, upstreams_from_resolv_conf(text, &f->own, list));
}

/* --- one try --- */

static void on_attempt_closed(uv_handle_t *handle)
{
    struct attempt *a = handle->data;
    free(a->in);
    free(a);
}

static void attempt_close(struct attempt *a)
{
    a->question = NULL;
    uv_close((uv_handle_t *)&a->poll, on_attempt_closed);
    close(a->fd);
}

static void question_finish(struct question *q, const uint8_t *reply, size_t len)
{
    struct forward *f = q->f;
    list_remove(&q->link);
    if (q->attempt)
        attempt_close(q->attempt);
    f->n_open--;
    q->done(q->arg, reply, len);
    free(q);
}

static int open_socket(const struct forward *f, const struct upstream *u, bool tcp)
{
    NETNS_SCOPE(f->netns_fd);
    int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(u->addr.ss_family, type, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&u->addr, u->addr_len) < 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static void send_query(struct attempt *a)
{
    const struct question *q = a->question;
    uint8_t message[2 + WIRE_MAX];
    message[0] = (uint8_t)(q->len >> 8);
    message[1] = (uint8_t)q->len;
    memcpy(message + 2, q->query, q->len);
    knot_wire_set_id(message + 2, q->id);
    /* A query fits any socket's buffer; what is not sent whole is a broken server, and its time runs out. */
    (void)send(a->fd, a->tcp ? message : message + 2, a->tcp ? q->len + 2 : q->len, MSG_NOSIGNAL);
}

static void on_poll(uv_poll_t *poll, int status, int events);
static void try_next(struct question *q);

static void arm_timer(struct forward *f);

static bool start_attempt(struct question *q, bool tcp)
{
    struct forward *f = q->f;
    int fd = open_socket(f, &f->servers[q->server].upstream, tcp);
    if (fd < 0)
        return false;
    struct attempt *a = NEW(struct attempt);
    a->fd = fd;
    a->question = q;
    a->tcp = tcp;
    uv_poll_init(f->loop, &a->poll, fd);
    a->poll.data = a;
    q->attempt = a;
    rand_bytes(&q->id, sizeof(q->id));
    q->deadline_ms = clock_mono_ms() + f->try_ms;
    list_remove(&q->link);
    list_append(&f->waiting, &q->link);
    uv_poll_start(&a->poll, tcp ? UV_WRITABLE : UV_READABLE, on_poll);
    if (!tcp)
        send_query(a);
    arm_timer(f);
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    struct forward *f = timer->data;
    int64_t now = clock_mono_ms();
    while (!list_empty(&f->waiting)) {
        struct question *q = container_of(f->waiting.next, struct question, link);
        if (q->deadline_ms > now)
            break;
        try_next(q);
    }
    arm_timer(f);
}

static void arm_timer(struct forward *f)
{
    if (list_empty(&f->waiting)) {
        uv_timer_stop(&f->timer);
        return;
    }
    const struct question *q = container_of(f->waiting.next, struct question, link);
    int64_t wait = q->deadline_ms - clock_mono_ms();
    uv_timer_start(&f->timer, on_timer, wait > 0 ? (uint64_t)wait : 0, 0);
}

/* The next server that may be asked, beginning with the one that answered last; false: there is none. */
static bool choose_server(struct question *q)
{
    const struct forward *f = q->f;
    for (size_t i = 0; i < f->n_servers; i++) {
        unsigned s = (unsigned)((f->current + q->tries + i) % f->n_servers);
        if (f->servers[s].loops)
            continue;
        q->server = s;
        return true;
    }
    return false;
}

static void try_next(struct question *q)
{
    if (q->attempt) {
        attempt_close(q->attempt);
        q->attempt = NULL;
    }
    while (++q->tries < TRIES_MAX)
        if (choose_server(q) && start_attempt(q, false))
            return;
    question_finish(q, NULL, 0);
}

/* --- what comes back --- */

static bool is_reply(const struct question *q, const uint8_t *reply, size_t len)
{
    return len >= WIRE_HEADER_SIZE && knot_wire_get_qr(reply) && knot_wire_get_id(reply) == q->id &&
           wire_same_question(q->query, q->len, reply, len);
}

static void on_reply(struct attempt *a, uint8_t *reply, size_t len)
{
    struct question *q = a->question;
    if (!is_reply(q, reply, len))
        return; /* somebody else's, late or forged: go on waiting */
    unsigned rcode = knot_wire_get_rcode(reply);
    bool failed = rcode == KNOT_RCODE_SERVFAIL || rcode == KNOT_RCODE_REFUSED || rcode == KNOT_RCODE_NOTIMPL;
    if (failed && q->tries + 1 < TRIES_MAX && q->f->n_servers > 1) {
        try_next(q);
        return;
    }
    if (knot_wire_get_tc(reply) && q->client_tcp && !a->tcp) {
        attempt_close(a);
        q->attempt = NULL;
        if (!start_attempt(q, true))
            try_next(q);
        return;
    }
    if (!failed)
        q->f->current = q->server;
    knot_wire_set_id(reply, knot_wire_get_id(q->query));
    size_t end = wire_question_end(reply, len);
    memcpy(reply + WIRE_HEADER_SIZE, q->query + WIRE_HEADER_SIZE, end - WIRE_HEADER_SIZE);
    question_finish(q, reply, len);
}

static void read_udp(struct attempt *a)
{
    uint8_t reply[WIRE_MAX];
    ssize_t n = recv(a->fd, reply, sizeof(reply), 0);
    if (n >= 0)
        on_reply(a, reply, (size_t)n);
    else if (errno != EAGAIN && errno != EINTR)
        try_next(a->question); /* nobody listens there */
}

static void read_tcp(struct attempt *a)
{
    size_t want = a->in_len < 2 ? 2 : 2u + wire_u16(a->in);
    ssize_t n = recv(a->fd, a->in + a->in_len, want - a->in_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        try_next(a->question);
        return;
    }
    a->in_len += (size_t)n;
    if (a->in_len > 2 && a->in_len == 2u + wire_u16(a->in))
        on_reply(a, a->in + 2, a->in_len - 2);
}

static void on_connected(struct attempt *a)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error) {
        try_next(a->question);
        return;
    }
    a->in = xmalloc(2 + WIRE_MAX);
    send_query(a);
    uv_poll_start(&a->poll, UV_READABLE, on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct attempt *a = poll->data;
    if (status < 0)
        try_next(a->question);
    else if (!a->tcp)
        read_udp(a);
    else if (events & UV_WRITABLE)
        on_connected(a);
    else
        read_tcp(a);
}

/* --- questions --- */

static struct question *question_new(struct forward *f, const uint8_t *query, size_t len, forward_done_fn *done,
                                     void *arg)
{
    struct question *q = xcalloc(1, sizeof(*q) + len);
    *q = (struct question){.f = f, .done = done, .arg = arg, .len = len};
    memcpy(q->query, query, len);
    list_init(&q->link);
    f->n_open++;
    return q;
}

static void question_drop(struct question *q)
{
    q->f->n_open--;
    free(q);
}

/* --- probes --- */

static void on_probe_done(void *arg, const uint8_t *reply, size_t len)
{
    (void)arg;
    (void)reply;
    (void)len; /* any answer but our own is fine */
}

static size_t probe_query(const struct server *s, uint8_t *query)
{
    static const uint8_t header[WIRE_HEADER_SIZE] = {0, 0, 1, 0, 0, 1}; /* recursion desired, one question */
    static const uint8_t type_class[] = {0, KNOT_RRTYPE_HINFO, 0, KNOT_CLASS_IN};
    size_t at = 0;
    memcpy(query, header, sizeof(header));
    at += sizeof(header);
    query[at++] = PROBE_LABEL_SIZE;
    memcpy(&query[at], s->probe, PROBE_LABEL_SIZE);
    at += PROBE_LABEL_SIZE;
    memcpy(&query[at], PROBE_SUFFIX, sizeof(PROBE_SUFFIX));
    at += sizeof(PROBE_SUFFIX);
    memcpy(&query[at], type_class, sizeof(type_class));
    return at + sizeof(type_class);
}

static void probe_servers(struct forward *f)
{
    uint8_t query[64];
    if (f->probed)
        return;
    f->probed = true;
    for (unsigned i = 0; i < f->n_servers; i++) {
        struct question *q = question_new(f, query, probe_query(&f->servers[i], query), on_probe_done, NULL);
        q->server = i;
        q->tries = TRIES_MAX; /* this server or none */
        if (!start_attempt(q, false))
            question_drop(q);
    }
}

bool forward_is_probe(struct forward *f, const uint8_t *query, size_t len)
{
    uint8_t probe[64];
    for (size_t i = 0; i < f->n_servers; i++) {
        struct server *s = &f->servers[i];
        if (!wire_same_question(query, len, probe, probe_query(s, probe)))
            continue;
        if (!s->loops)
            log_warn("%s sends our queries back to us; names outside the cluster are not asked of it",
                     s->upstream.text);
        s->loops = true;
        return true;
    }
    return false;
}

/* --- the ways in --- */

bool forward_ask(struct forward *f, const uint8_t *query, size_t len, bool tcp, forward_done_fn *done, void *arg)
{
    follow_resolv_conf(f);
    probe_servers(f);
    if (f->n_open >= f->open_max || len > WIRE_MAX || !wire_question_end(query, len))
        return false;
    struct question *q = question_new(f, query, len, done, arg);
    q->client_tcp = tcp;
    for (; q->tries < TRIES_MAX && choose_server(q); q->tries++)
        if (start_attempt(q, false))
            return true;
    question_drop(q);
    return false;
}

/* --- life --- */

struct forward *forward_new(uv_loop_t *loop, const struct forward_config *config)
{
    struct upstream list[UPSTREAMS_MAX];
    struct forward *f = NEW(struct forward);
    f->loop = loop;
    f->netns_fd = config->netns_fd;
    f->own = config->own;
    f->try_ms = config->try_ms;
    f->open_max = config->open_max;
    if (config->upstreams)
        set_servers(f, list, upstreams_from_list(config->upstreams, &f->own, list));
    else
        f->resolv_conf = xstrdup(config->resolv_conf);
    list_init(&f->waiting);
    uv_timer_init(loop, &f->timer);
    f->timer.data = f;
    return f;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct forward *f = handle->data;
    free(f->resolv_conf);
    free(f);
}

void forward_free(struct forward *f)
{
    if (!f)
        return;
    while (!list_empty(&f->waiting))
        question_finish(container_of(f->waiting.next, struct question, link), NULL, 0);
    uv_close((uv_handle_t *)&f->timer, on_timer_closed);
}
