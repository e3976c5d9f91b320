/* Functions on strings (cel-go's ext.Strings, version 2). Positions count characters, not bytes. */
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "cel/functions.h"
#include "cel/utf8.h"

/* Both have been gone through. */
static bool charge_both(struct cel_run *run, const struct cel_value *a)
{
    return cel_charge_text(run, a[0].text.len) && cel_charge_text(run, a[1].text.len);
}

static struct cel_value contains(struct cel_run *run, const struct cel_value *a)
{
    if (!charge_both(run, a))
        return cel_exhausted();
    return cel_bool(memmem(a[0].text.s, a[0].text.len, a[1].text.s, a[1].text.len) != NULL);
}

static struct cel_value starts_with(struct cel_run *run, const struct cel_value *a)
{
    size_t len = a[1].text.len;
    if (!cel_charge_text(run, len))
        return cel_exhausted();
    return cel_bool(len <= a[0].text.len && memcmp(a[0].text.s, a[1].text.s, len) == 0);
}

static struct cel_value ends_with(struct cel_run *run, const struct cel_value *a)
{
    size_t len = a[1].text.len, all = a[0].text.len;
    if (!cel_charge_text(run, len))
        return cel_exhausted();
    return cel_bool(len <= all && memcmp(a[0].text.s + all - len, a[1].text.s, len) == 0);
}

static struct cel_value out_of_range(struct cel_run *run, struct cel_value index)
{
    return cel_errorf(&run->arena, "index out of range: %lld", (long long)index.integer);
}

/* --- positions --- */

/* A character's number as an offset in bytes; false: outside. */
static bool position(struct cel_value text, struct cel_value index, size_t *ret)
{
    if (index.integer < 0 || (uint64_t)index.integer > utf8_length(text.text.s, text.text.len))
        return false;
    *ret = utf8_offset(text.text.s, text.text.len, (size_t)index.integer);
    return true;
}

static struct cel_value char_at(struct cel_run *run, const struct cel_value *a)
{
    size_t at;
    if (!cel_charge_text(run, a[0].text.len))
        return cel_exhausted();
    if (!position(a[0], a[1], &at))
        return out_of_range(run, a[1]);
    const char *s = a[0].text.s + at;
    return cel_text(CEL_STRING, s, utf8_offset(s, a[0].text.len - at, 1));
}

static struct cel_value substring(struct cel_run *run, const struct cel_value *a, struct cel_value end)
{
    size_t from, to;
    if (!cel_charge_text(run, a[0].text.len))
        return cel_exhausted();
    if (!position(a[0], a[1], &from))
        return out_of_range(run, a[1]);
    if (!position(a[0], end, &to))
        return out_of_range(run, end);
    if (to < from)
        return cel_errorf(&run->arena, "invalid substring range. start: %lld, end: %lld", (long long)a[1].integer,
                          (long long)end.integer);
    return cel_text(CEL_STRING, a[0].text.s + from, to - from);
}

static struct cel_value substring_to_end(struct cel_run *run, const struct cel_value *a)
{
    return substring(run, a, cel_int((int64_t)utf8_length(a[0].text.s, a[0].text.len)));
}

static struct cel_value substring_between(struct cel_run *run, const struct cel_value *a)
{
    return substring(run, a, a[2]);
}

static struct cel_value index_from(struct cel_run *run, const struct cel_value *a, struct cel_value start)
{
    size_t from;
    if (!charge_both(run, a))
        return cel_exhausted();
    if (!a[1].text.len)
        return start;
    if (!position(a[0], start, &from))
        return out_of_range(run, start);
    const char *found = memmem(a[0].text.s + from, a[0].text.len - from, a[1].text.s, a[1].text.len);
    return cel_int(found ? (int64_t)utf8_length(a[0].text.s, (size_t)(found - a[0].text.s)) : -1);
}

static struct cel_value index_of(struct cel_run *run, const struct cel_value *a)
{
    return index_from(run, a, cel_int(0));
}

static struct cel_value index_of_from(struct cel_run *run, const struct cel_value *a)
{
    return index_from(run, a, a[2]);
}

