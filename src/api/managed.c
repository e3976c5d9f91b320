/* See managed.h. */
#include "api/managed.h"

#include <stdlib.h>
#include <string.h>

#include "api/fieldwalk.h"
#include "api/managed_conflict.h"
#include "api/schema.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"

/* As upstream: more entries of ordinary writers than these make every object larger; the oldest become one. */
#define UPDATERS_MAX 10
#define ANCIENT "ancient-changes"
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

static bool is(const json_t *entry, const char *member, const char *value)
{
    return streq(jstr_or(entry, member, ""), value);
}

/* --- the list, each entry a copy that may be changed, with its set in canonical form --- */

/* NULL: an entry is none. Sets that are `trusted` are ours and canonical already. */
static json_t *read_entries(const json_t *list, bool trusted)
{
    size_t i;
    json_t *entry, *entries = json_array();
    json_array_foreach((json_t *)list, i, entry) {
        const json_t *fields = json_object_get(entry, "fieldsV1");
        json_t *set = trusted ? json_incref((json_t *)fields) : fieldset_parse(fields);
        if (!set || !(is(entry, "operation", "Apply") || is(entry, "operation", "Update"))) {
            json_decref(set);
            json_decref(entries);
            return NULL;
        }
        json_t *copy = json_copy(entry);
        json_object_set_new(copy, "fieldsV1", set);
        json_array_append_new(entries, copy);
    }
    return entries;
}

/* Of an object that is stored. */
static json_t *stored_entries(const json_t *doc)
{
    json_t *entries = read_entries(jget(doc, "metadata.managedFields"), true);
    return entries ? entries : json_array();
}

static json_t *set_of(const json_t *entry)
{
    return json_object_get(entry, "fieldsV1");
}

static void replace_set(json_t *entry, json_t *set_new)
{
    json_object_set_new(entry, "fieldsV1", set_new);
}

static void stamp(json_t *entry, int64_t now_usec)
{
    char now[TIME_TEXT_SIZE];
    jset_str(entry, "time", time_format(now_usec, now));
}

/* Appliers are known by name, ordinary writers by name and version. */
static json_t *find(const json_t *entries, const struct writer *w, const char *operation, const char *api_version)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)entries, i, entry)
        if (is(entry, "manager", w->manager) && is(entry, "operation", operation) &&
            is(entry, "subresource", w->subresource) &&
            (streq(operation, "Apply") || is(entry, "apiVersion", api_version)))
            return entry;
    return NULL;
}

/* Appended; borrowed. */
static json_t *add(json_t *entries, const struct writer *w, const char *operation, const char *api_version)
{
    json_t *entry = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{}}", "manager", w->manager, "operation", operation,
                              "apiVersion", api_version, "time", "", "fieldsType", "FieldsV1", "fieldsV1");
    if (*w->subresource)
        jset_str(entry, "subresource", w->subresource);
    json_array_append_new(entries, entry);
    return entry;
}

static void drop_empty(json_t *entries)
{
    for (size_t i = json_array_size(entries); i-- > 0;)
        if (fieldset_is_empty(set_of(json_array_get(entries, i))))
            json_array_remove(entries, i);
}

static int by_age(const void *a, const void *b)
{
    static const char *const order[] = {"operation", "time", "manager", "apiVersion", "subresource"};
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(order) && !r; i++)
        r = strcmp(jstr_or(x, order[i], ""), jstr_or(y, order[i], ""));
    return r;
}

/* In upstream's order: appliers, then ordinary writers, the older first. */
static json_t *sorted(const json_t *entries)
{
    size_t n = json_array_size(entries);
    json_t **items = xcalloc(n + 1, sizeof(json_t *)), *list = json_array();
    for (size_t i = 0; i < n; i++)
        items[i] = json_array_get(entries, i);
    qsort(items, n, sizeof(json_t *), by_age);
    for (size_t i = 0; i < n; i++)
        json_array_append(list, items[i]);
    free(items);
    return list;
}

/* Makes one entry of the two oldest of ordinary writers. */
static void merge_oldest(json_t *entries, size_t oldest)
{
    json_t *first = json_array_get(entries, oldest), *second = json_array_get(entries, oldest + 1);
    jset_str(second, "manager", ANCIENT);
    jset(second, "subresource", NULL);
    replace_set(second, fieldset_union(set_of(first), set_of(second)));
    json_array_remove(entries, oldest);
}

/* As it is stored; NULL for none. */
static json_t *write_entries(json_t *entries)
{
    size_t appliers = 0, n;
    drop_empty(entries);
    json_t *list = sorted(entries);
    n = json_array_size(list);
    while (appliers < n && is(json_array_get(list, appliers), "operation", "Apply"))
        appliers++;
    for (; n - appliers > UPDATERS_MAX; n--)
        merge_oldest(list, appliers);
    if (!n)
        json_decref(TAKE(list));
    return list;
}

