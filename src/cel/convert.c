/* Conversions between types, and sizes. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "cel/functions.h"
#include "cel/utf8.h"

/* --- to text --- */

/* As Go's FormatFloat(d, 'g', -1): the shortest text that reads back as the same number. */
static void print_double(struct buf *out, double d)
{
    char text[40];
    int precision = 0;
    if (isnan(d) || isinf(d)) {
        buf_adds(out, isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf");
        return;
    }
    do
        snprintf(text, sizeof(text), "%.*e", precision, d);
    while (strtod(text, NULL) != d && ++precision < 17);
    int64_t exponent = 0;
    const char *e = strchr(text, 'e');
    str_to_i64(e[1] == '+' ? e + 2 : e + 1, -400, 400, &exponent);
    if (exponent < -4 || exponent >= 6)
        buf_adds(out, text);
    else
        buf_addf(out, "%.*f", precision > exponent ? precision - (int)exponent : 0, d);
}

static void print_timestamp(struct buf *out, int64_t usec)
{
    char text[TIME_TEXT_SIZE];
    if (usec % 1000000 == 0) {
        buf_adds(out, time_format(usec, text));
        return;
    }
    time_format_micro(usec, text);
    size_t len = strlen(text) - 1; /* without the Z */
    while (text[len - 1] == '0')
        len--;
    buf_addf(out, "%.*sZ", (int)len, text);
}

/* Seconds, with as many decimals as it takes. */
static void print_duration(struct buf *out, int64_t nanoseconds)
{
    uint64_t n = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;
    unsigned fraction = (unsigned)(n % 1000000000);
    buf_addf(out, "%s%llu", nanoseconds < 0 ? "-" : "", (unsigned long long)(n / 1000000000));
    if (fraction) {
        char digits[12];
        int len = snprintf(digits, sizeof(digits), "%09u", fraction);
        while (digits[len - 1] == '0')
            len--;
        buf_addf(out, ".%.*s", len, digits);
    }
    buf_addc(out, 's');
}

bool cel_print(struct buf *out, struct cel_value v)
{
    char text[QUANTITY_TEXT_SIZE], address[CIDR_TEXT_SIZE];
    switch (v.kind) {
    case CEL_STRING:
    case CEL_URL:
        buf_add(out, v.text.s, v.text.len);
        return true;
    case CEL_BYTES:
        buf_add(out, v.text.s, v.text.len);
        return utf8_valid(v.text.s, v.text.len);
    case CEL_BOOL:
        buf_adds(out, v.boolean ? "true" : "false");
        return true;
    case CEL_INT:
        buf_addf(out, "%lld", (long long)v.integer);
        return true;
    case CEL_UINT:
        buf_addf(out, "%llu", (unsigned long long)v.natural);
        return true;
    case CEL_DOUBLE:
        print_double(out, v.real);
        return true;
    case CEL_TIMESTAMP:
        print_timestamp(out, v.integer);
        return true;
    case CEL_DURATION:
        print_duration(out, v.integer);
        return true;
    case CEL_QUANTITY:
        buf_adds(out, quantity_format_text(v.quantity, text));
        return true;
    case CEL_IP:
        buf_adds(out, ip_format(&v.cidr->ip, address));
        return true;
    case CEL_CIDR:
        buf_adds(out, cidr_format(v.cidr, address));
        return true;
    default:
        return false;
    }
}

static struct cel_value to_string(struct cel_run *run, const struct cel_value *a)
{
    struct buf out = BUF_INIT(0); /* as long as the value is */
    if (a[0].kind == CEL_STRING)
        return a[0];
    bool fine = cel_charge_text(run, a[0].kind == CEL_BYTES ? a[0].text.len : 20) && cel_print(&out, a[0]);
    struct cel_value v = fine ? cel_copy_text(run, buf_str(&out), out.len)
                              : cel_error("invalid UTF-8 in bytes, cannot convert to string");
    buf_done(&out);
    return v;
}

static struct cel_value to_bytes(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_text(CEL_BYTES, a[0].text.s, a[0].text.len);
}

/* --- to numbers --- */

static struct cel_value same(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[0];
}

static struct cel_value bad_number(struct cel_run *run, const char *parser, struct cel_value v, bool range)
{
    return cel_errorf(&run->arena, "strconv.%s: parsing \"%.*s\": %s", parser,
                      (int)(v.text.len < 100 ? v.text.len : 100), v.text.s,
                      range ? "value out of range" : "invalid syntax");
}

/* Digits with nothing around them; a sign only if it may be. */
static bool is_whole(const char *s, bool may_be_signed)
{
    s += may_be_signed && (*s == '-' || *s == '+');
    return *s && s[strspn(s, "0123456789")] == '\0';
}

static struct cel_value int_from_text(struct cel_run *run, const struct cel_value *a)
{
    int64_t i;
    const char *s = cel_c_text(run, a[0]);
    if (!cel_charge_text(run, a[0].text.len))
        return cel_exhausted();
    if (strlen(s) != a[0].text.len || !is_whole(s, true))
        return bad_number(run, "ParseInt", a[0], false);
    return str_to_i64(s + (*s == '+'), INT64_MIN, INT64_MAX, &i) ? cel_int(i) : bad_number(run, "ParseInt", a[0], true);
}

static struct cel_value uint_from_text(struct cel_run *run, const struct cel_value *a)
{
    const char *s = cel_c_text(run, a[0]);
    if (!cel_charge_text(run, a[0].text.len))
        return cel_exhausted();
    if (strlen(s) != a[0].text.len || !is_whole(s, false))
        return bad_number(run, "ParseUint", a[0], false);
    errno = 0;
    uint64_t u = strtoull(s, NULL, 10);
    return errno ? bad_number(run, "ParseUint", a[0], true) : cel_uint(u);
}

static struct cel_value double_from_text(struct cel_run *run, const struct cel_value *a)
{
    char *s = cel_c_text(run, a[0]), *end;
    if (!cel_charge_text(run, a[0].text.len))
        return cel_exhausted();
    double d = strtod(s, &end);
    if (end == s || *end || end != s + a[0].text.len || isspace((unsigned char)*s))
        return bad_number(run, "ParseFloat", a[0], false);
    return cel_double(d);
}

static struct cel_value int_from_uint(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[0].natural > INT64_MAX ? cel_error("integer overflow") : cel_int((int64_t)a[0].natural);
}

static struct cel_value int_from_double(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[0].real > -0x1p63 && a[0].real < 0x1p63 ? cel_int((int64_t)a[0].real) : cel_error("integer overflow");
}

static struct cel_value int_from_timestamp(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_int(a[0].integer / 1000000 - (a[0].integer % 1000000 < 0));
}

static struct cel_value int_from_duration(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_int(a[0].integer);
}

static struct cel_value uint_from_int(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[0].integer < 0 ? cel_error("unsigned integer overflow") : cel_uint(a[0].natural);
}

static struct cel_value uint_from_double(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[0].real >= 0 && a[0].real < 0x1p64 ? cel_uint((uint64_t)a[0].real)
                                                : cel_error("unsigned integer overflow");
}

static struct cel_value double_from_number(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_double(a[0].kind == CEL_INT ? (double)a[0].integer : (double)a[0].natural);
}

static struct cel_value bool_from_text(struct cel_run *run, const struct cel_value *a)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {{"true", true},   {"True", true},   {"TRUE", true},   {"t", true},  {"T", true},  {"1", true},
                 {"false", false}, {"False", false}, {"FALSE", false}, {"f", false}, {"F", false}, {"0", false}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (cel_text_is(a[0], words[i].text))
            return cel_bool(words[i].value);
    return bad_number(run, "ParseBool", a[0], false);
}

/* --- what it is, how much --- */

static struct cel_value type_of(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return (struct cel_value){.kind = CEL_TYPE, .type_of = a[0].kind};
}

static struct cel_value text_size(struct cel_run *run, const struct cel_value *a)
{
    if (!cel_charge_text(run, a[0].text.len))
        return cel_exhausted();
    return cel_int((int64_t)utf8_length(a[0].text.s, a[0].text.len));
}

static struct cel_value bytes_size(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_int((int64_t)a[0].text.len);
}

static struct cel_value container_size(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_int((int64_t)cel_length(a[0]));
}

const struct cel_function cel_convert_functions[] = {
    {"string", "s:s", to_string},
    {"string", "b:s", to_string},
    {"string", "i:s", to_string},
    {"string", "u:s", to_string},
    {"string", "d:s", to_string},
    {"string", "y:s", to_string},
    {"string", "t:s", to_string},
    {"string", "r:s", to_string},
    {"string", "p:s", to_string},
    {"string", "c:s", to_string},
    {"bytes", "s:y", to_bytes},
    {"bytes", "y:y", same},
    {"int", "i:i", same},
    {"int", "u:i", int_from_uint},
    {"int", "d:i", int_from_double},
    {"int", "s:i", int_from_text},
    {"int", "t:i", int_from_timestamp},
    {"int", "r:i", int_from_duration},
    {"uint", "u:u", same},
    {"uint", "i:u", uint_from_int},
    {"uint", "d:u", uint_from_double},
    {"uint", "s:u", uint_from_text},
    {"double", "d:d", same},
    {"double", "i:d", double_from_number},
    {"double", "u:d", double_from_number},
    {"double", "s:d", double_from_text},
    {"bool", "b:b", same},
    {"bool", "s:b", bool_from_text},
    {"dyn", "*:*", same},
    {"type", "*:T", type_of},
    {"size", "s:i", text_size},
    {"size", "y:i", bytes_size},
    {"size", "l:i", container_size},
    {"size", "m:i", container_size},
    {".size", "s:i", text_size},
    {".size", "y:i", bytes_size},
    {".size", "l:i", container_size},
    {".size", "m:i", container_size},
    {0},
};
