/* Events: what happened to an object, for people; they go away after a while. */
#include <ctype.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/event.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

const struct field event_source_fields[] = {
    {"component", F_STR, OPT, .doc = "Component that reports it."},
    {"host", F_STR, OPT, .doc = "Node on which that runs."},
    {0},
};

static const struct field event_series_fields[] = {
    {"count", F_INT, OPT, .doc = "How often it happened."},
    {"lastObservedTime", F_MICROTIME, .doc = "When it happened last."},
    {0},
};

static const struct field event_fields[] = {
    FIELD_METADATA,
    {"involvedObject", F_OBJECT, REQ | ATOMIC, .sub = object_reference_fields, .doc = "What the event is about."},
    {"reason", F_STR, OPT, .doc = "One word for what happened."},
    {"message", F_STR, OPT, .doc = "What happened, for a person."},
    {"source", F_OBJECT, .sub = event_source_fields, .dflt = "{}", .doc = "Who reports it (older form)."},
    {"firstTimestamp", F_TIME, .doc = "When it happened first."},
    {"lastTimestamp", F_TIME, .doc = "When it happened last."},
    {"count", F_INT, OPT, .doc = "How often it happened."},
    {"type", F_STR, OPT, .doc = "Normal or Warning."},
    {"eventTime", F_MICROTIME, .doc = "When it happened."},
    {"series", F_OBJECT, .sub = event_series_fields, .doc = "Repetitions of it."},
    {"action", F_STR, OPT, .doc = "What was done or failed."},
    {"related", F_OBJECT, ATOMIC, .sub = object_reference_fields, .doc = "A second object it is about."},
    {"reportingComponent", F_STR, .doc = "Controller that reports it."},
    {"reportingInstance", F_STR, .doc = "Which instance of that controller."},
    {0},
};

static json_t *cell_first_seen(const json_t *event, int64_t now_usec)
{
    return cell_since(event, jget(event, "firstTimestamp") ? "firstTimestamp" : "eventTime", now_usec);
}

static json_t *cell_last_seen(const json_t *event, int64_t now_usec)
{
    if (jget(event, "series"))
        return cell_since(event, "series.lastObservedTime", now_usec);
    if (jget(event, "lastTimestamp"))
        return cell_since(event, "lastTimestamp", now_usec);
    return cell_first_seen(event, now_usec);
}

CELL_TEXT(cell_type, "type", "");
CELL_TEXT(cell_reason, "reason", "");

static json_t *cell_object(const json_t *event, int64_t now_usec)
{
    (void)now_usec;
    const char *name = jstr_or(event, "involvedObject.name", "");
    _cleanup_free_ char *kind = xstrdup(jstr_or(event, "involvedObject.kind", ""));
    for (char *c = kind; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return json_sprintf("%s%s%s", kind, *name ? "/" : "", name);
}

CELL_TEXT(cell_subobject, "involvedObject.fieldPath", "");

static json_t *cell_source(const json_t *event, int64_t now_usec)
{
    (void)now_usec;
    const char *component = jstr_or(event, "source.component", ""), *instance = jstr_or(event, "source.host", "");
    if (!*component) {
        component = jstr_or(event, "reportingComponent", "");
        instance = jstr_or(event, "reportingInstance", "");
    }
    return json_sprintf("%s%s%s", component, *instance ? ", " : "", instance);
}

static json_t *cell_message(const json_t *event, int64_t now_usec)
{
    (void)now_usec;
    const char *message = jstr_or(event, "message", "");
    while (isspace((unsigned char)*message))
        message++;
    size_t len = strlen(message);
    while (len > 0 && isspace((unsigned char)message[len - 1]))
        len--;
    return json_stringn(message, len);
}

static json_t *cell_count(const json_t *event, int64_t now_usec)
{
    (void)now_usec;
    int64_t count = jint(event, "count", 0);
    if (jget(event, "series"))
        return cell_int(event, "series.count");
    return json_integer(count ? count : 1);
}

const struct column event_columns[] = {
    {"Last Seen", "string", "", 0, cell_last_seen},
    {"Type", "string", "", 0, cell_type},
    {"Reason", "string", "", 0, cell_reason},
    {"Object", "string", "", 0, cell_object},
    {"Subobject", "string", "", 1, cell_subobject},
    {"Source", "string", "", 1, cell_source},
    {"Message", "string", "", 0, cell_message},
    {"First Seen", "string", "", 1, cell_first_seen},
    {"Count", "string", "", 1, cell_count},
    {"Name", "string", "name", 1, cell_name},
    {0},
};

static const struct field_label field_labels[] = {
    {"involvedObject.kind", "involvedObject.kind", ""},
    {"involvedObject.namespace", "involvedObject.namespace", ""},
    {"involvedObject.name", "involvedObject.name", ""},
    {"involvedObject.uid", "involvedObject.uid", ""},
    {"involvedObject.apiVersion", "involvedObject.apiVersion", ""},
    {"involvedObject.resourceVersion", "involvedObject.resourceVersion", ""},
    {"involvedObject.fieldPath", "involvedObject.fieldPath", ""},
    {"reason", "reason", ""},
    {"reportingComponent", "reportingComponent", ""},
    {"source", "source.component", ""},
    {"type", "type", ""},
    {0},
};

/* Events live with their object; those about objects outside of namespaces live in default. */
static void validate(const json_t *event, const json_t *old, struct status_causes *causes)
{
    (void)old;
    const char *about = jstr_or(event, "involvedObject.namespace", ""), *ns = jstr_or(event, "metadata.namespace", "");
    bool fits = *about ? streq(about, ns) : !*ns || streq(ns, "default");
    if (!fits)
        rule_broken_text(causes, CAUSE_INVALID, about, "does not match event.namespace", "involvedObject.namespace");
}

const struct kind kind_event = {
    .group = "",
    .version = "v1",
    .kind = "Event",
    .plural = "events",
    .singular = "event",
    .list_kind = "EventList",
    .short_names = (const char *const[]){"ev", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = event_fields,
    .columns = event_columns,
    .check_name = check_dns_subdomain,
    .field_labels = field_labels,
    .ttl_seconds = 3600, /* upstream: kube-apiserver --event-ttl */
    .ttl_from = "lastTimestamp",
    .validate = validate,
};
