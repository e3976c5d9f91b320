/* StatefulSets: pods NAME-0, NAME-1 …, made from the first up and taken away from the last down, each only when the one
 * before is well (OrderedReady) or all at once (Parallel); replaced from the last down when the template changes
 * (upstream: pkg/controller/statefulset). */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control/family.h"
#include "control/ledger.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/setclaims.h"
#include "json/json.h"
#include "kinds/kind.h"

/* Pods made or deleted in one go: keeps one large set from starving the others. */
#define BURST_MAX 250

struct stateful {
    struct family family;
    struct ledger_store ledger;
    struct informer *claims;
};

struct numbered {
    struct member m;
    int64_t ordinal;
    bool available;
};

/* One set as it is being reconciled. */
struct set {
    struct controller *c;
    struct informer *claims;
    const json_t *doc;
    const char *ns, *name;
    struct numbered *pods; /* by rising ordinal */
    size_t n;
    int64_t start, end; /* ordinals that are wanted: start up to before end */
    bool ordered;
    const json_t *current, *update; /* revisions */
    int budget;
};

static const char *name_of(const json_t *revision)
{
    return jstr_or(revision, "metadata.name", "");
}

/* -1: no name of this set's pods. */
static int64_t ordinal_of(const char *set, const char *pod)
{
    int64_t n = -1;
    const char *rest = str_after(pod, set);
    if (rest && *rest == '-' && rest[1] >= '0' && rest[1] <= '9')
        str_to_i64(rest + 1, 0, INT32_MAX, &n);
    return n;
}

static bool has_its_name(const json_t *owner, const struct object *pod)
{
    return ordinal_of(jstr_or(owner, "metadata.name", ""), pod->name) >= 0;
}

static int by_ordinal(const void *a, const void *b)
{
    int64_t na = ((const struct numbered *)a)->ordinal, nb = ((const struct numbered *)b)->ordinal;
    return na < nb ? -1 : na > nb;
}

static void load_pods(struct set *s, const struct family *f)
{
    size_t n;
    int64_t min_ready = jint(s->doc, "spec.minReadySeconds", 0), now = controller_now_usec(s->c);
    _cleanup_free_ struct member *members = family_claim(f, s->c, s->doc, has_its_name, &n);
    s->pods = xcalloc(n + 1, sizeof(*s->pods));
    for (size_t i = 0; i < n; i++) {
        const struct pod_state *p = members[i].state;
        int64_t ordinal = ordinal_of(s->name, members[i].pod->name), due = p->ready_usec + min_ready * 1000000;
        if (ordinal < 0)
            continue;
        bool available = p->phase == POD_RUNNING && pod_available(p, min_ready, now);
        s->pods[s->n++] = (struct numbered){members[i], ordinal, available};
        if (p->ready && !available && due > now)
            controller_enqueue_after(s->c, s->ns, s->name, (due - now) / 1000 + 1);
    }
    qsort(s->pods, s->n, sizeof(*s->pods), by_ordinal);
}

static struct numbered *pod_at(const struct set *s, int64_t ordinal)
{
    const struct numbered key = {.ordinal = ordinal};
    return s->n ? bsearch(&key, s->pods, s->n, sizeof(key), by_ordinal) : NULL;
}

static bool is_of(const struct numbered *p, const json_t *revision)
{
    return streq(str_or(member_label(&p->m, REVISION_HASH_LABEL), ""), name_of(revision));
}

/* --- making and deleting --- */

static void create_pod(struct set *s, int64_t ordinal)
{
    char number[24];
    bool rolling = streq(jstr_or(s->doc, "spec.updateStrategy.type", "RollingUpdate"), "RollingUpdate");
    int64_t partition = rolling ? jint(s->doc, "spec.updateStrategy.rollingUpdate.partition", 0) : 0;
    const json_t *revision = ordinal < s->start + partition ? s->current : s->update;
    _cleanup_json_ json_t *pod = pod_from_template(s->doc, jget(revision, "data.spec.template"));
    snprintf(number, sizeof(number), "%lld", (long long)ordinal);
    _cleanup_free_ char *name = xasprintf("%s-%s", s->name, number);
    if (!set_claims_exist(s->c, s->claims, s->doc, name))
        return; /* its claims come first */
    if (!jget(pod, "metadata.labels"))
        jset(pod, "metadata.labels", json_object());
    const struct {
        const char *key, *value;
    } labels[] = {{"statefulset.kubernetes.io/pod-name", name},
                  {"apps.kubernetes.io/pod-index", number},
                  {REVISION_HASH_LABEL, name_of(revision)}};
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        json_object_set_new(jget(pod, "metadata.labels"), labels[i].key, json_string(labels[i].value));
    jset_str(pod, "metadata.name", name);
    set_claims_mount(s->doc, pod);
    jset_str(pod, "spec.hostname", name);
    jset_str(pod, "spec.subdomain", jstr(s->doc, "spec.serviceName"));
    controller_create(s->c, &kind_pod, s->ns, pod);
    s->budget--;
}

