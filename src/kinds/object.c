/* See object.h. One allocation holds the header, the bytes and the few texts that keys and selectors are made of. */
#include "kinds/object.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "json/pick.h"
#include "kinds/kind.h"

/* What object_json remembers, those asked for last at the end. Parsed trees are about ten times their bytes, so this is
 * about 2.5 MB of trees at most; and enough for a hundred writes on their way to the disk, whose trees the readers will
 * ask for. The cache holds a reference to its objects. */
#define CACHE_BYTES_MAX (256 * 1024)

static struct list cache = {&cache, &cache};
static size_t cache_bytes;

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

static void cache_drop(struct object *o)
{
    list_remove(&o->remembered);
    cache_bytes -= o->len;
    json_decref(TAKE(o->doc));
    object_unref(o);
}

static void cache_add(struct object *o, json_t *doc)
{
    if (o->len > CACHE_BYTES_MAX / 4)
        return;
    while (cache_bytes + o->len > CACHE_BYTES_MAX)
        cache_drop(container_of(cache.next, struct object, remembered));
    object_ref(o)->doc = json_incref(doc);
    cache_bytes += o->len;
    list_append(&cache, &o->remembered);
}

static void add_text(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s) + 1);
}

static void add_labels(struct buf *b, const json_t *labels)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)labels, key, value) {
        if (!*key || !json_is_string(value)) /* validation lets neither in */
            continue;
        add_text(b, key);
        add_text(b, json_string_value(value));
    }
    add_text(b, "");
}

static void add_field(struct buf *b, const json_t *doc, const struct field_label *label)
{
    const json_t *v = jget(doc, label->path);
    char number[24];
    const char *text = str_or(label->otherwise, "");
    if (json_is_string(v))
        text = json_string_value(v);
    else if (json_is_boolean(v))
        text = json_is_true(v) ? "true" : "false";
    else if (json_is_integer(v)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
        text = number;
    }
    add_text(b, text);
}

/* The texts behind the struct, one after the other; where they begin. */
struct header {
    struct buf texts; /* the name comes first */
    size_t ns, uid, labels, fields;
};

static void make_header(struct header *h, const struct kind *kind, const json_t *doc, const char *name)
{
    *h = (struct header){.texts = BUF_INIT(0)};
    add_text(&h->texts, name);
    h->ns = h->texts.len;
    add_text(&h->texts, jstr_or(doc, "metadata.namespace", ""));
    h->uid = h->texts.len;
    add_text(&h->texts, jstr_or(doc, "metadata.uid", ""));
    h->labels = h->texts.len;
    add_labels(&h->texts, jget(doc, "metadata.labels"));
    h->fields = h->texts.len;
    for (const struct field_label *l = kind->field_labels; l && l->label; l++)
        add_field(&h->texts, doc, l);
}

static struct object *build(const struct kind *kind, const json_t *doc, const char *bytes, size_t len)
{
    const char *name = jstr(doc, "metadata.name"), *rv_text = jstr(doc, "metadata.resourceVersion");
    int64_t rv;
    if (!name || !*name || !rv_text || !str_to_i64(rv_text, 0, INT64_MAX, &rv))
        return NULL;
    struct header h;
    make_header(&h, kind, doc, name);
    struct object *o = xmalloc(sizeof(*o) + h.texts.len + len + 1);
    char *texts = (char *)(o + 1), *body = texts + h.texts.len;
    memcpy(texts, h.texts.data, h.texts.len);
    memcpy(body, bytes, len);
    body[len] = '\0';
    *o = (struct object){.refs = 1, .kind = kind, .rv = (uint64_t)rv, .bytes = body, .len = len};
    o->name = texts;
    o->ns = texts + h.ns;
    o->uid = texts + h.uid;
    o->labels = texts + h.labels;
    o->fields = texts + h.fields;
    buf_done(&h.texts);
    return o;
}

static const char *next_text(const char *s)
{
    return s + strlen(s) + 1;
}

const char *object_label(const struct object *o, const char *key)
{
    for (const char *at = o->labels; *at; at = next_text(next_text(at)))
        if (streq(at, key))
            return next_text(at);
    return NULL;
}

bool object_labels_equal(const struct object *a, const struct object *b)
{
    const char *x = a->labels, *y = b->labels;
    while (*x && streq(x, y)) { /* a key, then its value */
        x += strlen(x) + 1;
        y += strlen(y) + 1;
        if (!streq(x, y))
            return false;
        x += strlen(x) + 1;
        y += strlen(y) + 1;
    }
    return !*x && !*y;
}

