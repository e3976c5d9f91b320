/* See external.h. */
#include "ingress/external.h"

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

char *external_address(const struct svc *svc, const json_t *class, const struct ingress_backend *b, bool *refused)
{
    const json_t *annotations = jget(class, "metadata.annotations");
    const char *allowed = json_string_value(json_object_get(annotations, ALLOW_EXTERNAL_NAMES));
    bool is_external = svc && svc->type == SVC_EXTERNAL_NAME;
    *refused = is_external && !streq_or_null(allowed, "true");
    if (!is_external || *refused || b->port_is_name || !ingress_is_name(svc->external_name))
        return NULL;
    return xasprintf("%s:%s", svc->external_name, b->port);
}
