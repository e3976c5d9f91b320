/* See h1.h. A head is gathered line by line into one buffer and parsed there in place, once it is complete; bodies are
 * never copied. */
#include "http/h1.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/str.h"

enum {
    IN_HEAD,
    IN_LENGTH,
    IN_CHUNK_SIZE,
    IN_CHUNK_EXTENSION,
    IN_CHUNK_SIZE_LF,
    IN_CHUNK_DATA,
    IN_CHUNK_CR,
    IN_CHUNK_LF,
    IN_TRAILER,
    IN_TRAILER_LF,
    IN_LAST_LF,
    UNTIL_CLOSE,
    COMPLETE, /* H1_END is still to be reported */
    ENDED,
    BAD
};

static const bool token_char[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true, ['#'] = true, ['$'] = true,
    ['%'] = true,         ['&'] = true,         ['\''] = true,        ['*'] = true, ['+'] = true, ['-'] = true,
    ['.'] = true,         ['^'] = true,         ['_'] = true,         ['`'] = true, ['|'] = true, ['~'] = true,
};

static enum h1_event bad(struct h1 *p, int code, const char *why)
{
    p->state = BAD;
    p->bad_code = code;
    p->bad_why = why;
    return H1_BAD;
}

bool h1_is_token(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (!token_char[(unsigned char)*s])
            return false;
    return true;
}

bool h1_is_field_value(const char *s)
{
    for (; *s; s++)
        if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
            return false;
    return true;
}

bool h1_has_token(const char *value, const char *token)
{
    size_t want = strlen(token);
    while (*value) {
        value += strspn(value, ", \t");
        size_t len = strcspn(value, ",");
        size_t trimmed = len;
        while (trimmed && (value[trimmed - 1] == ' ' || value[trimmed - 1] == '\t'))
            trimmed--;
        if (trimmed == want && strncasecmp(value, token, want) == 0)
            return true;
        value += len;
    }
    return false;
}

/* --- headers that frame the message; each returns what is wrong, or NULL --- */

static const char *on_content_length(struct h1 *p, const char *value)
{
    if (p->seen_length)
        return "more than one Content-Length";
    p->seen_length = true;
    return *value == '-' || !str_to_i64(value, 0, INT64_MAX, &p->length) ? "bad Content-Length" : NULL;
}

static const char *on_transfer_encoding(struct h1 *p, const char *value)
{
    if (p->chunked)
        return "more than one Transfer-Encoding";
    p->chunked = true;
    return strcasecmp(value, "chunked") != 0 ? "unknown Transfer-Encoding" : NULL;
}

static const char *on_connection(struct h1 *p, const char *value)
{
    p->asks_close |= h1_has_token(value, "close");
    p->asks_keep_alive |= h1_has_token(value, "keep-alive");
    p->asks_upgrade |= h1_has_token(value, "upgrade");
    return NULL;
}

static const char *on_host(struct h1 *p, const char *value)
{
    (void)value;
    if (p->seen_host && !p->is_response)
        return "more than one Host";
    p->seen_host = true;
    return NULL;
}

static const char *on_upgrade(struct h1 *p, const char *value)
{
    p->upgrade = value;
    return NULL;
}

static const char *on_expect(struct h1 *p, const char *value)
{
    if (strcasecmp(value, "100-continue") != 0)
        return "unknown expectation";
    p->expects_continue = true;
    return NULL;
}

static const struct {
    const char *name;
    size_t len;
    const char *(*on)(struct h1 *p, const char *value);
} known_headers[] = {
    {"Host", 4, on_host},
    {"Connection", 10, on_connection},
    {"Content-Length", 14, on_content_length},
    {"Transfer-Encoding", 17, on_transfer_encoding},
    {"Upgrade", 7, on_upgrade},
    {"Expect", 6, on_expect},
};

