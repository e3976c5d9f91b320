/* api/schema.h over a small kind of the test's own. */
#include "api/schema.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "t.h"

static const char *check_lower(const char *value, char scratch[CHECK_SCRATCH_SIZE])
{
    for (const char *p = value; *p; p++)
        if (*p < 'a' || *p > 'z') {
            snprintf(scratch, CHECK_SCRATCH_SIZE, "'%c' is not a small letter", *p);
            return scratch;
        }
    return NULL;
}

#define TEXTS                                                                                                          \
    .sub = (const struct field[])                                                                                      \
    {                                                                                                                  \
        {                                                                                                              \
            .type = F_STR                                                                                              \
        }                                                                                                              \
    }

static const struct field label_values[] = {{.type = F_STR, .check = check_lower}};
static const struct field meta_fields[] = {{"name", F_STR, OPT},
                                           {"generateName", F_STR, OPT},
                                           {"namespace", F_STR, OPT},
                                           {"uid", F_STR, OPT},
                                           {"creationTimestamp", F_TIME},
                                           {"labels", F_MAP, .sub = label_values, .check_key = check_lower},
                                           {"annotations", F_MAP, TEXTS},
                                           {"finalizers", F_LIST, TEXTS},
                                           {"ownerReferences", F_LIST, .sub = (const struct field[]){{.type = F_RAW}}},
                                           {0}};
static const struct field port_fields[] = {
    {"name", F_STR, REQ, .check = check_lower, .max_len = 5},
    {"port", F_INT, REQ, .min = 1, .max = 65535},
    {"protocol", F_STR, OPT, .dflt = "\"TCP\"", .oneof = (const char *const[]){"TCP", "UDP", NULL}},
    {"target", F_INT_OR_STR},
    {0}};
static const struct field spec_fields[] = {
    {"replicas", F_INT, .dflt = "1", .max = NO_MAX},
    {"big", F_INT64},
    {"ratio", F_NUMBER},
    {"paused", F_BOOL, OPT},
    {"selector", F_STR, IMMUT},
    {"ports", F_LIST, UNIQUE, .sub = (const struct field[]){{.type = F_OBJECT, .sub = port_fields}},
     .list_keys = "port,protocol", .max_len = 3},
    {"containers", F_LIST, REQ | NONEMPTY | UNIQUE,
     .sub = (const struct field[]){{.type = F_OBJECT, .sub = port_fields}}, .list_keys = "name"},
    {"limits", F_MAP, .sub = (const struct field[]){{.type = F_QUANTITY}}, .check_key = check_lower},
    {"args", F_LIST, UNIQUE, TEXTS, .list_keys = ""},
    {"secret", F_BYTES},
    {"since", F_MICROTIME},
    {"any", F_RAW},
    {"nothing", F_STR, NULLABLE},
    {0}};
static const struct field thing_fields[] = {
    {"metadata", F_OBJECT, .sub = meta_fields}, {"spec", F_OBJECT, REQ, .sub = spec_fields}, {0}};

static void default_more(json_t *o)
{
    if (!jhas(o, "spec.big"))
        jset(o, "spec.big", json_incref(jget(o, "spec.replicas")));
}

static void validate_more(const json_t *o, const json_t *old, struct status_causes *c)
{
    if (jint(o, "spec.big", 0) == 13)
        causes_add(c, CAUSE_FORBIDDEN, "spec.big", NULL, "unlucky%s", old ? " again" : "");
}

static const struct kind thing = {.group = "apps",
                                  .version = "v1",
                                  .kind = "Thing",
                                  .plural = "things",
                                  .namespaced = true,
                                  .fields = thing_fields,
                                  .check_name = check_lower,
                                  .default_more = default_more,
                                  .validate = validate_more};
static const struct kind global = {.group = "", .version = "v1", .kind = "Global", .fields = thing_fields};

#define REFUSED "Thing in version \"v1\" cannot be handled as a Thing: "

