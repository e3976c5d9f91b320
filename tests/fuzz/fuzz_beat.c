/* Any datagram: refused, or a heartbeat that is written the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lb/alive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct beat b;
    unsigned char again[BEAT_SIZE];
    if (!beat_read(data, size, &b))
        return 0;
    beat_write(&b, again);
    if (size != sizeof(again) || memcmp(again, data, size) != 0)
        abort();
    return 0;
}
