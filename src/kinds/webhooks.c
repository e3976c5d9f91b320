/* Who is asked before something is written: MutatingWebhookConfigurations and ValidatingWebhookConfigurations. Rules:
 * pkg/apis/admissionregistration/validation. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/admissionexpr.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

static const struct field rule_fields[] = {
    {"operations", F_LIST, OPT, STRINGS, .doc = "CREATE, UPDATE, DELETE, CONNECT or *."},
    {"apiGroups", F_LIST, OPT, STRINGS, .doc = "Groups, or *."},
    {"apiVersions", F_LIST, OPT, STRINGS, .doc = "Versions, or *."},
    {"resources", F_LIST, OPT, STRINGS, .doc = "Plurals, with /subresource; * stands for any."},
    {"scope", F_STR, .dflt = "\"*\"", .oneof = ONE_OF("*", "Cluster", "Namespaced"),
     .doc = "Cluster, Namespaced or *."},
    {0},
};

static const struct field service_fields[] = {
    {"namespace", F_STR, REQ, .doc = "Namespace of the Service."},
    {"name", F_STR, REQ, .doc = "Name of the Service."},
    {"path", F_STR, .doc = "Path of the URL."},
    {"port", F_INT, .dflt = "443", .min = 1, .max = 65535, .doc = "Port of the Service."},
    {0},
};

const struct field webhook_client_fields[] = {
    {"url", F_STR, .doc = "Where to ask: https://host:port/path."},
    {"service", F_OBJECT, .sub = service_fields, .doc = "Service to ask instead of a URL."},
    {"caBundle", F_BYTES, OPT, .doc = "Certificates, in PEM, by which the server is known; the system's if missing."},
    {0},
};

static const struct field condition_rows[] = {
    {"name", F_STR, REQ, .doc = "Name of the condition."},
    {"expression", F_STR, REQ, .doc = "What must be true, in CEL."},
    {0},
};

#define WEBHOOK_ROWS                                                                                                   \
    {"name", F_STR, REQ, .doc = "Name of the webhook: a domain of at least three labels."},                            \
        {"clientConfig", F_OBJECT, REQ, .sub = webhook_client_fields, .doc = "How to reach it."},                      \
        {"rules", F_LIST, OPT, LIST_OF(rule_fields), .doc = "Requests it is asked about."},                            \
        {"failurePolicy", F_STR, .dflt = "\"Fail\"", .oneof = ONE_OF("Fail", "Ignore"),                                \
         .doc = "What no answer means: Fail refuses, Ignore goes on."},                                                \
        {"matchPolicy", F_STR, .dflt = "\"Equivalent\"", .oneof = ONE_OF("Equivalent", "Exact"),                       \
         .doc = "Whether other versions of a kind match too."},                                                        \
        {"namespaceSelector", F_OBJECT, .sub = label_selector_fields, .dflt = "{}",                                    \
         .doc = "Namespaces by their labels."},                                                                        \
        {"objectSelector", F_OBJECT, .sub = label_selector_fields, .dflt = "{}", .doc = "Objects by their labels."},   \
        {"sideEffects", F_STR, REQ, .oneof = ONE_OF("None", "NoneOnDryRun"),                                           \
         .doc = "What asking does beside answering."},                                                                 \
        {"timeoutSeconds", F_INT, .dflt = "10", .doc = "How long to wait, 1 to 30."},                                  \
        {"admissionReviewVersions", F_LIST, REQ, STRINGS, .doc = "Versions of AdmissionReview, best first."},          \
    {                                                                                                                  \
        "matchConditions", F_LIST, OPT, LIST_OF(condition_rows), .merge_key = "name", .list_keys = "name",             \
                                                                 .doc = "What must be true for it to be asked."        \
    }

static const struct field validating_rows[] = {WEBHOOK_ROWS, {0}};

static const struct field mutating_rows[] = {
    WEBHOOK_ROWS,
    {"reinvocationPolicy", F_STR, .dflt = "\"Never\"", .oneof = ONE_OF("IfNeeded", "Never"),
     .doc = "Whether to ask again when a later webhook has changed the object."},
    {0},
};

#define CONFIGURATION_FIELDS(rows)                                                                                     \
    {                                                                                                                  \
        FIELD_METADATA,                                                                                                \
            {"webhooks",                                                                                               \
             F_LIST,                                                                                                   \
             OPT,                                                                                                      \
             LIST_OF(rows),                                                                                            \
             .merge_key = "name",                                                                                      \
             .list_keys = "name",                                                                                      \
             .doc = "The webhooks, in the order in which they are asked."},                                            \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
static const struct field validating_fields[] = CONFIGURATION_FIELDS(validating_rows);
static const struct field mutating_fields[] = CONFIGURATION_FIELDS(mutating_rows);

static json_t *cell_webhooks(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_integer((json_int_t)json_array_size(jget(obj, "webhooks")));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Webhooks", "integer", "", 0, cell_webhooks},
    {"Age", "string", "", 0, cell_age},
    {0},
};

/* --- rules --- */

static void check_name(struct status_causes *c, const char *name, size_t i)
{
    size_t dots = 0;
    for (const char *s = name; *s; s++)
        dots += *s == '.';
    rule_check_text(c, check_dns_subdomain, name, "webhooks[%zu].name", i);
    if (dots < 2)
        rule_broken_text(c, CAUSE_INVALID, name, "should be a domain with at least three segments separated by dots",
                         "webhooks[%zu].name", i);
}

