/* json/yaml.h: YAML 1.1 as Kubernetes' tools read it. */
#include "base/buf.h"
#include "base/str.h"
#include "json/yaml.h"
#include "t.h"

TEST(documents_become_json)
{
    static const struct {
        const char *yaml, *json;
    } rows[] = {
        {"", "null"},
        {"---\n", "null"},
        {"# nothing\n", "null"},
        {"{\"a\": [1, \"b\"]}", "{\"a\": [1, \"b\"]}"},
        {"a: 1\nb:\n- x\n- k: z\n", "{\"a\": 1, \"b\": [\"x\", {\"k\": \"z\"}]}"},
        {"[yes, no, on, Off, y, N, TRUE, tRUE]", "[true, false, true, false, true, false, true, \"tRUE\"]"},
        {"[~, null, NULL, nULL, '']", "[null, null, null, \"nULL\", \"\"]"},
        {"a:\nb: ", "{\"a\": null, \"b\": null}"},
        {"['yes', \"1\", !!str 1, ! 2]", "[\"yes\", \"1\", \"1\", \"2\"]"},
        {"[1, -2, +3, 0x1F, 0b101, 0o17, 0755, 1_000, 08, -0x10]", "[1, -2, 3, 31, 5, 15, 493, 1000, 8, -16]"},
        {"[9223372036854775807, -9223372036854775808]", "[9223372036854775807, -9223372036854775808]"},
        {"[1.5, .5, 3.0, 1e3, 1.5e-1, -0.5, 9223372036854775808]",
         "[1.5, 0.5, 3, 1000, 0.15, -0.5, 9223372036854775808.0]"},
        {"[1.2.3, 1e, 0x, _1, '.', -, 1:30, 12-3, 100m, 2026-01-01, 2026-01-01T00:00:00Z]",
         "[\"1.2.3\", \"1e\", \"0x\", \"_1\", \".\", \"-\", \"1:30\", \"12-3\", \"100m\", \"2026-01-01\", "
         "\"2026-01-01T00:00:00Z\"]"},
        {"1: a\ntrue: b\n1.5: c\n\"d\": e", "{\"1\": \"a\", \"true\": \"b\", \"1.5\": \"c\", \"d\": \"e\"}"},
        {"a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\": \"x\\ny\\n\", \"b\": \"x y\"}"},
        {"a: &x [1, 2]\nb: *x\n", "{\"a\": [1, 2], \"b\": [1, 2]}"},
        {"a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "{\"a\": 1, \"b\": 1, \"c\": 2, \"d\": 2}"},
        {"base: &b {x: 1, k: 2}\nc:\n  k: 3\n  <<: *b\n",
         "{\"base\": {\"x\": 1, \"k\": 2}, \"c\": {\"x\": 1, \"k\": 3}}"},
        {"a: &a {x: 1}\nb: &b {x: 2, k: 2}\nc: {<<: [*a, *b], z: 3}",
         "{\"a\": {\"x\": 1}, \"b\": {\"x\": 2, \"k\": 2}, \"c\": {\"x\": 1, \"k\": 2, \"z\": 3}}"},
        {"'<<': 1", "{\"<<\": 1}"},
        {"[!!int '7', !!float '1', !!bool 'yes', !!null '', !!binary aGk=, !mine 5]",
         "[7, 1, true, null, \"hi\", \"5\"]"},
        {"--- \na: 1\n...\n", "{\"a\": 1}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err;
        _cleanup_json_ json_t *got = yaml_parse(rows[i].yaml, strlen(rows[i].yaml), &err);
        if (!got)
            T_FAIL("%s: %s", rows[i].yaml, err.msg);
        else
            T_JSON(got, rows[i].json);
    }
}

TEST(bad_text_is_refused_with_its_place)
{
    static const struct {
        const char *yaml, *message;
    } rows[] = {
        {"a: 1\na: 2\n", "line 2, column 1: key \"a\" already set in map"},
        {"1: 1\n'1': 2\n", "line 2, column 1: key \"1\" already set in map"},
        {"a: *x\n", "line 1, column 4: unknown anchor 'x' referenced"},
        {"a: &x [*x]\n", "line 1, column 8: unknown anchor 'x' referenced"},
        {"? [a]\n: b\n", "line 1, column 3: a key must be a scalar"},
        {"~: b\n", "line 1, column 1: a key must be text, a number or a boolean"},
        {"a: .inf\n", "line 1, column 4: a number that JSON does not have"},
        {"a: !!int x\n", "line 1, column 4: the value does not fit its tag"},
        {"a: !!binary '*'\n", "line 1, column 4: !!binary value contains invalid base64 data"},
        {"<<: 1\n", "line 1, column 5: map merge requires map or sequence of maps as the value"},
        {"a: \"\\0\"\n", "line 1, column 4: a NUL character inside text"},
        {"a: 1\n---\nb: 2\n", "line 2, column 1: more than one document"},
        {"a: [1\nb: 2\n", "line 2, column 2: did not find expected ',' or ']'"},
        {"\ta: 1\n", "line 1, column 1: found character that cannot start any token"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        _cleanup_json_ json_t *got = yaml_parse(rows[i].yaml, strlen(rows[i].yaml), &err);
        T_TRUE(!got);
        T_STR(err.msg, rows[i].message);
    }
}

TEST(small_texts_stay_small_documents)
{
    struct err err = {0};
    struct buf laughs = BUF_INIT(0), deep = BUF_INIT(0);
    buf_adds(&laughs, "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for (int i = 1; i < 20; i++)
        buf_addf(&laughs, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1, i - 1,
                 i - 1);
    T_TRUE(!yaml_parse(laughs.data, laughs.len, &err));
    T_TRUE(strstr(err.msg, "document contains excessive aliasing"));
    for (int i = 0; i < 2000; i++)
        buf_addc(&deep, '[');
    T_TRUE(!yaml_parse(deep.data, deep.len, &err));
    T_TRUE(strstr(err.msg, "more than 96 levels deep"));
    buf_clear(&deep);
    buf_adds(&deep, "a0: &a0 [x]\n");
    for (int i = 1; i < 200; i++)
        buf_addf(&deep, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    T_TRUE(!yaml_parse(deep.data, deep.len, &err));
    T_TRUE(strstr(err.msg, "more than 96 levels deep"));
    buf_done(&laughs);
    buf_done(&deep);
}

int main(void)
{
    RUN(documents_become_json);
    RUN(bad_text_is_refused_with_its_place);
    RUN(small_texts_stay_small_documents);
    return DONE();
}
