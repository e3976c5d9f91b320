/* node: what a pod needs next, and when probes have an opinion. */
#include "node/plan.h"
#include "node/probecount.h"
#include "t.h"

/* A container in one letter: . waiting, r running, h running and in its postStart hook, s started (running, startup
 * probe through), 0 exited well, 1 exited badly. */
static struct plan_container container(char state, bool init, bool sidecar)
{
    struct plan_container c = {.init = init, .sidecar = sidecar};
    c.state = state == '.' ? CONTAINER_WAITING : strchr("rhs", state) ? CONTAINER_RUNNING : CONTAINER_EXITED;
    c.started = state == 's';
    c.in_post_start = state == 'h';
    c.exit_code = state == '1';
    return c;
}

/* "i." an init container, "S." a sidecar, "c." a container, "e." an ephemeral one. */
static size_t read_pod(const char *text, struct plan_container *out)
{
    size_t n = 0;
    for (; *text; text += 2) {
        out[n] = container(text[1], text[0] == 'i' || text[0] == 'S', text[0] == 'S');
        out[n++].ephemeral = text[0] == 'e';
    }
    return n;
}

struct plan_case {
    const char *containers;
    enum restart_policy policy;
    bool sandbox, stopping, initialized;
    enum plan_step step;
    size_t index;
    const char *phase;
};

static const struct plan_case cases[] = {
    /* the way up */
    {"c.", RESTART_ALWAYS, false, false, false, PLAN_MAKE_SANDBOX, 0, "Pending"},
    {"c.", RESTART_ALWAYS, true, false, false, PLAN_START, 0, "Pending"},
    {"csc.", RESTART_ALWAYS, true, false, true, PLAN_START, 1, "Pending"},
    {"cscs", RESTART_ALWAYS, true, false, true, PLAN_WAIT, 0, "Running"},
    /* nothing is started during a postStart hook, but an end need not wait for it */
    {"chc.", RESTART_ALWAYS, true, false, true, PLAN_WAIT, 0, "Pending"},
    {"Shc.", RESTART_ALWAYS, true, false, false, PLAN_WAIT, 0, "Pending"},
    {"chc.", RESTART_ALWAYS, true, true, true, PLAN_STOP, 0, "Pending"},
    /* init containers go one after the other, and only once */
    {"i.i.c.", RESTART_ALWAYS, true, false, false, PLAN_START, 0, "Pending"},
    {"isi.c.", RESTART_ALWAYS, true, false, false, PLAN_WAIT, 0, "Pending"},
    {"i0i.c.", RESTART_ALWAYS, true, false, false, PLAN_START, 1, "Pending"},
    {"i0i0c.", RESTART_ALWAYS, true, false, false, PLAN_START, 2, "Pending"},
    {"i1c.", RESTART_ALWAYS, true, false, false, PLAN_START, 0, "Pending"},
    {"i1c.", RESTART_NEVER, true, false, false, PLAN_REMOVE_SANDBOX, 0, "Failed"},
    {"i.cs", RESTART_ALWAYS, true, false, true, PLAN_WAIT, 0, "Running"},
    {"i.c1", RESTART_ALWAYS, true, false, true, PLAN_START, 1, "Running"},
    /* a new sandbox runs them again, and the pod goes on being what it is */
    {"i.c1", RESTART_ALWAYS, true, false, false, PLAN_START, 0, "Running"},
    {"i0c1", RESTART_NEVER, false, false, true, PLAN_DONE, 0, "Failed"},
    /* a sidecar must have started, then lives beside the others and comes back whatever the policy */
    {"S.c.", RESTART_NEVER, true, false, false, PLAN_START, 0, "Pending"},
    {"Src.", RESTART_NEVER, true, false, false, PLAN_WAIT, 0, "Pending"},
    {"Ssc.", RESTART_NEVER, true, false, false, PLAN_START, 1, "Pending"},
    {"S0cs", RESTART_NEVER, true, false, true, PLAN_START, 0, "Running"},
    {"Ssc0", RESTART_NEVER, true, false, true, PLAN_STOP_SIDECAR, 0, "Succeeded"},
    {"SsSsc0", RESTART_NEVER, true, false, true, PLAN_STOP_SIDECAR, 1, "Succeeded"},
    /* restarts by policy */
    {"c0", RESTART_ALWAYS, true, false, true, PLAN_START, 0, "Running"},
    {"c1", RESTART_ON_FAILURE, true, false, true, PLAN_START, 0, "Running"},
    {"c0", RESTART_ON_FAILURE, true, false, true, PLAN_REMOVE_SANDBOX, 0, "Succeeded"},
    {"c1", RESTART_NEVER, true, false, true, PLAN_REMOVE_SANDBOX, 0, "Failed"},
    {"c1c0", RESTART_NEVER, false, false, true, PLAN_DONE, 0, "Failed"},
    {"c0cs", RESTART_NEVER, true, false, true, PLAN_WAIT, 0, "Running"},
    /* an ephemeral container starts once there is a sandbox, never again, and says nothing about the pod */
    {"c.e.", RESTART_ALWAYS, false, false, false, PLAN_MAKE_SANDBOX, 0, "Pending"},
    {"isc.e.", RESTART_ALWAYS, true, false, false, PLAN_START, 2, "Pending"},
    {"cse0", RESTART_ALWAYS, true, false, true, PLAN_WAIT, 0, "Running"},
    {"cse1e.", RESTART_ALWAYS, true, false, true, PLAN_START, 2, "Running"},
    {"c.es", RESTART_ALWAYS, true, false, false, PLAN_START, 0, "Pending"},
    {"c0es", RESTART_NEVER, true, false, true, PLAN_STOP, 0, "Succeeded"},
    {"c0e.", RESTART_NEVER, true, false, true, PLAN_REMOVE_SANDBOX, 0, "Succeeded"},
    {"cses", RESTART_ALWAYS, true, true, true, PLAN_STOP, 0, "Running"},
    /* the way down: sidecars last, in reverse */
    {"cs", RESTART_ALWAYS, true, true, true, PLAN_STOP, 0, "Running"},
    {"SsSscs", RESTART_ALWAYS, true, true, true, PLAN_STOP, 0, "Running"},
    {"SsSsc0", RESTART_ALWAYS, true, true, true, PLAN_STOP_SIDECAR, 1, "Succeeded"},
    {"c1", RESTART_ALWAYS, true, true, true, PLAN_REMOVE_SANDBOX, 0, "Failed"},
    {"c.", RESTART_ALWAYS, false, true, false, PLAN_DONE, 0, "Pending"},
};

