/* A pod that was to be driven out and two minutes later still is not going stays: its condition DisruptionTarget turns
 * false (upstream: syncStalePodDisruption in pkg/controller/disruption). */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

#define STALE_USEC (120 * (int64_t)1000000)

/* Whether it is one that can grow stale: a node's agent ends its pods itself, however long that takes. */
static bool may_be_stale(const json_t *pod, const json_t *condition)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return streq(jstr_or(condition, "status", ""), "True") &&
           !streq(jstr_or(condition, "reason", ""), "TerminationByKubelet") && !is_deleting(pod) &&
           !streq(phase, "Succeeded") && !streq(phase, "Failed");
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct object *o = informer_get(controller_informer(c, &kind_pod), ns, name);
    if (!o || !strstr(o->bytes, "\"DisruptionTarget\"")) /* as with nearly all pods */
        return;
    _cleanup_json_ json_t *pod = object_json(o);
    const json_t *condition = condition_find(pod, "DisruptionTarget");
    if (!may_be_stale(pod, condition))
        return;
    int64_t now = controller_now_usec(c), left = jtime(condition, "lastTransitionTime") + STALE_USEC - now;
    if (left > 0) {
        controller_enqueue_after(c, ns, name, left / 1000 + 1);
        return;
    }
    char text[TIME_TEXT_SIZE];
    json_t *to = json_deep_copy(pod);
    json_t *changed = condition_find(to, "DisruptionTarget");
    jset_str(changed, "status", "False");
    jset_str(changed, "lastTransitionTime", time_format(now, text));
    patch_difference(c, &kind_pod, pod, to, "status", true);
    json_decref(to);
}

static const struct controller_watch watches[] = {{&kind_pod, NULL}, {NULL, NULL}};

const struct controller_def staledisruption_controller = {
    .name = "controllermanager",
    .watches = watches,
    .reconcile = reconcile,
};
