/* Any text: refused, or printed in a form that reads back as the same number. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    struct quantity q, back;
    if (!quantity_parse(text, &q))
        return 0;
    char out[QUANTITY_TEXT_SIZE];
    if (!quantity_parse(quantity_format_text(&q, out), &back) || back.nano != q.nano)
        abort();
    if (q.nano >= 0 && quantity_value(&q) > quantity_milli(&q))
        abort();
    return 0;
}
