/* Pods get the number behind their priority class; one class at most is the default (upstream: admission plug-in
 * Priority). */
#include "base/str.h"
#include "server/admit.h"

struct search {
    const char *but; /* a name that does not count, or NULL */
    json_t *found;
};

/* The default; of several, the smallest. */
static bool consider(void *arg, struct object *o)
{
    struct search *s = arg;
    json_t *class = object_json(o);
    bool better = jbool(class, "globalDefault", false) && (!s->but || !streq(o->name, s->but)) &&
                  (!s->found || jint(class, "value", 0) < jint(s->found, "value", 0));
    json_decref(better ? s->found : class);
    if (better)
        s->found = class;
    return true;
}

static json_t *default_class(const struct server *s, const char *but)
{
    struct search search = {.but = but};
    store_each(s->store, &kind_priorityclass, "", NULL, NULL, consider, &search);
    return search.found;
}

/* The pod's word must be the class's, if it says one. */
static json_t *settle(const struct admission *a, int64_t priority, const char *policy)
{
    const char *given = jstr(a->doc, "spec.preemptionPolicy");
    if (jhas(a->doc, "spec.priority") && jint(a->doc, "spec.priority", 0) != priority)
        return admission_forbidden(a,
                                   "the integer value of priority (%lld) must not be provided in pod spec; priority "
                                   "admission controller computed %lld from the given PriorityClass name",
                                   (long long)jint(a->doc, "spec.priority", 0), (long long)priority);
    if (given && !streq(given, policy))
        return admission_forbidden(a,
                                   "the string value of PreemptionPolicy (%s) must not be provided in pod spec; "
                                   "priority admission controller computed %s from the given PriorityClass name",
                                   given, policy);
    jset_int(a->doc, "spec.priority", priority);
    jset_str(a->doc, "spec.preemptionPolicy", policy);
    return NULL;
}

json_t *admit_priority(const struct admission *a)
{
    static const char *const kept[] = {"spec.priority", "spec.preemptionPolicy"};
    for (size_t i = 0; a->old && i < ARRAY_LEN(kept); i++)
        if (!jhas(a->doc, kept[i]) && jhas(a->old, kept[i]))
            jset(a->doc, kept[i], json_incref(jget(a->old, kept[i])));
    if (a->old)
        return NULL;
    const char *name = jstr_or(a->doc, "spec.priorityClassName", "");
    struct object *o = *name ? store_latest(a->server->store, &kind_priorityclass, "", name) : NULL;
    if (*name && !o)
        return admission_forbidden(a, "no PriorityClass with name %s was found", name);
    _cleanup_json_ json_t *class = o ? object_json(o) : default_class(a->server, NULL);
    if (class)
        jset_str(a->doc, "spec.priorityClassName", jstr(class, "metadata.name"));
    return settle(a, jint(class, "value", 0), jstr_or(class, "preemptionPolicy", "PreemptLowerPriority"));
}

json_t *admit_default_priority(const struct admission *a)
{
    const char *name = jstr_or(a->doc, "metadata.name", "");
    if (!jbool(a->doc, "globalDefault", false) || (a->old && jbool(a->old, "globalDefault", false)))
        return NULL;
    _cleanup_json_ json_t *other = default_class(a->server, name);
    if (!other)
        return NULL;
    return admission_forbidden(a, "PriorityClass %s is already marked as default. Only one default can exist",
                               jstr_or(other, "metadata.name", ""));
}
