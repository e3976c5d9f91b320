/* URLs: read as Go's url.ParseRequestURI does (absolute, or a path from the root), and their parts. */
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "cel/functions.h"

struct parts {
    const char *scheme, *host, *path, *query; /* in the text; hosts and paths may be empty */
    size_t scheme_len, host_len, path_len, query_len;
};

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

static bool escapes_are_whole(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] == '%' && (i + 2 >= len || hex_digit(s[i + 1]) < 0 || hex_digit(s[i + 2]) < 0))
            return false;
    return true;
}

static size_t scheme_length(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && (isalpha((unsigned char)s[n]) || (n && (isdigit((unsigned char)s[n]) || strchr("+-.", s[n])))))
        n++;
    return n && n < len && s[n] == ':' ? n : 0;
}

/* "[::1]:80", "example.com:80": what is behind the host is nothing or a port. */
static bool host_is_fine(const char *s, size_t len)
{
    const char *at = memrchr(s, '@', len), *end = s + len, *close;
    s = at ? at + 1 : s;
    close = len && *s == '[' ? memchr(s, ']', (size_t)(end - s)) : NULL;
    if (end > s && *s == '[' && !close)
        return false;
    const char *colon = memchr(close ? close : s, ':', (size_t)(end - (close ? close : s)));
    for (const char *c = s; c < end; c++)
        if (*c == ' ' || *c == '<' || *c == '>' || *c == '"')
            return false;
    for (const char *digit = colon ? colon + 1 : end; digit < end; digit++)
        if (!isdigit((unsigned char)*digit))
            return false;
    return true;
}

static bool take_apart(const char *s, size_t len, struct parts *p)
{
    *p = (struct parts){.scheme = s, .scheme_len = scheme_length(s, len)};
    const char *end = s + len, *at = s + p->scheme_len + (p->scheme_len > 0);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    const char *question = memchr(at, '?', (size_t)(end - at)), *stop = question ? question : end;
    p->query = question ? question + 1 : end;
    p->query_len = (size_t)(end - p->query);
    p->host = at;
    if (at == end || *at != '/')
        return false;
    if (p->scheme_len && stop - at >= 2 && at[1] == '/') {
        const char *slash = memchr(at + 2, '/', (size_t)(stop - at - 2));
        p->host = at + 2;
        at = slash ? slash : stop;
        p->host_len = (size_t)(at - p->host);
    }
    p->path = at;
    p->path_len = (size_t)(stop - at);
    return host_is_fine(p->host, p->host_len) && escapes_are_whole(p->path, p->path_len);
}

bool cel_is_url(const char *s, size_t len)
{
    struct parts p;
    return take_apart(s, len, &p);
}

static struct parts parts_of(struct cel_value url)
{
    struct parts p;
    take_apart(url.text.s, url.text.len, &p);
    return p;
}

static struct cel_value url(struct cel_run *run, const struct cel_value *a)
{
    if (!cel_charge_text(run, a[0].text.len))
        return cel_exhausted();
    if (!cel_is_url(a[0].text.s, a[0].text.len))
        return cel_errorf(&run->arena,
                          "URL parse error during conversion from string: parse \"%.*s\": invalid URI for request",
                          (int)(a[0].text.len < 100 ? a[0].text.len : 100), a[0].text.s);
    return cel_text(CEL_URL, a[0].text.s, a[0].text.len);
}

static struct cel_value is_url(struct cel_run *run, const struct cel_value *a)
{
    return cel_bool(cel_charge_text(run, a[0].text.len) && cel_is_url(a[0].text.s, a[0].text.len));
}

static struct cel_value scheme(struct cel_run *run, const struct cel_value *a)
{
    struct parts p = parts_of(a[0]);
    (void)run;
    return cel_text(CEL_STRING, p.scheme, p.scheme_len);
}

/* Without user and password. */
static struct cel_value host_of(struct cel_value url_value)
{
    struct parts p = parts_of(url_value);
    const char *at = memrchr(p.host, '@', p.host_len), *from = at ? at + 1 : p.host;
    return cel_text(CEL_STRING, from, p.host_len - (size_t)(from - p.host));
}

