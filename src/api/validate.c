/* Validation: the rows' checks, then the kind's. Everything that is wrong is collected. */
#include <string.h>

#include "api/metadata.h"
#include "api/path.h"
#include "api/schema.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/custom.h"
#include "kinds/customexpr.h"

#define PATH_MAX_BYTES (16 * 1024) /* map keys are the client's; a longer path is cut */

static void check_value(struct status_causes *c, const struct path *at, const struct field *f, const json_t *v,
                        const json_t *old);

static void __attribute__((format(printf, 5, 6)))
complain(struct status_causes *c, enum cause_type type, const struct path *at, const json_t *v, const char *fmt, ...)
{
    struct buf where = BUF_INIT(PATH_MAX_BYTES), text = BUF_INIT(PATH_MAX_BYTES);
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    path_print(at, PATH_VALIDATION, &where);
    causes_add(c, type, buf_str(&where), v, "%s", buf_str(&text));
    buf_done(&where);
    buf_done(&text);
}

static void complain_required(struct status_causes *c, const struct path *at)
{
    complain(c, CAUSE_REQUIRED, at, NULL, "%s", "");
}

static void complain_too_many(struct status_causes *c, const struct path *at, size_t n, int max)
{
    _cleanup_json_ json_t *count = json_integer((json_int_t)n);
    complain(c, CAUSE_TOO_MANY, at, count, "must have at most %d items", max);
}

static void check_string(struct status_causes *c, const struct path *at, const struct field *f, const json_t *v)
{
    const char *s = json_string_value(v);
    if (!*s && (f->flags & REQ)) {
        complain_required(c, at);
        return;
    }
    if (f->max_len && json_string_length(v) > (size_t)f->max_len) {
        complain(c, CAUSE_TOO_LONG, at, v, "may not be more than %d bytes", f->max_len);
        return;
    }
    char scratch[CHECK_SCRATCH_SIZE];
    const char *wrong = f->check ? f->check(s, scratch) : NULL;
    if (wrong)
        complain(c, CAUSE_INVALID, at, v, "%s", wrong);
}

static void check_oneof(struct status_causes *c, const struct path *at, const struct field *f, const json_t *v)
{
    struct buf supported = BUF_INIT(PATH_MAX_BYTES);
    buf_adds(&supported, "supported values: ");
    for (const char *const *one = f->oneof; *one; one++) {
        if (streq(*one, json_string_value(v))) {
            buf_done(&supported);
            return;
        }
        buf_addf(&supported, "%s\"%s\"", one == f->oneof ? "" : ", ", *one);
    }
    complain(c, CAUSE_NOT_SUPPORTED, at, v, "%s", buf_str(&supported));
    buf_done(&supported);
}

static void check_range(struct status_causes *c, const struct path *at, const struct field *f, const json_t *v)
{
    long long n = json_integer_value(v), min = f->min, max = f->max;
    if ((min == 0 && max == 0) || (n >= min && n <= max))
        return;
    if (max == NO_MAX)
        complain(c, CAUSE_INVALID, at, v, "must be greater than or equal to %lld", min);
    else
        complain(c, CAUSE_INVALID, at, v, "must be between %lld and %lld, inclusive", min, max);
}

/* What must differ between the items: the values of list_keys as one text, or the item itself. NULL: nothing to
 * compare. */
static char *identity(const struct field *list, const json_t *item)
{
    if (!list->list_keys || !*list->list_keys)
        return jprint_sorted(item);
    _cleanup_free_ char **keys = str_split(list->list_keys, ',', NULL);
    _cleanup_json_ json_t *values = json_array();
    for (char **key = keys; *key; key++) {
        json_t *value = json_object_get(item, *key);
        json_array_append(values, value ? value : json_null());
    }
    return jprint_sorted(values);
}

static void complain_duplicate(struct status_causes *c, const struct path *at, const struct field *list,
                               const json_t *item)
{
    const char *keys = list->list_keys;
    bool one_key = keys && *keys && !strchr(keys, ',');
    struct path member = {.up = at, .name = keys};
    complain(c, CAUSE_DUPLICATE, one_key ? &member : at, one_key ? json_object_get(item, keys) : item, "%s", "");
}

