/* See fieldref.h. */
#include "node/fieldref.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/quantity.h"
#include "base/str.h"

#define MAP_TEXT_MAX                                                                                                   \
    (512 << 10) /* labels and annotations of one object together: the API allows 256 KiB of annotations */

json_t *find_container(const json_t *pod, const char *name)
{
    json_t *c = jfind(jget(pod, "spec.containers"), "name", name);
    c = c ? c : jfind(jget(pod, "spec.initContainers"), "name", name);
    return c ? c : jfind(jget(pod, "spec.ephemeralContainers"), "name", name);
}

/* key="escaped value" lines, sorted by key, as upstream's fieldpath.FormatMap. */
static void add_map_line(struct buf *b, const char *key, const char *value)
{
    buf_addf(b, "%s%s=\"", b->len ? "\n" : "", key);
    for (const char *p = value; *p; p++) {
        switch (*p) {
        case '\n':
            buf_adds(b, "\\n");
            break;
        case '\t':
            buf_adds(b, "\\t");
            break;
        case '\r':
            buf_adds(b, "\\r");
            break;
        case '"':
        case '\\':
            buf_addc(b, '\\');
            buf_addc(b, *p);
            break;
        default:
            buf_addc(b, *p);
        }
    }
    buf_addc(b, '"');
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *format_map(const json_t *map)
{
    size_t n = json_object_size(map), i = 0;
    _cleanup_free_ const char **keys = xcalloc(n + 1, sizeof(*keys));
    struct buf b = BUF_INIT(MAP_TEXT_MAX);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value)
        keys[i++] = key;
    qsort(keys, n, sizeof(*keys), by_text);
    for (i = 0; i < n; i++)
        add_map_line(&b, keys[i], str_or(json_string_value(json_object_get(map, keys[i])), ""));
    return b.data ? buf_take(&b) : xstrdup("");
}

/* metadata.labels['KEY']: the value, or "" when the pod has no such key; NULL when path is no subscript of this map. */
static char *subscript(const json_t *pod, const char *map_path, const char *field_path)
{
    const char *rest = str_after(field_path, map_path);
    size_t len = rest ? strlen(rest) : 0;
    if (len < 4 || strncmp(rest, "['", 2) != 0 || strcmp(rest + len - 2, "']") != 0)
        return NULL;
    _cleanup_free_ char *key = xstrndup(rest + 2, len - 4);
    return xstrdup(str_or(json_string_value(json_object_get(jget(pod, map_path), key)), ""));
}

static char *first_of(const char *ips)
{
    char ip[IP_TEXT_SIZE];
    return xstrdup(ips_first(str_or(ips, ""), ip));
}

char *fieldref_value(const json_t *pod, const struct pod_facts *facts, const char *field_path, bool in_volume,
                     struct err *err)
{
    static const char *const plain[] = {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
                                        "spec.serviceAccountName"};
    static const char *const maps[] = {"metadata.labels", "metadata.annotations"};
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (streq(field_path, plain[i]))
            return xstrdup(jstr_or(pod, plain[i], ""));
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        char *value = in_volume && streq(field_path, maps[i]) ? format_map(jget(pod, maps[i])) : NULL;
        value = value ? value : subscript(pod, maps[i], field_path);
        if (value)
            return value;
    }
    if (streq(field_path, "status.podIP"))
        return first_of(facts->pod_ips);
    if (streq(field_path, "status.podIPs"))
        return xstrdup(str_or(facts->pod_ips, ""));
    if (streq(field_path, "status.hostIP"))
        return first_of(facts->host_ips);
    if (streq(field_path, "status.hostIPs"))
        return xstrdup(str_or(facts->host_ips, ""));
    err_set(err, 0, "unsupported fieldPath: %s", field_path);
    return NULL;
}

/* amount / divisor, rounded up, as whole numbers. */
static int64_t divide_up(quantity_nano amount, quantity_nano divisor)
{
    return divisor > 0 ? (int64_t)((amount + divisor - 1) / divisor) : 0;
}

#define NANO ((quantity_nano)1000000000)

char *resource_field_value(const json_t *pod, const json_t *container, const struct pod_facts *facts, const json_t *ref,
                           struct err *err)
{
    const char *resource = jstr_or(ref, "resource", ""), *owner = jstr(ref, "containerName");
    const char *kind = str_after(resource, "limits."), *requests = str_after(resource, "requests.");
    const json_t *c = owner && *owner ? find_container(pod, owner) : container;
    const char *name = kind ? kind : requests;
    struct quantity q = {0}, divisor = {.nano = NANO};
    if (!c || !name) {
        err_set(err, 0, c ? "unsupported resource %s" : "no container for resource %s", resource);
        return NULL;
    }
    const char *text =
        json_string_value(json_object_get(jget(c, kind ? "resources.limits" : "resources.requests"), name));
    if (!text && requests) /* a request that is missing is its limit */
        text = json_string_value(json_object_get(jget(c, "resources.limits"), name));
    const char *by = jstr_or(ref, "divisor", "1");
    if (!quantity_parse(by, &divisor) || divisor.nano <= 0)
        divisor.nano = NANO;
    if (text && quantity_parse(text, &q))
        ;
    else if (kind && streq(name, "cpu"))
        q.nano = (quantity_nano)facts->node_milli_cpu * (NANO / 1000);
    else if (kind && streq(name, "memory"))
        q.nano = (quantity_nano)facts->node_memory_bytes * NANO;
    else if (kind && streq(name, "ephemeral-storage"))
        q.nano = (quantity_nano)facts->node_storage_bytes * NANO;
    return xasprintf("%lld", (long long)divide_up(q.nano, divisor.nano));
}
