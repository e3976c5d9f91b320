/* See remains.h. Upstream: pkg/controller/namespace/deletion/status_condition_utils.go. */
#include "control/remains.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"

#define TEXT_MAX 8192 /* bytes of one message */

void remains_done(struct remains *r)
{
    json_decref(r->kinds);
    json_decref(r->finalizers);
    *r = (struct remains){0};
}

static void count(json_t **map, const char *name)
{
    if (!*map)
        *map = json_object();
    json_object_set_new(*map, name, json_integer(json_integer_value(json_object_get(*map, name)) + 1));
}

void remains_add(struct remains *r, const struct kind *k, const json_t *doc)
{
    _cleanup_free_ char *resource = xasprintf("%s.%s", k->plural, k->group);
    size_t i;
    json_t *name;
    count(&r->kinds, resource);
    json_array_foreach(jget(doc, "metadata.finalizers"), i, name)
        count(&r->finalizers, str_or(json_string_value(name), ""));
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "INTRODUCTION: pods. has 2 resource instances, …", by name. NULL for nothing; the caller frees. */
static char *tell(const char *introduction, json_t *counts, const char *verb)
{
    size_t n = 0;
    const char **names = xcalloc(json_object_size(counts) + 1, sizeof(*names)), *name;
    json_t *number;
    struct buf text = BUF_INIT(TEXT_MAX);
    json_object_foreach(counts, name, number)
        names[n++] = name;
    qsort(names, n, sizeof(*names), compare);
    for (size_t i = 0; i < n; i++)
        buf_addf(&text, "%s%s %s %lld resource instances", i ? ", " : introduction, names[i], verb,
                 (long long)json_integer_value(json_object_get(counts, names[i])));
    free(names);
    char *told = n ? xstrdup(buf_str(&text)) : NULL;
    buf_done(&text);
    return told;
}

static const struct row {
    const char *type, *bad_reason, *good_reason, *good_message;
} rows[] = {
    {"NamespaceDeletionDiscoveryFailure", "DiscoveryFailed", "ResourcesDiscovered",
     "All resources successfully discovered"},
    {"NamespaceDeletionGroupVersionParsingFailure", "GroupVersionParsingFailed", "ParsedGroupVersions",
     "All legacy kube types successfully parsed"},
    {"NamespaceDeletionContentFailure", "ContentDeletionFailed", "ContentDeleted",
     "All content successfully deleted, may be waiting on finalization"},
    {"NamespaceContentRemaining", "SomeResourcesRemain", "ContentRemoved", "All content successfully removed"},
    {"NamespaceFinalizersRemaining", "SomeFinalizersRemain", "ContentHasNoFinalizers",
     "All content-preserving finalizers finished"},
};

/* what: the trouble, or NULL. Times change with the status only. */
static json_t *condition(const struct row *row, const char *what, const json_t *before, int64_t now_usec)
{
    char now[TIME_TEXT_SIZE];
    const char *status = what ? "True" : "False";
    const char *since = streq(jstr_or(before, "status", ""), status) ? jstr(before, "lastTransitionTime") : NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", row->type, "status", status, "lastTransitionTime",
                     since ? since : time_format(now_usec, now), "reason", what ? row->bad_reason : row->good_reason,
                     "message", what ? what : row->good_message);
}

json_t *remains_status(const struct remains *r, const json_t *ns, const char *failure, int64_t now_usec)
{
    _cleanup_free_ char *kinds = tell("Some resources are remaining: ", r->kinds, "has");
    _cleanup_free_ char *finalizers =
        tell("Some content in the namespace has finalizers remaining: ", r->finalizers, "in");
    const char *const troubles[ARRAY_LEN(rows)] = {NULL, NULL, failure, kinds, finalizers};
    json_t *conditions = json_array();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        json_array_append_new(
            conditions,
            condition(&rows[i], troubles[i], jfind(jget(ns, "status.conditions"), "type", rows[i].type), now_usec));
    json_t *status = json_deep_copy(jget(ns, "status"));
    jset(status, "conditions", conditions);
    return status;
}
