/* See probecount.h. */
#include "node/probecount.h"

static int at_least(int64_t value, int least)
{
    return value < least ? least : value > INT32_MAX / 1000 ? INT32_MAX / 1000 : (int)value;
}

struct probe_rule probe_rule_read(const json_t *probe)
{
    return (struct probe_rule){
        .initial_delay_ms = 1000 * at_least(jint(probe, "initialDelaySeconds", 0), 0),
        .period_ms = 1000 * at_least(jint(probe, "periodSeconds", 10), 1),
        .timeout_ms = 1000 * at_least(jint(probe, "timeoutSeconds", 1), 1),
        .success_threshold = at_least(jint(probe, "successThreshold", 1), 1),
        .failure_threshold = at_least(jint(probe, "failureThreshold", 3), 1),
    };
}

bool probe_count_add(struct probe_count *c, const struct probe_rule *rule, bool ok)
{
    enum probe_opinion before = c->opinion;
    c->in_a_row = c->in_a_row > 0 && c->last_ok == ok ? c->in_a_row + 1 : 1;
    c->last_ok = ok;
    if (c->in_a_row >= (ok ? rule->success_threshold : rule->failure_threshold))
        c->opinion = ok ? PROBE_GOOD : PROBE_BAD;
    return c->opinion != before;
}
