/* See haproxy.h. The listening sockets outlive it and its reloads, so no connection is refused; while a new worker
 * takes over, the socket may still lead to the old one, which is why the generation is asked for. setpriv has
 * the kernel end the master when we die. */
#include "ingress/haproxy.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_AREA "ingress"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/netns.h"
#include "base/str.h"

#define PROBE_MS 20
#define ANSWER_MS_MAX 2000 /* a worker that goes may take a connection and never answer it */
#define LOAD_MS_MAX 15000  /* thousands of certificates take seconds */
#define RESTART_MS_FIRST 100
#define RESTART_MS_MAX 10000
#define STEADY_MS 30000 /* after so long, the next death counts as the first */
#define STOP_MS 3000
#define ANSWER_MAX (64 << 10) /* `show info` is 4 KiB */
#define COMMANDS_MAX 8000     /* a batch: half of the buffer in which HAProxy reads commands */
#define QUEUE_MAX (16 << 20)  /* 100,000 changes; more is a reload */

/* One connection to the socket: a line of commands, the answer, the end. */
struct ask {
    uv_pipe_t pipe;
    uv_connect_t connect;
    uv_write_t write;
    struct haproxy *haproxy;
    char *line;
    struct buf answer;
    char chunk[4096];
    void (*done)(struct haproxy *h, const char *answer); /* NULL answer: no connection */
    int64_t started_ms;
    bool failed;
};

struct haproxy {
    uv_loop_t *loop;
    struct haproxy_config config;
    uv_process_t process;
    uv_timer_t timer; /* the next probe, the restart, or the end of patience */
    uv_pipe_t errors;
    char error_text[4096];
    struct ask *ask;
    struct buf queue; /* commands not sent yet */
    unsigned long generation;
    int64_t started_ms, deadline_ms;
    unsigned restart_ms;
    int handles; /* open; freed with the last */
    bool running, loading, stopping;
};

static void on_probe_due(uv_timer_t *t);
static void send_queue(struct haproxy *h);

