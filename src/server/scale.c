/* See scale.h. */
#include "server/scale.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "kinds/cells.h"
#include "server/write.h"

/* --- a LabelSelector as text, as apimachinery's labels.Selector prints it: requirements sorted by key --- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(json_t *values)
{
    size_t n = json_array_size(values);
    const char **sorted = xcalloc(n + 1, sizeof(*sorted));
    struct buf out = BUF_INIT(0);
    for (size_t i = 0; i < n; i++)
        sorted[i] = str_or(json_string_value(json_array_get(values, i)), "");
    qsort(sorted, n, sizeof(*sorted), compare_texts);
    for (size_t i = 0; i < n; i++)
        buf_addf(&out, "%s%s", i ? "," : "", sorted[i]);
    free(sorted);
    return n ? buf_take(&out) : xstrdup("");
}

static char *requirement_text(const json_t *e)
{
    const char *key = jstr_or(e, "key", ""), *op = jstr_or(e, "operator", "");
    _cleanup_free_ char *values = join(jget(e, "values"));
    if (streq(op, "In"))
        return xasprintf("%s in (%s)", key, values);
    if (streq(op, "NotIn"))
        return xasprintf("%s notin (%s)", key, values);
    return xasprintf("%s%s", streq(op, "DoesNotExist") ? "!" : "", key);
}

static char *selector_text(const json_t *labels, const json_t *expressions)
{
    size_t n = 0;
    char **parts = xcalloc(json_object_size(labels) + json_array_size(expressions) + 1, sizeof(*parts));
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach((json_t *)labels, key, value)
        parts[n++] = xasprintf("%s=%s", key, str_or(json_string_value(value), ""));
    json_array_foreach(expressions, i, value)
        parts[n++] = requirement_text(value);
    qsort(parts, n, sizeof(*parts), compare_texts);
    struct buf out = BUF_INIT(0);
    for (i = 0; i < n; i++) {
        buf_addf(&out, "%s%s", i ? "," : "", parts[i]);
        free(parts[i]);
    }
    free(parts);
    return n ? buf_take(&out) : xstrdup("");
}

static char *scale_selector(const struct kind_scale *s, const json_t *doc)
{
    const json_t *selector = s->selector_path ? jget(doc, s->selector_path) : NULL;
    if (s->selector_is_text)
        return xstrdup(str_or(json_string_value(selector), ""));
    return s->selector_is_map ? selector_text(selector, NULL)
                              : selector_text(jget(selector, "matchLabels"), jget(selector, "matchExpressions"));
}

/* --- the window --- */

static json_t *cell_desired(const json_t *scale, int64_t now_usec)
{
    (void)now_usec;
    return json_integer(jint(scale, "spec.replicas", 0));
}

static json_t *cell_available(const json_t *scale, int64_t now_usec)
{
    (void)now_usec;
    return json_integer(jint(scale, "status.replicas", 0));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Desired", "integer", "", 0, cell_desired},
    {"Available", "integer", "", 0, cell_available},
    {"Age", "string", "", 0, cell_age},
    {0},
};

/* What a Scale looks like as a Table; it is no resource of its own. */
static const struct kind kind_scale = {.group = "autoscaling", .version = "v1", .kind = "Scale", .columns = columns};

const struct webhook_type scale_type = {"autoscaling", "v1", "Scale"};

json_t *scale_of(const struct kind *k, const json_t *doc)
{
    static const char *const shown[] = {"metadata.name", "metadata.namespace", "metadata.uid",
                                        "metadata.resourceVersion", "metadata.creationTimestamp"};
    _cleanup_free_ char *selector = scale_selector(k->scale, doc);
    json_t *scale = json_pack("{s:s, s:s}", "kind", "Scale", "apiVersion", "autoscaling/v1");
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        jset(scale, shown[i], json_incref(jget(doc, shown[i])));
    jset_int(scale, "spec.replicas", jint(doc, k->scale->replicas_path, 0));
    jset_int(scale, "status.replicas", jint(doc, k->scale->status_replicas_path, 0));
    jset_str(scale, "status.selector", selector);
    return scale;
}

