/* One line a message on stderr: time, level, area, text. Library rooms stay at debug; what a person should see is
 * logged once, where an error stops travelling. A .c file that logs defines LOG_AREA before it includes this. */
#pragma once

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVEL_N };

#ifndef LOG_AREA
#define LOG_AREA "c8s"
#endif

void log_set_level(enum log_level level);
/* -1 when the name is none of debug, info, warn, error. */
int log_level_from_name(const char *name);
void log_write(enum log_level level, const char *area, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_debug(...) log_write(LOG_DEBUG, LOG_AREA, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, LOG_AREA, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, LOG_AREA, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, LOG_AREA, __VA_ARGS__)
