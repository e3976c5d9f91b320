/* /attach/NS/POD/CONTAINER: the streams of a container's own process, joined with those of a `kubectl attach`. conmon
 * offers them on a socket of packets beside the bundle: from it, each packet begins with the number of its stream; to
 * it, bytes for the container's input. A fifo takes the size of the terminal. conmon waits for who does not read, and
 * the container for conmon, as if its terminal were held. */
#define LOG_AREA "node"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "http/remotecommand.h"
#include "node/agent_impl.h"
#include "node/pod.h"
#include "node/record.h"

#define SESSIONS_MAX 256      /* each holds a few descriptors */
#define PENDING_MAX (1 << 20) /* bytes waiting for a slow side before the other is paused */
#define PACKETS_AT_ONCE 32    /* read before others have their turn */
#define PACKET_MAX (8 << 10)  /* conmon reads up to 32 KiB and drops the rest */
#define READ_SIZE (32 << 10)  /* conmon's packets have 8 KiB and a byte */

/* What a packet begins with. */
enum { CONMON_STDOUT = 2, CONMON_STDERR = 3 };

struct session {
    struct remote_streams *remote; /* NULL: the client is gone */
    struct remote_options options;
    uv_loop_t *loop;
    char *bundle;
    bool has_stdin, has_tty;
    int fd, pidfd;
    uv_poll_t *poll;     /* of the socket: libuv's streams take no packets */
    uv_poll_t *end_poll; /* of the container's process */
    bool paused, ended;
    struct buf input; /* for the container */
    bool input_ended;
    char buffer[READ_SIZE];
};

static int sessions; /* of all agents in this process */

static void session_free(struct session *s)
{
    handle_free((uv_handle_t *)s->poll);
    handle_free((uv_handle_t *)s->end_poll);
    if (s->fd >= 0)
        close(s->fd);
    if (s->pidfd >= 0)
        close(s->pidfd);
    buf_done(&s->input);
    free(s->bundle);
    free(s);
    sessions--;
}

/* The container's exit code is its pod's matter: being attached to it has succeeded. */
static void finish(struct session *s, const char *failure)
{
    if (s->remote)
        remote_finish(s->remote, failure ? -1 : 0, failure);
    session_free(s);
}

static void on_socket(uv_poll_t *w, int status, int events);

static void update_poll(struct session *s)
{
    int events = (s->paused ? 0 : UV_READABLE) | (s->input.len ? UV_WRITABLE : 0);
    if (s->poll && uv_poll_start(s->poll, events, on_socket) < 0)
        uv_poll_stop(s->poll);
}

/* --- output --- */

static void pause_output(struct session *s, bool paused)
{
    s->paused = paused;
    update_poll(s);
}

/* Returns whether there may be more. */
static bool read_packet(struct session *s)
{
    ssize_t n = recv(s->fd, s->buffer, sizeof(s->buffer), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) { /* conmon has gone, after the container */
        finish(s, NULL);
        return false;
    }
    if (s->buffer[0] == CONMON_STDERR)
        remote_stderr(s->remote, s->buffer + 1, (size_t)n - 1);
    else if (s->buffer[0] == CONMON_STDOUT)
        remote_stdout(s->remote, s->buffer + 1, (size_t)n - 1);
    if (remote_pending(s->remote) > PENDING_MAX && !s->ended)
        pause_output(s, true);
    return !s->paused;
}

static void on_drained(void *arg)
{
    pause_output(arg, false);
}

/* What an ended container has left is little, and conmon must be able to go and say so. */
static void on_container_end(uv_poll_t *w, int status, int events)
{
    struct session *s = w->data;
    (void)status, (void)events;
    uv_poll_stop(w);
    s->ended = true;
    pause_output(s, false);
}

/* --- input --- */

/* The end of input ends the container's if it was to be had once (stdinOnce): conmon knows. It takes the end of any
 * session for that, also of one that only listened. */
