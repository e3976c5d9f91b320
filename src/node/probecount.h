/* When a probe's results turn into an opinion. Pure. */
#pragma once
#include <stdbool.h>

#include "json/json.h"

struct probe_rule {
    int initial_delay_ms, period_ms, timeout_ms;
    int success_threshold, failure_threshold;
};
/* With the defaults of the API for what is missing. */
struct probe_rule probe_rule_read(const json_t *probe);

enum probe_opinion { PROBE_UNKNOWN, PROBE_GOOD, PROBE_BAD, PROBE_OPINION_N };

struct probe_count {
    enum probe_opinion opinion;
    int in_a_row;
    bool last_ok;
};
/* One more result; true when the opinion has changed by it. */
bool probe_count_add(struct probe_count *c, const struct probe_rule *rule, bool ok);
