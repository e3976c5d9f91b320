/* See crilog.h. */
#include "node/crilog.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

void crilog_init(struct crilog_reader *r, const struct crilog_options *o)
{
    *r = (struct crilog_reader){.o = *o, .rest = BUF_INIT(CRILOG_LINE_MAX), .left = o->limit_bytes};
}

void crilog_done(struct crilog_reader *r)
{
    buf_done(&r->rest);
}

bool crilog_full(const struct crilog_reader *r)
{
    return r->o.limit_bytes >= 0 && r->left <= 0;
}

/* The word up to the next blank; moves behind it. */
static bool next_word(const char **at, const char *end, const char **word, size_t *len)
{
    const char *blank = memchr(*at, ' ', (size_t)(end - *at));
    if (!blank)
        return false;
    *word = *at;
    *len = (size_t)(blank - *at);
    *at = blank + 1;
    return *len > 0;
}

static bool is_word(const char *word, size_t len, const char *text)
{
    return strlen(text) == len && memcmp(word, text, len) == 0;
}

bool crilog_parse(const char *line, size_t len, struct crilog_line *ret)
{
    const char *at = line, *end = line + len, *stream, *tag;
    size_t stream_len, tag_len;
    *ret = (struct crilog_line){0};
    if (!next_word(&at, end, &ret->time, &ret->time_len) || !next_word(&at, end, &stream, &stream_len))
        return false;
    if (!next_word(&at, end, &tag, &tag_len)) { /* an empty text may come without its blank */
        tag = at;
        tag_len = (size_t)(end - at);
        at = end;
    }
    ret->is_stderr = is_word(stream, stream_len, "stderr");
    if (!ret->is_stderr && !is_word(stream, stream_len, "stdout"))
        return false;
    ret->partial = tag_len > 0 && tag[0] == 'P';
    if (!ret->partial && (tag_len == 0 || tag[0] != 'F'))
        return false;
    ret->text = at;
    ret->text_len = (size_t)(end - at);
    return true;
}

static bool is_before(const struct crilog_line *l, int64_t since_usec)
{
    char text[64];
    int64_t usec;
    if (since_usec == 0 || l->time_len >= sizeof(text))
        return false;
    memcpy(text, l->time, l->time_len);
    text[l->time_len] = '\0';
    return time_parse(text, &usec) && usec < since_usec;
}

static void emit(struct crilog_reader *r, const char *bytes, size_t len, struct buf *out)
{
    if (r->o.limit_bytes >= 0) {
        if ((int64_t)len > r->left)
            len = r->left > 0 ? (size_t)r->left : 0;
        r->left -= (int64_t)len;
    }
    buf_add(out, bytes, len);
}

static void take_line(struct crilog_reader *r, const char *line, size_t len, struct buf *out)
{
    struct crilog_line l;
    if (!crilog_parse(line, len, &l))
        return;
    if (!r->inside)
        r->skipping = is_before(&l, r->o.since_usec);
    if (!r->skipping) {
        if (r->o.timestamps && !r->inside) {
            emit(r, l.time, l.time_len, out);
            emit(r, " ", 1, out);
        }
        emit(r, l.text, l.text_len, out);
        if (!l.partial)
            emit(r, "\n", 1, out);
    }
    r->inside = l.partial;
}

void crilog_feed(struct crilog_reader *r, const char *bytes, size_t len, struct buf *out)
{
    while (len > 0) {
        const char *newline = memchr(bytes, '\n', len);
        size_t n = newline ? (size_t)(newline - bytes) : len;
        if (!newline || r->rest.len > 0)
            buf_add(&r->rest, bytes, n);
        if (newline) {
            if (r->rest.len > 0 || r->rest.overflowed)
                take_line(r, buf_str(&r->rest), r->rest.len, out);
            else
                take_line(r, bytes, n, out);
            buf_clear(&r->rest);
        }
        n += newline != NULL;
        bytes += n;
        len -= n;
    }
}

size_t crilog_tail(const char *bytes, size_t len, int64_t n, int64_t *ret_n)
{
    size_t at = len, start = len;
    int64_t found = 0;
    while (at > 0) {
        const char *newline = at > 1 ? memrchr(bytes, '\n', at - 1) : NULL;
        size_t line = newline ? (size_t)(newline - bytes) + 1 : 0;
        struct crilog_line l;
        size_t line_len = at - line - (bytes[at - 1] == '\n');
        bool partial = crilog_parse(bytes + line, line_len, &l) && l.partial;
        if (!partial || at == len) {
            if (found == n)
                break;
            found++;
        }
        start = at = line;
    }
    *ret_n = found;
    return len - start;
}
