/* Decoding: what Go's typed decoding does to a document, with its messages. The first wrong type ends the request;
 * unknown members are collected. */
#include <limits.h>
#include <math.h>

#include "api/path.h"
#include "api/schema.h"
#include "api/typename.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/quantity.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/custom.h"
#include "kinds/fields.h"

#define UNKNOWN_MAX 100      /* as upstream: nobody reads more, and each costs memory */
#define TEXT_MAX (16 * 1024) /* of one message */

struct decoder {
    const struct kind *kind;
    struct buf wrong; /* why the document is refused */
    json_t *unknown;  /* array of texts; NULL until the first */
    bool list_unknown;
    const json_t *repeated; /* places that the text named twice; NULL for none */
};

static json_t *decode_value(struct decoder *d, const struct path *at, const struct field *f, json_t *v);

const struct field *schema_member(const struct field *fields, const char *name)
{
    for (const struct field *f = fields; f && f->name; f++)
        if (streq(f->name, name))
            return f;
    return NULL;
}

static const char *json_type_text(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "number";
    default:
        return "bool";
    }
}

/* The type of the object that the path's last member is in, and that of the member's own objects. */
static void types_on_path(const struct decoder *d, const struct path *at, char in[TYPE_NAME_SIZE],
                          char own[TYPE_NAME_SIZE])
{
    if (!at->up) {
        type_name_of_kind(d->kind, own);
        *in = '\0';
        return;
    }
    types_on_path(d, at->up, in, own);
    if (at->name && !at->is_key) {
        memcpy(in, own, TYPE_NAME_SIZE);
        type_name_of_member(in, at->name, own);
    }
}

static void print_go_type(const struct field *f, const char *object_type, struct buf *out)
{
    static const char *const names[F_TYPE_N] = {
        [F_STR] = "string",       [F_INT] = "int32",     [F_INT64] = "int64",      [F_BOOL] = "bool",
        [F_NUMBER] = "float64",   [F_TIME] = "string",   [F_MICROTIME] = "string", [F_QUANTITY] = "string",
        [F_INT_OR_STR] = "int32", [F_BYTES] = "[]uint8", [F_LIST] = "[]",          [F_MAP] = "map[string]",
        [F_RAW] = "interface {}", [F_OBJECT] = "v1.",
    };
    buf_adds(out, names[f->type]);
    if (f->type == F_OBJECT)
        buf_adds(out, type_name_short(object_type));
    if (f->type == F_LIST || f->type == F_MAP)
        print_go_type(f->sub, object_type, out);
}

/* "spec.template.spec.containers.image": members only. */
static void print_members(const struct path *at, struct buf *out)
{
    if (!at->up)
        return;
    print_members(at->up, out);
    if (at->name && !at->is_key)
        buf_addf(out, ".%s", at->name);
}

static void refuse_type(struct decoder *d, const struct path *at, const struct field *f, const json_t *v)
{
    if (d->wrong.len)
        return;
    char in[TYPE_NAME_SIZE], own[TYPE_NAME_SIZE];
    types_on_path(d, at, in, own);
    buf_addf(&d->wrong, "json: cannot unmarshal %s", json_type_text(v));
    if (json_is_number(v) && f->type != F_STR && f->type != F_BOOL) {
        _cleanup_free_ char *number = jprint(v);
        buf_addf(&d->wrong, " %s", number);
    }
    buf_adds(&d->wrong, " into Go ");
    if (*in) {
        buf_addf(&d->wrong, "struct field %s", type_name_short(in));
        print_members(at, &d->wrong);
    } else {
        buf_adds(&d->wrong, "value");
    }
    buf_adds(&d->wrong, " of type ");
    print_go_type(f, own, &d->wrong);
}

static void refuse(struct decoder *d, const char *why)
{
    if (!d->wrong.len)
        buf_adds(&d->wrong, why);
}