static const char *note_header(struct h1 *p, const char *name, size_t len, const char *value)
{
    for (size_t i = 0; i < ARRAY_LEN(known_headers); i++)
        if (len == known_headers[i].len && strcasecmp(name, known_headers[i].name) == 0)
            return known_headers[i].on(p, value);
    return NULL;
}

/* --- the head --- */

static void put_header(struct h1 *p, const char *name, const char *value)
{
    if (p->n_headers + 1 >= p->headers_cap) {
        p->headers_cap = p->headers_cap ? 2 * p->headers_cap : 16;
        p->headers = xrealloc(p->headers, p->headers_cap * sizeof(*p->headers));
    }
    p->headers[p->n_headers++] = (struct http_header){name, value};
    p->headers[p->n_headers] = (struct http_header){NULL, NULL};
}

/* `line` is NUL-terminated at its CRLF and `end` points there. */
static const char *parse_header(struct h1 *p, char *line, char *end)
{
    char *colon = line;
    while (token_char[(unsigned char)*colon])
        colon++;
    if (*colon != ':' || colon == line)
        return *line == ' ' || *line == '\t' ? "folded header" : "bad header name";
    *colon = '\0';
    char *value = colon + 1;
    while (*value == ' ' || *value == '\t')
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (value + strlen(value) < end || !h1_is_field_value(value))
        return "control character in a header";
    *end = '\0';
    put_header(p, line, value);
    return note_header(p, line, (size_t)(colon - line), value);
}

static const char *parse_version(struct h1 *p, const char *text)
{
    if (!streq(text, "HTTP/1.1") && !streq(text, "HTTP/1.0"))
        return "bad HTTP version";
    p->minor = text[7] - '0';
    return NULL;
}

static const char *parse_request_line(struct h1 *p, char *line, const char *end)
{
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version || version + 1 + strlen(version + 1) != end)
        return "bad request line";
    *target++ = *version++ = '\0';
    if (!h1_is_token(line))
        return "bad method";
    /* A proxy's absolute form is as good as its path (RFC 9112, 3.2.2). */
    if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0)
        target = strchr(strchr(target, ':') + 3, '/');
    if (!target || *target != '/')
        return "bad request target";
    for (const char *c = target; *c; c++)
        if (*c <= ' ' || *c > '~') /* signed or not: bytes above ASCII fail one of the two */
            return "bad character in request target";
    p->method = line;
    p->target = target;
    return parse_version(p, version);
}

static const char *parse_status_line(struct h1 *p, char *line, const char *end)
{
    int64_t code = 0;
    if (line + strlen(line) != end || end - line < 12 || line[8] != ' ' || (line[12] != ' ' && line[12] != '\0'))
        return "bad status line";
    line[8] = line[12] = '\0';
    if (!str_to_i64(line + 9, 100, 599, &code))
        return "bad status code";
    p->code = (int)code;
    return parse_version(p, line);
}

static bool has_no_body(const struct h1 *p)
{
    if (p->is_response)
        return p->to_head || p->code < 200 || p->code == 204 || p->code == 304;
    return !p->seen_length && !p->chunked;
}

static enum h1_event finish_head(struct h1 *p)
{
    if (p->chunked && (p->seen_length || p->minor == 0))
        return bad(p, 400,
                   p->seen_length ? "both Content-Length and Transfer-Encoding" : "Transfer-Encoding in HTTP/1.0");
    if (!p->is_response && p->minor == 1 && !p->seen_host)
        return bad(p, 400, "no Host header");
    p->keep_alive = p->minor == 1 ? !p->asks_close : p->asks_keep_alive && !p->asks_close;
    if (!p->asks_upgrade || p->minor == 0)
        p->upgrade = NULL;
    if (has_no_body(p)) {
        p->state = COMPLETE;
        p->length = 0;
        p->chunked = false;
    } else if (p->chunked) {
        p->state = IN_CHUNK_SIZE;
        p->length = -1;
    } else if (p->seen_length) {
        p->state = p->length ? IN_LENGTH : COMPLETE;
        p->left = p->length;
    } else {
        p->state = UNTIL_CLOSE;
        p->length = -1;
        p->keep_alive = false;
    }
    return H1_HEAD;
}

