/* See usage.h. cpu.stat is there in every cgroup2 group, whoever owns the controllers. */
#include "node/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "node/paths.h"

#define SMALL_FILE_MAX (64 << 10)
#define PROCS_MAX (1 << 20) /* a group's process numbers: more than pids.max allows anywhere */
#define DEPTH_MAX 16        /* of groups a container may have made below its own */
/* A rate over less would be noise, and one over a container's whole life is no rate. */
#define WINDOW_MIN_USEC 500000
#define FIRST_WINDOW_MAX_USEC 30000000

int64_t usage_field(const char *text, const char *word)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        const char *rest = str_after(line, word);
        if (rest && (*rest == ' ' || *rest == ':'))
            return strtoll(rest + 1, NULL, 10);
    }
    return -1;
}

/* user nice system idle iowait irq softirq steal; the guests' time is in user and nice already. */
int64_t usage_busy_ticks(const char *stat)
{
    long long t[8] = {0};
    int n = sscanf(stat, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6],
                   &t[7]);
    return n < 4 ? -1 : t[0] + t[1] + t[2] + t[5] + t[6] + t[7];
}

static char *read_in(const char *dir, const char *file, unsigned long max)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, file);
    return read_small_file(path, max);
}

/* --- memory --- */

static int64_t process_bytes(const char *pid)
{
    _cleanup_free_ char *dir = xasprintf("/proc/%.*s", (int)strspn(pid, "0123456789"), pid);
    _cleanup_free_ char *text = read_in(dir, "smaps_rollup", SMALL_FILE_MAX);
    const char *pss = text ? strstr(text, "\nPss:") : NULL;
    return pss ? 1024 * strtoll(pss + strlen("\nPss:"), NULL, 10) : 0;
}

static int64_t count_one(const char *pid)
{
    (void)pid;
    return 1;
}

/* Adds up over the processes of a group and those below it. */
static int64_t sum_processes(const char *dir, int depth, int64_t (*measure)(const char *pid))
{
    int64_t sum = 0;
    _cleanup_free_ char *procs = read_in(dir, "cgroup.procs", PROCS_MAX);
    for (const char *p = procs; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        sum += measure(p);
    DIR *d = depth < DEPTH_MAX ? opendir(dir) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        _cleanup_free_ char *child = xasprintf("%s/%s", dir, e->d_name);
        sum += sum_processes(child, depth + 1, measure);
    }
    if (d)
        closedir(d);
    return sum;
}

/* File pages that nobody has touched lately can go at any time (kubelet: working set). */
static int64_t group_bytes(const char *dir)
{
    _cleanup_free_ char *current = read_in(dir, "memory.current", SMALL_FILE_MAX);
    _cleanup_free_ char *stat = read_in(dir, "memory.stat", SMALL_FILE_MAX);
    if (!current)
        return sum_processes(dir, 0, process_bytes);
    int64_t used = strtoll(current, NULL, 10), idle = stat ? usage_field(stat, "inactive_file") : 0;
    return idle > 0 && idle < used ? used - idle : used;
}

/* --- groups and the machine --- */

bool usage_read_group(const struct cgroups *g, const char *path, struct usage *ret)
{
    if (!g->root)
        return false;
    _cleanup_free_ char *dir = xasprintf("%s%s", g->root, path);
    _cleanup_free_ char *cpu = read_in(dir, "cpu.stat", SMALL_FILE_MAX);
    *ret = (struct usage){.cpu_usec = cpu ? usage_field(cpu, "usage_usec") : -1};
    if (ret->cpu_usec < 0)
        return false;
    ret->memory_bytes = group_bytes(dir);
    return true;
}

int64_t usage_count_processes(const struct cgroups *g, const char *path)
{
    _cleanup_free_ char *dir = xasprintf("%s%s", str_or(g->root, ""), path);
    return g->root ? sum_processes(dir, 0, count_one) : 0;
}

bool usage_read_machine(struct usage *ret)
{
    _cleanup_free_ char *stat = read_small_file("/proc/stat", 4 << 20); /* a line for each CPU and interrupt */
    _cleanup_free_ char *memory = read_small_file("/proc/meminfo", SMALL_FILE_MAX);
    int64_t ticks = stat ? usage_busy_ticks(stat) : -1;
    int64_t total = memory ? usage_field(memory, "MemTotal") : -1;
    int64_t available = memory ? usage_field(memory, "MemAvailable") : -1;
    *ret = (struct usage){ticks * 1000000 / sysconf(_SC_CLK_TCK), 1024 * (total - available)};
    return ticks >= 0 && total >= 0 && available >= 0;
}

/* --- rates --- */

void usage_add(struct usage_series *s, const struct usage *now, int64_t now_usec, int64_t started_usec)
{
    bool first = !s->last_usec;
    bool young = first && started_usec && now_usec - started_usec <= FIRST_WINDOW_MAX_USEC;
    int64_t since = first ? started_usec : s->last_usec;
    if ((!first || young) && now_usec - since >= WINDOW_MIN_USEC) {
        int64_t used = now->cpu_usec - s->last.cpu_usec;
        s->window_usec = now_usec - since;
        s->nano_cores = used > 0 ? (int64_t)((__int128)used * 1000000000 / s->window_usec) : 0;
    }
    s->last = *now;
    s->last_usec = now_usec;
}
