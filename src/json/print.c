/* Trees to text, and trees to trees: every write does both. Jansson's own functions look for loops on the way, with a
 * table and a formatted address for every object, which is most of their time; documents that were parsed have none. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "json/json.h"

#define TEXT_USUAL 4095 /* bytes: most objects need no second allocation */

static void add_escape(struct buf *b, unsigned char c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *l = letters; *l; l += 2)
        if ((unsigned char)*l == c) {
            buf_addc(b, '\\');
            buf_addc(b, l[1]);
            return;
        }
    buf_addf(b, "\\u%04X", c);
}

static void add_string(struct buf *b, const char *s, size_t len)
{
    const char *end = s + len;
    buf_addc(b, '"');
    while (s < end) {
        const char *plain = s;
        while (s < end && (unsigned char)*s >= ' ' && *s != '"' && *s != '\\')
            s++;
        buf_add(b, plain, (size_t)(s - plain));
        if (s < end)
            add_escape(b, (unsigned char)*s++);
    }
    buf_addc(b, '"');
}

static void add_real(struct buf *b, const json_t *real)
{
    char digits[64];
    buf_add(b, digits, json_dumpb(real, digits, sizeof(digits), JSON_ENCODE_ANY));
}

static void add_value(struct buf *b, const json_t *j);

static void add_object(struct buf *b, json_t *o)
{
    char before = '{';
    for (void *at = json_object_iter(o); at; at = json_object_iter_next(o, at)) {
        buf_addc(b, before);
        before = ',';
        add_string(b, json_object_iter_key(at), json_object_iter_key_len(at));
        buf_addc(b, ':');
        add_value(b, json_object_iter_value(at));
    }
    buf_adds(b, before == '{' ? "{}" : "}");
}

static void add_array(struct buf *b, const json_t *a)
{
    buf_addc(b, '[');
    for (size_t i = 0; i < json_array_size(a); i++) {
        if (i)
            buf_addc(b, ',');
        add_value(b, json_array_get(a, i));
    }
    buf_addc(b, ']');
}

static void add_value(struct buf *b, const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        add_object(b, (json_t *)j);
        break;
    case JSON_ARRAY:
        add_array(b, j);
        break;
    case JSON_STRING:
        add_string(b, json_string_value(j), json_string_length(j));
        break;
    case JSON_INTEGER:
        buf_addf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
        break;
    case JSON_REAL:
        add_real(b, j);
        break;
    case JSON_TRUE:
        buf_adds(b, "true");
        break;
    case JSON_FALSE:
        buf_adds(b, "false");
        break;
    case JSON_NULL:
        buf_adds(b, "null");
        break;
    }
}

char *jprint(const json_t *j)
{
    struct buf text = BUF_INIT(0);
    buf_reserve(&text, TEXT_USUAL);
    add_value(&text, j);
    return buf_take(&text);
}

char *jprint_sorted(const json_t *j)
{
    char *s = json_dumps(j, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
    if (!s)
        abort(); /* only for a NULL document or out of memory */
    return s;
}

json_t *jcopy(const json_t *j)
{
    if (json_is_object(j)) {
        json_t *copy = json_object();
        for (void *at = json_object_iter((json_t *)j); at; at = json_object_iter_next((json_t *)j, at))
            json_object_setn_new_nocheck(copy, json_object_iter_key(at), json_object_iter_key_len(at),
                                         jcopy(json_object_iter_value(at)));
        return copy;
    }
    if (json_is_array(j)) {
        json_t *copy = json_array();
        for (size_t i = 0; i < json_array_size(j); i++)
            json_array_append_new(copy, jcopy(json_array_get(j, i)));
        return copy;
    }
    return json_copy((json_t *)j);
}