/* --- ordinary writes --- */

/* Everybody but self loses what has changed and what is gone, self what is gone. */
static void lose(json_t *entries, const json_t *self, const struct field_changes *c)
{
    size_t i;
    json_t *entry;
    json_array_foreach(entries, i, entry) {
        json_t *left = fieldset_minus(set_of(entry), c->removed);
        if (entry != self) {
            json_t *rest = fieldset_minus(left, c->set);
            json_decref(left);
            left = rest;
        }
        replace_set(entry, left);
    }
}

static bool is_reset(const json_t *list)
{
    return json_array_size(list) == 1 && !json_object_size(json_array_get(list, 0));
}

/* Whose fields they were, by the client's list if it has one that makes sense, else by the stored one. */
static json_t *entries_before(const json_t *old, const json_t *doc, const struct writer *w)
{
    const json_t *stored = jget(old, "metadata.managedFields"), *sent = jget(doc, "metadata.managedFields");
    bool own_list = json_array_size(sent) && !*w->subresource && !(stored && json_equal(stored, sent));
    if (own_list && is_reset(sent))
        return json_array();
    json_t *entries = own_list ? read_entries(sent, false) : NULL;
    return entries ? entries : stored_entries(old);
}

json_t *managed_update(const struct kind *k, const json_t *old, const json_t *doc, const struct writer *w)
{
    char version[API_VERSION_SIZE];
    _cleanup_json_ json_t *entries = entries_before(old, doc, w);
    if (old && !json_array_size(entries))
        return NULL;
    struct field_changes c = fields_compare(k, old, doc);
    json_t *self = find(entries, w, "Update", kind_api_version(k, version));
    if (!self)
        self = add(entries, w, "Update", version);
    lose(entries, self, &c);
    if (!fieldset_is_empty(c.set)) {
        replace_set(self, fieldset_union(set_of(self), c.set));
        stamp(self, w->now_usec);
    }
    field_changes_done(&c);
    return write_entries(entries);
}

/* --- times --- */

static bool is_in(const json_t *list, const json_t *entry)
{
    size_t i;
    json_t *other;
    json_array_foreach((json_t *)list, i, other) {
        _cleanup_json_ json_t *same = json_copy(other);
        json_object_del(same, "time");
        if (json_equal(same, entry))
            return true;
    }
    return false;
}

void managed_keep_times(json_t *doc, const json_t *old)
{
    json_t *list = jget(doc, "metadata.managedFields"), *before = jget(old, "metadata.managedFields"), *entry;
    size_t i;
    if (!list || json_array_size(list) != json_array_size(before))
        return;
    json_array_foreach(list, i, entry) {
        _cleanup_json_ json_t *timeless = json_copy(entry);
        json_object_del(timeless, "time");
        if (!is_in(before, timeless))
            return;
    }
    _cleanup_json_ json_t *kept = json_incref(list);
    jset(doc, "metadata.managedFields", json_incref(before));
    if (!json_equal(doc, old))
        jset(doc, "metadata.managedFields", json_incref(kept));
}

/* --- apply --- */

struct apply {
    const struct kind *kind;
    const struct writer *writer;
    const json_t *live, *config; /* live: an empty object when there is none */
    json_t *entries;
    json_t *self;
    json_t *before, *applied; /* what self had applied, what it applies now */
};

static void start(struct apply *a)
{
    char version[API_VERSION_SIZE];
    kind_api_version(a->kind, version);
    a->entries = stored_entries(a->live);
    if (!json_array_size(a->entries) && json_object_size(a->live)) {
        const struct writer first = {"before-first-apply", "", a->writer->now_usec};
        json_t *entry = add(a->entries, &first, "Update", version);
        struct field_changes all = fields_compare(a->kind, NULL, a->live);
        replace_set(entry, TAKE(all.set));
        stamp(entry, first.now_usec);
        field_changes_done(&all);
    }
    a->self = find(a->entries, a->writer, "Apply", version);
    if (!a->self)
        a->self = add(a->entries, a->writer, "Apply", version);
    a->before = json_incref(set_of(a->self));
    a->applied = fields_of(a->kind, a->config);
    jset_str(a->self, "apiVersion", version);
    replace_set(a->self, json_incref(a->applied));
}

