/* When a CronJob runs: "30 6-16/4 * * MON-FRI", "@hourly", "@every 90m", as the library of upstream reads it
 * (robfig/cron v3, ParseStandard), and with its messages. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/zone.h"

struct schedule {
    uint64_t minutes, hours, days, months, weekdays; /* bit n: the number n; months from 1, Sunday is 0 */
    bool any_day, any_weekday; /* written as "*": then the other one alone decides; else either will do */
    int64_t every;             /* seconds between two runs; 0: by the fields above */
};

int schedule_parse(const char *text, struct schedule *ret, struct err *err);
/* The first run after a time (both in seconds since 1970); 0 when there is none in the next five years. */
int64_t schedule_next(const struct schedule *s, const struct zone *zone, int64_t after);
