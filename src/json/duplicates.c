/* See duplicates.h. Only a text that the strict parser has refused is looked at, so that all others cost nothing. */
#include "json/duplicates.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "json/json.h"

#define DUPLICATES_MAX 100 /* as upstream: nobody reads more, and each costs memory */
#define PATH_MAX_BYTES 4096

struct scan {
    const char *at, *end;
    struct buf path;
    json_t *found;
    struct map told; /* places in `found` */
};

static void skip_blanks(struct scan *s)
{
    while (s->at < s->end && strchr(" \t\r\n", *s->at))
        s->at++;
}

/* The text is well-formed: a parser has been here before. */
static void skip_string(struct scan *s)
{
    for (s->at++; s->at < s->end && *s->at != '"'; s->at++)
        s->at += *s->at == '\\';
    s->at++;
}

static char *take_name(struct scan *s)
{
    const char *begin = s->at;
    skip_string(s);
    json_t *name = json_loadb(begin, (size_t)(s->at - begin), JSON_DECODE_ANY, NULL);
    char *text = xstrdup(name ? json_string_value(name) : "");
    json_decref(name);
    return text;
}

static void tell(struct scan *s)
{
    const char *place = buf_str(&s->path);
    if (s->path.overflowed || json_array_size(s->found) >= DUPLICATES_MAX || map_get(&s->told, place))
        return;
    map_put(&s->told, place, s);
    json_array_append_new(s->found, json_string(place));
}

static void scan_value(struct scan *s);

static void scan_object(struct scan *s)
{
    struct map seen = {0};
    size_t len = s->path.len;
    for (skip_blanks(s); *s->at != '}'; skip_blanks(s)) {
        s->at += *s->at == ',';
        skip_blanks(s);
        _cleanup_free_ char *name = take_name(s);
        buf_addf(&s->path, "%s%s", len ? "." : "", name);
        if (map_put(&seen, name, s))
            tell(s);
        skip_blanks(s);
        s->at++; /* ':' */
        scan_value(s);
        buf_cut(&s->path, len);
    }
    s->at++;
    map_done(&seen);
}

static void scan_array(struct scan *s)
{
    size_t len = s->path.len, i = 0;
    for (skip_blanks(s); *s->at != ']'; skip_blanks(s)) {
        s->at += *s->at == ',';
        buf_addf(&s->path, "[%zu]", i++);
        scan_value(s);
        buf_cut(&s->path, len);
    }
    s->at++;
}

/* As deep as the document, which jparse's limit bounds. */
static void scan_value(struct scan *s)
{
    skip_blanks(s);
    if (*s->at == '{' || *s->at == '[') {
        bool object = *s->at++ == '{';
        if (object)
            scan_object(s);
        else
            scan_array(s);
    } else if (*s->at == '"') {
        skip_string(s);
    } else {
        while (s->at < s->end && !strchr(",]} \t\r\n", *s->at))
            s->at++;
    }
}

json_t *jparse_last(const char *text, size_t len, json_t **ret_duplicates, struct err *err)
{
    json_error_t where;
    *ret_duplicates = NULL;
    json_t *j = jparse(text, len, err);
    if (j)
        return j;
    j = json_loadb(text, len, JSON_DECODE_ANY, &where);
    if (!j || jdeeper_than(j, JSON_DEPTH_MAX)) { /* jparse has said what is wrong, unless a duplicate came first */
        if (!j)
            err_set(err, 0, "line %d, column %d: %s", where.line, where.column, where.text);
        json_decref(j);
        return NULL;
    }
    struct scan s = {.at = text, .end = text + len, .path = BUF_INIT(PATH_MAX_BYTES), .found = json_array()};
    scan_value(&s);
    buf_done(&s.path);
    map_done(&s.told);
    *ret_duplicates = s.found;
    return j;
}
