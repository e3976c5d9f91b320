/* Text to trees. Jansson's own reader goes through a function call for every byte, four fifths of its time; this one
 * takes what Kubernetes documents are made of and gives up on everything else (errors, text that is not ASCII, \u,
 * numbers that are no integers): that is for jansson to read or to complain about. So there is one judge of what is
 * good, and whatever is read here it would have read the same. */
#include <string.h>

#include "base/buf.h"
#include "json/json.h"

#define DIGITS_MAX 18             /* always fit into 64 bits */
#define NAME_WITH_ESCAPES_MAX 256 /* bytes; managedFields have such names */

struct reader {
    const char *at, *end;
    int depth;
    struct buf plain; /* the text that was read last, if it had escapes */
};

struct text {
    const char *s;
    size_t len;
};

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
        r->at++;
}

static bool take(struct reader *r, char wanted)
{
    skip_blanks(r);
    if (r->at == r->end || *r->at != wanted)
        return false;
    r->at++;
    return true;
}

/* Up to the next byte that does not stand for itself. */
static struct text take_plain(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && (signed char)*r->at >= ' ' && *r->at != '"' && *r->at != '\\') /* ASCII only */
        r->at++;
    return (struct text){start, (size_t)(r->at - start)};
}

/* What a backslash and this letter stand for; 0: not for us. */
static char escaped(char letter)
{
    static const char letters[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    for (const char *l = letters; *l; l += 2)
        if (*l == letter)
            return l[1];
    return 0;
}

/* Behind the opening quote. The text is good until the next one is taken. */
static bool take_text(struct reader *r, struct text *ret)
{
    *ret = take_plain(r);
    if (r->at < r->end && *r->at == '"') {
        r->at++;
        return true;
    }
    buf_clear(&r->plain);
    buf_add(&r->plain, ret->s, ret->len);
    while (r->end - r->at > 1 && *r->at == '\\') {
        char c = escaped(r->at[1]);
        if (!c)
            return false;
        buf_addc(&r->plain, c);
        r->at += 2;
        *ret = take_plain(r);
        buf_add(&r->plain, ret->s, ret->len);
    }
    *ret = (struct text){r->plain.data, r->plain.len};
    return r->at < r->end && *r->at++ == '"';
}

static json_t *take_number(struct reader *r)
{
    json_int_t n = 0;
    bool negative = *r->at == '-';
    const char *start = r->at += negative;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - start < DIGITS_MAX; r->at++)
        n = n * 10 + (*r->at - '0');
    bool more = r->at < r->end && memchr("0123456789.eE+-", *r->at, 15);
    if (r->at == start || more || (*start == '0' && (negative || r->at - start > 1)))
        return NULL;
    return json_integer(negative ? -n : n);
}

static json_t *take_word(struct reader *r, const char *word, json_t *value)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return NULL;
    r->at += len;
    return value;
}

static json_t *take_value(struct reader *r);

static bool take_member(struct reader *r, json_t *object)
{
    struct text name;
    size_t n = json_object_size(object);
    if (!take(r, '"') || !take_text(r, &name))
        return false;
    json_t *value = NULL;
    char kept[NAME_WITH_ESCAPES_MAX];
    if (name.s == r->plain.data) { /* the value is going to use the same memory */
        if (name.len > sizeof(kept))
            return false;
        name.s = memcpy(kept, name.s, name.len);
    }
    if (!take(r, ':') || !(value = take_value(r)))
        return false;
    /* A name that was there already is an error. */
    return json_object_setn_new_nocheck(object, name.s, name.len, value) == 0 && json_object_size(object) > n;
}

static bool take_members(struct reader *r, json_t *object)
{
    if (take(r, '}'))
        return true;
    do {
        if (!take_member(r, object))
            return false;
    } while (take(r, ','));
    return take(r, '}');
}

static bool take_items(struct reader *r, json_t *array)
{
    if (take(r, ']'))
        return true;
    do {
        json_t *item = take_value(r);
        if (!item)
            return false;
        json_array_append_new(array, item);
    } while (take(r, ','));
    return take(r, ']');
}

static json_t *take_composed(struct reader *r)
{
    if (++r->depth > JSON_DEPTH_MAX)
        return NULL;
    bool is_object = *r->at++ == '{';
    _cleanup_json_ json_t *j = is_object ? json_object() : json_array();
    if (!(is_object ? take_members(r, j) : take_items(r, j)))
        return NULL;
    r->depth--;
    return TAKE(j);
}

static json_t *take_value(struct reader *r)
{
    struct text text;
    skip_blanks(r);
    if (r->at == r->end)
        return NULL;
    switch (*r->at) {
    case '{':
    case '[':
        return take_composed(r);
    case '"':
        r->at++;
        return take_text(r, &text) ? json_stringn_nocheck(text.s, text.len) : NULL;
    case 't':
        return take_word(r, "true", json_true());
    case 'f':
        return take_word(r, "false", json_false());
    case 'n':
        return take_word(r, "null", json_null());
    default:
        return take_number(r);
    }
}

/* NULL: not for us. */
static json_t *parse_usual(const char *text, size_t len)
{
    struct reader r = {.at = text, .end = text + len, .plain = BUF_INIT(0)};
    json_t *j = take_value(&r);
    skip_blanks(&r);
    if (r.at < r.end) {
        json_decref(j);
        j = NULL;
    }
    buf_done(&r.plain);
    return j;
}

json_t *jparse(const char *text, size_t len, struct err *err)
{
    json_error_t where;
    json_t *j = parse_usual(text, len);
    if (j)
        return j;
    j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (!j) {
        err_set(err, 0, "line %d, column %d: %s", where.line, where.column, where.text);
        return NULL;
    }
    if (jdeeper_than(j, JSON_DEPTH_MAX)) {
        json_decref(j);
        err_set(err, 0, "more than %d levels deep", JSON_DEPTH_MAX);
        return NULL;
    }
    return j;
}
