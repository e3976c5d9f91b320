/* Rules for the containers of a pod (validateContainers and what it calls in pkg/apis/core/validation). What a single
 * field must look like is in the tables. */
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/quantity.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

/* One container and what it may refer to. */
struct scope {
    struct status_causes *causes;
    const json_t *spec, *container;
    char path[RULE_PATH_SIZE / 2]; /* of the container */
    bool is_init, is_sidecar, is_ephemeral;
};

/* --- environment --- */

static bool in_map_path(const char *path, const char *map)
{
    const char *key = str_after(path, map);
    return key && str_after(key, "['") && str_ends_with(key, "']");
}

static void check_field_path(const struct scope *s, const json_t *ref, size_t i)
{
    static const char *const paths[] = {
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs"};
    const char *path = jstr_or(ref, "fieldPath", "");
    if (!*path || in_map_path(path, "metadata.labels") || in_map_path(path, "metadata.annotations"))
        return;
    for (size_t p = 0; p < ARRAY_LEN(paths); p++)
        if (streq(path, paths[p]))
            return;
    rule_broken_text(
        s->causes, CAUSE_NOT_SUPPORTED, path,
        "supported values: \"metadata.name\", \"metadata.namespace\", \"metadata.uid\", \"spec.nodeName\", "
        "\"spec.serviceAccountName\", \"status.hostIP\", \"status.hostIPs\", \"status.podIP\", "
        "\"status.podIPs\"",
        "%s.env[%zu].valueFrom.fieldRef.fieldPath", s->path, i);
}

static void check_env(const struct scope *s)
{
    size_t i;
    json_t *var;
    json_array_foreach(jget(s->container, "env"), i, var) {
        const json_t *from = jget(var, "valueFrom");
        const char *why = NULL;
        if (!from)
            continue;
        if (*jstr_or(var, "value", ""))
            why = "may not be specified when `value` is not empty";
        else if (json_object_size(from) == 0)
            why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or "
                  "`fileKeyRef`";
        else if (json_object_size(from) > 1)
            why = "may not have more than one field specified at a time";
        if (why)
            rule_broken_text(s->causes, CAUSE_INVALID, "", why, "%s.env[%zu].valueFrom", s->path, i);
        check_field_path(s, jget(from, "fieldRef"), i);
    }
    json_array_foreach(jget(s->container, "envFrom"), i, var) {
        bool config = jget(var, "configMapRef"), secret = jget(var, "secretRef");
        if (config == secret)
            rule_broken_text(s->causes, CAUSE_INVALID, "",
                             config ? "may not have more than one field specified at a time"
                                    : "must specify one of: `configMapRef` or `secretRef`",
                             "%s.envFrom[%zu]", s->path, i);
    }
}

/* --- ports --- */

static void check_ports(const struct scope *s)
{
    struct map names = {0};
    bool host_network = jbool(s->spec, "hostNetwork", false);
    size_t i;
    json_t *port;
    json_array_foreach(jget(s->container, "ports"), i, port) {
        const char *name = jstr_or(port, "name", "");
        int64_t host = jint(port, "hostPort", 0);
        if (*name && map_put(&names, name, port))
            rule_broken_text(s->causes, CAUSE_DUPLICATE, name, "", "%s.ports[%zu].name", s->path, i);
        if (host_network && host && host != jint(port, "containerPort", 0))
            rule_broken(s->causes, CAUSE_INVALID, jget(port, "containerPort"),
                        "must match `hostPort` when `hostNetwork` is true", "%s.ports[%zu].containerPort", s->path, i);
    }
    map_done(&names);
}

/* A port of the node can be given once only. */
static void check_host_ports(const json_t *containers, const char *path, struct status_causes *c)
{
    struct map taken = {0};
    size_t i, p;
    json_t *container, *port;
    json_array_foreach(containers, i, container) {
        json_array_foreach(jget(container, "ports"), p, port) {
            long long number = jint(port, "hostPort", 0);
            _cleanup_free_ char *key =
                xasprintf("%s/%s/%lld", jstr_or(port, "protocol", "TCP"), jstr_or(port, "hostIP", ""), number);
            if (number && map_put(&taken, key, port))
                rule_broken_text(c, CAUSE_DUPLICATE, key, "", "%s[%zu].ports[%zu].hostPort", path, i, p);
        }
    }
    map_done(&taken);
}

/* --- mounts --- */

static void check_mounts(const struct scope *s)
{
    struct map places = {0};
    const json_t *volumes = jget(s->spec, "volumes");
    size_t i;
    json_t *mount;
    json_array_foreach(jget(s->container, "volumeMounts"), i, mount) {
        const char *name = jstr_or(mount, "name", ""), *place = jstr_or(mount, "mountPath", "");
        const char *sub = jstr_or(mount, "subPath", ""), *sub_expr = jstr_or(mount, "subPathExpr", "");
        if (*name && !jfind(volumes, "name", name))
            rule_broken_text(s->causes, CAUSE_NOT_FOUND, name, "", "%s.volumeMounts[%zu].name", s->path, i);
        if (*place && map_put(&places, place, mount))
            rule_broken_text(s->causes, CAUSE_INVALID, place, "must be unique", "%s.volumeMounts[%zu].mountPath",
                             s->path, i);
        rule_check_text(s->causes, check_relative_path, sub, "%s.volumeMounts[%zu].subPath", s->path, i);
        if (*sub && *sub_expr)
            rule_broken_text(s->causes, CAUSE_INVALID, sub_expr, "subPathExpr and subPath are mutually exclusive",
                             "%s.volumeMounts[%zu].subPathExpr", s->path, i);
        rule_check_text(s->causes, check_relative_path, sub_expr, "%s.volumeMounts[%zu].subPathExpr", s->path, i);
    }
    json_array_foreach(jget(s->container, "volumeDevices"), i, mount) {
        const char *name = jstr_or(mount, "name", "");
        if (*name && !jfind(volumes, "name", name))
            rule_broken_text(s->causes, CAUSE_NOT_FOUND, name, "", "%s.volumeDevices[%zu].name", s->path, i);
    }
    map_done(&places);
}

/* --- probes and lifecycle --- */

static void check_handler(const struct scope *s, const json_t *handler, const char *member)
{
    static const char *const types[] = {"exec", "httpGet", "tcpSocket", "grpc", "sleep"};
    char path[RULE_PATH_SIZE];
    size_t n = 0;
    for (size_t t = 0; t < ARRAY_LEN(types); t++) {
        if (!jget(handler, types[t]))
            continue;
        if (n++ > 0)
            rule_broken(s->causes, CAUSE_FORBIDDEN, NULL, "may not specify more than 1 handler type", "%s.%s.%s",
                        s->path, member, types[t]);
        snprintf(path, sizeof(path), "%s.%s.%s.port", s->path, member, types[t]);
        if (!streq(types[t], "grpc"))
            rule_port_or_name(s->causes, jget(jget(handler, types[t]), "port"), path);
    }
    if (n == 0)
        rule_broken(s->causes, CAUSE_REQUIRED, NULL, "must specify a handler type", "%s.%s", s->path, member);
}

static void check_probe(const struct scope *s, const char *member, bool is_readiness)
{
    const json_t *probe = jget(s->container, member);
    if (!probe)
        return;
    check_handler(s, probe, member);
    if (!is_readiness && jint(probe, "successThreshold", 1) != 1)
        rule_broken(s->causes, CAUSE_INVALID, jget(probe, "successThreshold"), "must be 1", "%s.%s.successThreshold",
                    s->path, member);
    if (is_readiness && jget(probe, "terminationGracePeriodSeconds"))
        rule_broken(s->causes, CAUSE_INVALID, jget(probe, "terminationGracePeriodSeconds"),
                    "must not be set for readinessProbes", "%s.%s.terminationGracePeriodSeconds", s->path, member);
}

static void check_hook(const struct scope *s, const char *member, const json_t *handler)
{
    if (handler)
        check_handler(s, handler, member);
}

/* An init container ends before anybody could ask it, unless it is a sidecar. */
static void check_probes(const struct scope *s)
{
    static const char *const running_only[] = {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"};
    if (s->is_init && !s->is_sidecar) {
        for (size_t i = 0; i < ARRAY_LEN(running_only); i++)
            if (jget(s->container, running_only[i]))
                rule_broken(s->causes, CAUSE_FORBIDDEN, NULL,
                            "may not be set for init containers without restartPolicy=Always", "%s.%s", s->path,
                            running_only[i]);
        return;
    }
    check_probe(s, "livenessProbe", false);
    check_probe(s, "readinessProbe", true);
    check_probe(s, "startupProbe", false);
    check_hook(s, "lifecycle.postStart", jget(s->container, "lifecycle.postStart"));
    check_hook(s, "lifecycle.preStop", jget(s->container, "lifecycle.preStop"));
}

static void check_restart_policy(const struct scope *s)
{
    const char *policy = jstr_or(s->container, "restartPolicy", "");
    if (*policy && !s->is_init)
        rule_broken(s->causes, CAUSE_FORBIDDEN, NULL, "may not be set for non-init containers", "%s.restartPolicy",
                    s->path);
    else if (*policy && !s->is_sidecar)
        rule_broken_text(s->causes, CAUSE_NOT_SUPPORTED, policy, "supported values: \"Always\"", "%s.restartPolicy",
                         s->path);
}

/* --- resources --- */

static bool is_standard_resource(const char *name)
{
    return streq(name, "cpu") || streq(name, "memory") || streq(name, "ephemeral-storage") ||
           str_after(name, "hugepages-");
}

static void check_amounts(const struct scope *s, const char *side)
{
    const char *name;
    json_t *amount;
    json_object_foreach(jget(jget(s->container, "resources"), side), name, amount) {
        struct quantity q;
        char scratch[CHECK_SCRATCH_SIZE];
        const char *why = check_qualified_name(name, scratch);
        if (!why && !strchr(name, '/') && !is_standard_resource(name))
            why = "must be a standard resource for containers";
        if (why)
            rule_broken_text(s->causes, CAUSE_INVALID, name, why, "%s.resources.%s[%.100s]", s->path, side, name);
        if (json_is_string(amount) && quantity_parse(json_string_value(amount), &q) && q.nano < 0)
            rule_broken(s->causes, CAUSE_INVALID, amount, "must be greater than or equal to 0",
                        "%s.resources.%s[%.100s]", s->path, side, name);
    }
}

/* What cannot be shared out twice (devices, huge pages) is asked for exactly as it is limited. */
static void check_requests_fit(const struct scope *s)
{
    const json_t *limits = jget(s->container, "resources.limits");
    const char *name;
    json_t *amount;
    json_object_foreach(jget(s->container, "resources.requests"), name, amount) {
        struct quantity want, most;
        const char *limit = json_string_value(json_object_get(limits, name));
        bool shared = is_standard_resource(name) && !str_after(name, "hugepages-");
        char why[CHECK_SCRATCH_SIZE];
        if (!limit || !json_is_string(amount) || !quantity_parse(limit, &most) ||
            !quantity_parse(json_string_value(amount), &want))
            continue;
        if (want.nano <= most.nano && (shared || want.nano == most.nano))
            continue;
        snprintf(why, sizeof(why), "must be %s %.100s limit of %.60s", shared ? "less than or equal to" : "equal to",
                 name, limit);
        rule_broken(s->causes, CAUSE_INVALID, amount, why, "%s.resources.requests", s->path);
    }
}

static void check_security(const struct scope *s)
{
    const json_t *security = jget(s->container, "securityContext");
    if (jbool(security, "privileged", false) && !jbool(security, "allowPrivilegeEscalation", true))
        rule_broken(s->causes, CAUSE_INVALID, security,
                    "cannot set `allowPrivilegeEscalation` to false and `privileged` to true", "%s.securityContext",
                    s->path);
}

/* --- ephemeral containers --- */

static bool is_named(const json_t *spec, const char *name)
{
    return jfind(jget(spec, "containers"), "name", name) || jfind(jget(spec, "initContainers"), "name", name);
}

/* Nothing may count on a container that is there for debugging. */
static void check_ephemeral(const struct scope *s)
{
    static const char *const forbidden[] = {"ports",          "resources",          "resizePolicy",
                                            "restartPolicy",  "restartPolicyRules", "livenessProbe",
                                            "readinessProbe", "startupProbe",       "lifecycle"};
    static const char *const paths[] = {"subPath", "subPathExpr"};
    const char *target = jstr_or(s->container, "targetContainerName", "");
    size_t i;
    json_t *mount;
    if (*target && !is_named(s->spec, target))
        rule_broken_text(s->causes, CAUSE_NOT_FOUND, target, "", "%s.targetContainerName", s->path);
    for (i = 0; i < ARRAY_LEN(forbidden); i++) {
        const json_t *value = jget(s->container, forbidden[i]);
        if (json_is_string(value) || json_array_size(value) || json_object_size(value))
            rule_broken(s->causes, CAUSE_FORBIDDEN, NULL, "cannot be set for an Ephemeral Container", "%s.%s", s->path,
                        forbidden[i]);
    }
    json_array_foreach(jget(s->container, "volumeMounts"), i, mount)
        for (size_t p = 0; p < ARRAY_LEN(paths); p++)
            if (*jstr_or(mount, paths[p], ""))
                rule_broken(s->causes, CAUSE_FORBIDDEN, NULL, "cannot be set for an Ephemeral Container",
                            "%s.volumeMounts[%zu].%s", s->path, i, paths[p]);
}

/* --- all of it --- */

static void check_container(const struct scope *s)
{
    check_env(s);
    check_mounts(s);
    check_security(s);
    if (s->is_ephemeral) {
        check_ephemeral(s);
        return;
    }
    check_ports(s);
    check_restart_policy(s);
    check_probes(s);
    check_amounts(s, "limits");
    check_amounts(s, "requests");
    check_requests_fit(s);
}

void pod_containers_validate(const json_t *spec, const char *path, struct status_causes *causes)
{
    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
    struct map names = {0}; /* one name space for all three */
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        struct scope s = {.causes = causes,
                          .spec = spec,
                          .is_init = streq(lists[l], "initContainers"),
                          .is_ephemeral = streq(lists[l], "ephemeralContainers")};
        size_t i;
        json_t *container;
        json_array_foreach(jget(spec, lists[l]), i, container) {
            const char *name = jstr_or(container, "name", "");
            s.container = container;
            s.is_sidecar = s.is_init && streq(jstr_or(container, "restartPolicy", ""), "Always");
            snprintf(s.path, sizeof(s.path), "%s.%s[%zu]", path, lists[l], i);
            if (*name && map_put(&names, name, container))
                rule_broken_text(causes, CAUSE_DUPLICATE, name, "", "%s.name", s.path);
            check_container(&s);
        }
        snprintf(s.path, sizeof(s.path), "%s.%s", path, lists[l]);
        check_host_ports(jget(spec, lists[l]), s.path, causes);
    }
    map_done(&names);
}
