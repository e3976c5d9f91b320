/* Any datagram: refused, or a note whose packet is written the same again, but for what fills it up. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "podnet/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reach_note n;
    unsigned char again[REACH_PACKET_SIZE];
    if (!reach_read(data, size, &n))
        return 0;
    reach_write(&n, again);
    if (memcmp(again, data, sizeof(again)) != 0)
        abort();
    return 0;
}