/* `last`: the greatest place where it may begin. */
static struct cel_value last_index(struct cel_run *run, const struct cel_value *a, size_t last)
{
    size_t all = a[0].text.len, len = a[1].text.len;
    if (!charge_both(run, a))
        return cel_exhausted();
    if (len > all)
        return cel_int(-1);
    for (size_t at = (last < all - len ? last : all - len) + 1; at-- > 0;) {
        if (memcmp(a[0].text.s + at, a[1].text.s, len) == 0)
            return cel_int((int64_t)utf8_length(a[0].text.s, at));
        if (!cel_charge(run, 1))
            return cel_exhausted();
    }
    return cel_int(-1);
}

static struct cel_value last_index_of(struct cel_run *run, const struct cel_value *a)
{
    return last_index(run, a, a[0].text.len);
}

static struct cel_value last_index_of_before(struct cel_run *run, const struct cel_value *a)
{
    size_t last;
    return position(a[0], a[2], &last) ? last_index(run, a, last) : out_of_range(run, a[2]);
}

/* --- taking apart and putting together --- */

static size_t count(struct cel_value text, struct cel_value part)
{
    size_t n = 0;
    const char *s = text.text.s, *end = s + text.text.len;
    while ((s = memmem(s, (size_t)(end - s), part.text.s, part.text.len))) {
        s += part.text.len;
        n++;
    }
    return n;
}

/* Where the next piece ends: before the separator, behind one character if that is empty, or at the end. */
static const char *piece_end(const char *s, const char *end, struct cel_value separator)
{
    size_t left = (size_t)(end - s);
    if (!separator.text.len)
        return s + utf8_offset(s, left, 1);
    const char *found = memmem(s, left, separator.text.s, separator.text.len);
    return found ? found : end;
}

static struct cel_value split_into(struct cel_run *run, const struct cel_value *a, int64_t limit)
{
    const char *s = a[0].text.s, *end = s + a[0].text.len;
    size_t max = a[1].text.len ? count(a[0], a[1]) + 1 : utf8_length(s, a[0].text.len);
    if (limit >= 0 && (size_t)limit < max)
        max = (size_t)limit;
    if (!charge_both(run, a) || !cel_charge(run, (int64_t)max))
        return cel_exhausted();
    struct cel_list *out = cel_list_new(&run->arena, max);
    while (out->n < max) {
        const char *stop = out->n + 1 == max ? end : piece_end(s, end, a[1]);
        out->items[out->n++] = cel_text(CEL_STRING, s, (size_t)(stop - s));
        s = stop + (stop < end ? a[1].text.len : 0);
    }
    return cel_list(out);
}

static struct cel_value split(struct cel_run *run, const struct cel_value *a)
{
    return split_into(run, a, -1);
}

static struct cel_value split_limited(struct cel_run *run, const struct cel_value *a)
{
    return split_into(run, a, a[2].integer);
}

static struct cel_value finished(struct cel_run *run, struct buf *out)
{
    struct cel_value v = cel_charge_text(run, out->len) ? cel_copy_text(run, buf_str(out), out->len) : cel_exhausted();
    if (out->overflowed)
        v = cel_exhausted();
    buf_done(out);
    return v;
}

/* Texts cannot grow beyond what going through them would cost. */
#define TEXT_MAX ((size_t)CEL_CALL_COST_MAX * 10)

static struct cel_value join_with(struct cel_run *run, struct cel_value list, struct cel_value separator)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    for (size_t i = 0, n = cel_length(list); i < n; i++) {
        struct cel_value item = cel_item(list, i, &run->arena);
        if (i)
            buf_add(&out, separator.text.s, separator.text.len);
        buf_add(&out, item.text.s, item.text.len);
    }
    return finished(run, &out);
}

static struct cel_value join(struct cel_run *run, const struct cel_value *a)
{
    return join_with(run, a[0], cel_string(""));
}

static struct cel_value join_separated(struct cel_run *run, const struct cel_value *a)
{
    return join_with(run, a[0], a[1]);
}

static struct cel_value replace_some(struct cel_run *run, const struct cel_value *a, int64_t limit)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    const char *s = a[0].text.s, *end = s + a[0].text.len, *stop;
    if (!charge_both(run, a))
        return cel_exhausted();
    bool between = a[1].text.len == 0; /* nothing is between all characters, and at both ends */
    if (between && limit != 0) {
        buf_add(&out, a[2].text.s, a[2].text.len);
        limit--;
    }
    for (; limit != 0 && s < end && (stop = piece_end(s, end, a[1])) < end + between; limit--) {
        buf_add(&out, s, (size_t)(stop - s));
        buf_add(&out, a[2].text.s, a[2].text.len);
        s = stop + a[1].text.len;
    }
    buf_add(&out, s, (size_t)(end - s));
    return finished(run, &out);
}

