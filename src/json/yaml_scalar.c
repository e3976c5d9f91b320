/* See yaml_scalar.h. The rules are those of go-yaml v2, through which Kubernetes' own tools read: YAML 1.1 with its
 * many booleans, Go's integers. */
#include "json/yaml_scalar.h"

#include <math.h>
#include <string.h>

#include "base/str.h"

#define TAG_PREFIX "tag:yaml.org,2002:"
/* Integral numbers up to here are written without exponent, as Go's JSON does, and are exact. */
#define EXACT_MAX 9e15

static const struct {
    const char *text;
    json_type type;
} words[] = {
    {"", JSON_NULL},       {"~", JSON_NULL},      {"null", JSON_NULL}, {"Null", JSON_NULL}, {"NULL", JSON_NULL},
    {"y", JSON_TRUE},      {"Y", JSON_TRUE},      {"yes", JSON_TRUE},  {"Yes", JSON_TRUE},  {"YES", JSON_TRUE},
    {"on", JSON_TRUE},     {"On", JSON_TRUE},     {"ON", JSON_TRUE},   {"true", JSON_TRUE}, {"True", JSON_TRUE},
    {"TRUE", JSON_TRUE},   {"n", JSON_FALSE},     {"N", JSON_FALSE},   {"no", JSON_FALSE},  {"No", JSON_FALSE},
    {"NO", JSON_FALSE},    {"off", JSON_FALSE},   {"Off", JSON_FALSE}, {"OFF", JSON_FALSE}, {"false", JSON_FALSE},
    {"False", JSON_FALSE}, {"FALSE", JSON_FALSE},
};

static const char *const no_json_numbers[] = {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF"};

static json_t *word_value(const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (streq(words[i].text, text))
            return words[i].type == JSON_NULL ? json_null() : json_boolean(words[i].type == JSON_TRUE);
    return NULL;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Skips 0x, 0o, 0b or an octal's 0. */
static int read_base(const char **s)
{
    static const struct {
        char letter;
        int base;
    } bases[] = {{'x', 16}, {'o', 8}, {'b', 2}};
    if ((*s)[0] != '0' || !(*s)[1])
        return 10;
    for (size_t i = 0; i < ARRAY_LEN(bases); i++)
        if (((*s)[1] | 0x20) == bases[i].letter) {
            *s += 2;
            return bases[i].base;
        }
    *s += 1;
    return 8;
}

static json_t *int_value(const char *s)
{
    bool negative = *s == '-';
    s += *s == '-' || *s == '+';
    int base = read_base(&s);
    json_int_t v = 0;
    if (!*s)
        return NULL;
    for (; *s; s++) {
        int d = digit_value(*s);
        if (d >= base || __builtin_mul_overflow(v, base, &v) || __builtin_sub_overflow(v, d, &v))
            return NULL; /* counted downwards: there is one more number below zero than above */
    }
    if (negative)
        return json_integer(v);
    return v == INT64_MIN ? NULL : json_integer(-v);
}

/* [-+] ( . digits | digits [ . [digits] ] ) [ e [-+] digits ] */
static bool looks_like_float(const char *s)
{
    s += *s == '-' || *s == '+';
    size_t whole = strspn(s, "0123456789"), fraction = 0;
    s += whole;
    if (*s == '.') {
        fraction = strspn(s + 1, "0123456789");
        s += 1 + fraction;
    }
    if (!whole && !fraction)
        return false;
    if (*s != 'e' && *s != 'E')
        return !*s;
    s += 1 + (s[1] == '-' || s[1] == '+');
    size_t exponent = strspn(s, "0123456789");
    return exponent && !s[exponent];
}

static json_t *float_value(const char *s)
{
    if (!looks_like_float(s))
        return NULL;
    double v = strtod(s, NULL);
    if (v == floor(v) && fabs(v) <= EXACT_MAX)
        return json_integer((json_int_t)v);
    return isfinite(v) ? json_real(v) : NULL;
}

/* NULL when it is no number. Underscores may stand anywhere but in front. */
static json_t *number_value(const char *text)
{
    if (!*text || !strchr("+-.0123456789", *text))
        return NULL;
    _cleanup_free_ char *plain = xstrdup(text);
    char *to = plain;
    for (const char *p = text; *p; p++)
        if (*p != '_')
            *to++ = *p;
    *to = '\0';
    json_t *v = int_value(plain);
    return v ? v : float_value(plain);
}

static bool has_no_json(const char *text)
{
    text += *text == '-' || *text == '+';
    for (size_t i = 0; i < ARRAY_LEN(no_json_numbers); i++)
        if (streq(text, no_json_numbers[i]))
            return true;
    return false;
}

static json_t *resolve(const char *text)
{
    json_t *v = word_value(text);
    if (!v)
        v = number_value(text);
    return v ? v : json_string(text);
}

static json_t *binary_value(const char *text, const char **ret_wrong)
{
    size_t len;
    _cleanup_free_ char *bytes = base64_decode(text, strlen(text), &len);
    bool has_nul = bytes && strlen(bytes) != len; /* which no text of ours may hold */
    json_t *v = bytes && !has_nul ? json_stringn(bytes, len) : NULL;
    if (!v)
        *ret_wrong = has_nul ? "a NUL character inside text" : "!!binary value contains invalid base64 data";
    return v;
}

/* Whether a value resolved from text is what a standard tag asks for. */
static bool fits_tag(const json_t *v, const char *tag)
{
    if (streq(tag, "int"))
        return json_is_integer(v);
    if (streq(tag, "float"))
        return json_is_number(v);
    if (streq(tag, "bool"))
        return json_is_boolean(v);
    return streq(tag, "null") && json_is_null(v);
}

json_t *yaml_scalar(const char *text, const char *tag, bool plain, const char **ret_wrong)
{
    const char *standard = tag ? str_after(tag, TAG_PREFIX) : NULL;
    bool is_text = standard && streq(standard, "str");
    if ((plain && !tag && has_no_json(text)) || (standard && streq(standard, "float") && has_no_json(text))) {
        *ret_wrong = "a number that JSON does not have";
        return NULL;
    }
    if (standard && streq(standard, "binary"))
        return binary_value(text, ret_wrong);
    if (!tag && plain)
        return resolve(text);
    if (!standard || is_text || streq(standard, "timestamp"))
        return json_string(text);
    json_t *v = resolve(text);
    if (fits_tag(v, standard))
        return v;
    json_decref(v);
    *ret_wrong = "the value does not fit its tag";
    return NULL;
}
