/* Types and values of expressions. A value from a JSON document borrows it, and is typed by a schema where there is
 * one; what an expression makes lives in the arena of its evaluation. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/quantity.h"
#include "cel/arena.h"

enum cel_kind {
    CEL_DYN, /* types only: known at run time */
    CEL_ERROR,
    CEL_NULL,
    CEL_BOOL,
    CEL_INT,
    CEL_UINT,
    CEL_DOUBLE,
    CEL_STRING,
    CEL_BYTES,
    CEL_TIMESTAMP,
    CEL_DURATION,
    CEL_LIST,
    CEL_MAP,
    CEL_OBJECT, /* types only: a map whose members are known; its values are CEL_MAP */
    CEL_TYPE,
    CEL_OPTIONAL,
    CEL_QUANTITY,
    CEL_URL,
    CEL_IP,
    CEL_CIDR,
    CEL_FORMAT,
    CEL_AUTHORIZER,
    CEL_PATH_CHECK,
    CEL_GROUP_CHECK,
    CEL_RESOURCE_CHECK,
    CEL_DECISION,
    CEL_KINDS,
};

enum cel_list_type { CEL_ATOMIC, CEL_SET, CEL_KEYED };

struct cel_type {
    enum cel_kind kind;
    const struct cel_type *item;      /* of a list, a map's values, an optional; NULL: anything */
    const struct cel_type *key;       /* of a map */
    const struct cel_member *members; /* of an object */
    enum cel_list_type list;
    const json_t *keys; /* CEL_KEYED: names of the members that tell items apart */
    const char *name;   /* of an object, for messages */
};
struct cel_member {
    const char *name; /* as expressions write it; NULL ends the list */
    const char *json; /* as documents do */
    const struct cel_type *type;
};
extern const struct cel_type cel_types[CEL_KINDS]; /* the plain ones, by kind */
extern const struct cel_type cel_type_strings;     /* a list of them */
extern const struct cel_type cel_type_map;         /* strings to anything */
/* Whether a value of the one type may stand where the other is wanted. */
bool cel_type_fits(const struct cel_type *wanted, const struct cel_type *is);
const struct cel_member *cel_member(const struct cel_type *object, const char *name, size_t len);
#define CEL_TYPE_TEXT_SIZE 160
char *cel_type_text(const struct cel_type *t, char out[CEL_TYPE_TEXT_SIZE]); /* "list(string)" */

struct cel_value {
    enum cel_kind kind;
    const struct cel_type *type; /* of containers from typed documents, else NULL */
    union {
        bool boolean;
        int64_t integer; /* durations: nanoseconds; timestamps: microseconds since 1970, as metav1.MicroTime has them */
        uint64_t natural;
        double real;
        struct {
            const char *s;
            size_t len;
        } text; /* strings, bytes, URLs, errors */
        struct {
            const json_t *json; /* a document's, or NULL: */
            const struct cel_list *own;
        } list;
        struct {
            const json_t *json;
            const struct cel_map *own;
        } map;
        enum cel_kind type_of;
        const struct cel_value *held; /* optionals; NULL: none */
        const struct quantity *quantity;
        const struct cidr *cidr;         /* addresses: with the prefix of one host */
        const struct cel_format *format; /* textformats.c */
        const struct cel_access *access;
    };
};
struct cel_list {
    size_t n;
    struct cel_value items[];
};
struct cel_map {
    size_t n;
    const struct cel_lazy *lazy; /* members are worked out when they are asked for; or NULL */
    struct cel_entry {
        struct cel_value key, value;
    } entries[];
};
struct cel_lazy {
    struct cel_value (*get)(void *arg, const char *name, size_t len);
    void *arg;
};

/* What is asked of the authorizer, as far as the expression has got. */
struct cel_access {
    const char *path; /* or: */
    const char *group, *resource, *subresource, *ns, *name;
    const char *verb;
    const char *user_ns, *user; /* a service account instead of who makes the request; or NULL */
    const char *reason;         /* decisions */
    bool allowed;
};

struct cel_value cel_null(void);
struct cel_value cel_bool(bool b);
struct cel_value cel_int(int64_t i);
struct cel_value cel_uint(uint64_t u);
struct cel_value cel_double(double d);
struct cel_value cel_text(enum cel_kind kind, const char *s, size_t len); /* borrowed */
struct cel_value cel_string(const char *s);                               /* borrowed */
struct cel_value cel_error(const char *message);                          /* borrowed */
struct cel_value cel_errorf(struct cel_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* type NULL: dynamic. A document that does not exist (NULL) is null. */
struct cel_value cel_from_json(const json_t *j, const struct cel_type *type, struct cel_arena *a);

static inline bool cel_is_true(struct cel_value v)
{
    return v.kind == CEL_BOOL && v.boolean;
}
bool cel_text_is(struct cel_value v, const char *s);

/* Containers. */
struct cel_list *cel_list_new(struct cel_arena *a, size_t max);
struct cel_map *cel_map_new(struct cel_arena *a, size_t max);
struct cel_value cel_list(const struct cel_list *own);
struct cel_value cel_map(const struct cel_map *own);
size_t cel_length(struct cel_value v); /* items of a list or a map */
struct cel_value cel_item(struct cel_value list, size_t i, struct cel_arena *a);
/* False: there is none. */
bool cel_find(struct cel_value map, struct cel_value key, struct cel_value *ret, struct cel_arena *a);
/* Cursors over the keys of a map: starts as {0}. */
struct cel_cursor {
    void *at;
    size_t n;
};
bool cel_next(struct cel_value map, struct cel_cursor *c, struct cel_value *ret_key, struct cel_value *ret_value,
              struct cel_arena *a);

/* *work is what the comparison may go through: it is counted down, and stops below 0. */
bool cel_equal(struct cel_value a, struct cel_value b, struct cel_arena *arena, int64_t *work);
#define CEL_UNORDERED 2
int cel_compare(struct cel_value a, struct cel_value b); /* -1, 0, 1; CEL_UNORDERED: NaN, or they do not compare */
