/* Rules for the spec of a pod, but for its containers (ValidatePodSpec in pkg/apis/core/validation). */
#include <stdio.h>

#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

static void check_items(const json_t *items, const char *path, size_t volume, const char *source,
                        struct status_causes *c)
{
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
        rule_check_text(c, check_file_path, jstr_or(item, "path", ""), "%s.volumes[%zu].%s.items[%zu].path", path,
                        volume, source, i);
}

static void check_volume(const json_t *volume, const char *path, size_t i, struct status_causes *c)
{
    static const char *const with_items[] = {"configMap", "secret", "downwardAPI"};
    const char *member;
    json_t *source;
    size_t n = 0;
    json_object_foreach((json_t *)volume, member, source) {
        if (streq(member, "name"))
            continue;
        if (n++ > 0)
            rule_broken(c, CAUSE_FORBIDDEN, NULL, "may not specify more than 1 volume type", "%s.volumes[%zu].%s", path,
                        i, member);
    }
    for (size_t s = 0; s < ARRAY_LEN(with_items); s++)
        check_items(jget(jget(volume, with_items[s]), "items"), path, i, with_items[s], c);
    rule_check_text(c, check_path_without_parents, jstr_or(volume, "hostPath.path", ""),
                    "%s.volumes[%zu].hostPath.path", path, i);
}

static void check_volumes(const json_t *spec, const char *path, struct status_causes *c)
{
    struct map names = {0};
    size_t i;
    json_t *volume;
    json_array_foreach(jget(spec, "volumes"), i, volume) {
        const char *name = jstr_or(volume, "name", "");
        if (*name && map_put(&names, name, volume))
            rule_broken_text(c, CAUSE_DUPLICATE, name, "", "%s.volumes[%zu].name", path, i);
        check_volume(volume, path, i, c);
    }
    map_done(&names);
}

static void check_tolerations(const json_t *spec, const char *path, struct status_causes *c)
{
    size_t i;
    json_t *t;
    json_array_foreach(jget(spec, "tolerations"), i, t) {
        const char *op = jstr_or(t, "operator", ""), *effect = jstr_or(t, "effect", "");
        if (!*jstr_or(t, "key", "") && !streq(op, "Exists"))
            rule_broken_text(
                c, CAUSE_INVALID, op,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
                "%s.tolerations[%zu].operator", path, i);
        if (jget(t, "tolerationSeconds") && !streq(effect, "NoExecute"))
            rule_broken_text(c, CAUSE_INVALID, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set",
                             "%s.tolerations[%zu].effect", path, i);
        if (streq(op, "Exists") && *jstr_or(t, "value", ""))
            rule_broken(c, CAUSE_INVALID, t, "value must be empty when `operator` is 'Exists'",
                        "%s.tolerations[%zu].operator", path, i);
        else if (!streq(op, "Exists"))
            rule_check_text(c, check_label_value, jstr_or(t, "value", ""), "%s.tolerations[%zu].operator", path, i);
    }
}

static void check_dns(const json_t *spec, const char *path, struct status_causes *c)
{
    if (!streq(jstr_or(spec, "dnsPolicy", ""), "None"))
        return;
    if (!jget(spec, "dnsConfig"))
        rule_broken(c, CAUSE_REQUIRED, NULL, "must provide `dnsConfig` when `dnsPolicy` is None", "%s.dnsConfig", path);
    else if (!json_array_size(jget(spec, "dnsConfig.nameservers")))
        rule_broken(c, CAUSE_REQUIRED, NULL, "must provide at least one DNS nameserver when `dnsPolicy` is None",
                    "%s.dnsConfig.nameservers", path);
}

static void check_affinity(const json_t *spec, const char *path, struct status_causes *c)
{
    char affinity_path[RULE_PATH_SIZE];
    snprintf(affinity_path, sizeof(affinity_path), "%s.affinity", path);
    pod_affinity_validate(jget(spec, "affinity"), affinity_path, c);
}

void pod_spec_validate(const json_t *spec, const char *path, struct status_causes *causes)
{
    check_volumes(spec, path, causes);
    pod_containers_validate(spec, path, causes);
    check_tolerations(spec, path, causes);
    check_dns(spec, path, causes);
    check_affinity(spec, path, causes);
    pod_security_validate(spec, path, causes);
    if (json_array_size(jget(spec, "ephemeralContainers")) > 0 && !streq(path, "spec")) /* a pod's own: pod.c */
        rule_broken(causes, CAUSE_FORBIDDEN, NULL, "ephemeral containers not allowed in pod template",
                    "%s.ephemeralContainers", path);
    if (jbool(spec, "shareProcessNamespace", false) && jbool(spec, "hostPID", false))
        rule_broken(causes, CAUSE_INVALID, jget(spec, "shareProcessNamespace"),
                    "ShareProcessNamespace and HostPID cannot both be enabled", "%s.shareProcessNamespace", path);
}
