/* See managed_conflict.h. */
#include "api/managed_conflict.h"

#include <stdlib.h>
#include <string.h>

#include "api/fieldset.h"
#include "api/status.h"
#include "base/str.h"
#include "json/json.h"

/* "NAME" with subresource "SUB" using VERSION; appliers without the version. The caller frees. */
static char *manager_text(const json_t *entry)
{
    struct buf out = BUF_INIT(0);
    const char *sub = jstr_or(entry, "subresource", "");
    buf_addf(&out, "\"%s\"", jstr_or(entry, "manager", ""));
    if (*sub)
        buf_addf(&out, " with subresource \"%s\"", sub);
    if (streq(jstr_or(entry, "operation", ""), "Update"))
        buf_addf(&out, " using %s", jstr_or(entry, "apiVersion", ""));
    return buf_take(&out);
}

struct owner {
    char *text;
    const json_t *fields;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct owner *)a)->text, ((const struct owner *)b)->text);
}

struct report {
    const struct owner *owner;
    json_t *causes;
    struct buf lines;
};

static void add_path(void *arg, const char *path)
{
    struct report *r = arg;
    _cleanup_free_ char *message = xasprintf("conflict with %s", r->owner->text);
    json_array_append_new(
        r->causes, json_pack("{s:s, s:s, s:s}", "reason", "FieldManagerConflict", "message", message, "field", path));
    buf_addf(&r->lines, "\n- %s", path);
}

static json_t *status_of(const struct report *r)
{
    size_t n = json_array_size(r->causes);
    const json_t *first = json_array_get(r->causes, 0);
    json_t *status = n == 1 ? status_new(STATUS_CONFLICT, "Apply failed with 1 conflict: %s: %s",
                                         jstr(first, "message"), jstr(first, "field"))
                            : status_new(STATUS_CONFLICT, "Apply failed with %zu conflicts: %s", n, buf_str(&r->lines));
    jset(status, "details.causes", json_incref(r->causes));
    return status;
}

json_t *conflict_of_managers(const json_t *conflicts)
{
    size_t n = json_array_size(conflicts), i;
    struct owner *owners = xcalloc(n + 1, sizeof(*owners));
    const json_t *conflict;
    json_array_foreach((json_t *)conflicts, i, conflict)
        owners[i] =
            (struct owner){manager_text(json_object_get(conflict, "entry")), json_object_get(conflict, "fields")};
    qsort(owners, n, sizeof(*owners), by_text);
    struct report r = {.causes = json_array(), .lines = BUF_INIT(0)};
    for (r.owner = owners; r.owner < owners + n; r.owner++) {
        buf_addf(&r.lines, "%sconflicts with %s:", r.owner == owners ? "" : "\n", r.owner->text);
        fieldset_each(r.owner->fields, add_path, &r);
        free(r.owner->text);
    }
    json_t *status = status_of(&r);
    json_decref(r.causes);
    buf_done(&r.lines);
    free(owners);
    return status;
}
