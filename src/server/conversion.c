/* See conversion.h. A ConversionReview has as many objects as fit into one; the next is sent when the one before is
 * answered. What the webhook may not touch of an object's metadata is put back, as upstream does it. */
#include "server/conversion.h"

#include <string.h>

#include "base/rand.h"
#include "base/str.h"
#include "server/webhook_call.h"

#define TIMEOUT_SECONDS 30         /* as upstream */
#define REVIEW_BYTES_MAX (1 << 20) /* of objects, but for a single one that is larger */

struct conversion {
    struct server *server;
    struct webhook_call *call;
    json_t *how; /* spec.conversion */
    char to[API_VERSION_SIZE];
    json_t *docs;
    size_t at, end; /* what is being asked about: those of docs[at … end) that are in another version */
    json_t *question;
    conversion_fn *done;
    void *arg;
};

static void ask(struct conversion *c);

static bool is_due(const struct conversion *c, const json_t *doc)
{
    return !streq(jstr_or(doc, "apiVersion", ""), c->to);
}

/* --- the end --- */

void conversion_cancel(struct conversion *c)
{
    if (!c)
        return;
    if (c->call)
        webhook_call_cancel(c->call);
    json_decref(c->how);
    json_decref(c->docs);
    json_decref(c->question);
    free(c);
}

static void end(struct conversion *c, json_t *status)
{
    conversion_fn *done = c->done;
    void *arg = c->arg;
    _cleanup_json_ json_t *docs = status ? NULL : json_incref(c->docs);
    conversion_cancel(c);
    done(arg, docs, status);
}

static void fail(struct conversion *c, const char *why)
{
    const json_t *first = json_array_get(jget(c->question, "request.objects"), 0);
    end(c, status_new(STATUS_INTERNAL, "conversion webhook for %s, Kind=%s failed: %s",
                      jstr_or(first, "apiVersion", ""), jstr_or(first, "kind", ""), why));
}

/* --- the answer --- */

static int compare(const json_t *from, const json_t *to, const char *path, const char *what, struct err *err)
{
    const char *was = jstr_or(from, path, ""), *is = jstr_or(to, path, "");
    return streq(was, is) ? 0 : err_set(err, 0, "must have the same %s: %.200s != %.200s", what, was, is);
}

static int check(const struct conversion *c, const json_t *from, const json_t *to, struct err *err)
{
    const char *version = jstr_or(to, "apiVersion", "");
    if (!streq(version, c->to))
        return err_set(err, 0, "invalid converted object: invalid groupVersion (expected %s, received %.200s)", c->to,
                       version);
    if (compare(from, to, "kind", "kind", err) < 0 || compare(from, to, "metadata.name", "name", err) < 0 ||
        compare(from, to, "metadata.namespace", "namespace", err) < 0 ||
        compare(from, to, "metadata.uid", "UID", err) < 0)
        return -1;
    return 0;
}

/* Labels and annotations are the webhook's to change, all other metadata is not. */
static json_t *restored(const json_t *from, const json_t *to)
{
    static const char *const free_to_change[] = {"labels", "annotations"};
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

static int take_objects(struct conversion *c, const json_t *converted, struct err *err)
{
    size_t n = 0, wanted = json_array_size(jget(c->question, "request.objects"));
    if (json_array_size(converted) != wanted)
        return err_set(err, 0, "expected %zu converted objects, got %zu", wanted, json_array_size(converted));
    for (; c->at < c->end; c->at++) {
        const json_t *from = json_array_get(c->docs, c->at), *to;
        if (!is_due(c, from))
            continue;
        to = json_array_get(converted, n++);
        if (check(c, from, to, err) < 0)
            return -1;
        json_array_set_new(c->docs, c->at, restored(from, to));
    }
    return 0;
}

static int take_answer(struct conversion *c, const json_t *review, struct err *err)
{
    const json_t *response = jget(review, "response");
    const char *uid = jstr_or(response, "uid", ""), *asked = jstr(c->question, "request.uid");
    const char *status = jstr_or(response, "result.status", ""), *message = jstr_or(response, "result.message", "");
    if (!streq(jstr_or(review, "kind", ""), "ConversionReview"))
        return err_set(err, 0, "invalid response kind: %.100s", jstr_or(review, "kind", ""));
    if (!streq(uid, asked))
        return err_set(err, 0, "expected response.uid=\"%s\", got \"%.100s\"", asked, uid);
    if (!streq(status, "Success") && *message)
        return err_set(err, 0, "%s", message);
    if (!streq(status, "Success"))
        return err_set(err, 0, "response.result.status was '%.100s', not 'Success'", status);
    return take_objects(c, jget(response, "convertedObjects"), err);
}

static void on_answer(void *arg, const char *body, size_t len, const struct err *err)
{
    struct conversion *c = arg;
    struct err wrong;
    c->call = NULL;
    _cleanup_json_ json_t *review = err ? NULL : jparse(body, len, &wrong);
    if (err)
        fail(c, err->msg);
    else if (!review || take_answer(c, review, &wrong) < 0)
        fail(c, wrong.msg);
    else
        ask(c);
}

/* --- the question --- */

/* The newest form of the question that the webhook knows. */
static const char *review_version(const json_t *how)
{
    size_t i;
    const json_t *v;
    json_array_foreach(jget(how, "webhook.conversionReviewVersions"), i, v)
        if (streq(str_or(json_string_value(v), ""), "v1") || streq(str_or(json_string_value(v), ""), "v1beta1"))
            return json_string_value(v);
    return "v1";
}

static json_t *gather(struct conversion *c)
{
    json_t *objects = json_array();
    size_t bytes = 0;
    for (c->end = c->at; c->end < json_array_size(c->docs) && bytes < REVIEW_BYTES_MAX; c->end++) {
        json_t *doc = json_array_get(c->docs, c->end);
        if (!is_due(c, doc))
            continue;
        _cleanup_free_ char *text = jprint(doc);
        bytes += strlen(text);
        json_array_append(objects, doc);
    }
    return objects;
}

static void ask(struct conversion *c)
{
    char uid[37];
    _cleanup_free_ char *api_version = xasprintf("apiextensions.k8s.io/%s", review_version(c->how));
    json_t *objects = gather(c);
    json_decref(c->question);
    rand_uuid(uid);
    c->question = json_pack("{s:s, s:s, s:{s:s, s:s, s:o}}", "kind", "ConversionReview", "apiVersion", api_version,
                            "request", "uid", uid, "desiredAPIVersion", c->to, "objects", objects);
    if (!json_array_size(objects)) {
        end(c, NULL);
        return;
    }
    _cleanup_json_ json_t *webhook = json_pack("{s:O, s:i}", "clientConfig", jget(c->how, "webhook.clientConfig"),
                                               "timeoutSeconds", TIMEOUT_SECONDS);
    c->call = webhook_call_start(c->server, webhook, c->question, on_answer, c);
}

struct conversion *conversion_start(struct server *s, const struct kind *to, json_t *docs_new, conversion_fn *done,
                                    void *arg)
{
    struct conversion *c = NEW(struct conversion);
    *c = (struct conversion){.server = s, .docs = docs_new, .done = done, .arg = arg};
    c->how = json_incref((json_t *)to->conversion);
    kind_api_version(to, c->to);
    ask(c);
    return c;
}

bool conversion_needed(const struct object *o, const struct kind *version)
{
    return version->conversion && object_is_other_version(o, version);
}