const char *object_field(const struct object *o, size_t field)
{
    const char *at = o->fields;
    while (field--)
        at = next_text(at);
    return at;
}

/* The document with apiVersion and kind in front; new reference. What only somebody else can convert stays what it says
 * it is. */
static json_t *with_type(const struct kind *kind, const json_t *doc)
{
    char api_version[API_VERSION_SIZE];
    const char *own = kind->conversion ? jstr(doc, "apiVersion") : NULL;
    json_t *typed = json_object();
    json_object_set_new(typed, "apiVersion", json_string(own ? own : kind_api_version(kind, api_version)));
    json_object_set_new(typed, "kind", json_string(kind->kind));
    json_object_update_missing(typed, (json_t *)doc);
    return typed;
}

static struct object *print_and_build(const struct kind *kind, const json_t *doc, bool remember)
{
    _cleanup_json_ json_t *typed = with_type(kind, doc);
    _cleanup_free_ char *bytes = jprint(typed);
    struct object *o = build(kind, typed, bytes, strlen(bytes));
    if (o && remember)
        cache_add(o, typed);
    return o;
}

struct object *object_new(const struct kind *kind, const json_t *doc)
{
    return print_and_build(kind, doc, false);
}

struct object *object_adopt(const struct kind *kind, const json_t *doc)
{
    return print_and_build(kind, doc, true);
}

struct object *object_from_bytes(const struct kind *kind, const char *bytes, size_t len)
{
    struct err err;
    _cleanup_json_ json_t *doc = jparse(bytes, len, &err);
    return doc ? build(kind, doc, bytes, len) : NULL;
}

/* What the header is made of; false: more field labels than there is room for. */
static bool header_paths(const struct kind *kind, const char **paths, size_t max)
{
    static const char *const common[] = {"metadata.name", "metadata.namespace", "metadata.uid",
                                         "metadata.resourceVersion", "metadata.labels"};
    size_t n = 0;
    for (; n < ARRAY_LEN(common); n++)
        paths[n] = common[n];
    for (const struct field_label *l = kind->field_labels; l && l->label; l++) {
        if (n + 1 == max)
            return false;
        paths[n++] = l->path;
    }
    paths[n] = NULL;
    return true;
}

struct object *object_from_stored(const struct kind *kind, const char *bytes, size_t len)
{
    const char *paths[32];
    _cleanup_json_ json_t *picked = header_paths(kind, paths, ARRAY_LEN(paths)) ? jpick(bytes, len, paths) : NULL;
    return picked ? build(kind, picked, bytes, len) : object_from_bytes(kind, bytes, len);
}

/* Of a kind made at run time another version may have been kept when this was written; the bytes begin with it. */
bool object_is_other_version(const struct object *o, const struct kind *version)
{
    char api_version[API_VERSION_SIZE], start[API_VERSION_SIZE + 20];
    if (kind_stored(version) != o->kind)
        return false;
    if (!o->kind->stored_as)
        return version != o->kind;
    snprintf(start, sizeof(start), "{\"apiVersion\":\"%s\"", kind_api_version(version, api_version));
    return !str_after(o->bytes, start);
}

struct object *object_as(struct object *o, const struct kind *version)
{
    if (!object_is_other_version(o, version))
        return object_ref(o);
    _cleanup_json_ json_t *kept = object_json(o), *doc = jcopy(kept);
    kind_from_stored(version, doc);
    return object_new(version, doc);
}

json_t *object_json(const struct object *version)
{
    struct object *o = (struct object *)version; /* what is remembered is no part of it */
    if (o->doc) {
        list_remove(&o->remembered);
        list_append(&cache, &o->remembered);
        return json_incref(o->doc);
    }
    struct err err;
    json_t *doc = jparse(o->bytes, o->len, &err);
    if (!doc) /* the bytes were parsed or printed when the object was made */
        abort();
    cache_add(o, doc);
    return doc;
}

void object_cache_clear(void)
{
    while (!list_empty(&cache))
        cache_drop(container_of(cache.next, struct object, remembered));
}

char *make_object_key(const char *ns, const char *name)
{
    return ns && *ns ? xasprintf("%s/%s", ns, name) : xstrdup(name);
}

char *object_key(const struct object *o)
{
    return make_object_key(o->ns, o->name);
}
