/* CustomResourceDefinitions: kinds that users make. Rules and words: apiextensions-apiserver pkg/apis/apiextensions/
 * validation; names and conditions: its controllers naming and establish, which decide here as part of the write. */
#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "json/jsonpath.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/custom.h"
#include "kinds/customexpr.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

#define FINALIZER "customresourcecleanup.apiextensions.k8s.io"
#define SELECTABLE_FIELDS_MAX 8 /* as upstream: each costs every list */

/* --- the table --- */

static const struct field names_fields[] = {
    {"plural", F_STR, REQ, .check = check_dns1035_label, .doc = "Name in paths; with the group, the name of this."},
    {"singular", F_STR, OPT, .check = check_dns1035_label, .doc = "Name for one of them; the kind in lower case."},
    {"shortNames", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Names for hasty people."},
    {"kind", F_STR, REQ, .doc = "Kind of the objects."},
    {"listKind", F_STR, OPT, .doc = "Kind of their lists; the kind with List behind it."},
    {"categories", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Groups of resources they are listed with: all."},
    {0},
};

static const struct field column_fields[] = {
    {"name", F_STR, REQ, .doc = "Heading."},
    {"type", F_STR, REQ, .oneof = ONE_OF("boolean", "date", "integer", "number", "string"),
     .doc = "Type of the value."},
    {"format", F_STR, OPT, .doc = "Format of the value."},
    {"description", F_STR, OPT, .doc = "What it is."},
    {"priority", F_INT, OPT, .doc = "0: always shown; greater: with -o wide."},
    {"jsonPath", F_STR, REQ, .doc = "Where the value is: .spec.replicas."},
    {0},
};

static const struct field scale_fields[] = {
    {"specReplicasPath", F_STR, REQ, .doc = "Where the wanted number is, under .spec."},
    {"statusReplicasPath", F_STR, REQ, .doc = "Where the present number is, under .status."},
    {"labelSelectorPath", F_STR, .doc = "Where the selector of the pods is, as text."},
    {0},
};

static const struct field subresources_fields[] = {
    {"status", F_RAW, .doc = "Present: .status has a door of its own."},
    {"scale", F_OBJECT, .sub = scale_fields, .doc = "Present: the number of replicas has one."},
    {0},
};

static const struct field schema_fields[] = {
    {"openAPIV3Schema", F_RAW, .doc = "What the objects look like (a structural schema)."},
    {0},
};

static const struct field selectable_fields[] = {
    {"jsonPath", F_STR, REQ, .doc = "Field that field selectors may ask for."},
    {0},
};

static const struct field version_fields[] = {
    {"name", F_STR, REQ, .check = check_dns1035_label, .doc = "Name of the version."},
    {"served", F_BOOL, REQ, .doc = "Whether there are paths of this version."},
    {"storage", F_BOOL, REQ, .doc = "Whether objects are kept in this version; exactly one is."},
    {"deprecated", F_BOOL, OPT, .doc = "Whether users are warned."},
    {"deprecationWarning", F_STR, .doc = "The warning."},
    {"schema", F_OBJECT, .sub = schema_fields, .doc = "What the objects look like."},
    {"subresources", F_OBJECT, .sub = subresources_fields, .doc = "Further doors to an object."},
    {"additionalPrinterColumns", F_LIST, OPT | ATOMIC, LIST_OF(column_fields), .doc = "Columns of kubectl get."},
    {"selectableFields", F_LIST, OPT | ATOMIC, LIST_OF(selectable_fields), .max_len = SELECTABLE_FIELDS_MAX,
     .doc = "Fields that field selectors may ask for."},
    {0},
};

static const struct field webhook_fields[] = {
    {"clientConfig", F_OBJECT, .sub = webhook_client_fields, .doc = "How to reach it."},
    {"conversionReviewVersions", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Forms of the question that it knows: v1."},
    {0},
};

static const struct field conversion_fields[] = {
    {"strategy", F_STR, REQ, .oneof = ONE_OF("None", "Webhook"),
     .doc = "None: versions differ in their names alone. Webhook: somebody else converts."},
    {"webhook", F_OBJECT, .sub = webhook_fields, .doc = "Who converts."},
    {0},
};

static const struct field spec_fields[] = {
    {"group", F_STR, REQ | IMMUT, .check = check_dns_subdomain, .doc = "API group."},
    {"names", F_OBJECT, REQ, .sub = names_fields, .doc = "What the resource is called."},
    {"scope", F_STR, REQ | IMMUT, .oneof = ONE_OF("Cluster", "Namespaced"), .doc = "Where the objects live."},
    {"versions", F_LIST, REQ | ATOMIC, LIST_OF(version_fields), .doc = "Versions of the API."},
    {"conversion", F_OBJECT, .sub = conversion_fields, .dflt = "{\"strategy\": \"None\"}",
     .doc = "How versions become each other."},
    {"preserveUnknownFields", F_BOOL, OPT, .doc = "Must be false; schemas say what is preserved."},
    {0},
};

static const struct field status_fields[] = {
    {"conditions", F_LIST, OPT, LIST_OF(plain_condition_fields), .list_keys = "type",
     .doc = "What is to be said about it."},
    {"acceptedNames", F_OBJECT, .sub = names_fields, .doc = "Names that are served."},
    {"storedVersions", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Versions in which objects may be kept."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, REQ, .sub = spec_fields, .doc = "The kind and its versions."},
    {"status", F_OBJECT, .sub = status_fields, .doc = "Whether it is served, by which names."},
    {0},
};

/* --- defaults --- */

static void lower(char *s)
{
    for (; *s; s++)
        *s = (char)tolower((unsigned char)*s);
}

static void default_names(json_t *obj)
{
    const char *kind = jstr_or(obj, "spec.names.kind", "");
    if (!*kind)
        return;
    _cleanup_free_ char *singular = xstrdup(kind), *list = xasprintf("%sList", kind);
    lower(singular);
    if (!*jstr_or(obj, "spec.names.singular", ""))
        jset_str(obj, "spec.names.singular", singular);
    if (!*jstr_or(obj, "spec.names.listKind", ""))
        jset_str(obj, "spec.names.listKind", list);
}

/* --- status: names and conditions --- */

static bool is_true(const json_t *obj, const char *type)
{
    return streq(jstr_or(jfind(jget(obj, "status.conditions"), "type", type), "status", ""), "True");
}

static void set_condition(json_t *obj, const char *type, bool status, const char *reason, const char *message)
{
    json_t *conditions = jget(obj, "status.conditions"), *c = jfind(conditions, "type", type);
    const char *text = status ? "True" : "False";
    char now[TIME_TEXT_SIZE];
    if (!conditions)
        jset(obj, "status.conditions", conditions = json_array());
    if (!c) {
        json_array_append_new(conditions, c = json_pack("{s:s}", "type", type));
        c = json_array_get(conditions, json_array_size(conditions) - 1);
    }
    if (!streq(jstr_or(c, "status", ""), text))
        jset_str(c, "lastTransitionTime", time_format(clock_wall_usec(), now));
    jset_str(c, "status", text);
    jset_str(c, "reason", reason);
    jset_str(c, "message", message);
}

static void accept_names(json_t *obj)
{
    const char *part, *taken = custom_name_taken(obj, &part);
    bool was_established = is_true(obj, "Established");
    if (taken) {
        _cleanup_free_ char *reason = xasprintf("%sConflict", part),
                            *why = xasprintf("\"%s\" is already in use", taken);
        set_condition(obj, "NamesAccepted", false, reason, why);
        if (!was_established)
            set_condition(obj, "Established", false, "NotAccepted", "not all names are accepted");
    } else {
        jset(obj, "status.acceptedNames", json_deep_copy(jget(obj, "spec.names")));
        set_condition(obj, "NamesAccepted", true, "NoConflicts", "no conflicts found");
        if (!was_established)
            set_condition(obj, "Established", true, "InitialNamesAccepted", "the initial names have been accepted");
    }
    if (!jget(obj, "status.acceptedNames"))
        jset(obj, "status.acceptedNames", json_pack("{s:s, s:s}", "kind", "", "plural", ""));
}

static const char *stored_version(const json_t *obj)
{
    size_t i;
    json_t *v;
    json_array_foreach(jget(obj, "spec.versions"), i, v)
        if (jbool(v, "storage", false))
            return jstr_or(v, "name", "");
    return NULL;
}

static bool holds(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
        if (streq(str_or(json_string_value(item), ""), text))
            return true;
    return false;
}

static void note_stored_version(json_t *obj)
{
    const char *version = stored_version(obj);
    json_t *list = jget(obj, "status.storedVersions");
    if (!list)
        jset(obj, "status.storedVersions", list = json_array());
    if (version && !holds(list, version))
        json_array_append_new(list, json_string(version));
}

static void prepare(json_t *obj, const json_t *old)
{
    json_t *finalizers = jget(obj, "metadata.finalizers");
    if (!json_is_array(jget(obj, "spec.versions")) || !json_is_object(jget(obj, "spec.names")))
        return; /* validation is going to say so */
    if (!old && !holds(finalizers, FINALIZER)) {
        if (!finalizers)
            jset(obj, "metadata.finalizers", finalizers = json_array());
        json_array_append_new(finalizers, json_string(FINALIZER));
    }
    note_stored_version(obj);
    accept_names(obj);
}

/* --- rules --- */

static void check_mixed_case(struct status_causes *c, const json_t *names, const char *member)
{
    char scratch[CHECK_SCRATCH_SIZE];
    const char *text = jstr_or(names, member, "");
    _cleanup_free_ char *folded = xstrdup(text);
    lower(folded);
    const char *wrong = *text ? check_dns1035_label(folded, scratch) : NULL;
    _cleanup_free_ char *why = xasprintf("may have mixed case, but should otherwise match: %s", wrong ? wrong : "");
    if (wrong)
        rule_broken_text(c, CAUSE_INVALID, text, why, "spec.names.%s", member);
}

static void check_name_list(struct status_causes *c, const json_t *names, const char *member)
{
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(names, member), i, name)
        rule_check_text(c, check_dns1035_label, str_or(json_string_value(name), ""), "spec.names.%s[%zu]", member, i);
}

static void check_names(struct status_causes *c, const json_t *obj, const json_t *old)
{
    const json_t *names = jget(obj, "spec.names");
    const char *kind = jstr_or(names, "kind", ""), *list = jstr_or(names, "listKind", "");
    check_mixed_case(c, names, "kind");
    check_mixed_case(c, names, "listKind");
    check_name_list(c, names, "shortNames");
    check_name_list(c, names, "categories");
    if (*kind && streq(kind, list))
        rule_broken_text(c, CAUSE_INVALID, list, "kind and listKind may not be the same", "spec.names.listKind");
    if (old && is_true(old, "Established") && !streq(kind, jstr_or(old, "spec.names.kind", "")))
        rule_broken_text(c, CAUSE_INVALID, kind, "field is immutable", "spec.names.kind");
    if (old && !streq(jstr_or(names, "plural", ""), jstr_or(old, "spec.names.plural", "")))
        rule_broken_text(c, CAUSE_INVALID, jstr_or(names, "plural", ""), "field is immutable", "spec.names.plural");
}

static void check_group(struct status_causes *c, const json_t *obj, const json_t *old)
{
    const char *group = jstr_or(obj, "spec.group", ""), *name = jstr_or(obj, "metadata.name", "");
    bool protected = str_ends_with(group, ".k8s.io") || str_ends_with(group, ".kubernetes.io");
    _cleanup_free_ char *wanted = xasprintf("%s.%s", jstr_or(obj, "spec.names.plural", ""), group);
    if (*group && !strchr(group, '.'))
        rule_broken_text(c, CAUSE_INVALID, group, "should be a domain with at least one dot", "spec.group");
    if (!streq(name, wanted))
        rule_broken_text(c, CAUSE_INVALID, name, "must be spec.names.plural+\".\"+spec.group", "metadata.name");
    if (protected && !old && !json_object_get(jget(obj, "metadata.annotations"), "api-approved.kubernetes.io"))
        rule_broken(c, CAUSE_REQUIRED, NULL,
                    "protected groups must have approval annotation \"api-approved.kubernetes.io\", see "
                    "https://github.com/kubernetes/enhancements/pull/1111",
                    "metadata.annotations[api-approved.kubernetes.io]");
}

static void check_scale_path(struct status_causes *c, const json_t *scale, const char *member, const char *under,
                             const char *or_under, size_t i)
{
    const char *path = jstr_or(scale, member, "");
    bool there = str_after(path, under) || (or_under && str_after(path, or_under));
    if (!*path)
        return;
    if (!there || !jsonpath_is_simple(path) || strchr(path, '[')) {
        _cleanup_free_ char *why =
            xasprintf("should be a json path under %.*s%s", (int)strlen(under) - 1, under, or_under ? " or .spec" : "");
        rule_broken_text(c, CAUSE_INVALID, path, why, "spec.versions[%zu].subresources.scale.%s", i, member);
    }
}

static void check_columns(struct status_causes *c, const json_t *version, size_t i)
{
    size_t n;
    json_t *column;
    json_array_foreach(json_object_get(version, "additionalPrinterColumns"), n, column) {
        const char *path = jstr_or(column, "jsonPath", "");
        if (*path && (*path != '.' || !jsonpath_valid(path)))
            rule_broken_text(c, CAUSE_INVALID, path, "must be a simple json path starting with .",
                             "spec.versions[%zu].additionalPrinterColumns[%zu].jsonPath", i, n);
    }
    json_array_foreach(json_object_get(version, "selectableFields"), n, column) {
        const char *path = jstr_or(column, "jsonPath", "");
        if (*path && (*path != '.' || strchr(path, '[') || !jsonpath_is_simple(path) || str_after(path, ".metadata")))
            rule_broken_text(c, CAUSE_INVALID, path, "must be a simple json path to a field outside of .metadata",
                             "spec.versions[%zu].selectableFields[%zu].jsonPath", i, n);
    }
}

/* Rules make sense only over a schema that does. */
static void check_schema(struct status_causes *c, const json_t *schema, const char *at)
{
    size_t before = json_array_size(c->list);
    custom_check_schema(c, schema, at);
    if (json_array_size(c->list) == before)
        custom_expressions_free(custom_expressions_compile(schema, at, c));
}

static void check_version(struct status_causes *c, const json_t *version, size_t i)
{
    const json_t *schema = jget(version, "schema.openAPIV3Schema"), *scale = jget(version, "subresources.scale");
    _cleanup_free_ char *at = xasprintf("spec.versions[%zu].schema.openAPIV3Schema", i);
    if (!json_is_object(schema))
        rule_broken(c, CAUSE_REQUIRED, NULL, "schemas are required", "%s", at);
    else
        check_schema(c, schema, at);
    check_scale_path(c, scale, "specReplicasPath", ".spec.", NULL, i);
    check_scale_path(c, scale, "statusReplicasPath", ".status.", NULL, i);
    check_scale_path(c, scale, "labelSelectorPath", ".status.", ".spec.", i);
    check_columns(c, version, i);
}

static void check_versions(struct status_causes *c, const json_t *obj)
{
    json_t *versions = jget(obj, "spec.versions"), *version;
    size_t i, stored = 0;
    bool twice = false;
    json_array_foreach(versions, i, version) {
        stored += jbool(version, "storage", false);
        twice |= jfind(versions, "name", jstr_or(version, "name", "")) != version;
        check_version(c, version, i);
    }
    if (twice)
        rule_broken(c, CAUSE_INVALID, versions, "must contain unique version names", "spec.versions");
    if (stored != 1)
        rule_broken(c, CAUSE_INVALID, versions, "must have exactly one version marked as storage version",
                    "spec.versions");
    json_array_foreach(jget(obj, "status.storedVersions"), i, version)
        if (!jfind(versions, "name", str_or(json_string_value(version), "")))
            rule_broken(c, CAUSE_INVALID, version, "must appear in spec.versions", "status.storedVersions[%zu]", i);
}

/* Paths and messages are those of upstream's internal type. */
static void check_conversion(struct status_causes *c, const json_t *conversion)
{
    const json_t *webhook = jget(conversion, "webhook"), *client = jget(webhook, "clientConfig");
    const json_t *versions = jget(webhook, "conversionReviewVersions"), *v;
    size_t i;
    bool known = false;
    if (!streq(jstr_or(conversion, "strategy", ""), "Webhook")) {
        if (webhook)
            rule_broken(c, CAUSE_FORBIDDEN, NULL, "should not be set when strategy is not set to Webhook",
                        "spec.conversion.webhookClientConfig");
        return;
    }
    if (!client)
        rule_broken(c, CAUSE_REQUIRED, NULL, "required when strategy is set to Webhook",
                    "spec.conversion.webhookClientConfig");
    else
        rule_webhook_client(c, client, "spec.conversion.webhookClientConfig");
    json_array_foreach(versions, i, v)
        known |= streq(str_or(json_string_value(v), ""), "v1") || streq(str_or(json_string_value(v), ""), "v1beta1");
    if (!json_array_size(versions))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.conversion.conversionReviewVersions");
    else if (!known)
        rule_broken(c, CAUSE_INVALID, versions, "must include at least one of v1, v1beta1",
                    "spec.conversion.conversionReviewVersions");
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *c)
{
    check_group(c, obj, old);
    check_names(c, obj, old);
    check_versions(c, obj);
    if (jbool(obj, "spec.preserveUnknownFields", false))
        rule_broken(c, CAUSE_INVALID, json_true(),
                    "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema "
                    "instead",
                    "spec.preserveUnknownFields");
    check_conversion(c, jget(obj, "spec.conversion"));
}

/* --- columns --- */

CELL_TEXT(cell_created, "metadata.creationTimestamp", "<unknown>");

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Created At", "date", "", 0, cell_created},
    {0},
};

static const char *const short_names[] = {"crd", "crds", NULL};
static const char *const categories[] = {"api-extensions", NULL};

const struct kind kind_customresourcedefinition = {
    .group = "apiextensions.k8s.io",
    .version = "v1",
    .kind = "CustomResourceDefinition",
    .plural = "customresourcedefinitions",
    .singular = "customresourcedefinition",
    .list_kind = "CustomResourceDefinitionList",
    .short_names = short_names,
    .categories = categories,
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
    .json_only = true,
    .default_more = default_names,
    .prepare = prepare,
    .validate = validate,
};
