/* One version of one API object, immutable and shared. The truth is the serialised bytes: the same bytes go into the
 * database, into list answers and to every watcher. A small header is kept parsed for keys, selectors and ordering;
 * whoever needs more parses, and does not keep the tree (a parsed pod is ten times its bytes). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct kind;

struct object {
    int refs;
    const struct kind *kind;
    uint64_t rv;    /* metadata.resourceVersion */
    const char *ns; /* "" when cluster-scoped */
    const char *name;
    const char *uid;
    const char *labels; /* metadata.labels: key and value in turn, each with its NUL, an empty key at the end */
    const char *fields; /* the texts of the kind's field labels, in their order, each with its NUL */
    const char *bytes;  /* compact JSON with apiVersion and kind, NUL-terminated */
    size_t len;
    json_t *doc;            /* object_json's memory; NULL: not remembered */
    struct list remembered; /* while doc is */
};

/* Makes a version from a document that has metadata.resourceVersion, name and (where namespaced) namespace set; the
 * document is serialised, not kept. One allocation. */
struct object *object_new(const struct kind *kind, const json_t *doc);
/* The same for a document that nobody changes any more: object_json remembers it, so that who reads the version next
 * need not parse what was just a tree. Main thread only. */
struct object *object_adopt(const struct kind *kind, const json_t *doc);
/* From bytes received or stored; NULL when they are not an object with a name and a resourceVersion. Copies. */
struct object *object_from_bytes(const struct kind *kind, const char *bytes, size_t len);
/* The same of bytes that an object was made of before and a checksum vouches for: only the header is read, at a
 * fraction of the time. */
struct object *object_from_stored(const struct kind *kind, const char *bytes, size_t len);
struct object *object_ref(struct object *o); /* atomic: the store's writer thread shares objects */
void object_unref(struct object *o);         /* NULL is fine */
static inline void object_unref_indirect(struct object **o)
{
    object_unref(*o);
}
#define _cleanup_object_ __attribute__((cleanup(object_unref_indirect), unused))

/* What selectors compare, without parsing. NULL: it has no such label. `field` counts in the kind's field_labels. */
const char *object_label(const struct object *o, const char *key);
const char *object_field(const struct object *o, size_t field);
bool object_labels_equal(const struct object *a, const struct object *b);

/* Whether object_as() has something to do: it was written as another version of its kind. */
bool object_is_other_version(const struct object *o, const struct kind *version);
/* The object as another version of its kind tells it (struct kind .stored): itself, or a converted copy. New reference.
 */
struct object *object_as(struct object *o, const struct kind *version);
/* The parsed document; the caller owns the reference and must not change it (deep-copy first). Main thread only. A few
 * recently parsed ones are remembered, so that asking again soon is cheap. */
json_t *object_json(const struct object *o);
void object_cache_clear(void); /* forgets them */
/* "ns/name" or "name", for maps and logs; the caller frees. */
char *object_key(const struct object *o);
char *make_object_key(const char *ns, const char *name);
