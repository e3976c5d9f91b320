/* See request.h. */
#include "server/request.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/http.h"

/* apis, group, version, namespaces, name, resource, name, subresource, and whatever follows. */
#define SEGMENTS_MAX 9

/* Splits behind the first slash; the last segment keeps what is left. Empty ones at the end don't count. */
static size_t split_path(char *path, char *segments[SEGMENTS_MAX])
{
    size_t n = 0;
    for (char *s = path + (*path == '/'); s && n < SEGMENTS_MAX;) {
        char *slash = n + 1 < SEGMENTS_MAX ? strchr(s, '/') : NULL;
        if (slash)
            *slash++ = '\0';
        segments[n++] = s;
        s = slash;
    }
    while (n && !*segments[n - 1])
        n--;
    return n;
}

static bool decode_segments(char *segments[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *decoded = url_decode(segments[i], strlen(segments[i]), false);
        if (!decoded)
            return false;
        memcpy(segments[i], decoded, strlen(decoded) + 1); /* never longer than its encoding */
    }
    return true;
}

static bool is_namespace_subresource(const char *s)
{
    return streq(s, "status") || streq(s, "finalize");
}

bool request_path_parse(const char *path, struct request_path *ret)
{
    *ret = (struct request_path){.group = "", .version = "", .plural = "", .ns = "", .name = "", .subresource = ""};
    ret->storage = xstrdup(path);
    char *segments[SEGMENTS_MAX];
    size_t n = split_path(ret->storage, segments), i;
    if (!decode_segments(segments, n)) {
        request_path_done(ret);
        return false;
    }
    if (n >= 3 && streq(segments[0], "api")) {
        ret->version = segments[1];
        i = 2;
    } else if (n >= 4 && streq(segments[0], "apis")) {
        ret->group = segments[1];
        ret->version = segments[2];
        i = 3;
    } else {
        return true;
    }
    ret->is_resource = true;
    /* /namespaces/NS/pods is pods in NS, but /namespaces/NS/status is about the namespace itself. */
    if (streq(segments[i], "namespaces") && n - i >= 3 && !is_namespace_subresource(segments[i + 2])) {
        ret->ns = segments[i + 1];
        i += 2;
    }
    const char **const parts[] = {&ret->plural, &ret->name, &ret->subresource};
    for (size_t part = 0; part < ARRAY_LEN(parts) && i < n; part++, i++)
        *parts[part] = segments[i];
    ret->goes_on = i < n;
    return true;
}

void request_path_done(struct request_path *p)
{
    free(TAKE(p->storage));
}

unsigned request_verb(const char *method, bool named, bool watch)
{
    static const struct {
        const char *method;
        unsigned one, many;
    } verbs[] = {
        {"GET", V_GET, V_LIST},      {"HEAD", V_GET, V_LIST},     {"POST", V_CREATE, V_CREATE},
        {"PUT", V_UPDATE, V_UPDATE}, {"PATCH", V_PATCH, V_PATCH}, {"DELETE", V_DELETE, V_DELETECOLLECTION},
    };
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (streq(method, verbs[i].method)) {
            unsigned verb = named ? verbs[i].one : verbs[i].many;
            return verb == V_LIST && watch ? V_WATCH : verb;
        }
    return 0;
}

const char *verb_name(unsigned verb)
{
    static const char *const names[] = {"get",    "list",  "watch",  "create",
                                        "update", "patch", "delete", "deletecollection"};
    return verb ? names[__builtin_ctz(verb)] : "";
}

bool query_int(const char *query, const char *name, int64_t min, int64_t max, int64_t otherwise, int64_t *ret)
{
    _cleanup_free_ char *value = query_get(query, name, 0);
    *ret = otherwise;
    return !value || !*value || str_to_i64(value, min, max, ret);
}

static bool is_one_of(const char *name, size_t len, const char *const *names)
{
    for (; *names; names++)
        if (strlen(*names) == len && memcmp(*names, name, len) == 0)
            return true;
    return false;
}

char *query_without(const char *query, const char *const *names)
{
    struct buf out = BUF_INIT(0);
    for (const char *s = query; *s;) {
        size_t len = strcspn(s, "&");
        if (len && !is_one_of(s, strcspn(s, "=&"), names)) {
            if (out.len)
                buf_addc(&out, '&');
            buf_add(&out, s, len);
        }
        s += len + (s[len] == '&');
    }
    char *text = buf_take(&out);
    return text ? text : xstrdup("");
}