static json_t *decode_int(struct decoder *d, const struct path *at, const struct field *f, json_t *v)
{
    double real = json_real_value(v);
    json_t *whole = NULL;
    if (json_is_real(v) && real == floor(real) && fabs(real) < 9e15)
        v = whole = json_integer((json_int_t)real);
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || (f->type != F_INT64 && (n < INT32_MIN || n > INT32_MAX)))
        refuse_type(d, at, f, v);
    return whole;
}

static json_t *decode_quantity(struct decoder *d, json_t *v)
{
    _cleanup_free_ char *text = json_is_number(v) ? jprint(v) : xstrdup_or_null(json_string_value(v));
    struct quantity q;
    char out[QUANTITY_TEXT_SIZE];
    if (!text || !quantity_parse(text, &q)) {
        refuse(d, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
        return NULL;
    }
    quantity_format_text(&q, out);
    return json_is_string(v) && streq(out, text) ? NULL : json_string(out);
}

static json_t *decode_time(struct decoder *d, const struct path *at, const struct field *f, json_t *v)
{
    const char *text = json_string_value(v);
    int64_t t;
    char out[TIME_TEXT_SIZE];
    if (!text) {
        refuse_type(d, at, f, v);
        return NULL;
    }
    if (!time_parse(text, &t)) {
        const char *layout = f->type == F_TIME ? "2006-01-02T15:04:05Z07:00" : "2006-01-02T15:04:05.000000Z07:00";
        if (!d->wrong.len)
            buf_addf(&d->wrong, "parsing time \"%s\" as \"%s\": cannot parse \"%s\" as \"2006\"", text, layout, text);
        return NULL;
    }
    f->type == F_TIME ? time_format(t, out) : time_format_micro(t, out);
    return streq(out, text) ? NULL : json_string(out);
}

/* Line ends inside are fine, as for Go; they are not kept. */
static json_t *decode_bytes(struct decoder *d, const struct path *at, const struct field *f, json_t *v)
{
    if (!json_is_string(v)) {
        refuse_type(d, at, f, v);
        return NULL;
    }
    _cleanup_free_ char *text = xstrndup(json_string_value(v), json_string_length(v));
    size_t len = 0, bytes;
    for (const char *p = text; *p; p++)
        if (*p != '\n' && *p != '\r')
            text[len++] = *p;
    text[len] = '\0';
    _cleanup_free_ void *decoded = base64_decode(text, len, &bytes);
    if (!decoded) {
        size_t good = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
        if (!d->wrong.len)
            buf_addf(&d->wrong, "illegal base64 data at input byte %zu", good);
        return NULL;
    }
    return len == json_string_length(v) ? NULL : json_string(text);
}

/* What null inside a list or map stands for: Go's zero value. */
static json_t *zero_value(const struct field *f)
{
    static const char *const texts[F_TYPE_N] = {
        [F_STR] = "\"\"",  [F_INT] = "0",          [F_INT64] = "0",        [F_BOOL] = "false", [F_NUMBER] = "0",
        [F_TIME] = "null", [F_MICROTIME] = "null", [F_QUANTITY] = "\"0\"", [F_BYTES] = "\"\"", [F_INT_OR_STR] = "0",
        [F_OBJECT] = "{}", [F_LIST] = "[]",        [F_MAP] = "{}",         [F_RAW] = "null",
    };
    return json_loads(texts[f->type], JSON_DECODE_ANY, NULL);
}

static json_t *decode_item(struct decoder *d, const struct path *at, const struct field *f, json_t *v)
{
    return json_is_null(v) ? zero_value(f) : decode_value(d, at, f, v);
}

static void note(struct decoder *d, const char *what, const char *where)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    if (!d->unknown)
        d->unknown = json_array();
    buf_addf(&text, "%s%s%s%s", what, where ? " \"" : "", str_or(where, ""), where ? "\"" : "");
    if (json_array_size(d->unknown) < UNKNOWN_MAX)
        json_array_append_new(d->unknown, json_string(buf_str(&text)));
    buf_done(&text);
}

