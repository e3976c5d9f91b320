/* Two sets of fields from outside: whatever is one keeps its meaning through text and obeys the algebra. */
#include <stdint.h>
#include <stdlib.h>

#include "api/fieldset.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void count(void *arg, const char *path)
{
    must(*path);
    ++*(size_t *)arg;
}

static size_t size_of(const json_t *set)
{
    size_t n = 0;
    fieldset_each(set, count, &n);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    _cleanup_json_ json_t *both = jparse((const char *)data, size, &err);
    _cleanup_json_ json_t *a = fieldset_parse(json_array_get(both, 0)), *b = fieldset_parse(json_array_get(both, 1));
    if (!a || !b)
        return 0;
    _cleanup_json_ json_t *again = fieldset_parse(a);
    _cleanup_json_ json_t *all = fieldset_union(a, b), *common = fieldset_common(a, b);
    _cleanup_json_ json_t *only_a = fieldset_minus(a, b), *only_b = fieldset_minus(b, a);
    must(json_equal(again, a));
    must(size_of(all) == size_of(only_a) + size_of(only_b) + size_of(common));
    _cleanup_json_ json_t *a_again = fieldset_union(only_a, common);
    must(json_equal(a_again, a));
    return 0;
}
