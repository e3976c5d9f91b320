/* See podgroup.h. */
#include "node/podgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/podresources.h"

static int64_t milli_of(const json_t *pod, const char *side, const char *resource)
{
    struct quantity q;
    return pod_resource(pod, side, resource, &q) ? quantity_milli(&q) : 0;
}

/* A pod is limited as a whole when none of its containers, sidecars and init containers included, is free. */
static bool all_limited(const json_t *pod, const char *resource)
{
    static const char *const lists[] = {"spec.containers", "spec.initContainers"};
    struct quantity q;
    size_t i;
    json_t *c;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        json_array_foreach(jget(pod, lists[l]), i, c)
            if (!resource_amount(jget(c, "resources.limits"), resource, &q))
                return false;
    return true;
}

void podgroup_of(const json_t *pod, struct podgroup *ret)
{
    int64_t cpu = milli_of(pod, "limits", "cpu"), memory = milli_of(pod, "limits", "memory") / 1000;
    snprintf(ret->cpu_weight, sizeof(ret->cpu_weight), "%lld",
             (long long)cgroup_cpu_weight(cgroup_cpu_shares(milli_of(pod, "requests", "cpu"))));
    if (cpu > 0 && all_limited(pod, "cpu"))
        snprintf(ret->cpu_max, sizeof(ret->cpu_max), "%lld %d", (long long)cgroup_cpu_quota(cpu), CPU_PERIOD_USEC);
    else
        snprintf(ret->cpu_max, sizeof(ret->cpu_max), "max %d", CPU_PERIOD_USEC);
    if (memory > 0 && all_limited(pod, "memory"))
        snprintf(ret->memory_max, sizeof(ret->memory_max), "%lld", (long long)memory);
    else
        snprintf(ret->memory_max, sizeof(ret->memory_max), "max");
}

static int set(const char *dir, const char *file, const char *value, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, file);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        return err_set(err, errno, "write %s to %s", value, path);
    return 0;
}

int podgroup_make(const struct cgroups *g, const char *path, const json_t *pod, struct err *err)
{
    struct podgroup values;
    if (!g->limits)
        return 0;
    _cleanup_free_ char *dir = xasprintf("%s%s", g->root, path);
    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return err_set(err, errno, "create %s", dir);
    podgroup_of(pod, &values);
    int r = set(dir, "cpu.weight", values.cpu_weight, err);
    r = r < 0 ? r : set(dir, "cpu.max", values.cpu_max, err);
    return r < 0 ? r : set(dir, "memory.max", values.memory_max, err);
}
