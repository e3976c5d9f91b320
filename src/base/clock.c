/* See clock.h. */
#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t clock_mono_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_wall_usec(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* What four digits can say, in seconds since 1970. */
#define YEAR_0 (-62167219200)
#define YEAR_10000 253402300800

static char *format(int64_t usec, bool micro, char *out)
{
    time_t secs = (time_t)(usec / 1000000);
    int64_t rest = usec % 1000000;
    if (rest < 0) {
        rest += 1000000;
        secs--;
    }
    struct tm tm;
    gmtime_r(&secs, &tm);
    size_t n = (size_t)snprintf(out, 5, "%04u", (unsigned)(tm.tm_year + 1900) % 10000);
    n += strftime(out + n, TIME_TEXT_SIZE - n, "-%m-%dT%H:%M:%S", &tm);
    if (micro)
        snprintf(out + n, TIME_TEXT_SIZE - n, ".%06dZ", (int)rest);
    else
        snprintf(out + n, TIME_TEXT_SIZE - n, "Z");
    return out;
}

char *time_format(int64_t wall_usec, char out[TIME_TEXT_SIZE])
{
    return format(wall_usec, false, out);
}

char *time_format_micro(int64_t wall_usec, char out[TIME_TEXT_SIZE])
{
    return format(wall_usec, true, out);
}

/* `n` decimal digits at *p, inside [min, max]. */
static bool digits(const char **p, int n, int min, int max, int *ret)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        if (!isdigit((unsigned char)**p))
            return false;
        v = v * 10 + *(*p)++ - '0';
    }
    *ret = v;
    return v >= min && v <= max;
}

static bool literal(const char **p, char c)
{
    return *(*p)++ == c;
}

bool time_parse(const char *s, int64_t *ret)
{
    struct tm tm = {0};
    if (!digits(&s, 4, 0, 9999, &tm.tm_year) || !literal(&s, '-') || !digits(&s, 2, 1, 12, &tm.tm_mon) ||
        !literal(&s, '-') || !digits(&s, 2, 1, 31, &tm.tm_mday) || (*s != 'T' && *s != 't'))
        return false;
    s++;
    if (!digits(&s, 2, 0, 23, &tm.tm_hour) || !literal(&s, ':') || !digits(&s, 2, 0, 59, &tm.tm_min) ||
        !literal(&s, ':') || !digits(&s, 2, 0, 60, &tm.tm_sec))
        return false;
    int64_t frac = 0;
    if (*s == '.') {
        int64_t unit = 100000;
        if (!isdigit((unsigned char)*++s))
            return false;
        for (; isdigit((unsigned char)*s); s++, unit /= 10)
            frac += (*s - '0') * unit;
    }
    int64_t offset = 0;
    if (*s == '+' || *s == '-') {
        int sign = *s++ == '-' ? -1 : 1, h, m;
        if (!digits(&s, 2, 0, 23, &h) || !literal(&s, ':') || !digits(&s, 2, 0, 59, &m))
            return false;
        offset = sign * (h * 3600 + m * 60);
    } else if (*s == 'Z' || *s == 'z') {
        s++;
    } else {
        return false;
    }
    if (*s)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int day = tm.tm_mday;
    bool leap_second = tm.tm_sec == 60;
    int64_t t = (int64_t)timegm(&tm) - offset;
    if (tm.tm_mday != day && !leap_second) /* 31 February */
        return false;
    if (t < YEAR_0 || t >= YEAR_10000)
        return false;
    *ret = t * 1000000 + frac;
    return true;
}

char *time_human_duration(int64_t usec, char out[TIME_TEXT_SIZE])
{
    int64_t s = usec / 1000000, m = s / 60, h = s / 3600, d = h / 24;
    if (s < -1)
        snprintf(out, TIME_TEXT_SIZE, "<invalid>");
    else if (s < 0)
        snprintf(out, TIME_TEXT_SIZE, "0s");
    else if (s < 120)
        snprintf(out, TIME_TEXT_SIZE, "%ds", (int)s);
    else if (m < 10 && s % 60)
        snprintf(out, TIME_TEXT_SIZE, "%dm%ds", (int)m, (int)(s % 60));
    else if (m < 180)
        snprintf(out, TIME_TEXT_SIZE, "%dm", (int)m);
    else if (h < 8 && m % 60)
        snprintf(out, TIME_TEXT_SIZE, "%dh%dm", (int)h, (int)(m % 60));
    else if (h < 48)
        snprintf(out, TIME_TEXT_SIZE, "%dh", (int)h);
    else if (h < 192 && h % 24)
        snprintf(out, TIME_TEXT_SIZE, "%dd%dh", (int)d, (int)(h % 24));
    else if (d < 730)
        snprintf(out, TIME_TEXT_SIZE, "%dd", (int)d);
    else if (d < 2920 && d / 365 && d % 365)
        snprintf(out, TIME_TEXT_SIZE, "%dy%dd", (int)(d / 365), (int)(d % 365));
    else
        snprintf(out, TIME_TEXT_SIZE, "%dy", (int)(d / 365));
    return out;
}

bool time_parse_duration(const char *text, int64_t *ret_seconds)
{
    static const struct {
        char name;
        int64_t seconds;
    } units[] = {{'h', 3600}, {'m', 60}, {'s', 1}};
    int64_t total = 0;
    size_t unit = 0;
    if (!*text)
        return false;
    while (*text) {
        int64_t n = 0;
        const char *begin = text;
        for (; isdigit((unsigned char)*text) && n < INT32_MAX; text++)
            n = 10 * n + (*text - '0');
        while (unit < sizeof(units) / sizeof(*units) && units[unit].name != *text)
            unit++;
        if (text == begin || unit == sizeof(units) / sizeof(*units))
            return false;
        total += n * units[unit++].seconds;
        text++;
    }
    *ret_seconds = total;
    return true;
}
