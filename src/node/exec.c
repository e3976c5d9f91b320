/* /exec/NS/POD/CONTAINER: a command in a container, its streams joined with those of a `kubectl exec`. Without a
 * terminal they are pipes; with one, the runtime makes it inside the container and sends us its other end through a
 * socket. */
#define LOG_AREA "node"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "http/remotecommand.h"
#include "node/agent_impl.h"
#include "node/command.h"
#include "node/pod.h"
#include "node/record.h"

#define ARGS_MAX 1024         /* words of one command */
#define PENDING_MAX (1 << 20) /* bytes waiting for a slow side before the other is paused */
#define READ_SIZE (32 << 10)
#define DRAIN_MS 100     /* output of a process that has ended; children it left may keep the pipes open */
#define WAIT_MS 10       /* between a program and its pid file lie microseconds */
#define SESSIONS_MAX 256 /* each holds a few descriptors and a process */

struct stream {
    struct session *session;
    uv_pipe_t *pipe; /* NULL: closed */
    bool is_stderr;
};

struct session {
    struct agent *agent;
    struct pod *pod;
    struct container *container;
    char cid[CID_SIZE];
    struct remote_streams *remote; /* NULL: the client is gone */
    struct remote_options options;
    json_t *args;
    struct command command;
    pid_t pid;
    uv_poll_t *exit_poll, *console_poll;
    int pidfd, listen_fd, console_fd;
    char *socket_path;
    struct stream in, out, err;
    int columns, rows;
    uv_timer_t *drain;
    bool paused, read_since, input_ended;
    bool started;      /* the program has said something */
    bool complained;   /* it could not be started, and that has been told */
    struct buf unsure; /* from stderr: the program's first words, or the runtime's own complaint */
    uv_timer_t *wait;  /* for an answer to that */
    int exit_code;     /* < 0 while it runs */
    char buffer[READ_SIZE];
};

static int sessions; /* of all agents in this process */

/* --- the end --- */

static void close_stream(struct stream *s)
{
    if (s->pipe) {
        s->pipe->data = NULL;
        handle_free((uv_handle_t *)s->pipe);
    }
    s->pipe = NULL;
}

static void session_free(struct session *s)
{
    close_stream(&s->in);
    close_stream(&s->out);
    close_stream(&s->err);
    handle_free((uv_handle_t *)s->exit_poll);
    handle_free((uv_handle_t *)s->console_poll);
    handle_free((uv_handle_t *)s->drain);
    handle_free((uv_handle_t *)s->wait);
    if (s->pidfd >= 0)
        close(s->pidfd);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    if (s->socket_path)
        (void)unlink(s->socket_path);
    command_done(&s->command);
    buf_done(&s->unsure);
    free(s->socket_path);
    json_decref(s->args);
    pod_unref(s->pod);
    free(s);
    sessions--;
}

static void finish(struct session *s, int exit_code, const char *message)
{
    if (s->remote)
        remote_finish(s->remote, exit_code, message);
    session_free(s);
}

static void on_drain(uv_timer_t *t)
{
    struct session *s = t->data;
    if (s->paused || s->read_since) {
        s->read_since = false;
        uv_timer_start(s->drain, on_drain, DRAIN_MS, 0);
        return;
    }
    finish(s, s->exit_code, NULL);
}

/* Everything said and done? */
static void check_end(struct session *s)
{
    if (s->exit_code < 0)
        return;
    if ((!s->out.pipe && !s->err.pipe) || !s->remote)
        finish(s, s->exit_code, NULL);
    else if (!uv_is_active((uv_handle_t *)s->drain))
        uv_timer_start(s->drain, on_drain, DRAIN_MS, 0);
}

/* The program runs, or has: what was held back is its own. */
static void tell_unsure(struct session *s)
{
    s->started = true;
    uv_timer_stop(s->wait);
    if (s->unsure.len && s->remote)
        remote_stderr(s->remote, s->unsure.data, s->unsure.len);
    buf_done(&s->unsure);
}

