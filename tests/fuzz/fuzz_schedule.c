/* Any text: refused, or a schedule whose next runs are later and later, here and where clocks change. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "kinds/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zone *zones[2];
    _cleanup_free_ char *text = xstrndup((const char *)data, size);
    struct schedule s;
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(zones); i++)
        zones[i] = zones[i] ? zones[i] : zone_load(i ? "America/Santiago" : "UTC");
    if (schedule_parse(text, &s, &err) < 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(zones) && zones[i]; i++) {
        int64_t t = 1788632400; /* the night before Santiago's clocks change */
        for (int run = 0; run < 4; run++) {
            int64_t next = schedule_next(&s, zones[i], t);
            if (!next)
                break;
            if (next <= t)
                abort();
            t = next;
        }
    }
    return 0;
}