void rule_webhook_client(struct status_causes *c, const json_t *config, const char *at)
{
    const char *url = jstr(config, "url"), *path = jstr(config, "service.path");
    if (!url == !jget(config, "service"))
        rule_broken(c, CAUSE_REQUIRED, NULL, "exactly one of url or service is required", "%s", at);
    else if (url && !str_after(url, "https://"))
        rule_broken_text(c, CAUSE_INVALID, url,
                         "'https' is the only allowed URL scheme; desired format: "
                         "https://host[/path]",
                         "%s.url", at);
    else if (url && strpbrk(url, "#?@"))
        rule_broken_text(c, CAUSE_INVALID, url,
                         "fragments, query parameters and user information are not permitted in "
                         "the URL",
                         "%s.url", at);
    if (path && *path != '/')
        rule_broken_text(c, CAUSE_INVALID, path, "must start with a '/'", "%s.service.path", at);
}

static void check_rule(struct status_causes *c, const json_t *rule, size_t i, size_t j)
{
    static const char *const lists[] = {"operations", "apiGroups", "apiVersions", "resources"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        if (!json_array_size(jget(rule, lists[l])))
            rule_broken(c, CAUSE_REQUIRED, NULL, "", "webhooks[%zu].rules[%zu].%s", i, j, lists[l]);
    size_t o;
    json_t *op;
    json_array_foreach(jget(rule, "operations"), o, op) {
        static const char *const known[] = {"*", "CONNECT", "CREATE", "DELETE", "UPDATE"};
        bool is_known = false;
        for (size_t n = 0; n < ARRAY_LEN(known); n++)
            is_known |= streq(known[n], str_or(json_string_value(op), ""));
        if (!is_known)
            rule_broken(c, CAUSE_NOT_SUPPORTED, op,
                        "supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\"",
                        "webhooks[%zu].rules[%zu].operations[%zu]", i, j, o);
    }
}

static void check_versions(struct status_causes *c, const json_t *versions, size_t i)
{
    bool any = false;
    size_t n;
    json_t *v;
    json_array_foreach((json_t *)versions, n, v)
        any |= streq(str_or(json_string_value(v), ""), "v1") || streq(str_or(json_string_value(v), ""), "v1beta1");
    if (!json_array_size(versions))
        rule_broken(c, CAUSE_REQUIRED, NULL, "must specify one of v1, v1beta1", "webhooks[%zu].admissionReviewVersions",
                    i);
    else if (!any)
        rule_broken(c, CAUSE_INVALID, versions, "must include at least one of v1, v1beta1",
                    "webhooks[%zu].admissionReviewVersions", i);
}

static void check_conditions(struct status_causes *c, const json_t *conditions, size_t i)
{
    struct admission_expressions compiled = {0};
    char path[RULE_PATH_SIZE];
    snprintf(path, sizeof(path), "webhooks[%zu].matchConditions", i);
    admission_conditions_compile(conditions, path, &compiled, c);
    admission_expressions_done(&compiled);
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    size_t i, j;
    json_t *hook, *rule;
    _cleanup_json_ json_t *names = json_object();
    json_array_foreach(jget(obj, "webhooks"), i, hook) {
        const char *name = jstr_or(hook, "name", "");
        char path[RULE_PATH_SIZE];
        if (json_object_get(names, name))
            rule_broken_text(causes, CAUSE_DUPLICATE, name, "", "webhooks[%zu].name", i);
        json_object_set_new(names, name, json_true());
        check_name(causes, name, i);
        snprintf(path, sizeof(path), "webhooks[%zu].clientConfig", i);
        rule_webhook_client(causes, jget(hook, "clientConfig"), path);
        check_versions(causes, jget(hook, "admissionReviewVersions"), i);
        json_array_foreach(jget(hook, "rules"), j, rule)
            check_rule(causes, rule, i, j);
        if (jint(hook, "timeoutSeconds", 1) < 1 || jint(hook, "timeoutSeconds", 1) > 30)
            rule_broken(causes, CAUSE_INVALID, jget(hook, "timeoutSeconds"),
                        "the timeout value must be between 1 and 30 seconds", "webhooks[%zu].timeoutSeconds", i);
        check_conditions(causes, jget(hook, "matchConditions"), i);
        snprintf(path, sizeof(path), "webhooks[%zu].namespaceSelector", i);
        rule_label_selector(causes, jget(hook, "namespaceSelector"), path);
        snprintf(path, sizeof(path), "webhooks[%zu].objectSelector", i);
        rule_label_selector(causes, jget(hook, "objectSelector"), path);
    }
}

#define WEBHOOK_KIND(word, plural_word, table)                                                                         \
    {                                                                                                                  \
        .group = "admissionregistration.k8s.io", .version = "v1", .kind = word "WebhookConfiguration",                 \
        .plural = plural_word "webhookconfigurations", .singular = plural_word "webhookconfiguration",                 \
        .list_kind = word "WebhookConfigurationList", .categories = (const char *const[]){"api-extensions", NULL},     \
        .verbs = V_ALL, .fields = table, .columns = columns, .check_name = check_dns_subdomain,                        \
        .has_generation = true, .validate = validate,                                                                  \
    }

const struct kind kind_validatingwebhook = WEBHOOK_KIND("Validating", "validating", validating_fields);
const struct kind kind_mutatingwebhook = WEBHOOK_KIND("Mutating", "mutating", mutating_fields);
