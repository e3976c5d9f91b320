/* Bodies in application/vnd.kubernetes.protobuf, which generated Go clients (kubectl create since 1.32) send whether
 * the server likes it or not: read into the same documents as JSON. Answers are always JSON, which these clients
 * accept. Pure. */
#pragma once
#include <stddef.h>

#include "base/err.h"
#include "kinds/kind.h"

/* bytes: the envelope ("k8s\0", runtime.Unknown) and in it a message of this type (api/typename.h) with these members.
 * The document has apiVersion and kind as the envelope names them. Unknown fields are left out, as Go does. */
json_t *protobuf_decode(const char *type, const struct field *fields, const void *bytes, size_t len, struct err *err);

/* The members of a type with their numbers: "metadata=1 spec=2"; "^core.v1.VolumeSource=2" is a message whose members
 * stand in for itself. NULL when the type is not listed. protobuf_numbers.c */
const char *protobuf_numbers(const char *type);
