/* json: indented text. */
#include "json/indent.h"
#include "t.h"

TEST(as_go_indents)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"", ""},
        {"1", "1"},
        {"{}", "{}"},
        {"[]", "[]"},
        {"[[],{}]", "[\n  [],\n  {}\n]"},
        {"{\"a\":1,\"b\":[true,null]}", "{\n  \"a\": 1,\n  \"b\": [\n    true,\n    null\n  ]\n}"},
        {"{ \"a\" :\n{ } }\n", "{\n  \"a\": {}\n}"},
        {"[\"{,}: \\\" []\"]", "[\n  \"{,}: \\\" []\"\n]"},
        {"[\"open", "[\n  \"open"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buf out = BUF_INIT(0);
        json_indent(cases[i].in, strlen(cases[i].in), &out);
        T_STR(buf_str(&out), cases[i].want);
        buf_done(&out);
    }
}

int main(void)
{
    RUN(as_go_indents);
    return DONE();
}
