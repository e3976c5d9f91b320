/* Types: the plain ones, which fits which, and what they are called. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cel/value.h"

#define PLAIN(k) [k] = {.kind = k}
const struct cel_type cel_types[CEL_KINDS] = {
    PLAIN(CEL_DYN),        PLAIN(CEL_ERROR),      PLAIN(CEL_NULL),        PLAIN(CEL_BOOL),
    PLAIN(CEL_INT),        PLAIN(CEL_UINT),       PLAIN(CEL_DOUBLE),      PLAIN(CEL_STRING),
    PLAIN(CEL_BYTES),      PLAIN(CEL_TIMESTAMP),  PLAIN(CEL_DURATION),    PLAIN(CEL_LIST),
    PLAIN(CEL_MAP),        PLAIN(CEL_OBJECT),     PLAIN(CEL_TYPE),        PLAIN(CEL_OPTIONAL),
    PLAIN(CEL_QUANTITY),   PLAIN(CEL_URL),        PLAIN(CEL_IP),          PLAIN(CEL_CIDR),
    PLAIN(CEL_AUTHORIZER), PLAIN(CEL_PATH_CHECK), PLAIN(CEL_GROUP_CHECK), PLAIN(CEL_RESOURCE_CHECK),
    PLAIN(CEL_DECISION),   PLAIN(CEL_FORMAT),
};
const struct cel_type cel_type_strings = {.kind = CEL_LIST, .item = &cel_types[CEL_STRING]};
const struct cel_type cel_type_map = {.kind = CEL_MAP, .key = &cel_types[CEL_STRING]};

static const char *const names[CEL_KINDS] = {
    [CEL_DYN] = "dyn",
    [CEL_ERROR] = "error",
    [CEL_NULL] = "null_type",
    [CEL_BOOL] = "bool",
    [CEL_INT] = "int",
    [CEL_UINT] = "uint",
    [CEL_DOUBLE] = "double",
    [CEL_STRING] = "string",
    [CEL_BYTES] = "bytes",
    [CEL_TIMESTAMP] = "timestamp",
    [CEL_DURATION] = "duration",
    [CEL_LIST] = "list",
    [CEL_MAP] = "map",
    [CEL_OBJECT] = "object",
    [CEL_TYPE] = "type",
    [CEL_OPTIONAL] = "optional_type",
    [CEL_QUANTITY] = "kubernetes.Quantity",
    [CEL_URL] = "kubernetes.URL",
    [CEL_IP] = "net.IP",
    [CEL_CIDR] = "net.CIDR",
    [CEL_FORMAT] = "kubernetes.NamedFormat",
    [CEL_AUTHORIZER] = "kubernetes.authorization.Authorizer",
    [CEL_PATH_CHECK] = "kubernetes.authorization.PathCheck",
    [CEL_GROUP_CHECK] = "kubernetes.authorization.GroupCheck",
    [CEL_RESOURCE_CHECK] = "kubernetes.authorization.ResourceCheck",
    [CEL_DECISION] = "kubernetes.authorization.Decision",
};

bool cel_type_fits(const struct cel_type *wanted, const struct cel_type *is)
{
    if (!wanted || !is || wanted == is || wanted->kind == CEL_DYN || is->kind == CEL_DYN)
        return true;
    if (wanted->kind == CEL_NULL || is->kind == CEL_NULL)
        return true; /* what is nullable is not known here */
    bool maps =
        (wanted->kind == CEL_MAP || wanted->kind == CEL_OBJECT) && (is->kind == CEL_MAP || is->kind == CEL_OBJECT);
    if (wanted->kind != is->kind)
        return maps;
    return cel_type_fits(wanted->item, is->item) && cel_type_fits(wanted->key, is->key);
}

const struct cel_member *cel_member(const struct cel_type *object, const char *name, size_t len)
{
    for (const struct cel_member *m = object->members; m && m->name; m++)
        if (strlen(m->name) == len && memcmp(m->name, name, len) == 0)
            return m;
    return NULL;
}

static void add_text(const struct cel_type *t, char *out, size_t size, int depth)
{
    size_t used = strlen(out);
    if (!t || depth > 4)
        t = &cel_types[CEL_DYN];
    if (used + 1 >= size)
        return;
    bool composed = t->kind == CEL_LIST || t->kind == CEL_MAP || t->kind == CEL_OPTIONAL;
    snprintf(out + used, size - used, "%s%s", t->kind == CEL_OBJECT && t->name ? t->name : names[t->kind],
             composed ? "(" : "");
    if (!composed)
        return;
    if (t->kind == CEL_MAP) {
        add_text(t->key, out, size, depth + 1);
        strncat(out, ", ", size - strlen(out) - 1);
    }
    add_text(t->item, out, size, depth + 1);
    strncat(out, ")", size - strlen(out) - 1);
}

char *cel_type_text(const struct cel_type *t, char out[CEL_TYPE_TEXT_SIZE])
{
    out[0] = '\0';
    add_text(t, out, CEL_TYPE_TEXT_SIZE, 0);
    return out;
}
