/* Timestamps and durations: reading them, and asking a timestamp for its parts, in any time zone. */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/zone.h"
#include "cel/functions.h"

#define SECOND_NS 1000000000LL

/* --- reading --- */

struct cel_value cel_parse_timestamp(struct cel_value v, struct cel_arena *a)
{
    int64_t usec;
    _cleanup_free_ char *text = xstrndup(v.text.s, v.text.len);
    bool date = v.text.len == 10; /* the format "date" */
    _cleanup_free_ char *whole = xasprintf("%s%s", text, date ? "T00:00:00Z" : "");
    if (strlen(text) != v.text.len || !time_parse(whole, &usec))
        return cel_errorf(a, "parsing time \"%.60s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse", text);
    return (struct cel_value){.kind = CEL_TIMESTAMP, .integer = usec};
}

static bool read_unit(const char **s, int64_t *ret)
{
    static const struct {
        const char *text;
        int64_t nanoseconds;
    } units[] = {{"ns", 1},       {"us", 1000},     {"\u00b5s", 1000},     {"\u03bcs", 1000},
                 {"ms", 1000000}, {"s", SECOND_NS}, {"m", 60 * SECOND_NS}, {"h", 3600 * SECOND_NS}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        const char *rest = str_after(*s, units[i].text);
        if (rest && !isalpha((unsigned char)*rest)) {
            *s = rest;
            *ret = units[i].nanoseconds;
            return true;
        }
    }
    return false;
}

/* "1.5" and its unit, in nanoseconds; at most 9 decimals count. */
static bool read_part(const char **s, __int128 *sum)
{
    __int128 whole = 0, fraction = 0, scale = 1;
    const char *from = *s;
    int64_t unit;
    for (; isdigit((unsigned char)**s) && whole < ((__int128)1 << 64); (*s)++)
        whole = whole * 10 + (**s - '0');
    size_t digits = (size_t)(*s - from);
    if (**s == '.')
        for ((*s)++; isdigit((unsigned char)**s); (*s)++, digits++)
            if (scale < SECOND_NS) {
                fraction = fraction * 10 + (**s - '0');
                scale *= 10;
            }
    if (!digits || !read_unit(s, &unit))
        return false;
    *sum += whole * unit + fraction * unit / scale;
    return *sum <= (__int128)INT64_MAX + 1;
}

struct cel_value cel_parse_duration(struct cel_value v, struct cel_arena *a)
{
    const char *text = cel_alloc_text(a, v.text.s, v.text.len), *s = text;
    bool negative = *s == '-', fine = strlen(text) == v.text.len;
    __int128 sum = 0;
    s += *s == '-' || *s == '+';
    if (streq(s, "0"))
        s++;
    else
        do
            fine = fine && read_part(&s, &sum);
        while (fine && *s);
    sum = negative ? -sum : sum;
    if (!fine || sum > INT64_MAX)
        return cel_errorf(a, "time: invalid duration \"%.60s\"", text);
    return (struct cel_value){.kind = CEL_DURATION, .integer = (int64_t)sum};
}

static struct cel_value timestamp(struct cel_run *run, const struct cel_value *a)
{
    return cel_charge_text(run, a[0].text.len) ? cel_parse_timestamp(a[0], &run->arena) : cel_exhausted();
}

static struct cel_value timestamp_of_seconds(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    if (a[0].integer < -62135596800 || a[0].integer >= 253402300800)
        return cel_error("timestamp overflow");
    return (struct cel_value){.kind = CEL_TIMESTAMP, .integer = a[0].integer * 1000000};
}

static struct cel_value duration(struct cel_run *run, const struct cel_value *a)
{
    return cel_charge_text(run, a[0].text.len) ? cel_parse_duration(a[0], &run->arena) : cel_exhausted();
}

static struct cel_value duration_of_nanoseconds(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return (struct cel_value){.kind = CEL_DURATION, .integer = a[0].integer};
}

static struct cel_value same(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return a[0];
}

/* --- parts --- */

/* "+02:00", "-05:30": seconds east of UTC. */
static bool fixed_offset(const char *s, int64_t *ret)
{
    bool west = *s == '-';
    s += west || *s == '+';
    if (strlen(s) != 5 || s[2] != ':' || strspn(s, "0123456789:") != 5)
        return false;
    int64_t hours = (s[0] - '0') * 10 + s[1] - '0', minutes = (s[3] - '0') * 10 + s[4] - '0';
    *ret = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return hours < 24 && minutes < 60;
}

