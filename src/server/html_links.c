/* See html_links.h. What is a link: apimachinery pkg/util/proxy/transport.go. A tokenizer of just as much HTML as that
 * needs: tags, attributes, comments, and elements whose content is no markup. */
#include "server/html_links.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define NAME_MAX_LEN 15    /* longer names of tags and attributes are none of ours */
#define LINK_MAX (8 << 10) /* what is longer is passed on as it is */

static const struct {
    const char *tag, *attributes;
} links[] = {
    {"a", "href"},
    {"applet", "codebase"},
    {"area", "href"},
    {"audio", "src"},
    {"base", "href"},
    {"blockquote", "cite"},
    {"body", "background"},
    {"button", "formaction"},
    {"command", "icon"},
    {"del", "cite"},
    {"embed", "src"},
    {"form", "action"},
    {"frame", "longdesc src"},
    {"head", "profile"},
    {"html", "manifest"},
    {"iframe", "longdesc src"},
    {"img", "longdesc src usemap"},
    {"input", "src usemap formaction"},
    {"ins", "cite"},
    {"link", "href"},
    {"object", "classid codebase data usemap"},
    {"q", "cite"},
    {"script", "src"},
    {"source", "src"},
    {"video", "poster src"},
};

/* Whose content is text until their end tag. */
static const char *const raw_elements[] = {"script", "style", "textarea", "title"};

enum state {
    IN_TEXT,
    IN_RAW,     /* content of a raw element */
    AT_OPEN,    /* behind '<' */
    IN_MARKUP,  /* <!…> */
    IN_COMMENT, /* <!--…--> */
    IN_TAG,
    BEFORE_ATTRIBUTE,
    IN_ATTRIBUTE,
    BEHIND_ATTRIBUTE,
    BEFORE_VALUE,
    IN_VALUE,
};

struct name {
    char text[NAME_MAX_LEN + 1];
    size_t len; /* more than fits: it is none that we know */
};

struct html_links {
    html_link_fn *link;
    void *arg;
    enum state state;
    struct name tag, attribute;
    const char *raw; /* the element that we are in */
    size_t matched;  /* of "</" and its name; in markup and comments: of the dashes */
    bool closing;    /* the tag is an end tag */
    char quote;      /* around the value, or 0 */
    bool kept;       /* the value is gathered, because it is a link */
    struct buf value;
};

struct html_links *html_links_new(html_link_fn *link, void *arg)
{
    struct html_links *h = NEW(struct html_links);
    h->link = link;
    h->arg = arg;
    buf_init(&h->value, LINK_MAX);
    return h;
}

void html_links_free(struct html_links *h)
{
    if (!h)
        return;
    buf_done(&h->value);
    free(h);
}

static void name_add(struct name *n, char c)
{
    if (n->len < NAME_MAX_LEN) {
        n->text[n->len] = (char)tolower((unsigned char)c);
        n->text[n->len + 1] = '\0';
    }
    n->len++;
}

static bool name_is(const struct name *n, const char *text, size_t len)
{
    return n->len == len && n->len <= NAME_MAX_LEN && memcmp(n->text, text, len) == 0;
}

static bool is_link(const struct html_links *h)
{
    for (size_t i = 0; i < ARRAY_LEN(links) && !h->closing; i++) {
        if (!name_is(&h->tag, links[i].tag, strlen(links[i].tag)))
            continue;
        for (const char *s = links[i].attributes; *s; s += strspn(s, " ")) {
            size_t len = strcspn(s, " ");
            if (name_is(&h->attribute, s, len))
                return true;
            s += len;
        }
    }
    return false;
}

/* --- values --- */

static void flush_value(struct html_links *h, struct buf *out)
{
    bool is_text = h->value.len && !memchr(h->value.data, '\0', h->value.len);
    char *better = h->kept && is_text ? h->link(h->arg, buf_str(&h->value)) : NULL;
    if (better)
        buf_adds(out, better);
    else
        buf_add(out, h->value.data, h->value.len);
    free(better);
    buf_clear(&h->value);
    h->kept = false;
}

static void add_to_value(struct html_links *h, char c, struct buf *out)
{
    if (h->kept && h->value.len + 1 >= LINK_MAX) { /* not a link that leads anywhere */
        buf_add(out, h->value.data, h->value.len);
        buf_clear(&h->value);
        h->kept = false;
    }
    buf_addc(h->kept ? &h->value : out, c);
}

static void begin_value(struct html_links *h, char quote)
{
    h->quote = quote;
    h->kept = is_link(h);
    h->state = IN_VALUE;
}

/* --- tags --- */

static void end_tag(struct html_links *h)
{
    h->state = IN_TEXT;
    for (size_t i = 0; i < ARRAY_LEN(raw_elements) && !h->closing; i++)
        if (name_is(&h->tag, raw_elements[i], strlen(raw_elements[i]))) {
            h->raw = raw_elements[i];
            h->matched = 0;
            h->state = IN_RAW;
        }
}

