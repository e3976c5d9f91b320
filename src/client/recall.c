/* See recall.h. The file: a line that says what follows, then an object a line, as it came. */
#define LOG_AREA "recall"
#include "client/recall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "kinds/kind.h"

#define FORMAT "c8s-recall 1"
#define SIZE_MAX_BYTES (64 << 20) /* ten thousand Services with ten endpoints each are a third of it */
#define PAUSE_MS 5000             /* between a change and its being written */
#define BYTES_PER_MS 100          /* on the average, so that flash memory lasts: 20 MB every 200 s */
#define MODE 0600

/* Objects on their way to the disk; belongs to the worker until it is done. */
struct job {
    uv_work_t work;
    struct recall *recall; /* NULL: nobody waits any more */
    const struct kind *kind;
    char *path;
    struct object **objects;
    size_t n, size;
    struct err err;
    bool failed;
};

struct recall {
    struct informer *informer;
    uv_timer_t timer;
    char *path;
    struct job *job; /* NULL: nothing is being written */
    bool dirty, found, complained;
};

/* --- writing --- */

static struct job *gather(struct recall *r)
{
    struct job *j = NEW(struct job);
    void *cursor = NULL;
    *j = (struct job){.recall = r, .kind = informer_kind(r->informer), .path = xstrdup(r->path)};
    j->work.data = j;
    j->objects = xcalloc(informer_count(r->informer) + 1, sizeof(*j->objects));
    for (struct object *o; (o = informer_next(r->informer, NULL, &cursor)); j->size += o->len + 1)
        j->objects[j->n++] = object_ref(o);
    r->dirty = false;
    return j;
}

static void job_free(struct job *j)
{
    for (size_t i = 0; i < j->n; i++)
        object_unref(j->objects[i]);
    free(j->objects);
    free(j->path);
    free(j);
}

/* Not synced: whoever goes does not wait for the disk, and half a file is found out by its first line. */
static int replace_file(const char *path, const struct buf *text, struct err *err)
{
    _cleanup_free_ char *fresh = xasprintf("%s.new", path);
    _cleanup_close_ int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, MODE);
    size_t done = 0;
    if (fd < 0)
        return err_set(err, errno, "%s", fresh);
    while (done < text->len) {
        ssize_t n = write(fd, text->data + done, text->len - done);
        if (n < 0)
            return err_set(err, errno, "%s", fresh);
        done += (size_t)n;
    }
    return rename(fresh, path) < 0 ? err_set(err, errno, "%s", path) : 0;
}

/* Any thread. */
static void write_file(struct job *j)
{
    struct buf text = BUF_INIT(SIZE_MAX_BYTES);
    buf_addf(&text, FORMAT " %s %zu\n", j->kind->plural, j->n);
    for (size_t i = 0; i < j->n; i++) {
        buf_add(&text, j->objects[i]->bytes, j->objects[i]->len);
        buf_addc(&text, '\n');
    }
    j->failed = text.overflowed ? err_set(&j->err, 0, "%s: more than %d bytes", j->path, SIZE_MAX_BYTES) < 0
                                : replace_file(j->path, &text, &j->err) < 0;
    buf_done(&text);
}

static void on_work(uv_work_t *work)
{
    write_file(work->data);
}

static void write_later(struct recall *r, uint64_t ms);

static void complain(struct recall *r, const struct job *j)
{
    if (j->failed && !r->complained)
        log_warn("what is known will not be there after a restart: %s", j->err.msg);
    r->complained = j->failed;
}

static void on_written(uv_work_t *work, int status)
{
    struct job *j = work->data;
    struct recall *r = j->recall;
    (void)status;
    if (r) {
        complain(r, j);
        r->job = NULL;
        if (r->dirty)
            write_later(r, j->size / BYTES_PER_MS);
    }
    job_free(j);
}

static void on_timer(uv_timer_t *t)
{
    struct recall *r = t->data;
    r->job = gather(r);
    uv_queue_work(t->loop, &r->job->work, on_work, on_written);
}

static void write_later(struct recall *r, uint64_t ms)
{
    uv_timer_start(&r->timer, on_timer, ms > PAUSE_MS ? ms : PAUSE_MS, 0);
}

/* Only a whole list is worth keeping. */
static void on_progress(void *arg)
{
    struct recall *r = arg;
    if (r->dirty && informer_synced(r->informer) && !r->job && !uv_is_active((uv_handle_t *)&r->timer))
        write_later(r, 0);
}

static void on_synced(void *arg)
{
    struct recall *r = arg;
    r->dirty |= !r->found; /* an empty list is news as well */
    on_progress(arg);
}

static void on_change(void *arg, struct object *old, struct object *obj)
{
    struct recall *r = arg;
    (void)old;
    (void)obj;
    r->dirty = true;
}

/* --- reading --- */

/* All of it or nothing: a list with gaps would deny what is there. */
static struct object **parse(const struct kind *kind, char *text, size_t *ret_n)
{
    size_t want = 0, n = 0;
    char plural[64];
    char *line = strchr(text, '\n');
    *ret_n = 0;
    if (!line || sscanf(text, FORMAT " %63s %zu", plural, &want) != 2 || !streq(plural, kind->plural) ||
        want > SIZE_MAX_BYTES)
        return NULL;
    struct object **objects = xcalloc(want + 1, sizeof(*objects));
    for (char *end; n < want && (end = strchr(++line, '\n')); line = end) {
        objects[n] = object_from_bytes(kind, line, (size_t)(end - line));
        if (!objects[n])
            break;
        n++;
    }
    *ret_n = n;
    if (n == want)
        return objects;
    for (size_t i = 0; i < n; i++)
        object_unref(objects[i]);
    free(objects);
    return NULL;
}

static void read_file(struct recall *r)
{
    struct err ignored;
    size_t n;
    _cleanup_free_ char *text = file_read(r->path, SIZE_MAX_BYTES + 1, NULL, &ignored);
    struct object **objects = text ? parse(informer_kind(r->informer), text, &n) : NULL;
    if (!objects)
        return;
    r->found = true;
    for (size_t i = 0; i < n; i++) {
        informer_recall(r->informer, objects[i]);
        object_unref(objects[i]);
    }
    free(objects);
}

/* --- life --- */

struct recall *recall_new(struct informer *i, const char *folder, const char *name)
{
    struct recall *r = NEW(struct recall);
    *r = (struct recall){.informer = i, .path = xasprintf("%s/%s", folder, name)};
    uv_timer_init(informer_loop(i), &r->timer);
    r->timer.data = r;
    read_file(r);
    informer_on_change(i, on_change, r);
    r->dirty = false; /* what was recalled is no news */
    informer_on_progress(i, on_progress, r);
    informer_on_synced(i, on_synced, r);
    return r;
}

bool recall_found(const struct recall *r)
{
    return r->found;
}

static void on_closed(uv_handle_t *handle)
{
    struct recall *r = handle->data;
    free(r->path);
    free(r);
}

void recall_free(struct recall *r)
{
    if (!r)
        return;
    if (r->job) {
        r->job->recall = NULL;
    } else if (r->dirty && informer_synced(r->informer)) {
        struct job *j = gather(r);
        write_file(j);
        job_free(j);
    }
    uv_close((uv_handle_t *)&r->timer, on_closed);
}
