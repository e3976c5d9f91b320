/* See command.h. */
#include "node/command.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "node/spec.h"

#define CONFIG_MAX (4 << 20) /* config.json carries the environment, which carries Secrets and ConfigMaps */

#define LOG_MAX (64 << 10) /* what a runtime says about one command is a line */

/* As shells have it. */
enum { EXIT_CANNOT_RUN = 126, EXIT_MISSING = 127 };

static json_t *read_config(const char *bundle, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/config.json", bundle);
    _cleanup_free_ char *text = read_small_file(path, CONFIG_MAX);
    if (!text) {
        err_set(err, errno, "read %s", path);
        return NULL;
    }
    return jparse(text, strlen(text), err);
}

static const char **words_of(const json_t *args)
{
    const char **words = xcalloc(json_array_size(args) + 1, sizeof(*words));
    size_t i, n = 0;
    json_t *word;
    json_array_foreach((json_t *)args, i, word)
        if (json_is_string(word))
            words[n++] = json_string_value(word);
    return words;
}

int command_init(struct command *c, const struct runtime *rt, const char *bundle, const char *cid, const json_t *args,
                 bool tty, const char *console, struct err *err)
{
    static atomic_uint counter;
    unsigned n = atomic_fetch_add(&counter, 1);
    *c = (struct command){0};
    _cleanup_json_ json_t *config = read_config(bundle, err);
    if (!config)
        return -1;
    _cleanup_free_ const char **words = words_of(args);
    _cleanup_json_ json_t *process = spec_exec_process(config, words, tty);
    _cleanup_free_ char *text = jprint(process);
    c->process_json = xasprintf("%s/exec-%u.json", bundle, n);
    c->pidfile = xasprintf("%s/exec-%u.pid", bundle, n);
    c->log = xasprintf("%s/exec-%u.log", bundle, n);
    int r = write_file_atomically(c->process_json, text, strlen(text), 0600);
    if (r < 0) {
        err_set(err, -r, "write %s", c->process_json);
        command_done(c);
        return -1;
    }
    runtime_exec_spawn(rt, cid, c->process_json, c->pidfile, c->log, console, c->argv, &c->spawn);
    return 0;
}

void command_done(struct command *c)
{
    if (c->process_json)
        (void)unlink(c->process_json);
    if (c->pidfile)
        (void)unlink(c->pidfile);
    if (c->log)
        (void)unlink(c->log);
    free(c->process_json);
    free(c->pidfile);
    free(c->log);
    *c = (struct command){0};
}

char *exec_complaint(const char *log, const char *program, int *ret_code)
{
    struct err err;
    const char *end = log + strcspn(log, "\n");
    _cleanup_json_ json_t *line = end > log ? jparse(log, (size_t)(end - log), &err) : NULL;
    const char *said = jstr_or(line, "msg", log);
    if (!*log)
        return NULL;
    bool missing = strstr(said, "not found in $PATH") || strstr(said, "No such file or directory");
    bool denied = strstr(said, "Permission denied") || strstr(said, "not permitted");
    *ret_code = missing ? EXIT_MISSING : EXIT_CANNOT_RUN;
    _cleanup_free_ char *why = !missing && !denied ? xstrdup(said)
                               : denied            ? xasprintf("exec: \"%s\": permission denied", program)
                               : strchr(program, '/')
                                   ? xasprintf("exec: \"%s\": stat %s: no such file or directory", program, program)
                                   : xasprintf("exec: \"%s\": executable file not found in $PATH", program);
    return xasprintf("OCI runtime exec failed: exec failed: unable to start container process: %s: unknown\n", why);
}

char *command_complaint(const struct command *c, const char *program, int *ret_code)
{
    _cleanup_free_ char *log = c->log ? read_small_file(c->log, LOG_MAX) : NULL;
    return log ? exec_complaint(log, program, ret_code) : NULL;
}

bool command_has_started(const struct command *c)
{
    return access(c->pidfile, F_OK) == 0;
}

void command_kill(const struct command *c)
{
    _cleanup_free_ char *text = read_small_file(c->pidfile, 32);
    int64_t pid;
    if (text && str_to_i64(text, 2, INT32_MAX, &pid))
        (void)kill((pid_t)pid, SIGKILL);
}

int command_run(const struct runtime *rt, const char *bundle, const char *cid, const json_t *args, int timeout_ms,
                struct buf *out, struct err *err)
{
    struct command c;
    if (command_init(&c, rt, bundle, cid, args, false, NULL, err) < 0)
        return -EIO;
    c.spawn.argv = c.argv;
    int code = spawn_run(&c.spawn, out, timeout_ms, err);
    if (code == -ETIMEDOUT)
        command_kill(&c);
    command_done(&c);
    return code;
}
