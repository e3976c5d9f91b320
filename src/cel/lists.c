/* Functions on lists: Kubernetes' own (sums, order), sets, and what is there of the standard. */
#include "cel/functions.h"

/* The items in order; false: the budget is used up. */
static bool charge_all(struct cel_run *run, struct cel_value list)
{
    return cel_charge(run, (int64_t)cel_length(list));
}

static struct cel_value is_sorted(struct cel_run *run, const struct cel_value *a)
{
    if (!charge_all(run, a[0]))
        return cel_exhausted();
    for (size_t i = 1; i < cel_length(a[0]); i++) {
        int order = cel_compare(cel_item(a[0], i - 1, &run->arena), cel_item(a[0], i, &run->arena));
        if (order == CEL_UNORDERED)
            return cel_error("no such overload");
        if (order > 0)
            return cel_bool(false);
    }
    return cel_bool(true);
}

static const struct cel_function *adder(struct cel_value sum, struct cel_value item)
{
    struct cel_value pair[] = {sum, item};
    for (const struct cel_function *f = cel_operator_functions; f->name; f++)
        if (f->name[1] == '+' && cel_accepts(f, pair))
            return f;
    return NULL;
}

static struct cel_value sum(struct cel_run *run, const struct cel_value *a)
{
    if (!charge_all(run, a[0]))
        return cel_exhausted();
    struct cel_value total = cel_int(0);
    for (size_t i = 0, n = cel_length(a[0]); i < n; i++) {
        struct cel_value pair[] = {total, cel_item(a[0], i, &run->arena)};
        const struct cel_function *f = i ? adder(pair[0], pair[1]) : NULL;
        if (i && (!f || pair[1].kind == CEL_STRING || pair[1].kind == CEL_LIST))
            return cel_error("no such overload");
        total = f ? f->call(run, pair) : pair[1];
        if (total.kind == CEL_ERROR)
            return total;
    }
    return total;
}

static struct cel_value extreme(struct cel_run *run, struct cel_value list, int wanted, const char *name)
{
    size_t n = cel_length(list);
    if (!charge_all(run, list))
        return cel_exhausted();
    if (!n)
        return cel_errorf(&run->arena, "%s called on empty list", name);
    struct cel_value best = cel_item(list, 0, &run->arena);
    for (size_t i = 1; i < n; i++) {
        struct cel_value item = cel_item(list, i, &run->arena);
        int order = cel_compare(item, best);
        if (order == CEL_UNORDERED)
            return cel_error("no such overload");
        if (order == wanted)
            best = item;
    }
    return best;
}

static struct cel_value min(struct cel_run *run, const struct cel_value *a)
{
    return extreme(run, a[0], -1, "min");
}

static struct cel_value max(struct cel_run *run, const struct cel_value *a)
{
    return extreme(run, a[0], 1, "max");
}

static struct cel_value index_of(struct cel_run *run, const struct cel_value *a)
{
    for (size_t i = 0, n = cel_length(a[0]); i < n && run->left >= 0; i++)
        if (cel_run_equal(run, cel_item(a[0], i, &run->arena), a[1]))
            return cel_int((int64_t)i);
    return cel_int(-1);
}

static struct cel_value last_index_of(struct cel_run *run, const struct cel_value *a)
{
    for (size_t i = cel_length(a[0]); i-- > 0 && run->left >= 0;)
        if (cel_run_equal(run, cel_item(a[0], i, &run->arena), a[1]))
            return cel_int((int64_t)i);
    return cel_int(-1);
}

/* --- sets --- */

static bool holds(struct cel_run *run, struct cel_value list, struct cel_value item)
{
    return index_of(run, (struct cel_value[]){list, item}).integer >= 0;
}

static struct cel_value sets_contains(struct cel_run *run, const struct cel_value *a)
{
    for (size_t i = 0, n = cel_length(a[1]); i < n && run->left >= 0; i++)
        if (!holds(run, a[0], cel_item(a[1], i, &run->arena)))
            return cel_bool(false);
    return cel_bool(true);
}

static struct cel_value sets_equivalent(struct cel_run *run, const struct cel_value *a)
{
    struct cel_value turned[] = {a[1], a[0]};
    return cel_bool(sets_contains(run, a).boolean && sets_contains(run, turned).boolean);
}

static struct cel_value sets_intersects(struct cel_run *run, const struct cel_value *a)
{
    for (size_t i = 0, n = cel_length(a[1]); i < n && run->left >= 0; i++)
        if (holds(run, a[0], cel_item(a[1], i, &run->arena)))
            return cel_bool(true);
    return cel_bool(false);
}

const struct cel_function cel_list_functions[] = {
    {".isSorted", "l:b", is_sorted},
    {".sum", "E:A", sum},
    {".min", "E:A", min},
    {".max", "E:A", max},
    {".indexOf", "EA:i", index_of},
    {".lastIndexOf", "EA:i", last_index_of},
    {"sets.contains", "EE:b", sets_contains},
    {"sets.equivalent", "EE:b", sets_equivalent},
    {"sets.intersects", "EE:b", sets_intersects},
    {0},
};