static void check_list(struct status_causes *c, const struct path *at, const struct field *f, const json_t *v)
{
    size_t i, n = json_array_size(v);
    json_t *item;
    if (n == 0 && (f->flags & REQ) && (f->flags & NONEMPTY))
        complain_required(c, at);
    if (f->max_len && n > (size_t)f->max_len)
        complain_too_many(c, at, n, f->max_len);
    struct map seen = {0};
    json_array_foreach((json_t *)v, i, item) {
        struct path here = {.up = at, .index = i};
        if (f->flags & UNIQUE) {
            _cleanup_free_ char *id = identity(f, item);
            if (map_put(&seen, id, item))
                complain_duplicate(c, &here, f, item);
        }
        check_value(c, &here, f->sub, item, NULL);
    }
    map_done(&seen);
}

/* Upstream reports label-like maps (keys and values checked) as a whole, others by key: metadata.labels, data[a/b]. */
static void check_map(struct status_causes *c, const struct path *at, const struct field *f, const json_t *v,
                      const json_t *old)
{
    bool label_like = f->check_key && f->sub && f->sub->check;
    size_t n = json_object_size(v);
    char scratch[CHECK_SCRATCH_SIZE];
    const char *key;
    json_t *item;
    if (n == 0 && (f->flags & REQ) && (f->flags & NONEMPTY))
        complain_required(c, at);
    if (f->max_len && n > (size_t)f->max_len)
        complain_too_many(c, at, n, f->max_len);
    json_object_foreach((json_t *)v, key, item) {
        struct path by_key = {.up = at, .name = key, .is_key = true};
        const struct path *here = label_like ? at : &by_key;
        const char *wrong = f->check_key ? f->check_key(key, scratch) : NULL;
        if (wrong) {
            _cleanup_json_ json_t *bad = json_string(key);
            complain(c, CAUSE_INVALID, here, bad, "%s", wrong);
        }
        check_value(c, here, f->sub, item, json_object_get(old, key));
    }
}

static void check_members(struct status_causes *c, const struct path *at, const struct field *fields, const json_t *o,
                          const json_t *old)
{
    for (const struct field *f = fields; f && f->name; f++) {
        struct path here = {.up = at, .name = f->name};
        const json_t *v = json_object_get(o, f->name), *before = json_object_get(old, f->name);
        if (json_is_null(v))
            v = NULL;
        if ((f->flags & IMMUT) && old && (v || before) && !(v && before && json_equal(v, before)))
            complain(c, CAUSE_INVALID, &here, v, "field is immutable");
        if (v)
            check_value(c, &here, f, v, before);
        else if (f->flags & REQ)
            complain_required(c, &here);
    }
}

static void check_value(struct status_causes *c, const struct path *at, const struct field *f, const json_t *v,
                        const json_t *old)
{
    if (f->oneof && json_is_string(v) && (json_string_length(v) || !(f->flags & REQ)))
        check_oneof(c, at, f, v);
    if (json_is_string(v))
        check_string(c, at, f, v);
    else if (json_is_integer(v))
        check_range(c, at, f, v);
    else if (f->type == F_LIST && json_is_array(v))
        check_list(c, at, f, v);
    else if (f->type == F_MAP && json_is_object(v))
        check_map(c, at, f, v, old);
    else if (f->type == F_OBJECT && json_is_object(v))
        check_members(c, at, f->sub, v, old);
}

/* Whether a cause means that a document is not what its types say, so that rules would stumble over it. */
static bool misleads(const json_t *cause)
{
    static const char *const reasons[] = {"FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong",
                                          "FieldValueTooMany", "FieldValueTypeInvalid"};
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (streq(jstr_or(cause, "reason", ""), reasons[i]))
            return true;
    return false;
}

static void check_custom(const struct kind *k, const json_t *doc, const json_t *old, struct status_causes *causes)
{
    size_t i = json_array_size(causes->list);
    custom_validate(k->schema, doc, causes);
    if (!k->expressions)
        return;
    for (; i < json_array_size(causes->list); i++)
        if (misleads(json_array_get(causes->list, i))) {
            causes_add(causes, CAUSE_INVALID, "<nil>", json_null(),
                       "some validation rules were not checked because the object was invalid; correct the existing "
                       "errors to complete validation");
            return;
        }
    custom_expressions_check(k->expressions, doc, old, causes);
}

void schema_validate_fields(const struct kind *k, const json_t *doc, const json_t *old, struct status_causes *causes)
{
    struct path root = {0};
    metadata_validate(k, doc, old, causes);
    if (k->schema)
        check_custom(k, doc, old, causes);
    else
        check_members(causes, &root, k->fields, doc, old);
}

void schema_validate(const struct kind *k, const json_t *doc, const json_t *old, struct status_causes *causes)
{
    schema_validate_fields(k, doc, old, causes);
    if (k->validate)
        k->validate(doc, old, causes);
}
