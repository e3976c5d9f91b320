/* Custom resources: schemas over documents, rules of schemas, definitions and the kinds they make. */
#include "api/schema.h"
#include "json/json.h"
#include "kinds/custom.h"
#include "doc.h"

/* --- one schema over one document --- */

TEST(pruning)
{
    static const struct {
        const char *schema, *doc, *want, *unknown;
    } cases[] = {
        {"{'properties': {'a': {'type': 'string'}}}",
         "{'apiVersion': 'v', 'kind': 'K', 'metadata': {'x': 1}, 'a': 'b', 'c': 1}",
         "{'apiVersion': 'v', 'kind': 'K', 'metadata': {'x': 1}, 'a': 'b'}", "['c']"},
        {"{'properties': {'a': {'items': {'properties': {'b': {}}}}}}", "{'a': [{'b': 1, 'c': 2}, {'d': 3}]}",
         "{'a': [{'b': 1}, {}]}", "['a[0].c', 'a[1].d']"},
        {"{'properties': {'a': {'x-kubernetes-preserve-unknown-fields': true, 'properties': {'s': {'properties': "
         "{}}}}}}",
         "{'a': {'s': {'x': 1}, 'other': [{'y': null}]}}", "{'a': {'s': {}, 'other': [{'y': null}]}}", "['a.s.x']"},
        {"{'properties': {'m': {'additionalProperties': {'properties': {'b': {}}}}}}", "{'m': {'k': {'b': 1, 'c': 1}}}",
         "{'m': {'k': {'b': 1}}}", "['m.k.c']"},
        {"{'properties': {'r': {'x-kubernetes-embedded-resource': true, 'properties': {}}}}",
         "{'r': {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': 'a'}, 'spec': {}}}",
         "{'r': {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': 'a'}}}", "['r.spec']"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[4][400];
        const char *in[] = {cases[i].schema, cases[i].doc, cases[i].want, cases[i].unknown};
        for (int n = 0; n < 4; n++) {
            snprintf(text[n], sizeof(text[n]), "%s", in[n]);
            for (char *s = text[n]; *s; s++)
                *s = *s == '\'' ? '"' : *s;
        }
        _cleanup_json_ json_t *schema = t_doc(text[0]), *doc = t_doc(text[1]), *unknown = json_array();
        _cleanup_json_ json_t *paths = t_doc(text[3]);
        custom_prune(schema, doc, unknown);
        T_JSON(doc, text[2]);
        T_INT(json_array_size(unknown), json_array_size(paths));
        for (size_t n = 0; n < json_array_size(paths); n++) {
            _cleanup_free_ char *want = xasprintf("unknown field \"%s\"", json_string_value(json_array_get(paths, n)));
            T_STR(json_string_value(json_array_get(unknown, n)), want);
        }
    }
}

TEST(defaults)
{
    _cleanup_json_ json_t *schema = t_doc(
        "{\"properties\": {\"a\": {\"type\": \"object\", \"default\": {}, \"properties\": {\"b\": {\"default\": 1}}},"
        " \"n\": {\"nullable\": true, \"default\": 2}, \"o\": {\"default\": 3},"
        " \"l\": {\"items\": {\"properties\": {\"c\": {\"default\": \"x\"}}}},"
        " \"m\": {\"additionalProperties\": {\"properties\": {\"d\": {\"default\": true}}}}}}");
    _cleanup_json_ json_t *doc = t_doc("{\"n\": null, \"o\": null, \"l\": [{}, {\"c\": \"y\"}], \"m\": {\"k\": {}}}");
    custom_default(schema, doc);
    T_JSON(doc, "{\"a\": {\"b\": 1}, \"n\": null, \"o\": 3, \"l\": [{\"c\": \"x\"}, {\"c\": \"y\"}],"
                " \"m\": {\"k\": {\"d\": true}}}");
}

/* The causes as "field: message", one a line. */
static char *causes_text(struct status_causes *c)
{
    size_t i, len = 0;
    json_t *cause;
    static char text[8000];
    text[0] = '\0';
    json_array_foreach(c->list, i, cause)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s: %s", i ? "\n" : "", jstr(cause, "field"),
                                jstr(cause, "message"));
    causes_done(c);
    return text;
}