static void on_wait(uv_timer_t *t)
{
    struct session *s = t->data;
    if (command_has_started(&s->command))
        tell_unsure(s);
    else
        uv_timer_start(t, on_wait, WAIT_MS, 0);
}

/* A runtime that cannot start the program says so on its stderr, which is the program's too; we say it as upstream's
 * runtimes do. */
static bool hold_back(struct session *s, const char *bytes, size_t len)
{
    if (s->started || command_has_started(&s->command) || s->unsure.len + len > READ_SIZE)
        return false;
    buf_add(&s->unsure, bytes, len);
    uv_timer_start(s->wait, on_wait, WAIT_MS, 0);
    return true;
}

/* The runtime's own words belong to the output, as with upstream's runtimes. */
static void tell_complaint(struct session *s)
{
    const char *program = str_or(json_string_value(json_array_get(s->args, 0)), "");
    _cleanup_free_ char *text = s->exit_code ? command_complaint(&s->command, program, &s->exit_code) : NULL;
    s->complained = text && !s->started;
    if (!s->complained)
        tell_unsure(s);
    if (!text || !s->remote)
        return;
    if (s->options.want_stderr && !s->options.tty)
        remote_stderr(s->remote, text, strlen(text));
    else
        remote_stdout(s->remote, text, strlen(text));
}

static void on_exit_ready(uv_poll_t *w, int status, int events)
{
    struct session *s = w->data;
    (void)status, (void)events;
    uv_poll_stop(w);
    s->exit_code = spawn_wait(s->pid);
    tell_complaint(s);
    close_stream(&s->in);
    check_end(s);
}

/* --- output --- */

static void give_buffer(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct stream *st = h->data;
    (void)suggested;
    *buf = uv_buf_init(st->session->buffer, READ_SIZE);
}

static void on_output(uv_stream_t *h, ssize_t n, const uv_buf_t *buf);

static void read_output(struct stream *s, bool on)
{
    if (s->pipe && on)
        uv_read_start((uv_stream_t *)s->pipe, give_buffer, on_output);
    else if (s->pipe)
        uv_read_stop((uv_stream_t *)s->pipe);
}

static void pause_output(struct session *s, bool paused)
{
    if (s->paused == paused)
        return;
    s->paused = paused;
    read_output(&s->out, !paused);
    read_output(&s->err, !paused);
}

static void on_output(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct stream *st = h->data;
    struct session *s = st->session;
    if (n < 0) { /* the end; of a terminal it is EIO */
        close_stream(st);
        check_end(s);
        return;
    }
    s->read_since = true;
    if (n == 0 || !s->remote || (st->is_stderr && (s->complained || hold_back(s, buf->base, (size_t)n))))
        return;
    tell_unsure(s);
    if (st->is_stderr)
        remote_stderr(s->remote, buf->base, (size_t)n);
    else
        remote_stdout(s->remote, buf->base, (size_t)n);
    if (remote_pending(s->remote) > PENDING_MAX)
        pause_output(s, true);
}

static void on_drained(void *arg)
{
    pause_output(arg, false);
}

/* --- input --- */

struct input {
    uv_write_t req;
    struct session *session;
    char bytes[];
};

static size_t input_pending(const struct session *s)
{
    const struct stream *to = s->options.tty ? &s->out : &s->in;
    return to->pipe ? uv_stream_get_write_queue_size((uv_stream_t *)to->pipe) : 0;
}

static void on_written(uv_write_t *req, int status)
{
    struct input *i = req->data;
    struct session *s = i->session;
    free(i);
    if (status == UV_ECANCELED) /* the session may be gone */
        return;
    if (s->remote && input_pending(s) <= PENDING_MAX)
        remote_pause_stdin(s->remote, false);
    if (s->input_ended && !input_pending(s))
        close_stream(&s->in);
}

