/* Errors that a person reads. A function that can fail takes a last parameter `struct err *err` and returns < 0; it has
 * then set the error, and on success left it alone. Callers add context with err_wrap(); one place prints. */
#pragma once

struct err {
    int code;      /* errno value, or 0 where none fits */
    char msg[600]; /* longer messages are cut */
};

/* Both return -1, so that `return err_set(err, …)` reads well. `code` 0 adds no errno text; else ": strerror" is
 * appended. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Prepends "context: ". */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
