/* Memory that is always there: allocation failure ends the program. The state is in the store and containers outlive
 * us, so a restart is safer than unwinding code that never runs. The counterpart: whatever an outsider can grow has a
 * limit. */
#pragma once
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull));
/* NULL in, NULL out. */
char *xstrdup_or_null(const char *s);
void *xmemdup(const void *p, size_t size) __attribute__((malloc, returns_nonnull));
/* The caller frees. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

#define NEW(type) ((type *)xcalloc(1, sizeof(type)))

static inline void free_indirect(void *p)
{
    free(*(void **)p);
}
static inline void close_indirect(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
/* A local owns what it points to until it is TAKEn. */
#define _cleanup_(var) __attribute__((cleanup(var)))
#define _cleanup_free_ _cleanup_(free_indirect) __attribute__((unused))
#define _cleanup_close_ _cleanup_(close_indirect)
#define TAKE(p)                                                                                                        \
    ({                                                                                                                 \
        typeof(p) taken_ = (p);                                                                                        \
        (p) = NULL;                                                                                                    \
        taken_;                                                                                                        \
    })
#define TAKE_FD(fd)                                                                                                    \
    ({                                                                                                                 \
        int taken_ = (fd);                                                                                             \
        (fd) = -1;                                                                                                     \
        taken_;                                                                                                        \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