/* A zone is a file to read: as dear as a thousand steps. */
#define ZONE_COST 1000

static bool offset_at(struct cel_run *run, const char *name, int64_t seconds, int64_t *ret)
{
    if (fixed_offset(name, ret))
        return true;
    if (!cel_charge(run, ZONE_COST))
        return false;
    struct zone *z = zone_load(name);
    if (!z)
        return false;
    *ret = zone_offset(z, seconds);
    zone_free(z);
    return true;
}

/* The local time; `a` has a zone behind the timestamp if `zoned`. False: there is no such zone. */
static bool local(struct cel_run *run, const struct cel_value *a, bool zoned, struct tm *ret)
{
    int64_t seconds = a[0].integer / 1000000 - (a[0].integer % 1000000 < 0), offset = 0;
    if (zoned && !offset_at(run, cel_c_text(run, a[1]), seconds, &offset))
        return false;
    time_t t = (time_t)(seconds + offset);
    return gmtime_r(&t, ret) != NULL;
}

#define PART(name, value)                                                                                              \
    static struct cel_value name##_of(struct cel_run *run, const struct cel_value *a, bool zoned)                      \
    {                                                                                                                  \
        struct tm tm;                                                                                                  \
        return local(run, a, zoned, &tm) ? cel_int(value) : cel_error("unknown time zone");                            \
    }                                                                                                                  \
    static struct cel_value name(struct cel_run *run, const struct cel_value *a)                                       \
    {                                                                                                                  \
        return name##_of(run, a, false);                                                                               \
    }                                                                                                                  \
    static struct cel_value name##_in(struct cel_run *run, const struct cel_value *a)                                  \
    {                                                                                                                  \
        return name##_of(run, a, true);                                                                                \
    }
PART(year, tm.tm_year + 1900)
PART(month, tm.tm_mon)
PART(day, tm.tm_mday)
PART(day_from_0, tm.tm_mday - 1)
PART(weekday, tm.tm_wday)
PART(day_of_year, tm.tm_yday)
PART(hour, tm.tm_hour)
PART(minute, tm.tm_min)
PART(second, tm.tm_sec)

static struct cel_value millisecond(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_int((a[0].integer % 1000000 + 1000000) % 1000000 / 1000);
}

#define SPAN(name, nanoseconds)                                                                                        \
    static struct cel_value name(struct cel_run *run, const struct cel_value *a)                                       \
    {                                                                                                                  \
        (void)run;                                                                                                     \
        return cel_int(a[0].integer / (nanoseconds));                                                                  \
    }
SPAN(in_hours, 3600 * SECOND_NS)
SPAN(in_minutes, 60 * SECOND_NS)
SPAN(in_seconds, SECOND_NS)

static struct cel_value its_milliseconds(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_int(a[0].integer % SECOND_NS / 1000000);
}

#define ZONED(text, function)                                                                                          \
    {text, "t:i", function},                                                                                           \
    {                                                                                                                  \
        text, "ts:i", function##_in                                                                                    \
    }

const struct cel_function cel_time_functions[] = {
    {"timestamp", "s:t", timestamp},
    {"timestamp", "t:t", same},
    {"timestamp", "i:t", timestamp_of_seconds},
    {"duration", "s:r", duration},
    {"duration", "r:r", same},
    {"duration", "i:r", duration_of_nanoseconds},
    ZONED(".getFullYear", year),
    ZONED(".getMonth", month),
    ZONED(".getDate", day),
    ZONED(".getDayOfMonth", day_from_0),
    ZONED(".getDayOfWeek", weekday),
    ZONED(".getDayOfYear", day_of_year),
    ZONED(".getHours", hour),
    ZONED(".getMinutes", minute),
    ZONED(".getSeconds", second),
    {".getMilliseconds", "t:i", millisecond},
    {".getMilliseconds", "ts:i", millisecond},
    {".getHours", "r:i", in_hours},
    {".getMinutes", "r:i", in_minutes},
    {".getSeconds", "r:i", in_seconds},
    {".getMilliseconds", "r:i", its_milliseconds},
    {0},
};
