/* See indexes.h. */
#include "control/indexes.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

void indexes_init(struct indexes *x, size_t size, const char *text)
{
    *x = (struct indexes){.bits = xcalloc(size + 1, 1), .size = size};
    size_t n;
    _cleanup_free_ char **parts = str_split(str_or(text, ""), ',', &n);
    for (size_t i = 0; i < n; i++) {
        char *dash = strchr(parts[i], '-');
        int64_t first, last, max = (int64_t)size - 1;
        if (dash)
            *dash = '\0';
        if (!str_to_i64(parts[i], 0, max, &first) || !str_to_i64(dash ? dash + 1 : parts[i], first, INT64_MAX, &last))
            continue;
        for (int64_t k = first; k <= last && k <= max; k++)
            indexes_add(x, k);
    }
}

void indexes_done(struct indexes *x)
{
    free(x->bits);
}

bool indexes_has(const struct indexes *x, int64_t i)
{
    return i >= 0 && (size_t)i < x->size && x->bits[i];
}

void indexes_add(struct indexes *x, int64_t i)
{
    if (i >= 0 && (size_t)i < x->size)
        x->bits[i] = 1;
}

int64_t indexes_count(const struct indexes *x)
{
    int64_t n = 0;
    for (size_t i = 0; i < x->size; i++)
        n += x->bits[i];
    return n;
}

char *indexes_text(const struct indexes *x)
{
    struct buf b = BUF_INIT(0);
    for (size_t i = 0; i < x->size; i++) {
        size_t first = i;
        if (!x->bits[i])
            continue;
        while (i + 1 < x->size && x->bits[i + 1])
            i++;
        buf_addf(&b, "%s%zu", b.len ? "," : "", first);
        if (i > first)
            buf_addf(&b, i == first + 1 ? ",%zu" : "-%zu", i);
    }
    return buf_take(&b);
}