static struct cel_value host(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return host_of(a[0]);
}

/* Where the port's colon is, or the end. */
static size_t port_at(struct cel_value h)
{
    const char *close = memrchr(h.text.s, ']', h.text.len), *from = close ? close : h.text.s;
    const char *colon = memchr(from, ':', h.text.len - (size_t)(from - h.text.s));
    return colon ? (size_t)(colon - h.text.s) : h.text.len;
}

static struct cel_value hostname(struct cel_run *run, const struct cel_value *a)
{
    struct cel_value h = host_of(a[0]);
    size_t len = port_at(h);
    (void)run;
    if (len >= 2 && h.text.s[0] == '[')
        return cel_text(CEL_STRING, h.text.s + 1, len - 2);
    return cel_text(CEL_STRING, h.text.s, len);
}

static struct cel_value port(struct cel_run *run, const struct cel_value *a)
{
    struct cel_value h = host_of(a[0]);
    size_t at = port_at(h);
    (void)run;
    return at < h.text.len ? cel_text(CEL_STRING, h.text.s + at + 1, h.text.len - at - 1) : cel_string("");
}

static struct cel_value escaped_path(struct cel_run *run, const struct cel_value *a)
{
    struct parts p = parts_of(a[0]);
    (void)run;
    return cel_text(CEL_STRING, p.path, p.path_len);
}

/* --- queries --- */

static struct cel_value decoded(struct cel_run *run, const char *s, size_t len)
{
    char *out = cel_alloc(&run->arena, len + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%' && i + 2 < len && hex_digit(s[i + 1]) >= 0 && hex_digit(s[i + 2]) >= 0) {
            out[n++] = (char)(hex_digit(s[i + 1]) * 16 + hex_digit(s[i + 2]));
            i += 2;
        } else {
            out[n++] = s[i] == '+' ? ' ' : s[i];
        }
    }
    return cel_text(CEL_STRING, out, n);
}

static void add_parameter(struct cel_run *run, struct cel_map *map, struct cel_value key, struct cel_value value)
{
    struct cel_entry *e = map->entries;
    while (e < map->entries + map->n && !cel_run_equal(run, e->key, key))
        e++;
    size_t n = e < map->entries + map->n ? cel_length(e->value) : 0;
    cel_charge(run, (int64_t)n);
    struct cel_list *values = cel_list_new(&run->arena, n + 1);
    for (size_t i = 0; i < n; i++)
        values->items[values->n++] = cel_item(e->value, i, &run->arena);
    values->items[values->n++] = value;
    e->key = key;
    e->value = cel_list(values);
    map->n += n == 0;
}

static struct cel_value query(struct cel_run *run, const struct cel_value *a)
{
    struct parts p = parts_of(a[0]);
    const char *s = p.query, *end = s + p.query_len;
    size_t parameters = 1;
    for (const char *c = s; c < end; c++)
        parameters += *c == '&';
    if (!cel_charge_text(run, p.query_len) || !cel_charge(run, (int64_t)parameters))
        return cel_exhausted();
    struct cel_map *map = cel_map_new(&run->arena, parameters);
    for (const char *stop; s < end && run->left >= 0; s = stop + 1) {
        stop = memchr(s, '&', (size_t)(end - s));
        stop = stop ? stop : end;
        const char *equals = memchr(s, '=', (size_t)(stop - s)), *key_end = equals ? equals : stop;
        const char *value = equals ? equals + 1 : stop;
        if (stop > s)
            add_parameter(run, map, decoded(run, s, (size_t)(key_end - s)),
                          decoded(run, value, (size_t)(stop - value)));
    }
    return cel_map(map);
}

const struct cel_function cel_url_functions[] = {
    {"url", "s:w", url},
    {"isURL", "s:b", is_url},
    {".getScheme", "w:s", scheme},
    {".getHost", "w:s", host},
    {".getHostname", "w:s", hostname},
    {".getPort", "w:s", port},
    {".getEscapedPath", "w:s", escaped_path},
    {".getQuery", "w:m", query},
    {0},
};
