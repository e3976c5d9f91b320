/* See quantity.h. Reading keeps decimal digits as one integer and a power of ten, so nothing is rounded before the end.
 */
#include "base/quantity.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define NANO ((quantity_nano)1000000000)
/* Upstream's numbers have no end; ours stop at 10^29 units, a hundred billion exa. */
#define NANO_MAX (NANO * NANO * NANO * NANO * 100)
#define BINARY_MAX (INT64_MAX * NANO) /* upstream caps binary quantities there */

static const struct suffix {
    const char *text;
    int exponent; /* of ten, or of 1024 */
    enum quantity_format format;
} suffixes[] = {
    {"n", -9, QUANTITY_DECIMAL_SI}, {"u", -6, QUANTITY_DECIMAL_SI}, {"m", -3, QUANTITY_DECIMAL_SI},
    {"", 0, QUANTITY_DECIMAL_SI},   {"k", 3, QUANTITY_DECIMAL_SI},  {"M", 6, QUANTITY_DECIMAL_SI},
    {"G", 9, QUANTITY_DECIMAL_SI},  {"T", 12, QUANTITY_DECIMAL_SI}, {"P", 15, QUANTITY_DECIMAL_SI},
    {"E", 18, QUANTITY_DECIMAL_SI}, {"Ki", 1, QUANTITY_BINARY_SI},  {"Mi", 2, QUANTITY_BINARY_SI},
    {"Gi", 3, QUANTITY_BINARY_SI},  {"Ti", 4, QUANTITY_BINARY_SI},  {"Pi", 5, QUANTITY_BINARY_SI},
    {"Ei", 6, QUANTITY_BINARY_SI},
};

static const char *suffix_text(int exponent, enum quantity_format format)
{
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (suffixes[i].exponent == exponent && suffixes[i].format == format)
            return suffixes[i].text;
    return "";
}

