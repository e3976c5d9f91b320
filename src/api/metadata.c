/* See metadata.h. Paths and texts are those of apimachinery (pkg/api/validation/objectmeta.go). */
#include "api/metadata.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"

#define ANNOTATIONS_MAX (256 * 1024) /* bytes of all keys and values */

static void complain_text(struct status_causes *c, const char *field, const char *value, const char *why)
{
    _cleanup_json_ json_t *bad = json_string(value);
    causes_add(c, CAUSE_INVALID, field, bad, "%s", why);
}

/* A prefix may end in '-', since something follows. */
static void check_generate_name(const struct kind *k, const char *prefix, struct status_causes *c)
{
    char scratch[CHECK_SCRATCH_SIZE];
    _cleanup_free_ char *name = xstrdup(prefix);
    size_t n = strlen(name);
    if (n > 1 && name[n - 1] == '-') {
        name[n - 2] = 'a';
        name[n - 1] = '\0';
    }
    const char *wrong = k->check_name ? k->check_name(name, scratch) : NULL;
    if (wrong)
        complain_text(c, "metadata.generateName", prefix, wrong);
}

static void check_name(const struct kind *k, const json_t *meta, struct status_causes *c)
{
    char scratch[CHECK_SCRATCH_SIZE];
    const char *name = jstr_or(meta, "name", ""), *prefix = jstr_or(meta, "generateName", "");
    if (*prefix)
        check_generate_name(k, prefix, c);
    if (!*name) {
        causes_add(c, CAUSE_REQUIRED, "metadata.name", NULL, "name or generateName is required");
        return;
    }
    const char *wrong = k->check_name ? k->check_name(name, scratch) : NULL;
    if (wrong)
        complain_text(c, "metadata.name", name, wrong);
}

static void check_namespace(const struct kind *k, const json_t *meta, struct status_causes *c)
{
    const char *ns = jstr_or(meta, "namespace", "");
    char scratch[CHECK_SCRATCH_SIZE];
    if (!k->namespaced) {
        if (*ns)
            causes_add(c, CAUSE_FORBIDDEN, "metadata.namespace", NULL, "not allowed on this type");
        return;
    }
    const char *wrong = *ns ? check_dns_label(ns, scratch) : NULL;
    if (!*ns)
        causes_add(c, CAUSE_REQUIRED, "metadata.namespace", NULL, "%s", "");
    else if (wrong)
        complain_text(c, "metadata.namespace", ns, wrong);
}

static void check_key_text(const char *field, const char *key, struct status_causes *c)
{
    char scratch[CHECK_SCRATCH_SIZE];
    const char *wrong = check_qualified_name(key, scratch);
    if (wrong)
        complain_text(c, field, key, wrong);
}

/* Keys may have capitals in their prefix, for old times' sake. */
static void check_annotations(const json_t *meta, struct status_causes *c)
{
    const char *key;
    json_t *value;
    size_t total = 0;
    json_object_foreach(jget(meta, "annotations"), key, value) {
        _cleanup_free_ char *lower = xstrdup(key);
        for (char *p = lower; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        check_key_text("metadata.annotations", lower, c);
        total += strlen(key) + json_string_length(value);
    }
    if (total > ANNOTATIONS_MAX)
        causes_add(c, CAUSE_TOO_LONG, "metadata.annotations", NULL, "may not be more than %d bytes", ANNOTATIONS_MAX);
}

static void check_finalizers(const json_t *meta, struct status_causes *c)
{
    const json_t *finalizers = jget(meta, "finalizers");
    bool orphan = false, foreground = false;
    size_t i;
    json_t *f;
    json_array_foreach((json_t *)finalizers, i, f) {
        const char *name = str_or(json_string_value(f), "");
        check_key_text("metadata.finalizers", name, c);
        orphan |= streq(name, "orphan");
        foreground |= streq(name, "foregroundDeletion");
    }
    if (orphan && foreground)
        causes_add(c, CAUSE_INVALID, "metadata.finalizers", finalizers,
                   "finalizer orphan and foregroundDeletion cannot be both set");
}

static void check_controller(const json_t *meta, struct status_causes *c)
{
    const json_t *controller = NULL;
    size_t i;
    json_t *owner;
    json_array_foreach(jget(meta, "ownerReferences"), i, owner) {
        if (!jbool(owner, "controller", false))
            continue;
        if (controller)
            causes_add(
                c, CAUSE_INVALID, "metadata.ownerReferences", jget(meta, "ownerReferences"),
                "Only one reference can have Controller set to true. Found \"true\" in references for %s/%s and %s/%s",
                jstr_or(controller, "kind", ""), jstr_or(controller, "name", ""), jstr_or(owner, "kind", ""),
                jstr_or(owner, "name", ""));
        controller = owner;
    }
}

/* What an update may not touch. */
static void check_unchanged(const json_t *meta, const json_t *old, struct status_causes *c)
{
    static const char *const members[] = {
        "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const json_t *is = jget(meta, members[i]), *was = jget(old, members[i]);
        char field[64];
        if (is == was || (is && was && json_equal(is, was)))
            continue;
        snprintf(field, sizeof(field), "metadata.%s", members[i]);
        causes_add(c, CAUSE_INVALID, field, is, "field is immutable");
    }
}

void metadata_validate(const struct kind *k, const json_t *doc, const json_t *old, struct status_causes *causes)
{
    const json_t *meta = jget(doc, "metadata");
    check_name(k, meta, causes);
    check_namespace(k, meta, causes);
    check_annotations(meta, causes);
    check_controller(meta, causes);
    check_finalizers(meta, causes);
    if (old)
        check_unchanged(meta, jget(old, "metadata"), causes);
}
