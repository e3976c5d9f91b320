/* store: a child writes as fast as it can and reports over a pipe what was acknowledged; it is killed at random
 * moments. What it reported is in the database, nothing is half there, and the revision never goes back. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/rand.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "store/store.h"
#include "t.h"

enum { NAMES = 40, ROUNDS = 15, IN_FLIGHT = 50 };

/* What the child reports, in one atomic write to the pipe. */
struct report {
    uint64_t rv;
    int name;
    bool deleted;
};

static char path[96];

/* --- the child --- */

struct child_write {
    struct report report;
    int pipe_fd;
};

static uv_loop_t loop;
static struct store *s;
static int in_flight;

static void on_done(void *arg, const struct err *err)
{
    struct child_write *w = arg;
    if (err || write(w->pipe_fd, &w->report, sizeof(w->report)) != sizeof(w->report))
        _exit(2);
    free(w);
    in_flight--;
}

static struct object *make(int n, uint64_t rv)
{
    _cleanup_json_ json_t *doc = json_object();
    char name[16], rv_text[32], filler[2001];
    snprintf(name, sizeof(name), "n%02d", n);
    snprintf(rv_text, sizeof(rv_text), "%llu", (unsigned long long)rv);
    memset(filler, 'a' + (int)(rv % 26), sizeof(filler) - 1);
    filler[rv % sizeof(filler)] = '\0';
    jset_str(doc, "metadata.name", name);
    jset_str(doc, "metadata.namespace", "a");
    jset_str(doc, "metadata.resourceVersion", rv_text);
    jset_str(doc, "data.filler", filler);
    return object_new(&kind_configmap, doc);
}

static void write_for_ever(int pipe_fd)
{
    struct err err;
    uv_loop_init(&loop);
    s = store_open(&loop, path, &err);
    if (!s)
        _exit(1);
    for (;;) {
        while (in_flight < IN_FLIGHT) {
            struct child_write *w = NEW(struct child_write);
            *w = (struct child_write){{store_next_rv(s), (int)rand_below(NAMES), rand_below(4) == 0}, pipe_fd};
            _cleanup_object_ struct object *o = make(w->report.name, w->report.rv);
            (w->report.deleted ? store_delete : store_put)(s, o, on_done, w);
            in_flight++;
        }
        uv_run(&loop, UV_RUN_ONCE);
    }
}

/* --- the parent --- */

/* Reads reports into last[] until the child is dead; after a random number of them, kills it. Returns how many came. */
static int follow(pid_t child, int fd, struct report last[NAMES])
{
    int n = 0, kill_at = 1 + (int)rand_below(3000);
    struct report r;
    while (read(fd, &r, sizeof(r)) == sizeof(r)) {
        last[r.name] = r;
        if (++n == kill_at)
            kill(child, SIGKILL);
    }
    return n;
}

struct check {
    const struct report *last;
    uint64_t acknowledged;
};

static void check_name(int n, const struct object *o, const struct check *c)
{
    const struct report *r = &c->last[n];
    /* A later write may have become durable without being acknowledged; an earlier state may not come back. */
    if (o)
        T_TRUE(o->rv > r->rv || (o->rv == r->rv && !r->deleted));
    else if (r->rv && !r->deleted)
        T_TRUE(store_rv(s) > c->acknowledged);
    if (o) {
        _cleanup_object_ struct object *want = make(n, o->rv);
        T_STR(o->bytes, want->bytes);
    }
}

TEST(every_acknowledged_write_survives_a_kill)
{
    struct report last[NAMES] = {0};
    uint64_t rv_before = 1;
    int total = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int fds[2], status;
        if (pipe(fds) < 0)
            exit(1);
        pid_t child = fork();
        if (child == 0) {
            close(fds[0]);
            write_for_ever(fds[1]);
        }
        close(fds[1]);
        total += follow(child, fds[0], last);
        close(fds[0]);
        waitpid(child, &status, 0);
        T_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        struct err err;
        struct check c = {last, 0};
        for (int n = 0; n < NAMES; n++)
            c.acknowledged = last[n].rv > c.acknowledged ? last[n].rv : c.acknowledged;
        uv_loop_init(&loop);
        s = store_open(&loop, path, &err);
        if (!s) {
            T_FAIL("%s", err.msg);
            return;
        }
        T_TRUE(store_rv(s) >= c.acknowledged && store_rv(s) >= rv_before);
        rv_before = store_rv(s);
        for (int n = 0; n < NAMES; n++) {
            char name[16];
            snprintf(name, sizeof(name), "n%02d", n);
            const struct object *o = store_get(s, &kind_configmap, "a", name);
            check_name(n, o, &c);
            last[n] = (struct report){o ? o->rv : store_rv(s), n, !o}; /* what the next child begins with */
        }
        store_close(s);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
    }
    T_TRUE(total > ROUNDS);
}

int main(void)
{
    char dir[] = "/tmp/c8s-test-crash-XXXXXX";
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/state.db", dir);
    RUN(every_acknowledged_write_survives_a_kill);
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        _cleanup_free_ char *file = xasprintf("%s%s", path, suffixes[i]);
        unlink(file);
    }
    rmdir(dir);
    return DONE();
}
