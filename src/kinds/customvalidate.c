/* Validation of custom resources against their schema. Order and words are those of kube-openapi's validator and of
 * apiextensions-apiserver, which turns its errors into causes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/pattern.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/custom.h"

#define PATH_MAX_BYTES (16 * 1024)
/* Values looked at in one document: more than an object can hold, but nested anyOfs multiply. About a second. */
#define WORK_MAX 1000000

struct check {
    struct status_causes *causes;
    struct buf path;
    int *work;
};

static void check(struct check *c, const json_t *schema, const json_t *v);

static void __attribute__((format(printf, 4, 5)))
complain(struct check *c, enum cause_type type, const json_t *v, const char *fmt, ...)
{
    struct buf text = BUF_INIT(PATH_MAX_BYTES);
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    causes_add(c->causes, type, c->path.len ? buf_str(&c->path) : "<nil>", v, "%s", buf_str(&text));
    buf_done(&text);
}

/* "spec.replicas in body " and what is wrong. */
static void __attribute__((format(printf, 3, 4)))
complain_in_body(struct check *c, const json_t *v, const char *fmt, ...)
{
    struct buf text = BUF_INIT(PATH_MAX_BYTES);
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    complain(c, CAUSE_INVALID, v, "%s in body %s", buf_str(&c->path), buf_str(&text));
    buf_done(&text);
}

/* --- types --- */

static bool is_whole(const json_t *v)
{
    return json_is_integer(v) || (json_is_real(v) && json_real_value(v) == floor(json_real_value(v)));
}

static const char *type_of(const json_t *v)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "array",  [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
        [JSON_REAL] = "number",   [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null",
    };
    return json_is_real(v) && is_whole(v) ? "integer" : names[json_typeof(v)];
}

static bool type_fits(const json_t *schema, const json_t *v)
{
    const char *type = jstr_or(schema, "type", ""), *is = type_of(v);
    if (json_is_null(v))
        return jbool(schema, "nullable", false) || !*type;
    if (jbool(schema, "x-kubernetes-int-or-string", false))
        return streq(is, "integer") || streq(is, "string");
    return !*type || streq(type, is) || (streq(type, "number") && streq(is, "integer"));
}

static void complain_type(struct check *c, const json_t *v, const char *wanted, const char *got)
{
    _cleanup_json_ json_t *value = json_string(got);
    (void)v;
    complain(c, CAUSE_TYPE_INVALID, value, "%s in body must be of type %s: \"%s\"", buf_str(&c->path), wanted, got);
}

/* --- scalars --- */

/* A number as Go prints it. */
static const char *number_text(const json_t *n, char out[64])
{
    if (json_is_integer(n))
        snprintf(out, 64, "%" JSON_INTEGER_FORMAT, json_integer_value(n));
    else
        snprintf(out, 64, "%.*g", 15, json_real_value(n));
    return out;
}

static void check_number(struct check *c, const json_t *schema, const json_t *v)
{
    const json_t *max = json_object_get(schema, "maximum"), *min = json_object_get(schema, "minimum");
    const json_t *step = json_object_get(schema, "multipleOf");
    bool max_open = jbool(schema, "exclusiveMaximum", false), min_open = jbool(schema, "exclusiveMinimum", false);
    double n = json_number_value(v), bound;
    const char *format = jstr_or(schema, "format", "");
    char text[64];
    if (streq(format, "int32") && (n < INT32_MIN || n > INT32_MAX))
        complain_in_body(c, v, "must be of type int32: \"%s\"", number_text(v, text));
    if (json_is_number(step) && json_number_value(step) > 0 &&
        fabs(remainder(n, json_number_value(step))) > 1e-9 * fabs(n))
        complain_in_body(c, v, "should be a multiple of %s", number_text(step, text));
    if (json_is_number(max) && ((bound = json_number_value(max)) < n || (max_open && n == bound)))
        complain_in_body(c, v, "should be less than %s%s", max_open ? "" : "or equal to ", number_text(max, text));
    if (json_is_number(min) && ((bound = json_number_value(min)) > n || (min_open && n == bound)))
        complain_in_body(c, v, "should be greater than %s%s", min_open ? "" : "or equal to ", number_text(min, text));
}

