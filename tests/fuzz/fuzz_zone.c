/* Any bytes: no file of the database, or one that has an offset for every time. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times[] = {-10000000000, 0, 1795170000, 2147483648, 5000000000};
    struct zone *z = zone_parse(data, size);
    for (size_t i = 0; z && i < ARRAY_LEN(times); i++)
        if (labs(zone_offset(z, times[i])) > 168L * 3600)
            abort();
    zone_free(z);
    return 0;
}
