/* See log.h. The only mutable global of base: the level, set once by the command line. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static enum log_level threshold = LOG_INFO;
static const char *const names[] = {"debug", "info", "warn", "error"};
_Static_assert(sizeof(names) / sizeof(names[0]) == LOG_LEVEL_N, "a name a level");

void log_set_level(enum log_level level)
{
    threshold = level;
}

int log_level_from_name(const char *name)
{
    for (int i = 0; i < LOG_LEVEL_N; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

void log_write(enum log_level level, const char *area, const char *fmt, ...)
{
    if (level < threshold)
        return;
    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    char line[2048], when[32];
    strftime(when, sizeof(when), "%H:%M:%S", &tm);
    int n = snprintf(line, sizeof(line), "%s.%03ld %-5s %s: ", when, ts.tv_nsec / 1000000, names[level], area);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
    va_end(ap);
    fprintf(stderr, "%s\n", line); /* one write: stderr is unbuffered, lines of threads do not mix */
}
