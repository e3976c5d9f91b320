/* kinds: formats of text, and label selectors. */
#include "kinds/checks.h"

#include "json/json.h"
#include "kinds/labels.h"
#include "t.h"

#define A63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

/* `want` is how the message begins; NULL: fine. */
static void check_case(check_fn *check, const char *value, const char *want)
{
    char scratch[CHECK_SCRATCH_SIZE];
    const char *got = check(value, scratch);
    if (!want ? got != NULL : !got || strncmp(got, want, strlen(want)) != 0)
        T_FAIL("\"%s\": got %s, want %s", value, got ? got : "(fine)", want ? want : "(fine)");
}

TEST(formats)
{
    static const struct {
        check_fn *check;
        const char *value, *want;
    } cases[] = {
        {check_dns_label, "web-1", NULL},
        {check_dns_label, A63, NULL},
        {check_dns_label, A63 "x", "must be no more than 63 bytes"},
        {check_dns_label, "a.b", "must not contain dots"},
        {check_dns_label, "Web", "a lowercase RFC 1123 label must consist"},
        {check_dns_label, "-a", "a lowercase RFC 1123 label must consist"},
        {check_dns_label, "a-", "a lowercase RFC 1123 label must consist"},
        {check_dns_label, "", "a lowercase RFC 1123 label must consist"},
        {check_dns_subdomain, "a.b-c.9", NULL},
        {check_dns_subdomain, "a..b", "a lowercase RFC 1123 subdomain must consist"},
        {check_dns_subdomain, "a.", "a lowercase RFC 1123 subdomain must consist"},
        {check_dns_subdomain, "My_Pod",
         "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
         "start "
         "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
         "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"},
        {check_dns_subdomain, A63 "." A63 "." A63 "." A63, "must be no more than 253 bytes"},
        {check_dns1035_label, "web", NULL},
        {check_dns1035_label, "1web", "a DNS-1035 label must consist"},
        {check_qualified_name, "app", NULL},
        {check_qualified_name, "app.kubernetes.io/name", NULL},
        {check_qualified_name, "A_b.c-d", NULL},
        {check_qualified_name, "", "name part must be non-empty"},
        {check_qualified_name, "example.com/", "name part must be non-empty"},
        {check_qualified_name, "/a", "prefix part must be non-empty"},
        {check_qualified_name, "Upper/a", "prefix part a lowercase RFC 1123 subdomain must consist"},
        {check_qualified_name, "a/b/c", "a qualified name must consist of alphanumeric characters"},
        {check_qualified_name, "_a", "name part must consist of alphanumeric characters, '-', '_' or '.'"},
        {check_qualified_name, A63 "x", "name part must be no more than 63 bytes"},
        {check_label_value, "", NULL},
        {check_label_value, "v1.2_x", NULL},
        {check_label_value, "a b", "a valid label must be an empty string or consist"},
        {check_label_value, "-a", "a valid label must be an empty string or consist"},
        {check_port_name, "http", NULL},
        {check_port_name, "p2p", NULL},
        {check_port_name, "averylongportname", "must be no more than 15 bytes"},
        {check_port_name, "HTTP", "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"},
        {check_port_name, "80", "must contain at least one letter (a-z)"},
        {check_port_name, "a--b", "must not contain consecutive hyphens"},
        {check_port_name, "a-", "must not begin or end with a hyphen"},
        {check_ip, "10.0.0.1", NULL},
        {check_ip, "::1", NULL},
        {check_ip, "10.0.0.01", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"},
        {check_ip, "10.0.0", "must be a valid IP address"},
        {check_cidr, "10.0.0.0/8", NULL},
        {check_cidr, "fd00::/64", NULL},
        {check_cidr, "10.0.0.0", "must be a valid CIDR value"},
        {check_cidr, "10.0.0.0/33", "must be a valid CIDR value"},
        {check_cidr, "10.0.0.0/-1", "must be a valid CIDR value"},
        {check_cidr, "10.0.0.0/", "must be a valid CIDR value"},
        {check_endpoint_ip, "10.0.0.1", NULL},
        {check_endpoint_ip, "0.0.0.0", "may not be unspecified (0.0.0.0)"},
        {check_endpoint_ip, "127.0.0.1", "may not be in the loopback range"},
        {check_endpoint_ip, "::1", "may not be in the loopback range"},
        {check_endpoint_ip, "169.254.1.1", "may not be in the link-local range"},
        {check_endpoint_ip, "fe80::1", "may not be in the link-local range"},
        {check_endpoint_ip, "224.0.0.1", "may not be in the link-local multicast range"},
        {check_endpoint_ipv4, "fd00::1", "must be a valid IPv4 address"},
        {check_endpoint_ipv6, "10.0.0.1", "must be a valid IPv6 address"},
        {check_fqdn, "example.com.", NULL},
        {check_fqdn, "example", "should be a domain with at least two segments separated by dots"},
        {check_env_name, "PATH", NULL},
        {check_env_name, "1 my.var", NULL},
        {check_env_name, "A=B", "a valid environment variable name must consist only of printable ASCII"},
        {check_env_name, "\xc3\xa4", "a valid environment variable name must consist only of printable ASCII"},
        {check_data_key, "app.conf", NULL},
        {check_data_key, "a/b", "a valid config key must consist"},
        {check_data_key, "..", "must not be '..'"},
        {check_data_key, "..a", "must not start with '..'"},
        {check_data_key, ".", "must not be '.'"},
        {check_http_header_name, "X-Real-IP", NULL},
        {check_http_header_name, "X Real", "a valid HTTP header must consist"},
        {check_relative_path, "a/b", NULL},
        {check_relative_path, "/a", "must be a relative path"},
        {check_relative_path, "a/../b", "must not contain '..'"},
        {check_relative_path, "a..b", NULL},
        {check_file_path, "..a", "must not start with '..'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_case(cases[i].check, cases[i].value, cases[i].want);
}

TEST(label_selectors)
{
    static const struct {
        const char *selector, *labels;
        bool matches;
        const char *text;
    } cases[] = {
        {"{}", "{\"a\":\"1\"}", true, ""},
        {"null", "{}", false, ""},
        {"{\"matchLabels\":{\"a\":\"1\"}}", "{\"a\":\"1\",\"b\":\"2\"}", true, "a=1"},
        {"{\"matchLabels\":{\"a\":\"1\"}}", "{\"a\":\"2\"}", false, "a=1"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"2\",\"1\"]}]}", "{\"a\":\"1\"}", true,
         "a in (1,2)"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"1\"]}]}", "{}", false, "a in (1)"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"1\"]}]}", "{}", true,
         "a notin (1)"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"1\"]}]}", "{\"a\":\"1\"}", false,
         "a notin (1)"},
        {"{\"matchLabels\":{\"z\":\"1\"},\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"},"
         "{\"key\":\"b\",\"operator\":\"DoesNotExist\"}]}",
         "{\"a\":\"\",\"z\":\"1\"}", true, "a,!b,z=1"},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Maybe\"}]}", "{\"a\":\"1\"}", false, "!a"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_json_ json_t *selector = json_loads(cases[i].selector, JSON_DECODE_ANY, NULL);
        _cleanup_json_ json_t *labels = json_loads(cases[i].labels, 0, NULL);
        _cleanup_free_ char *text = label_selector_text(selector);
        if (label_selector_matches(selector, labels) != cases[i].matches)
            T_FAIL("%s on %s", cases[i].selector, cases[i].labels);
        T_STR(text, cases[i].text);
    }
}

TEST(map_selectors)
{
    _cleanup_json_ json_t *selector = json_loads("{\"b\":\"2\",\"a\":\"1\"}", 0, NULL), *none = json_object();
    _cleanup_json_ json_t *labels = json_loads("{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}", 0, NULL);
    _cleanup_free_ char *text = map_selector_text(selector), *empty = map_selector_text(NULL);
    T_TRUE(map_selector_matches(selector, labels));
    T_TRUE(!map_selector_matches(selector, none) && !map_selector_matches(selector, NULL));
    T_TRUE(!map_selector_matches(none, labels) && !map_selector_matches(NULL, labels));
    T_STR(text, "a=1,b=2");
    T_STR(empty, "");
}

int main(void)
{
    RUN(formats);
    RUN(label_selectors);
    RUN(map_selectors);
    return DONE();
}
