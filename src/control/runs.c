/* See runs.h. Upstream: pkg/controller/cronjob/utils.go, mostRecentScheduleTime. */
#include "control/runs.h"

#include <string.h>

int runs_due(const struct schedule *s, const struct zone *zone, int64_t since, int64_t deadline, int64_t now,
             struct runs *ret, struct err *err)
{
    memset(ret, 0, sizeof(*ret));
    ret->next = schedule_next(s, zone, now);
    if (deadline >= 0 && now - deadline > since)
        since = now - deadline;
    int64_t first = schedule_next(s, zone, since), second = first ? schedule_next(s, zone, first) : 0;
    if (!first || !second)
        return err_set(err, 0, "time difference between two schedules is less than 1 second");
    if (first > now)
        return 0;
    if (second > now) {
        ret->due = first;
        ret->missed = 1;
        return 0;
    }
    /* However long it was away: a guess by the first interval, then the last few one by one. Where the intervals
     * differ (a break over night) the guess may come out too late: then from the beginning. */
    int64_t interval = second - first;
    ret->missed = (now - first) / interval + 1;
    int64_t from = first + (ret->missed - 2) * interval;
    int64_t t = schedule_next(s, zone, from);
    if (!t || t > now)
        t = first;
    for (; t && t <= now; t = schedule_next(s, zone, t))
        ret->due = t;
    return 0;
}
