/* See runstate.h. */
#include "cli/runstate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"
#include "json/json.h"
#include "node/runtime.h"

#define STATE_FILE RUN_DIR "/state.json"
#define LOCK_FILE RUN_DIR "/lock"
#define STATE_MAX (64 << 10)
#define HEIRS_MS 2000 /* far longer than a child needs from its birth to its exec */

static bool program_lives(void)
{
    _cleanup_json_ json_t *state = runstate_load();
    int64_t pid = jint(state, "pid", 0);
    return pid > 0 && process_start_time((pid_t)pid) != 0; /* one that is only waiting to be reaped does not live */
}

/* Who is killed in the middle of starting a process leaves the lock to that child until its exec: such an heir is
 * waited for. */
static bool take(int fd)
{
    for (int64_t end = clock_mono_ms() + HEIRS_MS; flock(fd, LOCK_EX | LOCK_NB) < 0;) {
        if (program_lives() || clock_mono_ms() > end)
            return false;
        (void)poll(NULL, 0, 1);
    }
    return true;
}

int runstate_lock(struct err *err)
{
    if (dir_make(RUN_DIR, 0755, err) < 0)
        return -1;
    int fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, errno, "open %s", LOCK_FILE);
    if (take(fd))
        return fd;
    close(fd);
    _cleanup_json_ json_t *state = runstate_load();
    return err_set(err, 0, "a cluster is running already (pid %d, data directory %s); `c8s down` stops it",
                   (int)jint(state, "pid", 0), jstr_or(state, "dataDir", "unknown"));
}

bool runstate_is_running(void)
{
    _cleanup_close_ int fd = open(LOCK_FILE, O_RDWR | O_CLOEXEC);
    return fd >= 0 && !take(fd);
}

int runstate_save(const json_t *state, struct err *err)
{
    _cleanup_free_ char *text = jprint(state);
    return file_write_atomic(STATE_FILE, text, strlen(text), 0644, err);
}

json_t *runstate_load(void)
{
    struct err err;
    size_t len;
    _cleanup_free_ char *text = file_read(STATE_FILE, STATE_MAX, &len, &err);
    return text ? jparse(text, len, &err) : NULL;
}

void runstate_remove(void)
{
    struct err ignored;
    (void)tree_remove(RUN_DIR, &ignored);
}