static void note_unknown(struct decoder *d, const struct path *at)
{
    struct buf where = BUF_INIT(TEXT_MAX);
    path_print(at, PATH_DECODING, &where);
    if (d->list_unknown)
        note(d, "unknown field", buf_str(&where));
    buf_done(&where);
}

static void note_repeated(struct decoder *d, const struct path *at)
{
    if (!d->list_unknown || !json_is_object(d->repeated))
        return;
    struct buf where = BUF_INIT(TEXT_MAX);
    path_print(at, PATH_DECODING, &where);
    if (json_object_get(d->repeated, buf_str(&where)))
        note(d, "duplicate field", buf_str(&where));
    buf_done(&where);
}

/* Complaints that stand before all others. YAML's are one when they refuse the document. */
static void note_lines(struct decoder *d, const json_t *lines, bool as_one)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    size_t i;
    json_t *line;
    buf_adds(&text, "yaml: unmarshal errors:");
    json_array_foreach((json_t *)lines, i, line) {
        buf_addf(&text, "\n  %s", json_string_value(line));
        if (!as_one)
            note(d, json_string_value(line), NULL);
    }
    if (as_one)
        note(d, buf_str(&text), NULL);
    buf_done(&text);
}

static void decode_list(struct decoder *d, const struct path *at, const struct field *f, json_t *v)
{
    size_t i;
    json_t *item;
    if (!json_is_array(v)) {
        refuse_type(d, at, f, v);
        return;
    }
    json_array_foreach(v, i, item) {
        struct path here = {.up = at, .index = i};
        json_t *better = decode_item(d, &here, f->sub, item);
        if (better)
            json_array_set_new(v, i, better);
    }
}

static void decode_map(struct decoder *d, const struct path *at, const struct field *f, json_t *v)
{
    const char *key;
    json_t *item;
    void *tmp;
    if (!json_is_object(v)) {
        refuse_type(d, at, f, v);
        return;
    }
    json_object_foreach_safe(v, tmp, key, item)
    {
        struct path here = {.up = at, .name = key, .is_key = true};
        json_t *better = decode_item(d, &here, f->sub, item);
        if (better)
            json_object_set_new(v, key, better);
        note_repeated(d, &here);
    }
}

static bool is_zero(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return json_object_size(v) == 0;
    case JSON_ARRAY:
        return json_array_size(v) == 0;
    case JSON_STRING:
        return json_string_length(v) == 0;
    case JSON_INTEGER:
        return json_integer_value(v) == 0;
    default:
        return json_is_false(v);
    }
}

static void decode_members(struct decoder *d, const struct path *at, const struct field *fields, json_t *o)
{
    const char *name;
    json_t *v;
    void *tmp;
    bool is_root = !at->up;
    json_object_foreach_safe(o, tmp, name, v)
    {
        struct path here = {.up = at, .name = name};
        const struct field *f = schema_member(fields, name);
        if (!f && is_root && (streq(name, "apiVersion") || streq(name, "kind")))
            continue;
        if (!f) {
            note_unknown(d, &here);
            json_object_del(o, name);
            continue;
        }
        if (json_is_null(v)) {
            if (!(f->flags & NULLABLE))
                json_object_del(o, name);
            continue;
        }
        json_t *better = decode_value(d, &here, f, v);
        if (better)
            json_object_set_new(o, name, better);
        note_repeated(d, &here);
        if ((f->flags & OPT) && is_zero(better ? better : v))
            json_object_del(o, name);
    }
}

