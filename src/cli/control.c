/* See control.h. */
#include "cli/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "cli/cluster.h"
#include "cli/commands.h"

#define SOCKET RUN_DIR "/control.sock"
#define LINE_SIZE 256 /* "node VERB NAME" */

struct control {
    uv_pipe_t pipe;
    struct cluster *cluster;
};

struct visit {
    uv_pipe_t pipe;
    uv_write_t write;
    struct cluster *cluster;
    char line[LINE_SIZE], answer[700];
    size_t len;
    bool asked;
};

static const struct {
    const char *verb;
    enum cluster_fault fault;
} verbs[] = {{"stop", FAULT_STOP},
             {"shutdown", FAULT_SHUTDOWN},
             {"start", FAULT_START},
             {"cut", FAULT_CUT},
             {"heal", FAULT_HEAL}};

static void on_visit_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_written(uv_write_t *w, int status)
{
    struct visit *v = w->data;
    (void)status;
    uv_close((uv_handle_t *)&v->pipe, on_visit_closed);
}

static void answer(void *arg, const struct err *why)
{
    struct visit *v = arg;
    snprintf(v->answer, sizeof(v->answer), "%s\n", why ? why->msg : "ok");
    uv_buf_t buf = uv_buf_init(v->answer, (unsigned)strlen(v->answer));
    v->write.data = v;
    if (uv_write(&v->write, (uv_stream_t *)&v->pipe, &buf, 1, on_written) < 0)
        uv_close((uv_handle_t *)&v->pipe, on_visit_closed);
}

static void obey(struct visit *v)
{
    struct err err;
    size_t n;
    _cleanup_free_ char **words = str_split(v->line, ' ', &n);
    v->asked = true;
    for (size_t i = 0; n == 3 && streq(words[0], "node") && i < ARRAY_LEN(verbs); i++)
        if (streq(words[1], verbs[i].verb)) {
            cluster_fault(v->cluster, verbs[i].fault, words[2], answer, v);
            return;
        }
    err_set(&err, 0, "not understood");
    answer(v, &err);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct visit *v = h->data;
    (void)suggested;
    *buf = uv_buf_init(v->line + v->len, (unsigned)(sizeof(v->line) - 1 - v->len));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct visit *v = s->data;
    (void)buf;
    if (n < 0) {
        uv_read_stop(s);
        if (!v->asked)
            uv_close((uv_handle_t *)s, on_visit_closed);
        return;
    }
    v->len += (size_t)n;
    char *end = memchr(v->line, '\n', v->len);
    if (!end)
        return;
    *end = '\0';
    uv_read_stop(s);
    obey(v);
}

static void on_connection(uv_stream_t *s, int status)
{
    struct control *c = s->data;
    struct visit *v = NEW(struct visit);
    v->cluster = c->cluster;
    v->pipe.data = v;
    uv_pipe_init(s->loop, &v->pipe, 0);
    if (status < 0 || uv_accept(s, (uv_stream_t *)&v->pipe) < 0 ||
        uv_read_start((uv_stream_t *)&v->pipe, on_alloc, on_read) < 0)
        uv_close((uv_handle_t *)&v->pipe, on_visit_closed);
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

struct control *control_listen(uv_loop_t *loop, struct cluster *cluster, struct err *err)
{
    struct control *c = NEW(struct control);
    c->cluster = cluster;
    c->pipe.data = c;
    uv_pipe_init(loop, &c->pipe, 0);
    (void)unlink(SOCKET); /* of a program that was killed; the lock is ours */
    mode_t mask = umask(0177);
    int r = uv_pipe_bind(&c->pipe, SOCKET);
    umask(mask);
    if (r == 0)
        r = uv_listen((uv_stream_t *)&c->pipe, 4, on_connection);
    if (r == 0)
        return c;
    err_set(err, -r, "control socket %s", SOCKET);
    uv_close((uv_handle_t *)&c->pipe, on_closed);
    return NULL;
}

void control_close(struct control *c)
{
    if (c)
        uv_close((uv_handle_t *)&c->pipe, on_closed);
}

/* --- asking --- */

int control_ask(const char *line, struct err *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = SOCKET};
    char answer_text[700] = "";
    size_t len = 0;
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return errno == ENOENT || errno == ECONNREFUSED ? err_set(err, 0, "no local cluster (`c8s up`) is running")
                                                        : err_set(err, errno, "%s", SOCKET);
    if (dprintf(fd, "%s\n", line) < 0)
        return err_set(err, errno, "%s", SOCKET);
    for (ssize_t n;
         len < sizeof(answer_text) - 1 && (n = read(fd, answer_text + len, sizeof(answer_text) - 1 - len)) > 0;)
        len += (size_t)n;
    answer_text[strcspn(answer_text, "\n")] = '\0';
    return streq(answer_text, "ok") ? 0 : err_set(err, 0, "%s", *answer_text ? answer_text : "no answer");
}
