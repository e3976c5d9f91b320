/* See utf8.h. */
#include "cel/utf8.h"

#include <stdint.h>

bool utf8_valid(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0, more; i < len; i += more + 1) {
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        more = s[i] < 0x80 ? 0 : (s[i] & 0xE0) == 0xC0 ? 1 : (s[i] & 0xF0) == 0xE0 ? 2 : (s[i] & 0xF8) == 0xF0 ? 3 : 4;
        if (more == 4 || i + more >= len)
            return false;
        uint32_t c = more ? s[i] & (0x3Fu >> more) : s[i];
        for (size_t k = 1; k <= more; k++) {
            if ((s[i + k] & 0xC0) != 0x80)
                return false;
            c = c << 6 | (s[i + k] & 0x3F);
        }
        if (c < least[more] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
            return false;
    }
    return true;
}
