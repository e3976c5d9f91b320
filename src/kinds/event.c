/* Events. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field event_source_fields[] = {
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

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

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
    .columns = columns,
    .check_name = check_dns_subdomain,
};
