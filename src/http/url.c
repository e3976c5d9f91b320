/* The text of URLs: percent-encoding and query parameters (RFC 3986; '+' as HTML forms and Go's url.Values mean it). */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/str.h"
#include "http/http.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *url_decode(const char *s, size_t len, bool plus)
{
    _cleanup_free_ char *out = xmalloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_value(s[i + 1]) : -1, low = high >= 0 ? hex_value(s[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return NULL;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return TAKE(out);
}

char *url_encode(const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = xmalloc(3 * strlen(s) + 1), *to = out;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool unreserved =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-._~", c);
        if (unreserved) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        }
    }
    *to = '\0';
    return out;
}

char *url_https_host(const char *url, int *port, const char **ret_path)
{
    const char *host = str_after(url, "https://");
    bool bracket = host && *host == '[';
    size_t len = bracket ? strcspn(++host, "]/") : host ? strcspn(host, ":/") : 0;
    if (!len || (bracket && host[len] != ']'))
        return NULL;
    const char *tail = host + len + bracket, *path = tail + strcspn(tail, "/");
    _cleanup_free_ char *number = xstrndup(tail, (size_t)(path - tail));
    int64_t n = *port;
    if (*number && (*number != ':' || !str_to_i64(number + 1, 1, 65535, &n)))
        return NULL;
    *port = (int)n;
    if (ret_path)
        *ret_path = path;
    return xstrndup(host, len);
}

char *query_get(const char *query, const char *name, size_t nth)
{
    for (const char *part = query; *part; part += strspn(part, "&")) {
        size_t len = strcspn(part, "&"), key_len = strcspn(part, "=&");
        _cleanup_free_ char *key = url_decode(part, key_len, true);
        if (key && strcmp(key, name) == 0 && nth-- == 0)
            return key_len < len ? url_decode(part + key_len + 1, len - key_len - 1, true) : xstrdup("");
        part += len;
    }
    return NULL;
}

bool query_bool(const char *query, const char *name)
{
    _cleanup_free_ char *value = query_get(query, name, 0);
    return value && strcasecmp(value, "false") != 0 && strcmp(value, "0") != 0;
}
