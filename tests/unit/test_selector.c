/* api/selector.h: label and field selectors. */
#include "api/selector.h"
#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "t.h"

static const struct kind bare = {.group = "", .version = "v1", .kind = "Bare"};

static struct object *labelled(const json_t *labels)
{
    _cleanup_json_ json_t *doc =
        json_pack("{s:{s:s, s:s, s:O*}}", "metadata", "name", "x", "resourceVersion", "1", "labels", labels);
    return object_new(&bare, doc);
}

static bool matches(const char *selector, const char *labels)
{
    struct err err;
    struct selector *s = selector_parse(selector, &err);
    if (!s) {
        T_FAIL("%s: %s", selector, err.msg);
        return false;
    }
    _cleanup_json_ json_t *l = json_loads(labels, 0, NULL);
    _cleanup_object_ struct object *o = labelled(l);
    bool yes = selector_matches(s, o);
    selector_free(s);
    return yes;
}

TEST(label_selectors_select)
{
    static const struct {
        const char *selector, *labels;
        bool yes;
    } rows[] = {
        {"", "{}", true},
        {"", "{\"a\": \"b\"}", true},
        {"a", "{\"a\": \"\"}", true},
        {"a", "{}", false},
        {"!a", "{}", true},
        {" ! a ", "{\"a\": \"x\"}", false},
        {"a=b", "{\"a\": \"b\"}", true},
        {"a==b,c!=d", "{\"a\": \"b\"}", true},
        {"a==b,c!=d", "{\"a\": \"b\", \"c\": \"d\"}", false},
        {"a=", "{\"a\": \"\"}", true},
        {"a=,b", "{\"a\": \"\", \"b\": \"\"}", true},
        {"a in (b, c)", "{\"a\": \"c\"}", true},
        {"a in (b,,c)", "{\"a\": \"\"}", true},
        {"a in (,)", "{\"a\": \"\"}", true},
        {"a in (b,)", "{\"a\": \"\"}", true},
        {"a in (b)", "{}", false},
        {"a notin (b,c)", "{}", true},
        {"a notin (b,c)", "{\"a\": \"b\"}", false},
        {"in in (in)", "{\"in\": \"in\"}", true},
        {"notin=in", "{\"notin\": \"in\"}", true},
        {"a>3", "{\"a\": \"10\"}", true},
        {"a<3", "{\"a\": \"10\"}", false},
        {"a<3", "{\"a\": \"x\"}", false},
        {"example.com/a=b", "{\"example.com/a\": \"b\"}", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (matches(rows[i].selector, rows[i].labels) != rows[i].yes)
            T_FAIL("'%s' on %s is not %d", rows[i].selector, rows[i].labels, rows[i].yes);
    struct err err;
    struct selector *s = selector_parse("!a", &err);
    _cleanup_object_ struct object *o = labelled(NULL);
    T_TRUE(selector_matches(s, o));
    selector_free(s);
}

TEST(bad_label_selectors_are_explained)
{
    static const struct {
        const char *selector, *message; /* the beginning */
    } rows[] = {
        {"=b", "found '=', expected: !, identifier, or 'end of string'"},
        {"a,", "found '', expected: identifier after ','"},
        {"a,,b", "found ',', expected: identifier after ','"},
        {"a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"},
        {"a=b c", "found 'c', expected: ',' or 'end of string'"},
        {"a=(", "unable to parse requirement: found '(', expected: identifier"},
        {"a in b", "unable to parse requirement: found 'b' expected: '('"},
        {"a in (b", "unable to parse requirement: found '', expected: ',' or ')'"},
        {"a in (=", "unable to parse requirement: found '=', expected: ',', ')' or identifier"},
        {"a in ()", "unable to parse requirement: values: Invalid value: []: for 'in', 'notin' operators, values set "
                    "can't be empty"},
        {"!", "unable to parse requirement: found '', expected: identifier"},
        {"!a=b", "found '=', expected: ',' or 'end of string'"},
        {"a>b", "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value "
                "must be an integer"},
        {"-a=b", "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of alphanumeric"},
        {"a=-b",
         "unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid label must be an empty string"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err;
        struct selector *s = selector_parse(rows[i].selector, &err);
        if (s)
            T_FAIL("'%s' is taken", rows[i].selector);
        else if (!str_after(err.msg, rows[i].message))
            T_STR(err.msg, rows[i].message);
        selector_free(s);
    }
}

/* The naive reading: every requirement looked at by itself, on text. */
TEST(random_selectors_agree_with_the_naive_reading)
{
    static const char *const names[] = {"a", "b", "c"}, *const values[] = {"", "x", "y"};
    srand(3);
    for (int round = 0; round < 20000; round++) {
        const char *have[3];
        _cleanup_json_ json_t *labels = json_object();
        for (int i = 0; i < 3; i++) {
            have[i] = rand() % 2 ? values[rand() % 3] : NULL;
            if (have[i])
                json_object_set_new(labels, names[i], json_string(have[i]));
        }
        char text[200] = "";
        bool want = true;
        for (int n = rand() % 4; n > 0; n--) {
            int k = rand() % 3;
            const char *v = values[rand() % 3], *w = values[rand() % 3];
            bool is_v = have[k] && streq(have[k], v), is_w = have[k] && streq(have[k], w);
            char *end = text + strlen(text);
            if (end != text)
                *end++ = ',';
            size_t room = sizeof(text) - (size_t)(end - text);
            switch (rand() % 6) {
            case 0:
                snprintf(end, room, "%s=%s", names[k], v);
                want &= is_v;
                break;
            case 1:
                snprintf(end, room, "%s!=%s", names[k], v);
                want &= !is_v;
                break;
            case 2:
                snprintf(end, room, "%s in (%s,%s)", names[k], v, w);
                want &= is_v || is_w;
                break;
            case 3:
                snprintf(end, room, "%s notin (%s,%s)", names[k], v, w);
                want &= !is_v && !is_w;
                break;
            case 4:
                snprintf(end, room, "%s", names[k]);
                want &= have[k] != NULL;
                break;
            default:
                snprintf(end, room, "!%s", names[k]);
                want &= !have[k];
            }
        }
        struct err err;
        _cleanup_object_ struct object *o = labelled(labels);
        struct selector *s = selector_parse(text, &err);
        if (!s)
            T_FAIL("'%s': %s", text, err.msg);
        else if (selector_matches(s, o) != want)
            T_FAIL("'%s' is not %d", text, want);
        selector_free(s);
    }
}

static const struct field_label labels[] = {{"spec.nodeName", "spec.nodeName", ""},
                                            {"status.phase", "status.phase", "Pending"},
                                            {"spec.hostNetwork", "spec.hostNetwork", "false"},
                                            {"status.replicas", "status.replicas", "0"},
                                            {0}};
static const struct kind thing = {.kind = "Thing", .field_labels = labels};

TEST(field_selectors_select)
{
    static const struct {
        const char *selector;
        bool yes;
    } rows[] = {
        {"", true},
        {"metadata.name=x", true},
        {"metadata.name==x,metadata.namespace!=x", true},
        {"metadata.name=y", false},
        {"spec.nodeName=", true},
        {"spec.nodeName!=n", true},
        {"status.phase=Pending", true},
        {"spec.hostNetwork=true", true},
        {"status.replicas=3", true},
        {"metadata.name=x\\,y", false},
        {"metadata.namespace=a\\=b\\\\", false},
        {",metadata.name=x,", true},
    };
    static const char text[] = "{\"metadata\": {\"name\": \"x\", \"namespace\": \"ns\", \"resourceVersion\": \"1\"}, "
                               "\"spec\": {\"hostNetwork\": true}, \"status\": {\"replicas\": 3}}";
    _cleanup_object_ struct object *o = object_from_bytes(&thing, text, strlen(text));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err;
        struct field_selector *s = field_selector_parse(&thing, rows[i].selector, &err);
        if (!s)
            T_FAIL("%s: %s", rows[i].selector, err.msg);
        else if (field_selector_matches(s, o) != rows[i].yes)
            T_FAIL("'%s' is not %d", rows[i].selector, rows[i].yes);
        field_selector_free(s);
    }
}

TEST(bad_field_selectors_are_explained)
{
    static const struct {
        const struct kind *kind;
        const char *selector, *message;
    } rows[] = {
        {&thing, "spec.foo=x", "field label not supported: spec.foo"},
        {&bare, "spec.foo=x",
         "\"spec.foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""},
        {&thing, "metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"},
        {&thing, "metadata.name=a\\b", "invalid field selector: invalid escape sequence: \\b"},
        {&thing, "metadata.name=a\\", "invalid field selector: invalid escape sequence: \\"},
        {&thing, "metadata.name=a=b", "invalid field selector: unescaped character in value: ="},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        struct field_selector *s = field_selector_parse(rows[i].kind, rows[i].selector, &err);
        T_TRUE(!s);
        T_STR(err.msg, rows[i].message);
        field_selector_free(s);
    }
}

int main(void)
{
    RUN(label_selectors_select);
    RUN(bad_label_selectors_are_explained);
    RUN(random_selectors_agree_with_the_naive_reading);
    RUN(field_selectors_select);
    RUN(bad_field_selectors_are_explained);
    return DONE();
}