static bool is_leaving(const struct set *s, const struct numbered *p)
{
    return p->ordinal < s->start || p->ordinal >= s->end;
}

/* Whether the claims of this pod are owned as the retention policy wants it. */
static bool claims_are_owned(const struct set *s, const struct numbered *p)
{
    if (!json_array_size(jget(s->doc, "spec.volumeClaimTemplates")))
        return true;
    _cleanup_json_ json_t *pod = object_json(p->m.pod);
    return set_claims_are_owned(s->c, s->claims, s->doc, pod, is_leaving(s, p));
}

static void delete_pod(struct set *s, struct numbered *p)
{
    family_delete_pod(s->c, p->m.pod);
    s->budget--;
}

/* From the first up. Returns whether the rest may go on. */
static bool fill(struct set *s)
{
    for (int64_t i = s->start; i < s->end && s->budget > 0; i++) {
        struct numbered *p = pod_at(s, i);
        if (!p) {
            create_pod(s, i);
        } else if (pod_finished(p->m.state) && !p->m.state->deleting) {
            controller_event(s->c, s->doc, "Warning", "RecreatingFailedPod",
                             "StatefulSet %s/%s is recreating failed Pod %s", s->ns, s->name, p->m.pod->name);
            delete_pod(s, p);
        } else if (!p->m.state->deleting && claims_are_owned(s, p) && p->available) {
            continue;
        }
        if (s->ordered)
            return false;
    }
    return true;
}

/* From the last down. Returns whether the rest may go on. */
static bool shrink(struct set *s)
{
    for (size_t i = s->n; i-- > 0 && s->budget > 0;) {
        struct numbered *p = &s->pods[i];
        if (!is_leaving(s, p))
            continue;
        if (!p->m.state->deleting && claims_are_owned(s, p))
            delete_pod(s, p);
        if (s->ordered)
            return false;
    }
    return true;
}

/* One at a time, from the last down to the partition. */
static void roll(struct set *s)
{
    int64_t first = s->start + jint(s->doc, "spec.updateStrategy.rollingUpdate.partition", 0);
    if (!streq(jstr_or(s->doc, "spec.updateStrategy.type", "RollingUpdate"), "RollingUpdate"))
        return;
    for (int64_t i = s->end - 1; i >= first; i--) {
        struct numbered *p = pod_at(s, i);
        if (p && !p->m.state->deleting && !is_of(p, s->update))
            delete_pod(s, p);
        else if (p && !p->m.state->deleting && p->available)
            continue;
        return;
    }
}

/* --- status --- */

static void count(const struct set *s, json_t *status)
{
    int64_t ready = 0, available = 0, of_current = 0, of_update = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct numbered *p = &s->pods[i];
        bool stays = pod_active(p->m.state);
        ready += p->m.state->phase == POD_RUNNING && p->m.state->ready;
        available += p->available;
        of_current += stays && is_of(p, s->current);
        of_update += stays && is_of(p, s->update);
    }
    const json_t *current = s->current;
    int64_t wanted = s->end - s->start;
    bool rolling = streq(jstr_or(s->doc, "spec.updateStrategy.type", "RollingUpdate"), "RollingUpdate");
    if (rolling && of_update == (int64_t)s->n && of_update == wanted && ready == wanted) {
        current = s->update;
        of_current = of_update;
    }
    const struct {
        const char *member;
        int64_t n;
        bool always;
    } counts[] = {{"replicas", (int64_t)s->n, true},
                  {"readyReplicas", ready, false},
                  {"availableReplicas", available, true},
                  {"currentReplicas", of_current, false},
                  {"updatedReplicas", of_update, false}};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        jset(status, counts[i].member, counts[i].n || counts[i].always ? json_integer(counts[i].n) : NULL);
    jset_str(status, "currentRevision", name_of(current));
    jset_str(status, "updateRevision", name_of(s->update));
    jset_int(status, "observedGeneration", jint(s->doc, "metadata.generation", 0));
}

