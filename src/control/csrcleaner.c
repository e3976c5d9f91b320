/* Requests for certificates do not stay: signed, denied and failed ones go after an hour, forgotten ones after a day,
 * and those whose certificate was issued when it was not fetched in time (upstream:
 * pkg/controller/certificates/cleaner). */
#include "base/clock.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/csr.h"
#include "kinds/kind.h"

#define HOUR_USEC (3600 * INT64_C(1000000))

static const struct {
    const char *condition; /* NULL: none of the others */
    int64_t stay_usec;
} stays[] = {{"Denied", HOUR_USEC}, {"Failed", HOUR_USEC}, {"Approved", HOUR_USEC}, {NULL, 24 * HOUR_USEC}};

static int64_t due_usec(const json_t *csr)
{
    for (size_t i = 0; i < ARRAY_LEN(stays); i++) {
        const json_t *condition = jfind(jget(csr, "status.conditions"), "type", str_or(stays[i].condition, ""));
        const char *since =
            stays[i].condition ? jstr(condition, "lastUpdateTime") : jstr(csr, "metadata.creationTimestamp");
        int64_t usec;
        if (since && time_parse(since, &usec))
            return usec + stays[i].stay_usec;
    }
    return INT64_MAX;
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct object *o = informer_get(controller_informer(c, &kind_certificatesigningrequest), ns, name);
    _cleanup_json_ json_t *csr = o ? object_json(o) : NULL;
    if (!csr || is_deleting(csr))
        return;
    int64_t due = due_usec(csr), now = controller_now_usec(c);
    if (due <= now)
        delete_exactly(c, &kind_certificatesigningrequest, ns, name, o->uid, NULL, 0);
    else if (due != INT64_MAX)
        controller_enqueue_after(c, ns, name, (due - now) / 1000 + 1);
}

static const struct controller_watch watches[] = {{&kind_certificatesigningrequest, NULL}, {NULL, NULL}};

const struct controller_def csrcleaner_controller = {
    .name = "certificatesigningrequest-cleaner-controller",
    .watches = watches,
    .reconcile = reconcile,
};
