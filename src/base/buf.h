/* A growing byte buffer with a maximum that is part of its making: whoever builds a text says how large it may get.
 * Past the maximum the buffer turns `overflowed`, keeps what it has and ignores further additions; check once, at the
 * end. The bytes are always followed by a NUL that is not counted, so that text can be used as a C string. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; /* NULL while empty: use buf_str() for text */
    size_t len, cap;
    size_t max; /* bytes; 0 means no limit (only for sizes that no outsider decides) */
    bool overflowed;
};

#define BUF_INIT(max_bytes)                                                                                            \
    {                                                                                                                  \
        .max = (max_bytes)                                                                                             \
    }

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* empties, keeps the memory */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *b, const char *fmt, va_list ap);
/* Room for `len` more bytes to be written at the returned place, then counted with buf_grown(); NULL past the maximum.
 */
char *buf_reserve(struct buf *b, size_t len);
void buf_grown(struct buf *b, size_t len);
void buf_drop_front(struct buf *b, size_t len);
void buf_cut(struct buf *b, size_t len); /* to its first len bytes; nothing if it has no more */
const char *buf_str(const struct buf *b);
/* Hands the bytes (NUL-terminated) to the caller, who frees them; the buffer is empty afterwards. */
char *buf_take(struct buf *b);
