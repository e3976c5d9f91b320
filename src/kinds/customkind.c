/* From a definition to kinds: one struct kind for each version that is served, all views of one that is kept. The
 * definition's document stays alive behind them, since their texts and schemas are parts of it. */
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/custom.h"
#include "kinds/customexpr.h"
#include "kinds/fields.h"

struct definition {
    json_t *crd;
    struct kind *kept;
    const struct kind **listed; /* n of them */
    size_t n;
    struct custom_expressions **expressions; /* n_expressions of them */
    size_t n_expressions;
    struct custom_blocks blocks;
};

static struct map definitions; /* by .stored_as */

/* --- the parts of a kind --- */

static const char *const *texts(const json_t *list, struct custom_blocks *b)
{
    size_t i;
    json_t *text;
    const char **out = custom_alloc(b, json_array_size(list) + 1, sizeof(*out));
    json_array_foreach((json_t *)list, i, text)
        out[i] = str_or(json_string_value(text), "");
    return out;
}

static const struct column *columns(const json_t *version, struct custom_blocks *b)
{
    static const struct column name = {"Name", "string", "name", 0, cell_name, NULL, NULL};
    static const struct column age = {"Age", "date", "", 0, cell_age, NULL, NULL};
    const json_t *more = json_object_get(version, "additionalPrinterColumns");
    struct column *out = custom_alloc(b, json_array_size(more) + 3, sizeof(*out)), *at = out;
    size_t i;
    json_t *c;
    *at++ = name;
    if (!json_array_size(more))
        *at = age;
    json_array_foreach((json_t *)more, i, c)
        *at++ = (struct column){.name = jstr_or(c, "name", ""),
                                .type = jstr_or(c, "type", "string"),
                                .format = jstr_or(c, "format", ""),
                                .priority = (int)jint(c, "priority", 0),
                                .json_path = jstr_or(c, "jsonPath", ""),
                                .doc = jstr_or(c, "description", "")};
    return out;
}

/* ".spec.replicas" as the paths of kinds are written. */
static const char *without_dot(const char *path)
{
    return path && *path == '.' ? path + 1 : path;
}

static const struct kind_scale *scale(const json_t *version, struct custom_blocks *b)
{
    const json_t *s = jget(version, "subresources.scale");
    if (!s)
        return NULL;
    struct kind_scale *out = custom_alloc(b, 1, sizeof(*out));
    out->replicas_path = without_dot(jstr_or(s, "specReplicasPath", ""));
    out->status_replicas_path = without_dot(jstr_or(s, "statusReplicasPath", ""));
    out->selector_path = without_dot(jstr(s, "labelSelectorPath"));
    out->selector_is_text = true;
    return out;
}

static const struct field_label *labels(const json_t *version, struct custom_blocks *b)
{
    const json_t *fields = json_object_get(version, "selectableFields");
    struct field_label *out = custom_alloc(b, json_array_size(fields) + 1, sizeof(*out)), *at = out;
    size_t i;
    json_t *f;
    json_array_foreach((json_t *)fields, i, f) {
        const char *path = without_dot(jstr_or(f, "jsonPath", ""));
        *at++ = (struct field_label){path, path, ""};
    }
    return out;
}

static const char *deprecation(const struct kind *k, const json_t *version, struct custom_blocks *b)
{
    if (!jbool(version, "deprecated", false))
        return NULL;
    const char *own = jstr(version, "deprecationWarning");
    if (own)
        return own;
    _cleanup_free_ char *text = xasprintf("%s/%s %s is deprecated", k->group, k->version, k->kind);
    return memcpy(custom_alloc(b, strlen(text) + 1, 1), text, strlen(text));
}

/* NULL: versions differ in their names alone. */
static const json_t *conversion(const json_t *crd)
{
    return streq(jstr_or(crd, "spec.conversion.strategy", ""), "Webhook") ? jget(crd, "spec.conversion") : NULL;
}

/* Those that do not compile were there before anybody looked: they are no rules. */
static const struct custom_expressions *expressions(struct definition *d, const json_t *schema)
{
    struct status_causes wrong = {0};
    struct custom_expressions *x = custom_expressions_compile(schema, "", &wrong);
    causes_done(&wrong);
    if (x) {
        d->expressions = xrealloc(d->expressions, (d->n_expressions + 1) * sizeof(struct custom_expressions *));
        d->expressions[d->n_expressions++] = x;
    }
    return x;
}

static void fill(struct kind *k, struct definition *d, const json_t *version)
{
    const json_t *names = jget(d->crd, "status.acceptedNames");
    struct custom_blocks *b = &d->blocks;
    struct kind was = *k;
    *k = (struct kind){
        .group = was.group,
        .plural = was.plural,
        .stored_as = was.stored_as,
        .version = jstr_or(version, "name", ""),
        .kind = jstr_or(names, "kind", ""),
        .singular = jstr_or(names, "singular", ""),
        .list_kind = jstr_or(names, "listKind", ""),
        .short_names = texts(json_object_get(names, "shortNames"), b),
        .categories = texts(json_object_get(names, "categories"), b),
        .namespaced = streq(jstr_or(d->crd, "spec.scope", ""), "Namespaced"),
        .verbs = V_ALL,
        .schema = jget(version, "schema.openAPIV3Schema"),
        .conversion = conversion(d->crd),
        .columns = columns(version, b),
        .field_labels = labels(version, b),
        .check_name = check_dns_subdomain,
        .has_status = jget(version, "subresources.status") != NULL,
        .has_generation = true,
        .scale = scale(version, b),
        .stored = k == d->kept ? NULL : d->kept,
    };
    k->fields = custom_fields(k->schema, b);
    k->expressions = expressions(d, k->schema);
    k->deprecation = deprecation(k, version, b);
}

