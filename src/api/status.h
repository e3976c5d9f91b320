/* The answers that are not objects: metav1.Status, from one table of reasons (apimachinery pkg/api/errors). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum status_reason {
    STATUS_BAD_REQUEST,
    STATUS_UNAUTHORIZED,
    STATUS_FORBIDDEN,
    STATUS_NOT_FOUND,
    STATUS_METHOD_NOT_ALLOWED,
    STATUS_NOT_ACCEPTABLE,
    STATUS_ALREADY_EXISTS,
    STATUS_CONFLICT,
    STATUS_GONE,
    STATUS_EXPIRED,
    STATUS_TOO_LARGE,
    STATUS_UNSUPPORTED_MEDIA_TYPE,
    STATUS_INVALID,
    STATUS_TOO_MANY_REQUESTS,
    STATUS_INTERNAL,
    STATUS_UNAVAILABLE,
    STATUS_TIMEOUT,
    STATUS_REASON_N
};

int status_code(enum status_reason r);
const char *status_name(enum status_reason r);
/* A Status object; the message is printf-like. New reference. */
json_t *status_new(enum status_reason r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The ones with details {name, group, kind}. `kind` here is the plural as upstream puts it ("pods"), or the Kind for
 * INVALID. */
json_t *status_for(enum status_reason r, const char *group, const char *kind, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* What validation collects. Messages follow apimachinery's field.Error:
 *   FieldValueRequired     "Required value: MSG"
 *   FieldValueInvalid      "Invalid value: VALUE: MSG"
 *   FieldValueNotSupported "Unsupported value: VALUE: supported values: \"a\", \"b\""
 *   FieldValueDuplicate    "Duplicate value: VALUE"
 *   FieldValueForbidden    "Forbidden: MSG"
 *   FieldValueTooLong / FieldValueTooMany / FieldValueTypeInvalid / FieldValueNotFound */
enum cause_type {
    CAUSE_REQUIRED,
    CAUSE_INVALID,
    CAUSE_NOT_SUPPORTED,
    CAUSE_DUPLICATE,
    CAUSE_FORBIDDEN,
    CAUSE_TOO_LONG,
    CAUSE_TOO_MANY,
    CAUSE_TYPE_INVALID,
    CAUSE_NOT_FOUND,
    CAUSE_TYPE_N
};

struct status_causes {
    json_t *list; /* array of {reason, message, field}; NULL until the first cause */
};

void causes_done(struct status_causes *c);
bool causes_any(const struct status_causes *c);
/* `value` is printed as Go prints it in such messages (strings quoted); NULL where the type takes none. Borrowed. */
void causes_add(struct status_causes *c, enum cause_type type, const char *field, const json_t *value, const char *fmt,
                ...) __attribute__((format(printf, 5, 6)));
/* 422 `Kind.group "name" is invalid: field: message` (several: `[a, b]`), from the causes. New reference. */
json_t *status_invalid(const char *group, const char *kind, const char *name, const struct status_causes *c);