TEST(wrong_types_are_named_as_go_names_them)
{
    static const struct {
        const char *doc, *message;
    } rows[] = {
        {"{\"spec\": {\"replicas\": \"3\"}}",
         "json: cannot unmarshal string into Go struct field ThingSpec.spec.replicas of type int32"},
        {"{\"spec\": {\"replicas\": 1.5}}",
         "json: cannot unmarshal number 1.5 into Go struct field ThingSpec.spec.replicas of type int32"},
        {"{\"spec\": {\"replicas\": 3000000000}}",
         "json: cannot unmarshal number 3000000000 into Go struct field ThingSpec.spec.replicas of type int32"},
        {"{\"spec\": {\"selector\": 5}}",
         "json: cannot unmarshal number into Go struct field ThingSpec.spec.selector of type string"},
        {"{\"spec\": {\"paused\": \"yes\"}}",
         "json: cannot unmarshal string into Go struct field ThingSpec.spec.paused of type bool"},
        {"{\"spec\": {\"ports\": {}}}",
         "json: cannot unmarshal object into Go struct field ThingSpec.spec.ports of type []v1.ContainerPort"},
        {"{\"spec\": {\"ports\": [{\"port\": 1}, 7]}}",
         "json: cannot unmarshal number 7 into Go struct field ThingSpec.spec.ports of type v1.ContainerPort"},
        {"{\"spec\": {\"ports\": [{\"name\": true}]}}",
         "json: cannot unmarshal bool into Go struct field ContainerPort.spec.ports.name of type string"},
        {"{\"spec\": {\"limits\": []}}",
         "json: cannot unmarshal array into Go struct field ThingSpec.spec.limits of type map[string]string"},
        {"{\"metadata\": {\"labels\": {\"a\": 1}}}",
         "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"},
        {"{\"metadata\": []}",
         "json: cannot unmarshal array into Go struct field Thing.metadata of type v1.ObjectMeta"},
        {"[]", "json: cannot unmarshal array into Go value of type v1.Thing"},
        {"{\"spec\": {\"limits\": {\"cpu\": \"1 core\"}}}",
         "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"},
        {"{\"spec\": {\"secret\": \"a b\"}}", "illegal base64 data at input byte 1"},
        {"{\"metadata\": {\"creationTimestamp\": \"noon\"}}",
         "parsing time \"noon\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"noon\" as \"2006\""},
        {"{\"spec\": {\"foo\": 1, \"replicas\": {}}}",
         "json: cannot unmarshal object into Go struct field ThingSpec.spec.replicas of type int32"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_json_ json_t *doc = json_loads(rows[i].doc, 0, NULL);
        _cleanup_json_ json_t *status = schema_decode(&thing, doc, VALIDATION_STRICT, NULL);
        const char *message = jstr_or(status, "message", "(taken)");
        T_STR(str_or(str_after(message, REFUSED), message), rows[i].message);
        T_INT(jint(status, "code", 0), 400);
    }
}

TEST(decoding_makes_values_canonical)
{
    _cleanup_json_ json_t *doc =
        json_loads("{\"apiVersion\": \"apps/v1\", \"kind\": \"Thing\", \"metadata\": {\"creationTimestamp\": null, "
                   "\"name\": \"\"},"
                   " \"spec\": {\"replicas\": 3.0, \"big\": 4e3, \"paused\": false, \"limits\": {\"cpu\": 0.5, "
                   "\"memory\": \"1024Mi\", \"x\": 2},"
                   " \"ports\": [{\"target\": 80.0}, null, {\"target\": \"http\"}], \"args\": [null, \"a\"], "
                   "\"secret\": \"YWJj\\nZA==\\n\","
                   " \"since\": \"2026-01-01T01:00:00+01:00\", \"any\": {\"x\": [null]}, \"nothing\": null}}",
                   0, NULL);
    _cleanup_json_ json_t *status = schema_decode(&thing, doc, VALIDATION_STRICT, NULL);
    T_TRUE(!status);
    T_JSON(
        doc,
        "{\"apiVersion\": \"apps/v1\", \"kind\": \"Thing\", \"metadata\": {},"
        " \"spec\": {\"replicas\": 3, \"big\": 4000, \"limits\": {\"cpu\": \"500m\", \"memory\": \"1Gi\", \"x\": "
        "\"2\"},"
        " \"ports\": [{\"target\": 80}, {}, {\"target\": \"http\"}], \"args\": [\"\", \"a\"], \"secret\": \"YWJjZA==\","
        " \"since\": \"2026-01-01T00:00:00.000000Z\", \"any\": {\"x\": [null]}, \"nothing\": null}}");
}

TEST(unknown_members_go_warn_or_refuse)
{
    static const char text[] =
        "{\"foo\": 1, \"spec\": {\"bar\": {}, \"ports\": [{}, {\"baz\": 1}], \"limits\": {\"cpu\": 1}}}";
    for (enum field_validation mode = VALIDATION_IGNORE; mode <= VALIDATION_STRICT; mode++) {
        _cleanup_json_ json_t *doc = json_loads(text, 0, NULL), *warnings = NULL;
        _cleanup_json_ json_t *status = schema_decode(&thing, doc, mode, &warnings);
        T_JSON(doc, "{\"spec\": {\"ports\": [{}, {}], \"limits\": {\"cpu\": \"1\"}}}");
        if (mode == VALIDATION_STRICT)
            T_STR(jstr(status, "message"),
                  REFUSED "strict decoding error: unknown field \"foo\", unknown field \"spec.bar\", "
                          "unknown field \"spec.ports[1].baz\"");
        else
            T_TRUE(!status);
        if (mode == VALIDATION_WARN)
            T_JSON(warnings, "[\"unknown field \\\"foo\\\"\", \"unknown field \\\"spec.bar\\\"\", \"unknown field "
                             "\\\"spec.ports[1].baz\\\"\"]");
        else
            T_TRUE(!warnings);
    }
    _cleanup_json_ json_t *many = json_object(), *warnings = json_pack("[s]", "first");
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "x%d", i);
        json_object_set_new(many, name, json_true());
    }
    T_TRUE(!schema_decode(&thing, many, VALIDATION_WARN, &warnings));
    T_INT(json_array_size(warnings), 101);
}

