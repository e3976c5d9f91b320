/* See conversion_review.h. Rules: apiextensions-apiserver pkg/apiserver/conversion/webhook_converter.go. */
#include "server/conversion_review.h"

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

/* --- the question --- */

/* The newest form that the webhook knows. */
static const char *review_version(const json_t *how)
{
    size_t i;
    const json_t *v;
    json_array_foreach(jget(how, "webhook.conversionReviewVersions"), i, v)
        if (streq(str_or(json_string_value(v), ""), "v1") || streq(str_or(json_string_value(v), ""), "v1beta1"))
            return json_string_value(v);
    return "v1";
}

json_t *conversion_question(const json_t *how, const char *to, json_t *objects_new, const char *uid)
{
    _cleanup_free_ char *api_version = xasprintf("apiextensions.k8s.io/%s", review_version(how));
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:o}}", "kind", "ConversionReview", "apiVersion", api_version, "request",
                     "uid", uid, "desiredAPIVersion", to, "objects", objects_new);
}

/* --- the answer --- */

/* Labels and annotations are the webhook's to change, all other metadata is not. */
static const char *const free_to_change[] = {"labels", "annotations"};

static int compare(const json_t *from, const json_t *to, const char *path, const char *what, struct err *err)
{
    const char *was = jstr_or(from, path, ""), *is = jstr_or(to, path, "");
    return streq(was, is) ? 0 : err_set(err, 0, "must have the same %s: %.200s != %.200s", what, was, is);
}

static bool is_map_of_texts(const json_t *map)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value)
        if (!json_is_string(value))
            return false;
    return !map || json_is_object(map);
}

static int check(const char *wanted, const json_t *from, const json_t *to, struct err *err)
{
    const char *version = jstr_or(to, "apiVersion", "");
    if (!streq(version, wanted))
        return err_set(err, 0, "invalid converted object: invalid groupVersion (expected %s, received %.200s)", wanted,
                       version);
    if (compare(from, to, "kind", "kind", err) < 0 || compare(from, to, "metadata.name", "name", err) < 0 ||
        compare(from, to, "metadata.namespace", "namespace", err) < 0 ||
        compare(from, to, "metadata.uid", "UID", err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(free_to_change); i++)
        if (!is_map_of_texts(jget(jget(to, "metadata"), free_to_change[i])))
            return err_set(err, 0, "invalid metadata.%s: not a map of strings", free_to_change[i]);
    return 0;
}

static json_t *restored(const json_t *from, const json_t *to)
{
    json_t *doc = jcopy(to), *metadata = jhas(from, "metadata") ? jcopy(jget(from, "metadata")) : json_object();
    for (size_t i = 0; i < ARRAY_LEN(free_to_change); i++) {
        json_t *theirs = jget(jget(to, "metadata"), free_to_change[i]);
        if (theirs)
            jset(metadata, free_to_change[i], jcopy(theirs));
        else
            json_object_del(metadata, free_to_change[i]);
    }
    json_object_set_new(doc, "metadata", metadata);
    return doc;
}

static json_t *read_objects(const json_t *request, const json_t *converted, struct err *err)
{
    const json_t *objects = jget(request, "objects");
    size_t i, wanted = json_array_size(objects);
    json_t *from;
    if (json_array_size(converted) != wanted)
        return err_set(err, 0, "expected %zu converted objects, got %zu", wanted, json_array_size(converted)), NULL;
    _cleanup_json_ json_t *list = json_array();
    json_array_foreach(objects, i, from) {
        const json_t *to = json_array_get(converted, i);
        if (check(jstr(request, "desiredAPIVersion"), from, to, err) < 0)
            return NULL;
        json_array_append_new(list, restored(from, to));
    }
    return TAKE(list);
}

json_t *conversion_answer(const json_t *question, const char *text, size_t len, struct err *err)
{
    _cleanup_json_ json_t *review = jparse(text, len, err);
    const json_t *response = jget(review, "response");
    const char *uid = jstr_or(response, "uid", ""), *asked = jstr(question, "request.uid");
    const char *status = jstr_or(response, "result.status", ""), *message = jstr_or(response, "result.message", "");
    if (!review)
        return NULL;
    if (!streq(jstr_or(review, "kind", ""), "ConversionReview"))
        err_set(err, 0, "invalid response kind: %.100s", jstr_or(review, "kind", ""));
    else if (!streq(uid, asked))
        err_set(err, 0, "expected response.uid=\"%s\", got \"%.100s\"", asked, uid);
    else if (!streq(status, "Success") && *message)
        err_set(err, 0, "%s", message);
    else if (!streq(status, "Success"))
        err_set(err, 0, "response.result.status was '%.100s', not 'Success'", status);
    else
        return read_objects(jget(question, "request"), jget(response, "convertedObjects"), err);
    return NULL;
}