static void on_stdin(void *arg, const void *bytes, size_t len)
{
    struct session *s = arg;
    struct stream *to = s->options.tty ? &s->out : &s->in;
    if (len == 0 && !s->options.tty) {
        s->input_ended = true; /* what is queued still reaches the command */
        if (!input_pending(s))
            close_stream(&s->in);
        return;
    }
    if (!to->pipe || len == 0)
        return;
    struct input *i = xmalloc(sizeof(*i) + len);
    i->session = s;
    i->req.data = i;
    memcpy(i->bytes, bytes, len);
    uv_buf_t buf = uv_buf_init(i->bytes, (unsigned)len);
    if (uv_write(&i->req, (uv_stream_t *)to->pipe, &buf, 1, on_written) < 0) {
        free(i);
        return;
    }
    if (input_pending(s) > PENDING_MAX)
        remote_pause_stdin(s->remote, true);
}

static void on_resize(void *arg, int columns, int rows)
{
    struct session *s = arg;
    struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
    s->columns = columns;
    s->rows = rows;
    if (s->console_fd >= 0)
        (void)ioctl(s->console_fd, TIOCSWINSZ, &size);
}

/* --- start --- */

static uv_pipe_t *open_pipe(struct session *s, struct stream *st, int fd)
{
    st->session = s;
    st->pipe = NEW(uv_pipe_t);
    uv_pipe_init(s->agent->loop, st->pipe, 0);
    st->pipe->data = st;
    if (uv_pipe_open(st->pipe, fd) < 0) {
        close(fd);
        close_stream(st);
    }
    return st->pipe;
}

/* The terminal's other end arrives as a message. */
static int receive_fd(int socket)
{
    char byte;
    struct iovec iov = {&byte, 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC) < 0)
        return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    int fd = -1;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

