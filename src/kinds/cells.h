/* Cells of `kubectl get` that several kinds show, and what others are made of. The words for nothing (<none>, <unset>,
 * <unknown>) differ by column as they do upstream. */
#pragma once
#include "base/buf.h"
#include "kinds/kind.h"

typedef json_t *cell_fn(const json_t *obj, int64_t now_usec);
cell_fn cell_name, cell_age;
cell_fn cell_template_containers, cell_template_images; /* of spec.template */
cell_fn cell_spec_selector;                             /* spec.selector, a label selector */

/* The columns of -o wide that show what a template's pods run. */
#define COLUMNS_OF_TEMPLATE                                                                                            \
    {"Containers", "string", "", 1, cell_template_containers},                                                         \
    {                                                                                                                  \
        "Images", "string", "", 1, cell_template_images                                                                \
    }

/* Selectors as text; "<none>" when they are empty. */
json_t *cell_label_selector(const json_t *selector);
json_t *cell_map_selector(const json_t *selector);

/* The string at the path, or `otherwise` when it is missing or empty. */
json_t *cell_text(const json_t *obj, const char *path, const char *otherwise);
json_t *cell_int(const json_t *obj, const char *path); /* 0 when missing */
/* Define a column whose cell is just that. */
#define CELL_TEXT(fn, path, otherwise)                                                                                 \
    static json_t *fn(const json_t *obj, int64_t now_usec)                                                             \
    {                                                                                                                  \
        (void)now_usec;                                                                                                \
        return cell_text(obj, path, otherwise);                                                                        \
    }                                                                                                                  \
    static cell_fn fn
#define CELL_INT(fn, path)                                                                                             \
    static json_t *fn(const json_t *obj, int64_t now_usec)                                                             \
    {                                                                                                                  \
        (void)now_usec;                                                                                                \
        return cell_int(obj, path);                                                                                    \
    }                                                                                                                  \
    static cell_fn fn
/* How long ago the time at the path was; "<unknown>" when it is missing. */
json_t *cell_since(const json_t *obj, const char *path, int64_t now_usec);
/* The members `key` of an array of objects, joined by commas. */
json_t *cell_joined(const json_t *array, const char *key);

/* "a,b,c + 2 more...": the first three of many. */
struct shortlist {
    struct buf text;
    size_t count;
};
#define SHORTLIST_SHOWN 3
#define SHORTLIST_INIT                                                                                                 \
    {                                                                                                                  \
        .text = BUF_INIT(0)                                                                                            \
    }
void shortlist_add(struct shortlist *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
json_t *shortlist_cell(struct shortlist *l, const char *if_empty); /* and frees */