TEST(defaults_fill_what_is_missing)
{
    _cleanup_json_ json_t *doc = json_loads("{\"spec\": {\"ports\": [{}, {\"protocol\": \"UDP\"}]}}", 0, NULL);
    schema_default(&thing, doc);
    T_JSON(doc,
           "{\"spec\": {\"replicas\": 1, \"big\": 1, \"ports\": [{\"protocol\": \"TCP\"}, {\"protocol\": \"UDP\"}]}}");
    _cleanup_json_ json_t *zero = json_loads("{\"spec\": {\"replicas\": 0}}", 0, NULL);
    schema_default(&thing, zero);
    T_INT(jint(zero, "spec.replicas", -1), 0);
}

static void expect_causes(const struct kind *k, const char *doc_text, const char *old_text, const char *want)
{
    _cleanup_json_ json_t *doc = json_loads(doc_text, 0, NULL), *old = old_text ? json_loads(old_text, 0, NULL) : NULL;
    struct status_causes c = {0};
    schema_validate(k, doc, old, &c);
    struct buf text = BUF_INIT(0);
    size_t i;
    json_t *cause;
    json_array_foreach(c.list, i, cause)
        buf_addf(&text, "%s%s: %s", i ? "\n" : "", jstr(cause, "field"), jstr(cause, "message"));
    T_STR(buf_str(&text), want);
    buf_done(&text);
    causes_done(&c);
}

#define GOOD_META "\"metadata\": {\"name\": \"x\", \"namespace\": \"ns\"}"
#define GOOD_SPEC "\"containers\": [{\"name\": \"a\", \"port\": 1}]"

