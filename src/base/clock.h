/* Time as the API writes it, and time to measure with. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_ms(void);   /* for durations; starts anywhere */
int64_t clock_wall_usec(void); /* microseconds since 1970 UTC */

#define TIME_TEXT_SIZE 32
/* RFC 3339 in UTC: metav1.Time ("2026-11-20T10:00:00Z") and metav1.MicroTime (six decimals). They return `out`. */
char *time_format(int64_t wall_usec, char out[TIME_TEXT_SIZE]);
char *time_format_micro(int64_t wall_usec, char out[TIME_TEXT_SIZE]);
/* Any RFC 3339 time, offset and fraction included. */
bool time_parse(const char *text, int64_t *ret_wall_usec);
/* A length as Go writes it, of whole hours, minutes and seconds: "8760h", "1h30m", "90s". */
bool time_parse_duration(const char *text, int64_t *ret_seconds);
/* Age as kubectl prints it: 5s, 3m12s, 47m, 5h3m, 2d4h, 9d, 2y… (apimachinery duration.HumanDuration). */
char *time_human_duration(int64_t usec, char out[TIME_TEXT_SIZE]);