static size_t characters(const json_t *v)
{
    size_t n = 0;
    for (const char *s = json_string_value(v); *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static void check_string(struct check *c, const json_t *schema, const json_t *v)
{
    const char *pattern = jstr_or(schema, "pattern", ""), *format = jstr_or(schema, "format", "");
    int64_t max = jint(schema, "maxLength", -1), min = jint(schema, "minLength", -1);
    size_t n = characters(v);
    if (max >= 0 && n > (size_t)max)
        complain(c, CAUSE_TOO_LONG, v, "may not be more than %lld bytes", (long long)max);
    if (min >= 0 && n < (size_t)min)
        complain_in_body(c, v, "should be at least %lld chars long", (long long)min);
    if (*pattern && !pattern_found(pattern, json_string_value(v), json_string_length(v)))
        complain_in_body(c, v, "should match '%s'", pattern);
    if (*format && !custom_format_fits(format, json_string_value(v)))
        complain(c, CAUSE_INVALID, v, "%s in body must be of type %s: \"%s\"", buf_str(&c->path), format,
                 json_string_value(v));
}

static void check_enum(struct check *c, const json_t *schema, const json_t *v)
{
    const json_t *values = json_object_get(schema, "enum");
    struct buf supported = BUF_INIT(PATH_MAX_BYTES);
    size_t i;
    json_t *one;
    if (!json_array_size(values))
        return;
    json_array_foreach((json_t *)values, i, one) {
        if (json_equal(one, v)) {
            buf_done(&supported);
            return;
        }
        _cleanup_free_ char *text = jprint(one);
        bool quoted = json_is_string(one);
        buf_addf(&supported, "%s%s%s%s", i ? ", " : "", quoted ? "" : "\"", text, quoted ? "" : "\"");
    }
    complain(c, CAUSE_NOT_SUPPORTED, v, "supported values: %s", buf_str(&supported));
    buf_done(&supported);
}

/* --- composed values --- */

/* Items of a list that is a set or a map: the values of its keys as one text. */
static char *identity(const json_t *keys, const json_t *item)
{
    size_t i;
    json_t *key;
    if (!json_array_size(keys))
        return jprint_sorted(item);
    _cleanup_json_ json_t *values = json_array();
    json_array_foreach((json_t *)keys, i, key) {
        json_t *value = json_object_get(item, str_or(json_string_value(key), ""));
        json_array_append(values, value ? value : json_null());
    }
    return jprint_sorted(values);
}

static void check_differ(struct check *c, const json_t *schema, const json_t *v)
{
    const char *type = jstr_or(schema, "x-kubernetes-list-type", "atomic");
    bool is_map = streq(type, "map"), unique = jbool(schema, "uniqueItems", false);
    const json_t *keys = is_map ? json_object_get(schema, "x-kubernetes-list-map-keys") : NULL;
    struct map seen = {0};
    size_t i, len = c->path.len;
    json_t *item;
    if (!unique && !is_map && !streq(type, "set"))
        return;
    json_array_foreach((json_t *)v, i, item) {
        _cleanup_free_ char *id = identity(keys, item);
        if (!map_put(&seen, id, item))
            continue;
        if (unique) {
            complain_in_body(c, v, "shouldn't contain duplicates");
            break;
        }
        _cleanup_json_ json_t *shown = is_map ? json_object() : json_incref(item);
        size_t k;
        json_t *key;
        json_array_foreach((json_t *)keys, k, key)
            json_object_set(shown, json_string_value(key), json_object_get(item, json_string_value(key)));
        buf_addf(&c->path, "[%zu]", i);
        complain(c, CAUSE_DUPLICATE, shown, "%s", "");
        buf_cut(&c->path, len);
    }
    map_done(&seen);
}

static void check_list(struct check *c, const json_t *schema, const json_t *v)
{
    int64_t max = jint(schema, "maxItems", -1), min = jint(schema, "minItems", -1);
    const json_t *items = json_object_get(schema, "items");
    size_t i, n = json_array_size(v), len = c->path.len;
    json_t *item;
    _cleanup_json_ json_t *count = json_integer((json_int_t)n);
    if (min >= 0 && n < (size_t)min)
        complain_in_body(c, count, "should have at least %lld items", (long long)min);
    if (max >= 0 && n > (size_t)max)
        complain(c, CAUSE_TOO_MANY, count, "must have at most %lld items", (long long)max);
    check_differ(c, schema, v);
    json_array_foreach((json_t *)v, i, item) {
        buf_addf(&c->path, "[%zu]", i);
        check(c, items, item);
        buf_cut(&c->path, len);
    }
}

static void check_required(struct check *c, const json_t *required, const json_t *v)
{
    size_t i, len = c->path.len;
    json_t *name;
    json_array_foreach((json_t *)required, i, name) {
        const char *text = str_or(json_string_value(name), "");
        if (json_object_get(v, text))
            continue;
        buf_addf(&c->path, "%s%s", len ? "." : "", text);
        complain(c, CAUSE_REQUIRED, NULL, "%s", "");
        buf_cut(&c->path, len);
    }
}

static void check_embedded(struct check *c, const json_t *schema, const json_t *v)
{
    static const char *const names[] = {"apiVersion", "kind"};
    size_t len = c->path.len;
    if (!jbool(schema, "x-kubernetes-embedded-resource", false))
        return;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (*jstr_or(v, names[i], ""))
            continue;
        buf_addf(&c->path, "%s%s", len ? "." : "", names[i]);
        complain(c, CAUSE_REQUIRED, NULL, "must not be empty");
        buf_cut(&c->path, len);
    }
}

static void check_members(struct check *c, const json_t *schema, const json_t *v)
{
    int64_t max = jint(schema, "maxProperties", -1), min = jint(schema, "minProperties", -1);
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties");
    size_t n = json_object_size(v), len = c->path.len;
    const char *name;
    json_t *member;
    _cleanup_json_ json_t *count = json_integer((json_int_t)n);
    if (min >= 0 && n < (size_t)min)
        complain_in_body(c, count, "should have at least %lld properties", (long long)min);
    if (max >= 0 && n > (size_t)max)
        complain(c, CAUSE_TOO_MANY, count, "must have at most %lld items", (long long)max);
    check_required(c, json_object_get(schema, "required"), v);
    check_embedded(c, schema, v);
    json_object_foreach((json_t *)v, name, member) {
        const json_t *of = json_object_get(properties, name);
        buf_addf(&c->path, "%s%s", len ? "." : "", name);
        check(c, of ? of : others, member);
        buf_cut(&c->path, len);
    }
}

/* --- allOf, anyOf, oneOf, not --- */

/* What is wrong by one of the schemas, into causes of its own. */
static size_t try_one(struct check *c, const json_t *schema, const json_t *v, struct status_causes *wrong)
{
    struct check inner = {.causes = wrong, .path = c->path, .work = c->work};
    check(&inner, schema, v);
    c->path = inner.path;
    return json_array_size(wrong->list);
}

static void take_over(struct check *c, const struct status_causes *wrong)
{
    if (!wrong->list)
        return;
    if (!c->causes->list)
        c->causes->list = json_array();
    json_array_extend(c->causes->list, wrong->list);
}

/* These have no path of their own upstream. */
static void complain_junction(struct check *c, const char *what)
{
    _cleanup_json_ json_t *nothing = json_string("");
    causes_add(c->causes, CAUSE_INVALID, "<nil>", nothing, "\"%s\" %s", buf_str(&c->path), what);
}

/* Returns how many fit; the causes of the one that fits best. */
static size_t try_all(struct check *c, const json_t *schemas, const json_t *v, struct status_causes *best)
{
    size_t i, fits = 0, best_n = SIZE_MAX;
    json_t *schema;
    json_array_foreach((json_t *)schemas, i, schema) {
        struct status_causes wrong = {0};
        size_t n = try_one(c, schema, v, &wrong);
        fits += n == 0;
        if (n < best_n) {
            causes_done(best);
            *best = wrong;
            best_n = n;
        } else {
            causes_done(&wrong);
        }
    }
    return fits;
}

static void check_junctions(struct check *c, const json_t *schema, const json_t *v)
{
    static const struct {
        const char *name, *none, *several;
        bool all;
    } kinds[] = {
        {"anyOf", "must validate at least one schema (anyOf)", NULL, false},
        {"oneOf", "must validate one and only one schema (oneOf). Found none valid",
         "must validate one and only one schema (oneOf). Found more than one valid", false},
        {"allOf", "must validate all the schemas (allOf)", NULL, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const json_t *schemas = json_object_get(schema, kinds[i].name);
        size_t n = json_array_size(schemas);
        struct status_causes best = {0};
        if (!n)
            continue;
        size_t fits = try_all(c, schemas, v, &best);
        if (kinds[i].all ? fits < n : !fits) {
            complain_junction(c, kinds[i].none);
            take_over(c, &best);
        } else if (kinds[i].several && fits > 1) {
            complain_junction(c, kinds[i].several);
        }
        causes_done(&best);
    }
    const json_t *not = json_object_get(schema, "not");
    struct status_causes wrong = {0};
    if (not &&try_one(c, not, v, &wrong) == 0)
        complain_junction(c, "must not validate the schema (not)");
    causes_done(&wrong);
}

/* --- one value --- */

static void check(struct check *c, const json_t *schema, const json_t *v)
{
    if (!json_is_object(schema))
        return;
    if (--*c->work < 0) {
        if (*c->work == -1)
            complain(c, CAUSE_INVALID, json_null(), "validation takes too long");
        return;
    }
    if (!type_fits(schema, v)) {
        bool either = jbool(schema, "x-kubernetes-int-or-string", false);
        complain_type(c, v, either ? "integer,string" : jstr_or(schema, "type", ""), type_of(v));
        return;
    }
    if (json_is_null(v))
        return;
    check_junctions(c, schema, v);
    check_enum(c, schema, v);
    if (json_is_number(v))
        check_number(c, schema, v);
    else if (json_is_string(v))
        check_string(c, schema, v);
    else if (json_is_array(v))
        check_list(c, schema, v);
    else if (json_is_object(v))
        check_members(c, schema, v);
}

void custom_validate_value(const json_t *schema, const json_t *value, const char *at, struct status_causes *causes)
{
    int work = WORK_MAX;
    struct check c = {.causes = causes, .path = BUF_INIT(PATH_MAX_BYTES), .work = &work};
    buf_adds(&c.path, at);
    check(&c, schema, value);
    buf_done(&c.path);
}

void custom_validate(const json_t *schema, const json_t *doc, struct status_causes *causes)
{
    custom_validate_value(schema, doc, "", causes);
}
