/* See zone.h. A file is a list of moments at which the offset changes, and for the time after them a rule in POSIX's
 * notation ("CET-1CEST,M3.5.0,M10.5.0/3"). */
#include "base/zone.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"

#define ZONE_DIR "/usr/share/zoneinfo"
#define NAME_MAX_LEN 64      /* the longest in the database has 32 */
#define FILE_MAX (64 * 1024) /* the largest in the database has 4 kB */
#define HEADER_SIZE 44
#define TYPE_SIZE 6 /* offset, whether it is summer time, where its name is */
#define OFFSET_MAX (26 * 3600)

struct rule { /* the day on which an offset begins, and when on it */
    enum { RULE_NONE, RULE_MONTH, RULE_JULIAN, RULE_DAY } how;
    int month, week, day;
    int32_t at;
};

struct zone {
    size_t n;
    int64_t *from;            /* [n], ascending */
    int32_t *offset;          /* [n], from then on */
    int32_t before;           /* until the first */
    int32_t standard, summer; /* after the last, by these rules; none: the last offset stays */
    struct rule begins, ends;
    bool has_tail;
};

/* --- the rule at the end --- */

static bool read_number(const char **s, int min, int max, int *ret)
{
    int n = 0, digits = 0;
    for (; **s >= '0' && **s <= '9' && digits < 4; (*s)++, digits++)
        n = n * 10 + (**s - '0');
    *ret = n;
    return digits && n >= min && n <= max;
}

static bool read_char(const char **s, char c)
{
    bool is = **s == c;
    *s += is;
    return is;
}

