/* See checks.h. */
#include "kinds/checks.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/str.h"

#define SUBDOMAIN_MAX 253
#define PORT_NAME_MAX 15
#define TOO_LONG(bytes) "must be no more than " #bytes " bytes"

#define IN_LOOPBACK "may not be in the loopback range (127.0.0.0/8, ::1/128)"
#define IN_LINK_LOCAL "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
#define IN_LINK_LOCAL_MULTICAST "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define ALNUM DIGITS LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool only(const char *s, const char *these)
{
    return *s && !s[strspn(s, these)];
}

const char *check_port_name(const char *value, char scratch[])
{
    (void)scratch;
    size_t len = strlen(value);
    if (len > PORT_NAME_MAX)
        return TOO_LONG(15);
    if (!only(value, DIGITS LOWER "-"))
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
    if (!strpbrk(value, LOWER))
        return "must contain at least one letter (a-z)";
    if (strstr(value, "--"))
        return "must not contain consecutive hyphens";
    if (value[0] == '-' || value[len - 1] == '-')
        return "must not begin or end with a hyphen";
    return NULL;
}

bool is_ipv4(const char *s)
{
    struct in_addr a;
    return inet_pton(AF_INET, s, &a) == 1;
}

bool is_ipv6(const char *s)
{
    struct in6_addr a;
    return inet_pton(AF_INET6, s, &a) == 1;
}

const char *check_ip(const char *value, char scratch[])
{
    (void)scratch;
    return is_ipv4(value) || is_ipv6(value) ? NULL : "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
}

static const char *check_special_ipv4(struct in_addr in, const char *value, char *scratch)
{
    uint32_t a = ntohl(in.s_addr);
    if (a == INADDR_ANY) {
        snprintf(scratch, CHECK_SCRATCH_SIZE, "may not be unspecified (%.40s)", value);
        return scratch;
    }
    if (a >> 24 == 127)
        return IN_LOOPBACK;
    if (a >> 16 == 0xa9fe)
        return IN_LINK_LOCAL;
    return a >> 8 == 0xe00000 ? IN_LINK_LOCAL_MULTICAST : NULL;
}

static const char *check_special_ipv6(const struct in6_addr *a, const char *value, char *scratch)
{
    if (IN6_IS_ADDR_UNSPECIFIED(a)) {
        snprintf(scratch, CHECK_SCRATCH_SIZE, "may not be unspecified (%.40s)", value);
        return scratch;
    }
    if (IN6_IS_ADDR_LOOPBACK(a))
        return IN_LOOPBACK;
    if (IN6_IS_ADDR_LINKLOCAL(a))
        return IN_LINK_LOCAL;
    return IN6_IS_ADDR_MC_LINKLOCAL(a) ? IN_LINK_LOCAL_MULTICAST : NULL;
}

const char *check_endpoint_ip(const char *value, char scratch[])
{
    struct in_addr in;
    struct in6_addr in6;
    if (inet_pton(AF_INET, value, &in) == 1)
        return check_special_ipv4(in, value, scratch);
    if (inet_pton(AF_INET6, value, &in6) == 1)
        return check_special_ipv6(&in6, value, scratch);
    return check_ip(value, scratch);
}

const char *check_endpoint_ipv4(const char *value, char scratch[])
{
    return is_ipv4(value) ? check_endpoint_ip(value, scratch) : "must be a valid IPv4 address";
}

const char *check_endpoint_ipv6(const char *value, char scratch[])
{
    return is_ipv6(value) ? check_endpoint_ip(value, scratch) : "must be a valid IPv6 address";
}

const char *check_fqdn(const char *value, char scratch[])
{
    char name[SUBDOMAIN_MAX + 2];
    size_t len = strlen(value);
    len -= len > 0 && value[len - 1] == '.';
    snprintf(name, sizeof(name), "%.*s", (int)len, value);
    const char *message = check_dns_subdomain(name, scratch);
    if (message)
        return message;
    return strchr(name, '.') ? NULL : "should be a domain with at least two segments separated by dots";
}

static bool is_cidr(const char *s)
{
    char address[INET6_ADDRSTRLEN];
    int64_t bits;
    size_t len = strcspn(s, "/");
    if (!s[len] || len >= sizeof(address) || !strchr(DIGITS, s[len + 1]) || (s[len + 1] == '0' && s[len + 2]))
        return false;
    snprintf(address, sizeof(address), "%.*s", (int)len, s);
    int64_t most = is_ipv4(address) ? 32 : is_ipv6(address) ? 128 : -1;
    return str_to_i64(s + len + 1, 0, most, &bits);
}

const char *check_cidr(const char *value, char scratch[])
{
    (void)scratch;
    return is_cidr(value) ? NULL : "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
}

const char *check_env_name(const char *value, char scratch[])
{
    (void)scratch;
    if (!*value)
        return "environment variable name must be non-empty";
    for (const char *c = value; *c; c++)
        if (*c < ' ' || *c > '~' || *c == '=')
            return "a valid environment variable name must consist only of printable ASCII characters other than '='";
    return NULL;
}

const char *check_data_key(const char *value, char scratch[])
{
    (void)scratch;
    if (strlen(value) > SUBDOMAIN_MAX)
        return TOO_LONG(253);
    if (!only(value, ALNUM "-._"))
        return "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
               "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
    if (streq(value, "."))
        return "must not be '.'";
    if (streq(value, ".."))
        return "must not be '..'";
    return str_after(value, "..") ? "must not start with '..'" : NULL;
}

const char *check_http_header_name(const char *value, char scratch[])
{
    (void)scratch;
    if (only(value, ALNUM "-"))
        return NULL;
    return "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
           "validation is '[-A-Za-z0-9]+')";
}

const char *check_absolute_path(const char *value, char scratch[])
{
    (void)scratch;
    return value[0] == '/' ? NULL : "must be an absolute path";
}

static bool has_parent_step(const char *path)
{
    for (;;) {
        size_t len = strcspn(path, "/");
        if (len == 2 && strncmp(path, "..", 2) == 0)
            return true;
        if (!path[len])
            return false;
        path += len + 1;
    }
}

const char *check_path_without_parents(const char *value, char scratch[])
{
    (void)scratch;
    return has_parent_step(value) ? "must not contain '..'" : NULL;
}

const char *check_relative_path(const char *value, char scratch[])
{
    return value[0] == '/' ? "must be a relative path" : check_path_without_parents(value, scratch);
}

const char *check_file_path(const char *value, char scratch[])
{
    const char *message = check_relative_path(value, scratch);
    if (message)
        return message;
    return str_after(value, "..") ? "must not start with '..'" : NULL;
}

const char *check_path_segment(const char *value, char scratch[])
{
    (void)scratch;
    if (streq(value, "."))
        return "may not be '.'";
    if (streq(value, ".."))
        return "may not be '..'";
    if (strchr(value, '/'))
        return "may not contain '/'";
    return strchr(value, '%') ? "may not contain '%'" : NULL;
}
