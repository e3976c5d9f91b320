/* Which run of a CronJob's schedule is due. Pure; times are seconds since 1970. */
#pragma once
#include "kinds/schedule.h"

#define RUNS_MISSED_MAX 100 /* upstream: above this a warning is given */

struct runs {
    int64_t due;    /* the latest run that lies in the past and was not made; 0: none */
    int64_t next;   /* the one after now; 0: none */
    int64_t missed; /* about how many lie before now */
};
/* `since`: the last run that was made, or the creation. deadline: how late a run may be; -1: any time. Returns < 0 when
 * the schedule has no runs. */
int runs_due(const struct schedule *s, const struct zone *zone, int64_t since, int64_t deadline, int64_t now,
             struct runs *ret, struct err *err);
