/* A thin layer over jansson: reading by path, because Kubernetes objects are deep and mostly optional. A path is field
 * names joined by dots ("spec.template.metadata"); label and annotation keys contain dots, so reach those with
 * json_object_get. Everything read is borrowed. `_new` in a parameter name: the reference is taken. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"

static inline void json_unref_indirect(json_t **j)
{
    json_decref(*j);
}
#define _cleanup_json_ _cleanup_(json_unref_indirect) __attribute__((unused)) /* clang: held is not used */

/* Deeper documents are refused: no API type comes near, and the walkers recurse. */
#define JSON_DEPTH_MAX 96

/* NULL when any step is missing or null. */
json_t *jget(const json_t *o, const char *path);
/* NULL when missing or not a string. */
const char *jstr(const json_t *o, const char *path);
const char *jstr_or(const json_t *o, const char *path, const char *otherwise);
int64_t jint(const json_t *o, const char *path, int64_t otherwise);
bool jbool(const json_t *o, const char *path, bool otherwise);
bool jhas(const json_t *o, const char *path); /* present, null included */

/* Sets, making the objects on the way. A NULL value_new deletes. */
void jset(json_t *o, const char *path, json_t *value_new);
void jset_str(json_t *o, const char *path, const char *s); /* NULL deletes */
void jset_int(json_t *o, const char *path, int64_t v);
void jset_bool(json_t *o, const char *path, bool v);
/* Member of an array of objects whose `key` is the string `value`; NULL when there is none. */
json_t *jfind(const json_t *array, const char *key, const char *value);

/* Whether objects and arrays are nested in more than so many levels. */
bool jdeeper_than(const json_t *j, int levels);
/* Strict RFC 8259 (duplicate member names refused). On failure NULL with line and column in err. */
json_t *jparse(const char *text, size_t len, struct err *err);
/* A deep copy; NULL of NULL. */
json_t *jcopy(const json_t *j);
/* Compact text in insertion order; the caller frees. */
char *jprint(const json_t *j);
/* Compact text with members sorted: equal documents give equal text. The caller frees. */
char *jprint_sorted(const json_t *j);

/* The strings of a list with a comma between; "" for none. The caller frees. */
char *jjoin(const json_t *list);
