/* See status.h. */
#include "api/status.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"

#define MESSAGE_MAX (64 * 1024) /* a message quotes what the client sent: longer ones are cut */
#define CAUSES_MAX 1000         /* enough for any person; a document of bad items must not become a larger answer */

static const struct {
    const char *name;
    int code;
} reasons[STATUS_REASON_N] = {
    [STATUS_BAD_REQUEST] = {"BadRequest", 400},
    [STATUS_UNAUTHORIZED] = {"Unauthorized", 401},
    [STATUS_FORBIDDEN] = {"Forbidden", 403},
    [STATUS_NOT_FOUND] = {"NotFound", 404},
    [STATUS_METHOD_NOT_ALLOWED] = {"MethodNotAllowed", 405},
    [STATUS_NOT_ACCEPTABLE] = {"NotAcceptable", 406},
    [STATUS_ALREADY_EXISTS] = {"AlreadyExists", 409},
    [STATUS_CONFLICT] = {"Conflict", 409},
    [STATUS_GONE] = {"Gone", 410},
    [STATUS_EXPIRED] = {"Expired", 410},
    [STATUS_TOO_LARGE] = {"RequestEntityTooLarge", 413},
    [STATUS_UNSUPPORTED_MEDIA_TYPE] = {"UnsupportedMediaType", 415},
    [STATUS_INVALID] = {"Invalid", 422},
    [STATUS_TOO_MANY_REQUESTS] = {"TooManyRequests", 429},
    [STATUS_INTERNAL] = {"InternalError", 500},
    [STATUS_UNAVAILABLE] = {"ServiceUnavailable", 503},
    [STATUS_TIMEOUT] = {"Timeout", 504},
};

static const struct {
    const char *reason, *text;
    bool has_value;
} cause_types[CAUSE_TYPE_N] = {
    [CAUSE_REQUIRED] = {"FieldValueRequired", "Required value", false},
    [CAUSE_INVALID] = {"FieldValueInvalid", "Invalid value", true},
    [CAUSE_NOT_SUPPORTED] = {"FieldValueNotSupported", "Unsupported value", true},
    [CAUSE_DUPLICATE] = {"FieldValueDuplicate", "Duplicate value", true},
    [CAUSE_FORBIDDEN] = {"FieldValueForbidden", "Forbidden", false},
    [CAUSE_TOO_LONG] = {"FieldValueTooLong", "Too long", false},
    [CAUSE_TOO_MANY] = {"FieldValueTooMany", "Too many", true},
    [CAUSE_TYPE_INVALID] = {"FieldValueTypeInvalid", "Invalid value", true},
    [CAUSE_NOT_FOUND] = {"FieldValueNotFound", "Not found", true},
};

int status_code(enum status_reason r)
{
    return reasons[r].code;
}

const char *status_name(enum status_reason r)
{
    return reasons[r].name;
}

/* Text that is UTF-8 even when a message was cut inside a character or quotes bytes that are none. */
static json_t *json_text(const char *s)
{
    json_t *j = json_string(s);
    if (j)
        return j;
    _cleanup_free_ char *ascii = xstrdup(s);
    for (char *p = ascii; *p; p++)
        if (*p & 0x80)
            *p = '?';
    return json_string(ascii);
}

static json_t *status_make(enum status_reason r, const char *message, json_t *details_new)
{
    json_t *s = json_pack("{s:s, s:s, s:{}, s:s, s:o, s:s}", "kind", "Status", "apiVersion", "v1", "metadata", "status",
                          "Failure", "message", json_text(message), "reason", status_name(r));
    if (details_new)
        json_object_set_new(s, "details", details_new);
    json_object_set_new(s, "code", json_integer(status_code(r)));
    return s;
}

json_t *status_new(enum status_reason r, const char *fmt, ...)
{
    struct buf message = BUF_INIT(MESSAGE_MAX);
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&message, fmt, ap);
    va_end(ap);
    json_t *s = status_make(r, buf_str(&message), NULL);
    buf_done(&message);
    return s;
}

static json_t *details_new(const char *group, const char *kind, const char *name)
{
    json_t *d = json_object();
    if (name && *name)
        json_object_set_new(d, "name", json_text(name));
    if (group && *group)
        json_object_set_new(d, "group", json_text(group));
    if (kind && *kind)
        json_object_set_new(d, "kind", json_text(kind));
    return d;
}

json_t *status_for(enum status_reason r, const char *group, const char *kind, const char *name, const char *fmt, ...)
{
    struct buf message = BUF_INIT(MESSAGE_MAX);
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&message, fmt, ap);
    va_end(ap);
    json_t *s = status_make(r, buf_str(&message), details_new(group, kind, name));
    buf_done(&message);
    return s;
}

void causes_done(struct status_causes *c)
{
    json_decref(c->list);
    c->list = NULL;
}

bool causes_any(const struct status_causes *c)
{
    return c->list != NULL;
}

/* As Go's %q and %v do: text in quotes, numbers and booleans bare; what is composed, as JSON. */
static void print_value(struct buf *b, const json_t *value)
{
    _cleanup_free_ char *text = value ? jprint(value) : xstrdup("null");
    buf_adds(b, text);
}

void causes_add(struct status_causes *c, enum cause_type type, const char *field, const json_t *value, const char *fmt,
                ...)
{
    if (c->list && json_array_size(c->list) >= CAUSES_MAX)
        return;
    struct buf message = BUF_INIT(MESSAGE_MAX);
    buf_adds(&message, cause_types[type].text);
    if (cause_types[type].has_value) {
        buf_adds(&message, ": ");
        print_value(&message, value);
    }
    struct buf detail = BUF_INIT(MESSAGE_MAX);
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&detail, fmt, ap);
    va_end(ap);
    if (detail.len)
        buf_addf(&message, ": %s", detail.data);
    if (!c->list)
        c->list = json_array();
    json_array_append_new(c->list, json_pack("{s:s, s:o, s:o}", "reason", cause_types[type].reason, "message",
                                             json_text(buf_str(&message)), "field", json_text(field)));
    buf_done(&detail);
    buf_done(&message);
}

/* "field: message", several as "[a, b]". */
static void join_causes(struct buf *b, const json_t *list)
{
    size_t i;
    json_t *cause;
    bool several = json_array_size(list) > 1;
    buf_adds(b, several ? "[" : "");
    json_array_foreach((json_t *)list, i, cause)
        buf_addf(b, "%s%s: %s", i ? ", " : "", jstr(cause, "field"), jstr(cause, "message"));
    buf_adds(b, several ? "]" : "");
}

json_t *status_invalid(const char *group, const char *kind, const char *name, const struct status_causes *c)
{
    struct buf message = BUF_INIT(MESSAGE_MAX);
    buf_addf(&message, "%s%s%s \"%s\" is invalid", kind, *group ? "." : "", group, str_or(name, ""));
    if (c->list) {
        buf_adds(&message, ": ");
        join_causes(&message, c->list);
    }
    json_t *details = details_new(group, kind, name);
    if (c->list)
        json_object_set(details, "causes", c->list);
    json_t *s = status_make(STATUS_INVALID, buf_str(&message), details);
    buf_done(&message);
    return s;
}
