/* See schedule.h. */
#include "kinds/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"
#include "base/str.h"

#define YEARS_AHEAD 5
#define TEXT_MAX 1024      /* longer than any list of all minutes */
#define EVERY_MAX 31536000 /* a year of seconds in each part of a duration: no sum overflows */

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct part {
    int min, max;
    const char *const *names; /* of min and up */
} parts[] = {{0, 59, NULL}, {0, 23, NULL}, {1, 31, NULL}, {1, 12, month_names}, {0, 6, weekday_names}};
#define N_PARTS ARRAY_LEN(parts)

/* --- text --- */

static int read_number(const char *text, int *ret, struct err *err)
{
    int64_t n;
    if (!str_to_i64(text + (*text == '+'), INT32_MIN, INT32_MAX, &n))
        return err_set(err, 0, "failed to parse int from %s: strconv.Atoi: parsing \"%s\": invalid syntax", text, text);
    if (n < 0)
        return err_set(err, 0, "negative number (%lld) not allowed: %s", (long long)n, text);
    *ret = (int)n;
    return 0;
}

static int read_value(const struct part *part, const char *text, int *ret, struct err *err)
{
    for (int i = 0; part->names && part->names[i]; i++)
        if (strcasecmp(part->names[i], text) == 0) {
            *ret = part->min + i;
            return 0;
        }
    return read_number(text, ret, err);
}

static int check_range(const struct part *part, int start, int end, int step, const char *text, struct err *err)
{
    if (start < part->min)
        return err_set(err, 0, "beginning of range (%d) below minimum (%d): %s", start, part->min, text);
    if (end > part->max)
        return err_set(err, 0, "end of range (%d) above maximum (%d): %s", end, part->max, text);
    if (start > end)
        return err_set(err, 0, "beginning of range (%d) beyond end of range (%d): %s", start, end, text);
    return step ? 0 : err_set(err, 0, "step of range should be a positive number: %s", text);
}

/* A star, "5", "1-5", "10-40/10", "MON-FRI", a star with a step: adds to *bits; *any when it is a bare star. */
static int read_range(const struct part *part, const char *text, uint64_t *bits, bool *any, struct err *err)
{
    size_t n_steps, n_ends;
    _cleanup_free_ char **stepped = str_split(text, '/', &n_steps), **ends = str_split(stepped[0], '-', &n_ends);
    bool star = streq(ends[0], "*") || streq(ends[0], "?");
    int start = part->min, end = part->max, step = 1;
    if (!star) {
        if (read_value(part, ends[0], &start, err) < 0)
            return -1;
        end = start;
        if (n_ends > 2)
            return err_set(err, 0, "too many hyphens: %s", text);
        if (n_ends == 2 && read_value(part, ends[1], &end, err) < 0)
            return -1;
    }
    if (n_steps > 2)
        return err_set(err, 0, "too many slashes: %s", text);
    if (n_steps == 2 && read_number(stepped[1], &step, err) < 0)
        return -1;
    if (n_steps == 2 && n_ends == 1)
        end = part->max;
    if (check_range(part, start, end, step, text, err) < 0)
        return -1;
    *any |= star && step == 1;
    for (int64_t i = start; i <= end; i += step)
        *bits |= 1ULL << i;
    return 0;
}

static int read_part(const struct part *part, const char *text, uint64_t *bits, bool *any, struct err *err)
{
    _cleanup_free_ char **ranges = str_split(text, ',', NULL);
    for (char **r = ranges; *r; r++)
        if (**r && read_range(part, *r, bits, any, err) < 0)
            return -1;
    return 0;
}

/* A Go duration of whole hours, minutes and seconds: "1h30m". */
static int read_every(const char *text, int64_t *ret, struct err *err)
{
    const char *s = text;
    int64_t total = 0;
    while (*s >= '0' && *s <= '9') {
        const char *unit = s + strspn(s, "0123456789");
        _cleanup_free_ char *digits = xstrndup(s, (size_t)(unit - s));
        int64_t n;
        if (!str_to_i64(digits, 0, EVERY_MAX, &n) || !*unit || !strchr("hms", *unit))
            break;
        total += n * (*unit == 'h' ? 3600 : *unit == 'm' ? 60 : 1);
        s = unit + 1;
    }
    if (*s || s == text)
        return err_set(err, 0, "failed to parse duration @every %s: time: invalid duration \"%s\"", text, text);
    *ret = total ? total : 1;
    return 0;
}

