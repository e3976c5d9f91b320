/* Events as events.k8s.io has them: the same objects under other names. Rules: pkg/apis/events/v1/conversion.go. */
#include "base/alloc.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/event.h"
#include "kinds/fields.h"

static const struct field series_fields[] = {
    {"count", F_INT, .doc = "How often it happened."},
    {"lastObservedTime", F_MICROTIME, .doc = "When it happened last."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"eventTime", F_MICROTIME, .doc = "When it happened."},
    {"series", F_OBJECT, .sub = series_fields, .doc = "Repetitions of it."},
    {"reportingController", F_STR, OPT, .doc = "Controller that reports it."},
    {"reportingInstance", F_STR, OPT, .doc = "Which instance of that controller."},
    {"action", F_STR, OPT, .doc = "What was done or failed."},
    {"reason", F_STR, OPT, .doc = "One word for what happened."},
    {"regarding", F_OBJECT, ATOMIC, .sub = object_reference_fields, .doc = "What the event is about."},
    {"related", F_OBJECT, ATOMIC, .sub = object_reference_fields, .doc = "A second object it is about."},
    {"note", F_STR, OPT, .doc = "What happened, for a person."},
    {"type", F_STR, OPT, .doc = "Normal or Warning."},
    {"deprecatedSource", F_OBJECT, .sub = event_source_fields, .doc = "Who reports it (older form)."},
    {"deprecatedFirstTimestamp", F_TIME, .doc = "When it happened first (older form)."},
    {"deprecatedLastTimestamp", F_TIME, .doc = "When it happened last (older form)."},
    {"deprecatedCount", F_INT, OPT, .doc = "How often it happened (older form)."},
    {0},
};

static const struct {
    const char *here, *stored;
} names[] = {
    {"note", "message"},
    {"regarding", "involvedObject"},
    {"reportingController", "reportingComponent"},
    {"deprecatedSource", "source"},
    {"deprecatedFirstTimestamp", "firstTimestamp"},
    {"deprecatedLastTimestamp", "lastTimestamp"},
    {"deprecatedCount", "count"},
};

static void rename_member(json_t *obj, const char *from, const char *to)
{
    json_t *v = json_object_get(obj, from);
    if (!v)
        return;
    json_object_set(obj, to, v);
    json_object_del(obj, from);
}

static void to_stored(json_t *obj)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        rename_member(obj, names[i].here, names[i].stored);
}

static void from_stored(json_t *obj)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        rename_member(obj, names[i].stored, names[i].here);
}

const struct kind kind_event_new = {
    .group = "events.k8s.io",
    .version = "v1",
    .kind = "Event",
    .plural = "events",
    .singular = "event",
    .list_kind = "EventList",
    .short_names = (const char *const[]){"ev", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = fields,
    .columns = event_columns,
    .check_name = check_dns_subdomain,
    .stored = &kind_event,
    .to_stored = to_stored,
    .from_stored = from_stored,
};
