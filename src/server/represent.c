/* See represent.h. */
#include "server/represent.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "http/http.h"

#define RV_TEXT_SIZE 24

static const char *rv_text(uint64_t rv, char out[RV_TEXT_SIZE])
{
    snprintf(out, RV_TEXT_SIZE, "%llu", (unsigned long long)rv);
    return out;
}

enum include_object include_of(const char *query)
{
    _cleanup_free_ char *value = query_get(query, "includeObject", 0);
    if (value && streq(value, "None"))
        return INCLUDE_NONE;
    return value && streq(value, "Object") ? INCLUDE_OBJECT : INCLUDE_METADATA;
}

/* One object in a form that is not its own bytes. */
static json_t *reshape(const struct negotiated *form, enum include_object include, bool with_columns,
                       struct object *obj)
{
    char rv[RV_TEXT_SIZE];
    if (form->repr == REPR_PARTIAL_METADATA) {
        _cleanup_json_ json_t *doc = object_json(obj);
        return partial_metadata(doc, form->version);
    }
    _cleanup_json_ json_t *meta = json_pack("{s:s}", "resourceVersion", rv_text(obj->rv, rv));
    return table_new(obj->kind, form->version, &obj, 1, meta, include, with_columns);
}

static char *print(const json_t *doc, size_t *ret_len)
{
    char *text = jprint(doc);
    *ret_len = strlen(text);
    return text;
}

char *represent_object(const struct negotiated *form, enum include_object include, struct object *obj, size_t *ret_len)
{
    if (form->repr == REPR_JSON) {
        *ret_len = obj->len;
        return xmemdup(obj->bytes, obj->len);
    }
    _cleanup_json_ json_t *doc = reshape(form, include, true, obj);
    return print(doc, ret_len);
}

/* --- lists --- */

static json_t *list_meta(const struct page *page)
{
    char rv[RV_TEXT_SIZE];
    json_t *meta = json_pack("{s:s}", "resourceVersion", rv_text(page->rv, rv));
    if (page->continue_token)
        jset_str(meta, "continue", page->continue_token);
    if (page->continue_token && page->remaining >= 0)
        jset_int(meta, "remainingItemCount", page->remaining);
    return meta;
}

/* Put together from the objects' own bytes: nothing is parsed. */
static char *join_objects(const struct kind *k, const json_t *meta, const struct page *page, size_t *ret_len)
{
    char api_version[API_VERSION_SIZE];
    _cleanup_free_ char *meta_text = jprint(meta);
    struct buf out = BUF_INIT(0);
    size_t size = strlen(meta_text) + 200;
    for (size_t i = 0; i < page->n; i++)
        size += page->objs[i]->len + 1;
    buf_reserve(&out, size);
    buf_addf(&out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":%s,\"items\":[", k->list_kind,
             kind_api_version(k, api_version), meta_text);
    for (size_t i = 0; i < page->n; i++) {
        if (i)
            buf_addc(&out, ',');
        buf_add(&out, page->objs[i]->bytes, page->objs[i]->len);
    }
    buf_adds(&out, "]}");
    *ret_len = out.len;
    return buf_take(&out);
}

static json_t *partial_list(const char *version, json_t *meta, const struct page *page)
{
    char api_version[API_VERSION_SIZE];
    snprintf(api_version, sizeof(api_version), "meta.k8s.io/%s", version);
    json_t *items = json_array();
    for (size_t i = 0; i < page->n; i++) {
        _cleanup_json_ json_t *doc = object_json(page->objs[i]);
        json_array_append_new(items, partial_metadata(doc, version));
    }
    return json_pack("{s:s, s:s, s:O, s:o}", "kind", "PartialObjectMetadataList", "apiVersion", api_version, "metadata",
                     meta, "items", items);
}

char *represent_page(const struct negotiated *form, enum include_object include, const struct kind *k,
                     const struct page *page, size_t *ret_len)
{
    _cleanup_json_ json_t *meta = list_meta(page);
    if (form->repr == REPR_JSON)
        return join_objects(k, meta, page, ret_len);
    _cleanup_json_ json_t *doc = form->repr == REPR_PARTIAL_METADATA
                                     ? partial_list(form->version, meta, page)
                                     : table_new(k, form->version, page->objs, page->n, meta, include, true);
    return print(doc, ret_len);
}

/* --- watch events --- */

static void add_event(struct buf *out, const char *type, const char *bytes, size_t len)
{
    buf_addf(out, "{\"type\":\"%s\",\"object\":", type);
    buf_add(out, bytes, len);
    buf_adds(out, "}\n");
}

static void add_document(struct buf *out, const char *type, const json_t *doc)
{
    _cleanup_free_ char *text = jprint(doc);
    add_event(out, type, text, strlen(text));
}

void represent_event(const struct negotiated *form, enum include_object include, bool with_columns, const char *type,
                     struct object *obj, struct buf *out)
{
    if (form->repr == REPR_JSON) {
        add_event(out, type, obj->bytes, obj->len);
        return;
    }
    _cleanup_json_ json_t *doc = reshape(form, include, with_columns, obj);
    add_document(out, type, doc);
}

void represent_bookmark(const struct negotiated *form, const struct kind *k, uint64_t rv, bool initial_end,
                        struct buf *out)
{
    char api_version[API_VERSION_SIZE], text[RV_TEXT_SIZE];
    _cleanup_json_ json_t *meta = json_pack("{s:s}", "resourceVersion", rv_text(rv, text));
    _cleanup_json_ json_t *doc = NULL;
    if (initial_end)
        jset(meta, "annotations", json_pack("{s:s}", "k8s.io/initial-events-end", "true"));
    if (form->repr == REPR_TABLE)
        doc = table_new(k, form->version, NULL, 0, meta, INCLUDE_NONE, false);
    else
        doc = json_pack("{s:s, s:s, s:O}", "kind", k->kind, "apiVersion", kind_api_version(k, api_version), "metadata",
                        meta);
    if (form->repr == REPR_PARTIAL_METADATA) {
        json_t *partial = partial_metadata(doc, form->version);
        json_decref(doc);
        doc = partial;
    }
    add_document(out, "BOOKMARK", doc);
}

void represent_error(const json_t *status, struct buf *out)
{
    add_document(out, "ERROR", status);
}