static void write_packets(struct session *s)
{
    size_t sent = 0;
    while (sent < s->input.len) {
        size_t n = s->input.len - sent < PACKET_MAX ? s->input.len - sent : PACKET_MAX;
        if (send(s->fd, s->input.data + sent, n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            sent += n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            sent = s->input.len; /* conmon is going: nobody will read it */
    }
    buf_drop_front(&s->input, sent);
    if (s->input_ended && !s->input.len)
        (void)shutdown(s->fd, SHUT_WR);
    remote_pause_stdin(s->remote, s->input.len > PENDING_MAX);
    update_poll(s);
}

static void on_stdin(void *arg, const void *bytes, size_t len)
{
    struct session *s = arg;
    if (s->fd < 0 || !s->has_stdin)
        return;
    buf_add(&s->input, bytes, len);
    s->input_ended |= !len;
    write_packets(s);
}

static void on_socket(uv_poll_t *w, int status, int events)
{
    struct session *s = w->data;
    if (events & UV_WRITABLE)
        write_packets(s);
    if (status < 0 || events & UV_READABLE)
        for (int i = 0; i < PACKETS_AT_ONCE && read_packet(s); i++)
            ;
}

static void on_resize(void *arg, int columns, int rows)
{
    struct session *s = arg;
    char line[32];
    int len = snprintf(line, sizeof(line), "1 %d %d\n", rows, columns);
    _cleanup_free_ char *path = xasprintf("%s/ctl", s->bundle);
    _cleanup_close_ int fd = s->has_tty ? open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    if (fd >= 0 && write(fd, line, (size_t)len) < 0)
        return; /* conmon is going: so is the terminal */
}

/* --- start --- */

/* The path is too long for a socket's address; one through our own descriptors is not. */
static int connect_socket(const char *bundle, struct err *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    _cleanup_close_ int dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/attach", dir);
    if (dir < 0 || fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return err_set(err, errno, "connect to the container's monitor");
    return TAKE_FD(fd);
}

static uv_poll_t *poll_make(struct session *s, int fd)
{
    uv_poll_t *w = NEW(uv_poll_t);
    uv_poll_init(s->loop, w, fd);
    w->data = s;
    return w;
}

static int start(struct session *s, struct err *err)
{
    s->fd = connect_socket(s->bundle, err);
    if (s->fd < 0)
        return -1;
    s->poll = poll_make(s, s->fd);
    update_poll(s);
    s->end_poll = poll_make(s, s->pidfd);
    uv_poll_start(s->end_poll, UV_READABLE, on_container_end);
    return 0;
}

static void on_ready(void *arg)
{
    struct session *s = arg;
    struct err err = {0};
    if (start(s, &err) < 0)
        finish(s, err.msg);
}

static void on_closed(void *arg)
{
    struct session *s = arg;
    s->remote = NULL;
    session_free(s);
}

static void refuse(struct http_exchange *x, int code, const char *text)
{
    http_reply(x, code, "text/plain; charset=utf-8", text, strlen(text));
}

void attach_serve(struct agent *a, struct http_exchange *x, struct pod *p, const char *container)
{
    static const struct remote_handler handler = {
        .ready = on_ready, .stdin_data = on_stdin, .resize = on_resize, .drained = on_drained, .closed = on_closed};
    struct container *c = pod_container(p, container);
    if (c->f.state != CONTAINER_RUNNING || c->pidfd < 0 || sessions >= SESSIONS_MAX) {
        bool full = sessions >= SESSIONS_MAX;
        refuse(x, full ? 429 : 400, full ? "too many attach sessions" : "container not running");
        return;
    }
    _cleanup_json_ json_t *doc = pod_json(p);
    const json_t *spec = find_container(doc, container);
    struct session *s = NEW(struct session);
    *s = (struct session){.loop = a->loop,
                          .bundle = record_dir(&a->paths, p->uid, c->f.cid),
                          .has_stdin = jbool(spec, "stdin", false),
                          .has_tty = jbool(spec, "tty", false),
                          .fd = -1,
                          .pidfd = fcntl(c->pidfd, F_DUPFD_CLOEXEC, 0),
                          .options = remote_options_of(http_query(x))};
    sessions++;
    s->remote = remote_accept(x, &s->options, &handler, s);
    if (!s->remote)
        session_free(s);
}
