/* See protobuf.h. Walks the wire format by the kind's table; what the values mean in JSON is the row's type. */
#include "api/protobuf.h"

#include <stdio.h>
#include <string.h>

#include "api/schema.h"
#include "api/typename.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"

#define NAME_SIZE 128
/* time.Time's range in RFC 3339: the years 1 to 9999. */
#define SECONDS_MIN (-62135596800)
#define SECONDS_MAX 253402300799

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct reader {
    const unsigned char *at, *end;
    bool *bad; /* shared by all readers of one body */
};

/* One field as it is on the wire. */
struct record {
    uint64_t number, value; /* value: of a varint */
    enum wire_type wire;
    struct reader bytes;
};

static json_t *read_value(const struct field *f, const char *type, const struct record *rec, int depth);

/* --- the wire --- */

static uint64_t read_varint(struct reader *r)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        unsigned char byte = *r->at++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    *r->bad = true;
    return 0;
}

static void skip(struct reader *r, uint64_t len)
{
    if (len > (uint64_t)(r->end - r->at)) {
        *r->bad = true;
        len = (uint64_t)(r->end - r->at);
    }
    r->at += len;
}

/* False at the end, or when nothing sensible follows. */
static bool read_record(struct reader *r, struct record *ret)
{
    if (r->at == r->end || *r->bad)
        return false;
    uint64_t key = read_varint(r);
    *ret = (struct record){.number = key >> 3, .wire = key & 7, .bytes = {r->at, r->at, r->bad}};
    switch (ret->wire) {
    case WIRE_VARINT:
        ret->value = read_varint(r);
        break;
    case WIRE_FIXED64:
        skip(r, 8);
        break;
    case WIRE_FIXED32:
        skip(r, 4);
        break;
    case WIRE_BYTES: {
        uint64_t len = read_varint(r);
        ret->bytes.at = r->at;
        skip(r, len);
        ret->bytes.end = r->at;
        break;
    }
    default: /* groups are not used */
        *r->bad = true;
    }
    return !*r->bad;
}

/* The record with this number inside a small message; false when it is not there. */
static bool find_record(struct reader r, uint64_t number, struct record *ret)
{
    bool found = false;
    struct record rec;
    while (read_record(&r, &rec))
        if (rec.number == number) {
            *ret = rec;
            found = true;
        }
    return found;
}

/* --- scalars --- */

static json_t *text_of(const struct reader *r)
{
    size_t len = (size_t)(r->end - r->at);
    bool has_nul = memchr(r->at, '\0', len) != NULL; /* JSON bodies may have none either */
    json_t *text = has_nul ? NULL : json_stringn((const char *)r->at, len);
    if (!text)
        *r->bad = true; /* no UTF-8 */
    return text;
}

static json_t *base64_of(const struct reader *r)
{
    _cleanup_free_ char *text = base64_encode(r->at, (size_t)(r->end - r->at));
    return json_string(text);
}

/* metav1.Time and MicroTime: {seconds=1, nanos=2}; the zero time is an empty message. NULL: no time. */
static json_t *time_of(const struct field *f, const struct reader *r)
{
    struct record rec;
    int64_t seconds = find_record(*r, 1, &rec) ? (int64_t)rec.value : 0;
    int64_t nanos = find_record(*r, 2, &rec) ? (int64_t)rec.value : 0;
    char text[TIME_TEXT_SIZE];
    if (r->at == r->end || seconds < SECONDS_MIN || seconds > SECONDS_MAX || nanos < 0 || nanos >= 1000000000)
        return NULL;
    int64_t usec = seconds * 1000000 + nanos / 1000;
    return json_string(f->type == F_TIME ? time_format(usec, text) : time_format_micro(usec, text));
}

/* resource.Quantity: {string=1}. */
static json_t *quantity_of(const struct reader *r)
{
    struct record rec;
    if (!find_record(*r, 1, &rec) || rec.bytes.at == rec.bytes.end)
        return json_string("0");
    return text_of(&rec.bytes);
}

/* intstr.IntOrString: {type=1, intVal=2, strVal=3}. */
static json_t *int_or_string_of(const struct reader *r)
{
    struct record rec;
    if (find_record(*r, 1, &rec) && rec.value == 1)
        return find_record(*r, 3, &rec) ? text_of(&rec.bytes) : json_string("");
    return json_integer(find_record(*r, 2, &rec) ? (int32_t)rec.value : 0);
}

/* FieldsV1 and RawExtension: {raw=1}, JSON. NULL when it is none. */
static json_t *raw_of(const struct reader *r)
{
    struct record rec;
    struct err err;
    if (!find_record(*r, 1, &rec))
        return NULL;
    return jparse((const char *)rec.bytes.at, (size_t)(rec.bytes.end - rec.bytes.at), &err);
}

static json_t *double_of(const struct record *rec)
{
    double v = 0;
    if (rec->wire == WIRE_FIXED64)
        memcpy(&v, rec->bytes.at, sizeof(v)); /* the record's bytes begin where the number is */
    return json_real(v);
}

/* --- messages --- */

/* The member with this number, with its '^' when it is inlined; false when there is none. */
static bool find_member(const char *numbers, uint64_t number, char name[NAME_SIZE])
{
    char wanted[24];
    int len = snprintf(wanted, sizeof(wanted), "=%llu", (unsigned long long)number);
    for (const char *s = numbers; s && *s;) {
        size_t name_len = strcspn(s, "="), all = strcspn(s, " ");
        if (all - name_len == (size_t)len && strncmp(s + name_len, wanted, (size_t)len) == 0 && name_len < NAME_SIZE) {
            memcpy(name, s, name_len);
            name[name_len] = '\0';
            return true;
        }
        s += all + (s[all] == ' ');
    }
    return false;
}

