/* See yaml_print.h. Texts that a YAML reader could take for something else are written as JSON strings, which are YAML
 * too. */
#include "json/yaml_print.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/str.h"

/* What YAML 1.1 readers take for something that is not text. */
static bool is_keyword(const char *s)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasecmp(s, words[i]) == 0)
            return true;
    return false;
}

/* Begins with a letter or '/', holds nothing that means something in YAML, and is no keyword: plain. */
static bool is_plain(const char *s)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+=@";
    if (!*s || !strchr(first, *s) || is_keyword(s))
        return false;
    for (; *s; s++) {
        bool inner_colon = *s == ':' && s[1] && s[1] != ' ';
        if (!strchr(rest, *s) && !inner_colon)
            return false;
    }
    return true;
}

static void add_scalar(struct buf *b, const json_t *j)
{
    if (json_is_string(j) && is_plain(json_string_value(j))) {
        buf_adds(b, json_string_value(j));
        return;
    }
    _cleanup_free_ char *text = json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT);
    buf_adds(b, text ? text : "null");
}

static void add_key(struct buf *b, const char *key)
{
    _cleanup_json_ json_t *text = json_string(key);
    add_scalar(b, text);
    buf_addc(b, ':');
}

static void add_indent(struct buf *b, int indent)
{
    buf_addf(b, "%*s", indent, "");
}

static void add_value(struct buf *b, const json_t *j, int indent);

/* `inline_first`: the first member continues the line ("- name: x"). */
static void add_object(struct buf *b, const json_t *j, int indent, bool inline_first)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)j, key, value) {
        if (!inline_first)
            add_indent(b, indent);
        inline_first = false;
        add_key(b, key);
        add_value(b, value, json_is_array(value) ? indent : indent + 2); /* list items need no indent of their own */
    }
}

static void add_array(struct buf *b, const json_t *j, int indent)
{
    size_t i;
    json_t *value;
    json_array_foreach(j, i, value) {
        add_indent(b, indent);
        buf_addc(b, '-');
        if (json_is_object(value) && json_object_size(value)) {
            buf_addc(b, ' ');
            add_object(b, value, indent + 2, true);
        } else {
            add_value(b, value, indent + 2);
        }
    }
}

/* What follows "key:" or "-", to the end of its last line. */
static void add_value(struct buf *b, const json_t *j, int indent)
{
    bool is_object = json_is_object(j) && json_object_size(j), is_array = json_is_array(j) && json_array_size(j);
    if (is_object || is_array) {
        buf_addc(b, '\n');
        if (is_object)
            add_object(b, j, indent, false);
        else
            add_array(b, j, indent);
        return;
    }
    buf_addc(b, ' ');
    add_scalar(b, j);
    buf_addc(b, '\n');
}

char *yaml_print(const json_t *j)
{
    struct buf b = BUF_INIT(0); /* as large as the document, which was limited when it came in */
    if (json_is_object(j) && json_object_size(j)) {
        add_object(&b, j, 0, false);
    } else if (json_is_array(j) && json_array_size(j)) {
        add_array(&b, j, 0);
    } else {
        add_scalar(&b, j);
        buf_addc(&b, '\n');
    }
    return buf_take(&b);
}
