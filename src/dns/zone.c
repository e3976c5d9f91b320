/* See zone.h. */
#include "dns/zone.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* A Service's SRV name has five labels of at most 63 bytes in front of the zone; shorter names leave room for this. */
#define ORIGIN_MAX 128

bool zone_init(struct zone *z, const char *domain, const struct ips *servers)
{
    if (!knot_dname_from_str(z->origin, domain, ORIGIN_MAX) || z->origin[0] == 0)
        return false;
    knot_dname_to_lower(z->origin);
    z->origin_size = knot_dname_size(z->origin);
    z->servers = *servers;
    return true;
}

size_t zone_name(const struct zone *z, const char *const *labels, size_t n, knot_dname_storage_t out)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(labels[i]);
        if (len == 0 || len >= LABEL_SIZE || at + 1 + len + z->origin_size > KNOT_DNAME_MAXLEN)
            return 0;
        out[at] = (uint8_t)len;
        memcpy(&out[at + 1], labels[i], len);
        at += 1 + len;
    }
    memcpy(&out[at], z->origin, z->origin_size);
    return at + z->origin_size;
}

static bool is_label_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '*';
}

static void label_text(const uint8_t *label, char out[LABEL_SIZE])
{
    for (size_t i = 1; i <= label[0]; i++) {
        if (!is_label_char(label[i])) {
            out[0] = '\0';
            return;
        }
        out[i - 1] = (char)label[i];
    }
    out[label[0]] = '\0';
}

int zone_labels(const struct zone *z, const knot_dname_t *name, char labels[][LABEL_SIZE], int max)
{
    int n = knot_dname_in_bailiwick(name, z->origin);
    for (int i = 0; i < n && i < max; i++) {
        label_text(name, labels[i]);
        name += 1 + name[0];
    }
    return n < 0 ? -1 : n;
}

/* --- addresses in names --- */

static void replace(char *text, char from, char to)
{
    for (; (text = strchr(text, from)); text++)
        *text = to;
}

void ip_dashed(const struct ip *ip, char out[LABEL_SIZE])
{
    char text[IP_TEXT_SIZE];
    ip_format(ip, text);
    replace(text, '.', '-');
    replace(text, ':', '-');
    snprintf(out, LABEL_SIZE, "%s%s", text, str_ends_with(text, "-") ? "0" : ""); /* a label should not end with '-' */
}

bool ip_from_dashed(const char *text, struct ip *ret)
{
    char copy[LABEL_SIZE];
    snprintf(copy, sizeof(copy), "%s", text);
    replace(copy, '-', '.');
    if (ip_parse(copy, ret))
        return ret->family == AF_INET;
    replace(copy, '.', ':');
    return ip_parse(copy, ret) && ret->family == AF_INET6;
}

static bool read_decimal_label(const uint8_t *label, uint8_t *ret)
{
    char text[LABEL_SIZE];
    int64_t v;
    label_text(label, text);
    if (label[0] > 3 || !str_to_i64(text, 0, 255, &v))
        return false;
    *ret = (uint8_t)v;
    return true;
}

static bool read_nibble_label(const uint8_t *label, uint8_t *ret)
{
    static const char digits[] = "0123456789abcdef";
    const char *p = label[0] == 1 ? memchr(digits, label[1], 16) : NULL;
    if (!p)
        return false;
    *ret = (uint8_t)(p - digits);
    return true;
}

bool ip_from_reverse_name(const knot_dname_t *name, struct ip *ret)
{
    static const uint8_t arpa4[] = "\7in-addr\4arpa", arpa6[] = "\3ip6\4arpa"; /* their NULs are the root label */
    *ret = (struct ip){0};
    if (knot_dname_in_bailiwick(name, arpa4) == 4) {
        ret->family = AF_INET;
        for (int i = 3; i >= 0; i--, name += 1 + name[0])
            if (!read_decimal_label(name, &ret->bytes[i]))
                return false;
        return true;
    }
    if (knot_dname_in_bailiwick(name, arpa6) != 32)
        return false;
    ret->family = AF_INET6;
    for (int i = 31; i >= 0; i--, name += 1 + name[0]) {
        uint8_t nibble;
        if (!read_nibble_label(name, &nibble))
            return false;
        ret->bytes[i / 2] |= (uint8_t)(i % 2 ? nibble : nibble << 4);
    }
    return true;
}
