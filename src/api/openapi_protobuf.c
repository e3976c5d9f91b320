/* An OpenAPI 2 document as openapi.v2.Document of gnostic, which kubectl up to 1.2x insists on. Only the parts that our
 * document has are described; a table a message, walked over the JSON. */
#include "api/openapi.h"
#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

enum shape {
    TEXT,
    FLAG,
    TEXTS,      /* repeated string */
    TYPE,       /* one text where the message wants a list in a message of its own */
    MESSAGE,    /* an object */
    NAMED,      /* an object with names of its own: message { repeated { name = 1, value = 2 } = .entry } */
    PARAMETERS, /* a list of which each item chooses its message */
};

struct message;

struct member {
    const char *name; /* in the JSON */
    int number;
    enum shape shape;
    const struct message *of;
    int wrap;  /* MESSAGE and NAMED values stand in a further message under this number; 0: they do not */
    int entry; /* NAMED */
};

struct message {
    const struct member *members;
    int extensions; /* number of the repeated NamedAny that takes "x-…" members; 0: none */
};

static const struct message schema;

static const struct member schema_members[] = {
    {"$ref", 1, TEXT},
    {"format", 2, TEXT},
    {"description", 4, TEXT},
    {"required", 19, TEXTS},
    {"additionalProperties", 21, MESSAGE, &schema, .wrap = 1},
    {"type", 22, TYPE},
    {"items", 23, MESSAGE, &schema, .wrap = 1},
    {"properties", 25, NAMED, &schema, .entry = 1},
    {0},
};
static const struct message schema = {schema_members, 31};

/* The same numbers in path and query parameters up to here, not beyond. */
static const struct member path_parameter_members[] = {
    {"required", 1, FLAG}, {"in", 2, TEXT}, {"description", 3, TEXT}, {"name", 4, TEXT}, {"type", 5, TEXT}, {0}};
static const struct member query_parameter_members[] = {
    {"required", 1, FLAG}, {"in", 2, TEXT}, {"description", 3, TEXT}, {"name", 4, TEXT}, {"type", 6, TEXT}, {0}};
static const struct member body_parameter_members[] = {{"description", 1, TEXT},
                                                       {"name", 2, TEXT},
                                                       {"in", 3, TEXT},
                                                       {"required", 4, FLAG},
                                                       {"schema", 5, MESSAGE, &schema},
                                                       {0}};

/* ParametersItem.parameter.body_parameter, or .parameter.non_body_parameter.… */
static const struct {
    const char *in;
    struct message message;
    int wraps[4]; /* outermost first, 0 ends */
} parameter_kinds[] = {
    {"body", {body_parameter_members, 6}, {1, 1}},
    {"query", {query_parameter_members, 23}, {1, 2, 3}},
    {"path", {path_parameter_members, 22}, {1, 2, 4}},
};

static const struct member response_members[] = {
    {"description", 1, TEXT}, {"schema", 2, MESSAGE, &schema, .wrap = 1}, {0}};
static const struct message response = {response_members, 5};

static const struct member operation_members[] = {
    {"description", 3, TEXT},
    {"parameters", 8, PARAMETERS},
    {"responses", 9, NAMED, &response, .wrap = 1, .entry = 1},
    {0},
};
static const struct message operation = {operation_members, 13};

static const struct member path_members[] = {
    {"get", 2, MESSAGE, &operation},
    {"put", 3, MESSAGE, &operation},
    {"post", 4, MESSAGE, &operation},
    {"delete", 5, MESSAGE, &operation},
    {"patch", 8, MESSAGE, &operation},
    {"parameters", 9, PARAMETERS},
    {0},
};
static const struct message path_item = {path_members, 10};

static const struct member info_members[] = {{"title", 1, TEXT}, {"version", 2, TEXT}, {0}};
static const struct message info = {info_members, 0};

static const struct member document_members[] = {
    {"swagger", 1, TEXT},
    {"info", 2, MESSAGE, &info},
    {"paths", 8, NAMED, &path_item, .entry = 2},
    {"definitions", 9, NAMED, &schema, .entry = 1},
    {0},
};
static const struct message document = {document_members, 16};

