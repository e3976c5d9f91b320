/* HTTP/1.1 messages (RFC 9112), both directions, without I/O: bytes in, events out. Strict where lenience has led to
 * request smuggling: one framing per message, CRLF line ends only, no folded headers, no blanks around names. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http.h"

/* A bearer token or a chain of proxies' headers fits many times; all of it is kept while the request is in progress. */
#define H1_HEAD_MAX (32 << 10)
/* kubectl sends about ten; forwarding copies them. */
#define H1_HEADERS_MAX 100
/* A chunk's size line and each trailer line: read and thrown away, so only their number matters. */
#define H1_LINE_MAX 1024
#define H1_TRAILER_MAX (8 << 10)

enum h1_event {
    H1_NEED_MORE, /* everything fed has been taken; also after H1_END, until h1_next() */
    H1_HEAD,      /* the head's fields below are valid until h1_next() */
    H1_BODY,      /* `body` points into what was fed */
    H1_END,       /* the message is complete; the rest of the bytes belongs to the next one, or to the upgrade */
    H1_BAD,       /* `bad_code` and `bad_why`; stays so */
};

struct h1 {
    /* the head */
    const char *method, *target; /* requests */
    int code;                    /* responses */
    int minor;                   /* HTTP/1.minor */
    struct http_header *headers; /* n_headers, then one with a NULL name */
    size_t n_headers;
    const char *upgrade; /* value of Upgrade when Connection names it */
    int64_t length;      /* of the body; -1: chunked or until close */
    bool chunked, keep_alive, expects_continue;
    /* a piece of the body */
    const char *body;
    size_t body_len;
    int bad_code; /* the status a server answers with */
    const char *bad_why;

    /* the parser's own */
    bool is_response, to_head;
    int state;
    struct buf head;
    size_t line_start, headers_cap;
    int64_t left; /* of the body or chunk */
    size_t line_len, trailer_len;
    bool seen_length, seen_host, asks_close, asks_keep_alive, asks_upgrade;
};

void h1_init_request(struct h1 *p);
/* to_head: the response to a HEAD request, which has no body whatever its headers say. */
void h1_init_response(struct h1 *p, bool to_head);
void h1_done(struct h1 *p);
/* Takes bytes from the front of *in and says what they made. Call it again until H1_NEED_MORE. */
enum h1_event h1_feed(struct h1 *p, const char **in, size_t *len);
/* The peer will send no more: H1_END when that ends the message, else H1_BAD. */
enum h1_event h1_feed_eof(struct h1 *p);
/* After H1_END: forget the message, expect the next. */
void h1_next(struct h1 *p);
bool h1_between_messages(const struct h1 *p); /* nothing of the next message has been seen */
/* Is `token` an element of a comma-separated header value, regardless of case? */
bool h1_has_token(const char *value, const char *token);
bool h1_is_token(const char *s);       /* a valid header name or method */
bool h1_is_field_value(const char *s); /* no control characters */
