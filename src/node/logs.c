/* GET /containerLogs/NS/POD/CONTAINER: a container's log file, turned to what the reader asked for, and followed. */
#define LOG_AREA "node"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/crilog.h"
#include "node/launch.h"
#include "node/pod.h"

#define CHUNK (64 << 10)
#define PENDING_MAX (256 << 10) /* bytes a slow reader may have waiting */
#define OUTPUT_MAX (2 * CHUNK + CRILOG_LINE_MAX)

struct follower {
    struct list link; /* in the agent */
    struct http_exchange *exchange;
    struct pod *pod;
    char *container, *path;
    int attempt, fd;
    bool follow, replaced; /* replaced: there is a newer file; what came before it is read to its end first */
    struct crilog_reader reader;
    uv_fs_event_t *watch; /* on the folder: a log that grew too large is replaced */
};

static void follower_free(struct follower *f)
{
    list_remove(&f->link);
    handle_free((uv_handle_t *)f->watch);
    if (f->fd >= 0)
        close(f->fd);
    crilog_done(&f->reader);
    pod_unref(f->pod);
    free(f->container);
    free(f->path);
    free(f);
}

static void on_gone(void *arg)
{
    follower_free(arg);
}

/* Is there more to come? */
static bool is_alive(const struct follower *f)
{
    const struct container *c = f->pod->dead ? NULL : pod_container(f->pod, f->container);
    return c && c->f.restart_count == f->attempt && c->f.state == CONTAINER_RUNNING;
}

/* Is there more to read: the rest of a file that has been put aside, then the one that has taken its place? */
static bool go_on(struct follower *f)
{
    struct stat here, there;
    if (fstat(f->fd, &here) < 0 || stat(f->path, &there) < 0 || here.st_ino == there.st_ino)
        return false;
    if (!f->replaced) /* conmon writes to the old one no more, but may have since it was last read */
        return f->replaced = true;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    close(f->fd);
    f->fd = fd;
    f->replaced = false;
    return true;
}

static void pump(struct follower *f)
{
    char chunk[CHUNK];
    struct buf out = BUF_INIT(OUTPUT_MAX);
    /* Asked before reading: what a container wrote before it ended is in the file by then. */
    bool alive = f->follow && is_alive(f), over = false;
    while (!over && http_stream_pending(f->exchange) < PENDING_MAX) {
        ssize_t n = read(f->fd, chunk, sizeof(chunk));
        if (n > 0) {
            crilog_feed(&f->reader, chunk, (size_t)n, &out);
            if (out.len > 0)
                http_stream_write(f->exchange, out.data, out.len);
            buf_clear(&out);
            over = crilog_full(&f->reader);
        } else if (n < 0 || !go_on(f)) {
            over = !alive;
            break;
        }
    }
    buf_done(&out);
    if (!over)
        return;
    http_stream_end(f->exchange);
    follower_free(f);
}

static void on_drained(void *arg)
{
    pump(arg);
}

static void on_folder(uv_fs_event_t *w, const char *file, int events, int status)
{
    (void)file, (void)events, (void)status;
    pump(w->data);
}

void logs_wake(struct agent *a)
{
    LIST_EACH(it, &a->followers)
        pump(container_of(it, struct follower, link));
}

/* --- the request --- */

static void refuse(struct http_exchange *x, int code, const char *text)
{
    http_reply(x, code, "text/plain; charset=utf-8", text, strlen(text));
}

static int64_t query_number(const struct http_exchange *x, const char *name)
{
    _cleanup_free_ char *value = query_get(http_query(x), name, 0);
    int64_t number;
    return value && str_to_i64(value, 0, INT64_MAX / 2000000, &number) ? number : -1;
}

static struct crilog_options read_options(const struct http_exchange *x)
{
    int64_t seconds = query_number(x, "sinceSeconds");
    _cleanup_free_ char *since = query_get(http_query(x), "sinceTime", 0);
    struct crilog_options o = {.timestamps = query_bool(http_query(x), "timestamps"),
                               .limit_bytes = query_number(x, "limitBytes")};
    if (seconds >= 0)
        o.since_usec = clock_wall_usec() - seconds * 1000000;
    else if (since)
        (void)time_parse(since, &o.since_usec);
    return o;
}

/* Places the file where its last n lines begin. */
static void seek_tail(int fd, int64_t n)
{
    struct stat st;
    int64_t found;
    if (fstat(fd, &st) < 0 || st.st_size == 0)
        return;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return;
    size_t len = crilog_tail(map, (size_t)st.st_size, n, &found);
    munmap(map, (size_t)st.st_size);
    (void)lseek(fd, st.st_size - (off_t)len, SEEK_SET);
}

/* Which attempt's log is asked for; -1: it has none, *ret_why says so (the caller frees). */
static int choose_attempt(const struct container *c, bool previous, char **ret_why)
{
    const struct pod *p = c->pod;
    if (previous && c->f.restart_count == 0)
        *ret_why = xasprintf("previous terminated container \"%s\" in pod \"%s\" not found", c->f.name, p->name);
    else if (!c->f.cid[0] && c->f.state == CONTAINER_WAITING)
        *ret_why = xasprintf("container \"%s\" in pod \"%s\" is waiting to start: %s", c->f.name, p->name,
                             str_or(c->f.waiting_reason, "ContainerCreating"));
    else
        return c->f.restart_count - (previous ? 1 : 0);
    return -1;
}

void logs_serve(struct agent *a, struct http_exchange *x, struct pod *p, const char *container)
{
    static const char follow_name[] = "follow", previous_name[] = "previous";
    struct container *c = pod_container(p, container);
    _cleanup_free_ char *why = NULL;
    int attempt = choose_attempt(c, query_bool(http_query(x), previous_name), &why);
    if (attempt < 0) {
        refuse(x, 400, why);
        return;
    }
    struct follower *f = NEW(struct follower);
    struct crilog_options o = read_options(x);
    int64_t tail = query_number(x, "tailLines");
    *f = (struct follower){.exchange = x,
                           .pod = pod_ref(p),
                           .container = xstrdup(container),
                           .path = launch_log_path(&a->paths, p->uid, container, attempt),
                           .attempt = attempt,
                           .follow = query_bool(http_query(x), follow_name)};
    list_append(&a->followers, &f->link);
    crilog_init(&f->reader, &o);
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0) {
        _cleanup_free_ char *text = xasprintf("open log of container %s: %s", container, strerror(errno));
        refuse(x, 404, text);
        follower_free(f);
        return;
    }
    if (tail >= 0)
        seek_tail(f->fd, tail);
    if (f->follow) {
        _cleanup_free_ char *folder = xstrdup(f->path);
        *strrchr(folder, '/') = '\0';
        f->watch = NEW(uv_fs_event_t);
        uv_fs_event_init(a->loop, f->watch);
        f->watch->data = f;
        (void)uv_fs_event_start(f->watch, on_folder, folder, 0);
    }
    http_stream_start(x, 200, "text/plain");
    http_on_gone(x, on_gone, f);
    http_on_drained(x, on_drained, f);
    pump(f);
}