/* ---- the wire ---- */

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_addc(out, (char)(v | 0x80));
    buf_addc(out, (char)v);
}

static void put_bytes(struct buf *out, int number, const char *bytes, size_t len)
{
    put_varint(out, (uint64_t)number << 3 | 2);
    put_varint(out, len);
    buf_add(out, bytes, len);
}

static void put_text(struct buf *out, int number, const json_t *text)
{
    put_bytes(out, number, json_string_value(text), json_string_length(text));
}

static void put_flag(struct buf *out, int number, bool v)
{
    put_varint(out, (uint64_t)number << 3);
    put_varint(out, v);
}

/* Appends the finished message and empties it. */
static void put_message(struct buf *out, int number, struct buf *message)
{
    put_bytes(out, number, buf_str(message), message->len);
    buf_done(message);
}

static void put_members(struct buf *out, const struct message *m, const json_t *o);

static void put_object(struct buf *out, int number, int wrap, const struct message *m, const json_t *o)
{
    struct buf body = BUF_INIT(0), outer = BUF_INIT(0);
    put_members(&body, m, o);
    if (wrap) {
        put_message(&outer, wrap, &body);
        put_message(out, number, &outer);
    } else {
        put_message(out, number, &body);
    }
}

static void put_named(struct buf *out, const struct member *f, const json_t *o)
{
    struct buf all = BUF_INIT(0);
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)o, name, v) {
        struct buf entry = BUF_INIT(0);
        put_bytes(&entry, 1, name, strlen(name));
        put_object(&entry, 2, f->wrap, f->of, v);
        put_message(&all, f->entry, &entry);
    }
    put_message(out, f->number, &all);
}

static void put_parameter(struct buf *out, int number, const json_t *p)
{
    for (size_t i = 0; i < ARRAY_LEN(parameter_kinds); i++) {
        if (!streq(parameter_kinds[i].in, jstr_or(p, "in", "")))
            continue;
        struct buf body = BUF_INIT(0);
        put_members(&body, &parameter_kinds[i].message, p);
        for (int w = 3; w >= 0; w--) {
            struct buf outer = BUF_INIT(0);
            if (!parameter_kinds[i].wraps[w])
                continue;
            put_message(&outer, parameter_kinds[i].wraps[w], &body);
            body = outer;
        }
        put_message(out, number, &body);
    }
}

/* Extensions travel as YAML text; JSON is that too. */
static void put_extension(struct buf *out, int number, const char *name, const json_t *v)
{
    struct buf entry = BUF_INIT(0), any = BUF_INIT(0);
    _cleanup_free_ char *yaml = jprint(v);
    put_bytes(&any, 2, yaml, strlen(yaml));
    put_bytes(&entry, 1, name, strlen(name));
    put_message(&entry, 2, &any);
    put_message(out, number, &entry);
}

static void put_list(struct buf *out, const struct member *f, const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item) {
        if (f->shape == TEXTS)
            put_text(out, f->number, item);
        else
            put_parameter(out, f->number, item);
    }
}

static void put_member(struct buf *out, const struct member *f, const json_t *v)
{
    struct buf type = BUF_INIT(0);
    switch (f->shape) {
    case TEXT:
        put_text(out, f->number, v);
        break;
    case FLAG:
        put_flag(out, f->number, json_is_true(v));
        break;
    case TYPE:
        put_text(&type, 1, v);
        put_message(out, f->number, &type);
        break;
    case MESSAGE:
        put_object(out, f->number, f->wrap, f->of, v);
        break;
    case NAMED:
        put_named(out, f, v);
        break;
    case TEXTS:
    case PARAMETERS:
        put_list(out, f, v);
        break;
    }
}

static void put_members(struct buf *out, const struct message *m, const json_t *o)
{
    const char *name;
    json_t *v;
    for (const struct member *f = m->members; f->name; f++)
        if ((v = json_object_get(o, f->name)))
            put_member(out, f, v);
    json_object_foreach((json_t *)o, name, v)
        if (m->extensions && str_after(name, "x-"))
            put_extension(out, m->extensions, name, v);
}

void openapi_v2_protobuf(const json_t *v2, struct buf *out)
{
    put_members(out, &document, v2);
}