static int read_descriptor(const char *text, struct schedule *s, struct err *err)
{
    static const struct {
        const char *name, *fields;
    } known[] = {
        {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
        {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"},
    };
    const char *duration = str_after(text, "@every ");
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (streq(known[i].name, text))
            return schedule_parse(known[i].fields, s, err);
    return duration ? read_every(duration, &s->every, err) : err_set(err, 0, "unrecognized descriptor: %s", text);
}

/* Splits at blanks, in place; returns how many fields there are, even if more than fit. */
static size_t split_fields(char *text, char *fields[N_PARTS])
{
    size_t n = 0;
    char *rest;
    for (char *f = strtok_r(text, " \t\n\v\f\r", &rest); f; f = strtok_r(NULL, " \t\n\v\f\r", &rest), n++)
        if (n < N_PARTS)
            fields[n] = f;
    return n;
}

int schedule_parse(const char *text, struct schedule *ret, struct err *err)
{
    char copy[TEXT_MAX], *fields[N_PARTS];
    memset(ret, 0, sizeof(*ret));
    if (!*text || strlen(text) >= sizeof(copy))
        return err_set(err, 0, *text ? "schedule is too long" : "empty spec string");
    if (*text == '@')
        return read_descriptor(text, ret, err);
    memcpy(copy, text, strlen(text) + 1);
    size_t n = split_fields(copy, fields);
    if (n != N_PARTS)
        return err_set(err, 0, "expected exactly 5 fields, found %zu: [%s]", n, text);
    uint64_t *bits[] = {&ret->minutes, &ret->hours, &ret->days, &ret->months, &ret->weekdays};
    bool any[N_PARTS] = {false};
    for (size_t i = 0; i < N_PARTS; i++)
        if (read_part(&parts[i], fields[i], bits[i], &any[i], err) < 0)
            return -1;
    ret->any_day = any[2];
    ret->any_weekday = any[4];
    return 0;
}

/* --- time --- */

static bool has(uint64_t bits, int n)
{
    return bits >> n & 1;
}

static bool day_fits(const struct schedule *s, const struct tm *local)
{
    bool day = has(s->days, local->tm_mday), weekday = has(s->weekdays, local->tm_wday);
    return s->any_day || s->any_weekday ? day && weekday : day || weekday;
}

static bool local_time(const struct zone *zone, int64_t t, struct tm *ret)
{
    time_t shown = t + zone_offset(zone, t);
    return gmtime_r(&shown, ret) != NULL;
}

/* The beginning of a local day that comes `days` days after the one of t: midnight, or where the clocks skip that, what
 * they show instead. */
static int64_t day_start(const struct zone *zone, int64_t t, int64_t days)
{
    int64_t shown = t + zone_offset(zone, t);
    int64_t midnight = (shown - (shown % 86400 + 86400) % 86400) + days * 86400;
    int64_t guess = midnight - zone_offset(zone, t);
    int64_t start = midnight - zone_offset(zone, guess);
    return start > t ? start : guess;
}

int64_t schedule_next(const struct schedule *s, const struct zone *zone, int64_t after)
{
    struct tm local;
    if (s->every)
        return after + s->every;
    int64_t t = after - ((after % 60) + 60) % 60 + 60;
    if (!local_time(zone, t, &local))
        return 0;
    for (int last = local.tm_year + YEARS_AHEAD; local.tm_year <= last;) {
        if (!has(s->months, local.tm_mon + 1) || !day_fits(s, &local))
            t = day_start(zone, t, 1);
        else if (!has(s->hours, local.tm_hour))
            t += 3600 - local.tm_min * 60 - local.tm_sec;
        else if (!has(s->minutes, local.tm_min))
            t += 60;
        else
            return t;
        if (!local_time(zone, t, &local))
            return 0;
    }
    return 0;
}