/* Changes v in place, or returns what has to stand in its place. */
static json_t *decode_value(struct decoder *d, const struct path *at, const struct field *f, json_t *v)
{
    bool fits = true;
    switch (f->type) {
    case F_STR:
        fits = json_is_string(v);
        break;
    case F_BOOL:
        fits = json_is_boolean(v);
        break;
    case F_NUMBER:
        fits = json_is_number(v);
        break;
    case F_INT_OR_STR:
        if (json_is_string(v))
            break;
        __attribute__((fallthrough));
    case F_INT:
    case F_INT64:
        return decode_int(d, at, f, v);
    case F_TIME:
    case F_MICROTIME:
        return decode_time(d, at, f, v);
    case F_QUANTITY:
        return decode_quantity(d, v);
    case F_BYTES:
        return decode_bytes(d, at, f, v);
    case F_LIST:
        decode_list(d, at, f, v);
        break;
    case F_MAP:
        decode_map(d, at, f, v);
        break;
    case F_OBJECT:
        fits = json_is_object(v);
        if (fits)
            decode_members(d, at, f->sub, v);
        break;
    case F_RAW:
    case F_TYPE_N:
        break;
    }
    if (!fits)
        refuse_type(d, at, f, v);
    return NULL;
}

/* A document that a schema describes: its types are validation's matter, and only metadata is as everywhere. */
static void decode_custom(struct decoder *d, const struct path *root, json_t *doc)
{
    static const struct field metadata = FIELD_METADATA;
    struct path here = {.up = root, .name = metadata.name};
    json_t *m = json_object_get(doc, metadata.name);
    if (m && !json_is_null(m))
        decode_value(d, &here, &metadata, m);
    const char *place;
    json_t *ignored;
    if (d->list_unknown)
        json_object_foreach((json_t *)d->repeated, place, ignored)
            note(d, "duplicate field", place);
    if (d->list_unknown && !d->unknown)
        d->unknown = json_array();
    custom_prune(d->kind->schema, doc, d->unknown);
    if (json_array_size(d->unknown) == 0)
        json_decref(TAKE(d->unknown));
}

static json_t *refusal(const struct kind *k, const char *why)
{
    return status_new(STATUS_BAD_REQUEST, "%s in version \"%s\" cannot be handled as a %s: %s", k->kind, k->version,
                      k->kind, why);
}

static json_t *strict_refusal(const struct kind *k, const json_t *unknown)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    size_t i;
    json_t *u;
    buf_adds(&text, "strict decoding error: ");
    json_array_foreach((json_t *)unknown, i, u)
        buf_addf(&text, "%s%s", i ? ", " : "", json_string_value(u));
    json_t *status = refusal(k, buf_str(&text));
    buf_done(&text);
    return status;
}

json_t *schema_decode(const struct kind *k, json_t *doc, enum field_validation mode, json_t **warnings)
{
    return schema_decode_repeated(k, doc, mode, NULL, warnings);
}

json_t *schema_decode_repeated(const struct kind *k, json_t *doc, enum field_validation mode, const json_t *repeated,
                               json_t **warnings)
{
    static const struct field document = {.type = F_OBJECT};
    struct decoder d = {
        .kind = k, .wrong = BUF_INIT(TEXT_MAX), .list_unknown = mode != VALIDATION_IGNORE, .repeated = repeated};
    struct path root = {0};
    if (json_array_size(repeated) && d.list_unknown)
        note_lines(&d, repeated, mode == VALIDATION_STRICT);
    if (json_is_object(doc) && k->schema)
        decode_custom(&d, &root, doc);
    else if (json_is_object(doc))
        decode_members(&d, &root, k->fields, doc);
    else
        refuse_type(&d, &root, &document, doc);
    json_t *status = NULL;
    if (d.wrong.len || d.wrong.overflowed)
        status = refusal(k, buf_str(&d.wrong));
    else if (d.unknown && mode == VALIDATION_STRICT)
        status = strict_refusal(k, d.unknown);
    else if (d.unknown && warnings && *warnings)
        json_array_extend(*warnings, d.unknown);
    else if (d.unknown && warnings)
        *warnings = json_incref(d.unknown);
    json_decref(d.unknown);
    buf_done(&d.wrong);
    return status;
}
