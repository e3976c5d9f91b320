/* See names.h. The patterns are small enough to be walked by hand; the texts keep them as upstream prints them. */
#include "base/names.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63
#define SUBDOMAIN_MAX 253
#define TOO_LONG(bytes) "must be no more than " #bytes " bytes"

#define QUALIFIED_NAME_RULE                                                                                            \
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "           \
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "                            \
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

static bool lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool lower_alnum(char c)
{
    return lower(c) || digit(c);
}

static bool alnum(char c)
{
    return lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool only(const char *s, size_t len, bool (*class)(char), const char *others)
{
    for (size_t i = 0; i < len; i++)
        if (!class(s[i]) && !strchr(others, s[i]))
            return false;
    return true;
}

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? */
static bool is_label(const char *s, size_t len)
{
    return len > 0 && lower_alnum(s[0]) && lower_alnum(s[len - 1]) && only(s, len, lower_alnum, "-");
}

static bool is_subdomain(const char *s)
{
    for (;;) {
        size_t len = strcspn(s, ".");
        if (!is_label(s, len))
            return false;
        if (!s[len])
            return true;
        s += len + 1;
    }
}

static bool is_qualified(const char *s)
{
    size_t len = strlen(s);
    return len > 0 && alnum(s[0]) && alnum(s[len - 1]) && only(s, len, alnum, "-_.");
}

const char *check_dns_label(const char *value, char scratch[])
{
    (void)scratch;
    size_t len = strlen(value);
    if (len > LABEL_MAX)
        return TOO_LONG(63);
    if (is_label(value, len))
        return NULL;
    if (is_subdomain(value))
        return "must not contain dots";
    return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
           "end "
           "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
           "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
}

const char *check_dns_subdomain(const char *value, char scratch[])
{
    (void)scratch;
    if (strlen(value) > SUBDOMAIN_MAX)
        return TOO_LONG(253);
    if (is_subdomain(value))
        return NULL;
    return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
           "start "
           "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
           "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
}

const char *check_dns1035_label(const char *value, char scratch[])
{
    (void)scratch;
    size_t len = strlen(value);
    if (len > LABEL_MAX)
        return TOO_LONG(63);
    if (is_label(value, len) && lower(value[0]))
        return NULL;
    return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
           "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
           "validation "
           "is '[a-z]([-a-z0-9]*[a-z0-9])?')";
}

/* The message about the part before the slash, or NULL. */
static const char *check_prefix(const char *value, size_t len, char *scratch)
{
    char prefix[SUBDOMAIN_MAX + 2];
    if (len == 0)
        return "prefix part must be non-empty";
    snprintf(prefix, sizeof(prefix), "%.*s", (int)len, value);
    const char *message = check_dns_subdomain(prefix, scratch);
    if (!message)
        return NULL;
    snprintf(scratch, CHECK_SCRATCH_SIZE, "prefix part %s", message);
    return scratch;
}

const char *check_qualified_name(const char *value, char scratch[])
{
    const char *slash = strchr(value, '/'), *name = slash ? slash + 1 : value;
    if (strchr(name, '/'))
        return "a qualified name " QUALIFIED_NAME_RULE
               " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
    const char *message = slash ? check_prefix(value, (size_t)(slash - value), scratch) : NULL;
    if (message)
        return message;
    if (!*name)
        return "name part must be non-empty";
    if (strlen(name) > LABEL_MAX)
        return "name part " TOO_LONG(63);
    return is_qualified(name) ? NULL : "name part " QUALIFIED_NAME_RULE;
}

const char *check_label_value(const char *value, char scratch[])
{
    (void)scratch;
    if (strlen(value) > LABEL_MAX)
        return TOO_LONG(63);
    if (!*value || is_qualified(value))
        return NULL;
    return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
           "start "
           "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
           "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}
