/* Optional values: what a.?b makes. */
#include "cel/functions.h"

static struct cel_value of(struct cel_run *run, const struct cel_value *a)
{
    return cel_optional(run, a[0]);
}

static struct cel_value none(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    (void)a;
    return cel_none();
}

static bool is_zero(struct cel_value v)
{
    switch (v.kind) {
    case CEL_NULL:
        return true;
    case CEL_BOOL:
        return !v.boolean;
    case CEL_INT:
    case CEL_UINT:
    case CEL_DURATION:
    case CEL_TIMESTAMP:
        return !v.integer;
    case CEL_DOUBLE:
        return v.real == 0;
    case CEL_STRING:
    case CEL_BYTES:
        return !v.text.len;
    case CEL_LIST:
    case CEL_MAP:
        return !cel_length(v);
    default:
        return false;
    }
}

static struct cel_value of_non_zero(struct cel_run *run, const struct cel_value *a)
{
    return is_zero(a[0]) ? cel_none() : cel_optional(run, a[0]);
}

static struct cel_value has_value(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_bool(a[0].held);
}

static struct cel_value value(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[0].held ? *a[0].held : cel_error("optional.none() dereference");
}

static struct cel_value or (struct cel_run * run, const struct cel_value *a)
{
    (void)run;
    return a[a[0].held ? 0 : 1];
}

static struct cel_value or_value(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[0].held ? *a[0].held : a[1];
}

const struct cel_function cel_optional_functions[] = {
    {"optional.of", "A:O", of},     {"optional.ofNonZeroValue", "A:O", of_non_zero},
    {"optional.none", ":O", none},  {".hasValue", "o:b", has_value},
    {".value", "O:A", value},       {".or", "OO:O", or },
    {".orValue", "OA:A", or_value}, {0},
};
