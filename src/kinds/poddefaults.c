/* Defaults of pods that depend on other fields (pkg/apis/core/v1/defaults.go); the plain ones are in the tables. */
#include <string.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/podspec.h"

static const char *const container_lists[] = {"initContainers", "containers", "ephemeralContainers"};

/* An image without tag and digest means the tag latest. */
static bool tag_is_latest(const char *image)
{
    const char *name = strrchr(image, '/'), *digest = strchr(image, '@');
    name = name ? name + 1 : image;
    const char *tag = strchr(name, ':');
    if (!tag || (digest && tag > digest))
        return !digest;
    size_t len = strcspn(tag + 1, "@");
    return len == strlen("latest") && strncmp(tag + 1, "latest", len) == 0;
}

static void default_pull_policy(json_t *o, const char *field, const char *image)
{
    if (!json_object_get(o, field))
        jset_str(o, field, tag_is_latest(image) ? "Always" : "IfNotPresent");
}

static void default_volume(json_t *volume)
{
    json_t *image = json_object_get(volume, "image");
    if (json_object_size(volume) == 1 && json_object_get(volume, "name"))
        json_object_set_new(volume, "emptyDir", json_object());
    if (image)
        default_pull_policy(image, "pullPolicy", jstr_or(image, "reference", ""));
}

/* Two names of one field: old clients read the older one. */
static void default_account(json_t *spec)
{
    json_t *account = jget(spec, "serviceAccountName"), *older = jget(spec, "serviceAccount");
    if (account)
        json_object_set(spec, "serviceAccount", account);
    else if (older)
        json_object_set(spec, "serviceAccountName", older);
}

void pod_spec_default(json_t *spec)
{
    size_t i;
    json_t *item;
    for (size_t l = 0; l < ARRAY_LEN(container_lists); l++)
        json_array_foreach(json_object_get(spec, container_lists[l]), i, item)
            default_pull_policy(item, "imagePullPolicy", jstr_or(item, "image", ""));
    json_array_foreach(json_object_get(spec, "volumes"), i, item)
        default_volume(item);
    default_account(spec);
}

/* What is limited and not asked for is asked for in full. */
static void default_requests(json_t *container)
{
    json_t *limits = jget(container, "resources.limits");
    if (!json_object_size(limits))
        return;
    if (!jget(container, "resources.requests"))
        jset(container, "resources.requests", json_object());
    json_object_update_missing(jget(container, "resources.requests"), limits);
}

static void default_host_ports(json_t *container)
{
    size_t i;
    json_t *port;
    json_array_foreach(json_object_get(container, "ports"), i, port)
        if (!jint(port, "hostPort", 0))
            jset_int(port, "hostPort", jint(port, "containerPort", 0));
}

/* The single address and the first of the list are one; the single one wins. */
static void default_addresses(json_t *status, const char *single, const char *list)
{
    const char *ip = jstr(status, single), *first = jstr(json_array_get(jget(status, list), 0), "ip");
    if (ip && !streq_or_null(ip, first))
        jset(status, list, json_pack("[{s:s}]", "ip", ip));
    else if (!ip && first)
        jset_str(status, single, first);
}

void pod_default(json_t *pod)
{
    json_t *spec = jget(pod, "spec"), *container;
    size_t i;
    pod_spec_default(spec);
    default_addresses(jget(pod, "status"), "podIP", "podIPs");
    default_addresses(jget(pod, "status"), "hostIP", "hostIPs");
    for (size_t l = 0; l < 2; l++)
        json_array_foreach(json_object_get(spec, container_lists[l]), i, container) {
            default_requests(container);
            if (jbool(spec, "hostNetwork", false))
                default_host_ports(container);
        }
    if (spec && !jhas(spec, "enableServiceLinks"))
        jset_bool(spec, "enableServiceLinks", true);
}