/* What self had applied and nobody owns any more, self's new set included. */
static json_t *abandoned(const struct apply *a)
{
    size_t i;
    json_t *entry, *owned = json_object();
    json_array_foreach(a->entries, i, entry) {
        json_t *more = fieldset_union(owned, set_of(entry));
        json_decref(owned);
        owned = more;
    }
    _cleanup_json_ json_t *before = fields_with_parents(a->kind, a->before);
    _cleanup_json_ json_t *kept = fields_with_parents(a->kind, owned);
    json_decref(owned);
    return fieldset_minus(before, kept);
}

/* The document as it is going to be; NULL and a Status. */
static json_t *merged(const struct apply *a, json_t **ret_status)
{
    _cleanup_json_ json_t *shared = fields_merge(a->kind, a->live, a->config), *gone = abandoned(a);
    json_t *doc = jcopy(shared), *warnings = NULL;
    jset(doc, "metadata.managedFields", NULL);
    fields_remove(a->kind, doc, gone);
    *ret_status = schema_decode(a->kind, doc, VALIDATION_IGNORE, &warnings);
    json_decref(warnings);
    if (*ret_status)
        json_decref(TAKE(doc));
    return doc;
}

/* Fields that live still has as a client-side apply has left them: kubectl may take them over. */
static json_t *client_side_applied(const struct apply *a)
{
    struct err err;
    const char *text = json_string_value(json_object_get(jget(a->live, "metadata.annotations"), LAST_APPLIED));
    if (!text || !streq(a->writer->manager, "kubectl"))
        return NULL;
    _cleanup_json_ json_t *doc = jparse(text, strlen(text), &err), *warnings = NULL, *status = NULL;
    if (!json_is_object(doc) || (status = schema_decode(a->kind, doc, VALIDATION_IGNORE, &warnings)))
        return NULL;
    json_t *set = fields_of(a->kind, doc);
    struct field_changes c = fields_compare(a->kind, doc, a->live);
    _cleanup_json_ json_t *same = fieldset_minus(set, c.set);
    json_decref(set);
    set = fieldset_minus(same, c.removed);
    field_changes_done(&c);
    return set;
}

/* {entry, fields} of everybody else who owns something that changes. */
static json_t *find_conflicts(const struct apply *a, const json_t *changed)
{
    size_t i;
    json_t *entry, *conflicts = json_array();
    _cleanup_json_ json_t *allowed = client_side_applied(a);
    json_array_foreach(a->entries, i, entry) {
        _cleanup_json_ json_t *both = fieldset_common(set_of(entry), changed), *left = fieldset_minus(both, allowed);
        if (entry != a->self && !fieldset_is_empty(left))
            json_array_append_new(conflicts, json_pack("{s:O, s:O}", "entry", entry, "fields", left));
    }
    return conflicts;
}

/* kubectl keeps the annotation of client-side apply in step, so that one can go back to that. */
static void update_last_applied(const struct apply *a, json_t *doc)
{
    json_t *annotations = jget(doc, "metadata.annotations");
    if (!streq(a->writer->manager, "kubectl") || *a->writer->subresource || !json_object_get(annotations, LAST_APPLIED))
        return;
    _cleanup_free_ char *text = jprint_sorted(a->config);
    _cleanup_free_ char *line = xasprintf("%s\n", text);
    json_object_set_new(annotations, LAST_APPLIED, json_string(line));
}

/* Sets doc's list, and the time of self if anything has changed. */
static void finish(struct apply *a, json_t *doc, const struct field_changes *c)
{
    bool same = fieldset_is_empty(c->set) && fieldset_is_empty(c->removed) && json_equal(a->before, a->applied);
    lose(a->entries, a->self, c);
    replace_set(a->self, json_incref(a->applied));
    update_last_applied(a, doc);
    if (!same)
        stamp(a->self, a->writer->now_usec);
    jset(doc, "metadata.managedFields", write_entries(a->entries));
}

json_t *managed_apply(const struct kind *k, const json_t *live, const json_t *config, const struct writer *w,
                      bool force, json_t **ret_status)
{
    _cleanup_json_ json_t *nothing = json_object();
    struct apply a = {.kind = k, .writer = w, .live = live ? live : nothing, .config = config};
    struct field_changes c = {0};
    start(&a);
    json_t *doc = merged(&a, ret_status);
    if (doc) {
        c = fields_compare(k, a.live, doc);
        _cleanup_json_ json_t *conflicts = force ? NULL : find_conflicts(&a, c.set);
        if (json_array_size(conflicts)) {
            *ret_status = conflict_of_managers(conflicts);
            json_decref(TAKE(doc));
        }
    }
    if (doc)
        finish(&a, doc, &c);
    field_changes_done(&c);
    json_decref(a.entries);
    json_decref(a.before);
    json_decref(a.applied);
    return doc;
}
