/* PriorityClasses: names for how important pods are. Rules: pkg/apis/scheduling/validation. */
#include "kinds/priorityclass.h"

#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

#define USER_PRIORITY_MAX 1000000000
#define STRINGIFIED(x) #x
#define STRINGIFY(x) STRINGIFIED(x)

const struct system_priority system_priorities[] = {
    {"system-node-critical", 2000001000,
     "Used for system critical pods that must not be moved from their current node."},
    {"system-cluster-critical", 2000000000,
     "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"value", F_INT, .dflt = "0", .doc = "Priority of the class's pods: the higher goes first."},
    {"globalDefault", F_BOOL, OPT, .doc = "Whether pods without a class get this one."},
    {"description", F_STR, OPT, .doc = "When to use the class."},
    {"preemptionPolicy", F_STR, .dflt = "\"PreemptLowerPriority\"", .oneof = ONE_OF("Never", "PreemptLowerPriority"),
     .doc = "Whether the class's pods may drive others out."},
    {0},
};

CELL_INT(cell_value, "value");
CELL_TEXT(cell_preemption, "preemptionPolicy", "");

static json_t *cell_global_default(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_boolean(jbool(obj, "globalDefault", false));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Value", "integer", "", 0, cell_value},
    {"Global-Default", "boolean", "", 0, cell_global_default},
    {"Age", "string", "", 0, cell_age},
    {"PreemptionPolicy", "string", "", 0, cell_preemption},
    {0},
};

#define RESERVED "priority class names with 'system-' prefix are reserved for system use only. error: "

static void check_system_name(struct status_causes *c, const json_t *obj, const char *name)
{
    const struct system_priority *p = system_priorities;
    char why[300];
    while (p->name && !streq(p->name, name))
        p++;
    if (!p->name)
        snprintf(why, sizeof(why), RESERVED "%.100s is not a known system priority class", name);
    else if (jint(obj, "value", 0) != p->value)
        snprintf(why, sizeof(why), RESERVED "value of %s PriorityClass must be %d", p->name, p->value);
    else if (jbool(obj, "globalDefault", false))
        snprintf(why, sizeof(why), RESERVED "globalDefault of %s PriorityClass must be false", p->name);
    else
        return;
    rule_broken(c, CAUSE_FORBIDDEN, NULL, why, "metadata.name");
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    const char *name = jstr_or(obj, "metadata.name", "");
    if (old && jint(obj, "value", 0) != jint(old, "value", 0))
        rule_broken(causes, CAUSE_FORBIDDEN, NULL, "may not be changed in an update.", "value");
    if (old && !streq(jstr_or(obj, "preemptionPolicy", ""), jstr_or(old, "preemptionPolicy", "")))
        rule_broken_text(causes, CAUSE_INVALID, jstr_or(obj, "preemptionPolicy", ""), "field is immutable",
                         "preemptionPolicy");
    if (str_after(name, "system-"))
        check_system_name(causes, obj, name);
    else if (jint(obj, "value", 0) > USER_PRIORITY_MAX)
        rule_broken(causes, CAUSE_FORBIDDEN, NULL,
                    "maximum allowed value of a user defined priority is " STRINGIFY(USER_PRIORITY_MAX), "value");
}

const struct kind kind_priorityclass = {
    .group = "scheduling.k8s.io",
    .version = "v1",
    .kind = "PriorityClass",
    .plural = "priorityclasses",
    .singular = "priorityclass",
    .list_kind = "PriorityClassList",
    .short_names = (const char *const[]){"pc", NULL},
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_generation = true,
    .validate = validate,
};