/* A row of the table, else "e3", "E-6". */
static bool read_suffix(const char *s, struct suffix *ret)
{
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (streq(s, suffixes[i].text)) {
            *ret = suffixes[i];
            return true;
        }
    if (*s != 'e' && *s != 'E')
        return false;
    s += s[1] == '+' && s[2] != '-' ? 2 : 1;
    int64_t exponent;
    if (!str_to_i64(s, -100000, 100000, &exponent))
        return false;
    *ret = (struct suffix){.exponent = (int)exponent, .format = QUANTITY_DECIMAL_EXPONENT};
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Appends a decimal digit; past NANO_MAX it stays there. */
static quantity_nano shift_in(quantity_nano v, int digit)
{
    return v > (NANO_MAX - digit) / 10 ? NANO_MAX : v * 10 + digit;
}

/* The digits in [s, end), one '.' among them, times 10^power, without decimals; ret_rest: those were not all zero. */
static quantity_nano scale_digits(const char *s, const char *end, int64_t power, bool *ret_rest)
{
    quantity_nano v = 0;
    bool fraction = false, rest = false;
    for (; s < end; s++) {
        if (*s == '.') {
            fraction = true;
            continue;
        }
        if (fraction)
            power--;
        if (power >= 0 || !fraction)
            v = shift_in(v, *s - '0');
        else
            rest |= *s != '0';
    }
    if (fraction && power < 0)
        power = 0; /* those digits are in `rest` */
    for (; power > 0 && v > 0 && v < NANO_MAX; power--)
        v = shift_in(v, 0);
    for (; power < 0 && v > 0; power++) {
        rest |= v % 10 != 0;
        v /= 10;
    }
    *ret_rest = rest;
    return v;
}

static quantity_nano divide_up(quantity_nano v, quantity_nano by)
{
    return v / by + (v % by > 0);
}

static quantity_nano decimal_nano(const char *digits, const char *end, int exponent)
{
    bool rest;
    quantity_nano v = scale_digits(digits, end, exponent + 9, &rest) + rest;
    return v > NANO_MAX ? NANO_MAX : v;
}

/* Eighteen decimals are kept before the multiplication: by up to 2^60, it moves them to where they count. */
static quantity_nano binary_nano(const char *digits, const char *end, int exponent)
{
    bool rest;
    quantity_nano v = scale_digits(digits, end, 18, &rest);
    if (__builtin_mul_overflow(v, (quantity_nano)1 << (10 * exponent), &v))
        return BINARY_MAX;
    v = divide_up(v + rest, NANO);
    return v > BINARY_MAX ? BINARY_MAX : v;
}

bool quantity_parse(const char *text, struct quantity *ret)
{
    bool negative = *text == '-';
    const char *digits = text + (*text == '-' || *text == '+');
    const char *end = digits;
    bool any = false, dot = false;
    for (; is_digit(*end) || (*end == '.' && !dot); end++) {
        any |= *end != '.';
        dot |= *end == '.';
    }
    struct suffix suffix;
    if (!any || !read_suffix(end, &suffix))
        return false;
    quantity_nano nano;
    if (suffix.format == QUANTITY_BINARY_SI) {
        nano = binary_nano(digits, end, suffix.exponent);
        if (nano > 0 && nano < NANO)
            suffix.format = QUANTITY_DECIMAL_SI;
    } else {
        nano = decimal_nano(digits, end, suffix.exponent);
    }
    *ret = (struct quantity){.nano = negative ? -nano : nano, .format = suffix.format};
    return true;
}

/* Decimal text of v, which fits QUANTITY_TEXT_SIZE: a sign and 39 digits. */
static void print_int(quantity_nano v, const char *suffix, char out[QUANTITY_TEXT_SIZE])
{
    char digits[48];
    char *p = digits + sizeof(digits) - 1;
    bool negative = v < 0;
    *p = '\0';
    do {
        int d = (int)(v % 10);
        *--p = (char)('0' + (d < 0 ? -d : d));
        v /= 10;
    } while (v);
    snprintf(out, QUANTITY_TEXT_SIZE, "%s%s%s", negative ? "-" : "", p, suffix);
}

static char *format_binary(quantity_nano units, char out[QUANTITY_TEXT_SIZE])
{
    int exponent = 0;
    for (; units % 1024 == 0 && exponent < 6; exponent++)
        units /= 1024;
    print_int(units, suffix_text(exponent, QUANTITY_BINARY_SI), out);
    return out;
}

char *quantity_format_text(const struct quantity *q, char out[QUANTITY_TEXT_SIZE])
{
    quantity_nano v = q->nano;
    if (v == 0)
        return memcpy(out, "0", 2);
    bool whole_binary = v % NANO == 0 && (v >= 1024 * NANO || v <= -1024 * NANO);
    if (q->format == QUANTITY_BINARY_SI && whole_binary)
        return format_binary(v / NANO, out);
    bool as_exponent = q->format == QUANTITY_DECIMAL_EXPONENT;
    int exponent = -9; /* always a multiple of three */
    for (; v % 1000 == 0 && (as_exponent || exponent < 18); exponent += 3)
        v /= 1000;
    char suffix[16] = "";
    if (!as_exponent)
        snprintf(suffix, sizeof(suffix), "%s", suffix_text(exponent, QUANTITY_DECIMAL_SI));
    else if (exponent)
        snprintf(suffix, sizeof(suffix), "e%d", exponent);
    print_int(v, suffix, out);
    return out;
}

/* Away from zero, as upstream rounds. */
static int64_t in_units_of(quantity_nano v, quantity_nano unit)
{
    quantity_nano n = v < 0 ? -divide_up(-v, unit) : divide_up(v, unit);
    return n > INT64_MAX ? INT64_MAX : n < INT64_MIN ? INT64_MIN : (int64_t)n;
}

int64_t quantity_value(const struct quantity *q)
{
    return in_units_of(q->nano, NANO);
}

int64_t quantity_milli(const struct quantity *q)
{
    return in_units_of(q->nano, NANO / 1000);
}