static bool is_live(void *arg, const json_t *revision)
{
    const struct set *s = arg;
    for (size_t i = 0; i < s->n; i++)
        if (is_of(&s->pods[i], revision))
            return true;
    return revision == s->current;
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct stateful *st = controller_state(c);
    struct object *o = informer_get(st->family.owners, ns, name);
    if (!o)
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    const json_t *old = jget(doc, "status");
    _cleanup_json_ json_t *status = old ? json_deep_copy(old) : json_object();
    struct ledger ledger;
    struct set s = {.c = c, .claims = st->claims, .doc = doc, .ns = ns, .name = name, .budget = BURST_MAX};
    if (is_deleting(doc))
        return;
    ledger_sync(&ledger, &st->ledger, c, doc, status);
    if (ledger.update) {
        s.update = ledger.update;
        s.current = ledger_named(&ledger, jstr_or(doc, "status.currentRevision", ""));
        s.current = s.current ? s.current : s.update;
        s.ordered = !streq(jstr_or(doc, "spec.podManagementPolicy", ""), "Parallel");
        s.start = jint(doc, "spec.ordinals.start", 0);
        s.end = s.start + jint(doc, "spec.replicas", 1);
        load_pods(&s, &st->family);
        if (fill(&s) && shrink(&s))
            roll(&s);
        count(&s, status);
        ledger_trim(&ledger, c, doc, is_live, &s);
    }
    patch_status(c, &kind_statefulset, doc, status);
    ledger_done(&ledger);
    free(s.pods);
}

/* --- who is concerned --- */

static void map_pod(struct controller *c, struct object *pod)
{
    struct stateful *st = controller_state(c);
    family_map_pod(&st->family, c, pod);
}

static void map_claim(struct controller *c, struct object *claim)
{
    struct stateful *st = controller_state(c);
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(st->family.owners, claim->ns, &cursor));) {
        _cleanup_json_ json_t *set = object_json(o);
        if (set_claims_name(set, claim->name))
            controller_enqueue(c, o->ns, o->name);
    }
}

static void map_revision(struct controller *c, struct object *revision)
{
    ledger_map(c, revision, &kind_statefulset);
}

static void say_claim(struct controller *c, const json_t *set, const char *name, bool ok, const json_t *body)
{
    const char *claim = jstr_or(body, "metadata.name", ""), *pod = strstr(claim, name);
    if (ok)
        controller_event(c, set, "Normal", "SuccessfulCreate", "create Claim %s Pod %s in StatefulSet %s success",
                         claim, str_or(pod, ""), name);
    else
        controller_event(c, set, "Warning", "FailedCreate", "create Claim in StatefulSet %s failed error: %s", name,
                         jstr_or(body, "message", "no answer"));
}

static void answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body)
{
    struct stateful *st = controller_state(c);
    bool created = streq(call->method, "POST"), ok = code >= 200 && code < 300;
    struct object *o = informer_get(st->family.owners, ns, name);
    if ((call->kind != &kind_pod && call->kind != &kind_persistentvolumeclaim) || !o ||
        (!created && !streq(call->method, "DELETE")) || code == 404 || code == 409)
        return;
    _cleanup_json_ json_t *set = object_json(o);
    const char *verb = created ? "create" : "delete";
    const char *pod = created ? jstr_or(body, "metadata.name", "") : str_or(call->name, "");
    if (call->kind == &kind_persistentvolumeclaim)
        say_claim(c, set, name, ok, body);
    else if (ok)
        controller_event(c, set, "Normal", created ? "SuccessfulCreate" : "SuccessfulDelete",
                         "%s Pod %s in StatefulSet %s successful", verb, pod, name);
    else
        controller_event(c, set, "Warning", created ? "FailedCreate" : "FailedDelete",
                         "%s Pod in StatefulSet %s failed error: %s", verb, name,
                         jstr_or(body, "message", "no answer"));
}

static void *start(struct controller *c)
{
    struct stateful *st = NEW(struct stateful);
    family_start(&st->family, c, &kind_statefulset);
    ledger_start(&st->ledger, c);
    st->claims = controller_informer(c, &kind_persistentvolumeclaim);
    return st;
}

static const struct controller_watch watches[] = {{&kind_statefulset, NULL},
                                                  {&kind_pod, map_pod},
                                                  {&kind_persistentvolumeclaim, map_claim},
                                                  {&kind_controllerrevision, map_revision},
                                                  {NULL, NULL}};

const struct controller_def statefulset_controller = {
    .name = "statefulset-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = free,
    .answered = answered,
};
