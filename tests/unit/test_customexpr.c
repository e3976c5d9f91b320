/* Rules in CEL of custom resources: what is said of rules that cannot be, and of documents that break them. */
#include "json/json.h"
#include "kinds/customexpr.h"
#include "t.h"

static json_t *parse(const char *text)
{
    json_t *doc = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!doc)
        T_FAIL("bad JSON in test: %s", text);
    return doc;
}

/* The causes as "field: message", one a line, the first line of each. */
static char *causes_text(struct status_causes *c)
{
    static char text[8000];
    size_t i, len = 0;
    json_t *cause;
    text[0] = '\0';
    json_array_foreach(c->list, i, cause)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s: %.*s", i ? "\n" : "", jstr(cause, "field"),
                                (int)strcspn(jstr(cause, "message"), "\n"), jstr(cause, "message"));
    causes_done(c);
    return text;
}

#define RULE(...) "\"x-kubernetes-validations\": [{" __VA_ARGS__ "}]"
#define SPEC(members) "{\"type\": \"object\", \"properties\": {\"spec\": {\"type\": \"object\", " members "}}}"
#define PROPERTIES(...) "\"properties\": {" __VA_ARGS__ "}"
#define INTEGER "{\"type\": \"integer\"}"
#define STRING "{\"type\": \"string\"}"

