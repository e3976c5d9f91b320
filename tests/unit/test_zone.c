/* base/zone.h: what the clocks show, in files of the database and after their end. */
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/zone.h"
#include "t.h"

static int64_t utc(int year, int month, int day, int hour, int minute)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};
    return timegm(&tm);
}

TEST(offsets)
{
    static const struct {
        const char *zone;
        int year, month, day, hour, minute, want;
    } rows[] = {
        {"UTC", 2026, 7, 1, 0, 0, 0},
        {"Etc/UTC", 2026, 7, 1, 0, 0, 0},
        {"Europe/Berlin", 2026, 1, 1, 0, 0, 3600},
        {"Europe/Berlin", 2026, 3, 29, 0, 59, 3600},
        {"Europe/Berlin", 2026, 3, 29, 1, 0, 7200},
        {"Europe/Berlin", 2026, 10, 25, 0, 59, 7200},
        {"Europe/Berlin", 2026, 10, 25, 1, 0, 3600},
        {"Europe/Berlin", 1890, 1, 1, 0, 0, 53 * 60 + 28},
        {"Europe/Berlin", 2060, 7, 1, 0, 0, 7200}, /* by the rule at the end */
        {"Europe/Berlin", 2060, 12, 1, 0, 0, 3600},
        {"America/New_York", 2050, 3, 13, 6, 59, -5 * 3600},
        {"America/New_York", 2050, 3, 13, 7, 0, -4 * 3600},
        {"America/New_York", 2050, 11, 6, 5, 59, -4 * 3600},
        {"America/New_York", 2050, 11, 6, 6, 0, -5 * 3600},
        {"Australia/Sydney", 2050, 1, 1, 0, 0, 11 * 3600}, /* summer over the new year */
        {"Australia/Sydney", 2050, 7, 1, 0, 0, 10 * 3600},
        {"Asia/Kolkata", 2050, 7, 1, 0, 0, 19800},
        {"Europe/Dublin", 2050, 7, 1, 0, 0, 3600},
        {"Asia/Tokyo", 2026, 11, 20, 0, 0, 32400},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zone *z = zone_load(rows[i].zone);
        if (!z) {
            T_FAIL("no zone %s", rows[i].zone);
            continue;
        }
        int got = zone_offset(z, utc(rows[i].year, rows[i].month, rows[i].day, rows[i].hour, rows[i].minute));
        if (got != rows[i].want)
            T_FAIL("%s (row %zu): %d, want %d", rows[i].zone, i, got, rows[i].want);
        zone_free(z);
    }
}

TEST(what_is_no_zone)
{
    static const char *const names[] = {
        "Mars/Olympus", "../../../etc/passwd", "/etc/localtime", "tzdata.zi", "Europe", "zone1970.tab", "a b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct zone *z = zone_load(names[i]);
        if (z)
            T_FAIL("%s is taken for a zone", names[i]);
        zone_free(z);
    }
    T_TRUE(!zone_parse("TZif2", 5));
}

int main(void)
{
    RUN(offsets);
    RUN(what_is_no_zone);
    return DONE();
}
