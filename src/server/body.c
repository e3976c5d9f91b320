/* See body.h. */
#include "server/body.h"

#include "api/protobuf.h"
#include "api/typename.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/duplicates.h"
#include "json/yaml.h"
#include "kinds/fields.h"
#include "server/write.h"

/* --- bodies that are no object of the kind they are sent to --- */

static const struct field preconditions_fields[] = {{"uid", F_STR}, {"resourceVersion", F_STR}, {0}};
static const struct field delete_options_fields[] = {
    {"gracePeriodSeconds", F_INT64}, {"preconditions", F_OBJECT, .sub = preconditions_fields},
    {"orphanDependents", F_BOOL},    {"propagationPolicy", F_STR},
    {"dryRun", F_LIST, STRINGS},     {0},
};
static const struct field eviction_fields[] = {
    FIELD_METADATA, {"deleteOptions", F_OBJECT, .sub = delete_options_fields}, {0}};
static const struct field scale_spec_fields[] = {{"replicas", F_INT}, {0}};
static const struct field scale_fields[] = {FIELD_METADATA, {"spec", F_OBJECT, .sub = scale_spec_fields}, {0}};
static const struct field target_fields[] = {{"kind", F_STR}, {"name", F_STR}, {0}};
static const struct field binding_fields[] = {FIELD_METADATA, {"target", F_OBJECT, .sub = target_fields}, {0}};

/* What a body is expected to hold. */
struct shape {
    const char *subresource, *kind, *type;
    const struct field *fields;
};

static const struct shape shapes[] = {
    {"scale", "Scale", "autoscaling.v1.Scale", scale_fields},
    {"binding", "Binding", "core.v1.Binding", binding_fields},
    {"eviction", "Eviction", "policy.v1.Eviction", eviction_fields},
};
static const struct shape options_shape = {"", "DeleteOptions", "meta.v1.DeleteOptions", delete_options_fields};

/* The shape of the kind itself is put into `own`, its type name into `type`. */
static const struct shape *expected_shape(const struct request *r, struct shape *own, char type[TYPE_NAME_SIZE])
{
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        if (streq(r->handler->subresource, shapes[i].subresource))
            return &shapes[i];
    if (r->handler->takes == BODY_OPTIONS)
        return &options_shape;
    const struct kind *k = streq(r->handler->subresource, "token") ? &kind_tokenrequest : r->version;
    *own = (struct shape){"", k->kind, type_name_of_kind(k, type), k->fields};
    return own;
}

/* --- reading --- */

#define DUPLICATES_TEXT_MAX (16 << 10) /* of the message that lists them */

/* The first bytes of a body for a message: as text if it looks like JSON, else in hexadecimal. */
static char *summary(const char *bytes, size_t len)
{
    enum { SHOWN = 30 };
    char hex[2 * SHOWN + 1];
    size_t n = len < SHOWN ? len : SHOWN;
    const char *more = len > SHOWN ? " ..." : "";
    if (!len)
        return xstrdup("<empty>");
    if (*bytes == '{')
        return xasprintf("%.*s%s", (int)n, bytes, more);
    str_hex(bytes, n, hex);
    return xasprintf("%s%s", hex, more);
}

static json_t *unsupported_body(const struct request *r)
{
    const char *accepted = r->handler->takes == BODY_PATCH
                               ? "application/json-patch+json, application/merge-patch+json, "
                                 "application/strategic-merge-patch+json, application/apply-patch+yaml"
                               : "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    return status_new(STATUS_UNSUPPORTED_MEDIA_TYPE,
                      "the body of the request was in an unknown format - accepted media types include: %s", accepted);
}

static json_t *parse(const struct request *r, const struct shape *shape, const char *bytes, size_t len,
                     json_t **ret_duplicates, struct err *err)
{
    switch (r->body_type) {
    case BODY_YAML:
        return yaml_parse_last(bytes, len, ret_duplicates, err);
    case BODY_APPLY_PATCH: /* YAML has not all of JSON's escapes */
        return len && *bytes == '{' ? jparse_last(bytes, len, ret_duplicates, err)
                                    : yaml_parse_last(bytes, len, ret_duplicates, err);
    case BODY_PROTOBUF:
        return protobuf_decode(shape->type, shape->fields, bytes, len, err);
    default:
        return jparse_last(bytes, len, ret_duplicates, err);
    }
}

