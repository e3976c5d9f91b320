/* Any bytes are walked safely; of good JSON jpick() says what the whole tree says. */
#include <stdint.h>
#include <stdlib.h>

#include "json/json.h"
#include "json/pick.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"metadata.name", "metadata.labels", "spec.a.b", "kind", NULL};
    struct err err;
    _cleanup_json_ json_t *picked = jpick((const char *)data, size, paths);
    _cleanup_json_ json_t *whole = jparse((const char *)data, size, &err);
    if (!picked || !whole)
        return 0;
    for (size_t i = 0; paths[i]; i++) {
        const json_t *a = jget(picked, paths[i]), *b = jget(whole, paths[i]);
        if (a ? !b || !json_equal(a, b) : b != NULL)
            abort();
    }
    return 0;
}