static void reply_scale(struct request *r, struct object *obj)
{
    _cleanup_json_ json_t *doc = object_json(obj), *scale = scale_of(r->kind, doc);
    _cleanup_object_ struct object *shown = object_new(&kind_scale, scale);
    request_reply_object(r, 200, shown);
}

void handle_get_scale(struct request *r)
{
    struct object *obj = store_get(r->server->store, r->kind, r->what.ns, r->what.name);
    if (obj)
        reply_scale(r, obj);
    else
        request_reply_status(r, not_found_status(r->kind, r->what.name));
}

static json_t *check_scale(const json_t *scale, const char *name)
{
    struct status_causes causes = {0};
    const json_t *replicas = jget(scale, "spec.replicas");
    if (!json_is_object(scale) || !streq(jstr_or(scale, "kind", "Scale"), "Scale"))
        return status_new(STATUS_BAD_REQUEST, "the object provided is unrecognized (must be of type Scale)");
    if (replicas && !json_is_integer(replicas))
        return status_new(STATUS_BAD_REQUEST,
                          "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal "
                          "into Go struct field ScaleSpec.spec.replicas of type int32");
    int64_t n = jint(scale, "spec.replicas", 0);
    if (n < 0)
        causes_add(&causes, CAUSE_INVALID, "spec.replicas", replicas, "must be greater than or equal to 0");
    else if (n > INT32_MAX)
        causes_add(&causes, CAUSE_INVALID, "spec.replicas", replicas, "must be a 32-bit integer");
    json_t *status = causes_any(&causes) ? status_invalid("autoscaling", "Scale", name, &causes) : NULL;
    causes_done(&causes);
    return status;
}

json_t *scale_put(const struct kind *k, json_t *doc, const json_t *scale)
{
    json_t *status = check_scale(scale, jstr_or(doc, "metadata.name", ""));
    if (!status)
        jset_int(doc, k->scale->replicas_path, jint(scale, "spec.replicas", 0));
    return status;
}

/* Writes the number through the window; scale's revision and uid count as preconditions of the object itself. */
static void put_scale(struct request *r, struct object *old, json_t *old_doc, const json_t *scale)
{
    json_t *doc = json_deep_copy(old_doc);
    json_t *status = scale_put(r->kind, doc, scale);
    if (status) {
        json_decref(doc);
        request_reply_status(r, status);
        return;
    }
    jset(doc, "metadata.resourceVersion", json_incref(jget(scale, "metadata.resourceVersion")));
    if (*jstr_or(scale, "metadata.uid", ""))
        jset_str(doc, "metadata.uid", jstr(scale, "metadata.uid"));
    r->reply = reply_scale;
    request_update(r, old, doc, UPDATE_MAIN);
}

void handle_update_scale(struct request *r)
{
    struct object *old = request_latest(r);
    if (!old)
        return;
    _cleanup_json_ json_t *doc = object_json(old);
    put_scale(r, old, doc, r->body);
}

/* What a Scale that is applied says of the object itself: its owner is whoever applies the Scale. */
static void apply_scale(struct request *r, struct object *old)
{
    char version[API_VERSION_SIZE];
    json_t *status = check_scale(r->body, r->what.name);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    _cleanup_json_ json_t *config = json_pack("{s:s, s:s, s:O?}", "apiVersion", kind_api_version(r->version, version),
                                              "kind", r->version->kind, "metadata", jget(r->body, "metadata"));
    jset(config, r->kind->scale->replicas_path, json_incref(jget(r->body, "spec.replicas")));
    r->reply = reply_scale;
    request_apply(r, old, config, UPDATE_MAIN);
}

void handle_patch_scale(struct request *r)
{
    struct object *old = request_latest(r);
    if (!old)
        return;
    if (r->body_type == BODY_APPLY_PATCH) {
        apply_scale(r, old);
        return;
    }
    json_t *status = NULL;
    _cleanup_json_ json_t *doc = object_json(old);
    _cleanup_json_ json_t *scale = scale_of(r->kind, doc);
    _cleanup_json_ json_t *changed = patched(r, NULL, scale, &status);
    if (status)
        request_reply_status(r, status);
    else
        put_scale(r, old, doc, changed);
}
