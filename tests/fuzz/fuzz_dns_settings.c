/* What somebody writes into a ConfigMap: the first line is the key, the rest its value. */
#include <string.h>

#include "base/alloc.h"
#include "dns/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    _cleanup_free_ char *key = xstrndup((const char *)data, size);
    char *end = strchr(key, '\n');
    if (!end)
        return 0;
    *end = '\0';
    _cleanup_json_ json_t *map = json_pack("{s:s}", key, end + 1);
    settings_unref(map ? settings_new(map, &err) : NULL); /* no map: no UTF-8 */
    return 0;
}
