/* See conversion.h. A ConversionReview has as many objects as fit into one; the next is sent when the one before is
 * answered. */
#include "server/conversion.h"

#include <string.h>

#include "base/rand.h"
#include "base/str.h"
#include "server/conversion_review.h"
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

/* In the place of what they were made of. */
static void put_back(struct conversion *c, json_t *converted)
{
    for (size_t n = 0; c->at < c->end; c->at++)
        if (is_due(c, json_array_get(c->docs, c->at)))
            json_array_set(c->docs, c->at, json_array_get(converted, n++));
}

static void on_answer(void *arg, const char *body, size_t len, const struct err *err)
{
    struct conversion *c = arg;
    struct err wrong;
    c->call = NULL;
    _cleanup_json_ json_t *converted = err ? NULL : conversion_answer(c->question, body, len, &wrong);
    if (!converted) {
        fail(c, err ? err->msg : wrong.msg);
    } else {
        put_back(c, converted);
        ask(c);
    }
}

/* --- the question --- */

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
    json_t *objects = gather(c);
    json_decref(c->question);
    rand_uuid(uid);
    c->question = conversion_question(c->how, c->to, objects, uid);
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
