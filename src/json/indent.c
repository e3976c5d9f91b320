/* See indent.h. */
#include "json/indent.h"

#include <string.h>

static void new_line(struct buf *out, int depth)
{
    buf_addc(out, '\n');
    for (int i = 0; i < depth; i++)
        buf_add(out, "  ", 2);
}

static const char *skip_blanks(const char *s, const char *end)
{
    while (s < end && strchr(" \t\r\n", *s))
        s++;
    return s;
}

/* Length of the string that begins here, its quotes included. */
static size_t string_length(const char *s, const char *end)
{
    const char *p = s + 1;
    while (p < end && *p != '"')
        p += *p == '\\' ? 2 : 1;
    return p < end ? (size_t)(p + 1 - s) : (size_t)(end - s);
}

void json_indent(const char *text, size_t len, struct buf *out)
{
    const char *end = text + len;
    int depth = 0;
    for (const char *s = skip_blanks(text, end); s < end;) {
        size_t n = *s == '"' ? string_length(s, end) : strcspn(s, "\"{}[],: \t\r\n");
        if (n) {
            n = n < (size_t)(end - s) ? n : (size_t)(end - s);
            buf_add(out, s, n);
            s = skip_blanks(s + n, end);
            continue;
        }
        char c = *s++;
        s = skip_blanks(s, end);
        bool closes = c == '}' || c == ']';
        bool empty = closes && out->len && (out->data[out->len - 1] == '{' || out->data[out->len - 1] == '[');
        if (closes && depth-- > 0 && !empty)
            new_line(out, depth);
        buf_addc(out, c);
        if (c == ':')
            buf_addc(out, ' ');
        else if (c == ',')
            new_line(out, depth);
        else if (!closes && s < end && *s != '}' && *s != ']')
            new_line(out, ++depth);
        else if (!closes)
            depth++;
    }
}
