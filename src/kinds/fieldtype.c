/* See fieldtype.h. */
#include "kinds/fieldtype.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define DEPTH_MAX 64 /* no table is that deep; what a definition's schema is made of may be, and is then anything */

static const struct cel_type *type_of(const struct field *f, struct cel_arena *a, int depth);

static bool is_reserved(const char *name)
{
    static const char *const words[] = {"as",       "break",   "const",  "continue", "else", "false", "for",
                                        "function", "if",      "import", "in",       "let",  "loop",  "namespace",
                                        "null",     "package", "return", "true",     "var",  "void",  "while"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (streq(words[i], name))
            return true;
    return false;
}

static void add_member(struct cel_member **at, const char *name, const struct cel_type *type, struct cel_arena *a)
{
    *(*at)++ = (struct cel_member){name, name, type};
    if (!is_reserved(name))
        return;
    _cleanup_free_ char *other = xasprintf("__%s__", name);
    *(*at)++ = (struct cel_member){cel_alloc_text(a, other, strlen(other)), name, type};
}

static const struct cel_type *object_type(const struct field *fields, bool is_resource, struct cel_arena *a, int depth)
{
    size_t n = 2 * is_resource;
    for (const struct field *f = fields; f && f->name; f++)
        n += 2;
    struct cel_member *members = cel_alloc(a, n + 1, sizeof(*members)), *at = members;
    struct cel_type *t = cel_alloc(a, 1, sizeof(*t));
    if (is_resource) {
        add_member(&at, "apiVersion", &cel_types[CEL_STRING], a);
        add_member(&at, "kind", &cel_types[CEL_STRING], a);
    }
    for (const struct field *f = fields; f && f->name; f++)
        add_member(&at, f->name, type_of(f, a, depth + 1), a);
    *t = (struct cel_type){.kind = CEL_OBJECT, .members = members, .name = "object"};
    return t;
}

static const struct cel_type *container(enum cel_kind kind, const struct field *f, struct cel_arena *a, int depth)
{
    struct cel_type *t = cel_alloc(a, 1, sizeof(*t));
    t->kind = kind;
    t->key = kind == CEL_MAP ? &cel_types[CEL_STRING] : NULL;
    t->item = f->sub ? type_of(f->sub, a, depth + 1) : &cel_types[CEL_DYN];
    return t;
}

static const struct cel_type *type_of(const struct field *f, struct cel_arena *a, int depth)
{
    static const enum cel_kind plain[F_TYPE_N] = {
        [F_STR] = CEL_STRING,          [F_INT] = CEL_INT,         [F_INT64] = CEL_INT,
        [F_BOOL] = CEL_BOOL,           [F_NUMBER] = CEL_DOUBLE,   [F_TIME] = CEL_TIMESTAMP,
        [F_MICROTIME] = CEL_TIMESTAMP, [F_QUANTITY] = CEL_STRING, [F_INT_OR_STR] = CEL_DYN,
        [F_BYTES] = CEL_BYTES,         [F_RAW] = CEL_DYN,
    };
    if (depth > DEPTH_MAX)
        return &cel_types[CEL_DYN];
    switch (f->type) {
    case F_OBJECT:
        return f->sub ? object_type(f->sub, false, a, depth) : &cel_types[CEL_DYN];
    case F_LIST:
        return container(CEL_LIST, f, a, depth);
    case F_MAP:
        return container(CEL_MAP, f, a, depth);
    default:
        return &cel_types[plain[f->type]];
    }
}

const struct cel_type *kind_cel_type(const struct kind *k, struct cel_arena *a)
{
    return object_type(k->fields, true, a, 0);
}
