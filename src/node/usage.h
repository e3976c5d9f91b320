/* What a control group or the machine uses of CPU and memory. The files are read here and nowhere else; what their text
 * means is pure. */
#pragma once
#include <stdint.h>

#include "node/cgroup.h"

struct usage {
    int64_t cpu_usec;     /* since the beginning */
    int64_t memory_bytes; /* the working set: what could not be taken back at once */
};

/* Of a container's group. Where version 1 keeps the memory controller, memory is the proportional share of the pages
 * that its processes map. False: it is gone. Blocking, any thread. */
bool usage_read_group(const struct cgroups *g, const char *path, struct usage *ret);
bool usage_read_machine(struct usage *ret);
/* Processes in a group and those below it. */
int64_t usage_count_processes(const struct cgroups *g, const char *path);

/* The number behind a word at the start of a line ("usage_usec 12"); -1: there is none. */
int64_t usage_field(const char *text, const char *word);
/* Time that no CPU was idle, in clock ticks, out of /proc/stat; -1: it does not say. */
int64_t usage_busy_ticks(const char *stat);

/* A row of measurements of one thing. */
struct usage_series {
    struct usage last;
    int64_t last_usec;   /* wall clock; 0: never measured */
    int64_t window_usec; /* 0: no rate yet */
    int64_t nano_cores;  /* over that window */
};
/* started_usec: when it began to use CPU, for a rate out of the first measurement; 0: unknown. */
void usage_add(struct usage_series *s, const struct usage *now, int64_t now_usec, int64_t started_usec);
