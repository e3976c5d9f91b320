/* Tokens: names, numbers, strings in all their spellings, signs. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "cel/syntax.h"

static const char *const signs[] = {"==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/",
                                    "%",  "!",  "?",  ":",  ".",  ",",  "(", ")", "[", "]", "{", "}"};

static void skip_blanks(struct cel_lexer *l)
{
    for (;;) {
        l->at += strspn(l->at, " \t\r\n\f");
        if (l->at[0] != '/' || l->at[1] != '/')
            return;
        l->at += strcspn(l->at, "\n");
    }
}

static struct cel_token bad(const char *at, size_t len, const char *why)
{
    return (struct cel_token){.kind = TOKEN_BAD, .s = at, .len = len, .why = why};
}

/* --- numbers --- */

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static size_t number_length(const char *s, bool *is_double)
{
    const char *at = s;
    *is_double = false;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        at += 2;
        while (isxdigit((unsigned char)*at))
            at++;
        return (size_t)(at - s);
    }
    while (isdigit((unsigned char)*at))
        at++;
    if (at[0] == '.' && isdigit((unsigned char)at[1])) {
        *is_double = true;
        for (at++; isdigit((unsigned char)*at);)
            at++;
    }
    const char *digits = at + 1 + (*at && (at[1] == '+' || at[1] == '-'));
    if ((*at == 'e' || *at == 'E') && isdigit((unsigned char)*digits)) {
        *is_double = true;
        for (at = digits; isdigit((unsigned char)*at);)
            at++;
    }
    return (size_t)(at - s);
}

/* An int's literal keeps its magnitude as uint: only a minus before it makes -2^63 one. */
static struct cel_token number(struct cel_lexer *l)
{
    bool is_double;
    const char *from = l->at;
    size_t len = number_length(from, &is_double);
    struct cel_token t = {.kind = TOKEN_NUMBER, .s = from, .len = len};
    _cleanup_free_ char *text = xstrndup(from, len);
    errno = 0;
    if (is_double) {
        t.literal = cel_double(strtod(text, NULL));
    } else {
        bool hex = len > 1 && (text[1] == 'x' || text[1] == 'X'), natural = from[len] == 'u' || from[len] == 'U';
        t.literal = cel_uint(strtoull(text, NULL, hex ? 16 : 10));
        t.literal.kind = natural ? CEL_UINT : CEL_INT;
        t.len += natural;
        if (errno || (hex && len == 2))
            return bad(from, t.len, "invalid int literal");
    }
    l->at += t.len;
    return is_name_char(*l->at) ? bad(from, t.len + 1, "invalid number literal") : t;
}

/* --- strings --- */

static size_t quote_length(const char *s)
{
    if (*s != '"' && *s != '\'')
        return 0;
    return s[1] == *s && s[2] == *s ? 3 : 1;
}

/* Length of the prefix (r, b, both), when a quote follows. */
static size_t prefix_length(const char *s, bool *raw, bool *bytes)
{
    size_t n = 0;
    *raw = *bytes = false;
    for (; n < 2; n++) {
        if ((s[n] | 0x20) == 'r' && !*raw)
            *raw = true;
        else if ((s[n] | 0x20) == 'b' && !*bytes)
            *bytes = true;
        else
            break;
    }
    return n;
}

static size_t put_utf8(uint32_t c, char *out)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(first[n] | c);
    return n;
}

static bool read_digits(const char **s, const char *end, size_t n, unsigned base, uint32_t *ret)
{
    *ret = 0;
    for (; n; n--, (*s)++) {
        int c = *s < end ? tolower((unsigned char)**s) : 0;
        unsigned digit = isdigit(c) ? (unsigned)c - '0' : isxdigit(c) ? (unsigned)c - 'a' + 10 : base;
        if (digit >= base)
            return false;
        *ret = *ret * base + digit;
    }
    return true;
}

/* One escape behind its backslash. */
static bool unescape(const char **s, const char *end, bool bytes, char *out, size_t *n)
{
    static const char from[] = "abfnrtv\\'\"`?", to[] = "\a\b\f\n\r\t\v\\'\"`?";
    const char *known = *s < end && **s ? strchr(from, **s) : NULL;
    uint32_t c = 0;
    if (known) {
        out[(*n)++] = to[known - from];
        (*s)++;
        return true;
    }
    if (*s >= end)
        return false;
    char kind = **s;
    bool octal = kind >= '0' && kind <= '3';
    size_t digits = octal ? 3 : kind == 'x' || kind == 'X' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    *s += !octal;
    if (!digits || !read_digits(s, end, digits, octal ? 8 : 16, &c))
        return false;
    if (bytes && digits > 3)
        return false;
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return false;
    if (bytes)
        out[(*n)++] = (char)c;
    else
        *n += put_utf8(c, out + *n);
    return true;
}

bool cel_unquote(const char *s, size_t len, struct cel_value *ret, struct cel_arena *a)
{
    bool raw, bytes;
    size_t prefix = prefix_length(s, &raw, &bytes), quote = quote_length(s + prefix), n = 0;
    const char *end = s + len - quote;
    char *out = cel_alloc(a, len + 1, 1); /* no escape is longer than what it is written as */
    for (s += prefix + quote; s < end;) {
        if (raw || *s != '\\') {
            out[n++] = *s++;
        } else {
            s++;
            if (!unescape(&s, end, bytes, out, &n))
                return false;
        }
    }
    *ret = cel_text(bytes ? CEL_BYTES : CEL_STRING, out, n);
    return true;
}

static struct cel_token text(struct cel_lexer *l, size_t prefix, bool raw)
{
    const char *from = l->at, *s = from + prefix;
    size_t quote = quote_length(s);
    char mark = *s;
    for (s += quote; *s; s++) {
        if (*s == '\\' && !raw && s[1])
            s++;
        else if (*s == '\n' && quote == 1)
            break;
        else if (*s == mark && (quote == 1 || (s[1] == mark && s[2] == mark)))
            break;
    }
    if (*s != mark)
        return bad(from, strlen(from), "unterminated string");
    struct cel_token t = {.kind = TOKEN_TEXT, .s = from, .len = (size_t)(s - from) + quote};
    if (!cel_unquote(from, t.len, &t.literal, l->arena))
        return bad(from, t.len, "invalid escape sequence");
    l->at += t.len;
    return t;
}

struct cel_token cel_lex(struct cel_lexer *l)
{
    bool raw, bytes;
    skip_blanks(l);
    const char *s = l->at;
    size_t prefix = prefix_length(s, &raw, &bytes);
    if (!*s)
        return (struct cel_token){.kind = TOKEN_END, .s = s};
    if (quote_length(s + prefix))
        return text(l, prefix, raw);
    if (isdigit((unsigned char)*s) || (*s == '.' && isdigit((unsigned char)s[1])))
        return number(l);
    struct cel_token t = {.kind = TOKEN_NAME, .s = s};
    while (is_name_char(s[t.len]))
        t.len++;
    for (size_t i = 0; !t.len && i < ARRAY_LEN(signs); i++)
        if (str_after(s, signs[i]))
            t = (struct cel_token){.kind = TOKEN_SIGN, .s = s, .len = strlen(signs[i])};
    if (!t.len)
        return bad(s, 1, "token recognition error");
    l->at += t.len;
    return t;
}
