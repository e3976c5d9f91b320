/* ValidatingAdmissionPolicies say in their status what is doubtful about their expressions, for the kinds that they are
 * about (upstream: pkg/controller/validatingadmissionpolicystatus). */
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/admissionexpr.h"
#include "kinds/kind.h"

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    (void)ns;
    struct object *o = informer_get(controller_informer(c, &kind_admissionpolicy), "", name);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    int64_t generation = jint(doc, "metadata.generation", 0);
    if (!doc || jint(doc, "status.observedGeneration", 0) == generation)
        return;
    json_t *warnings = admission_policy_warnings(doc), *checked = json_object();
    if (json_array_size(warnings))
        json_object_set(checked, "expressionWarnings", warnings);
    json_decref(warnings);
    _cleanup_json_ json_t *status =
        json_pack("{s:I, s:o}", "observedGeneration", (json_int_t)generation, "typeChecking", checked);
    if (jget(doc, "status.conditions"))
        jset(status, "conditions", json_incref(jget(doc, "status.conditions")));
    patch_status(c, &kind_admissionpolicy, doc, status);
}

static void map_policy(struct controller *c, struct object *o)
{
    controller_enqueue(c, "", o->name);
}

static const struct controller_watch watches[] = {{&kind_admissionpolicy, map_policy}, {NULL, NULL}};

const struct controller_def policystatus_controller = {
    .name = "validatingadmissionpolicy-status-controller",
    .watches = watches,
    .reconcile = reconcile,
};
