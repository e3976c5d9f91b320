/* FlowSchemas say in their status whether the level they name is there (upstream: the condition of
 * apiserver pkg/util/flowcontrol). */
#include "base/clock.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

#define DANGLING "Dangling"

static json_t *dangling(const char *level, bool found, const json_t *before)
{
    char now[TIME_TEXT_SIZE];
    const char *status = found ? "False" : "True";
    bool same = streq(jstr_or(before, "status", ""), status);
    const char *since = same ? jstr_or(before, "lastTransitionTime", "") : time_format(clock_wall_usec(), now);
    json_t *condition = json_pack("{s:s, s:s, s:s, s:s}", "type", DANGLING, "status", status, "lastTransitionTime",
                                  since, "reason", found ? "Found" : "NotFound");
    jset(condition, "message",
         json_sprintf("This FlowSchema references the PriorityLevelConfiguration object named \"%s\" %s", level,
                      found ? "and it exists" : "but there is no such object"));
    return condition;
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    (void)ns;
    struct object *o = informer_get(controller_informer(c, &kind_flowschema), "", name);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    if (!doc)
        return;
    const char *level = jstr_or(doc, "spec.priorityLevelConfiguration.name", "");
    bool found = informer_get(controller_informer(c, &kind_prioritylevelconfiguration), "", level);
    const json_t *status = jget(doc, "status");
    _cleanup_json_ json_t *wanted = status ? json_deep_copy(status) : json_object();
    json_t *conditions = json_array(), *condition;
    size_t i;
    json_array_foreach(jget(wanted, "conditions"), i, condition)
        if (!streq(jstr_or(condition, "type", ""), DANGLING))
            json_array_append(conditions, condition);
    json_array_insert_new(conditions, 0, dangling(level, found, condition_find(doc, DANGLING)));
    jset(wanted, "conditions", conditions);
    patch_status(c, &kind_flowschema, doc, wanted);
}

static void map_schema(struct controller *c, struct object *o)
{
    controller_enqueue(c, "", o->name);
}

/* Whoever names the level, and who that is takes longer to find out than to look at all: they are few. */
static void map_level(struct controller *c, struct object *o)
{
    void *cursor = NULL;
    (void)o;
    for (struct object *s; (s = informer_next(controller_informer(c, &kind_flowschema), NULL, &cursor));)
        controller_enqueue(c, "", s->name);
}

static const struct controller_watch watches[] = {
    {&kind_flowschema, map_schema}, {&kind_prioritylevelconfiguration, map_level}, {NULL, NULL}};

const struct controller_def flowschema_controller = {
    .name = "flowschema-controller",
    .watches = watches,
    .reconcile = reconcile,
};