static enum h1_event parse_head(struct h1 *p)
{
    char *line = p->head.data, *stop = line + p->head.len - 2; /* before the empty line */
    for (bool first = true; line < stop; first = false) {
        char *end = memchr(line, '\n', (size_t)(stop - line));
        char *next = end + 1;
        *--end = '\0'; /* gather_head has seen that a CR is there */
        if (!first && p->n_headers >= H1_HEADERS_MAX)
            return bad(p, 431, "too many headers");
        const char *why = !first           ? parse_header(p, line, end)
                          : p->is_response ? parse_status_line(p, line, end)
                                           : parse_request_line(p, line, end);
        if (why)
            return bad(p, streq(why, "unknown expectation") ? 417 : 400, why);
        line = next;
    }
    return finish_head(p);
}

/* A line at a time, so that a bare LF is seen where it stands; a bare CR is a control character in what parses the
 * line. */
static enum h1_event gather_head(struct h1 *p, const char **in, size_t *len)
{
    while (*len) {
        const char *lf = memchr(*in, '\n', *len);
        size_t n = lf ? (size_t)(lf - *in) + 1 : *len;
        if (p->head.len + n > H1_HEAD_MAX)
            return bad(p, 431, "request head too large");
        buf_add(&p->head, *in, n);
        *in += n;
        *len -= n;
        if (!lf)
            return H1_NEED_MORE;
        size_t line_len = p->head.len - p->line_start;
        if (line_len < 2 || p->head.data[p->head.len - 2] != '\r')
            return bad(p, 400, "line without CRLF");
        if (line_len == 2)
            return p->line_start ? parse_head(p) : bad(p, 400, "empty line before the message");
        p->line_start = p->head.len;
    }
    return H1_NEED_MORE;
}

/* --- the body --- */

