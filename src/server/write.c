/* See write.h. */
#include "server/write.h"

#include "base/str.h"

json_t *check_body_type(const struct kind *k, json_t *doc)
{
    char expected[API_VERSION_SIZE];
    kind_api_version(k, expected);
    if (!json_is_object(doc))
        return status_new(STATUS_BAD_REQUEST,
                          "%s in version \"%s\" cannot be handled as a %s: the body is no JSON object", k->kind,
                          k->version, k->kind);
    const char *api_version = jstr_or(doc, "apiVersion", expected), *kind = jstr_or(doc, "kind", k->kind);
    if (*api_version && !streq(api_version, expected))
        return status_new(STATUS_BAD_REQUEST,
                          "the API version in the data (%s) does not match the expected API version (%s)", api_version,
                          expected);
    if (*kind && !streq(kind, k->kind))
        return status_new(STATUS_BAD_REQUEST,
                          "%s in version \"%s\" cannot be handled as a %s: the kind in the data (%s) "
                          "does not match the expected kind (%s)",
                          kind, k->version, k->kind, kind, k->kind);
    jset_str(doc, "apiVersion", expected);
    jset_str(doc, "kind", k->kind);
    return NULL;
}

json_t *read_document(struct request *r, json_t *doc)
{
    json_t *status = check_body_type(r->version, doc);
    if (!status)
        status = schema_decode_repeated(r->version, doc, r->validation, r->repeated, &r->warnings);
    if (status || r->version == r->kind)
        return status;
    kind_to_stored(r->version, doc);
    return schema_decode(r->kind, doc, VALIDATION_IGNORE, &r->warnings); /* annotations may have become members */
}

json_t *check_identity(const struct request *r, json_t *doc)
{
    const char *name = jstr_or(doc, "metadata.name", ""), *ns = jstr_or(doc, "metadata.namespace", "");
    if (!r->kind->namespaced && *ns)
        return status_new(STATUS_BAD_REQUEST, "namespace may not be set on a cluster-scoped object");
    if (*ns && !streq(ns, r->what.ns))
        return status_new(STATUS_BAD_REQUEST,
                          "the namespace of the provided object does not match the namespace sent on the request");
    if (*r->what.name && *name && !streq(name, r->what.name))
        return status_new(STATUS_BAD_REQUEST, "the name of the object (%s) does not match the name on the URL (%s)",
                          name, r->what.name);
    if (*r->what.name && !*name)
        jset_str(doc, "metadata.name", r->what.name);
    if (r->kind->namespaced)
        jset_str(doc, "metadata.namespace", r->what.ns);
    return NULL;
}

void warn_once(json_t **warnings, const char *text)
{
    size_t i;
    json_t *told;
    if (!*warnings)
        *warnings = json_array();
    json_array_foreach(*warnings, i, told)
        if (streq(str_or(json_string_value(told), ""), text))
            return;
    json_array_append_new(*warnings, json_string(text));
}

static void reply_written(struct request *r, struct object *obj)
{
    if (r->reply)
        r->reply(r, obj);
    else
        request_reply_object(r, r->code, obj);
}

static void on_submitted(void *arg, struct object *obj, bool deleted, const struct err *err)
{
    struct request *r = arg;
    (void)deleted;
    if (err)
        request_reply_status(r, status_new(STATUS_INTERNAL, "Internal error occurred: %s", err->msg));
    else
        reply_written(r, obj);
}

/* Answers with what would have been written. A new object has no revision then. */
static void reply_dry_run(struct request *r, json_t *doc, struct alloc_change *change)
{
    alloc_rollback(change);
    if (!jhas(doc, "metadata.resourceVersion") && !r->reply && !r->version->conversion) {
        kind_from_stored(r->version, doc);
        request_reply_document(r, r->code, json_incref(doc));
        return;
    }
    if (!jhas(doc, "metadata.resourceVersion"))
        jset_str(doc, "metadata.resourceVersion", "0");
    _cleanup_object_ struct object *obj = object_new(r->kind, doc);
    reply_written(r, obj);
}

void request_write(struct request *r, json_t *doc, bool deletes, struct alloc_change *change)
{
    if (r->dry_run) {
        reply_dry_run(r, doc, change);
        return;
    }
    json_t *status = submit(r->server, r->kind, doc, deletes, change, on_submitted, r);
    if (status)
        request_reply_status(r, status);
}

bool deletion_is_due(const struct kind *k, const json_t *doc)
{
    return jget(doc, "metadata.deletionTimestamp") && !json_array_size(jget(doc, "metadata.finalizers")) &&
           jint(doc, "metadata.deletionGracePeriodSeconds", 0) == 0 &&
           (k != &kind_namespace || !json_array_size(jget(doc, "spec.finalizers")));
}
