/* See events.h. What was sent is remembered for ten minutes so that repetitions count; an Event that is being written
 * waits for the answer before it is written again. */
#include "client/events.h"

#include <inttypes.h>
#include <stdarg.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

#define SAME_FOR_MS 600000
#define BURST 25
#define REFILL_MS 300000
#define REMEMBERED_MAX 4096 /* objects, and texts, as client-go's LRU caches: about 1 MB */

struct sent {
    struct events *owner; /* NULL: forgotten; freed when the answer comes */
    json_t *event;
    int64_t last_ms;
    bool writing, again, exists;
};

struct budget {
    double tokens;
    int64_t at_ms;
};

struct events {
    struct client *client;
    char *component, *host;
    struct map sent;    /* by everything that makes an event the same */
    struct map budgets; /* by object uid */
};

struct events *events_new(struct client *c, const char *component, const char *host)
{
    struct events *e = NEW(struct events);
    e->client = c;
    e->component = xstrdup(component);
    e->host = xstrdup_or_null(host);
    return e;
}

static void sent_free(struct sent *s)
{
    json_decref(s->event);
    free(s);
}

static void forget(void *p)
{
    struct sent *s = p;
    s->owner = NULL;
    if (!s->writing)
        sent_free(s);
}

void events_free(struct events *e)
{
    if (!e)
        return;
    map_done_with(&e->sent, forget);
    map_done_with(&e->budgets, free);
    free(e->component);
    free(e->host);
    free(e);
}

static bool within_budget(struct events *e, const char *uid, int64_t now_ms)
{
    struct budget *b = map_get(&e->budgets, uid);
    if (!b) {
        if (e->budgets.len >= REMEMBERED_MAX) {
            map_done_with(&e->budgets, free);
        }
        b = NEW(struct budget);
        *b = (struct budget){BURST, now_ms};
        map_put(&e->budgets, uid, b);
    }
    b->tokens += (double)(now_ms - b->at_ms) / REFILL_MS;
    if (b->tokens > BURST)
        b->tokens = BURST;
    b->at_ms = now_ms;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}

static void write_event(struct sent *s);

static void written(void *arg, int code, const json_t *body)
{
    struct sent *s = arg;
    (void)body;
    s->writing = false;
    if (!s->owner) {
        sent_free(s);
        return;
    }
    bool vanished = s->exists && code == 404;
    s->exists = code >= 200 && code < 300;
    if (s->again || vanished)
        write_event(s);
}

static void write_event(struct sent *s)
{
    struct client *c = s->owner->client;
    const char *ns = jstr(s->event, "metadata.namespace");
    s->writing = true;
    s->again = false;
    if (!s->exists) {
        client_create(c, &kind_event, ns, s->event, written, s);
        return;
    }
    _cleanup_json_ json_t *patch = json_pack("{s:O, s:O}", "count", json_object_get(s->event, "count"), "lastTimestamp",
                                             json_object_get(s->event, "lastTimestamp"));
    client_patch(c, &kind_event, ns, jstr(s->event, "metadata.name"), NULL, PATCH_MERGE, patch, written, s);
}

static json_t *reference(const json_t *obj, const char *field_path)
{
    json_t *ref = json_object();
    static const char *const fields[][2] = {
        {"kind", "kind"},        {"namespace", "metadata.namespace"}, {"name", "metadata.name"},
        {"uid", "metadata.uid"}, {"apiVersion", "apiVersion"},        {"resourceVersion", "metadata.resourceVersion"}};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        jset_str(ref, fields[i][0], jstr(obj, fields[i][1]));
    jset_str(ref, "fieldPath", field_path);
    return ref;
}

/* The end of a name; two events of one microsecond, or of a clock that was set back, would have the same. */
static uint64_t unique_number(int64_t now_usec)
{
    static int64_t last;
    last = now_usec > last ? now_usec : last + 1;
    return (uint64_t)last * 1000;
}

static json_t *event_new(const struct events *e, const json_t *obj, const char *field_path, const char *type,
                         const char *reason, const char *text)
{
    char stamp[TIME_TEXT_SIZE];
    int64_t now = clock_wall_usec();
    time_format(now, stamp);
    _cleanup_free_ char *name = xasprintf("%s.%" PRIx64, jstr_or(obj, "metadata.name", ""), unique_number(now));
    json_t *ev =
        json_pack("{s:s, s:s, s:{s:s, s:s}, s:o, s:s, s:s, s:{s:s}, s:s, s:s, s:i, s:s, s:s, s:s}", "apiVersion", "v1",
                  "kind", "Event", "metadata", "name", name, "namespace", jstr_or(obj, "metadata.namespace", "default"),
                  "involvedObject", reference(obj, field_path), "reason", reason, "message", text, "source",
                  "component", e->component, "firstTimestamp", stamp, "lastTimestamp", stamp, "count", 1, "type", type,
                  "reportingComponent", e->component, "reportingInstance", str_or(e->host, ""));
    if (e->host)
        jset_str(ev, "source.host", e->host);
    return ev;
}

static void repeat(struct sent *s, int64_t now_ms)
{
    char stamp[TIME_TEXT_SIZE];
    jset_int(s->event, "count", jint(s->event, "count", 1) + 1);
    jset_str(s->event, "lastTimestamp", time_format(clock_wall_usec(), stamp));
    s->last_ms = now_ms;
    if (s->writing)
        s->again = true;
    else
        write_event(s);
}

static void send_text(struct events *e, const json_t *obj, const char *field_path, const char *type, const char *reason,
                      const char *text)
{
    int64_t now_ms = clock_mono_ms();
    const char *uid = jstr_or(obj, "metadata.uid", jstr_or(obj, "metadata.name", ""));
    if (!within_budget(e, uid, now_ms))
        return;
    _cleanup_free_ char *key = xasprintf("%s\n%s\n%s\n%s\n%s", uid, str_or(field_path, ""), type, reason, text);
    struct sent *s = map_get(&e->sent, key);
    if (s && now_ms - s->last_ms < SAME_FOR_MS) {
        repeat(s, now_ms);
        return;
    }
    if (s)
        forget(map_del(&e->sent, key));
    if (e->sent.len >= REMEMBERED_MAX)
        map_done_with(&e->sent, forget);
    s = NEW(struct sent);
    s->owner = e;
    s->event = event_new(e, obj, field_path, type, reason, text);
    s->last_ms = now_ms;
    map_put(&e->sent, key, s);
    write_event(s);
}

void events_send(struct events *e, const json_t *obj, const char *field_path, const char *type, const char *reason,
                 const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = NULL;
    if (vasprintf(&text, fmt, ap) >= 0)
        send_text(e, obj, field_path, type, reason, text);
    free(text);
    va_end(ap);
}