/* --- coming and going --- */

static char *key_of(const json_t *crd)
{
    return xasprintf("%s/%s", jstr_or(crd, "spec.group", ""), jstr_or(crd, "spec.names.plural", ""));
}

/* A kind that says nothing of its own: what it said were parts of a definition. Objects may still point to it. */
static void blank(struct kind *k, const struct kind *kept)
{
    static const struct field none[] = {FIELD_METADATA, {0}};
    *k = (struct kind){.group = k->group,
                       .plural = k->plural,
                       .stored_as = k->stored_as,
                       .namespaced = k->namespaced,
                       .version = "",
                       .kind = "",
                       .singular = "",
                       .list_kind = "",
                       .fields = none,
                       .stored = kept};
}

static void empty(struct definition *d)
{
    size_t i;
    json_t *version;
    for (i = 0; i < d->n; i++)
        kind_unlist(d->listed[i]);
    json_array_foreach(jget(d->crd, "spec.versions"), i, version)
        blank(kind_reserve(d->kept->group, d->kept->plural, jstr_or(version, "name", "")), d->kept);
    blank(d->kept, NULL);
    d->n = 0;
    free(TAKE(d->listed));
    for (i = 0; i < d->n_expressions; i++)
        custom_expressions_free(d->expressions[i]);
    free(TAKE(d->expressions));
    d->n_expressions = 0;
    custom_blocks_done(&d->blocks);
    json_decref(TAKE(d->crd));
}

/* The version that is kept if it is served, else the first that is: without conversion they only differ in name. */
static const json_t *version_to_keep(const json_t *versions)
{
    size_t i;
    json_t *v, *served = NULL;
    json_array_foreach((json_t *)versions, i, v) {
        if (!jbool(v, "served", false))
            continue;
        if (jbool(v, "storage", false))
            return v;
        if (!served)
            served = v;
    }
    return served;
}

static bool is_established(const json_t *crd)
{
    return streq(jstr_or(jfind(jget(crd, "status.conditions"), "type", "Established"), "status", ""), "True");
}

static void serve(struct definition *d)
{
    json_t *versions = jget(d->crd, "spec.versions"), *version;
    const json_t *keep = version_to_keep(versions);
    size_t i;
    if (!keep || !is_established(d->crd))
        return;
    d->listed = xcalloc(json_array_size(versions), sizeof(*d->listed));
    fill(d->kept, d, keep);
    json_array_foreach(versions, i, version) {
        if (!jbool(version, "served", false))
            continue;
        struct kind *k =
            version == keep ? d->kept : kind_reserve(d->kept->group, d->kept->plural, jstr_or(version, "name", ""));
        if (version != keep)
            fill(k, d, version);
        kind_list(d->listed[d->n++] = k);
    }
}

const struct kind *custom_define(const json_t *crd)
{
    _cleanup_free_ char *key = key_of(crd);
    struct definition *d = map_get(&definitions, key);
    if (d) {
        empty(d);
    } else {
        d = NEW(struct definition);
        d->kept = kind_reserve(jstr_or(crd, "spec.group", ""), jstr_or(crd, "spec.names.plural", ""), NULL);
        map_put(&definitions, key, d);
    }
    d->crd = json_deep_copy(crd);
    serve(d);
    return d->kept;
}

const struct kind *custom_undefine(const json_t *crd)
{
    _cleanup_free_ char *key = key_of(crd);
    struct definition *d = map_del(&definitions, key);
    if (!d)
        return NULL;
    const struct kind *kept = d->kept;
    empty(d);
    free(d);
    return kept;
}

/* --- names --- */

static bool among(const char *name, const char *const *list)
{
    for (; list && *list; list++)
        if (streq(*list, name))
            return true;
    return false;
}

/* Whether a name of a resource (kind: of a kind) is that of another resource of the group. */
static bool is_taken(const json_t *crd, const char *name, bool of_kind)
{
    const char *group = jstr_or(crd, "spec.group", ""), *plural = jstr_or(crd, "spec.names.plural", "");
    for (const struct kind *const *at = all_kinds; *at && *name; at++) {
        const struct kind *k = *at;
        if (!streq(k->group, group) || (k->stored_as || k->stored ? streq(k->plural, plural) : false))
            continue;
        if (of_kind ? streq(k->kind, name) || streq_or_null(k->list_kind, name)
                    : streq(k->plural, name) || streq(k->singular, name) || among(name, k->short_names))
            return true;
    }
    return false;
}

const char *custom_name_taken(const json_t *crd, const char **ret_part)
{
    static const struct {
        const char *path, *part;
        bool of_kind;
    } names[] = {
        {"spec.names.plural", "Plural", false},
        {"spec.names.singular", "Singular", false},
        {"spec.names.kind", "Kind", true},
        {"spec.names.listKind", "ListKind", true},
    };
    size_t i;
    json_t *name;
    for (i = 0; i < ARRAY_LEN(names); i++)
        if (is_taken(crd, jstr_or(crd, names[i].path, ""), names[i].of_kind)) {
            *ret_part = names[i].part;
            return jstr(crd, names[i].path);
        }
    *ret_part = "ShortNames";
    json_array_foreach(jget(crd, "spec.names.shortNames"), i, name)
        if (json_is_string(name) && is_taken(crd, json_string_value(name), false))
            return json_string_value(name);
    return NULL;
}
