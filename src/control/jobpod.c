/* See jobpod.h. */
#include "control/jobpod.h"

#include <stdio.h>

#include "base/alloc.h"
#include "control/family.h"
#include "control/jobpolicy.h"
#include "control/meta.h"
#include "json/json.h"

json_t *job_pod_new(const json_t *job, int64_t index, int64_t failures)
{
    const char *job_name = jstr_or(job, "metadata.name", "");
    _cleanup_free_ char *prefix = xasprintf("%s-", job_name);
    json_t *pod = pod_from_template(job, jget(job, "spec.template"));
    if (!jget(pod, "metadata.finalizers"))
        jset(pod, "metadata.finalizers", json_array());
    json_array_append_new(jget(pod, "metadata.finalizers"), json_string(JOB_TRACKED));
    jset_str(pod, "metadata.generateName", prefix);
    if (index < 0)
        return pod;
    char text[24];
    size_t i;
    json_t *container;
    snprintf(text, sizeof(text), "%lld", (long long)index);
    _cleanup_free_ char *hostname = xasprintf("%s-%s", job_name, text), *name = xasprintf("%s-", hostname);
    static const char *const marked[] = {"metadata.annotations", "metadata.labels"};
    for (i = 0; i < ARRAY_LEN(marked); i++) {
        if (!jget(pod, marked[i]))
            jset(pod, marked[i], json_object());
        json_object_set_new(jget(pod, marked[i]), JOB_INDEX, json_string(text));
    }
    if (failures >= 0) {
        char count[24];
        snprintf(count, sizeof(count), "%lld", (long long)failures);
        json_object_set_new(jget(pod, "metadata.annotations"), JOB_INDEX_FAILURES, json_string(count));
    }
    jset_str(pod, "metadata.generateName", name);
    jset_str(pod, "spec.hostname", hostname);
    static const char *const lists[] = {"spec.initContainers", "spec.containers"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        json_array_foreach(jget(pod, lists[l]), i, container) {
            if (!jget(container, "env"))
                jset(container, "env", json_array());
            if (!jfind(jget(container, "env"), "name", "JOB_COMPLETION_INDEX"))
                json_array_append_new(jget(container, "env"),
                                      json_pack("{s:s, s:{s:{s:s}}}", "name", "JOB_COMPLETION_INDEX", "valueFrom",
                                                "fieldRef", "fieldPath", "metadata.labels['" JOB_INDEX "']"));
        }
    return pod;
}

int64_t job_pod_ended_usec(const json_t *pod)
{
    int64_t latest = 0;
    size_t i;
    json_t *s;
    json_array_foreach(jget(pod, "status.containerStatuses"), i, s) {
        int64_t t = jtime(s, "state.terminated.finishedAt");
        latest = t > latest ? t : latest;
    }
    if (!latest)
        latest = jtime(condition_find(pod, "Ready"), "lastTransitionTime");
    return latest ? latest : jtime(pod, "metadata.creationTimestamp");
}
