/* "%s has %d".format([…]): %s %d %f %e %b %o %x %X %%, with a precision for %f and %e. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/str.h"
#include "cel/functions.h"

#define TEXT_MAX ((size_t)CEL_CALL_COST_MAX * 10) /* as much as the budget would let us go through */
#define DEPTH_MAX 20                              /* lists of lists, inside of one %s */
#define PRECISION_MAX 100
#define PRECISION_DEFAULT 6

struct clause {
    char verb;
    int precision;
};

/* What %s makes of a value: lists and maps by their parts. */
static bool print(struct cel_run *run, struct buf *out, struct cel_value v, int depth)
{
    static const char *const type_names[] = {
        [CEL_NULL] = "null_type", [CEL_BOOL] = "bool",     [CEL_INT] = "int",     [CEL_UINT] = "uint",
        [CEL_DOUBLE] = "double",  [CEL_STRING] = "string", [CEL_BYTES] = "bytes", [CEL_LIST] = "list",
        [CEL_MAP] = "map",        [CEL_TYPE] = "type"};
    struct cel_value key, value;
    bool fine = depth < DEPTH_MAX && cel_charge(run, 1);
    if (!fine)
        return false;
    switch (v.kind) {
    case CEL_NULL:
        buf_adds(out, "null");
        return true;
    case CEL_TYPE:
        buf_adds(out, v.type_of <= CEL_TYPE && type_names[v.type_of] ? type_names[v.type_of] : "object");
        return true;
    case CEL_LIST:
        buf_addc(out, '[');
        for (size_t i = 0, n = cel_length(v); i < n && fine; i++) {
            buf_adds(out, i ? ", " : "");
            fine = print(run, out, cel_item(v, i, &run->arena), depth + 1);
        }
        buf_addc(out, ']');
        return fine;
    case CEL_MAP:
        buf_addc(out, '{');
        for (struct cel_cursor c = {0}; fine && cel_next(v, &c, &key, &value, &run->arena);) {
            buf_adds(out, c.n > 1 ? ", " : "");
            fine = print(run, out, key, depth + 1);
            buf_adds(out, ": ");
            fine = fine && print(run, out, value, depth + 1);
        }
        buf_addc(out, '}');
        return fine;
    default:
        return cel_print(out, v);
    }
}

static bool print_whole(struct buf *out, struct cel_value v)
{
    if (v.kind != CEL_INT && v.kind != CEL_UINT && !(v.kind == CEL_DOUBLE && !isfinite(v.real)))
        return false;
    return cel_print(out, v);
}

static bool print_real(struct buf *out, struct cel_value v, struct clause c)
{
    if (v.kind == CEL_INT)
        v = cel_double((double)v.integer);
    if (v.kind == CEL_UINT)
        v = cel_double((double)v.natural);
    if (v.kind != CEL_DOUBLE)
        return false;
    if (!isfinite(v.real))
        buf_adds(out, isnan(v.real) ? "NaN" : v.real > 0 ? "Infinity" : "-Infinity");
    else if (c.verb == 'f')
        buf_addf(out, "%.*f", c.precision, v.real);
    else
        buf_addf(out, "%.*e", c.precision, v.real);
    return true;
}

/* %b, %o, %x: digits of numbers; booleans as bits; texts and bytes as hexadecimal. */
static bool print_digits(struct buf *out, struct cel_value v, struct clause c)
{
    bool hex = c.verb == 'x' || c.verb == 'X', upper = c.verb == 'X';
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned shift = hex ? 4 : c.verb == 'o' ? 3 : 1;
    char text[66];
    size_t at = sizeof(text);
    if (hex && (v.kind == CEL_STRING || v.kind == CEL_BYTES)) {
        for (size_t i = 0; i < v.text.len; i++) {
            buf_addc(out, digits[(unsigned char)v.text.s[i] >> 4]);
            buf_addc(out, digits[v.text.s[i] & 15]);
        }
        return true;
    }
    if (c.verb == 'b' && v.kind == CEL_BOOL)
        v = cel_uint(v.boolean);
    if (v.kind != CEL_INT && v.kind != CEL_UINT)
        return false;
    bool negative = v.kind == CEL_INT && v.integer < 0;
    uint64_t n = negative ? 0 - v.natural : v.natural;
    do
        text[--at] = digits[n & ((1u << shift) - 1)];
    while (n >>= shift);
    buf_adds(out, negative ? "-" : "");
    buf_add(out, text + at, sizeof(text) - at);
    return true;
}

static bool print_clause(struct cel_run *run, struct buf *out, struct cel_value v, struct clause c)
{
    switch (c.verb) {
    case 's':
        return print(run, out, v, 0);
    case 'd':
        return print_whole(out, v);
    case 'f':
    case 'e':
        return print_real(out, v, c);
    default:
        return print_digits(out, v, c);
    }
}

/* Behind the percent sign; NULL: no such clause. */
static const char *read_clause(const char *s, const char *end, struct clause *ret)
{
    ret->precision = PRECISION_DEFAULT;
    if (s < end && *s == '.') {
        ret->precision = 0;
        for (s++; s < end && isdigit((unsigned char)*s) && ret->precision <= PRECISION_MAX; s++)
            ret->precision = ret->precision * 10 + (*s - '0');
    }
    if (s >= end || ret->precision > PRECISION_MAX || !*s || !strchr("sdfeboxX", *s))
        return NULL;
    ret->verb = *s;
    return s + 1;
}

struct cel_value cel_format_text(struct cel_run *run, const struct cel_value *a)
{
    const char *s = a[0].text.s, *end = s + a[0].text.len;
    struct buf out = BUF_INIT(TEXT_MAX);
    struct cel_value v = cel_null();
    size_t used = 0;
    while (s < end && v.kind != CEL_ERROR) {
        struct clause c;
        char ch = *s++;
        if (ch != '%' || (s < end && *s == '%')) {
            buf_addc(&out, ch);
            s += ch == '%';
            continue;
        }
        s = read_clause(s, end, &c);
        if (!s) {
            v = cel_error("could not parse formatting clause: unrecognized formatting clause");
        } else if (used >= cel_length(a[1])) {
            v = cel_errorf(&run->arena, "index %zu out of range", used);
        } else if (!print_clause(run, &out, cel_item(a[1], used++, &run->arena), c)) {
            v = cel_errorf(&run->arena, "error during formatting: no formatting function for %%%c and its argument",
                           c.verb);
        }
    }
    if (v.kind != CEL_ERROR)
        v = cel_charge_text(run, out.len + a[0].text.len) && !out.overflowed
                ? cel_copy_text(run, buf_str(&out), out.len)
                : cel_exhausted();
    buf_done(&out);
    return v;
}
