/* Formats of text by name: format.dns1123Label().validate(x) is nothing for what fits, else what is wrong with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/names.h"
#include "base/pattern.h"
#include "base/str.h"
#include "cel/functions.h"

/* Upstream charges by the length of the pattern, which is here what its usual ones come to. */
#define COST_PER_TEN_BYTES 15

struct cel_format {
    const char *name;
    check_fn *check;
    bool prefix; /* a name may be made of it: the dash it may end in is followed by something */
};

/* --- formats that are not those of names --- */

static const char *check_uri(const char *value, char scratch[])
{
    (void)scratch;
    return cel_is_url(value, strlen(value)) ? NULL : "invalid URI for request";
}

static const char *check_uuid(const char *value, char scratch[])
{
    (void)scratch;
    return pattern_found("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$", value, strlen(value))
               ? NULL
               : "does not match the UUID format";
}

static const char *check_base64(const char *value, char scratch[])
{
    size_t len;
    void *bytes = base64_decode(value, strlen(value), &len);
    (void)scratch;
    free(bytes);
    return bytes ? NULL : "invalid base64";
}

static const char *check_date(const char *value, char scratch[])
{
    int64_t ignored;
    bool fits = strlen(value) == strlen("2006-01-02");
    snprintf(scratch, CHECK_SCRATCH_SIZE, "%.10sT00:00:00Z", value);
    return fits && time_parse(scratch, &ignored) ? NULL : "invalid date";
}

static const char *check_datetime(const char *value, char scratch[])
{
    int64_t ignored;
    (void)scratch;
    return time_parse(value, &ignored) ? NULL : "invalid datetime";
}

static const struct cel_format formats[] = {
    {"dns1123Label", check_dns_label, false},
    {"dns1123Subdomain", check_dns_subdomain, false},
    {"dns1035Label", check_dns1035_label, false},
    {"qualifiedName", check_qualified_name, false},
    {"dns1123LabelPrefix", check_dns_label, true},
    {"dns1123SubdomainPrefix", check_dns_subdomain, true},
    {"dns1035LabelPrefix", check_dns1035_label, true},
    {"labelValue", check_label_value, false},
    {"uri", check_uri, false},
    {"uuid", check_uuid, false},
    {"byte", check_base64, false},
    {"date", check_date, false},
    {"datetime", check_datetime, false},
};

/* --- the functions --- */

static struct cel_value format_called(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (strlen(formats[i].name) == len && memcmp(formats[i].name, name, len) == 0)
            return (struct cel_value){.kind = CEL_FORMAT, .format = &formats[i]};
    return cel_null();
}

static struct cel_value named(struct cel_run *run, const struct cel_value *a)
{
    struct cel_value v = format_called(a[0].text.s, a[0].text.len);
    return v.kind == CEL_FORMAT ? cel_optional(run, v) : cel_none();
}

/* No format has a NUL in it, but it would end the text for those who check. */
static char *without_nul(struct cel_run *run, struct cel_value v)
{
    char *text = cel_c_text(run, v);
    for (size_t i = 0; i < v.text.len; i++)
        text[i] = text[i] ? text[i] : '\1';
    return text;
}

static struct cel_value validate(struct cel_run *run, const struct cel_value *a)
{
    char scratch[CHECK_SCRATCH_SIZE];
    const struct cel_format *f = a[0].format;
    size_t len = a[1].text.len;
    if (!cel_charge(run, (int64_t)(1 + len / 10) * COST_PER_TEN_BYTES))
        return cel_exhausted();
    char *text = without_nul(run, a[1]);
    if (f->prefix && len > 1 && text[len - 1] == '-')
        text[len - 1] = 'a';
    const char *message = f->check(text, scratch);
    if (!message)
        return cel_none();
    struct cel_list *messages = cel_list_new(&run->arena, 1);
    messages->items[messages->n++] = cel_copy_text(run, message, strlen(message));
    return cel_optional(run, cel_list(messages));
}

#define NAMED(function, name)                                                                                          \
    static struct cel_value function(struct cel_run *run, const struct cel_value *a)                                   \
    {                                                                                                                  \
        (void)run;                                                                                                     \
        (void)a;                                                                                                       \
        return format_called(name, strlen(name));                                                                      \
    }
NAMED(dns1123_label, "dns1123Label")
NAMED(dns1123_subdomain, "dns1123Subdomain")
NAMED(dns1035_label, "dns1035Label")
NAMED(qualified_name, "qualifiedName")
NAMED(dns1123_label_prefix, "dns1123LabelPrefix")
NAMED(dns1123_subdomain_prefix, "dns1123SubdomainPrefix")
NAMED(dns1035_label_prefix, "dns1035LabelPrefix")
NAMED(label_value, "labelValue")
NAMED(uri, "uri")
NAMED(uuid, "uuid")
NAMED(byte, "byte")
NAMED(date, "date")
NAMED(datetime, "datetime")

const struct cel_function cel_format_functions[] = {
    {"format.named", "s:OF", named},
    {".validate", "Fs:OS", validate},
    {"format.dns1123Label", ":F", dns1123_label},
    {"format.dns1123Subdomain", ":F", dns1123_subdomain},
    {"format.dns1035Label", ":F", dns1035_label},
    {"format.qualifiedName", ":F", qualified_name},
    {"format.dns1123LabelPrefix", ":F", dns1123_label_prefix},
    {"format.dns1123SubdomainPrefix", ":F", dns1123_subdomain_prefix},
    {"format.dns1035LabelPrefix", ":F", dns1035_label_prefix},
    {"format.labelValue", ":F", label_value},
    {"format.uri", ":F", uri},
    {"format.uuid", ":F", uuid},
    {"format.byte", ":F", byte},
    {"format.date", ":F", date},
    {"format.datetime", ":F", datetime},
    {0},
};