TEST(tables_are_checked)
{
    static const struct {
        const char *doc, *want;
    } rows[] = {
        {"{" GOOD_META ", \"spec\": {" GOOD_SPEC "}}", ""},
        {"{" GOOD_META "}", "spec: Required value"},
        {"{" GOOD_META ", \"spec\": {}}", "spec.containers: Required value"},
        {"{" GOOD_META ", \"spec\": {\"containers\": []}}", "spec.containers: Required value"},
        {"{" GOOD_META ", \"spec\": {" GOOD_SPEC ", \"replicas\": -1}}",
         "spec.replicas: Invalid value: -1: must be greater than or equal to 0"},
        {"{" GOOD_META ", \"spec\": {\"containers\": [{\"name\": \"\", \"port\": 70000, \"protocol\": \"X\"}]}}",
         "spec.containers[0].name: Required value\n"
         "spec.containers[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive\n"
         "spec.containers[0].protocol: Unsupported value: \"X\": supported values: \"TCP\", \"UDP\""},
        {"{" GOOD_META
         ", \"spec\": {\"containers\": [{\"name\": \"B\", \"port\": 1}, {\"name\": \"toolong\", \"port\": 1}]}}",
         "spec.containers[0].name: Invalid value: \"B\": 'B' is not a small letter\n"
         "spec.containers[1].name: Too long: may not be more than 5 bytes"},
        {"{" GOOD_META
         ", \"spec\": {\"containers\": [{\"name\": \"a\", \"port\": 1}, {\"name\": \"a\", \"port\": 1}]}}",
         "spec.containers[1].name: Duplicate value: \"a\""},
        {"{" GOOD_META ", \"spec\": {" GOOD_SPEC ", \"args\": [\"a\", \"b\", \"a\"]}}",
         "spec.args[2]: Duplicate value: \"a\""},
        {"{" GOOD_META ", \"spec\": {" GOOD_SPEC
         ", \"ports\": [{\"name\": \"a\", \"port\": 1}, {\"name\": \"a\", \"port\": 1}]}}",
         "spec.ports[1]: Duplicate value: {\"name\":\"a\",\"port\":1}"},
        {"{" GOOD_META ", \"spec\": {" GOOD_SPEC
         ", \"ports\": [{\"name\": \"a\", \"port\": 1}, {\"name\": \"a\", \"port\": 2}, "
         "{\"name\": \"a\", \"port\": 3}, {\"name\": \"a\", \"port\": 4}]}}",
         "spec.ports: Too many: 4: must have at most 3 items"},
        {"{" GOOD_META ", \"spec\": {" GOOD_SPEC ", \"limits\": {\"CPU\": \"1\"}}}",
         "spec.limits[CPU]: Invalid value: \"CPU\": 'C' is not a small letter"},
        {"{\"metadata\": {\"name\": \"x\", \"namespace\": \"ns\", \"labels\": {\"A\": \"b\", \"c\": \"D\"}}, \"spec\": "
         "{" GOOD_SPEC "}}",
         "metadata.labels: Invalid value: \"A\": 'A' is not a small letter\n"
         "metadata.labels: Invalid value: \"D\": 'D' is not a small letter"},
        {"{" GOOD_META ", \"spec\": {" GOOD_SPEC ", \"big\": 13}}", "spec.big: Forbidden: unlucky"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_causes(&thing, rows[i].doc, NULL, rows[i].want);
}

#define SPEC ", \"spec\": {" GOOD_SPEC "}}"

TEST(metadata_is_checked)
{
    static const struct {
        const struct kind *kind;
        const char *doc, *want;
    } rows[] = {
        {&thing, "{\"spec\": {" GOOD_SPEC "}}",
         "metadata.name: Required value: name or generateName is required\nmetadata.namespace: Required value"},
        {&thing, "{\"metadata\": {\"name\": \"X\", \"namespace\": \"N\", \"generateName\": \"ab-\"}" SPEC,
         "metadata.name: Invalid value: \"X\": 'X' is not a small letter\nmetadata.namespace: Invalid value: \"N\": *"},
        {&thing, "{\"metadata\": {\"name\": \"x\", \"namespace\": \"n\", \"generateName\": \"a+-\"}" SPEC, ""},
        {&thing, "{\"metadata\": {\"name\": \"x\", \"namespace\": \"n\", \"generateName\": \"+\"}" SPEC,
         "metadata.generateName: Invalid value: \"+\": '+' is not a small letter"},
        {&global, "{\"metadata\": {\"name\": \"x\", \"namespace\": \"n\"}" SPEC,
         "metadata.namespace: Forbidden: not allowed on this type"},
        {&global, "{\"metadata\": {\"name\": \"x\", \"annotations\": {\"Example.com/A\": \"1\", \"a b\": \"2\"}}" SPEC,
         "metadata.annotations: Invalid value: \"a b\": *"},
        {&global, "{\"metadata\": {\"name\": \"x\", \"finalizers\": [\"orphan\", \"foregroundDeletion\"]}" SPEC,
         "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\"]: finalizer orphan and "
         "foregroundDeletion "
         "cannot be both set"},
        {&global,
         "{\"metadata\": {\"name\": \"x\", \"ownerReferences\": [{\"kind\": \"A\", \"name\": \"a\", \"controller\": "
         "true}, "
         "{\"kind\": \"B\", \"name\": \"b\", \"controller\": true}]}" SPEC,
         "metadata.ownerReferences: Invalid value: *"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *star = strchr(rows[i].want, '*');
        if (!star) {
            expect_causes(rows[i].kind, rows[i].doc, NULL, rows[i].want);
            continue;
        }
        struct status_causes c = {0};
        _cleanup_json_ json_t *doc = json_loads(rows[i].doc, 0, NULL);
        schema_validate(rows[i].kind, doc, NULL, &c);
        _cleanup_json_ json_t *status = status_invalid("", "K", "x", &c);
        _cleanup_free_ char *part = xstrndup(rows[i].want, (size_t)(star - rows[i].want));
        char *last = strrchr(part, '\n');
        if (!strstr(jstr(status, "message"), last ? last + 1 : part))
            T_STR(jstr(status, "message"), part);
        causes_done(&c);
    }
}

TEST(annotations_have_a_total_size)
{
    struct status_causes c = {0};
    _cleanup_json_ json_t *doc = json_pack("{s:{s:s, s:{}}, s:{s:[{s:s, s:i}]}}", "metadata", "name", "x",
                                           "annotations", "spec", "containers", "name", "a", "port", 1);
    _cleanup_free_ char *text = xcalloc(1, 256 * 1024 + 1);
    memset(text, 'a', 256 * 1024 - 1);
    jset(doc, "metadata.annotations.k", json_string(text));
    schema_validate(&global, doc, NULL, &c);
    T_TRUE(!causes_any(&c));
    text[256 * 1024 - 1] = 'a';
    jset(doc, "metadata.annotations.k", json_string(text));
    schema_validate(&global, doc, NULL, &c);
    T_STR(jstr(json_array_get(c.list, 0), "message"), "Too long: may not be more than 262144 bytes");
    causes_done(&c);
}

TEST(updates_leave_immutable_fields_alone)
{
    static const char old[] = "{\"metadata\": {\"name\": \"x\", \"namespace\": \"n\", \"uid\": \"1\"}, \"spec\": "
                              "{\"selector\": \"a\"," GOOD_SPEC "}}";
    expect_causes(&thing, old, old, "");
    expect_causes(&thing,
                  "{\"metadata\": {\"name\": \"x\", \"namespace\": \"n\", \"uid\": \"2\"}, \"spec\": {\"selector\": "
                  "\"b\", \"big\": 13," GOOD_SPEC "}}",
                  old,
                  "metadata.uid: Invalid value: \"2\": field is immutable\nspec.selector: Invalid value: \"b\": field "
                  "is immutable\n"
                  "spec.big: Forbidden: unlucky again");
    expect_causes(&thing,
                  "{\"metadata\": {\"name\": \"x\", \"namespace\": \"n\", \"uid\": \"1\"}, \"spec\": {" GOOD_SPEC "}}",
                  old, "spec.selector: Invalid value: null: field is immutable");
}

int main(void)
{
    RUN(wrong_types_are_named_as_go_names_them);
    RUN(decoding_makes_values_canonical);
    RUN(unknown_members_go_warn_or_refuse);
    RUN(defaults_fill_what_is_missing);
    RUN(tables_are_checked);
    RUN(metadata_is_checked);
    RUN(annotations_have_a_total_size);
    RUN(updates_leave_immutable_fields_alone);
    return DONE();
}