static void begin_tag(struct html_links *h, bool closing)
{
    h->tag = (struct name){0};
    h->closing = closing;
    h->state = IN_TAG;
}

/* Inside a tag, where something may begin: an attribute, or the end. */
static void between(struct html_links *h, char c)
{
    if (c == '>') {
        end_tag(h);
    } else if (!isspace((unsigned char)c) && c != '/') {
        h->attribute = (struct name){0};
        name_add(&h->attribute, c);
        h->state = IN_ATTRIBUTE;
    }
}

static void step_in_tag(struct html_links *h, char c)
{
    bool ends = isspace((unsigned char)c) || c == '/' || c == '>';
    switch (h->state) {
    case IN_TAG:
        if (!ends) {
            name_add(&h->tag, c);
            break;
        }
        h->state = BEFORE_ATTRIBUTE;
        between(h, c);
        break;
    case IN_ATTRIBUTE:
        if (c == '=') {
            h->state = BEFORE_VALUE;
        } else if (!ends) {
            name_add(&h->attribute, c);
        } else {
            h->state = isspace((unsigned char)c) ? BEHIND_ATTRIBUTE : BEFORE_ATTRIBUTE;
            between(h, c);
        }
        break;
    case BEHIND_ATTRIBUTE:
        if (c == '=')
            h->state = BEFORE_VALUE;
        else
            between(h, c);
        break;
    default:
        between(h, c);
    }
}

/* --- what is no tag --- */

/* "</script" ends a script, whatever stands before it. */
static void step_in_raw(struct html_links *h, char c)
{
    size_t len = strlen(h->raw);
    c = (char)tolower((unsigned char)c);
    if (h->matched == len + 2 && (isspace((unsigned char)c) || c == '/' || c == '>')) {
        begin_tag(h, true);
        step_in_tag(h, c);
        return;
    }
    char wanted = h->matched == 0 ? '<' : h->matched == 1 ? '/' : h->matched < len + 2 ? h->raw[h->matched - 2] : '\0';
    h->matched = wanted && c == wanted ? h->matched + 1 : c == '<';
}

static void step_in_markup(struct html_links *h, char c)
{
    if (c == '>')
        h->state = IN_TEXT;
    else if (h->matched < 2)
        h->matched = c == '-' ? h->matched + 1 : 3;
    if (h->matched == 2) {
        h->state = h->state == IN_TEXT ? IN_TEXT : IN_COMMENT; /* "<!-->" is a whole one */
    }
}

static void step_in_comment(struct html_links *h, char c)
{
    if (c == '>' && h->matched >= 2)
        h->state = IN_TEXT;
    h->matched = c == '-' ? h->matched + 1 : 0;
}

static void step_at_open(struct html_links *h, char c)
{
    h->matched = 0;
    if (c == '!' || c == '?') {
        h->state = IN_MARKUP;
    } else if (c == '/') {
        begin_tag(h, true);
    } else if (isalpha((unsigned char)c)) {
        begin_tag(h, false);
        name_add(&h->tag, c);
    } else if (c != '<') {
        h->state = IN_TEXT;
    }
}

/* Returns whether c still has to be written. */
static bool step_in_value(struct html_links *h, char c, struct buf *out)
{
    bool quoted = h->quote != 0;
    if (quoted ? c == h->quote : isspace((unsigned char)c) || c == '>') {
        flush_value(h, out);
        h->state = BEFORE_ATTRIBUTE;
        if (!quoted)
            between(h, c);
        return true;
    }
    add_to_value(h, c, out);
    return false;
}

static bool step_before_value(struct html_links *h, char c, struct buf *out)
{
    if (c == '"' || c == '\'') {
        begin_value(h, c);
    } else if (c == '>') {
        end_tag(h);
    } else if (!isspace((unsigned char)c)) {
        begin_value(h, '\0');
        return step_in_value(h, c, out);
    }
    return true;
}

static bool step(struct html_links *h, char c, struct buf *out)
{
    switch (h->state) {
    case IN_TEXT:
        if (c == '<')
            h->state = AT_OPEN;
        break;
    case IN_RAW:
        step_in_raw(h, c);
        break;
    case AT_OPEN:
        step_at_open(h, c);
        break;
    case IN_MARKUP:
        step_in_markup(h, c);
        break;
    case IN_COMMENT:
        step_in_comment(h, c);
        break;
    case BEFORE_VALUE:
        return step_before_value(h, c, out);
    case IN_VALUE:
        return step_in_value(h, c, out);
    default:
        step_in_tag(h, c);
    }
    return true;
}

void html_links_feed(struct html_links *h, const char *bytes, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i++)
        if (step(h, bytes[i], out))
            buf_addc(out, bytes[i]);
    if (len)
        return;
    h->kept = false; /* cut off: not a link */
    flush_value(h, out);
}
