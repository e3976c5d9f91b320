/* What may change in the spec of a pod that exists: little, since its containers run (ValidatePodUpdate in
 * pkg/apis/core/validation). */
#include <stdio.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/ephemeral.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

#define CHANGES_MAX 4096 /* bytes of the list of changes in the message */

static void forgive_images(json_t *containers, const json_t *old)
{
    size_t i;
    json_t *container;
    json_array_foreach(containers, i, container)
        json_object_set(container, "image", json_object_get(json_array_get(old, i), "image"));
}

/* The new spec with everything that may change put back. New reference. */
static json_t *forgive(const json_t *spec, const json_t *old)
{
    static const char *const free_to_change[] = {"activeDeadlineSeconds", "tolerations", "schedulingGates"};
    json_t *s = json_deep_copy(spec);
    forgive_images(json_object_get(s, "containers"), json_object_get(old, "containers"));
    forgive_images(json_object_get(s, "initContainers"), json_object_get(old, "initContainers"));
    for (size_t i = 0; i < ARRAY_LEN(free_to_change); i++) {
        json_t *before = json_object_get(old, free_to_change[i]);
        if (before)
            json_object_set(s, free_to_change[i], before);
        else
            json_object_del(s, free_to_change[i]);
    }
    if (jint(old, "terminationGracePeriodSeconds", 0) < 0 && jint(spec, "terminationGracePeriodSeconds", 0) == 1)
        json_object_set(s, "terminationGracePeriodSeconds", json_object_get(old, "terminationGracePeriodSeconds"));
    return s;
}

static void note_change(struct buf *out, const char *name, const json_t *before, const json_t *after)
{
    _cleanup_free_ char *from = before ? jprint(before) : NULL, *to = after ? jprint(after) : NULL;
    if (before && after && json_equal(before, after))
        return;
    buf_addf(out, "\n  %s: %s -> %s", name, str_or(from, "(none)"), str_or(to, "(none)"));
}

static void note_changes(struct buf *out, const json_t *old, const json_t *spec)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)old, name, value)
        note_change(out, name, value, json_object_get(spec, name));
    json_object_foreach((json_t *)spec, name, value)
        if (!json_object_get(old, name))
            note_change(out, name, NULL, value);
}

static void check_deadline(const json_t *spec, const json_t *old, struct status_causes *c)
{
    const json_t *before = json_object_get(old, "activeDeadlineSeconds");
    const json_t *after = json_object_get(spec, "activeDeadlineSeconds");
    if (before && !after)
        rule_broken(c, CAUSE_INVALID, NULL, "must not update from a positive integer to nil value",
                    "spec.activeDeadlineSeconds");
    else if (before && json_integer_value(after) > json_integer_value(before))
        rule_broken(c, CAUSE_INVALID, after, "must be less than or equal to previous value",
                    "spec.activeDeadlineSeconds");
}

/* Tolerations may be added; of the old ones only the seconds may change. */
static bool still_tolerated(const json_t *tolerations, const json_t *before)
{
    size_t i;
    json_t *t;
    json_array_foreach((json_t *)tolerations, i, t) {
        _cleanup_json_ json_t *same = json_copy(t);
        json_t *seconds = json_object_get(before, "tolerationSeconds");
        json_object_del(same, "tolerationSeconds");
        if (seconds)
            json_object_set(same, "tolerationSeconds", seconds);
        if (json_equal(same, before))
            return true;
    }
    return false;
}

static void check_tolerations(const json_t *spec, const json_t *old, struct status_causes *c)
{
    size_t i;
    json_t *before;
    json_array_foreach(json_object_get(old, "tolerations"), i, before)
        if (!still_tolerated(json_object_get(spec, "tolerations"), before)) {
            rule_broken(c, CAUSE_FORBIDDEN, NULL,
                        "existing toleration can not be modified except its tolerationSeconds", "spec.tolerations");
            return;
        }
}

static bool same_number(const json_t *spec, const json_t *old, const char *list)
{
    return json_array_size(json_object_get(spec, list)) == json_array_size(json_object_get(old, list));
}

void pod_update_validate(const json_t *pod, const json_t *old_pod, struct status_causes *c)
{
    const json_t *spec = jget(pod, "spec"), *old = jget(old_pod, "spec");
    if (json_equal(spec, old)) /* as with every report of the pod's status */
        return;
    if (!same_number(spec, old, "containers") || !same_number(spec, old, "initContainers")) {
        rule_broken(c, CAUSE_FORBIDDEN, NULL, "pod updates may not add or remove containers", "spec");
        return;
    }
    check_deadline(spec, old, c);
    check_tolerations(spec, old, c);
    _cleanup_json_ json_t *forgiven = forgive(spec, old);
    if (json_equal(forgiven, old))
        return;
    struct buf why = BUF_INIT(CHANGES_MAX);
    buf_adds(&why, "pod updates may not change fields other than `spec.containers[*].image`,"
                   "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
                   "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
                   "previously negative)");
    note_changes(&why, old, forgiven);
    rule_broken(c, CAUSE_FORBIDDEN, NULL, buf_str(&why), "spec");
    buf_done(&why);
}

void pod_ephemeral_validate(const json_t *pod, const json_t *old, struct status_causes *c)
{
    const json_t *now = jget(pod, "spec.ephemeralContainers");
    size_t i;
    json_t *before;
    pod_containers_validate(jget(pod, "spec"), "spec", c);
    json_array_foreach(jget(old, "spec.ephemeralContainers"), i, before) {
        const char *name = jstr_or(before, "name", "");
        const json_t *after = jfind(now, "name", name);
        char why[CHECK_SCRATCH_SIZE];
        if (after && json_equal(after, before))
            continue;
        snprintf(why, sizeof(why), "existing ephemeral containers \"%.100s\" may not be %s\n", name,
                 after ? "changed" : "removed");
        rule_broken(c, CAUSE_FORBIDDEN, NULL, why, "spec.ephemeralContainers");
    }
}