static void on_console(uv_poll_t *w, int status, int events)
{
    struct session *s = w->data;
    (void)status, (void)events;
    _cleanup_close_ int peer = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    struct timeval limit = {.tv_sec = 1}; /* the runtime sends right after it has connected */
    if (peer < 0 || setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
        return;
    int fd = receive_fd(peer);
    if (fd < 0)
        return;
    uv_poll_stop(w);
    s->console_fd = fd;
    if (s->columns)
        on_resize(s, s->columns, s->rows);
    if (open_pipe(s, &s->out, fd))
        read_output(&s->out, !s->paused);
    else
        s->console_fd = -1;
}

static int listen_console(struct session *s, struct err *err)
{
    static unsigned counter;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    s->socket_path = xasprintf("%s/tty-%u", s->agent->paths.run, counter++);
    if (strlen(s->socket_path) >= sizeof(to.sun_path))
        return err_set(err, ENAMETOOLONG, "console socket %s", s->socket_path);
    memcpy(to.sun_path, s->socket_path, strlen(s->socket_path) + 1);
    (void)unlink(s->socket_path);
    s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listen_fd < 0 || bind(s->listen_fd, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(s->listen_fd, 1) < 0)
        return err_set(err, errno, "console socket %s", s->socket_path);
    s->console_poll = NEW(uv_poll_t);
    uv_poll_init(s->agent->loop, s->console_poll, s->listen_fd);
    s->console_poll->data = s;
    return uv_poll_start(s->console_poll, UV_READABLE, on_console);
}

/* Both ends of the pipes; the child's are closed here once it has them. */
static int spawn_command(struct session *s, struct err *err)
{
    bool wanted[3] = {s->options.want_stdin && !s->options.tty, s->options.want_stdout && !s->options.tty,
                      s->options.want_stderr || s->options.tty}; /* with a terminal: the runtime's own complaints */
    int ours[3] = {-1, -1, -1}, theirs[3] = {0, 0, 0};
    for (int i = 0; i < 3; i++) {
        int ends[2];
        if (!wanted[i] || pipe2(ends, O_CLOEXEC) < 0)
            continue;
        ours[i] = i == 0 ? ends[1] : ends[0];
        theirs[i] = i == 0 ? ends[0] : ends[1];
    }
    struct spawn *sp = &s->command.spawn;
    sp->argv = s->command.argv;
    sp->stdin_fd = theirs[0];
    sp->stdout_fd = theirs[1];
    sp->stderr_fd = theirs[2];
    s->pid = spawn_start(sp, err);
    for (int i = 0; i < 3; i++) {
        if (theirs[i] > 0)
            close(theirs[i]);
        if (ours[i] >= 0 && s->pid < 0)
            close(ours[i]);
    }
    if (s->pid < 0)
        return -1;
    if (ours[0] >= 0)
        open_pipe(s, &s->in, ours[0]);
    if (ours[1] >= 0 && open_pipe(s, &s->out, ours[1]))
        read_output(&s->out, true);
    s->err.is_stderr = !s->options.tty;
    if (ours[2] >= 0 && open_pipe(s, &s->err, ours[2]))
        read_output(&s->err, true);
    return 0;
}

static int start(struct session *s, struct err *err)
{
    struct agent *a = s->agent;
    _cleanup_free_ char *bundle = record_dir(&a->paths, s->pod->uid, s->cid);
    if (s->options.tty && listen_console(s, err) < 0)
        return -1;
    if (command_init(&s->command, &a->rt, bundle, s->cid, s->args, s->options.tty, s->socket_path, err) < 0 ||
        spawn_command(s, err) < 0)
        return -1;
    s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
    s->exit_poll = NEW(uv_poll_t);
    uv_poll_init(a->loop, s->exit_poll, s->pidfd);
    s->exit_poll->data = s;
    return uv_poll_start(s->exit_poll, UV_READABLE, on_exit_ready);
}

static void on_ready(void *arg)
{
    struct session *s = arg;
    struct err err = {0};
    if (start(s, &err) < 0)
        finish(s, -1, err.msg);
}

/* The client has gone away: so must the command. */
static void on_closed(void *arg)
{
    struct session *s = arg;
    s->remote = NULL;
    if (s->pid <= 0) {
        session_free(s);
        return;
    }
    command_kill(&s->command);
    if (s->exit_code < 0)
        (void)kill(s->pid, SIGTERM);
    check_end(s);
}

/* --- the request --- */

static json_t *read_args(const struct http_exchange *x)
{
    json_t *args = json_array();
    char *word;
    for (size_t i = 0; i < ARGS_MAX && (word = query_get(http_query(x), "command", i)); i++) {
        json_array_append_new(args, json_string(word));
        free(word);
    }
    return args;
}

static void refuse(struct http_exchange *x, int code, const char *text)
{
    http_reply(x, code, "text/plain; charset=utf-8", text, strlen(text));
}

void exec_serve(struct agent *a, struct http_exchange *x, struct pod *p, const char *container)
{
    static const struct remote_handler handler = {
        .ready = on_ready, .stdin_data = on_stdin, .resize = on_resize, .drained = on_drained, .closed = on_closed};
    struct container *c = pod_container(p, container);
    json_t *args = read_args(x);
    const char *why = c->f.state != CONTAINER_RUNNING ? "container not running"
                      : json_array_size(args) == 0    ? "you must specify at least one command for the container"
                      : sessions >= SESSIONS_MAX      ? "too many exec sessions"
                                                      : NULL;
    if (why) {
        json_decref(args);
        refuse(x, sessions >= SESSIONS_MAX ? 429 : 400, why);
        return;
    }
    struct session *s = NEW(struct session);
    *s = (struct session){.agent = a,
                          .pod = pod_ref(p),
                          .container = c,
                          .args = args,
                          .pidfd = -1,
                          .listen_fd = -1,
                          .console_fd = -1,
                          .exit_code = -1,
                          .options = remote_options_of(http_query(x))};
    memcpy(s->cid, c->f.cid, sizeof(s->cid));
    s->drain = timer_make(a->loop, s);
    s->wait = timer_make(a->loop, s);
    sessions++;
    s->remote = remote_accept(x, &s->options, &handler, s);
    if (!s->remote)
        session_free(s);
}
