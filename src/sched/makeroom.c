/* Preemption in the cluster: a pod that fits nowhere may drive out others of lower priority. They end gracefully, and
 * meanwhile the room they leave is kept for it (it is nominated). */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "sched/preempt.h"
#include "sched/sched_impl.h"

/* --- nominated pods --- */

void nominated_forget(struct sched *s, const char *key)
{
    sched_pod_free(map_del(&s->nominated, key));
}

void nominate(struct sched *s, const json_t *pod, const char *node)
{
    struct sched_pod *p = sched_pod_new(pod);
    nominated_forget(s, p->key);
    if (!*node) {
        sched_pod_free(p);
        return;
    }
    free(p->node);
    p->node = xstrdup(node);
    map_put(&s->nominated, p->key, p);
}

static bool goes_first(const struct sched_pod *nominated, const struct sched_pod *p)
{
    return !streq(nominated->key, p->key) && nominated->priority >= p->priority;
}

void nominated_enter(struct sched *s, const struct sched_pod *p)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->nominated, e));)
        if (goes_first(e->value, p))
            cluster_take_pod(&s->cluster, e->value);
}

void nominated_leave(struct sched *s, const struct sched_pod *p)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->nominated, e));)
        if (goes_first(e->value, p))
            cluster_detach_pod(&s->cluster, e->key);
}

/* --- making room --- */

/* The room is being made already. */
static bool waits_for_room(const struct sched *s, const struct sched_pod *p)
{
    const struct sched_pod *nominated = map_get(&s->nominated, p->key);
    const struct sched_node *n = nominated ? map_get(&s->cluster.nodes, nominated->node) : NULL;
    for (size_t i = 0; n && i < n->n_pods; i++)
        if (n->pods[i]->deleting && n->pods[i]->priority < p->priority)
            return true;
    return false;
}

/* docs keeps what the budgets borrow. */
static struct budget *read_budgets(const struct sched *s, json_t *docs, size_t *ret_n)
{
    struct budget *budgets = xcalloc(informer_count(s->budgets) + 1, sizeof(*budgets));
    void *cursor = NULL;
    *ret_n = 0;
    for (struct object *o; (o = informer_next(s->budgets, NULL, &cursor));) {
        json_t *doc = object_json(o);
        json_array_append_new(docs, doc);
        budgets[(*ret_n)++] =
            (struct budget){o->ns, jget(doc, "spec.selector"), jint(doc, "status.disruptionsAllowed", 0)};
    }
    return budgets;
}

static void drive_out(struct controller *c, struct sched *s, const struct sched_pod *victim, const struct sched_pod *by,
                      const char *node)
{
    size_t n;
    _cleanup_free_ char **part = str_split(victim->key, '/', &n);
    struct object *o = informer_get(s->pods, part[0], part[1]);
    if (!o || victim->deleting || !streq(o->uid, victim->uid))
        return;
    char now[TIME_TEXT_SIZE];
    _cleanup_json_ json_t *doc = object_json(o);
    _cleanup_json_ json_t *condition =
        json_pack("{s:{s:[{s:s, s:s, s:s, s:s, s:s}]}}", "status", "conditions", "type", "DisruptionTarget", "status",
                  "True", "reason", "PreemptionByScheduler", "message",
                  "default-scheduler: preempting to accommodate a higher priority pod", "lastTransitionTime",
                  time_format(controller_now_usec(c), now));
    _cleanup_json_ json_t *options = json_pack("{s:s, s:s, s:{s:s}}", "kind", "DeleteOptions", "apiVersion", "v1",
                                               "preconditions", "uid", victim->uid);
    controller_patch(c, &kind_pod, part[0], part[1], "status", PATCH_STRATEGIC, condition);
    controller_delete(c, &kind_pod, part[0], part[1], options);
    controller_event(c, doc, "Normal", "Preempted", "Preempted by pod %s on node %s", by->uid, node);
}

const char *make_room(struct controller *c, struct sched *s, const json_t *pod, const struct sched_pod *p,
                      char **ret_why)
{
    if (streq(jstr_or(pod, "spec.preemptionPolicy", ""), "Never")) {
        *ret_why = xstrdup("not eligible due to preemptionPolicy=Never.");
        return NULL;
    }
    if (waits_for_room(s, p)) {
        *ret_why = xstrdup("not eligible due to a terminating pod on the nominated node.");
        return ((const struct sched_pod *)map_get(&s->nominated, p->key))->node;
    }
    size_t n_budgets;
    struct room room;
    _cleanup_json_ json_t *docs = json_array();
    _cleanup_free_ struct budget *budgets = read_budgets(s, docs, &n_budgets);
    bool found = preempt(&s->cluster, p, budgets, n_budgets, &room, ret_why);
    for (size_t i = 0; found && i < room.n; i++)
        drive_out(c, s, room.victims[i], p, room.node->name);
    free(room.victims);
    if (!found)
        return NULL;
    free(TAKE(*ret_why));
    return room.node->name;
}