TEST(validation)
{
    static const struct {
        const char *schema, *value, *want;
    } cases[] = {
        {"{\"type\": \"integer\"}", "1", ""},
        {"{\"type\": \"integer\"}", "1.0", ""},
        {"{\"type\": \"integer\"}", "\"a\"",
         "at: Invalid value: \"string\": at in body must be of type integer: \"string\""},
        {"{\"type\": \"string\"}", "null", "at: Invalid value: \"null\": at in body must be of type string: \"null\""},
        {"{\"type\": \"string\", \"nullable\": true}", "null", ""},
        {"{\"type\": \"number\"}", "3", ""},
        {"{\"x-kubernetes-int-or-string\": true}", "\"http\"", ""},
        {"{\"x-kubernetes-int-or-string\": true}", "true",
         "at: Invalid value: \"boolean\": at in body must be of type integer,string: \"boolean\""},
        {"{\"type\": \"integer\", \"maximum\": 10}", "11",
         "at: Invalid value: 11: at in body should be less than or equal to 10"},
        {"{\"type\": \"integer\", \"maximum\": 10, \"exclusiveMaximum\": true}", "10",
         "at: Invalid value: 10: at in body should be less than 10"},
        {"{\"type\": \"integer\", \"minimum\": 1}", "0",
         "at: Invalid value: 0: at in body should be greater than or equal to 1"},
        {"{\"type\": \"number\", \"multipleOf\": 0.5}", "1.5", ""},
        {"{\"type\": \"integer\", \"multipleOf\": 5}", "7",
         "at: Invalid value: 7: at in body should be a multiple of 5"},
        {"{\"type\": \"string\", \"maxLength\": 2}", "\"abc\"", "at: Too long: may not be more than 2 bytes"},
        {"{\"type\": \"string\", \"minLength\": 2}", "\"\\u00e4\"",
         "at: Invalid value: \"\xc3\xa4\": at in body should be at least 2 chars long"},
        {"{\"type\": \"string\", \"pattern\": \"^a\\\\d+$\"}", "\"a1\"", ""},
        {"{\"type\": \"string\", \"pattern\": \"^a+$\"}", "\"b\"",
         "at: Invalid value: \"b\": at in body should match '^a+$'"},
        {"{\"type\": \"string\", \"enum\": [\"a\", \"b\"]}", "\"c\"",
         "at: Unsupported value: \"c\": supported values: \"a\", \"b\""},
        {"{\"type\": \"string\", \"format\": \"date-time\"}", "\"now\"",
         "at: Invalid value: \"now\": at in body must be of type date-time: \"now\""},
        {"{\"type\": \"array\", \"maxItems\": 1, \"items\": {\"type\": \"integer\"}}", "[1, 2]",
         "at: Too many: 2: must have at most 1 items"},
        {"{\"type\": \"array\", \"items\": {\"type\": \"integer\"}}", "[1, \"a\"]",
         "at[1]: Invalid value: \"string\": at[1] in body must be of type integer: \"string\""},
        {"{\"type\": \"array\", \"x-kubernetes-list-type\": \"set\"}", "[1, 1]", "at[1]: Duplicate value: 1"},
        {"{\"type\": \"array\", \"x-kubernetes-list-type\": \"map\", \"x-kubernetes-list-map-keys\": [\"p\"]}",
         "[{\"p\": 1, \"x\": 1}, {\"p\": 1}]", "at[1]: Duplicate value: {\"p\":1}"},
        {"{\"type\": \"object\", \"required\": [\"a\"]}", "{}", "at.a: Required value"},
        {"{\"type\": \"object\", \"minProperties\": 1}", "{}",
         "at: Invalid value: 0: at in body should have at least 1 properties"},
        {"{\"type\": \"object\", \"additionalProperties\": {\"type\": \"string\"}}", "{\"k\": 1}",
         "at.k: Invalid value: \"integer\": at.k in body must be of type string: \"integer\""},
        {"{\"anyOf\": [{\"minimum\": 5}, {\"maximum\": 1}]}", "0", ""},
        {"{\"anyOf\": [{\"minimum\": 5}]}", "3",
         "<nil>: Invalid value: \"\": \"at\" must validate at least one schema (anyOf)\n"
         "at: Invalid value: 3: at in body should be greater than or equal to 5"},
        {"{\"oneOf\": [{\"minimum\": 1}, {\"minimum\": 2}]}", "3",
         "<nil>: Invalid value: \"\": \"at\" must validate one and only one schema (oneOf). Found more than one valid"},
        {"{\"not\": {\"enum\": [1]}}", "1", "<nil>: Invalid value: \"\": \"at\" must not validate the schema (not)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_json_ json_t *schema = t_doc(cases[i].schema), *value = t_doc(cases[i].value);
        struct status_causes causes = {0};
        custom_validate_value(schema, value, "at", &causes);
        T_STR(causes_text(&causes), cases[i].want);
    }
}

TEST(formats)
{
    static const struct {
        const char *format, *good, *bad;
    } cases[] = {
        {"date", "2026-11-20", "2026-13-20"},
        {"ipv4", "10.0.0.1", "10.0.0.256"},
        {"ipv6", "fe80::1", "10.0.0.1"},
        {"cidr", "10.0.0.0/8", "10.0.0.0"},
        {"duration", "1h30m", "soon"},
        {"email", "a@b.c", "nobody"},
        {"hostname", "a.example", "-a"},
        {"uuid", "7f2b0b9c-6f0e-4b54-9a3b-0e5b1d7c1a11", "7f2b"},
        {"byte", "YWJj", "*"},
        {"mac", "00:11:22:33:44:55", "00:11"},
        {"uri", "https://a/", "b c"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (!custom_format_fits(cases[i].format, cases[i].good) || custom_format_fits(cases[i].format, cases[i].bad))
            T_FAIL("%s", cases[i].format);
    T_TRUE(custom_format_fits("no-such-format", "anything"));
}

/* A pattern that backtracks without end gives up, and soon. */
TEST(patterns_have_a_limit)
{
    _cleanup_json_ json_t *schema = t_doc("{\"type\": \"string\", \"pattern\": \"^(a+)+$\"}");
    _cleanup_json_ json_t *value = json_string("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
    struct status_causes causes = {0};
    custom_validate_value(schema, value, "at", &causes);
    T_TRUE(causes_any(&causes));
    causes_done(&causes);
}

/* --- rules of schemas --- */

TEST(structural_schemas)
{
    static const struct {
        const char *schema, *want;
    } cases[] = {
        {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"string\"}}}", ""},
        {"{\"properties\": {}}", "s.type: Required value: must not be empty at the root"},
        {"{\"type\": \"array\", \"items\": {\"type\": \"string\"}}",
         "s.type: Invalid value: \"array\": must be object at the root"},
        {"{\"type\": \"object\", \"properties\": {\"a\": {}}}",
         "s.properties[a].type: Required value: must not be empty for specified object fields"},
        {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\"}}}",
         "s.properties[a].items: Required value: must be specified"},
        {"{\"type\": \"object\", \"properties\": {\"a\": {\"x-kubernetes-int-or-string\": true, \"anyOf\": [{\"type\": "
         "\"integer\"}, {\"type\": \"string\"}]}}}",
         ""},
        {"{\"type\": \"object\", \"anyOf\": [{\"description\": \"x\"}]}",
         "s.anyOf[0].description: Forbidden: must be empty to be structural"},
        {"{\"type\": \"object\", \"not\": {\"properties\": {\"b\": {\"minimum\": 1}}}}",
         "s.not.properties[b]: Required value: because it is defined in a nested context, it must be defined outside "
         "too"},
        {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"string\", \"pattern\": \"(\"}}}",
         "s.properties[a].pattern: Invalid value: \"(\": must be a valid regular expression, but isn't: missing "
         "closing "
         "parenthesis at offset 1"},
        {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"integer\", \"default\": \"x\"}}}",
         "s.properties[a].default: Invalid value: \"string\": s.properties[a].default in body must be of type integer: "
         "\"string\""},
        {"{\"type\": \"object\", \"$ref\": \"#/x\"}", "s.$ref: Forbidden: $ref is not supported"},
        {"{\"type\": \"object\", \"properties\": {\"metadata\": {\"type\": \"object\", \"properties\": {\"labels\": "
         "{}}}}}",
         "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata "
         "is "
         "implicitly specified"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_json_ json_t *schema = t_doc(cases[i].schema);
        struct status_causes causes = {0};
        custom_check_schema(&causes, schema, "s");
        T_STR(causes_text(&causes), cases[i].want);
    }
}

TEST(tables_of_schemas)
{
    _cleanup_json_ json_t *schema = t_doc(
        "{\"properties\": {\"spec\": {\"type\": \"object\", \"properties\": {\"ports\": {\"type\": \"array\","
        " \"x-kubernetes-list-type\": \"map\", \"x-kubernetes-list-map-keys\": [\"port\", \"proto\"],"
        " \"items\": {\"type\": \"object\", \"properties\": {\"port\": {\"type\": \"integer\"}}}},"
        " \"tags\": {\"type\": \"array\", \"x-kubernetes-list-type\": \"set\", \"items\": {\"type\": \"string\"}}}},"
        " \"map\": {\"type\": \"object\", \"x-kubernetes-map-type\": \"atomic\", \"additionalProperties\": {\"type\": "
        "\"string\"}}}}");
    struct custom_blocks blocks = {0};
    const struct field *fields = custom_fields(schema, &blocks), *spec = schema_member(fields, "spec");
    T_TRUE(schema_member(fields, "metadata") && spec && spec->type == F_OBJECT);
    T_STR(schema_member(spec->sub, "ports")->list_keys, "port,proto");
    T_STR(schema_member(spec->sub, "tags")->list_keys, "");
    T_TRUE(schema_member(fields, "map")->type == F_MAP && (schema_member(fields, "map")->flags & ATOMIC));
    custom_blocks_done(&blocks);
}

/* --- definitions --- */

static json_t *definition(void)
{
    return t_doc("{\"metadata\": {\"name\": \"tabs.example.com\"}, \"spec\": {\"group\": \"example.com\", \"scope\": "
                 "\"Namespaced\","
                 " \"names\": {\"plural\": \"tabs\", \"kind\": \"Tab\", \"shortNames\": [\"tb\"]}, \"versions\": ["
                 "{\"name\": \"v1alpha1\", \"served\": true, \"storage\": false, \"deprecated\": true,"
                 " \"schema\": {\"openAPIV3Schema\": {\"type\": \"object\"}}},"
                 "{\"name\": \"v1\", \"served\": true, \"storage\": true, \"schema\": {\"openAPIV3Schema\": {\"type\": "
                 "\"object\","
                 " \"properties\": {\"spec\": {\"type\": \"object\"}}}}}]}}");
}

TEST(a_definition_becomes_kinds)
{
    const struct kind *crd_kind = &kind_customresourcedefinition;
    _cleanup_json_ json_t *crd = definition(), *unnamed = NULL;
    struct status_causes causes = {0};
    schema_default(crd_kind, crd);
    crd_kind->prepare(crd, NULL);
    schema_validate(crd_kind, crd, NULL, &causes);
    T_STR(causes_text(&causes), "");
    T_STR(jstr(crd, "status.acceptedNames.listKind"), "TabList");
    T_JSON(jget(crd, "status.storedVersions"), "[\"v1\"]");
    const struct kind *kept = custom_define(crd), *v1 = kind_by_resource("example.com", "v1", "tabs");
    const struct kind *old = kind_by_resource("example.com", "v1alpha1", "tabs");
    T_TRUE(v1 == kept && old && old->stored == kept && kind_stored(old) == kept);
    T_STR(old->deprecation, "example.com/v1alpha1 Tab is deprecated");
    T_TRUE(kind_by_api_version("example.com/v1", "Tab") == kept && schema_member(v1->fields, "spec"));
    /* Another one may not have its names. */
    const char *part;
    unnamed = definition();
    jset_str(unnamed, "spec.names.plural", "tabs2");
    T_STR(custom_name_taken(unnamed, &part), "Tab");
    T_STR(part, "Kind");
    T_TRUE(!custom_name_taken(crd, &part));
    /* It goes and comes again as the same kind. */
    T_TRUE(custom_undefine(crd) == kept && !kind_by_resource("example.com", "v1", "tabs"));
    T_TRUE(custom_define(crd) == kept && kind_by_resource("example.com", "v1", "tabs") == kept);
    custom_undefine(crd);
}

int main(void)
{
    RUN(pruning);
    RUN(defaults);
    RUN(validation);
    RUN(formats);
    RUN(patterns_have_a_limit);
    RUN(structural_schemas);
    RUN(tables_of_schemas);
    RUN(a_definition_becomes_kinds);
    return DONE();
}
