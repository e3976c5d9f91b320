/* See revision.h. */
#include "control/revision.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/str.h"
#include "control/meta.h"
#include "json/json.h"

void template_hash(const json_t *template, int64_t collisions, char out[TEMPLATE_HASH_SIZE])
{
    _cleanup_free_ char *text = jprint_sorted(template);
    struct buf b = BUF_INIT(0);
    char decimal[TEMPLATE_HASH_SIZE];
    buf_adds(&b, text);
    if (collisions)
        buf_addf(&b, "%lld", (long long)collisions);
    snprintf(decimal, sizeof(decimal), "%u", hash32_bytes(b.data, b.len));
    rand_safe_encode(decimal, out);
    buf_done(&b);
}

static json_t *without_hash(const json_t *template)
{
    json_t *copy = json_deep_copy(template);
    json_t *labels = jget(copy, "metadata.labels");
    json_object_del(labels, HASH_LABEL);
    if (labels && !json_object_size(labels))
        jset(copy, "metadata.labels", NULL);
    return copy;
}

bool same_template(const json_t *a, const json_t *b)
{
    _cleanup_json_ json_t *bare_a = without_hash(a), *bare_b = without_hash(b);
    return json_equal(bare_a, bare_b);
}

static const char *annotation(const json_t *obj, const char *key)
{
    return json_string_value(json_object_get(jget(obj, "metadata.annotations"), key));
}

int64_t annotation_int(const json_t *obj, const char *key, int64_t otherwise)
{
    const char *text = annotation(obj, key);
    if (text)
        str_to_i64(text, 0, INT64_MAX, &otherwise);
    return otherwise;
}

void annotate(json_t *obj, const char *key, const char *value)
{
    if (!jget(obj, "metadata.annotations"))
        jset(obj, "metadata.annotations", json_object());
    json_object_set_new(jget(obj, "metadata.annotations"), key, json_string(value));
}

void annotate_int(json_t *obj, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    annotate(obj, key, text);
}

/* These belong to one of the two objects only. */
static bool is_private(const char *key)
{
    static const char *const keys[] = {"kubectl.kubernetes.io/last-applied-configuration",
                                       REVISION_ANNOTATION,
                                       HISTORY_ANNOTATION,
                                       DESIRED_ANNOTATION,
                                       MAX_ANNOTATION,
                                       "deprecated.deployment.rollback.to"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (streq(key, keys[i]))
            return true;
    return false;
}

static void raise_revision(json_t *rs, int64_t revision)
{
    int64_t old = revision_of(rs);
    if (old >= revision)
        return;
    if (old) { /* it is the current one again: remember its earlier numbers */
        const char *history = annotation(rs, HISTORY_ANNOTATION);
        _cleanup_free_ char *longer =
            xasprintf("%s%s%lld", str_or(history, ""), history && *history ? "," : "", (long long)old);
        annotate(rs, HISTORY_ANNOTATION, longer);
    }
    annotate_int(rs, REVISION_ANNOTATION, revision);
}

void inherit_annotations(json_t *rs, const json_t *d, int64_t revision)
{
    const char *key;
    json_t *value;
    json_object_foreach(jget(d, "metadata.annotations"), key, value)
        if (!is_private(key) && json_is_string(value))
            annotate(rs, key, json_string_value(value));
    raise_revision(rs, revision);
}

json_t *replica_set_new(const json_t *d)
{
    char hash[TEMPLATE_HASH_SIZE];
    _cleanup_json_ json_t *bare = without_hash(jget(d, "spec.template"));
    template_hash(bare, jint(d, "status.collisionCount", 0), hash);
    json_t *template = json_deep_copy(jget(d, "spec.template")), *selector = json_deep_copy(jget(d, "spec.selector"));
    jset_str(template, "metadata.labels." HASH_LABEL, hash);
    jset_str(selector, "matchLabels." HASH_LABEL, hash);
    _cleanup_free_ char *name = xasprintf("%s-%s", jstr(d, "metadata.name"), hash);
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:O, s:[o]}, s:{s:I, s:o, s:o}}", "apiVersion", "apps/v1", "kind",
                     "ReplicaSet", "metadata", "name", name, "namespace", jstr(d, "metadata.namespace"), "labels",
                     jget(template, "metadata.labels"), "ownerReferences", controller_ref_new(d), "spec",
                     "minReadySeconds", (json_int_t)jint(d, "spec.minReadySeconds", 0), "selector", selector,
                     "template", template);
}
