/* Equality, which never fails, and order, which some values do not have. Numbers compare across their types. */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "cel/value.h"

static int sign(bool less, bool greater)
{
    return less ? -1 : greater;
}

static bool is_number(struct cel_value v)
{
    return v.kind == CEL_INT || v.kind == CEL_UINT || v.kind == CEL_DOUBLE;
}

/* An int or uint beside a double, exactly: doubles of 2^53 and more are whole. */
static int compare_double(struct cel_value whole, double d)
{
    bool natural = whole.kind == CEL_UINT;
    if (isnan(d))
        return CEL_UNORDERED;
    if (d >= (natural ? 0x1p64 : 0x1p63))
        return -1;
    if (d < (natural ? 0 : -0x1p63))
        return 1;
    double floor_d = floor(d);
    int order = natural ? sign(whole.natural<(uint64_t)floor_d, whole.natural>(uint64_t) floor_d)
                        : sign(whole.integer<(int64_t)floor_d, whole.integer>(int64_t) floor_d);
    return order == 0 && d > floor_d ? -1 : order;
}

static int compare_numbers(struct cel_value a, struct cel_value b)
{
    if (a.kind == CEL_DOUBLE && b.kind == CEL_DOUBLE)
        return isnan(a.real) || isnan(b.real) ? CEL_UNORDERED : sign(a.real<b.real, a.real> b.real);
    if (b.kind == CEL_DOUBLE)
        return compare_double(a, b.real);
    if (a.kind == CEL_DOUBLE) {
        int order = compare_double(b, a.real);
        return order == CEL_UNORDERED ? order : -order;
    }
    if (a.kind == CEL_INT && b.kind == CEL_INT)
        return sign(a.integer<b.integer, a.integer> b.integer);
    if (a.kind == CEL_INT && a.integer < 0)
        return -1;
    if (b.kind == CEL_INT && b.integer < 0)
        return 1;
    return sign(a.natural<b.natural, a.natural> b.natural); /* both read the same bits */
}

static int compare_text(struct cel_value a, struct cel_value b)
{
    size_t shorter = a.text.len < b.text.len ? a.text.len : b.text.len;
    int order = memcmp(a.text.s, b.text.s, shorter);
    return order ? sign(order < 0, true) : sign(a.text.len<b.text.len, a.text.len> b.text.len);
}

int cel_compare(struct cel_value a, struct cel_value b)
{
    if (is_number(a) && is_number(b))
        return compare_numbers(a, b);
    if (a.kind != b.kind)
        return CEL_UNORDERED;
    switch (a.kind) {
    case CEL_BOOL:
        return sign(a.boolean<b.boolean, a.boolean> b.boolean);
    case CEL_STRING:
    case CEL_BYTES:
        return compare_text(a, b);
    case CEL_TIMESTAMP:
    case CEL_DURATION:
        return sign(a.integer<b.integer, a.integer> b.integer);
    case CEL_QUANTITY:
        return sign(a.quantity->nano<b.quantity->nano, a.quantity->nano> b.quantity->nano);
    default:
        return CEL_UNORDERED;
    }
}

/* --- equality --- */

static bool lists_equal_in_order(struct cel_value a, struct cel_value b, struct cel_arena *arena, int64_t *work)
{
    for (size_t i = 0, n = cel_length(a); i < n; i++)
        if (!cel_equal(cel_item(a, i, arena), cel_item(b, i, arena), arena, work))
            return false;
    return true;
}

/* Lists that their schema calls sets or maps: every item of the one is somewhere in the other. */
static bool lists_equal_in_any_order(struct cel_value a, struct cel_value b, struct cel_arena *arena, int64_t *work)
{
    size_t n = cel_length(a);
    for (size_t i = 0; i < n; i++) {
        struct cel_value item = cel_item(a, i, arena);
        size_t j = 0;
        while (j < n && !cel_equal(item, cel_item(b, j, arena), arena, work))
            j++;
        if (j == n || *work < 0)
            return false;
    }
    return true;
}

static bool lists_equal(struct cel_value a, struct cel_value b, struct cel_arena *arena, int64_t *work)
{
    bool any_order = (a.type && a.type->list != CEL_ATOMIC) || (b.type && b.type->list != CEL_ATOMIC);
    if (cel_length(a) != cel_length(b))
        return false;
    return any_order ? lists_equal_in_any_order(a, b, arena, work) : lists_equal_in_order(a, b, arena, work);
}

static const struct cel_type *member_type(const struct cel_type *t, const char *json_name)
{
    for (const struct cel_member *m = t ? t->members : NULL; m && m->name; m++)
        if (strcmp(m->json, json_name) == 0)
            return m->type;
    return t ? t->item : NULL;
}

/* Both are parts of documents: member by member, so that all of it is counted. */
static bool documents_equal(struct cel_value a, struct cel_value b, struct cel_arena *arena, int64_t *work)
{
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)a.map.json, name, member) {
        const json_t *other = json_object_get(b.map.json, name);
        const struct cel_type *type = member_type(a.type, name);
        if (!other || !cel_equal(cel_from_json(member, type, arena), cel_from_json(other, type, arena), arena, work))
            return false;
    }
    return true;
}

static bool maps_equal(struct cel_value a, struct cel_value b, struct cel_arena *arena, int64_t *work)
{
    struct cel_value key, value, other;
    if (cel_length(a) != cel_length(b))
        return false;
    if (a.map.json && b.map.json)
        return documents_equal(a, b, arena, work);
    for (struct cel_cursor c = {0}; cel_next(a, &c, &key, &value, arena);)
        if (!cel_find(b, key, &other, arena) || !cel_equal(value, other, arena, work))
            return false;
    return true;
}

static bool same_kind_equal(struct cel_value a, struct cel_value b, struct cel_arena *arena, int64_t *work)
{
    switch (a.kind) {
    case CEL_NULL:
        return true;
    case CEL_LIST:
        return lists_equal(a, b, arena, work);
    case CEL_MAP:
        return maps_equal(a, b, arena, work);
    case CEL_TYPE:
        return a.type_of == b.type_of;
    case CEL_OPTIONAL:
        return !a.held || !b.held ? a.held == b.held : cel_equal(*a.held, *b.held, arena, work);
    case CEL_URL:
        return compare_text(a, b) == 0;
    case CEL_FORMAT:
        return a.format == b.format;
    case CEL_IP:
    case CEL_CIDR:
        return ip_equal(&a.cidr->ip, &b.cidr->ip) && a.cidr->prefix == b.cidr->prefix;
    default:
        return cel_compare(a, b) == 0;
    }
}

bool cel_equal(struct cel_value a, struct cel_value b, struct cel_arena *arena, int64_t *work)
{
    if (--*work < 0)
        return false;
    if (is_number(a) && is_number(b))
        return compare_numbers(a, b) == 0;
    if (a.kind != b.kind)
        return false;
    if (a.kind == CEL_STRING || a.kind == CEL_BYTES)
        *work -= (int64_t)(a.text.len < b.text.len ? a.text.len : b.text.len) / 10;
    return same_kind_equal(a, b, arena, work);
}