TEST(the_next_step_follows_from_the_state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct plan_case *c = &cases[i];
        struct plan_container containers[8];
        struct plan_pod p = {.policy = c->policy,
                             .has_sandbox = c->sandbox,
                             .stopping = c->stopping,
                             .initialized = c->initialized,
                             .containers = containers};
        p.n = read_pod(c->containers, containers);
        struct plan plan = plan_next(&p, 1000);
        if (plan.step != c->step || plan.index != c->index)
            T_FAIL("case %zu %s: step %d index %zu, want %d %zu", i, c->containers, plan.step, plan.index, c->step,
                   c->index);
        if (strcmp(plan_phase(&p), c->phase) != 0)
            T_FAIL("case %zu %s: phase %s, want %s", i, c->containers, plan_phase(&p), c->phase);
    }
}

TEST(a_back_off_is_waited_for_but_holds_up_no_other)
{
    struct plan_container two[] = {container('1', false, false), container('.', false, false)};
    struct plan_pod p = {.policy = RESTART_ALWAYS, .has_sandbox = true, .initialized = true, .containers = two, .n = 2};
    two[0].not_before_ms = 5000;
    struct plan plan = plan_next(&p, 1000);
    T_TRUE(plan.step == PLAN_START && plan.index == 1);
    two[1].not_before_ms = 3000;
    plan = plan_next(&p, 1000);
    T_INT(plan.step, PLAN_WAIT);
    T_INT(plan.wake_ms, 3000);
    plan = plan_next(&p, 5000);
    T_TRUE(plan.step == PLAN_START && plan.index == 0);
}

TEST(a_lost_sandbox_is_removed_when_nothing_runs_in_it)
{
    struct plan_container one[] = {container('s', false, false)};
    struct plan_pod p = {
        .policy = RESTART_ALWAYS, .has_sandbox = true, .lost = true, .initialized = true, .containers = one, .n = 1};
    T_INT(plan_next(&p, 1000).step, PLAN_STOP);
    one[0] = container('1', false, false);
    T_INT(plan_next(&p, 1000).step, PLAN_REMOVE_SANDBOX);
    T_STR(plan_phase(&p), "Running");
}

TEST(back_off_doubles_to_five_minutes_and_is_forgotten)
{
    static const int64_t waits[] = {0, 10000, 20000, 40000, 80000, 160000, 300000, 300000};
    int64_t memory = 0;
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
        T_INT(plan_backoff(&memory, 50), waits[i]);
    T_INT(plan_backoff(&memory, 600001), 0);
    T_INT(plan_backoff(&memory, 50), 10000);
}

TEST(probes_count_in_a_row)
{
    struct probe_rule rule = {.success_threshold = 2, .failure_threshold = 3};
    struct probe_count c = {0};
    static const struct {
        bool ok, changed;
        enum probe_opinion opinion;
    } steps[] = {{true, false, PROBE_UNKNOWN}, {false, false, PROBE_UNKNOWN}, {true, false, PROBE_UNKNOWN},
                 {true, true, PROBE_GOOD},     {false, false, PROBE_GOOD},    {false, false, PROBE_GOOD},
                 {true, false, PROBE_GOOD},    {false, false, PROBE_GOOD},    {false, false, PROBE_GOOD},
                 {false, true, PROBE_BAD},     {true, false, PROBE_BAD},      {true, true, PROBE_GOOD}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        T_INT(probe_count_add(&c, &rule, steps[i].ok), steps[i].changed);
        T_INT(c.opinion, steps[i].opinion);
    }
}

TEST(probe_numbers_have_defaults)
{
    json_t *probe = json_loads("{\"initialDelaySeconds\": 3, \"timeoutSeconds\": 0}", 0, NULL);
    struct probe_rule r = probe_rule_read(probe);
    T_INT(r.initial_delay_ms, 3000);
    T_INT(r.period_ms, 10000);
    T_INT(r.timeout_ms, 1000);
    T_INT(r.success_threshold, 1);
    T_INT(r.failure_threshold, 3);
    json_decref(probe);
}

int main(void)
{
    RUN(the_next_step_follows_from_the_state);
    RUN(a_back_off_is_waited_for_but_holds_up_no_other);
    RUN(a_lost_sandbox_is_removed_when_nothing_runs_in_it);
    RUN(back_off_doubles_to_five_minutes_and_is_forgotten);
    RUN(probes_count_in_a_row);
    RUN(probe_numbers_have_defaults);
    return DONE();
}