static struct cel_value replace(struct cel_run *run, const struct cel_value *a)
{
    return replace_some(run, a, -1);
}

static struct cel_value replace_limited(struct cel_run *run, const struct cel_value *a)
{
    return replace_some(run, a, a[3].integer < 0 ? -1 : a[3].integer);
}

/* --- letters and blanks --- */

static struct cel_value mapped(struct cel_run *run, struct cel_value v, int (*to)(int))
{
    if (!cel_charge_text(run, v.text.len))
        return cel_exhausted();
    char *out = cel_c_text(run, v);
    for (size_t i = 0; i < v.text.len; i++)
        if ((unsigned char)out[i] < 0x80)
            out[i] = (char)to((unsigned char)out[i]);
    return cel_text(CEL_STRING, out, v.text.len);
}

static struct cel_value lower_ascii(struct cel_run *run, const struct cel_value *a)
{
    return mapped(run, a[0], tolower);
}

static struct cel_value upper_ascii(struct cel_run *run, const struct cel_value *a)
{
    return mapped(run, a[0], toupper);
}

/* Bytes of the white space at the beginning (Unicode's White_Space); 0: none. */
static size_t blank_length(const char *s, size_t len)
{
    static const char *const wide[] = {"\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
                                       "\u2004",   "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
                                       "\u2028",   "\u2029", "\u202f", "\u205f", "\u3000"};
    if (len && (*s == ' ' || (*s >= '\t' && *s <= '\r')))
        return 1;
    for (size_t i = 0; i < ARRAY_LEN(wide); i++)
        if (strlen(wide[i]) <= len && memcmp(s, wide[i], strlen(wide[i])) == 0)
            return strlen(wide[i]);
    return 0;
}

static struct cel_value trim(struct cel_run *run, const struct cel_value *a)
{
    const char *s = a[0].text.s;
    size_t from = 0, to, n;
    if (!cel_charge_text(run, a[0].text.len))
        return cel_exhausted();
    while ((n = blank_length(s + from, a[0].text.len - from)))
        from += n;
    to = from;
    for (size_t at = from; at < a[0].text.len; at += n) {
        n = blank_length(s + at, a[0].text.len - at);
        bool blank = n > 0;
        n = blank ? n : 1;
        if (!blank)
            to = at + 1;
    }
    return cel_text(CEL_STRING, s + from, to - from);
}

static struct cel_value quote(struct cel_run *run, const struct cel_value *a)
{
    static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
    struct buf out = BUF_INIT(TEXT_MAX);
    buf_addc(&out, '"');
    for (size_t i = 0; i < a[0].text.len; i++) {
        char c = a[0].text.s[i];
        const char *known = c ? strchr(from, c) : NULL;
        if (known)
            buf_addc(&out, '\\');
        buf_addc(&out, known ? to[known - from] : c);
    }
    buf_addc(&out, '"');
    return finished(run, &out);
}

const struct cel_function cel_text_functions[] = {
    {".contains", "ss:b", contains},
    {".startsWith", "ss:b", starts_with},
    {".endsWith", "ss:b", ends_with},
    {".charAt", "si:s", char_at},
    {".indexOf", "ss:i", index_of},
    {".indexOf", "ssi:i", index_of_from},
    {".lastIndexOf", "ss:i", last_index_of},
    {".lastIndexOf", "ssi:i", last_index_of_before},
    {".substring", "si:s", substring_to_end},
    {".substring", "sii:s", substring_between},
    {".split", "ss:S", split},
    {".split", "ssi:S", split_limited},
    {".join", "S:s", join},
    {".join", "Ss:s", join_separated},
    {".replace", "sss:s", replace},
    {".replace", "sssi:s", replace_limited},
    {".lowerAscii", "s:s", lower_ascii},
    {".upperAscii", "s:s", upper_ascii},
    {".trim", "s:s", trim},
    {".format", "sl:s", cel_format_text},
    {"strings.quote", "s:s", quote},
    {0},
};
