/* Namespaces say by label what their pods may do: pods beyond it are refused, or warned of, and so are the templates of
 * what makes pods (upstream: admission plug-in PodSecurity). */
#include <string.h>

#include "base/str.h"
#include "server/admit.h"
#include "server/podsecurity.h"

#define LABEL "pod-security.kubernetes.io/"

/* Violations of the level in that label, with the level in front: `"baseline:latest": …`; NULL: none. */
static char *violations(const json_t *labels, const char *mode, const json_t *spec)
{
    _cleanup_free_ char *level_key = xasprintf(LABEL "%s", mode), *version_key = xasprintf(LABEL "%s-version", mode);
    const char *level = json_string_value(json_object_get(labels, level_key));
    const char *version = json_string_value(json_object_get(labels, version_key));
    _cleanup_free_ char *found = level ? pod_security_violations(pod_security_level(level), spec) : NULL;
    return found ? xasprintf("\"%s:%s\": %s", level, version ? version : "latest", found) : NULL;
}

/* A change that leaves the pod as it was is none of ours: status, labels. */
static bool is_new(const struct admission *a, const char *path)
{
    return !a->old || (a->part == UPDATE_MAIN && !json_equal(jget(a->doc, path), jget(a->old, path)));
}

static json_t *look(const struct admission *a, const char *path, bool enforces)
{
    if (!is_new(a, path))
        return NULL;
    const struct object *o = store_latest(a->server->store, &kind_namespace, "", admission_namespace(a));
    if (!o || !strstr(o->bytes, LABEL))
        return NULL;
    _cleanup_json_ json_t *ns = object_json(o);
    const json_t *labels = jget(ns, "metadata.labels");
    _cleanup_free_ char *refused = enforces ? violations(labels, "enforce", jget(a->doc, path)) : NULL;
    _cleanup_free_ char *warned = refused ? NULL : violations(labels, "warn", jget(a->doc, path));
    if (refused)
        return admission_forbidden(a, "violates PodSecurity %s", refused);
    _cleanup_free_ char *warning = warned ? xasprintf("would violate PodSecurity %s", warned) : NULL;
    if (warning)
        warn_once(a->warnings, warning);
    return NULL;
}

json_t *admit_pod_security(const struct admission *a)
{
    return look(a, "spec", true);
}

json_t *admit_template_security(const struct admission *a)
{
    return look(a, "spec.template.spec", false);
}
