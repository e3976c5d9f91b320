/* Arithmetic, order, membership. Numbers that do not fit are errors. */
#include <math.h>
#include <string.h>

#include "cel/functions.h"

#define OVERFLOW_ERROR cel_error("integer overflow")

/* --- arithmetic --- */

#define INTEGER_OPERATION(name, builtin)                                                                               \
    static struct cel_value name##_ints(struct cel_run *run, const struct cel_value *a)                                \
    {                                                                                                                  \
        int64_t result;                                                                                                \
        (void)run;                                                                                                     \
        return builtin(a[0].integer, a[1].integer, &result) ? OVERFLOW_ERROR : cel_int(result);                        \
    }                                                                                                                  \
    static struct cel_value name##_uints(struct cel_run *run, const struct cel_value *a)                               \
    {                                                                                                                  \
        uint64_t result;                                                                                               \
        (void)run;                                                                                                     \
        return builtin(a[0].natural, a[1].natural, &result) ? cel_error("unsigned integer overflow")                   \
                                                            : cel_uint(result);                                        \
    }
INTEGER_OPERATION(add, __builtin_add_overflow)
INTEGER_OPERATION(subtract, __builtin_sub_overflow)
INTEGER_OPERATION(multiply, __builtin_mul_overflow)

#define DOUBLE_OPERATION(name, sign)                                                                                   \
    static struct cel_value name##_doubles(struct cel_run *run, const struct cel_value *a)                             \
    {                                                                                                                  \
        (void)run;                                                                                                     \
        return cel_double(a[0].real sign a[1].real);                                                                   \
    }
DOUBLE_OPERATION(add, +)
DOUBLE_OPERATION(subtract, -)
DOUBLE_OPERATION(multiply, *)
DOUBLE_OPERATION(divide, /)

static struct cel_value divide_ints(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    if (!a[1].integer)
        return cel_error("division by zero");
    return a[0].integer == INT64_MIN && a[1].integer == -1 ? OVERFLOW_ERROR : cel_int(a[0].integer / a[1].integer);
}

static struct cel_value divide_uints(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[1].natural ? cel_uint(a[0].natural / a[1].natural) : cel_error("division by zero");
}

static struct cel_value remainder_ints(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    if (!a[1].integer)
        return cel_error("modulus by zero");
    return a[0].integer == INT64_MIN && a[1].integer == -1 ? OVERFLOW_ERROR : cel_int(a[0].integer % a[1].integer);
}

static struct cel_value remainder_uints(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[1].natural ? cel_uint(a[0].natural % a[1].natural) : cel_error("modulus by zero");
}

static struct cel_value negate_int(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[0].integer == INT64_MIN ? OVERFLOW_ERROR : cel_int(-a[0].integer);
}

static struct cel_value negate_double(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_double(-a[0].real);
}

static struct cel_value not(struct cel_run * run, const struct cel_value *a)
{
    (void)run;
    return cel_bool(!a[0].boolean);
}

/* --- time: timestamps count microseconds, durations nanoseconds --- */

#define YEAR_1 (-62135596800LL * 1000000)     /* 0001-01-01 */
#define YEAR_10000 (253402300800LL * 1000000) /* the first that is too late */

static struct cel_value shifted(struct cel_value timestamp, int64_t nanoseconds)
{
    int64_t usec = timestamp.integer + nanoseconds / 1000; /* both are far from the ends */
    if (usec < YEAR_1 || usec >= YEAR_10000)
        return cel_error("timestamp overflow");
    return (struct cel_value){.kind = CEL_TIMESTAMP, .integer = usec};
}

static struct cel_value add_times(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[0].kind == CEL_TIMESTAMP ? shifted(a[0], a[1].integer) : shifted(a[1], a[0].integer);
}

static struct cel_value subtract_times(struct cel_run *run, const struct cel_value *a)
{
    int64_t result;
    (void)run;
    if (a[1].kind == CEL_DURATION)
        return a[1].integer == INT64_MIN ? OVERFLOW_ERROR : shifted(a[0], -a[1].integer);
    if (__builtin_mul_overflow(a[0].integer - a[1].integer, 1000, &result))
        return OVERFLOW_ERROR;
    return (struct cel_value){.kind = CEL_DURATION, .integer = result};
}

static struct cel_value combine_durations(struct cel_value sum)
{
    if (sum.kind == CEL_INT)
        sum.kind = CEL_DURATION;
    return sum;
}

static struct cel_value add_durations(struct cel_run *run, const struct cel_value *a)
{
    return combine_durations(add_ints(run, a));
}

static struct cel_value subtract_durations(struct cel_run *run, const struct cel_value *a)
{
    return combine_durations(subtract_ints(run, a));
}

/* --- joining --- */

static struct cel_value add_texts(struct cel_run *run, const struct cel_value *a)
{
    size_t len = a[0].text.len + a[1].text.len;
    if (!cel_charge_text(run, len))
        return cel_exhausted();
    char *out = cel_alloc(&run->arena, len + 1, 1);
    memcpy(out, a[0].text.s, a[0].text.len);
    memcpy(out + a[0].text.len, a[1].text.s, a[1].text.len);
    return cel_text(a[0].kind, out, len);
}

