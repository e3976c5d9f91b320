/* Claims and volumes: nothing that is in use goes, and only claims whose class allows it grow (upstream: admission
 * plug-ins StorageObjectInUseProtection and PersistentVolumeClaimResize). */
#include "base/quantity.h"
#include "base/str.h"
#include "kinds/binding.h"
#include "server/admit.h"

json_t *admit_storage_protection(const struct admission *a)
{
    const char *wanted = a->kind == &kind_persistentvolume ? VOLUME_PROTECTION : CLAIM_PROTECTION;
    json_t *list = jget(a->doc, "metadata.finalizers");
    if (a->old)
        return NULL;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (streq(json_string_value(json_array_get(list, i)), wanted))
            return NULL;
    if (!list)
        jset(a->doc, "metadata.finalizers", list = json_array());
    json_array_append_new(list, json_string(wanted));
    return NULL;
}

static bool grows(const json_t *old, const json_t *doc)
{
    static const char size[] = "spec.resources.requests.storage";
    struct quantity before, after;
    return jstr(old, size) && jstr(doc, size) && quantity_parse(jstr(old, size), &before) &&
           quantity_parse(jstr(doc, size), &after) && after.nano > before.nano;
}

json_t *admit_claim_resize(const struct admission *a)
{
    if (!a->old || a->part != UPDATE_MAIN || !grows(a->old, a->doc))
        return NULL;
    if (!streq(jstr_or(a->old, "status.phase", ""), "Bound"))
        return admission_forbidden(a, "Only bound persistent volume claims can be expanded");
    struct object *o = store_latest(a->server->store, &kind_storageclass, "", storage_class_of(a->doc));
    _cleanup_json_ json_t *class = o ? object_json(o) : NULL;
    if (jbool(class, "allowVolumeExpansion", false))
        return NULL;
    return admission_forbidden(a,
                               "only dynamically provisioned pvc can be resized and the storageclass that provisions "
                               "the pvc must support resize");
}