static const char *binary(void)
{
    static const char *const places[] = {"/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

bool haproxy_installed(void)
{
    return binary() != NULL;
}

static void release(struct haproxy *h)
{
    if (--h->handles > 0)
        return;
    buf_done(&h->queue);
    h->config.gone(h->config.arg);
    free(h);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

/* --- the socket --- */

static void on_ask_closed(uv_handle_t *handle)
{
    struct ask *a = handle->data;
    struct haproxy *h = a->haproxy;
    if (h->ask == a) {
        h->ask = NULL;
        if (!h->stopping)
            a->done(h, a->failed ? NULL : buf_str(&a->answer));
    }
    buf_done(&a->answer);
    free(a->line);
    free(a);
    release(h);
}

static void end_ask(struct ask *a, bool failed)
{
    a->failed |= failed;
    if (!uv_is_closing((uv_handle_t *)&a->pipe))
        uv_close((uv_handle_t *)&a->pipe, on_ask_closed);
}

static void on_chunk_wanted(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct ask *a = handle->data;
    (void)size;
    *buf = uv_buf_init(a->chunk, sizeof(a->chunk));
}

static void on_answer(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct ask *a = s->data;
    if (n < 0)
        end_ask(a, n != UV_EOF);
    else
        buf_add(&a->answer, buf->base, (size_t)n);
}

static void on_written(uv_write_t *w, int status)
{
    struct ask *a = w->data;
    if (status < 0)
        end_ask(a, true);
}

static void on_connected(uv_connect_t *c, int status)
{
    struct ask *a = c->data;
    uv_buf_t line = uv_buf_init(a->line, (unsigned)strlen(a->line));
    if (status < 0 || uv_is_closing((uv_handle_t *)&a->pipe)) {
        end_ask(a, true);
        return;
    }
    a->write.data = a;
    if (uv_read_start((uv_stream_t *)&a->pipe, on_chunk_wanted, on_answer) < 0 ||
        uv_write(&a->write, (uv_stream_t *)&a->pipe, &line, 1, on_written) < 0)
        end_ask(a, true);
}

static void ask(struct haproxy *h, char *line_take, void (*done)(struct haproxy *h, const char *answer))
{
    struct ask *a = NEW(struct ask);
    *a = (struct ask){
        .haproxy = h, .line = line_take, .answer = BUF_INIT(ANSWER_MAX), .started_ms = clock_mono_ms(), .done = done};
    uv_pipe_init(h->loop, &a->pipe, 0);
    a->pipe.data = a->connect.data = a;
    h->handles++;
    h->ask = a;
    uv_pipe_connect(&a->connect, &a->pipe, h->config.socket_path, on_connected);
}

/* --- loading --- */

static void on_info(struct haproxy *h, const char *answer);

static void probe(struct haproxy *h)
{
    ask(h, xstrdup("show info\n"), on_info);
}

/* Asks, and ends what is not answered. */
static void on_probe_due(uv_timer_t *t)
{
    struct haproxy *h = t->data;
    if (h->ask && clock_mono_ms() - h->ask->started_ms > ANSWER_MS_MAX)
        end_ask(h->ask, true);
    if (!h->ask && h->loading)
        probe(h);
    if (h->ask)
        uv_timer_start(t, on_probe_due, PROBE_MS, 0);
}

/* A worker answers some time before its master, and until then the master is deaf to the signal for the next load. */
static bool master_listens(const struct haproxy *h)
{
    char path[64];
    struct err err;
    snprintf(path, sizeof(path), "/proc/%d/status", h->process.pid);
    _cleanup_free_ char *text = file_read(path, 65536, NULL, &err);
    const char *caught = text ? strstr(text, "\nSigCgt:\t") : NULL;
    return caught && strtoull(strchr(caught, '\t'), NULL, 16) >> (SIGUSR2 - 1) & 1;
}

static void on_info(struct haproxy *h, const char *answer)
{
    char wanted[64];
    if (!h->loading)
        return;
    snprintf(wanted, sizeof(wanted), "description: generation-%lu\n", h->generation);
    bool there = answer && strstr(answer, wanted) && master_listens(h);
    if (!there && clock_mono_ms() < h->deadline_ms) {
        uv_timer_start(&h->timer, on_probe_due, PROBE_MS, 0);
        return;
    }
    h->loading = false;
    h->config.loaded(h->config.arg, there);
    send_queue(h);
}

/* --- the process --- */

static void on_restart_due(uv_timer_t *t)
{
    struct haproxy *h = t->data;
    h->config.died(h->config.arg);
}

static void later(struct haproxy *h)
{
    if (clock_mono_ms() - h->started_ms > STEADY_MS)
        h->restart_ms = 0;
    h->restart_ms = h->restart_ms ? h->restart_ms * 2 : RESTART_MS_FIRST;
    if (h->restart_ms > RESTART_MS_MAX)
        h->restart_ms = RESTART_MS_MAX;
    h->loading = false;
    buf_clear(&h->queue);
    uv_timer_start(&h->timer, on_restart_due, h->restart_ms, 0);
}

static void on_ended(uv_process_t *process, int64_t code, int signal)
{
    struct haproxy *h = process->data;
    h->running = false;
    if (!uv_is_closing((uv_handle_t *)&h->errors))
        uv_close((uv_handle_t *)&h->errors, on_closed);
    uv_close((uv_handle_t *)process, on_closed);
    if (h->stopping) {
        uv_close((uv_handle_t *)&h->timer, on_closed);
        return;
    }
    log_error("HAProxy ended (code %lld, signal %d); it is started again", (long long)code, signal);
    later(h);
}

static void on_error_wanted(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct haproxy *h = handle->data;
    (void)size;
    *buf = uv_buf_init(h->error_text, sizeof(h->error_text) - 1);
}

static void on_error_text(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct haproxy *h = s->data;
    if (n < 0) {
        uv_read_stop(s);
        return;
    }
    h->error_text[n] = '\0';
    (void)buf;
    for (char *line = h->error_text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        log_write(strstr(line, "[ALERT]") ? LOG_WARN : LOG_DEBUG, LOG_AREA, "HAProxy: %s", line);
    }
}

static int start(struct haproxy *h)
{
    const char *program = binary();
    char *argv[] = {
        "setpriv", "--pdeathsig", "TERM", (char *)str_or(program, "haproxy"), "-W", "-f", (char *)h->config.config_path,
        NULL};
    _cleanup_free_ uv_stdio_container_t *stdio = xcalloc(3 + h->config.n_fds, sizeof(*stdio));
    uv_process_options_t options = {
        .exit_cb = on_ended, .file = argv[0], .args = argv, .stdio = stdio, .stdio_count = 3 + (int)h->config.n_fds};
    stdio[0].flags = stdio[1].flags = UV_IGNORE;
    stdio[2].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    for (size_t i = 0; i < h->config.n_fds; i++) {
        stdio[3 + i].flags = UV_INHERIT_FD;
        stdio[3 + i].data.fd = h->config.fds[i];
    }
    uv_pipe_init(h->loop, &h->errors, 0);
    stdio[2].data.stream = (uv_stream_t *)&h->errors;
    NETNS_SCOPE(h->config.netns_fd);
    int result = uv_spawn(h->loop, &h->process, &options);
    h->process.data = h->errors.data = h;
    h->handles += 2;
    h->started_ms = clock_mono_ms();
    if (result == 0) {
        uv_read_start((uv_stream_t *)&h->errors, on_error_wanted, on_error_text);
        return 0;
    }
    uv_close((uv_handle_t *)&h->errors, on_closed);
    uv_close((uv_handle_t *)&h->process, on_closed);
    return result;
}

struct haproxy *haproxy_new(uv_loop_t *loop, const struct haproxy_config *config)
{
    struct haproxy *h = NEW(struct haproxy);
    *h = (struct haproxy){.loop = loop, .config = *config, .queue = BUF_INIT(QUEUE_MAX), .handles = 1};
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    return h;
}

void haproxy_load(struct haproxy *h, unsigned long generation)
{
    h->generation = generation;
    h->loading = true;
    h->deadline_ms = clock_mono_ms() + LOAD_MS_MAX;
    buf_clear(&h->queue);
    h->queue.overflowed = false;
    if (h->running) {
        uv_process_kill(&h->process, SIGUSR2);
    } else {
        int result = start(h);
        if (result < 0) {
            log_error("cannot start HAProxy: %s", uv_strerror(result));
            later(h);
            return;
        }
        h->running = true;
    }
    uv_timer_start(&h->timer, on_probe_due, PROBE_MS, 0);
}

/* --- commands --- */

static void on_told(struct haproxy *h, const char *answer)
{
    static const char *const refusals[] = {"No such", "Unknown command", "Invalid",  "Require", "error",
                                           "Error",   "Can't",           "nable to", "ailed",   "doesn't"};
    bool understood = answer != NULL;
    if (h->loading)
        return;
    for (size_t i = 0; i < ARRAY_LEN(refusals) && understood; i++)
        understood = !strstr(answer, refusals[i]);
    if (!understood && h->running) {
        log_warn("HAProxy did not take a change: %.200s", answer ? answer : "no connection");
        h->config.astray(h->config.arg);
    }
    send_queue(h);
}

/* How much of the queue is asked at once: one command with a payload, or as many without as fit. */
static size_t next_batch(const char *queue, bool *has_payload)
{
    size_t len = 0;
    for (const char *end; (end = strchr(queue + len, '\n'));) {
        size_t line = (size_t)(end + 1 - (queue + len));
        *has_payload = line > 2 && end[-1] == '<' && end[-2] == '<';
        if (*has_payload && !len) {
            const char *last = strstr(end, "\n\n");
            return last ? (size_t)(last + 2 - queue) : strlen(queue);
        }
        if (*has_payload || (len && len + line > COMMANDS_MAX))
            break;
        len += line;
    }
    *has_payload = false;
    return len;
}

static void send_queue(struct haproxy *h)
{
    bool has_payload;
    if (h->ask || h->loading || !h->running || h->stopping || !h->queue.len)
        return;
    size_t len = next_batch(buf_str(&h->queue), &has_payload);
    char *line = xstrndup(h->queue.data, len);
    buf_drop_front(&h->queue, len);
    for (char *c = line; !has_payload && *c; c++)
        if (*c == '\n' && c[1])
            *c = ';';
    ask(h, line, on_told);
    uv_timer_start(&h->timer, on_probe_due, ANSWER_MS_MAX + PROBE_MS, 0);
}

void haproxy_command(struct haproxy *h, const char *commands)
{
    buf_adds(&h->queue, commands);
    if (h->queue.overflowed) {
        h->config.astray(h->config.arg);
        return;
    }
    send_queue(h);
}

/* --- the end --- */

static void on_stop_late(uv_timer_t *t)
{
    struct haproxy *h = t->data;
    if (h->running)
        uv_process_kill(&h->process, SIGKILL);
}

void haproxy_free(struct haproxy *h)
{
    h->stopping = true;
    if (h->ask)
        end_ask(h->ask, true);
    if (!h->running) {
        uv_close((uv_handle_t *)&h->timer, on_closed);
        return;
    }
    uv_process_kill(&h->process, SIGTERM);
    uv_timer_start(&h->timer, on_stop_late, STOP_MS, 0);
}
