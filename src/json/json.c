/* See json.h. */
#include "json/json.h"

#include <string.h>

#include "base/buf.h"

#define STEP_MAX 128 /* longest member name in a path; paths are literals of ours */

/* Copies the next step of *path into `step` and moves behind it; false at the end. */
static bool next_step(const char **path, char step[STEP_MAX])
{
    if (!**path)
        return false;
    size_t n = strcspn(*path, ".");
    if (n >= STEP_MAX)
        abort();
    memcpy(step, *path, n);
    step[n] = '\0';
    *path += n + ((*path)[n] == '.');
    return true;
}

static json_t *walk(const json_t *o, const char *path)
{
    char step[STEP_MAX];
    json_t *at = (json_t *)o;
    while (at && next_step(&path, step))
        at = json_object_get(at, step);
    return at;
}

json_t *jget(const json_t *o, const char *path)
{
    json_t *j = walk(o, path);
    return json_is_null(j) ? NULL : j;
}

bool jhas(const json_t *o, const char *path)
{
    return walk(o, path) != NULL;
}

const char *jstr(const json_t *o, const char *path)
{
    return json_string_value(walk(o, path));
}

const char *jstr_or(const json_t *o, const char *path, const char *otherwise)
{
    const char *s = jstr(o, path);
    return s ? s : otherwise;
}

int64_t jint(const json_t *o, const char *path, int64_t otherwise)
{
    json_t *j = walk(o, path);
    return json_is_integer(j) ? json_integer_value(j) : otherwise;
}

bool jbool(const json_t *o, const char *path, bool otherwise)
{
    json_t *j = walk(o, path);
    return json_is_boolean(j) ? json_is_true(j) : otherwise;
}

void jset(json_t *o, const char *path, json_t *value_new)
{
    char step[STEP_MAX];
    while (next_step(&path, step) && *path) {
        json_t *inner = json_object_get(o, step);
        if (!json_is_object(inner)) {
            if (!value_new)
                return;
            inner = json_object();
            json_object_set_new(o, step, inner);
        }
        o = inner;
    }
    if (value_new)
        json_object_set_new(o, step, value_new);
    else
        json_object_del(o, step);
}

void jset_str(json_t *o, const char *path, const char *s)
{
    jset(o, path, s ? json_string(s) : NULL);
}

void jset_int(json_t *o, const char *path, int64_t v)
{
    jset(o, path, json_integer(v));
}

void jset_bool(json_t *o, const char *path, bool v)
{
    jset(o, path, json_boolean(v));
}

json_t *jfind(const json_t *array, const char *key, const char *value)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)array, i, item) {
        const char *s = json_string_value(json_object_get(item, key));
        if (s && strcmp(s, value) == 0)
            return item;
    }
    return NULL;
}

bool jdeeper_than(const json_t *j, int levels)
{
    if (levels <= 0)
        return json_is_object(j) || json_is_array(j);
    const char *k;
    size_t i;
    json_t *v;
    if (json_is_object(j)) {
        json_object_foreach((json_t *)j, k, v)
            if (jdeeper_than(v, levels - 1))
                return true;
    } else if (json_is_array(j)) {
        json_array_foreach((json_t *)j, i, v)
            if (jdeeper_than(v, levels - 1))
                return true;
    }
    return false;
}

char *jjoin(const json_t *list)
{
    struct buf text = BUF_INIT(0);
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        buf_addf(&text, "%s%s", i ? "," : "", json_string_value(item) ?: "");
    return buf_take(&text);
}
