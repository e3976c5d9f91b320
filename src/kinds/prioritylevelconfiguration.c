/* PriorityLevelConfigurations: how many requests of a level may be served at a time, and which wait. Rules:
 * pkg/apis/flowcontrol/validation. Kept, checked and shown, as FlowSchemas are. */
#include <stdio.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

#define QUEUES_MAX 10000000 /* as upstream */

static const struct field queuing_fields[] = {
    {"queues", F_INT, .dflt = "64", .min = 1, .max = QUEUES_MAX, .doc = "How many queues the level has."},
    {"handSize", F_INT, .dflt = "8", .min = 1, .max = NO_MAX, .doc = "Queues that a flow may be put into."},
    {"queueLengthLimit", F_INT, .dflt = "50", .min = 1, .max = NO_MAX, .doc = "Requests that wait in one queue."},
    {0},
};

static const struct field response_fields[] = {
    {"type", F_STR, REQ, .oneof = ONE_OF("Queue", "Reject"), .doc = "What becomes of too many: Queue or Reject."},
    {"queuing", F_OBJECT, .sub = queuing_fields, .doc = "How they wait."},
    {0},
};

static const struct field limited_fields[] = {
    {"nominalConcurrencyShares", F_INT, .dflt = "30", .doc = "Share in what the server does at a time."},
    {"limitResponse", F_OBJECT, .sub = response_fields, .doc = "What becomes of requests above it."},
    {"lendablePercent", F_INT, .dflt = "0", .max = 100, .doc = "Part of it that others may borrow."},
    {"borrowingLimitPercent", F_INT, .max = NO_MAX, .doc = "How much it may borrow, in percent of its own."},
    {0},
};

static const struct field exempt_fields[] = {
    {"nominalConcurrencyShares", F_INT, .dflt = "0", .doc = "Share that is set aside for it."},
    {"lendablePercent", F_INT, .dflt = "0", .max = 100, .doc = "Part of it that others may borrow."},
    {0},
};

static const struct field spec_fields[] = {
    {"type", F_STR, REQ, .oneof = ONE_OF("Exempt", "Limited"), .doc = "Exempt, or Limited."},
    {"limited", F_OBJECT, .sub = limited_fields, .doc = "For Limited: how."},
    {"exempt", F_OBJECT, .sub = exempt_fields, .doc = "For Exempt: what it lends."},
    {0},
};

static const struct field status_fields[] = {
    FIELD_CONDITIONS(plain_condition_fields, "The state of the level."),
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .doc = "What the level is limited to."},
    {"status", F_OBJECT, .sub = status_fields, .doc = "The state of the level."},
    {0},
};

CELL_TEXT(cell_type, "spec.type", "");

static json_t *number(const json_t *obj, const char *path)
{
    const json_t *n = jget(obj, path);
    return n ? json_sprintf("%lld", (long long)json_integer_value(n)) : json_string("<none>");
}

#define CELL_NUMBER(name, path)                                                                                        \
    static json_t *name(const json_t *obj, int64_t now_usec)                                                           \
    {                                                                                                                  \
        (void)now_usec;                                                                                                \
        return number(obj, path);                                                                                      \
    }

CELL_NUMBER(cell_shares, "spec.limited.nominalConcurrencyShares")
CELL_NUMBER(cell_queues, "spec.limited.limitResponse.queuing.queues")
CELL_NUMBER(cell_hand, "spec.limited.limitResponse.queuing.handSize")
CELL_NUMBER(cell_length, "spec.limited.limitResponse.queuing.queueLengthLimit")

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Type", "string", "", 0, cell_type},
    {"NominalConcurrencyShares", "string", "", 0, cell_shares},
    {"Queues", "string", "", 0, cell_queues},
    {"HandSize", "string", "", 0, cell_hand},
    {"QueueLengthLimit", "string", "", 0, cell_length},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static void check_limited(struct status_causes *c, const json_t *limited)
{
    const json_t *queuing = jget(limited, "limitResponse.queuing");
    bool queues = streq(jstr_or(limited, "limitResponse.type", ""), "Queue");
    if (!jget(limited, "limitResponse"))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.limited.limitResponse.type");
    else if (queues && !queuing)
        rule_broken(c, CAUSE_REQUIRED, NULL, "must not be empty if limitResponse.type is Queue",
                    "spec.limited.limitResponse.queuing");
    else if (!queues && queuing)
        rule_broken(c, CAUSE_FORBIDDEN, NULL, "must be nil if limited.limitResponse.type is not Limited",
                    "spec.limited.limitResponse.queuing");
    if (queuing && jint(queuing, "handSize", 0) > jint(queuing, "queues", 0)) {
        char why[100];
        snprintf(why, sizeof(why), "should not be greater than queues (%lld)", (long long)jint(queuing, "queues", 0));
        rule_broken(c, CAUSE_INVALID, jget(queuing, "handSize"), why, "spec.limited.limitResponse.queuing.handSize");
    }
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    const char *name = jstr_or(obj, "metadata.name", ""), *type = jstr_or(obj, "spec.type", "");
    bool limited = streq(type, "Limited");
    if (limited && !jget(obj, "spec.limited"))
        rule_broken(causes, CAUSE_REQUIRED, NULL, "must not be empty when type is Limited", "spec.limited");
    if (streq(type, "Exempt") && jget(obj, "spec.limited"))
        rule_broken(causes, CAUSE_FORBIDDEN, NULL, "must be nil if the type is not Limited", "spec.limited");
    if (limited && jget(obj, "spec.exempt"))
        rule_broken(causes, CAUSE_FORBIDDEN, NULL, "must be nil if the type is Limited", "spec.exempt");
    if (limited && jget(obj, "spec.limited"))
        check_limited(causes, jget(obj, "spec.limited"));
    if (old && streq(name, "catch-all") && !json_equal(jget(obj, "spec"), jget(old, "spec")))
        rule_broken(causes, CAUSE_INVALID, jget(obj, "spec"), "spec of 'catch-all' must not be changed", "spec");
    if (streq(name, "exempt") && !streq(type, "Exempt"))
        rule_broken_text(causes, CAUSE_INVALID, type, "must be 'Exempt' if the name is 'exempt'", "spec.type");
}

const struct kind kind_prioritylevelconfiguration = {
    .group = "flowcontrol.apiserver.k8s.io",
    .version = "v1",
    .kind = "PriorityLevelConfiguration",
    .plural = "prioritylevelconfigurations",
    .singular = "prioritylevelconfiguration",
    .list_kind = "PriorityLevelConfigurationList",
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
    .validate = validate,
};
