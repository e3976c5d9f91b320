/* Finding members that are named twice, in anything a parser takes: what comes out is what the strict parser makes of
 * it, or there are places. */
#include <stdint.h>
#include <stdlib.h>

#include "json/duplicates.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    json_t *places;
    json_t *last = jparse_last((const char *)data, size, &places, &err);
    json_t *strict = jparse((const char *)data, size, &err);
    if (places && json_array_size(places) == 0)
        abort();
    if (!places != !(last && !strict) || (strict && !json_equal(strict, last)))
        abort();
    json_decref(places);
    json_decref(last);
    json_decref(strict);
    return 0;
}