/* Whether two items of a list of that type are the same one: sets look at all of it, maps at the keys. */
static bool same_item(struct cel_run *run, const struct cel_type *list, struct cel_value a, struct cel_value b)
{
    size_t i;
    json_t *key;
    if (list->list != CEL_KEYED)
        return cel_run_equal(run, a, b);
    json_array_foreach((json_t *)list->keys, i, key) {
        struct cel_value name = cel_string(json_string_value(key)), left, right;
        bool in_a = a.kind == CEL_MAP && cel_find(a, name, &left, &run->arena);
        bool in_b = b.kind == CEL_MAP && cel_find(b, name, &right, &run->arena);
        if (in_a != in_b || (in_a && !cel_run_equal(run, left, right)))
            return false;
    }
    return true;
}

/* Where lists are sets or maps by their schema, an item of the second takes the place of the same one in the first. */
static void put_item(struct cel_run *run, const struct cel_type *type, struct cel_list *out, struct cel_value item)
{
    for (size_t i = 0; type && type->list != CEL_ATOMIC && i < out->n && run->left >= 0; i++)
        if (same_item(run, type, out->items[i], item)) {
            out->items[i] = item;
            return;
        }
    out->items[out->n++] = item;
}

static struct cel_value add_lists(struct cel_run *run, const struct cel_value *a)
{
    size_t n = cel_length(a[0]), m = cel_length(a[1]);
    if (!cel_charge(run, (int64_t)(n + m)))
        return cel_exhausted();
    struct cel_list *out = cel_list_new(&run->arena, n + m);
    for (size_t i = 0; i < n; i++)
        out->items[out->n++] = cel_item(a[0], i, &run->arena);
    for (size_t i = 0; i < m; i++)
        put_item(run, a[0].type, out, cel_item(a[1], i, &run->arena));
    struct cel_value v = cel_list(out);
    v.type = a[0].type;
    return v;
}

/* --- comparing --- */

static struct cel_value equal(struct cel_run *run, const struct cel_value *a)
{
    return cel_bool(cel_run_equal(run, a[0], a[1]));
}

static struct cel_value differ(struct cel_run *run, const struct cel_value *a)
{
    return cel_bool(!cel_run_equal(run, a[0], a[1]));
}

static int order(struct cel_run *run, const struct cel_value *a)
{
    if (a[0].kind == CEL_STRING || a[0].kind == CEL_BYTES)
        cel_charge_text(run, a[0].text.len < a[1].text.len ? a[0].text.len : a[1].text.len);
    return cel_compare(a[0], a[1]);
}

#define ORDER(name, condition)                                                                                         \
    static struct cel_value name(struct cel_run *run, const struct cel_value *a)                                       \
    {                                                                                                                  \
        int o = order(run, a);                                                                                         \
        return cel_bool(o != CEL_UNORDERED && o condition 0);                                                          \
    }
ORDER(less, <)
ORDER(less_or_equal, <=)
ORDER(greater, >)
ORDER(greater_or_equal, >=)

static struct cel_value in_list(struct cel_run *run, const struct cel_value *a)
{
    for (size_t i = 0, n = cel_length(a[1]); i < n && run->left >= 0; i++)
        if (cel_run_equal(run, a[0], cel_item(a[1], i, &run->arena)))
            return cel_bool(true);
    return cel_bool(false);
}

static struct cel_value in_map(struct cel_run *run, const struct cel_value *a)
{
    struct cel_value found;
    if (!a[1].map.json)
        cel_charge(run, (int64_t)cel_length(a[1]) / 10);
    return cel_bool(cel_find(a[1], a[0], &found, &run->arena));
}

#define ORDERED(sign, function)                                                                                        \
    {sign, "NN:b", function}, {sign, "ss:b", function}, {sign, "bb:b", function}, {sign, "yy:b", function},            \
        {sign, "tt:b", function},                                                                                      \
    {                                                                                                                  \
        sign, "rr:b", function                                                                                         \
    }

const struct cel_function cel_operator_functions[] = {
    {"_+_", "ii:i", add_ints},
    {"_+_", "uu:u", add_uints},
    {"_+_", "dd:d", add_doubles},
    {"_+_", "ss:s", add_texts},
    {"_+_", "yy:y", add_texts},
    {"_+_", "EE:E", add_lists},
    {"_+_", "tr:t", add_times},
    {"_+_", "rt:t", add_times},
    {"_+_", "rr:r", add_durations},
    {"_-_", "ii:i", subtract_ints},
    {"_-_", "uu:u", subtract_uints},
    {"_-_", "dd:d", subtract_doubles},
    {"_-_", "tt:r", subtract_times},
    {"_-_", "tr:t", subtract_times},
    {"_-_", "rr:r", subtract_durations},
    {"_*_", "ii:i", multiply_ints},
    {"_*_", "uu:u", multiply_uints},
    {"_*_", "dd:d", multiply_doubles},
    {"_/_", "ii:i", divide_ints},
    {"_/_", "uu:u", divide_uints},
    {"_/_", "dd:d", divide_doubles},
    {"_%_", "ii:i", remainder_ints},
    {"_%_", "uu:u", remainder_uints},
    {"-_", "i:i", negate_int},
    {"-_", "d:d", negate_double},
    {"!_", "b:b", not },
    {"_==_", "AA:b", equal},
    {"_!=_", "AA:b", differ},
    ORDERED("_<_", less),
    ORDERED("_<=_", less_or_equal),
    ORDERED("_>_", greater),
    ORDERED("_>=_", greater_or_equal),
    {"@in", "AE:b", in_list},
    {"@in", "*m:b", in_map},
    {0},
};
