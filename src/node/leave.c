/* A pod leaves its Services before its containers are told to end: first the slices must not offer it any more, then
 * the rules of every node must follow them (service/acknowledge.h), then requests that were on their way get a moment.
 * An app that exits at once on SIGTERM so loses nothing. Upstream leaves this to preStop hooks that sleep. */
#include "base/clock.h"
#include "node/agent_impl.h"
#include "node/pod.h"
#include "service/acknowledge.h"

/* All of it takes milliseconds. A controller that is away or a node that hangs must not keep pods: so much at most, and
 * never more than half of what the pod may take for its ending. */
#define LEAVE_MS_MAX 2000
/* What came in by the old rules is answered by then; connections that are kept open are the app's to end. */
#define LINGER_MS 200

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void ignore_service(void *arg, const char *ns, const char *name, const struct svc *svc)
{
    (void)arg, (void)ns, (void)name, (void)svc;
}

/* From here on, the next change of the model is told. */
static enum pod_published look_up(const struct pod *p)
{
    model_take(p->agent->services, ignore_service, NULL);
    return model_pod_published(p->agent->model, p->ns, p->name);
}

/* Who is killed rather than asked to end, or is in no Service, has nothing to wait for. */
static void begin(struct pod *p, const json_t *doc)
{
    bool asked = p->agent->services && !p->gone && (jstr(doc, "metadata.deletionTimestamp") || p->reason);
    int64_t most_ms = smaller(LEAVE_MS_MAX, p->stop_grace_ms / 2);
    p->leaving = asked && most_ms > 0 && look_up(p) != POD_ABSENT ? LEAVE_LISTED : LEAVE_DONE;
    p->leave_deadline_ms = clock_mono_ms() + most_ms;
}

static void on_all_follow(void *arg, int code, const json_t *body)
{
    struct pod *p = arg;
    (void)code, (void)body; /* no answer: whoever could have told is away */
    if (!p->dead && p->leaving == LEAVE_ASKED) {
        p->leaving = LEAVE_LINGERS;
        p->leave_deadline_ms = clock_mono_ms() + smaller(LINGER_MS, p->stop_grace_ms / 2);
        pod_kick(p);
    }
    pod_unref(p);
}

bool pod_has_left(struct pod *p, const json_t *doc)
{
    const struct agent *a = p->agent;
    if (p->leaving == LEAVE_NOT)
        begin(p, doc);
    if (p->leaving == LEAVE_LISTED && look_up(p) != POD_PUBLISHED) {
        p->leaving = LEAVE_ASKED;
        acknowledge_await(a->client, a->name, model_revision(a->model), on_all_follow, pod_ref(p));
    }
    int64_t left_ms = p->leave_deadline_ms - clock_mono_ms();
    if (p->leaving != LEAVE_DONE && left_ms > 0 && !p->gone) {
        pod_kick_after(p, left_ms);
        return false;
    }
    p->leaving = LEAVE_DONE;
    return true;
}

void pod_services_changed(struct pod *p)
{
    if (p->leaving == LEAVE_LISTED)
        pod_kick(p);
}
