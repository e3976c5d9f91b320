/* The formats that strings of custom resources may be asked to have (upstream: kube-openapi pkg/validation/strfmt and
 * apiextensions' list of supported formats). */
#include <arpa/inet.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/pattern.h"
#include "base/str.h"
#include "kinds/checks.h"
#include "kinds/custom.h"

#define HEX "[0-9a-fA-F]"
#define LABEL "[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"

static bool is_time(const char *s)
{
    int64_t t;
    return time_parse(s, &t);
}

static bool is_ip(const char *s)
{
    return is_ipv4(s) || is_ipv6(s);
}

static bool is_cidr(const char *s)
{
    char scratch[CHECK_SCRATCH_SIZE];
    return !check_cidr(s, scratch);
}

static bool is_base64(const char *s)
{
    size_t len;
    void *bytes = base64_decode(s, strlen(s), &len);
    free(bytes);
    return bytes != NULL;
}

/* Each is a function or a pattern. */
static const struct {
    const char *format;
    bool (*fits)(const char *s);
    const char *pattern;
} formats[] = {
    {"date-time", is_time, NULL},
    {"datetime", is_time, NULL},
    {"date", NULL, "^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$"},
    {"duration", NULL, "^-?((\\d+(\\.\\d*)?|\\.\\d+)(ns|us|µs|μs|ms|s|m|h))+$|^0$|^\\d+ ?(d|w|day|days|week|weeks)$"},
    {"ipv4", is_ipv4, NULL},
    {"ipv6", is_ipv6, NULL},
    {"ip", is_ip, NULL},
    {"cidr", is_cidr, NULL},
    {"mac", NULL, "^" HEX "{2}([:-]" HEX "{2}){5}(([:-]" HEX "{2}){2})?$"},
    {"hostname", NULL, "^" LABEL "(\\." LABEL ")*\\.?$"},
    {"email", NULL, "^[^@\\s]+@[^@\\s]+$"},
    {"uri", NULL, "^([a-zA-Z][-+.a-zA-Z0-9]*:.+|/.*)$"},
    {"byte", is_base64, NULL},
    {"uuid", NULL, "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"},
    {"uuid3", NULL, "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$"},
    {"uuid4", NULL, "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"},
    {"uuid5", NULL, "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"},
    {"hexcolor", NULL, "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"},
    {"isbn10", NULL, "^(\\d[- ]?){9}[\\dX]$"},
    {"isbn13", NULL, "^97[89][- ]?(\\d[- ]?){9}\\d$"},
    {"ssn", NULL, "^\\d{3}[- ]?\\d{2}[- ]?\\d{4}$"},
};

bool custom_format_fits(const char *format, const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (streq(formats[i].format, format))
            return formats[i].fits ? formats[i].fits(text) : pattern_found(formats[i].pattern, text, strlen(text));
    return true;
}
