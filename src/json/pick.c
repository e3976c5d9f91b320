/* See pick.h. */
#include "json/pick.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "json/json.h"

#define PATH_SIZE 256 /* longer than any path that is asked for */

struct cursor {
    const char *at, *end;
    const char *const *paths;
};

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

static bool take(struct cursor *c, char wanted)
{
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

/* Behind the closing quote. */
static bool skip_string(struct cursor *c)
{
    for (c->at++; c->at < c->end; c->at++) {
        if (*c->at == '"') {
            c->at++;
            return true;
        }
        if (*c->at == '\\' && ++c->at == c->end)
            return false;
    }
    return false;
}

static bool skip_composed(struct cursor *c)
{
    for (size_t depth = 0; c->at < c->end;) {
        char ch = *c->at;
        if (ch == '"') {
            if (!skip_string(c))
                return false;
            continue;
        }
        c->at++;
        if (ch == '{' || ch == '[')
            depth++;
        else if ((ch == '}' || ch == ']') && --depth == 0)
            return true;
    }
    return false;
}

static bool skip_value(struct cursor *c)
{
    skip_blanks(c);
    if (c->at == c->end)
        return false;
    if (*c->at == '"')
        return skip_string(c);
    if (*c->at == '{' || *c->at == '[')
        return skip_composed(c);
    while (c->at < c->end && !strchr(",]} \t\r\n", *c->at)) /* a NUL stops it too */
        c->at++;
    return true;
}

enum use { USE_NOT, USE_WITHIN, USE_WHOLE };

static enum use use_of(const struct cursor *c, const char *path)
{
    enum use use = USE_NOT;
    for (const char *const *p = c->paths; *p; p++) {
        const char *rest = str_after(*p, path);
        if (rest && !*rest)
            return USE_WHOLE;
        if (rest && *rest == '.')
            use = USE_WITHIN;
    }
    return use;
}

static bool pick_members(struct cursor *c, char path[PATH_SIZE], size_t len, json_t *into);

/* One member: its name is from `name` on, the cursor is behind the colon. */
static bool pick_member(struct cursor *c, char path[PATH_SIZE], size_t len, json_t *into)
{
    enum use use = use_of(c, path);
    skip_blanks(c);
    const char *start = c->at;
    struct err err;
    json_t *value = NULL;
    if (use == USE_WITHIN && start < c->end && *start == '{') {
        value = json_object();
        if (!pick_members(c, path, len, value)) {
            json_decref(value);
            return false;
        }
    } else if (!skip_value(c)) {
        return false;
    } else if (use == USE_WHOLE && !(value = jparse(start, (size_t)(c->at - start), &err))) {
        return false;
    }
    const char *dot = strrchr(path, '.');
    if (value)
        json_object_set_new(into, dot ? dot + 1 : path, value);
    return true;
}

/* `path` holds where we are; each name goes behind it. */
static bool pick_members(struct cursor *c, char path[PATH_SIZE], size_t len, json_t *into)
{
    if (!take(c, '{'))
        return false;
    if (take(c, '}'))
        return true;
    do {
        skip_blanks(c);
        const char *name = c->at + 1;
        if (c->at == c->end || *c->at != '"' || !skip_string(c))
            return false;
        size_t name_len = (size_t)(c->at - 1 - name), at = len ? len + 1 : 0;
        if (memchr(name, '\\', name_len) || !take(c, ':'))
            return false;
        if (at + name_len >= PATH_SIZE || memchr(name, '.', name_len) || memchr(name, '\0', name_len)) {
            if (!skip_value(c)) /* not a name that a path could hold */
                return false;
            continue;
        }
        if (len)
            path[len] = '.';
        memcpy(path + at, name, name_len);
        path[at + name_len] = '\0';
        if (!pick_member(c, path, at + name_len, into))
            return false;
        path[len] = '\0';
    } while (take(c, ','));
    return take(c, '}');
}

json_t *jpick(const char *text, size_t len, const char *const *paths)
{
    char path[PATH_SIZE] = "";
    struct cursor c = {text, text + len, paths};
    _cleanup_json_ json_t *picked = json_object();
    skip_blanks(&c);
    return pick_members(&c, path, 0, picked) ? json_incref(picked) : NULL;
}
