/* kinds/schedule.h: what is refused and how, and when the next run is. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "kinds/schedule.h"
#include "t.h"

TEST(refusals)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "empty spec string"},
        {"* * * *", "expected exactly 5 fields, found 4: [* * * *]"},
        {"0 0 * * * *", "expected exactly 5 fields, found 6: [0 0 * * * *]"},
        {"60 * * * *", "end of range (60) above maximum (59): 60"},
        {"* * 0 * *", "beginning of range (0) below minimum (1): 0"},
        {"* * * * 7", "end of range (7) above maximum (6): 7"},
        {"5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"},
        {"*/0 * * * *", "step of range should be a positive number: */0"},
        {"1-2-3 * * * *", "too many hyphens: 1-2-3"},
        {"*/2/3 * * * *", "too many slashes: */2/3"},
        {"x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax"},
        {"@nightly", "unrecognized descriptor: @nightly"},
        {"@every 5x", "failed to parse duration @every 5x: time: invalid duration \"5x\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct schedule s;
        struct err err = {0};
        if (schedule_parse(rows[i].text, &s, &err) == 0)
            T_FAIL("\"%s\" is taken", rows[i].text);
        T_STR(err.msg, rows[i].why);
    }
}

static const char *next(const char *schedule, const char *zone_name, const char *after)
{
    static char text[TIME_TEXT_SIZE];
    struct schedule s;
    struct err err = {0};
    int64_t t;
    if (schedule_parse(schedule, &s, &err) < 0 || !time_parse(after, &t))
        return err.msg[0] ? "bad schedule" : "bad time";
    struct zone *zone = zone_load(zone_name);
    int64_t run = schedule_next(&s, zone, t / 1000000);
    zone_free(zone);
    return run ? time_format(run * 1000000, text) : "never";
}

TEST(next_runs)
{
    static const struct {
        const char *schedule, *zone, *after, *want;
    } rows[] = {
        {"* * * * *", "UTC", "2026-11-20T10:00:00Z", "2026-11-20T10:01:00Z"},
        {"* * * * *", "UTC", "2026-11-20T10:00:59Z", "2026-11-20T10:01:00Z"},
        {"*/15 * * * *", "UTC", "2026-11-20T10:46:00Z", "2026-11-20T11:00:00Z"},
        {"5/20 * * * *", "UTC", "2026-11-20T10:26:00Z", "2026-11-20T10:45:00Z"},
        {"30 6-16/4 * * 1-5", "UTC", "2026-11-20T14:30:00Z", "2026-11-23T06:30:00Z"},
        {"0 0 1 JAN ?", "UTC", "2026-11-20T10:00:00Z", "2027-01-01T00:00:00Z"},
        {"0 0 * * sun,TUE", "UTC", "2026-11-20T10:00:00Z", "2026-11-22T00:00:00Z"},
        {"0 0 13 * 5", "UTC", "2026-11-20T10:00:00Z", "2026-11-27T00:00:00Z"}, /* either */
        {"0 0 13 * 5", "UTC", "2026-12-05T10:00:00Z", "2026-12-11T00:00:00Z"},
        {"0 0 */2 * 5", "UTC", "2026-11-20T10:00:00Z", "2026-11-21T00:00:00Z"}, /* a stepped star is no star */
        {"0 0 29 2 *", "UTC", "2026-11-20T10:00:00Z", "2028-02-29T00:00:00Z"},
        {"59 23 31 2 *", "UTC", "2026-11-20T10:00:00Z", "never"},
        {"@hourly", "UTC", "2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"},
        {"@weekly", "UTC", "2026-11-20T10:00:00Z", "2026-11-22T00:00:00Z"},
        {"@every 1h30m", "UTC", "2026-11-20T10:00:10Z", "2026-11-20T11:30:10Z"},
        {"0 9 * * *", "Asia/Tokyo", "2026-11-20T10:00:00Z", "2026-11-21T00:00:00Z"},
        {"30 0 * * *", "Asia/Kolkata", "2026-11-20T10:00:00Z", "2026-11-20T19:00:00Z"},
        {"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"}, /* the hour is left out */
        {"30 2 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"}, /* … or comes twice */
        {"30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"},
        {"0 12 * * *", "America/Santiago", "2026-09-05T20:00:00Z", "2026-09-06T15:00:00Z"}, /* no midnight that day */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = next(rows[i].schedule, rows[i].zone, rows[i].after);
        if (!streq(got, rows[i].want))
            T_FAIL("\"%s\" in %s after %s: %s, want %s", rows[i].schedule, rows[i].zone, rows[i].after, got,
                   rows[i].want);
    }
}

int main(void)
{
    RUN(refusals);
    RUN(next_runs);
    return DONE();
}