/* Repeated integers may be packed into one record. */
static void add_items(const struct field *f, const char *type, const struct record *rec, json_t *list, int depth)
{
    bool is_varint = f->sub->type == F_INT || f->sub->type == F_INT64 || f->sub->type == F_BOOL;
    if (!is_varint || rec->wire != WIRE_BYTES) {
        json_array_append_new(list, read_value(f->sub, type, rec, depth));
        return;
    }
    struct reader r = rec->bytes;
    while (r.at < r.end && !*r.bad) {
        struct record one = {.wire = WIRE_VARINT, .value = read_varint(&r)};
        json_array_append_new(list, read_value(f->sub, type, &one, depth));
    }
}

/* An entry is {key=1, value=2}; what is missing is the zero value. */
static void add_entry(const struct field *f, const char *type, const struct record *rec, json_t *map, int depth)
{
    struct record key, value = {.wire = WIRE_BYTES, .bytes = {rec->bytes.at, rec->bytes.at, rec->bytes.bad}};
    find_record(rec->bytes, 2, &value);
    _cleanup_json_ json_t *name = find_record(rec->bytes, 1, &key) ? text_of(&key.bytes) : json_string("");
    if (name)
        json_object_set_new(map, json_string_value(name), read_value(f->sub, type, &value, depth));
}

static json_t *member_of(json_t *out, const char *name, json_t *(*make)(void))
{
    json_t *there = json_object_get(out, name);
    if (!there)
        json_object_set_new(out, name, there = make());
    return there;
}

/* Messages that are inlined have numbers of their own, but their members are those of the message they are in. */
static void read_members(const struct field *fields, const char *type, const char *numbers, struct reader r,
                         json_t *out, int depth)
{
    char name[NAME_SIZE], member_type[TYPE_NAME_SIZE];
    struct record rec;
    if (depth > JSON_DEPTH_MAX) {
        *r.bad = true;
        return;
    }
    while (read_record(&r, &rec)) {
        if (!find_member(numbers, rec.number, name))
            continue;
        if (*name == '^') {
            read_members(fields, type, protobuf_numbers(name + 1), rec.bytes, out, depth + 1);
            continue;
        }
        const struct field *f = schema_member(fields, name);
        if (!f)
            continue;
        type_name_of_member(type, name, member_type);
        if (f->type == F_LIST)
            add_items(f, member_type, &rec, member_of(out, name, json_array), depth + 1);
        else if (f->type == F_MAP)
            add_entry(f, member_type, &rec, member_of(out, name, json_object), depth + 1);
        else
            json_object_set_new(out, name, read_value(f, member_type, &rec, depth + 1));
    }
}

static void read_message(const struct field *fields, const char *type, struct reader r, json_t *out, int depth)
{
    read_members(fields, type, protobuf_numbers(type), r, out, depth);
}

static json_t *read_value(const struct field *f, const char *type, const struct record *rec, int depth)
{
    json_t *v = NULL;
    switch (f->type) {
    case F_STR:
        v = text_of(&rec->bytes);
        break;
    case F_INT:
        v = json_integer((int32_t)rec->value);
        break;
    case F_INT64:
        v = json_integer((json_int_t)rec->value);
        break;
    case F_BOOL:
        v = json_boolean(rec->value != 0);
        break;
    case F_NUMBER:
        v = double_of(rec);
        break;
    case F_TIME:
    case F_MICROTIME:
        v = time_of(f, &rec->bytes);
        break;
    case F_QUANTITY:
        v = quantity_of(&rec->bytes);
        break;
    case F_INT_OR_STR:
        v = int_or_string_of(&rec->bytes);
        break;
    case F_BYTES:
        v = base64_of(&rec->bytes);
        break;
    case F_RAW:
        v = raw_of(&rec->bytes);
        break;
    case F_OBJECT:
        v = json_object();
        read_message(f->sub, type, rec->bytes, v, depth);
        break;
    default: /* no list of lists, no map of maps in any message */
        break;
    }
    return v ? v : json_null();
}

/* --- the envelope: runtime.Unknown {typeMeta=1 {apiVersion=1, kind=2}, raw=2} --- */

static void set_type(json_t *doc, struct reader type_meta)
{
    static const char *const members[] = {"apiVersion", "kind"};
    struct record rec;
    for (size_t i = 0; i < 2; i++)
        if (find_record(type_meta, i + 1, &rec))
            json_object_set_new(doc, members[i], text_of(&rec.bytes));
}

json_t *protobuf_decode(const char *type, const struct field *fields, const void *bytes, size_t len, struct err *err)
{
    static const char magic[4] = {'k', '8', 's', 0};
    bool bad = len < sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0;
    if (bad) {
        err_set(err, 0, "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
        return NULL;
    }
    const struct reader envelope = {(const unsigned char *)bytes + sizeof(magic), (const unsigned char *)bytes + len,
                                    &bad};
    struct record rec;
    _cleanup_json_ json_t *doc = json_object();
    if (find_record(envelope, 1, &rec))
        set_type(doc, rec.bytes);
    if (find_record(envelope, 2, &rec))
        read_message(fields, type, rec.bytes, doc, 0);
    if (bad) {
        err_set(err, 0, "proto: the message is cut short or malformed");
        return NULL;
    }
    return TAKE(doc);
}
