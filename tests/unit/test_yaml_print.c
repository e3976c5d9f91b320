/* json/yaml_print: what is printed reads back as the same document, and reads well. */
#include "json/yaml.h"
#include "json/yaml_print.h"
#include "t.h"

TEST(golden)
{
    static const struct {
        const char *json, *yaml;
    } cases[] = {
        {"{}", "{}\n"},
        {"[]", "[]\n"},
        {"\"x\"", "x\n"},
        {"null", "null\n"},
        {"{\"a\":1,\"b\":[],\"c\":{},\"d\":null,\"e\":true}", "a: 1\nb: []\nc: {}\nd: null\ne: true\n"},
        {"{\"a\":{\"b\":{\"c\":\"d\"}}}", "a:\n  b:\n    c: d\n"},
        {"{\"l\":[1,\"x\",{\"a\":1,\"b\":{\"c\":2}},[1,[2]],{}]}",
         "l:\n- 1\n- x\n- a: 1\n  b:\n    c: 2\n-\n  - 1\n  -\n    - 2\n- {}\n"},
        {"[{\"a\":[{\"b\":1}]}]", "- a:\n  - b: 1\n"},
        /* texts that something could take for something else */
        {"[\"\",\"true\",\"No\",\"null\",\"~\",\"1\",\"1e3\",\"0x1\",\"-\",\"a: b\",\"a #b\",\"a:\",\"a:b\",\" a\",\"- "
         "a\"]",
         "- \"\"\n- \"true\"\n- \"No\"\n- \"null\"\n- \"~\"\n- \"1\"\n- \"1e3\"\n- \"0x1\"\n- \"-\"\n- \"a: b\"\n- \"a "
         "#b\"\n"
         "- \"a:\"\n- a:b\n- \" a\"\n- \"- a\"\n"},
        {"{\"y\":\"two\\nlines\",\"with space\":\"\\\"q\\\"\"}",
         "\"y\": \"two\\nlines\"\n\"with space\": \"\\\"q\\\"\"\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err;
        _cleanup_json_ json_t *doc = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        _cleanup_free_ char *text = yaml_print(doc);
        T_STR(text, cases[i].yaml);
        _cleanup_json_ json_t *back = yaml_parse(text, strlen(text), &err);
        T_JSON(back, cases[i].json);
    }
}

int main(void)
{
    RUN(golden);
    return DONE();
}