static bool read_name(const char **s)
{
    const char *start = *s;
    if (read_char(s, '<')) {
        *s += strcspn(*s, ">");
        return read_char(s, '>');
    }
    while ((**s >= 'A' && **s <= 'Z') || (**s >= 'a' && **s <= 'z'))
        (*s)++;
    return *s - start >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool read_clock(const char **s, int32_t *ret)
{
    int h, m = 0, sec = 0;
    bool minus = read_char(s, '-');
    if (!minus)
        read_char(s, '+');
    if (!read_number(s, 0, 167, &h) || (read_char(s, ':') && !read_number(s, 0, 59, &m)) ||
        (read_char(s, ':') && !read_number(s, 0, 59, &sec)))
        return false;
    *ret = (h * 3600 + m * 60 + sec) * (minus ? -1 : 1);
    return true;
}

static bool read_rule(const char **s, struct rule *r)
{
    r->at = 2 * 3600;
    if (read_char(s, 'M')) {
        r->how = RULE_MONTH;
        if (!read_number(s, 1, 12, &r->month) || !read_char(s, '.') || !read_number(s, 1, 5, &r->week) ||
            !read_char(s, '.') || !read_number(s, 0, 6, &r->day))
            return false;
    } else {
        r->how = read_char(s, 'J') ? RULE_JULIAN : RULE_DAY;
        if (!read_number(s, r->how == RULE_JULIAN, 365, &r->day))
            return false;
    }
    return !read_char(s, '/') || read_clock(s, &r->at);
}

static bool read_tail(struct zone *z, const char *s)
{
    int32_t west;
    if (!read_name(&s) || !read_clock(&s, &west))
        return false;
    z->standard = -west;
    if (!*s)
        return true;
    if (!read_name(&s))
        return false;
    z->summer = z->standard + 3600;
    if (*s != ',') {
        if (!read_clock(&s, &west))
            return false;
        z->summer = -west;
    }
    return read_char(&s, ',') && read_rule(&s, &z->begins) && read_char(&s, ',') && read_rule(&s, &z->ends) && !*s;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* The rule's moment in a year, on the clock that shows `offset`. */
static int64_t rule_time(const struct rule *r, int year, int32_t offset)
{
    struct tm day = {.tm_year = year - 1900, .tm_mday = 1};
    if (r->how == RULE_MONTH) {
        day.tm_mon = r->month - 1;
        int64_t first = timegm(&day); /* sets the day of the week */
        int to_first = (r->day - day.tm_wday + 7) % 7, month = r->month;
        int days = month == 2 ? 28 + is_leap(year) : 30 + ((month + (month > 7)) % 2);
        int date = to_first + 7 * (r->week - 1);
        while (date >= days)
            date -= 7;
        return first + date * 86400LL + r->at - offset;
    }
    int days = r->how == RULE_JULIAN ? r->day - 1 + (is_leap(year) && r->day > 59) : r->day;
    return timegm(&day) + days * 86400LL + r->at - offset;
}

static int32_t tail_offset(const struct zone *z, int64_t t)
{
    struct tm local;
    time_t shown = t + z->standard;
    if (z->begins.how == RULE_NONE || !gmtime_r(&shown, &local))
        return z->standard;
    int64_t begins = rule_time(&z->begins, local.tm_year + 1900, z->standard);
    int64_t ends = rule_time(&z->ends, local.tm_year + 1900, z->summer);
    bool summer = begins < ends ? t >= begins && t < ends : t >= begins || t < ends;
    return summer ? z->summer : z->standard;
}

/* --- the file --- */

static int64_t big_endian(const uint8_t *p, size_t size)
{
    uint64_t v = size == 4 && (p[0] & 0x80) ? ~0ULL : 0;
    for (size_t i = 0; i < size; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

struct header {
    size_t utc_flags, std_flags, leaps, times, types, chars;
    size_t body; /* bytes behind the header */
};

static bool read_header(const uint8_t *p, size_t len, size_t time_size, struct header *h)
{
    if (len < HEADER_SIZE || memcmp(p, "TZif", 4) != 0)
        return false;
    size_t *counts[] = {&h->utc_flags, &h->std_flags, &h->leaps, &h->times, &h->types, &h->chars};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        int64_t n = big_endian(p + 20 + 4 * i, 4);
        if (n < 0 || n > FILE_MAX)
            return false;
        *counts[i] = (size_t)n;
    }
    h->body = h->times * (time_size + 1) + h->types * TYPE_SIZE + h->chars + h->leaps * (time_size + 4) + h->std_flags +
              h->utc_flags;
    return h->body <= len - HEADER_SIZE;
}

static bool read_changes(struct zone *z, const uint8_t *p, const struct header *h, size_t time_size)
{
    const uint8_t *index = p + h->times * time_size, *types = index + h->times;
    z->from = xcalloc(h->times + 1, sizeof(*z->from));
    z->offset = xcalloc(h->times + 1, sizeof(*z->offset));
    z->n = h->times;
    z->before = (int32_t)big_endian(types, 4);
    for (size_t i = 0; i < h->types; i++)
        if (big_endian(types + i * TYPE_SIZE, 4) > OFFSET_MAX || big_endian(types + i * TYPE_SIZE, 4) < -OFFSET_MAX)
            return false;
    for (size_t i = 0; i < h->times; i++) {
        if (index[i] >= h->types)
            return false;
        z->from[i] = big_endian(p + i * time_size, time_size);
        z->offset[i] = (int32_t)big_endian(types + index[i] * TYPE_SIZE, 4);
        if (i && z->from[i] <= z->from[i - 1])
            return false;
    }
    return true;
}

/* The file twice over: with 32-bit times for old readers, then (from version 2) with 64-bit ones and the rule. */
static bool read_file(struct zone *z, const uint8_t *p, size_t len)
{
    struct header h;
    if (!read_header(p, len, 4, &h))
        return false;
    if (p[4] < '2')
        return h.types && read_changes(z, p + HEADER_SIZE, &h, 4);
    p += HEADER_SIZE + h.body;
    len -= HEADER_SIZE + h.body;
    if (!read_header(p, len, 8, &h) || !h.types || !read_changes(z, p + HEADER_SIZE, &h, 8))
        return false;
    p += HEADER_SIZE + h.body;
    len -= HEADER_SIZE + h.body;
    const uint8_t *end = len > 1 && *p == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;
    if (!end || end == p + 1)
        return true;
    _cleanup_free_ char *tail = xstrndup((const char *)p + 1, (size_t)(end - p - 1));
    z->has_tail = read_tail(z, tail);
    return z->has_tail;
}

struct zone *zone_parse(const void *bytes, size_t len)
{
    struct zone *z = NEW(struct zone);
    if (len <= FILE_MAX && read_file(z, bytes, len))
        return z;
    zone_free(z);
    return NULL;
}

/* Names come from users: nothing that leads elsewhere. */
static bool is_zone_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    return *name && *name != '/' && strlen(name) <= NAME_MAX_LEN && !name[strspn(name, allowed)];
}

struct zone *zone_load(const char *name)
{
    char path[sizeof(ZONE_DIR) + NAME_MAX_LEN + 1];
    if (streq(name, "") || streq(name, "UTC"))
        return NEW(struct zone);
    if (!is_zone_name(name))
        return NULL;
    snprintf(path, sizeof(path), ZONE_DIR "/%s", name);
    size_t len;
    struct err err;
    _cleanup_free_ char *bytes = file_read(path, FILE_MAX, &len, &err);
    return bytes ? zone_parse(bytes, len) : NULL;
}

void zone_free(struct zone *z)
{
    if (!z)
        return;
    free(z->from);
    free(z->offset);
    free(z);
}

int32_t zone_offset(const struct zone *z, int64_t t)
{
    size_t low = 0, high = z->n; /* the first change after t */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (z->from[mid] <= t)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == z->n && z->has_tail)
        return tail_offset(z, t);
    return low ? z->offset[low - 1] : z->before;
}