/* What YAML's reader says is told as it is, places in JSON are put into words. */
static bool is_yaml(const struct request *r, const char *bytes, size_t len)
{
    return r->body_type == BODY_YAML || (r->body_type == BODY_APPLY_PATCH && len && *bytes != '{');
}

static json_t *strict_refusal(const struct request *r, const struct shape *shape, bool yaml, const char *text)
{
    const char *before = yaml ? "yaml: unmarshal errors:\n  " : "";
    if (r->handler->takes == BODY_PATCH && yaml)
        return status_new(STATUS_BAD_REQUEST, "error strict decoding YAML: error converting YAML to JSON: %s%s", before,
                          text);
    if (r->handler->takes == BODY_PATCH)
        return status_new(STATUS_BAD_REQUEST, "strict decoding error: %s", text);
    return status_new(STATUS_BAD_REQUEST, "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s%s",
                      shape->kind, r->version ? r->version->version : "v1", shape->kind, before, text);
}

/* For bodies that nobody decodes by a kind's table, patches among them. duplicates: what the body names twice; the last
 * has counted. */
static json_t *check_duplicates(struct request *r, const struct shape *shape, const json_t *duplicates, bool yaml)
{
    struct buf text = BUF_INIT(DUPLICATES_TEXT_MAX);
    size_t i;
    json_t *duplicate;
    json_array_foreach((json_t *)duplicates, i, duplicate) {
        const char *what = json_string_value(duplicate);
        _cleanup_free_ char *said = yaml ? xstrdup(what) : xasprintf("duplicate field \"%s\"", what);
        buf_addf(&text, "%s%s", !i ? "" : yaml ? "\n  " : ", ", said);
        if (r->validation == VALIDATION_WARN)
            warn_once(&r->warnings, said);
    }
    json_t *status = r->validation == VALIDATION_STRICT ? strict_refusal(r, shape, yaml, buf_str(&text)) : NULL;
    buf_done(&text);
    return status;
}

/* For whoever decodes the body: as api/schema.h wants it. */
static json_t *repeated_members(json_t *duplicates, bool yaml)
{
    size_t i;
    json_t *place;
    if (yaml)
        return json_incref(duplicates);
    json_t *places = json_object();
    json_array_foreach(duplicates, i, place)
        json_object_set_new(places, json_string_value(place), json_true());
    return places;
}

json_t *read_body(struct request *r, const char *content_type, const char *bytes, size_t len)
{
    struct err err;
    struct shape own;
    char type[TYPE_NAME_SIZE];
    bool patch = r->handler->takes == BODY_PATCH;
    r->body_type = body_type(content_type);
    if (r->handler->takes == BODY_NONE || (r->handler->takes == BODY_OPTIONS && !len))
        return NULL;
    bool unread = r->body_type == BODY_PROTOBUF && r->handler->takes == BODY_OBJECT && r->version->json_only;
    if (unread || r->body_type == BODY_UNSUPPORTED || patch != (r->body_type > BODY_PROTOBUF))
        return unsupported_body(r);
    const struct shape *shape = expected_shape(r, &own, type);
    _cleanup_json_ json_t *duplicates = NULL;
    r->body = parse(r, shape, bytes, len, &duplicates, &err);
    if (r->body && duplicates && !patch && shape == &own)
        r->repeated = repeated_members(duplicates, is_yaml(r, bytes, len));
    else if (r->body && duplicates)
        return check_duplicates(r, shape, duplicates, is_yaml(r, bytes, len));
    if (r->body)
        return NULL;
    if (patch)
        return status_new(STATUS_BAD_REQUEST, "error decoding %s: %s",
                          r->body_type == BODY_APPLY_PATCH ? "YAML" : "patch", err.msg);
    _cleanup_free_ char *shown = summary(bytes, len);
    const char *what = r->body_type == BODY_YAML   ? "yaml parse error: "
                       : r->body_type == BODY_JSON ? "json parse error: "
                                                   : "";
    return status_new(STATUS_BAD_REQUEST,
                      "the object provided is unrecognized (must be of type %s): couldn't get version/kind; %s%s (%s)",
                      shape->kind, what, err.msg, shown);
}
