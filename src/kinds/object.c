/* See object.h. One allocation holds the header, the bytes and the few strings that keys are made of. */
#include "kinds/object.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

/* What object_json remembers. Parsed trees are about ten times their bytes, so both limits together keep the memory
 * small: at most 128 KiB of bytes, about 1.3 MB of trees. */
#define CACHE_SLOTS 32
#define CACHE_BYTES_MAX (128 * 1024)

/* The cache holds a reference to its objects, so an address cannot come to mean another object. */
static struct {
    struct object *object;
    json_t *doc;
} cache[CACHE_SLOTS];
static size_t cache_bytes;
static unsigned cache_hand; /* the slot to be given up next */

static char *put(char **at, const char *s, size_t len)
{
    char *start = *at;
    memcpy(start, s, len);
    start[len] = '\0';
    *at += len + 1;
    return start;
}

static struct object *build(const struct kind *kind, const json_t *doc, const char *bytes, size_t len)
{
    const char *name = jstr(doc, "metadata.name"), *rv_text = jstr(doc, "metadata.resourceVersion");
    const char *ns = jstr_or(doc, "metadata.namespace", ""), *uid = jstr_or(doc, "metadata.uid", "");
    int64_t rv;
    if (!name || !*name || !rv_text || !str_to_i64(rv_text, 0, INT64_MAX, &rv))
        return NULL;
    size_t ns_len = strlen(ns), name_len = strlen(name), uid_len = strlen(uid);
    struct object *o = xmalloc(sizeof(*o) + len + ns_len + name_len + uid_len + 4);
    char *at = (char *)(o + 1);
    *o = (struct object){.refs = 1, .kind = kind, .rv = (uint64_t)rv, .len = len};
    o->bytes = put(&at, bytes, len);
    o->ns = put(&at, ns, ns_len);
    o->name = put(&at, name, name_len);
    o->uid = put(&at, uid, uid_len);
    return o;
}

/* The document with apiVersion and kind in front; new reference. */
static json_t *with_type(const struct kind *kind, const json_t *doc)
{
    char api_version[API_VERSION_SIZE];
    json_t *typed = json_object();
    json_object_set_new(typed, "apiVersion", json_string(kind_api_version(kind, api_version)));
    json_object_set_new(typed, "kind", json_string(kind->kind));
    json_object_update_missing(typed, (json_t *)doc);
    return typed;
}

struct object *object_new(const struct kind *kind, const json_t *doc)
{
    _cleanup_json_ json_t *typed = with_type(kind, doc);
    _cleanup_free_ char *bytes = jprint(typed);
    return build(kind, typed, bytes, strlen(bytes));
}

struct object *object_from_bytes(const struct kind *kind, const char *bytes, size_t len)
{
    struct err err;
    _cleanup_json_ json_t *doc = jparse(bytes, len, &err);
    return doc ? build(kind, doc, bytes, len) : NULL;
}

struct object *object_as(struct object *o, const struct kind *version)
{
    if (version == o->kind || version->stored != o->kind)
        return object_ref(o);
    _cleanup_json_ json_t *kept = object_json(o), *doc = json_deep_copy(kept);
    kind_from_stored(version, doc);
    return object_new(version, doc);
}

struct object *object_ref(struct object *o)
{
    __atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
    return o;
}

void object_unref(struct object *o)
{
    if (o && __atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) == 0)
        free(o);
}

static void cache_drop(unsigned slot)
{
    if (!cache[slot].object)
        return;
    cache_bytes -= cache[slot].object->len;
    json_decref(cache[slot].doc);
    object_unref(TAKE(cache[slot].object));
}

static void cache_add(const struct object *o, json_t *doc)
{
    if (o->len > CACHE_BYTES_MAX / 4)
        return;
    do {
        cache_hand = (cache_hand + 1) % CACHE_SLOTS;
        cache_drop(cache_hand);
    } while (cache_bytes + o->len > CACHE_BYTES_MAX);
    cache[cache_hand].object = object_ref((struct object *)o);
    cache[cache_hand].doc = json_incref(doc);
    cache_bytes += o->len;
}

json_t *object_json(const struct object *o)
{
    for (unsigned i = 0; i < CACHE_SLOTS; i++)
        if (cache[i].object == o)
            return json_incref(cache[i].doc);
    struct err err;
    json_t *doc = jparse(o->bytes, o->len, &err);
    if (!doc) /* the bytes were parsed or printed when the object was made */
        abort();
    cache_add(o, doc);
    return doc;
}

void object_cache_clear(void)
{
    for (unsigned i = 0; i < CACHE_SLOTS; i++)
        cache_drop(i);
}

char *make_object_key(const char *ns, const char *name)
{
    return ns && *ns ? xasprintf("%s/%s", ns, name) : xstrdup(name);
}

char *object_key(const struct object *o)
{
    return make_object_key(o->ns, o->name);
}
