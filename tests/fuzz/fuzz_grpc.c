/* Answers to gRPC health checks: any bytes give a status or none. */
#include <stdint.h>
#include <stdlib.h>

#include "node/grpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (grpc_health_status(data, size) < -1)
        abort();
    return 0;
}