static enum h1_event take_body(struct h1 *p, const char **in, size_t *len, int state_after)
{
    if (!*len)
        return H1_NEED_MORE;
    size_t n = p->left < (int64_t)*len ? (size_t)p->left : *len;
    p->body = *in;
    p->body_len = n;
    *in += n;
    *len -= n;
    p->left -= (int64_t)n;
    if (!p->left)
        p->state = state_after;
    return H1_BODY;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *chunk_size_char(struct h1 *p, char c)
{
    int digit = hex_digit(c);
    if (p->state == IN_CHUNK_SIZE && digit >= 0) {
        if (p->left > INT64_MAX >> 8)
            return "chunk too large";
        p->left = p->left * 16 + digit;
        return NULL;
    }
    if (p->line_len == 1)
        return "chunk without a size";
    if (c == '\r')
        p->state = IN_CHUNK_SIZE_LF;
    else if (p->state == IN_CHUNK_SIZE && c != ';' && c != ' ' && c != '\t')
        return "bad chunk size";
    else if ((unsigned char)c < ' ' && c != '\t')
        return "control character in a chunk extension";
    else
        p->state = IN_CHUNK_EXTENSION;
    return NULL;
}

static const char *trailer_char(struct h1 *p, char c)
{
    if (++p->trailer_len > H1_TRAILER_MAX)
        return "trailers too large";
    if (c == '\r')
        p->state = p->line_len == 1 ? IN_LAST_LF : IN_TRAILER_LF;
    else if ((unsigned char)c < ' ' && c != '\t')
        return "control character in a trailer";
    return NULL;
}

/* One character of what surrounds the chunks' bytes; returns what is wrong. */
static const char *chunk_frame_char(struct h1 *p, char c)
{
    static const char wanted[] = {[IN_CHUNK_CR] = '\r',
                                  [IN_CHUNK_LF] = '\n',
                                  [IN_CHUNK_SIZE_LF] = '\n',
                                  [IN_TRAILER_LF] = '\n',
                                  [IN_LAST_LF] = '\n'};
    if (++p->line_len > H1_LINE_MAX)
        return "line too long in a chunked body";
    if (p->state == IN_CHUNK_SIZE || p->state == IN_CHUNK_EXTENSION)
        return chunk_size_char(p, c);
    if (p->state == IN_TRAILER)
        return trailer_char(p, c);
    if (c != wanted[p->state])
        return "bad line end in a chunked body";
    int next = p->state == IN_CHUNK_CR     ? IN_CHUNK_LF
               : p->state == IN_CHUNK_LF   ? IN_CHUNK_SIZE
               : p->state == IN_TRAILER_LF ? IN_TRAILER
               : p->state == IN_LAST_LF    ? COMPLETE
               : p->left                   ? IN_CHUNK_DATA
                                           : IN_TRAILER;
    p->state = next;
    if (next != IN_CHUNK_LF)
        p->line_len = 0;
    return NULL;
}

static enum h1_event take_chunks(struct h1 *p, const char **in, size_t *len)
{
    while (*len && p->state != IN_CHUNK_DATA && p->state != COMPLETE) {
        const char *why = chunk_frame_char(p, **in);
        if (why)
            return bad(p, 400, why);
        ++*in;
        --*len;
    }
    return p->state == IN_CHUNK_DATA ? take_body(p, in, len, IN_CHUNK_CR)
           : p->state == COMPLETE    ? H1_END
                                     : H1_NEED_MORE;
}

/* --- the whole --- */

enum h1_event h1_feed(struct h1 *p, const char **in, size_t *len)
{
    enum h1_event event;
    switch (p->state) {
    case BAD:
        return H1_BAD;
    case ENDED:
        return H1_NEED_MORE;
    case COMPLETE:
        event = H1_END;
        break;
    case IN_HEAD:
        return gather_head(p, in, len);
    case IN_LENGTH:
        return take_body(p, in, len, COMPLETE);
    case UNTIL_CLOSE:
        p->left = INT64_MAX;
        return take_body(p, in, len, COMPLETE);
    default:
        event = take_chunks(p, in, len);
    }
    if (event == H1_END)
        p->state = ENDED;
    return event;
}

enum h1_event h1_feed_eof(struct h1 *p)
{
    if (p->state == ENDED || p->state == BAD)
        return p->state == BAD ? H1_BAD : H1_NEED_MORE;
    if (p->state != UNTIL_CLOSE && p->state != COMPLETE)
        return bad(p, 400, "connection closed inside a message");
    p->state = ENDED;
    return H1_END;
}

bool h1_between_messages(const struct h1 *p)
{
    return p->state == IN_HEAD && p->head.len == 0;
}

/* Memory for the next head is kept, unless this one's was large. */
#define HEAD_KEPT_MAX 2048

void h1_next(struct h1 *p)
{
    struct buf head = p->head;
    struct http_header *headers = p->headers;
    size_t cap = p->headers_cap;
    bool is_response = p->is_response, to_head = p->to_head;
    buf_clear(&head);
    if (head.cap > HEAD_KEPT_MAX)
        buf_done(&head);
    *p = (struct h1){.head = head,
                     .headers = headers,
                     .headers_cap = cap,
                     .is_response = is_response,
                     .to_head = to_head,
                     .length = -1};
}

static void init(struct h1 *p, bool is_response, bool to_head)
{
    *p = (struct h1){.is_response = is_response, .to_head = to_head, .length = -1};
    buf_init(&p->head, 0); /* gather_head has the limit */
}

void h1_init_request(struct h1 *p)
{
    init(p, false, false);
}

void h1_init_response(struct h1 *p, bool to_head)
{
    init(p, true, to_head);
}

void h1_done(struct h1 *p)
{
    buf_done(&p->head);
    free(p->headers);
    p->headers = NULL;
}
