/* Objects, lists and watch events as the bytes a client asked for. Pure. All results are the caller's to free. */
#pragma once
#include "api/table.h"
#include "base/buf.h"
#include "server/pipeline.h"

/* ?includeObject= of tables. */
enum include_object include_of(const char *query);

char *represent_object(const struct negotiated *form, enum include_object include, struct object *obj, size_t *ret_len);
char *represent_page(const struct negotiated *form, enum include_object include, const struct kind *k,
                     const struct page *page, size_t *ret_len);
/* {"type":T,"object":…} and a line end, appended to out. with_columns: tables, in the first event only. */
void represent_event(const struct negotiated *form, enum include_object include, bool with_columns, const char *type,
                     struct object *obj, struct buf *out);
void represent_bookmark(const struct negotiated *form, const struct kind *k, uint64_t rv, bool initial_end,
                        struct buf *out);
void represent_error(const json_t *status, struct buf *out);
