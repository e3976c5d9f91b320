/* Time zones of the tz database, as many at a time as are wanted: libc knows only the one of the process. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct zone;
/* "Europe/Berlin", "UTC"; NULL when there is no such zone. UTC needs no database. */
struct zone *zone_load(const char *name);
/* A TZif file (RFC 8536); NULL when it is none. */
struct zone *zone_parse(const void *bytes, size_t len);
void zone_free(struct zone *z); /* NULL is fine */
/* Seconds east of UTC at a time (seconds since 1970). */
int32_t zone_offset(const struct zone *z, int64_t t);