TEST(rules_that_cannot_be)
{
    static const struct {
        const char *schema, *want;
    } cases[] = {
        {SPEC(PROPERTIES("\"min\": " INTEGER) ", " RULE("\"rule\": \"self.min > 0\"")), ""},
        {SPEC(PROPERTIES("\"min\": " INTEGER) ", " RULE("\"rule\": \"self.max > 0\"")),
         "s.properties[spec].x-kubernetes-validations[0].rule: Invalid value: \"self.max > 0\": compilation failed: "
         "ERROR: <input>:1:5: undefined field 'max'"},
        {SPEC(PROPERTIES("\"min\": " INTEGER) ", " RULE("\"rule\": \"self.min\"")),
         "s.properties[spec].x-kubernetes-validations[0].rule: Invalid value: \"self.min\": cel expression must "
         "evaluate to a bool"},
        {SPEC(RULE("\"rule\": \" \"")),
         "s.properties[spec].x-kubernetes-validations[0].rule: Required value: rule is not specified"},
        {SPEC(RULE("\"rule\": \"true\", \"message\": \"a\\nb\"")),
         "s.properties[spec].x-kubernetes-validations[0].message: Invalid value: \"a\\nb\": message must not contain "
         "line breaks"},
        {SPEC(RULE("\"rule\": \"true\", \"reason\": \"Bad\"")),
         "s.properties[spec].x-kubernetes-validations[0].reason: Unsupported value: \"Bad\": supported values: "
         "\"FieldValueRequired\", \"FieldValueInvalid\", \"FieldValueForbidden\", \"FieldValueDuplicate\""},
        {SPEC(RULE("\"rule\": \"true\", \"fieldPath\": \".no\"")),
         "s.properties[spec].x-kubernetes-validations[0].fieldPath: Invalid value: \".no\": fieldPath must be a valid "
         "path: does not refer to a valid field"},
        {SPEC(RULE("\"rule\": \"true\", \"messageExpression\": \"1\"")),
         "s.properties[spec].x-kubernetes-validations[0].messageExpression: Invalid value: \"1\": messageExpression "
         "must evaluate to a string"},
        {SPEC(RULE("\"rule\": \"true\", \"optionalOldSelf\": true")),
         "s.properties[spec].x-kubernetes-validations[0].optionalOldSelf: Invalid value: true: may not be set if "
         "oldSelf is not used in rule"},
        {SPEC(PROPERTIES("\"l\": {\"type\": \"array\", \"items\": {\"type\": \"string\", " RULE(
             "\"rule\": \"self == oldSelf\"") "}}")),
         "s.properties[spec].properties[l].items.x-kubernetes-validations[0].rule: Invalid value: \"self == "
         "oldSelf\": oldSelf cannot be used on the uncorrelatable portion of the schema within "
         "s.properties[spec].properties[l].items"},
        {"{\"type\": \"object\", " RULE("\"rule\": \"self.metadata.name.startsWith('a') && self.kind == 'K'\"") "}",
         ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_json_ json_t *schema = parse(cases[i].schema);
        struct status_causes causes = {0};
        custom_expressions_free(custom_expressions_compile(schema, "s", &causes));
        T_STR(causes_text(&causes), cases[i].want);
    }
}

static char *broken(const char *schema_text, const char *doc_text, const char *old_text)
{
    _cleanup_json_ json_t *schema = parse(schema_text), *doc = parse(doc_text),
                          *old = old_text ? parse(old_text) : NULL;
    struct status_causes causes = {0};
    struct custom_expressions *x = custom_expressions_compile(schema, "s", &causes);
    custom_expressions_check(x, doc, old, &causes);
    custom_expressions_free(x);
    return causes_text(&causes);
}

#define RANGE                                                                                                          \
    SPEC(PROPERTIES("\"min\": " INTEGER ", \"max\": " INTEGER                                                          \
                    ", \"x-y\": " STRING) ", \"x-kubernetes-validations\": "                                           \
                                          "[{\"rule\": \"self.min <= self.max\", \"message\": \"min may not be above " \
                                          "max\", \"fieldPath\": \".min\"},"                                           \
                                          " {\"rule\": \"!has(self.x__dash__y) || self.x__dash__y == 'a'\", "          \
                                          "\"reason\": \"FieldValueForbidden\","                                       \
                                          "  \"messageExpression\": \"'not ' + self.x__dash__y\"}]")
#define FIXED SPEC(PROPERTIES("\"a\": {\"type\": \"string\", " RULE("\"rule\": \"self == oldSelf\"") "}"))
#define FIRST                                                                                                          \
    SPEC(PROPERTIES("\"a\": {\"type\": \"integer\", " RULE(                                                            \
        "\"optionalOldSelf\": true, \"rule\": \"oldSelf.hasValue() ? self > oldSelf.value() : self == 1\"") "}"))
#define KEYED                                                                                                          \
    SPEC(PROPERTIES(                                                                                                   \
        "\"l\": {\"type\": \"array\", \"x-kubernetes-list-type\": \"map\","                                            \
        " \"x-kubernetes-list-map-keys\": [\"k\"], \"items\": {\"type\": \"object\","                                  \
        " \"properties\": {\"k\": " STRING ", \"v\": " INTEGER "}, " RULE(                                             \
            "\"rule\": \"self.v >= oldSelf.v\"") "}},"                                                                 \
                                                 " \"m\": {\"type\": \"object\", \"additionalProperties\": "           \
                                                 "{\"type\": \"integer\", " RULE("\"rule\": \"self < 10\"") "}}"))

TEST(documents_that_break_them)
{
    static const struct {
        const char *schema, *doc, *old, *want;
    } cases[] = {
        {RANGE, "{\"spec\": {\"min\": 1, \"max\": 2}}", NULL, ""},
        {RANGE, "{}", NULL, ""},
        {RANGE, "{\"spec\": {\"min\": 3, \"max\": 2, \"x-y\": \"b\"}}", NULL,
         "spec.min: Invalid value: \"object\": min may not be above max\nspec: Forbidden: not b"},
        {RANGE, "{\"spec\": {\"max\": 2}}", NULL,
         "spec: Invalid value: \"object\": no such key: min evaluating rule: min may not be above max"},
        {RANGE, "{\"spec\": {\"min\": 3, \"max\": 2}}", "{\"spec\": {\"min\": 3, \"max\": 2}}", ""}, /* as it was */
        {FIXED, "{\"spec\": {\"a\": \"x\"}}", NULL, ""},
        {FIXED, "{\"spec\": {\"a\": \"x\"}}", "{\"spec\": {}}", ""},
        {FIXED, "{\"spec\": {\"a\": \"x\"}}", "{\"spec\": {\"a\": \"y\"}}",
         "spec.a: Invalid value: \"string\": failed rule: self == oldSelf"},
        {FIRST, "{\"spec\": {\"a\": 1}}", NULL, ""},
        {FIRST, "{\"spec\": {\"a\": 2}}", "{}",
         "spec.a: Invalid value: \"integer\": failed rule: oldSelf.hasValue() ? self > oldSelf.value() : self == 1"},
        {FIRST, "{\"spec\": {\"a\": 3}}", "{\"spec\": {\"a\": 2}}", ""},
        {KEYED, "{\"spec\": {\"l\": [{\"k\": \"b\", \"v\": 1}, {\"k\": \"a\", \"v\": 1}], \"m\": {\"x\": 10}}}",
         "{\"spec\": {\"l\": [{\"k\": \"a\", \"v\": 2}, {\"k\": \"b\", \"v\": 1}]}}",
         "spec.l[1]: Invalid value: \"object\": failed rule: self.v >= oldSelf.v\n"
         "spec.m[x]: Invalid value: \"integer\": failed rule: self < 10"},
        {"{\"type\": \"object\", " RULE("\"rule\": \"self.metadata.name == 'a'\"") "}",
         "{\"apiVersion\": \"g/v1\", \"kind\": \"K\", \"metadata\": {\"name\": \"b\"}}", NULL,
         "<nil>: Invalid value: \"object\": failed rule: self.metadata.name == 'a'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        T_STR(broken(cases[i].schema, cases[i].doc, cases[i].old), cases[i].want);
}

#define NUMBERS "{\"type\": \"array\", \"items\": {\"type\": \"integer\"}}"

TEST(dear_rules_end)
{
    _cleanup_json_ json_t *doc = json_pack("{s:{s:[]}}", "spec", "l");
    for (int i = 0; i < 300; i++)
        json_array_append_new(jget(doc, "spec.l"), json_integer(i));
    _cleanup_free_ char *text = jprint(doc);
    T_STR(broken(SPEC(PROPERTIES("\"l\": " NUMBERS) ", " RULE(
                     "\"rule\": \"self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))\"")),
                 text, NULL),
          "spec: Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no further validation "
          "rules "
          "will be run due to call cost exceeds limit for rule: self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= "
          "0)))");
}

int main(void)
{
    RUN(rules_that_cannot_be);
    RUN(documents_that_break_them);
    RUN(dear_rules_end);
    return DONE();
}
