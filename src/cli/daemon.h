/* What commands that go on running share. */
#pragma once
#include <stdbool.h>
#include <uv.h>

#include "base/err.h"

/* Root, the programs that nodes need, the level of the log. */
int daemon_check(const char *log_level, struct err *err);
/* Signals, limits, umask of the process; after a fork. */
void daemon_prepare(void);
/* Ends the loop's run at SIGINT and SIGTERM. */
struct daemon_signals {
    uv_signal_t signals[2];
    bool (*on_term)(void *arg);
    void *arg;
};
/* The first SIGTERM goes to on_term; true: it ends the loop's run itself, later. */
void daemon_on_term(struct daemon_signals *s, bool (*on_term)(void *arg), void *arg);
void daemon_catch(struct daemon_signals *s, uv_loop_t *loop);
void daemon_release(struct daemon_signals *s);
