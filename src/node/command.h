/* A command inside a running container: what exec probes, hooks and `kubectl exec` have in common. */
#pragma once
#include "json/json.h"
#include "node/runtime.h"

#define COMMAND_OUTPUT_MAX 10240 /* of a probe: what upstream keeps */

struct command {
    char *process_json, *pidfile, *log; /* files beside the bundle, unlinked by command_done() */
    const char *argv[RUNTIME_EXEC_ARGS];
    struct spawn spawn; /* ready but for the descriptors */
};

/* Writes the process description: the container's own environment, user and limits with these arguments. Blocking,
 * quick. */
int command_init(struct command *c, const struct runtime *rt, const char *bundle, const char *cid, const json_t *args,
                 bool tty, const char *console, struct err *err);
void command_done(struct command *c);
/* Why the runtime could not start `program`, in upstream's words and with a line end, and the exit code a shell gives
 * for that; NULL when it did start. The caller frees. */
char *command_complaint(const struct command *c, const char *program, int *ret_code);
/* Its program runs, or has. */
bool command_has_started(const struct command *c);
/* The same of what the runtime has logged. Pure. */
char *exec_complaint(const char *log, const char *program, int *ret_code);
/* Kills the command inside the container (ending the runtime's process alone would leave it there). */
void command_kill(const struct command *c);
/* Runs it to the end. The exit code, or -errno (-ETIMEDOUT) with err. Blocking. */
int command_run(const struct runtime *rt, const char *bundle, const char *cid, const json_t *args, int timeout_ms,
                struct buf *out, struct err *err);
