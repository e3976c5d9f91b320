/* Lines of a container's log as conmon writes them (the CRI format): "TIME STREAM TAG TEXT\n", where TAG P marks a part
 * of a line that goes on. And which of them a reader wants. Pure: bytes in, bytes out. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define CRILOG_LINE_MAX (64 << 10) /* conmon cuts lines at 8 KiB; more is no log of ours */

struct crilog_line {
    const char *time, *text; /* inside the input; not NUL-terminated */
    size_t time_len, text_len;
    bool is_stderr, partial;
};
/* One line without its newline; false: not in this format. */
bool crilog_parse(const char *line, size_t len, struct crilog_line *ret);

struct crilog_options {
    bool timestamps;
    int64_t since_usec;  /* 0: all */
    int64_t limit_bytes; /* < 0: none */
};
struct crilog_reader {
    struct crilog_options o;
    struct buf rest; /* an unfinished line */
    bool inside;     /* the last line was partial: no timestamp before the next */
    bool skipping;   /* that line began before since */
    int64_t left;    /* of limit_bytes */
};
void crilog_init(struct crilog_reader *r, const struct crilog_options *o);
void crilog_done(struct crilog_reader *r);
/* Feeds file content, appends what the reader is to see. */
void crilog_feed(struct crilog_reader *r, const char *bytes, size_t len, struct buf *out);
bool crilog_full(const struct crilog_reader *r); /* limit_bytes is used up */

/* How many of the last bytes of `tail` hold the last n lines; *ret_n: lines found. Lines, not log records: partial ones
 * belong to the line they are part of. */
size_t crilog_tail(const char *bytes, size_t len, int64_t n, int64_t *ret_n);
